"""What logs promise, wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

TEXT = "text"
ACTION = "action"
"""The kinds of messages: what somebody says, and what somebody does (``/me``)."""


@dataclass(frozen=True)
class MessageDraft:
    """Lines of one author that are to be stored together: ``text``, joined by LF, of one ``kind``.

    ``by`` is the author's number, which stays the same when the name changes.
    """

    by: int
    author: str
    kind: str
    text: str


class MessageBatch:
    """Lines of one author that are stored: ``text``, joined by LF, with the ids ``first`` to ``last``.

    ``at``: when they were stored, in seconds since 1970. ``kind``: `TEXT` or `ACTION`.
    ``by``: the author's number.
    """

    __slots__ = ("at", "author", "by", "first", "kind", "last", "text")

    def __init__(self, first: int, last: int, at: float, by: int, author: str, kind: str, text: str) -> None:
        self.first, self.last, self.at, self.by = first, last, at, by
        self.author, self.kind, self.text = author, kind, text

    @property
    def lines(self) -> int:
        """How many lines there are in it."""
        return self.last - self.first + 1

    def after(self, line: int) -> MessageBatch:
        """Return this batch without its lines up to the id ``line``, which is less than ``last``."""
        if line < self.first:
            return self
        text = self.text.split("\n", line - self.first + 1)[-1]
        return MessageBatch(line + 1, self.last, self.at, self.by, self.author, self.kind, text)

    def upto(self, line: int) -> MessageBatch:
        """Return this batch without its lines after the id ``line``, which is at least ``first``."""
        if line >= self.last:
            return self
        kept = self.text.split("\n", line - self.first + 1)[:-1]
        return MessageBatch(self.first, line, self.at, self.by, self.author, self.kind, "\n".join(kept))


@dataclass(frozen=True)
class SessionRecord:
    """What is kept of a session: all that survives its connections.

    ``number``: its author's number, which stands with what it says. ``digest``: a hash of its token, which
    itself is not kept. ``next``: the number of the line that is expected next; all before it are stored.
    ``room``: the key of the room it is in; ``seen``: the id up to which it has read there. ``heard``: when
    it was last heard of, in seconds since 1970. ``kicked``: what its client is still to be told because it
    was kicked, empty if it was not, or knows. ``nick``: the nickname that it took instead of ``name``, which
    its client asked for last; empty if it took none. ``ignoring``: the numbers of those it does not hear.
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
    """Something can't be stored, or what was stored can't be read; its text is one line that says why."""


class MessageLog(Protocol):
    """The lines of one room, in the one order that everybody sees.

    Ids count lines: the first that was ever stored has 1, and there are no holes. What is old may be
    forgotten, from the beginning on.
    """

    @property
    def last(self) -> int:
        """The id of the last line stored, 0 where there is none."""

    @property
    def forgotten(self) -> int:
        """The id up to which lines are not kept any more, 0 where all are."""

    @property
    def topic(self) -> str:
        """The topic of the room, as it was stored last; empty if there is none."""

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return what is kept of the lines after the id ``after``: one line at least if there is one.

        Not many more than ``size`` characters, of which there is one at least, are returned, in whole lines.
        """

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, or as many as are kept.

        With a ``size``, no more characters than that are returned, in whole lines, but one line at least.
        """


Drafts: TypeAlias = Sequence[tuple[MessageLog, Sequence[MessageDraft]]]
"""What is to be stored in which log. A log may stand there more than once."""


Topics: TypeAlias = Sequence[tuple[MessageLog, str]]
"""The new topics of rooms, by their logs, each of which stands there once."""


@dataclass(frozen=True)
class CommitGroup:
    """What is stored together, all of it or nothing: batches of logs, and sessions as they are after it.

    ``topics``: those that have changed.
    """

    batches: Sequence[tuple[MessageLog, list[MessageBatch]]]
    sessions: Sequence[SessionRecord]
    topics: Topics = ()


class LogStore(Protocol):
    """The logs of all rooms, and the sessions of those who write in them.

    Something is stored in three steps: `group` gives it ids, `write` makes it last, `settle` lets it be
    read. There is one group at a time between the first step and the last; if it can't be written, it is
    forgotten. `write` and `prune` may be called in another thread, one of them at a time; all else is for
    the thread that the logs were opened in.
    """

    @property
    def id(self) -> str:
        """A name that chance made with the logs: where it is another, ids and sessions mean nothing."""

    def new_number(self) -> int:
        """Return a number for an author, which no other has, nor ever had who is in one of the logs."""

    def open(self, room: str) -> MessageLog:
        """Return the log of the room with the key ``room``, an empty one where there is none."""

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has that ``digest``, None where there is none (any more)."""

    def hold(self, digest: bytes) -> bool:
        """Have the session with that ``digest`` kept, from now on or from when it is stored: it is in use.

        A session in use is never forgotten. Return False if as many are in use as can be.
        """

    def release(self, digest: bytes) -> None:
        """The session with that ``digest`` is not in use any more, if it was, and may be forgotten."""

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return ``drafts`` as batches, with ids and the time ``at``, and all else as it is: to be written.

        If a batch was given a later time before, by any of the logs, these get that one: in the order in
        which batches are stored their times never decrease, also if the clock was set back.
        """

    def write(self, group: CommitGroup) -> None:
        """Make ``group`` last; raise StorageError, and keep nothing of it, where that can't be done."""

    def publish(self, group: CommitGroup) -> None:
        """``group`` is written: let it be read."""

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Forget lines stored before ``lines_before``, unless that is None, and sessions unused for long.

        These are the ones last heard of before ``sessions_before``, and not in use. Return up to which id
        lines were forgotten, by room; raise StorageError.
        """

    def pruned(self, forgotten: Mapping[str, int]) -> None:
        """Those lines are forgotten: see to it that nobody reads them any more."""

    def close(self) -> None:
        """Let go of everything."""
