"""Writing in a background thread, so that the program never blocks on a pipe, terminal or disk.

A pipe that nobody reads, a stopped terminal and a disk that does not answer block every thread that writes to
them. ``O_NONBLOCK`` does not help: it belongs to the open file description, which other processes share, and
has no effect on regular files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue
from threading import Event, RLock, Thread
from typing import Protocol, TypeAlias

LIMIT = 256 * 1024
"""Default limit of bytes that wait to be written."""

TOGETHER = 4096
"""Default limit of bytes of several pieces that are written together.

A write to a pipe of up to so many bytes is atomic (PIPE_BUF): other writers cannot interleave with it.
"""

LEAST = 0.05
"""Shortest time in seconds to wait for a writer at the end, even if the deadline has passed."""

FULL = "too much waits to be written"
"""The reason for dropping a piece over the limit."""

Item: TypeAlias = bytes | Callable[[], None] | None
"""A piece, or a function to call between pieces; None ends the thread."""

Call: TypeAlias = Callable[[Callable[[], None]], object]
"""Calls a function now or soon, like `reactor.callFromThread`."""


class WriteError(Exception):
    """Writing failed, for a reason of one line, after the first ``written`` bytes."""

    def __init__(self, why: str, written: int) -> None:
        super().__init__(why)
        self.written = written


class Losses(Protocol):
    """Receives reports about data that could not be written."""

    def failed(self, why: str, count: int) -> None:
        """Report that ``count`` units were not written."""

    def worked(self) -> None:
        """Report that, after a failure, everything that waited is written."""


class WriterPhase(Enum):
    """The phases of a writer."""

    OPEN = auto()  # pieces are written soon
    FINISHING = auto()  # `write` waits until the piece is written, up to a deadline
    STUCK = auto()  # the deadline has passed, and not everything was written: `write` does not wait
    CLOSED = auto()  # pieces are ignored


class BoundedWriter:
    """Writes pieces of bytes with ``sink`` in a daemon thread, in order.

    ``sink`` writes all bytes of its argument, however long that takes, or raises WriteError. The argument is
    one piece, or several of at most ``together`` bytes, as a thread gets little time beside a busy one. At
    most ``limit`` bytes wait, or one larger piece; a piece over the limit is dropped as a whole. ``losses``
    receives the amount that was dropped or failed, in the units that ``count`` returns for a piece or the
    rest of one. Methods that do not say that they wait return at once. All may be called in any thread, and
    in a signal handler (a piece that is dropped there may not be counted if it interrupts another call).
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
        # a SimpleQueue, as its `put` is reentrant: Twisted's signal handlers write to the log
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._lock = RLock()
        self._thread: Thread | None = None
        self._phase, self._deadline = WriterPhase.OPEN, 0.0
        self._accepted = self._handled = 0
        self._failing = self._recovered = self._report_scheduled = False
        self._lost, self._why = 0, ""
        self._call: Call = _now

    def report_by(self, call: Call) -> None:
        """Use ``call`` to call ``losses`` and the callbacks of `run`; by default they are called at once."""
        self._call = call

    @property
    def waiting(self) -> int:
        """The number of bytes that wait to be written."""
        return self._accepted - self._handled

    @property
    def idle(self) -> bool:
        """Whether everything is written, without a failure since."""
        return not self._failing and self.waiting <= 0

    def write(self, data: bytes) -> None:
        """Write ``data`` soon, or drop it. After `finish`, wait as that does until it is written."""
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
        """Run ``work`` after all earlier pieces; then call ``done`` with the OSError it raised, or None."""

        def run_work() -> None:
            error = None
            try:
                work()
            except OSError as raised:
                error = raised
            self._call(lambda: done(error))

        self._put(run_work)

    def settle(self, seconds: float) -> bool:
        """Wait until everything is written, for at most ``seconds`` seconds; return whether it is."""
        if seconds <= 0:
            return False
        written = Event()
        self._put(written.set)
        return written.wait(seconds)

    def finish(self, deadline: float) -> None:
        """Wait until everything is written, and from now on after each piece, but not after ``deadline``.

        ``deadline`` is a time of `time.monotonic`. Reports are made in the thread that waits.
        """
        if self._phase is WriterPhase.OPEN:
            self._phase, self._deadline, self._call = WriterPhase.FINISHING, deadline, _never
            self._await_all()

    def close(self) -> None:
        """Ignore further pieces, and end the thread after everything that waits is written."""
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
        self._report()

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
        """Write ``piece`` together with the following ones; return the next item."""
        pieces, size = [piece], len(piece)
        while isinstance(item := self._next_item(), bytes) and size + len(item) <= self._together:
            pieces.append(item)
            size += len(item)
        self._write(pieces, size)
        return item

    def _next_item(self) -> Item:
        return _do_nothing if self._items.empty() else self._items.get()

    def _write(self, pieces: list[bytes], size: int) -> None:
        try:
            self._sink(b"".join(pieces))
        except WriteError as error:
            self._mark_handled(size)
            self._lose(str(error), self._count_after(pieces, error.written))
        else:
            self._mark_handled(size)
            if self._failing and self.waiting <= 0:
                self._recover()

    def _mark_handled(self, size: int) -> None:
        with self._lock:
            self._handled += size

    def _count_after(self, pieces: list[bytes], written: int) -> int:
        """Return the amount of data in ``pieces`` after the first ``written`` bytes."""
        lost = 0
        for piece in pieces:
            if written < len(piece):
                lost += self._count(piece[written:])
            written = max(0, written - len(piece))
        return lost

    # failure and recovery

    def _lose(self, why: str, count: int) -> None:
        with self._lock:
            self._failing, self._recovered = True, False
            self._lost, self._why = self._lost + count, why
        self._schedule_report()

    def _recover(self) -> None:
        with self._lock:
            self._failing, self._recovered = False, True
        self._schedule_report()

    def _schedule_report(self) -> None:
        with self._lock:
            was_scheduled, self._report_scheduled = self._report_scheduled, True
        if not was_scheduled:
            self._call(self._report)

    def _report(self) -> None:
        with self._lock:
            self._report_scheduled = False
            lost, self._lost = self._lost, 0
            recovered, self._recovered = self._recovered, False
        if lost:
            self._losses.failed(self._why, lost)
        if recovered:
            self._losses.worked()


def _do_nothing() -> None:
    """Do nothing: the queue is empty for now."""


def _now(call: Callable[[], None]) -> None:
    call()


def _never(call: Callable[[], None]) -> None:
    """Do nothing: the thread that waits in `finish` makes the report."""
