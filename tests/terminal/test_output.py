"""Tests of how what is said is shown."""

from __future__ import annotations

import json

import pytest

from techboy.terminal.output import CHOICES, bare, chosen, json_lines, names


def at_some_time() -> float:
    return 1795349686.15849


class NamesTests:
    """Each line with its author's name."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("hello", "juliet: hello\n"),
            ("", "juliet: \n"),
            ("a\n\nb", "juliet: a\njuliet: \njuliet: b\n"),
        ],
    )
    def test_lines(self, text: str, shown: str) -> None:
        """No line stands without its author."""
        assert names("juliet", text) == shown


class BareTests:
    """Only what was said."""

    @pytest.mark.parametrize("text", ["hello", "", "a\n\nb", "\ttab"])
    def test_lines(self, text: str) -> None:
        """What is shown is what was said, with its last line ended."""
        assert bare("juliet", text) == text + "\n"


class JsonLinesTests:
    """An object for each line, for programs."""

    def test_object(self) -> None:
        """Id, time, author and text are told, the text as it was said."""
        assert json_lines(at_some_time)("juliet", 'é "\t') == (
            '{"id": 1, "at": 1795349686.158, "from": "juliet", "text": "é \\"\\t"}\n'
        )

    def test_ids(self) -> None:
        """Ids count lines from 1 on, without a hole."""
        output = json_lines(at_some_time)
        shown = output("juliet", "a\n") + output("juliet", "b")
        lines = [json.loads(line) for line in shown.splitlines()]
        assert [(line["id"], line["text"]) for line in lines] == [(1, "a"), (2, ""), (3, "b")]


class ChosenTests:
    """The choices of --output."""

    @pytest.mark.parametrize("terminal", [True, False])
    @pytest.mark.parametrize(("choice", "shown"), [("names", "juliet: hello\n"), ("bare", "hello\n")])
    def test_outright(self, choice: str, shown: str, terminal: bool) -> None:
        """What is said outright holds, terminal or not."""
        assert chosen(choice, terminal, at_some_time)("juliet", "hello") == shown

    @pytest.mark.parametrize("terminal", [True, False])
    def test_json(self, terminal: bool) -> None:
        """JSON is JSON, terminal or not, with the time that it was said."""
        shown = json.loads(chosen("json", terminal, at_some_time)("juliet", "hello"))
        assert shown == {"id": 1, "at": 1795349686.158, "from": "juliet", "text": "hello"}

    def test_auto_on_terminal(self) -> None:
        """A person sees who said it."""
        assert chosen("auto", True, at_some_time) is names

    def test_auto_in_file(self) -> None:
        """A file gets what was said, and nothing else."""
        assert chosen("auto", False, at_some_time) is bare

    def test_choices(self) -> None:
        """The first choice is the one that is taken where none is made."""
        assert CHOICES[0] == "auto"
