"""What a conversation knows of its connection, and of its program."""

from __future__ import annotations

from typing import Protocol

from techboy.client.outbox import Outbox


class Peer(Protocol):
    """The other, while connected."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def address(self) -> str:
        """Where it is."""

    @property
    def idle_seconds(self) -> float:
        """For how many seconds nothing was heard from it."""

    @property
    def missing(self) -> int:
        """How many lines that were said before are still to come, as far as is known."""

    def send_from(self, outbox: Outbox) -> None:
        """Send what waits in ``outbox``; from where nothing is acknowledged it is taken."""

    def command(self, line: str) -> None:
        """Send a command, without its slash."""

    def pause(self) -> None:
        """Stop reading from the peer."""

    def resume(self) -> None:
        """Read from the peer again."""

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye: send all, close this half, be gone ``within`` seconds after that.

        Sending may take ``flushed_within`` seconds, or as long as it takes when that is None.
        """

    def abort(self) -> None:
        """Be gone at once; what was not sent is not."""

    def limit_close(self, seconds: float) -> None:
        """Send all and be gone after so many seconds; a later call replaces an earlier one."""


class ConversationDelegate(Protocol):
    """The program that the conversation belongs to."""

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: not yet, or not any more (``again``)."""

    def hurry(self) -> None:
        """The person here would like the other end to be reached now."""

    def not_kept(self, why: str) -> None:
        """What is said here can't be kept until it is stored at the other end."""

    def shown(self) -> None:
        """Everything that was to be shown so far is."""

    def over(self, whole: bool) -> None:
        """The conversation is over. ``whole``: as far as is known, what was said here has arrived."""
