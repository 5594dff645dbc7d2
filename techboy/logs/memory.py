"""Logs in memory, all within one bound: what was stored first, in whichever room, is forgotten first."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from sys import getsizeof

from techboy.logs.contract import Batch, Draft

KEEP_MEMORY = 16 * 1024 * 1024
"""Bytes that logs may take, unless said otherwise."""

_OVERHEAD = 400  # bytes that a batch takes besides its text: two objects, two floats, and its places in lists


class MemoryLogs:
    """The logs of all rooms, which take ``keep`` bytes of memory together."""

    def __init__(self, keep: int = KEEP_MEMORY) -> None:
        self._keep, self._size = keep, 0
        self._order: deque[tuple[MemoryLog, int]] = deque()

    def open(self) -> MemoryLog:
        """Return a new, empty log."""
        return MemoryLog(self)

    def stored(self, log: MemoryLog, size: int) -> None:
        """A batch of ``size`` bytes was stored in ``log``: forget as much as is needed for it."""
        self._order.append((log, size))
        self._size += size
        while self._size > self._keep and len(self._order) > 1:
            oldest, freed = self._order.popleft()
            oldest.forget_first()
            self._size -= freed


class MemoryLog:
    """The lines of one room, in memory. See `techboy.logs.contract.Log`."""

    def __init__(self, logs: MemoryLogs) -> None:
        self.last = self.forgotten = 0
        self._logs = logs
        self._batches: list[Batch] = []
        self._firsts: list[int] = []
        self._start = 0  # where in these lists what is kept begins

    def append(self, drafts: Sequence[Draft], at: float) -> list[Batch]:
        """Store ``drafts``."""
        return [self._append(draft, at) for draft in drafts]

    def read(self, after: int, size: int) -> list[Batch]:
        """Return about ``size`` characters of what comes after the id ``after``."""
        if after >= self.last:
            return []
        place = max(bisect_right(self._firsts, after + 1, self._start) - 1, self._start)
        batches: list[Batch] = []
        while size > 0 and place < len(self._batches):
            batch = self._batches[place].after(after)
            if len(batch.text) > size:
                batch = batch.upto(batch.first + batch.text.count("\n", 0, size))
            batches.append(batch)
            if batch.last != self._batches[place].last:
                break
            size -= len(batch.text) + 1
            place += 1
        return batches

    def tail(self, lines: int) -> list[Batch]:
        """Return the last ``lines`` lines."""
        batches: list[Batch] = []
        place, after = len(self._batches), max(self.last - lines, self.forgotten)
        while place > self._start and self._batches[place - 1].last > after:
            place -= 1
            batches.append(self._batches[place].after(after))
        return batches[::-1]

    def forget_first(self) -> None:
        """Forget the batch that was stored first."""
        self.forgotten = self._batches[self._start].last
        self._batches[self._start] = _FORGOTTEN
        self._start += 1
        if self._start * 2 > len(self._batches):
            del self._batches[: self._start], self._firsts[: self._start]
            self._start = 0

    def _append(self, draft: Draft, at: float) -> Batch:
        first = self.last + 1
        self.last += draft.text.count("\n") + 1
        batch = Batch(first, self.last, at, draft.by, draft.author, draft.kind, draft.text)
        self._batches.append(batch)
        self._firsts.append(first)
        self._logs.stored(self, getsizeof(draft.text) + _OVERHEAD)
        return batch


_FORGOTTEN = Batch(0, 0, 0.0, 0, "", "", "")
