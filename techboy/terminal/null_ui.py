"""The end of a conversation where nobody sits: a daemon, which shows no more than states."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

from techboy.chat.messages import Message
from techboy.exit_status import OK


class NullUI:
    """Neither keyboard nor screen; what is said is not shown."""

    status = OK

    def __init__(self, write_state: Callable[[str], object]) -> None:
        self._write_state = write_state

    def show_lines(self, author: str, text: str) -> None:
        """Nobody sees it."""

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Nobody sees it."""

    def show_message(self, words: Message) -> None:
        """Nobody sees it."""

    def enable_author_names(self) -> None:
        """Nobody sees them."""

    def show_rejection(self, text: str) -> None:
        """Write why a line was not taken."""
        self.show_status(text)

    def show_status(self, text: str) -> None:
        """Write one line about the conversation itself."""
        self._write_state(f"{text}\n")

    def show_prompt(self) -> None:
        """Nobody is invited."""

    def hide_prompt(self) -> None:
        """Nobody was invited."""

    def show_sent(self, text: str, kind: str) -> None:
        """Nobody sees it."""

    def set_pending_lines(self, lines: int) -> None:
        """Nobody sees it."""

    def set_nick(self, name: str) -> None:
        """Nobody sees it."""

    def pause(self) -> None:
        """Nothing is read."""

    def resume(self) -> None:
        """Nothing is read."""

    def abandon(self) -> None:
        """Nothing waits."""

    def close(self) -> Deferred[None]:
        """Nothing is held."""
        return succeed(None)
