"""Bytes that are written in a thread of their own, so that the program never waits for what takes them.

A pipe that nobody reads, a halted terminal and a disk that does not answer stop any thread that writes to
them. ``O_NONBLOCK`` does not help: it belongs to the open file description, which other processes share, and
does nothing for files on a disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue
from threading import Event, RLock, Thread
from typing import Protocol, TypeAlias

LIMIT = 256 * 1024
"""Bytes that wait at most, unless another number is given."""

TOGETHER = 4096
"""Bytes of several pieces that are written together at most, unless another number is given.

So much gets into a pipe as a whole (PIPE_BUF), and is not torn by others who write to it.
"""

LEAST = 0.05
"""Seconds in which a writer at the end can show that it is not stuck, however much time others took."""

FULL = "too much waits to be written"
"""Why a piece is dropped that finds no room."""

Item: TypeAlias = bytes | Callable[[], None] | None
"""A piece, or what is done in between; None ends the thread."""

Call: TypeAlias = Callable[[Callable[[], None]], object]
"""Calls what it is given, now or soon, as `reactor.callFromThread` does."""


class WriteError(Exception):
    """Not all could be written, for a reason of one line: no more than the first ``written`` bytes."""

    def __init__(self, why: str, written: int) -> None:
        super().__init__(why)
        self.written = written


class Losses(Protocol):
    """What is told how much could not be written."""

    def failed(self, why: str, count: int) -> None:
        """So much was not written."""

    def worked(self) -> None:
        """After a failure, all that waited is written."""


class WriterPhase(Enum):
    """What becomes of a piece."""

    OPEN = auto()  # it is written soon
    FINISHING = auto()  # it is waited for, until a deadline
    STUCK = auto()  # the deadline is over, and not all was written: nothing is waited for any more
    CLOSED = auto()  # it is ignored


class BoundedWriter:
    """Writes pieces of bytes with ``sink`` in a daemon thread, in their order.

    ``sink`` writes all that it is given, however long that takes, or raises WriteError: a piece, or several
    that are no more than ``together`` bytes, as a thread gets little time beside one that is busy. At most
    ``limit`` bytes wait, or one piece if it is larger; a piece that finds no room is dropped as a whole.
    ``losses`` is told how much was dropped or refused, which ``count`` returns for a piece, or for the rest
    of one. All methods return at once, unless they say that they wait, and may be called in any thread, and
    in a signal handler (a piece dropped there may go uncounted if it interrupts another call).
    """

    def __init__(
        self,
        sink: Callable[[bytes], None],
        losses: Losses,
        count: Callable[[bytes], int] = lambda data: 1,
        limit: int = LIMIT,
        together: int = TOGETHER,
    ) -> None:
        self._sink, self._losses, self._count = sink, losses, count
        self._limit, self._together = limit, together
        # its `put` is reentrant: Twisted's signal handlers write to the log
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._lock = RLock()
        self._thread: Thread | None = None
        self._phase, self._deadline = WriterPhase.OPEN, 0.0
        self._accepted = self._handled = 0
        self._failing = self._over = self._telling = False
        self._lost, self._why = 0, ""
        self._call: Call = _now

    def report_by(self, call: Call) -> None:
        """Let ``call`` decide when, and in which thread, it is told how something went: here at once."""
        self._call = call

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return self._accepted - self._handled

    @property
    def idle(self) -> bool:
        """Whether all is written, as far as is known."""
        return not self._failing and self.waiting <= 0

    def write(self, data: bytes) -> None:
        """Write ``data`` soon, or drop it. While finishing: wait until it is written, as `finish` says."""
        if self._phase is WriterPhase.CLOSED:
            return
        with self._lock:
            waiting = self.waiting
            if waiting <= 0 or waiting + len(data) <= self._limit:
                self._accepted += len(data)
                self._put(data)
            else:
                self._lose(FULL, self._count(data))
        if self._phase is WriterPhase.FINISHING:
            self._await_all()

    def run(self, work: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        """Do ``work`` when all before it is written; then ``done`` is told the OSError that it raised."""

        def worked() -> None:
            error = None
            try:
                work()
            except OSError as refused:
                error = refused
            self._call(lambda: done(error))

        self._put(worked)

    def settle(self, seconds: float) -> bool:
        """Wait until all is written, for so many seconds at most; return whether it is."""
        if seconds <= 0:
            return False
        written = Event()
        self._put(written.set)
        return written.wait(seconds)

    def finish(self, deadline: float) -> None:
        """Wait until all is written, and from now on after each piece, but no longer than ``deadline``.

        That is a moment of `time.monotonic`. What is to be told is told in the thread that waits.
        """
        if self._phase is WriterPhase.OPEN:
            self._phase, self._deadline, self._call = WriterPhase.FINISHING, deadline, _never
            self._await_all()

    def close(self) -> None:
        """Write what waits, and nothing after it; the thread ends then."""
        if self._phase is not WriterPhase.CLOSED:
            self._phase = WriterPhase.CLOSED
            self._put(None)

    def _put(self, item: Item) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="techboy-writer", daemon=True)
                self._thread.start()
        self._items.put(item)

    def _await_all(self) -> None:
        if self._phase is WriterPhase.FINISHING and not self.settle(
            max(self._deadline - time.monotonic(), LEAST)
        ):
            self._phase = WriterPhase.STUCK
        self._tell()

    # in the thread

    def _run(self) -> None:
        item = self._items.get()
        while item is not None:
            if isinstance(item, bytes):
                item = self._write_from(item)
            else:
                item()
                item = self._items.get()

    def _write_from(self, piece: bytes) -> Item:
        """Write ``piece`` and what may be written with it; return what comes next."""
        pieces, size = [piece], len(piece)
        while isinstance(item := self._following(), bytes) and size + len(item) <= self._together:
            pieces.append(item)
            size += len(item)
        self._write(pieces, size)
        return item

    def _following(self) -> Item:
        return _nothing if self._items.empty() else self._items.get()

    def _write(self, pieces: list[bytes], size: int) -> None:
        try:
            self._sink(b"".join(pieces))
        except WriteError as refused:
            self._handle(size)
            self._lose(str(refused), self._count_after(pieces, refused.written))
        else:
            self._handle(size)
            if self._failing and self.waiting <= 0:
                self._recover()

    def _handle(self, size: int) -> None:
        with self._lock:
            self._handled += size

    def _count_after(self, pieces: list[bytes], written: int) -> int:
        """Return how much of ``pieces`` comes after so many bytes."""
        lost = 0
        for piece in pieces:
            if written < len(piece):
                lost += self._count(piece[written:])
            written = max(0, written - len(piece))
        return lost

    # what went wrong, and that it does not any more

    def _lose(self, why: str, count: int) -> None:
        with self._lock:
            self._failing, self._over = True, False
            self._lost, self._why = self._lost + count, why
        self._tell_soon()

    def _recover(self) -> None:
        with self._lock:
            self._failing, self._over = False, True
        self._tell_soon()

    def _tell_soon(self) -> None:
        with self._lock:
            telling, self._telling = self._telling, True
        if not telling:
            self._call(self._tell)

    def _tell(self) -> None:
        with self._lock:
            self._telling = False
            lost, self._lost = self._lost, 0
            over, self._over = self._over, False
        if lost:
            self._losses.failed(self._why, lost)
        if over:
            self._losses.worked()


def _nothing() -> None:
    """Nothing is to be done for now."""


def _now(call: Callable[[], None]) -> None:
    call()


def _never(call: Callable[[], None]) -> None:
    """Let whoever waits ask for it."""
