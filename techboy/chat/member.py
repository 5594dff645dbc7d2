"""Somebody in a house, whichever way they came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from techboy.chat.isolation import Fallible
from techboy.chat.room import Room
from techboy.chat.session import Session
from techboy.storage.interface import Batch, StorageError

STORING_FAILS = "the server cannot store messages now"
READING_FAILS = "the server cannot read its history now"
"""What clients are told of storage errors, whose text names files of the server."""


MOST_LEFT = 16
"""Rooms that a member left of which it is remembered how far it was sent their messages."""


class Guest(Fallible, Protocol):
    """The way in of one member, as the house sees it."""

    def tell(self, notices: list[str]) -> bool:
        """Show lines about the house itself; return False where nothing more can be taken now."""

    def recall(self, batches: list[Batch]) -> bool:
        """Show what was said before, marked as past; return False where that is nothing."""

    def hear(self, delivery: Any) -> None:
        """Take what is new in the room, as whoever brings it has put it, or leave it in the log for later."""

    def stored(self, last: int) -> None:
        """All that the member said so far is stored, and has ids up to ``last``."""

    def not_stored(self, why: str) -> None:
        """What the member said and is not `stored` will not be."""

    def goodbye(self, why: str) -> None:
        """Send what was said, tell ``why`` and close."""

    def moved(self) -> None:
        """The member is in another room now, and hears what is said there from now on."""

    @property
    def silence(self) -> float | None:
        """For how many seconds nothing was heard from the member, None where nobody is there to be heard."""

    @property
    def behind(self) -> int:
        """How many lines wait to be sent to the member."""


class Member:
    """Somebody in the house. ``number`` is theirs alone, whatever the name; ``host``: may do anything.

    ``given``: the name they were given unasked, which nobody else gets. ``away``: why, or None. ``absent``:
    the connection was lost, and may come back. ``ignoring`` and ``answers_to`` are numbers. ``session``:
    what survives a connection, where the way in has such. ``unstored``: characters said that are not stored
    yet. ``quiet``: came to say something and not to hear, so that nobody needs to know. ``since``: the id
    after which it is shown what was said in its room before it entered. ``left``: how far it was sent the
    messages of rooms that it left, by their keys: of `MOST_LEFT` rooms at most.
    """

    __slots__ = (
        "absent",
        "answers_to",
        "away",
        "came_at",
        "given",
        "guest",
        "host",
        "ignoring",
        "left",
        "name",
        "number",
        "quiet",
        "room",
        "session",
        "since",
        "unstored",
    )

    def __init__(
        self,
        number: int,
        guest: Guest,
        room: Room,
        *,
        host: bool,
        came_at: float,
        session: Session | None,
        quiet: bool = False,
    ) -> None:
        self.number, self.guest, self.room, self.host, self.came_at = number, guest, room, host, came_at
        self.name = self.given = ""
        self.away: str | None = None
        self.absent, self.unstored, self.session, self.quiet = False, 0, session, quiet
        self.ignoring = frozenset() if session is None else session.ignoring
        self.answers_to: int | None = None
        self.since = room.log.last
        self.left: dict[str, int] = {}

    def remember_offset(self) -> None:
        """Remember how far this member was sent the messages of its room, which it leaves."""
        self.left[self.room.name.lower()] = self.room.log.last - self.guest.behind
        if len(self.left) > MOST_LEFT:
            del self.left[next(iter(self.left))]

    def told_of(self, error: StorageError, sentence: str) -> str:
        """Return what the member is told of ``error``: ``sentence``, and all of it only if it is the host."""
        return str(error) if self.host else sentence

    def ignore(self, numbers: frozenset[int]) -> None:
        """Hear nothing of the members with these ``numbers`` from now on, and all others again."""
        self.ignoring = numbers
        if self.session is not None:
            self.session.ignoring = numbers

    def rename(self, name: str) -> None:
        """Be called ``name``, from now on and when its session is gone on with."""
        self.name = name
        if self.session is not None:
            self.session.nick = "" if name == self.given else name


class Absent:
    """The way in of a member whose connection was lost: nothing reaches it, and the log keeps all for it.

    ``leave`` is called when the member is told goodbye: nobody waits for its return any longer.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def tell(self, notices: list[str]) -> bool:
        """Take nothing."""
        return False

    def recall(self, batches: list[Batch]) -> bool:
        """Show nothing."""
        return bool(batches)

    def hear(self, delivery: Any) -> None:
        """Leave it in the log."""

    def stored(self, last: int) -> None:
        """The session knows."""

    def not_stored(self, why: str) -> None:
        """The session knows."""

    def fail(self) -> None:
        """There is nothing to close."""

    def goodbye(self, why: str) -> None:
        """Have the member leave at once; nobody hears why."""
        self._leave()

    def moved(self) -> None:
        """Nobody hears it."""

    @property
    def silence(self) -> None:
        """Nobody is there."""
        return None

    @property
    def behind(self) -> int:
        """What waits is in the log."""
        return 0
