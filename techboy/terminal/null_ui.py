"""The user interface of a daemon, which has no keyboard, and writes nothing but status lines."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

from techboy.chat.messages import Message
from techboy.exit_status import OK


class NullUI:
    """Reads no input and shows no messages; status lines are passed to ``write_status``, with LF."""

    status = OK

    def __init__(self, write_status: Callable[[str], object]) -> None:
        self._write_status = write_status

    def show_lines(self, author: str, text: str) -> None:
        """Do nothing."""

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Do nothing."""

    def show_message(self, message: Message) -> None:
        """Do nothing."""

    def enable_author_names(self) -> None:
        """Do nothing."""

    def show_rejection(self, text: str) -> None:
        """Write why the server rejected a line."""
        self.show_status(text)

    def show_status(self, text: str) -> None:
        """Write one status line."""
        self._write_status(f"{text}\n")

    def show_prompt(self) -> None:
        """Do nothing."""

    def hide_prompt(self) -> None:
        """Do nothing."""

    def show_sent(self, text: str, kind: str) -> None:
        """Do nothing."""

    def set_pending_lines(self, lines: int) -> None:
        """Do nothing."""

    def set_nick(self, name: str) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def abandon(self) -> None:
        """Do nothing."""

    def close(self) -> Deferred[None]:
        """Return a Deferred that has fired."""
        return succeed(None)
