"""Key bindings of the prompt, in addition to those that edit the line."""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from techboy.terminal.prompt.modes import CAN_STOP


class KeyHandlers(Protocol):
    """Handles the keys of the user."""

    def has_question(self) -> bool:
        """Whether a question waits for an answer."""

    def on_paste(self, text: str) -> None:
        """Handle pasted ``text``."""

    def on_yes(self) -> None:
        """Handle the answer yes to the question."""

    def on_no(self) -> None:
        """Handle the answer no to the question."""

    def on_quit(self) -> None:
        """Leave the conversation."""

    def on_suspend(self) -> None:
        """Suspend the program."""

    def on_redraw(self) -> None:
        """Redraw the screen."""


END_OF_INPUT = "\x1a"
"""The character that Ctrl-Z types if it does not suspend: a line that begins with it is the end of input."""


def key_bindings(handlers: KeyHandlers, can_suspend: bool = CAN_STOP) -> KeyBindings:
    """Return the key bindings; while a question is open, only its answers have an effect."""
    bindings = KeyBindings()
    asked = Condition(handlers.has_question)
    bind = bindings.add

    @bind(Keys.Any, filter=asked, eager=True)
    def ignore(event: KeyPressEvent) -> None:
        """Do nothing: wait for an answer."""

    @bind("y", filter=asked, eager=True)
    @bind("Y", filter=asked, eager=True)
    def agree(event: KeyPressEvent) -> None:
        handlers.on_yes()

    @bind("n", filter=asked, eager=True)
    @bind("N", filter=asked, eager=True)
    @bind("escape", filter=asked, eager=True)
    @bind("c-c", filter=asked, eager=True)
    def decline(event: KeyPressEvent) -> None:
        handlers.on_no()

    @bind("c-c", filter=~asked, eager=True)
    def leave(event: KeyPressEvent) -> None:
        handlers.on_quit()

    @bind("c-d", filter=~asked & ~is_searching & Condition(_nothing_is_typed))
    def end(event: KeyPressEvent) -> None:
        handlers.on_quit()

    @bind(Keys.BracketedPaste, eager=True)
    def paste(event: KeyPressEvent) -> None:
        handlers.on_paste(event.data)

    @bind("c-z", filter=~asked & Condition(lambda: can_suspend))
    def suspend(event: KeyPressEvent) -> None:
        handlers.on_suspend()

    @bind("enter", filter=~asked & Condition(lambda: not can_suspend and _end_is_typed()), eager=True)
    def enter_end(event: KeyPressEvent) -> None:
        handlers.on_quit()

    @bind("c-l", filter=~asked)
    def redraw(event: KeyPressEvent) -> None:
        handlers.on_redraw()

    return bindings


def _end_is_typed() -> bool:
    return get_app().current_buffer.text.startswith(END_OF_INPUT)


def _nothing_is_typed() -> bool:
    return not get_app().current_buffer.text
