"""What a program knows of its user interface."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from techboy.chat.messages import Message


class UserInterface(Protocol):
    """Keyboard and screen, where the program has them."""

    def show_lines(self, author: str, text: str) -> None:
        """Show what ``author`` said, lines joined by LF."""

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Show lines of ``author`` that say themselves who spoke."""

    def show_message(self, message: Message) -> None:
        """Show what was said in a conversation that knows who, when and in which order."""

    def enable_author_names(self) -> None:
        """Show from now on who speaks, unless asked for something else: there are more than two."""

    def show_rejection(self, text: str) -> None:
        """Show why a line was not taken, and end with a status that tells of it."""

    def show_status(self, text: str) -> object:
        """Show one line about the conversation itself, unless the screen is too full."""

    def show_prompt(self) -> None:
        """Show that somebody is there to talk to."""

    def hide_prompt(self) -> None:
        """Show that nobody is there to talk to."""

    def show_sent(self, text: str, kind: str) -> None:
        """``text``, lines of one ``kind`` joined by LF, was said here and waits: see `set_pending_lines`."""

    def set_pending_lines(self, lines: int) -> None:
        """So many of the lines said here, the last ones, are not stored at the other end, or not sent."""

    def set_nick(self, name: str) -> None:
        """Whoever is here is called ``name`` by the other end."""

    def pause(self) -> None:
        """Stop reading what is said here."""

    def resume(self) -> None:
        """Read on."""


class InputSource(Enum):
    """Where the words said here come from."""

    PERSON = auto()  # a terminal: read always
    SCRIPT = auto()  # a pipe or a file: read only while somebody is there
    NONE = auto()  # a service: nothing is said here
