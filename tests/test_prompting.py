"""Tests of `techboy.prompting`."""

from __future__ import annotations

from typing import Any, cast

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from techboy import juliet, romeo
from techboy.chat.messages import Message
from techboy.prompting import prompted
from techboy.terminal.input_parser import PersonParser
from techboy.terminal.interface import InputSource
from techboy.terminal.prompt.screen import PromptScreen
from techboy.terminal.streams import StandardStream
from tests.programs import FakeStreams, RecordedStates

STATES = RecordedStates()


def screen(tap: Any, *arguments: str, log: object = None, **environ: str) -> PromptScreen:
    """Return the prompt of ``tap`` with these arguments."""
    options = tap.Options()
    streams = FakeStreams(STATES, InputSource.NONE)
    options.streams = lambda: streams
    options.parseOptions(list(arguments))
    options["many"] = "--guests" in arguments
    options.parent = None if log is None else {"logFile": log}
    return prompted(PersonParser(64), options, cast(StandardStream, STATES), lambda: "", lambda: 0.0, environ)


def painted(prompt: PromptScreen) -> str:
    """Return how what is said looks."""
    return prompt._formatter.format_message(Message("nurse", "hello", at=1.0), 2.0).text


def completed(prompt: PromptScreen, line: str) -> set[str]:
    """Return what a line can be completed to."""
    completer = prompt._buffer.completer
    return {found.text for found in completer.get_completions(Document(line), CompleteEvent())}


class PromptedTests:
    """The prompt as options and environment have it."""

    def test_name(self) -> None:
        """The prompt has the name that was given."""
        assert screen(juliet).prompt() == "juliet: "
        assert screen(romeo, "--name", "mercutio").prompt() == "mercutio: "

    def test_output(self) -> None:
        """Names are shown with time and colour, unless something else was asked for."""
        assert "\x1b[1;38;5;" in painted(screen(juliet, TERM="xterm"))
        assert "38;5;" not in painted(screen(juliet, TERM="xterm", NO_COLOR="1"))
        assert painted(screen(juliet, "--output", "bare")) == "hello\n"
        past = Message("nurse", "hello", at=1.0, past=True)
        text = screen(juliet, "--output", "names")._formatter.format_message(past, 2.0).text
        assert text.endswith("] nurse: hello\n")

    def test_commands(self) -> None:
        """Those commands are completed that there are: many in a house, more for its host."""
        juliets = screen(juliet)
        assert completed(juliets, "/") == {"/ping", "/bell "}
        juliets.enable_author_names()
        assert "/nick " in completed(juliets, "/")
        assert "/shutdown" not in completed(juliets, "/")
        assert "/shutdown" in completed(screen(romeo, "--guests", "2"), "/")

    def test_names(self) -> None:
        """Names of those who were heard are completed."""
        juliets = screen(juliet)
        juliets.show_lines("nurse", "hello")
        assert completed(juliets, "nu") == {"nurse: "}

    @pytest.mark.parametrize("on_screen", [True, False])
    def test_log(self, on_screen: bool) -> None:
        """The program's log is shown above the prompt where it would be on the screen."""
        log = StandardStream(None, None, None)
        log.on_screen = on_screen
        made = screen(juliet, log=log)
        assert (log._handler == made.log) is on_screen
