"""Somebody in a house, whichever way they came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from techboy.chat.isolation import Fallible
from techboy.chat.room import Room
from techboy.chat.session import Session
from techboy.storage.interface import MessageBatch, StorageError

STORING_FAILS = "the server cannot store messages now"
READING_FAILS = "the server cannot read its history now"
"""What clients are told of storage errors, whose text names files of the server."""


MAX_REMEMBERED_ROOMS = 16
"""Rooms that a member left of which it is remembered how far it was sent their messages."""


class MemberConnection(Fallible, Protocol):
    """The way in of one member, as the house sees it."""

    def send_notice(self, notices: list[str]) -> bool:
        """Show lines about the house itself; return False where nothing more can be taken now."""

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show what was said before, marked as past; return False where that is nothing."""

    def deliver(self, delivery: Any) -> None:
        """Take what is new in the room, as whoever brings it has put it, or leave it in the log for later."""

    def on_stored(self, last: int) -> None:
        """All that the member said so far is stored, and has ids up to ``last``."""

    def on_not_stored(self, why: str) -> None:
        """What the member said and is not `stored` will not be."""

    def disconnect(self, why: str) -> None:
        """Send what was said, tell ``why`` and close."""

    def on_room_changed(self) -> None:
        """The member is in another room now, and hears what is said there from now on."""

    @property
    def idle_seconds(self) -> float | None:
        """For how many seconds nothing was heard from the member, None where nobody is there to be heard."""

    @property
    def backlog(self) -> int:
        """How many lines wait to be sent to the member."""


class Member:
    """Somebody in the house. ``number`` is theirs alone, whatever the name; ``host``: may do anything.

    ``given``: the name they were given unasked, which nobody else gets. ``away``: why, or None. ``absent``:
    the connection was lost, and may come back. ``ignoring`` and ``answers_to`` are numbers. ``session``:
    what survives a connection, where the way in has such. ``unstored``: characters said that are not stored
    yet. ``quiet``: came to say something and not to hear, so that nobody needs to know. ``since``: the id
    after which it is shown what was said in its room before it entered. ``left``: how far it was sent the
    messages of rooms that it left, by their keys: of `MAX_REMEMBERED_ROOMS` rooms at most.
    """

    __slots__ = (
        "absent",
        "away",
        "connection",
        "default_name",
        "hidden",
        "ignoring",
        "is_operator",
        "joined_at",
        "left",
        "name",
        "number",
        "pending_chars",
        "reply_to",
        "room",
        "session",
        "since",
    )

    def __init__(
        self,
        number: int,
        connection: MemberConnection,
        room: Room,
        *,
        is_operator: bool,
        joined_at: float,
        session: Session | None,
        hidden: bool = False,
    ) -> None:
        self.number, self.connection, self.room, self.is_operator, self.joined_at = (
            number,
            connection,
            room,
            is_operator,
            joined_at,
        )
        self.name = self.default_name = ""
        self.away: str | None = None
        self.absent, self.pending_chars, self.session, self.hidden = False, 0, session, hidden
        self.ignoring = frozenset() if session is None else session.ignoring
        self.reply_to: int | None = None
        self.since = room.log.last
        self.left: dict[str, int] = {}

    def remember_offset(self) -> None:
        """Remember how far this member was sent the messages of its room, which it leaves."""
        self.left[self.room.name.lower()] = self.room.log.last - self.connection.backlog
        if len(self.left) > MAX_REMEMBERED_ROOMS:
            del self.left[next(iter(self.left))]

    def describe_error(self, error: StorageError, sentence: str) -> str:
        """Return what the member is told of ``error``: ``sentence``, and all of it only if it is the host."""
        return str(error) if self.is_operator else sentence

    def ignore(self, numbers: frozenset[int]) -> None:
        """Hear nothing of the members with these ``numbers`` from now on, and all others again."""
        self.ignoring = numbers
        if self.session is not None:
            self.session.ignoring = numbers

    def rename(self, name: str) -> None:
        """Be called ``name``, from now on and when its session is gone on with."""
        self.name = name
        if self.session is not None:
            self.session.nick = "" if name == self.default_name else name


class DetachedConnection:
    """The way in of a member whose connection was lost: nothing reaches it, and the log keeps all for it.

    ``leave`` is called when the member is told goodbye: nobody waits for its return any longer.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def send_notice(self, notices: list[str]) -> bool:
        """Take nothing."""
        return False

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show nothing."""
        return bool(batches)

    def deliver(self, delivery: Any) -> None:
        """Leave it in the log."""

    def on_stored(self, last: int) -> None:
        """The session knows."""

    def on_not_stored(self, why: str) -> None:
        """The session knows."""

    def on_error(self) -> None:
        """There is nothing to close."""

    def disconnect(self, why: str) -> None:
        """Have the member leave at once; nobody hears why."""
        self._leave()

    def on_room_changed(self) -> None:
        """Nobody hears it."""

    @property
    def idle_seconds(self) -> None:
        """Nobody is there."""
        return None

    @property
    def backlog(self) -> int:
        """What waits is in the log."""
        return 0
