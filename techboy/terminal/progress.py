"""How long work goes on, on the last line of a terminal: a script that is sent, or what is caught up with."""

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

EVERY = 0.2
"""Seconds from one look at the work to the next."""

SHOWN_AFTER = 1.0
"""Seconds that work has to last to be shown, and for which nothing has to happen not to be shown any more."""

_RATED = 5.0  # seconds over which it is counted how fast the work goes
_ERASE = b"\r\x1b[K"
_COLUMNS = 80  # of a terminal that does not say how many it has

_OF_ALL = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"
_OF_UNKNOWN = "{desc} [{elapsed}]"


@dataclass(frozen=True)
class Sample:
    """How far the work is.

    ``lines``: how many were sent, for good. ``waiting``: how many wait to be. ``done`` of ``total`` bytes of
    the input were read, where its size is known. ``missing``: how many lines are still to come of those that
    were said before this end came in. ``limit``: how many lines a second the other end takes, None if as
    many as come.
    """

    lines: int
    waiting: int
    done: int | None = None
    total: int | None = None
    missing: int = 0
    limit: int | None = None

    @property
    def part(self) -> int:
        """How many of the bytes that were read were sent, about: lines that wait are not."""
        return int(self.lines * self.line_size) if self.waiting else self.done or 0

    @property
    def line_size(self) -> float:
        """How many bytes of the input a line has, on the average."""
        return (self.done or 0) / max(self.lines + self.waiting, 1)


class LastLine(Protocol):
    """A terminal on whose last line something may stand, under what is written there.

    ``above`` is asked what to write instead of whole lines, so that they come above that.
    """

    above: Callable[[bytes], bytes]

    @property
    def ready(self) -> bool:
        """Whether what is drawn appears at once."""

    def draw(self, data: bytes) -> None:
        """Write ``data`` as it stands."""


class _Reading(NamedTuple):
    """How much was done ``at`` a moment: ``came`` counts the lines that were missing and are not any more."""

    at: float
    lines: int
    came: int


class _Work:
    """Work under way since ``began``, last seen to go on at ``busy``; ``most``: the most that was missing."""

    def __init__(self, at: float, sample: Sample) -> None:
        self.began = self.busy = at
        self.most, self._missing = 0, sample.missing
        first = _Reading(at, sample.lines, 0)
        self._readings = deque([first], maxlen=round(_RATED / EVERY) + 1)

    def went_on(self, at: float, sample: Sample) -> None:
        """Take note of how far it is now."""
        came = self._readings[-1].came + max(0, self._missing - sample.missing)
        self._missing = sample.missing
        self.most = max(self.most, sample.missing) if sample.missing else 0
        self._readings.append(_Reading(at, sample.lines, came))

    def rate(self, amount: Callable[[_Reading], int]) -> float:
        """Return by how much a second an ``amount`` has grown lately."""
        first, last = self._readings[0], self._readings[-1]
        return (amount(last) - amount(first)) / (last.at - first.at)


class Progress:
    """Shows on ``line`` how far the work is that ``sample`` tells of, while it lasts long.

    ``columns`` tells how wide the terminal is.
    """

    def __init__(
        self, line: LastLine, clock: IReactorTime, sample: Callable[[], Sample], columns: Callable[[], int]
    ) -> None:
        self._line, self._clock, self._sample, self._columns = line, clock, sample, columns
        self._bar = b""
        self._work: _Work | None = None
        self._last = 0.0, Sample(0, 0)
        self._loop = repeated(clock, self._look)
        line.above = self.above

    def start(self) -> None:
        """Begin to look."""
        self._last = self._clock.seconds(), self._sample()
        self._loop.start(EVERY, now=False)

    def stop(self) -> None:
        """Look no more, and leave the line empty."""
        if self._loop.running:
            self._loop.stop()
        if self._bar:
            self._bar = b""
            self._line.draw(_ERASE)

    def above(self, data: bytes) -> bytes:
        """Return what brings ``data``, whole lines, above what stands on the last one."""
        return _ERASE + data + self._bar if self._bar else data

    def _look(self) -> None:
        now, sample = self._clock.seconds(), self._sample()
        work = self._work = self._under_way(now, sample)
        self._last = now, sample
        bar = b""
        if work is not None and work.busy - work.began > SHOWN_AFTER:
            bar = _meter(sample, work, now, self._columns() - 1).encode()
        if bar != self._bar and self._line.ready:
            self._bar = bar
            self._line.draw(_ERASE + bar)

    def _under_way(self, now: float, sample: Sample) -> _Work | None:
        """Return the work that is under way, if any is."""
        work = self._work
        if sample.waiting or sample.missing or sample.lines != self._last[1].lines:
            work = work or _Work(*self._last)
            work.busy = now
        elif work is not None and now - work.busy > SHOWN_AFTER:
            return None
        if work is not None:
            work.went_on(now, sample)
        return work


def _meter(sample: Sample, work: _Work, now: float, width: int) -> str:
    """Return one line, no wider than ``width``, about ``work``."""
    from tqdm import tqdm  # which takes a while to be loaded, and is rarely needed

    done, total = sample.part, sample.total
    speed, throttled = work.rate(lambda reading: reading.lines), ""
    if sample.limit is not None:  # before it held, there may have been many more
        speed, throttled = min(speed, sample.limit), " (throttled)"
    rate = speed * sample.line_size  # none while nothing is stored: then nothing is known of the time left
    told = f"{in_lines(sample.lines)} sent, {speed:.0f}/s{throttled}, {sample.waiting} waiting"
    if sample.missing:
        done, total = work.most - sample.missing, work.most
        rate = work.rate(lambda reading: reading.came)
        told = f"catching up, {in_lines(sample.missing)} to come, {rate:.0f}/s"
    meter = tqdm.format_meter(
        done,
        total or 0,
        now - work.began,
        ncols=width,
        prefix=told,
        rate=rate,
        bar_format=_OF_ALL if total else _OF_UNKNOWN,
    )
    return meter[:width]  # before tqdm 4.69 only a bar is cut


def shows(stream: TextIO | None, terminal_type: str | None) -> bool:
    """Tell whether ``stream`` is a terminal, and of a type, ``$TERM``, that can show and erase a line."""
    return is_terminal(stream) and terminal_type not in (None, "", "dumb", "unknown")


def columns_of(stream: TextIO) -> Callable[[], int]:
    """Return what tells how wide the terminal ``stream`` is."""

    def columns() -> int:
        try:
            return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError):  # it is gone, or Windows is asked of another than its own
            return _COLUMNS

    return columns


class FileRead:
    """How much of the regular file ``stream`` was read since this was made; of anything else that is None.

    It is looked at under a number of its own, as whoever reads it closes it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._file: int | None = None
        if stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            self._file = os.dup(stream.fileno())
            self._start = self._place

    @property
    def done(self) -> int | None:
        """How many bytes were read."""
        return None if self._file is None else self._place - self._start

    @property
    def total(self) -> int | None:
        """How many there were to read, as far as is known now: a file may grow."""
        return None if self._file is None else max(os.fstat(self._file).st_size - self._start, self.done or 0)

    def close(self) -> None:
        """Look at it no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def _place(self) -> int:
        assert self._file is not None
        return os.lseek(self._file, 0, os.SEEK_CUR)
