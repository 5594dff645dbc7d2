"""Logs in memory, all within one bound: what was stored first, in whichever room, is forgotten first."""

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
"""Bytes that logs may take, unless said otherwise."""

MAX_SESSIONS = 10_000
"""Sessions that are kept in memory, in use or not, unless said otherwise."""

MAX_ROOMS = 10_000
"""Rooms of which the last id is remembered, unless said otherwise, when all else is forgotten."""

_OVERHEAD = 400  # bytes that a batch takes besides its text: two objects, two floats, and its places in lists


class MemoryLogStore:
    """The logs of all rooms, which take ``keep`` bytes of memory together.

    See `techboy.storage.interface.LogStore`.
    Of ``sessions`` sessions, the one not in use that was used or stored longest ago is forgotten first. Where
    nobody holds the log of a room and nothing of it is kept, its ids go on where they ended, if it is one of
    the ``rooms`` in which something was said last, and else after the highest id of all others: no room gives
    an id twice. The topic of a room whose log nobody holds is remembered if it is one of the ``rooms`` last
    changed.
    """

    def __init__(
        self,
        keep: int = HISTORY_MEMORY,
        sessions: int = MAX_SESSIONS,
        rooms: int = MAX_ROOMS,
        id: str | None = None,  # noqa: A002 - `LogStore.id`, as the contract has it
    ) -> None:
        self.id = token_hex(8) if id is None else id
        self._memory = MemoryBudget(keep)
        self._logs: WeakValueDictionary[str, MemoryLog] = WeakValueDictionary()
        self._lasts: OrderedDict[str, int] = OrderedDict()
        self._topics: OrderedDict[str, str] = OrderedDict()
        self._most_rooms, self._highest = rooms, 0  # of all that are not in _lasts any more
        self._sessions = SessionTable(sessions)
        self._number, self._stamp = 0, 0.0

    def new_number(self) -> int:
        """Return a number that was not returned before."""
        self._number += 1
        return self._number

    def open(self, room: str) -> MemoryLog:
        """Return the log of ``room``: the same as long as somebody holds it, or something is kept of it."""
        log = self._logs.get(room)
        if log is None:
            log = MemoryLog(room, self._memory, self._lasts.get(room, self._highest))
            log.topic = self._topics.get(room, "")
            self._logs[room] = log
        return log

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has that ``digest``."""
        return self._sessions.get(digest)

    def hold(self, digest: bytes) -> bool:
        """Keep the session with that ``digest`` until `release`; return False if there is no room for it."""
        return self._sessions.hold(digest)

    def release(self, digest: bytes) -> None:
        """Forget the session with that ``digest`` when its turn comes."""
        self._sessions.release(digest)

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return ``drafts`` with their ids, and all else."""
        self._stamp = max(self._stamp, at)
        return CommitGroup(numbered(drafts, self._stamp), sessions, topics)

    def write(self, group: CommitGroup) -> None:
        """Do nothing: memory is not made to last."""

    def publish(self, group: CommitGroup) -> None:
        """Keep ``group``, and forget as much as is needed for it."""
        for log, batches in group.batches:
            if batches:
                self._settle(cast("MemoryLog", log), batches)
        for session in group.sessions:
            self._sessions.store(session)
        for log, topic in group.topics:
            self._retitle(cast("MemoryLog", log), topic)

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Forget what is old; of lines, up to the first that is not, in whichever room."""
        self._sessions.forget(sessions_before)
        return {} if lines_before is None else self._memory.stored_before(lines_before)

    def pruned(self, forgotten: Mapping[str, int]) -> None:
        """Give back what those lines took."""
        for room, line in forgotten.items():
            log = self._logs.get(room)
            if log is not None:
                log.forget(line)
        self._memory.recount()

    def close(self) -> None:
        """Do nothing: nothing is held but memory."""

    def _settle(self, log: MemoryLog, batches: Sequence[MessageBatch]) -> None:
        log.store(batches)
        self._lasts[log.room] = log.last
        self._lasts.move_to_end(log.room)
        if len(self._lasts) > self._most_rooms:
            _, last = self._lasts.popitem(last=False)
            self._highest = max(self._highest, last)

    def _retitle(self, log: MemoryLog, topic: str) -> None:
        log.topic = self._topics[log.room] = topic
        self._topics.move_to_end(log.room)
        if len(self._topics) > self._most_rooms:
            self._topics.popitem(last=False)


class SessionTable:
    """At most ``most`` sessions, in use or not. Those not in use make room for others, oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used: dict[bytes, SessionRecord | None] = {}
        self._unused: OrderedDict[bytes, SessionRecord] = OrderedDict()

    def get(self, digest: bytes) -> SessionRecord | None:
        """Return the session with that ``digest``."""
        return self._used.get(digest) or self._unused.get(digest)

    def hold(self, digest: bytes) -> bool:
        """Have the session with that ``digest``, stored or not yet, in use; return False if all are."""
        if digest not in self._used:
            if len(self._used) >= self._most:
                return False
            self._used[digest] = self._unused.pop(digest, None)
            self._make_room()
        return True

    def release(self, digest: bytes) -> None:
        """Have the session with that ``digest`` in use no more: it is the youngest of those that are not."""
        session = self._used.pop(digest, None)
        if session is not None:
            self._unused[digest] = session

    def store(self, session: SessionRecord) -> None:
        """Keep ``session`` as it is now."""
        if session.digest in self._used:
            self._used[session.digest] = session
        else:
            self._unused[session.digest] = session
            self._unused.move_to_end(session.digest)
            self._make_room()

    def forget(self, before: float) -> None:
        """Forget the sessions not in use that were last heard of before that time."""
        for session in list(self._unused.values()):  # a copy, as another thread may be storing
            if session.last_active < before:
                self._unused.pop(session.digest, None)

    def _make_room(self) -> None:
        while self._unused and len(self._used) + len(self._unused) > self._most:
            self._unused.popitem(last=False)


class MemoryLog:
    """The lines of one room, in memory, of which those up to the id ``last`` are forgotten already.

    See `techboy.storage.interface.MessageLog`.
    """

    __slots__ = (
        *("__weakref__", "_batches", "_firsts", "_memory", "_start"),
        *("forgotten", "last", "room", "topic"),
    )

    def __init__(self, room: str, memory: MemoryBudget, last: int = 0) -> None:
        self.room, self.topic = room, ""
        self.last = self.forgotten = last
        self._memory = memory
        self._batches: list[MessageBatch] = []
        self._firsts: list[int] = []
        self._start = 0  # where in these lists what is kept begins

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return about ``size`` characters of what comes after the id ``after``."""
        if after >= self.last:
            return []
        place = max(bisect_right(self._firsts, after + 1, self._start) - 1, self._start)
        return page_of(map(self._batches.__getitem__, range(place, len(self._batches))), after, size)

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, about ``size`` characters of them at most."""
        after = max(self.last - lines, self.forgotten)
        places = range(len(self._batches) - 1, self._start - 1, -1)
        return last_lines_of(map(self._batches.__getitem__, places), after, size)

    def store(self, batches: Sequence[MessageBatch]) -> None:
        """Keep ``batches``, one at least, whose ids go on from the last."""
        self._batches += batches
        self._firsts += [batch.first for batch in batches]
        self.last = batches[-1].last
        self._memory.stored(self, batches)

    def forget(self, line: int) -> None:
        """Forget the batches up to that with the id ``line``."""
        while self._start < len(self._batches) and self._batches[self._start].last <= line:
            self.forgotten = self._batches[self._start].last
            self._batches[self._start] = _FORGOTTEN
            self._start += 1
        if self._start * 2 > len(self._batches):
            del self._batches[: self._start], self._firsts[: self._start]
            self._start = 0


class MemoryBudget:
    """``keep`` bytes for what any number of logs keep: what was stored first is forgotten first."""

    def __init__(self, keep: int) -> None:
        self._keep, self._size = keep, 0
        self._order: deque[tuple[MemoryLog, MessageBatch]] = deque()

    def stored(self, log: MemoryLog, batches: Iterable[MessageBatch]) -> None:
        """``log`` keeps ``batches`` now: have as much forgotten as is needed, but not the last of them."""
        for batch in batches:
            self._order.append((log, batch))
            self._size += _size(batch)
        while self._size > self._keep and len(self._order) > 1:
            oldest, batch = self._order.popleft()
            oldest.forget(batch.last)
            self._size -= _size(batch)

    def stored_before(self, at: float) -> dict[str, int]:
        """Return, by room, up to which id lines come before the first that was stored at ``at`` or later."""
        lasts: dict[str, int] = {}
        for log, batch in list(self._order):  # a copy, as another thread may be storing
            if batch.at >= at:
                break
            lasts[log.room] = batch.last
        return lasts

    def recount(self) -> None:
        """See what is left where logs have forgotten something of themselves."""
        self._order = deque((log, batch) for log, batch in self._order if batch.last > log.forgotten)
        self._size = sum(_size(batch) for _, batch in self._order)


def numbered(drafts: Drafts, at: float) -> list[tuple[MessageLog, list[MessageBatch]]]:
    """Return ``drafts`` as batches stored at ``at``, with ids that go on from the last of each log."""
    lasts: dict[MessageLog, int] = {}
    stored = []
    for log, said in drafts:
        last = lasts.get(log, log.last)
        batches = []
        for draft in said:
            first, last = last + 1, last + 1 + draft.text.count("\n")
            batches.append(MessageBatch(first, last, at, draft.by, draft.author, draft.kind, draft.text))
        lasts[log] = last
        stored.append((log, batches))
    return stored


def page_of(batches: Iterable[MessageBatch], after: int, size: int) -> list[MessageBatch]:
    """Return a page as `techboy.storage.interface.MessageLog.read` does.

    ``batches`` end after the id ``after``.

    No more of them are taken than are needed.
    """
    read: list[MessageBatch] = []
    for batch in batches:
        piece = batch.after(after)
        if len(piece.text) > size:
            piece = piece.upto(piece.first + piece.text.count("\n", 0, size))
        read.append(piece)
        size -= len(piece.text) + 1
        if size <= 0 or piece.last != batch.last:
            break
    return read


def last_lines_of(newest_first: Iterable[MessageBatch], after: int, size: int | None) -> list[MessageBatch]:
    """Return what `techboy.storage.interface.MessageLog.tail` does, of batches that end with the last.

    No more of them are taken than are needed.
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
    """Return the last lines of ``batch`` that have ``size`` characters together, None if one has more."""
    cut = batch.text.find("\n", len(batch.text) - size - 1)
    return None if cut < 0 else batch.after(batch.first + batch.text.count("\n", 0, cut))


def _size(batch: MessageBatch) -> int:
    return getsizeof(batch.text) + _OVERHEAD


_FORGOTTEN = MessageBatch(0, 0, 0.0, 0, "", "", "")
