"""Message logs in memory, with one limit for all: the oldest messages, of any room, are deleted first."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from sys import getsizeof
from typing import cast
from weakref import WeakValueDictionary

from techboy.storage.interface import CommitGroup, Drafts, MessageBatch, MessageLog, SessionRecord, Topics

HISTORY_MEMORY = 16 * 1024 * 1024
"""Default memory limit of the logs, in bytes."""

MAX_SESSIONS = 10_000
"""Default limit of sessions in memory, in use or not."""

MAX_ROOMS = 10_000
"""Default limit of rooms without messages whose last id is remembered."""

_OVERHEAD = 400  # bytes that a batch takes besides its text: objects, numbers and entries in lists


class MemoryLogStore:
    """The logs of all rooms, in at most ``history_memory`` bytes of memory.

    See `techboy.storage.interface.LogStore`. ``max_sessions``: if there are more sessions, the least recently
    used or stored one that is not in use is deleted. ``max_rooms``: the store remembers the last ids of so
    many rooms with the latest messages. A room that is not among them, and whose log is empty and not open,
    continues after the highest id of all such rooms, so that no room uses an id twice. Likewise the store
    remembers the topics that were changed last.
    """

    def __init__(
        self,
        history_memory: int = HISTORY_MEMORY,
        max_sessions: int = MAX_SESSIONS,
        max_rooms: int = MAX_ROOMS,
        id: str | None = None,  # noqa: A002 - named like `LogStore.id`
    ) -> None:
        self.id = token_hex(8) if id is None else id
        self._budget = MemoryBudget(history_memory)
        self._logs: WeakValueDictionary[str, MemoryLog] = WeakValueDictionary()
        self._last_ids: OrderedDict[str, int] = OrderedDict()
        self._topics: OrderedDict[str, str] = OrderedDict()
        self._max_rooms, self._highest = max_rooms, 0  # of all rooms that were dropped from _last_ids
        self._sessions = SessionTable(max_sessions)
        self._number, self._latest_time = 0, 0.0

    def new_number(self) -> int:
        """Return a number that was not returned before."""
        self._number += 1
        return self._number

    def open(self, room: str) -> MemoryLog:
        """Return the log of ``room``: the same one while it is referenced or has messages."""
        log = self._logs.get(room)
        if log is None:
            log = MemoryLog(room, self._budget, self._last_ids.get(room, self._highest))
            log.topic = self._topics.get(room, "")
            self._logs[room] = log
        return log

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has the hash ``digest``."""
        return self._sessions.get(digest)

    def hold(self, digest: bytes) -> bool:
        """Mark the session with the hash ``digest`` as in use; return False if all sessions are in use."""
        return self._sessions.hold(digest)

    def release(self, digest: bytes) -> None:
        """Mark the session with the hash ``digest`` as not in use."""
        self._sessions.release(digest)

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return a group of ``drafts`` with their ids, ``sessions`` and ``topics``."""
        self._latest_time = max(self._latest_time, at)
        return CommitGroup(numbered(drafts, self._latest_time), sessions, topics)

    def write(self, group: CommitGroup) -> None:
        """Do nothing: memory is not durable."""

    def publish(self, group: CommitGroup) -> None:
        """Store ``group``, and delete old messages if the limit requires it."""
        for log, batches in group.batches:
            if batches:
                self._store(cast("MemoryLog", log), batches)
        for session in group.sessions:
            self._sessions.store(session)
        for log, topic in group.topics:
            self._store_topic(cast("MemoryLog", log), topic)

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Delete old sessions, and return which lines to delete: all before the first that is not old."""
        self._sessions.delete_before(sessions_before)
        return {} if lines_before is None else self._budget.stored_before(lines_before)

    def apply_pruning(self, deleted: Mapping[str, int]) -> None:
        """Delete the lines, and release their memory."""
        for room, line in deleted.items():
            log = self._logs.get(room)
            if log is not None:
                log.drop_through(line)
        self._budget.recount()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _store(self, log: MemoryLog, batches: Sequence[MessageBatch]) -> None:
        log.store(batches)
        self._last_ids[log.room] = log.last
        self._last_ids.move_to_end(log.room)
        if len(self._last_ids) > self._max_rooms:
            _, last = self._last_ids.popitem(last=False)
            self._highest = max(self._highest, last)

    def _store_topic(self, log: MemoryLog, topic: str) -> None:
        log.topic = self._topics[log.room] = topic
        self._topics.move_to_end(log.room)
        if len(self._topics) > self._max_rooms:
            self._topics.popitem(last=False)


class SessionTable:
    """At most ``limit`` sessions, in use or not. If it is full, the oldest that is not in use is deleted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[bytes, SessionRecord | None] = {}
        self._unused: OrderedDict[bytes, SessionRecord] = OrderedDict()

    def get(self, digest: bytes) -> SessionRecord | None:
        """Return the session with the hash ``digest``, None if it is not stored."""
        return self._used.get(digest) or self._unused.get(digest)

    def hold(self, digest: bytes) -> bool:
        """Mark the session with the hash ``digest``, stored or not, as in use; return False if all are."""
        if digest not in self._used:
            if len(self._used) >= self._limit:
                return False
            self._used[digest] = self._unused.pop(digest, None)
            self._enforce_limit()
        return True

    def release(self, digest: bytes) -> None:
        """Mark the session with the hash ``digest`` as not in use, and the latest of those."""
        session = self._used.pop(digest, None)
        if session is not None:
            self._unused[digest] = session

    def store(self, session: SessionRecord) -> None:
        """Store ``session``, replacing an earlier record of it."""
        if session.digest in self._used:
            self._used[session.digest] = session
        else:
            self._unused[session.digest] = session
            self._unused.move_to_end(session.digest)
            self._enforce_limit()

    def delete_before(self, time: float) -> None:
        """Delete the sessions not in use that were last active before ``time``."""
        for session in list(self._unused.values()):  # a copy, as another thread may be storing
            if session.last_active < time:
                self._unused.pop(session.digest, None)

    def _enforce_limit(self) -> None:
        while self._unused and len(self._used) + len(self._unused) > self._limit:
            self._unused.popitem(last=False)


class MemoryLog:
    """The lines of one room, in memory. Lines up to the initial ``last`` count as deleted.

    See `techboy.storage.interface.MessageLog`.
    """

    __slots__ = (
        *("__weakref__", "_batches", "_budget", "_firsts", "_start"),
        *("deleted_through", "last", "room", "topic"),
    )

    def __init__(self, room: str, budget: MemoryBudget, last: int = 0) -> None:
        self.room, self.topic = room, ""
        self.last = self.deleted_through = last
        self._budget = budget
        self._batches: list[MessageBatch] = []
        self._firsts: list[int] = []
        self._start = 0  # the index in these lists of the first batch that is not deleted

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return the lines after the id ``after``, about ``size`` characters."""
        if after >= self.last:
            return []
        index = max(bisect_right(self._firsts, after + 1, self._start) - 1, self._start)
        return page_of(map(self._batches.__getitem__, range(index, len(self._batches))), after, size)

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, at most ``size`` characters."""
        after = max(self.last - lines, self.deleted_through)
        indices = range(len(self._batches) - 1, self._start - 1, -1)
        return last_lines_of(map(self._batches.__getitem__, indices), after, size)

    def store(self, batches: Sequence[MessageBatch]) -> None:
        """Append ``batches``, at least one, whose ids follow the last."""
        self._batches += batches
        self._firsts += [batch.first for batch in batches]
        self.last = batches[-1].last
        self._budget.add(self, batches)

    def drop_through(self, line: int) -> None:
        """Delete the batches up to the one that ends with the id ``line``."""
        while self._start < len(self._batches) and self._batches[self._start].last <= line:
            self.deleted_through = self._batches[self._start].last
            self._batches[self._start] = _DELETED
            self._start += 1
        if self._start * 2 > len(self._batches):
            del self._batches[: self._start], self._firsts[: self._start]
            self._start = 0


class MemoryBudget:
    """A limit of ``limit`` bytes for the batches of several logs: the oldest batch is deleted first."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._order: deque[tuple[MemoryLog, MessageBatch]] = deque()

    def add(self, log: MemoryLog, batches: Iterable[MessageBatch]) -> None:
        """Count new ``batches`` of ``log``; delete the oldest over the limit, but never the newest."""
        for batch in batches:
            self._order.append((log, batch))
            self._size += _size(batch)
        while self._size > self._limit and len(self._order) > 1:
            oldest, batch = self._order.popleft()
            oldest.drop_through(batch.last)
            self._size -= _size(batch)

    def stored_before(self, at: float) -> dict[str, int]:
        """Return the id of each room's last line before the first line, of any room, stored since ``at``."""
        lasts: dict[str, int] = {}
        for log, batch in list(self._order):  # a copy, as another thread may be storing
            if batch.at >= at:
                break
            lasts[log.room] = batch.last
        return lasts

    def recount(self) -> None:
        """Count again, after logs have deleted batches."""
        self._order = deque((log, batch) for log, batch in self._order if batch.last > log.deleted_through)
        self._size = sum(_size(batch) for _, batch in self._order)


def numbered(drafts: Drafts, at: float) -> list[tuple[MessageLog, list[MessageBatch]]]:
    """Return ``drafts`` as batches with the time ``at``, and ids that follow the last of each log."""
    lasts: dict[MessageLog, int] = {}
    stored = []
    for log, log_drafts in drafts:
        last = lasts.get(log, log.last)
        batches = []
        for draft in log_drafts:
            first, last = last + 1, last + 1 + draft.text.count("\n")
            batches.append(MessageBatch(first, last, at, draft.by, draft.author, draft.kind, draft.text))
        lasts[log] = last
        stored.append((log, batches))
    return stored


def page_of(batches: Iterable[MessageBatch], after: int, size: int) -> list[MessageBatch]:
    """Return a page of ``batches``, the first of which ends after the id ``after``.

    See `techboy.storage.interface.MessageLog.read`. No more batches are taken than are needed.
    """
    page: list[MessageBatch] = []
    for batch in batches:
        piece = batch.after(after)
        if len(piece.text) > size:
            piece = piece.through(piece.first + piece.text.count("\n", 0, size))
        page.append(piece)
        size -= len(piece.text) + 1
        if size <= 0 or piece.last != batch.last:
            break
    return page


def last_lines_of(newest_first: Iterable[MessageBatch], after: int, size: int | None) -> list[MessageBatch]:
    """Return the lines after the id ``after``, from the last backwards, at most ``size`` characters.

    See `techboy.storage.interface.MessageLog.read_last`. No more batches are taken than are needed.
    """
    tail: list[MessageBatch] = []
    for batch in newest_first:
        if batch.last <= after:
            break
        piece = batch.after(after)
        if size is not None and len(piece.text) > size:
            rest = _last_lines(piece, size)
            if rest is not None or not tail:
                tail.append(rest or piece.after(piece.last - 1))
            break
        tail.append(piece)
        if size is not None:
            size -= len(piece.text) + 1
        if batch.first <= after + 1 or (size is not None and size <= 0):
            break
    return tail[::-1]


def _last_lines(batch: MessageBatch, size: int) -> MessageBatch | None:
    """Return the last lines of ``batch``, at most ``size`` characters; None if the last line has more."""
    cut = batch.text.find("\n", len(batch.text) - size - 1)
    return None if cut < 0 else batch.after(batch.first + batch.text.count("\n", 0, cut))


def _size(batch: MessageBatch) -> int:
    return getsizeof(batch.text) + _OVERHEAD


_DELETED = MessageBatch(0, 0, 0.0, 0, "", "", "")
