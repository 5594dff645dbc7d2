"""Tests of `techboy.terminal.prompt.key_bindings` for a system without job control; see `test_screen`."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from techboy.terminal.prompt.key_bindings import KeyHandlers, key_bindings
from tests.screen import CTRL_Z, ENTER


class Hands:
    """Remembers what is done, and ends with it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.end: Callable[[], None] = lambda: None

    def has_question(self) -> bool:
        return False

    def on_quit(self) -> None:
        self.done.append("on_quit")
        self.end()

    def __getattr__(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)


class EndOfInputTests:
    """Ctrl-Z where a program can't be stopped."""

    @pytest.mark.parametrize(
        ("typed", "said", "done"),
        [
            (CTRL_Z + ENTER, "", ["on_quit"]),
            (CTRL_Z + "x" + ENTER, "", ["on_quit"]),
            ("x" + CTRL_Z + "y" + ENTER, f"x{CTRL_Z}y", []),
        ],
    )
    def test_typed(self, typed: str, said: str, done: list[str]) -> None:
        """At the start of a line it makes it the end of input, which it is when it is entered."""
        hands = Hands()
        with create_pipe_input() as keyboard:
            bindings = key_bindings(cast(KeyHandlers, hands), can_suspend=False)
            session = PromptSession[str](input=keyboard, output=DummyOutput(), key_bindings=bindings)
            hands.end = lambda: session.app.exit(result="")
            keyboard.send_text(typed)
            assert session.prompt() == said
        assert hands.done == done
