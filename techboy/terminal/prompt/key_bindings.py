"""What keys do at the prompt, beside those that edit the line."""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from techboy.terminal.prompt.modes import CAN_STOP


class KeyHandlers(Protocol):
    """Whoever is told what the person at the keyboard does."""

    def is_asked(self) -> bool:
        """Whether a question waits for an answer."""

    def pasted(self, text: str) -> None:
        """Text was pasted."""

    def agreed(self) -> None:
        """The question was answered with yes."""

    def declined(self) -> None:
        """The question was answered with no."""

    def leaves(self) -> None:
        """The person says goodbye."""

    def suspends(self) -> None:
        """The person would like to do something else on this terminal."""

    def redraws(self) -> None:
        """The screen is a mess."""


END_OF_INPUT = "\x1a"
"""What Ctrl-Z types where it does not suspend: a line that begins with it is the end of input."""


def keys(hands: KeyHandlers, can_suspend: bool = CAN_STOP) -> KeyBindings:
    """Return the keys: while a question is open, none but its answers do anything."""
    bindings = KeyBindings()
    asked = Condition(hands.is_asked)
    bind = bindings.add

    @bind(Keys.Any, filter=asked, eager=True)
    def ignore(event: KeyPressEvent) -> None:
        """Wait for an answer."""

    @bind("y", filter=asked, eager=True)
    @bind("Y", filter=asked, eager=True)
    def agree(event: KeyPressEvent) -> None:
        hands.agreed()

    @bind("n", filter=asked, eager=True)
    @bind("N", filter=asked, eager=True)
    @bind("escape", filter=asked, eager=True)
    @bind("c-c", filter=asked, eager=True)
    def decline(event: KeyPressEvent) -> None:
        hands.declined()

    @bind("c-c", filter=~asked, eager=True)
    def leave(event: KeyPressEvent) -> None:
        hands.leaves()

    @bind("c-d", filter=~asked & ~is_searching & Condition(_nothing_is_typed))
    def end(event: KeyPressEvent) -> None:
        hands.leaves()

    @bind(Keys.BracketedPaste, eager=True)
    def paste(event: KeyPressEvent) -> None:
        hands.pasted(event.data)

    @bind("c-z", filter=~asked & Condition(lambda: can_suspend))
    def suspend(event: KeyPressEvent) -> None:
        hands.suspends()

    @bind("enter", filter=~asked & Condition(lambda: not can_suspend and _end_is_typed()), eager=True)
    def enter_end(event: KeyPressEvent) -> None:
        hands.leaves()

    @bind("c-l", filter=~asked)
    def redraw(event: KeyPressEvent) -> None:
        hands.redraws()

    return bindings


def _end_is_typed() -> bool:
    return get_app().current_buffer.text.startswith(END_OF_INPUT)


def _nothing_is_typed() -> bool:
    return not get_app().current_buffer.text
