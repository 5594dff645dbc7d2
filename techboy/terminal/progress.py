"""A progress bar on the last line of a terminal, while a script is sent or history is received."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TextIO

from twisted.internet.interfaces import IReactorTime

from techboy.chat.status import in_lines
from techboy.net.repeating import repeated
from techboy.terminal.streams import is_terminal

INTERVAL = 0.2
"""Seconds between two updates."""

SHOWN_AFTER = 1.0
"""Seconds after which work is shown, and seconds without activity after which it is hidden."""

_RATE_WINDOW = 5.0  # seconds over which the rate is measured
_ERASE = b"\r\x1b[K"
_COLUMNS = 80  # of a terminal of unknown width

_OF_ALL = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"
_OF_UNKNOWN = "{desc} [{elapsed}]"


@dataclass(frozen=True)
class Sample:
    """A snapshot of the work.

    ``lines``: lines sent and acknowledged. ``waiting``: lines in the outbox. ``done``, ``total``: bytes of
    the input that were read, and its size, None if unknown. ``missing``: lines of the history still to be
    received. ``limit``: lines a second that the server accepts, None if it does not throttle.
    """

    lines: int
    waiting: int
    done: int | None = None
    total: int | None = None
    missing: int = 0
    limit: int | None = None

    @property
    def bytes_sent(self) -> int:
        """An estimate of the bytes of the input that were sent: those read, less the waiting lines."""
        return int(self.lines * self.line_size) if self.waiting else self.done or 0

    @property
    def line_size(self) -> float:
        """The average number of bytes of a line of the input."""
        return (self.done or 0) / max(self.lines + self.waiting, 1)


class LastLine(Protocol):
    """A terminal with a progress bar on its last line.

    ``above`` converts whole lines into the bytes that print them above the bar.
    """

    above: Callable[[bytes], bytes]

    @property
    def ready(self) -> bool:
        """Whether all earlier output is written."""

    def draw(self, data: bytes) -> None:
        """Write ``data`` unchanged."""


class _Measurement(NamedTuple):
    """The number of lines sent, and of lines of the history ``received``, at the time ``at``."""

    at: float
    lines: int
    received: int


class _Work:
    """Current work; ``active_at``: the time of its last activity, ``max_missing``: the most missing lines."""

    def __init__(self, at: float, sample: Sample) -> None:
        self.started_at = self.active_at = at
        self.max_missing, self._missing = 0, sample.missing
        first = _Measurement(at, sample.lines, 0)
        self._measurements = deque([first], maxlen=round(_RATE_WINDOW / INTERVAL) + 1)

    def update(self, at: float, sample: Sample) -> None:
        """Record a ``sample``."""
        received = self._measurements[-1].received + max(0, self._missing - sample.missing)
        self._missing = sample.missing
        self.max_missing = max(self.max_missing, sample.missing) if sample.missing else 0
        self._measurements.append(_Measurement(at, sample.lines, received))

    def rate(self, amount: Callable[[_Measurement], int]) -> float:
        """Return the recent growth of ``amount`` per second."""
        first, last = self._measurements[0], self._measurements[-1]
        return (amount(last) - amount(first)) / (last.at - first.at)


class Progress:
    """Shows a progress bar on ``line`` while work lasts longer than `SHOWN_AFTER`.

    ``sample`` returns the state of the work, ``columns`` the width of the terminal.
    """

    def __init__(
        self, line: LastLine, clock: IReactorTime, sample: Callable[[], Sample], columns: Callable[[], int]
    ) -> None:
        self._line, self._clock, self._sample, self._columns = line, clock, sample, columns
        self._bar = b""
        self._work: _Work | None = None
        self._last = 0.0, Sample(0, 0)
        self._loop = repeated(clock, self._update)
        line.above = self.above

    def start(self) -> None:
        """Start updating."""
        self._last = self._clock.seconds(), self._sample()
        self._loop.start(INTERVAL, now=False)

    def stop(self) -> None:
        """Stop updating, and erase the bar."""
        if self._loop.running:
            self._loop.stop()
        if self._bar:
            self._bar = b""
            self._line.draw(_ERASE)

    def above(self, data: bytes) -> bytes:
        """Return the bytes that print ``data``, whole lines, above the bar."""
        return _ERASE + data + self._bar if self._bar else data

    def _update(self) -> None:
        now, sample = self._clock.seconds(), self._sample()
        work = self._work = self._current_work(now, sample)
        self._last = now, sample
        bar = b""
        if work is not None and work.active_at - work.started_at > SHOWN_AFTER:
            bar = _meter(sample, work, now, self._columns() - 1).encode()
        if bar != self._bar and self._line.ready:
            self._bar = bar
            self._line.draw(_ERASE + bar)

    def _current_work(self, now: float, sample: Sample) -> _Work | None:
        """Return the current work, None if there is none."""
        work = self._work
        if sample.waiting or sample.missing or sample.lines != self._last[1].lines:
            work = work or _Work(*self._last)
            work.active_at = now
        elif work is not None and now - work.active_at > SHOWN_AFTER:
            return None
        if work is not None:
            work.update(now, sample)
        return work


def _meter(sample: Sample, work: _Work, now: float, width: int) -> str:
    """Return the progress bar of ``work``, no wider than ``width``."""
    from tqdm import tqdm  # slow to import, and rarely needed

    done, total = sample.bytes_sent, sample.total
    speed, throttled = work.rate(lambda measurement: measurement.lines), ""
    if sample.limit is not None:  # the rate was higher before the server began to throttle
        speed, throttled = min(speed, sample.limit), " (throttled)"
    rate = speed * sample.line_size  # 0 while nothing is acknowledged: the remaining time is unknown then
    description = f"{in_lines(sample.lines)} sent, {speed:.0f}/s{throttled}, {sample.waiting} waiting"
    if sample.missing:
        done, total = work.max_missing - sample.missing, work.max_missing
        rate = work.rate(lambda measurement: measurement.received)
        description = f"catching up, {in_lines(sample.missing)} to come, {rate:.0f}/s"
    meter = tqdm.format_meter(
        done,
        total or 0,
        now - work.started_at,
        ncols=width,
        prefix=description,
        rate=rate,
        bar_format=_OF_ALL if total else _OF_UNKNOWN,
    )
    return meter[:width]  # before version 4.69 tqdm truncates the bar only


def can_show_progress(stream: TextIO | None, terminal_type: str | None) -> bool:
    """Return whether ``stream`` is a terminal whose type ``$TERM`` supports erasing a line."""
    return is_terminal(stream) and terminal_type not in (None, "", "dumb", "unknown")


def columns_of(stream: TextIO) -> Callable[[], int]:
    """Return a function that returns the width of the terminal ``stream``."""

    def columns() -> int:
        try:
            return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError):  # the terminal is gone, or another one than the console of Windows
            return _COLUMNS

    return columns


class FilePosition:
    """The position in the regular file ``stream``, relative to the one at creation; None for anything else.

    The descriptor is duplicated, because the reader closes its own.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._file: int | None = None
        if stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            self._file = os.dup(stream.fileno())
            self._start = self._offset

    @property
    def done(self) -> int | None:
        """The number of bytes read, None if unknown."""
        return None if self._file is None else self._offset - self._start

    @property
    def total(self) -> int | None:
        """The number of bytes to read in all, None if unknown; it may grow with the file."""
        return None if self._file is None else max(os.fstat(self._file).st_size - self._start, self.done or 0)

    def close(self) -> None:
        """Close the duplicate."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def _offset(self) -> int:
        assert self._file is not None
        return os.lseek(self._file, 0, os.SEEK_CUR)
