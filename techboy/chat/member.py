"""A member of the server, independent of the protocol of its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from techboy.chat.isolation import Fallible
from techboy.chat.room import Room
from techboy.chat.session import Session
from techboy.storage.interface import MessageBatch, StorageError

STORING_FAILS = "the server cannot store messages now"
READING_FAILS = "the server cannot read its history now"
"""Sent to clients instead of the text of a storage error, which names files of the server."""


MAX_REMEMBERED_ROOMS = 16
"""Number of rooms that a member left whose offsets are remembered."""


class MemberConnection(Fallible, Protocol):
    """The connection of one member, as the chat server uses it."""

    def send_notice(self, notices: list[str]) -> bool:
        """Send lines about the server or the room; return False if the connection takes no more now."""

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Send earlier messages, marked as history; return False if the connection takes no more now."""

    def deliver(self, delivery: Any) -> None:
        """Send what is new in the room, as the broker has prepared it, or leave it in the log for later."""

    def on_stored(self, last: int) -> None:
        """Acknowledge: all messages of the member so far are stored, with ids up to ``last``."""

    def on_not_stored(self, why: str) -> None:
        """Report that the messages of the member that are not acknowledged will not be stored."""

    def disconnect(self, why: str) -> None:
        """Send the messages that wait, then ``why``, and close the connection."""

    def on_room_changed(self) -> None:
        """Continue with the messages of the room in which the member is now."""

    @property
    def idle_seconds(self) -> float | None:
        """Seconds since something was received from the member; None if it is not connected."""

    @property
    def backlog(self) -> int:
        """The number of lines that wait to be sent to the member."""


class Member:
    """A member of the server.

    ``number``: identifies the member, also after a change of nickname. ``is_operator``: may use all commands.
    ``default_name``: the nickname that the server assigned, reserved for this member; empty if the client
    chose one. ``away``: the away message, None if the member is not away. ``absent``: the connection was
    lost, and the session may be resumed. ``ignoring``: numbers of the members it ignores. ``reply_to``: the
    number of the member that last sent it a private message. ``session``: what survives the connection, None
    if its protocol has no sessions. ``pending_chars``: characters of its messages that are not stored yet.
    ``hidden``: it only sends, and is neither listed nor announced. ``joined_at``: seconds since 1970.
    ``since``: the id in its room after which it is sent the history. ``left``: the offsets at which it left
    other rooms, by their keys, of `MAX_REMEMBERED_ROOMS` rooms at most.
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
        """Remember the member's offset in its room, which it leaves."""
        self.left[self.room.name.lower()] = self.room.log.last - self.connection.backlog
        if len(self.left) > MAX_REMEMBERED_ROOMS:
            del self.left[next(iter(self.left))]

    def describe_error(self, error: StorageError, sentence: str) -> str:
        """Return the text of ``error`` for the operator, and ``sentence`` for every other member."""
        return str(error) if self.is_operator else sentence

    def ignore(self, numbers: frozenset[int]) -> None:
        """Set the members to ignore, by their ``numbers``."""
        self.ignoring = numbers
        if self.session is not None:
            self.session.ignoring = numbers

    def rename(self, name: str) -> None:
        """Set the nickname to ``name``, also in the session."""
        self.name = name
        if self.session is not None:
            self.session.nick = "" if name == self.default_name else name


class DetachedConnection:
    """The connection of a member whose real one was lost: it sends nothing, and messages stay in the log.

    ``leave`` is called if the member is disconnected: its session is then no longer waited for.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def send_notice(self, notices: list[str]) -> bool:
        """Return False: nothing is sent."""
        return False

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Send nothing; return whether there are any ``batches``."""
        return bool(batches)

    def deliver(self, delivery: Any) -> None:
        """Leave the messages in the log."""

    def on_stored(self, last: int) -> None:
        """Do nothing: the session has the number of the next line."""

    def on_not_stored(self, why: str) -> None:
        """Do nothing: the session has the number of the next line."""

    def on_error(self) -> None:
        """Do nothing: there is no connection to close."""

    def disconnect(self, why: str) -> None:
        """Have the member leave at once, without sending ``why``."""
        self._leave()

    def on_room_changed(self) -> None:
        """Do nothing."""

    @property
    def idle_seconds(self) -> None:
        """None: the member is not connected."""
        return None

    @property
    def backlog(self) -> int:
        """0: nothing waits to be sent while the member is not connected."""
        return 0
