"""Tests of `techboy.terminal.prompt.completion`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document

from techboy.chat.commands import COMMANDS
from techboy.terminal.prompt.completion import (
    DIRECT_COMMANDS,
    MEMBER_COMMANDS,
    OPERATOR_COMMANDS,
    CommandCompleter,
    CommandUsage,
)

PEOPLE = ["benvolio", "Nurse", "romeo"]


def offered(
    line: str, commands: tuple[CommandUsage, ...] = MEMBER_COMMANDS, cursor: int | None = None
) -> list[Completion]:
    """Return how ``line`` may go on at the cursor, which is at its end unless told."""
    completer = CommandCompleter(lambda: commands, lambda: PEOPLE)
    return [*completer.get_completions(Document(line, cursor), CompleteEvent())]


def completed(line: str, commands: tuple[CommandUsage, ...] = MEMBER_COMMANDS) -> list[str]:
    """Return what becomes of ``line``."""
    return [
        line[: len(line) + completion.start_position] + completion.text
        for completion in offered(line, commands)
    ]


class CommandsTests:
    """Which commands are offered."""

    def test_sets(self) -> None:
        """The host has all of a house, a guest has not the host's, and two alone have very few."""
        names = {usage.name for usage in OPERATOR_COMMANDS}
        assert names == {command.name for command in COMMANDS} | {"bell"}
        assert names - {usage.name for usage in MEMBER_COMMANDS} == {"kick", "motd", "shutdown"}
        assert [usage.text for usage in DIRECT_COMMANDS] == ["/ping", "/bell [off|mention|all]"]

    def test_begun(self) -> None:
        """A command that was begun is completed, in any case, with a blank where something follows."""
        assert completed("/wh") == ["/who", "/whois "]
        assert completed("/WHOI") == ["/whois "]
        assert completed("/nosuch") == []
        assert completed("/k") == []
        assert completed("/k", OPERATOR_COMMANDS) == ["/kick "]

    def test_all(self) -> None:
        """A slash alone offers all there are."""
        assert completed("/", DIRECT_COMMANDS) == ["/ping", "/bell "]
        assert len(completed("/")) == len(MEMBER_COMMANDS)

    def test_help(self) -> None:
        """Each is shown as it is used, with what it does."""
        (nick,) = offered("/nick")
        assert (nick.display_text, nick.display_meta_text) == ("/nick NAME", "change your nickname")

    @pytest.mark.parametrize("line", ["//wh", " /wh", "say /wh", "/who/"])
    def test_no_command(self, line: str) -> None:
        """A slash that begins no command completes none."""
        assert completed(line) == []

    def test_choices(self) -> None:
        """The words that a command takes are offered."""
        assert completed("/bell ") == ["/bell off", "/bell mention", "/bell all"]
        assert completed("/bell M") == ["/bell mention"]


class NamesTests:
    """Where names are offered."""

    @pytest.mark.parametrize("command", ["msg", "whois", "ignore", "unignore", "ping", "WHOIS"])
    def test_after_a_command(self, command: str) -> None:
        """A command that wants a name is offered all, or those that begin so."""
        assert completed(f"/{command} ") == [f"/{command} {name}" for name in PEOPLE]
        assert completed(f"/{command} nU") == [f"/{command} Nurse"]
        assert completed(f"/{command}\tnU") == [f"/{command}\tNurse"]

    def test_host(self) -> None:
        """So is the host's own."""
        assert completed("/kick r", OPERATOR_COMMANDS) == ["/kick romeo"]
        assert completed("/kick romeo for n", OPERATOR_COMMANDS) == ["/kick romeo for Nurse"]

    @pytest.mark.parametrize(
        "line", ["/nick r", "/join r", "/nick ", "/last r", "/last ", "/who ", "/quit r"]
    )
    def test_no_name_wanted(self, line: str) -> None:
        """Who wants a new name, or another room, or a number, is not offered those who are here."""
        assert completed(line) == []

    @pytest.mark.parametrize(
        ("line", "whole"),
        [
            ("r", "romeo: "),
            ("hello r", "hello romeo"),
            ("été (rom", "été (romeo"),
            ("爱 @BENV", "爱 @benvolio"),
            ("where is Nurse, r", "where is Nurse, romeo"),
            ("/me kisses r", "/me kisses romeo"),
            ("/me r", "/me romeo"),
            ("/topic r", "/topic romeo"),
            ("/msg Nurse tell r", "/msg Nurse tell romeo"),
            ("/nosuch r", "/nosuch romeo"),
        ],
    )
    def test_in_a_line(self, line: str, whole: str) -> None:
        """A word that was begun is completed to a name, with a colon where the line begins with it."""
        assert completed(line) == [whole]

    @pytest.mark.parametrize(
        "line",
        ["", "hello ", "ér", "爱r", "a/r", "http://r", "r" * 40, "romeor", "/me ", "e\u0301r", "hello r "],
    )
    def test_nothing_begun(self, line: str) -> None:
        """Nothing is offered where no name was begun: at a blank, within a word or a path."""
        assert completed(line) == []

    def test_before_the_cursor(self) -> None:
        """Only what is before the cursor counts, of the line that it is in."""
        (found,) = offered("r and so on", cursor=1)
        assert found.text == "romeo: "
        (found,) = offered("a line\nhello ro", cursor=None)
        assert (found.text, found.start_position) == ("romeo", -2)

    def test_asked_each_time(self) -> None:
        """Who has come since, and what may be done since, is offered too."""
        people: list[str] = []
        completer = CommandCompleter(lambda: DIRECT_COMMANDS, lambda: people)
        assert [*completer.get_completions(Document("t"), CompleteEvent())] == []
        people.append("tybalt")
        assert [found.text for found in completer.get_completions(Document("t"), CompleteEvent())] == [
            "tybalt: "
        ]

    @given(st.text())
    def test_any_line(self, line: str) -> None:
        """Whatever was typed, what is offered replaces what was begun, and no more."""
        for found in offered(line):
            begun = line[len(line) + found.start_position :]
            assert found.text.lower().startswith(begun.lower())
