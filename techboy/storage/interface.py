"""The interface of message logs, and the records that they store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

TEXT = "text"
ACTION = "action"
"""The kinds of messages: text, and an action (``/me``)."""


@dataclass(frozen=True)
class MessageDraft:
    """Lines of one author that are to be stored together: ``text``, joined by LF, of one ``kind``.

    ``by``: the author's number, which a change of nickname does not change.
    """

    by: int
    author: str
    kind: str
    text: str


class MessageBatch:
    """Stored lines of one author: ``text``, joined by LF, with the ids ``first`` to ``last``.

    ``at``: the time at which they were stored, in seconds since 1970. ``kind``: `TEXT` or `ACTION`.
    ``by``: the author's number.
    """

    __slots__ = ("at", "author", "by", "first", "kind", "last", "text")

    def __init__(self, first: int, last: int, at: float, by: int, author: str, kind: str, text: str) -> None:
        self.first, self.last, self.at, self.by = first, last, at, by
        self.author, self.kind, self.text = author, kind, text

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.last - self.first + 1

    def after(self, line: int) -> MessageBatch:
        """Return the lines of this batch after the id ``line``, which is less than ``last``."""
        if line < self.first:
            return self
        text = self.text.split("\n", line - self.first + 1)[-1]
        return MessageBatch(line + 1, self.last, self.at, self.by, self.author, self.kind, text)

    def through(self, line: int) -> MessageBatch:
        """Return the lines of this batch up to the id ``line``, which is at least ``first``."""
        if line >= self.last:
            return self
        kept = self.text.split("\n", line - self.first + 1)[:-1]
        return MessageBatch(self.first, line, self.at, self.by, self.author, self.kind, "\n".join(kept))


@dataclass(frozen=True)
class SessionRecord:
    """The stored state of a session.

    ``number``: the number of its member, which is stored with the messages. ``digest``: the hash of its
    token, which itself is not stored. ``name``: the nickname that its client last asked for. ``next``: the
    number of the line that is expected next; all lines before it are stored. ``room``: the key of its room.
    ``seen``: its offset there. ``last_active``: when the client was last connected, in seconds since 1970.
    ``kicked``: the farewell of a kick that the client has not been sent yet, or empty. ``nick``: the nickname
    that it took instead of ``name``, or empty. ``ignoring``: the numbers of the members it ignores.
    """

    number: int
    digest: bytes
    name: str
    next: int
    room: str
    seen: int
    last_active: float
    kicked: str = ""
    nick: str = ""
    ignoring: frozenset[int] = frozenset()


class StorageError(Exception):
    """Messages or sessions cannot be stored or read; the text is one line that says why."""


class MessageLog(Protocol):
    """The lines of one room, in the order in which all members see them.

    Ids count lines: the first line ever stored has the id 1, and there are no gaps. Old lines may be deleted,
    the oldest first.
    """

    @property
    def last(self) -> int:
        """The id of the last line stored, 0 if there is none."""

    @property
    def deleted_through(self) -> int:
        """The id of the last line that was deleted, 0 if none was."""

    @property
    def topic(self) -> str:
        """The stored topic of the room; empty if there is none."""

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return the lines after the id ``after`` that are not deleted, at least one if there is one.

        The result has about ``size`` characters (at least 1), in whole lines.
        """

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, or as many as are not deleted.

        With a ``size``, the result has at most so many characters, in whole lines, but at least one line.
        """


Drafts: TypeAlias = Sequence[tuple[MessageLog, Sequence[MessageDraft]]]
"""Drafts with the log to store them in. A log may occur more than once."""


Topics: TypeAlias = Sequence[tuple[MessageLog, str]]
"""The new topics of rooms, with their logs. A log occurs at most once."""


@dataclass(frozen=True)
class CommitGroup:
    """What is stored in one transaction: batches of messages, sessions, and changed topics."""

    batches: Sequence[tuple[MessageLog, list[MessageBatch]]]
    sessions: Sequence[SessionRecord]
    topics: Topics = ()


class LogStore(Protocol):
    """The logs of all rooms, and the sessions of their members.

    Storing takes three steps: `group` assigns ids, `write` makes the group durable, `publish` lets it be
    read. Only one group may be between the first and the last step; if `write` fails, the group is dropped.
    `write` and `prune` may be called in another thread, one of them at a time; everything else only in the
    thread that opened the store.
    """

    @property
    def id(self) -> str:
        """A random name of this store. Ids and sessions of a store with another name are meaningless here."""

    def new_number(self) -> int:
        """Return a number for a member that was never used by a member with messages in the logs."""

    def open(self, room: str) -> MessageLog:
        """Return the log of the room with the key ``room``, an empty one if there is none."""

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has the hash ``digest``, None if it is not stored."""

    def hold(self, digest: bytes) -> bool:
        """Mark the session with the hash ``digest``, also one that is not stored yet, as in use.

        A session in use is never deleted. Return False if the limit of sessions in use is reached.
        """

    def release(self, digest: bytes) -> None:
        """Mark the session with the hash ``digest`` as not in use: it may be deleted."""

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return a group to write, of ``drafts`` with ids and the time ``at``, ``sessions`` and ``topics``.

        If an earlier batch, of any log, has a later time, the new batches get that time. So times never
        decrease in the order in which batches are stored, also if the clock was set back.
        """

    def write(self, group: CommitGroup) -> None:
        """Make ``group`` durable; raise StorageError, and store nothing of it, if that fails."""

    def publish(self, group: CommitGroup) -> None:
        """Let ``group``, which was written, be read."""

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Delete lines stored before ``lines_before`` (none if that is None), and old sessions.

        Old sessions are those not in use that were last active before ``sessions_before``. Return the id of
        the last line deleted, by room; raise StorageError, and delete nothing, if that fails.
        """

    def apply_pruning(self, deleted: Mapping[str, int]) -> None:
        """Stop reading the lines that `prune` deleted: ``deleted`` is its result."""

    def close(self) -> None:
        """Close the store."""
