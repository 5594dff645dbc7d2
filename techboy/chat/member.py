"""Somebody in a house, whichever way they came in."""

from __future__ import annotations

from typing import Any, Protocol

from techboy.chat.room import Room
from techboy.logs.contract import Batch


class Guest(Protocol):
    """The way in of one member, as the house sees it."""

    def tell(self, notices: list[str]) -> bool:
        """Show lines about the house itself; return False where nothing more can be taken now."""

    def recall(self, batches: list[Batch]) -> bool:
        """Show what was said before, marked as past; return False where that is nothing."""

    def hear(self, delivery: Any) -> None:
        """Take what is new in the room, as whoever brings it has put it, or leave it in the log for later."""

    def goodbye(self, why: str) -> None:
        """Send what was said, tell ``why`` and close."""

    def moved(self) -> None:
        """The member is in another room now, and hears what is said there from now on."""


class Member:
    """Somebody in the house. ``number`` is theirs alone, whatever the name; ``host``: may do anything.

    ``given``: the name they were given unasked, which nobody else gets. ``away``: why, or None. ``ignoring``
    and ``answers_to`` are numbers.
    """

    __slots__ = (
        "answers_to",
        "away",
        "came_at",
        "given",
        "guest",
        "host",
        "ignoring",
        "name",
        "number",
        "room",
    )

    def __init__(self, number: int, guest: Guest, room: Room, *, host: bool, came_at: float) -> None:
        self.number, self.guest, self.room, self.host, self.came_at = number, guest, room, host, came_at
        self.name = self.given = ""
        self.away: str | None = None
        self.ignoring: frozenset[int] = frozenset()
        self.answers_to: int | None = None
