"""Tests of `techboy.terminal.progress`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pytest
from pyte import Screen, Stream
from twisted.internet.task import Clock

from techboy.terminal.progress import (
    INTERVAL,
    SHOWN_AFTER,
    FilePosition,
    Progress,
    Sample,
    can_show_progress,
    columns_of,
)
from tests.marks import open_terminal
from tests.screen import rows_of
from tests.terminal.fakes import on_terminal

WIDTH = 72


class FakeLine:
    """A terminal with an emulated screen; ``ready``: whether it is not halted."""

    above: Callable[[bytes], bytes]

    def __init__(self) -> None:
        self.ready, self.drawn = True, 0
        self.screen = Screen(WIDTH, 10)
        self._stream = Stream(self.screen)

    def draw(self, data: bytes) -> None:
        self.drawn += 1
        self._stream.feed(data.decode().replace("\n", "\r\n"))

    def write(self, lines: str) -> None:
        """Write whole lines, as a program does."""
        self._stream.feed(self.above(lines.encode()).decode().replace("\n", "\r\n"))

    @property
    def shown(self) -> list[str]:
        """What a person sees, without the empty lines below."""
        return rows_of(self.screen)


class Scene:
    """Work that a test does, and what is shown of it."""

    def __init__(self) -> None:
        self.clock, self.line = Clock(), FakeLine()
        self.sample = Sample(0, 0)
        self.progress = Progress(self.line, self.clock, lambda: self.sample, lambda: WIDTH)
        self.progress.start()

    def goes_on(self, seconds: float, *samples: Sample) -> None:
        """Let ``samples`` be how far the work is, one after the other, until so many seconds have passed."""
        for number in range(round(seconds / INTERVAL)):
            if number < len(samples):
                self.sample = samples[number]
            self.clock.advance(INTERVAL)


def working(lines: int, waiting: int = 1000) -> Sample:
    """Return how far a script from a pipe is."""
    return Sample(lines, waiting)


class ProgressTests:
    """What is shown of work that lasts."""

    def test_pipe(self) -> None:
        """Of what comes through a pipe it is shown how much was sent, how fast, and how much waits."""
        scene = Scene()
        scene.goes_on(1.4, *[working(lines) for lines in range(100, 800, 100)])
        assert scene.line.shown == ["700 lines sent, 500/s, 1000 waiting [00:01]"]

    def test_file(self) -> None:
        """Of a file it is shown also which bytes_sent was sent, and how long the rest will take."""
        scene = Scene()
        scene.goes_on(2.2, *[Sample(lines, 0, lines * 100, 110_000) for lines in range(50, 600, 50)])
        (line,) = scene.line.shown
        assert line.startswith(" 50%|")
        assert line.endswith("| 550 lines sent, 250/s, 0 waiting [00:02<00:02]")
        assert len(line) == WIDTH - 1

    def test_file_waits(self) -> None:
        """What was read and waits to be sent is not counted as sent."""
        scene = Scene()
        scene.goes_on(2.0, Sample(100, 900, 50_000, 50_000))
        assert scene.line.shown[0].startswith(" 10%|")

    def test_no_estimate(self) -> None:
        """While nothing is stored, nothing is known of the time left, however much is read meanwhile."""
        scene = Scene()
        scene.goes_on(10, *[Sample(100, 100 * number, 5_000 * number, 900_000) for number in range(1, 60)])
        assert scene.line.shown[0].endswith("| 100 lines sent, 0/s, 5000 waiting [00:09<?]")

    def test_throttled(self) -> None:
        """To an end that throttles, it takes as long as its rate says, also after a burst."""
        scene = Scene()
        scene.goes_on(2.2, *[Sample(300, 700, 10_000, 20_000, limit=20)] * 20)
        assert scene.line.shown[0].endswith("| 300 lines sent, 20/s (throttled), 700 waiting [00:02<01:25]")
        scene.goes_on(10)
        assert scene.line.shown[0].endswith("0/s (throttled), 700 waiting [00:12<?]")
        scene.goes_on(6, *[Sample(300 + 2 * n, 700 - 2 * n, 10_000, 20_000, limit=20) for n in range(30)])
        assert scene.line.shown[0].endswith(" 10/s (throttled), 642 waiting [00:18<02:44]")

    def test_catching_up(self) -> None:
        """While lines are to come that were said before, it is shown how many, and which bytes_sent came."""
        scene = Scene()
        scene.goes_on(2.2, *[Sample(0, 0, missing=missing) for missing in range(1100, 0, -100)])
        (line,) = scene.line.shown
        assert line.startswith(" 91%|")
        assert line.endswith("| catching up, 100 lines to come, 455/s [00:02<00:00]")

    def test_one(self) -> None:
        """One line is not several."""
        scene = Scene()
        scene.goes_on(2.0, working(1))
        assert scene.line.shown[0].startswith("1 line sent, ")

    def test_short(self) -> None:
        """Nothing is shown of work that is done within a second."""
        scene = Scene()
        scene.goes_on(0.8, working(1), working(2), working(3))
        scene.goes_on(60, working(4, waiting=0))
        assert scene.line.drawn == 0

    def test_idle(self) -> None:
        """Nothing is shown while there is nothing to do, nor of a line now and then."""
        scene = Scene()
        for lines in range(10):
            scene.goes_on(30, working(lines, waiting=0))
        assert scene.line.drawn == 0

    def test_stuck(self) -> None:
        """What waits and does not get on is shown as that."""
        scene = Scene()
        scene.goes_on(30.2, working(0, waiting=7))
        assert scene.line.shown == ["0 lines sent, 0/s, 7 waiting [00:30]"]

    def test_done(self) -> None:
        """A little after the work is done nothing is shown any more, and the next is work of its own."""
        scene = Scene()
        scene.goes_on(10, working(1))
        scene.goes_on(2 * SHOWN_AFTER, working(1000, waiting=0))
        assert scene.line.shown == []
        scene.goes_on(60)
        scene.goes_on(1.4, working(1000))
        assert scene.line.shown == ["1000 lines sent, 0/s, 1000 waiting [00:01]"]

    def test_recent_rate(self) -> None:
        """How fast it goes is how fast it went lately."""
        scene = Scene()
        scene.goes_on(20, *[working(lines) for lines in range(0, 100_000, 1000)])
        scene.goes_on(20, *[working(lines) for lines in range(99_000, 99_100)])
        assert " 5/s, " in scene.line.shown[0]

    def test_lines_above(self) -> None:
        """Lines that are written meanwhile are whole, and come above it."""
        scene = Scene()
        scene.line.write("Calling...\n")
        scene.goes_on(2.2, working(1))
        scene.line.write("Connected.\n* hello\n")
        assert scene.line.shown == [
            "Calling...", "Connected.", "* hello", "1 line sent, 0/s, 1000 waiting [00:02]",
        ]  # fmt: skip

    def test_stop(self) -> None:
        """At the end nothing of it is left, and what is written then is as if it never had been."""
        scene = Scene()
        scene.goes_on(2, working(1))
        scene.progress.stop()
        scene.line.write("Connection closed.\n")
        assert scene.line.shown == ["Connection closed."]
        assert not scene.clock.getDelayedCalls()

    def test_stop_early(self) -> None:
        """Where nothing was shown, nothing is taken away; stopping twice does no harm."""
        scene = Scene()
        scene.progress.stop()
        scene.progress.stop()
        assert scene.line.drawn == 0

    def test_halted(self) -> None:
        """A terminal that was halted is not waited for, and shows how far it is when it goes on."""
        scene = Scene()
        scene.goes_on(2, working(1))
        scene.line.ready, drawn = False, scene.line.drawn
        scene.goes_on(10, working(500))
        assert scene.line.drawn == drawn
        scene.line.ready = True
        scene.goes_on(INTERVAL)
        assert scene.line.shown[0].startswith("500 lines sent")

    def test_unchanged(self) -> None:
        """What is shown already is not drawn again."""
        scene = Scene()
        scene.goes_on(2, working(1))
        drawn = scene.line.drawn
        scene.goes_on(10, working(1))
        assert scene.line.drawn - drawn <= 11  # seconds, and the rate that falls

    @pytest.mark.parametrize(
        "sample", [Sample(10**9, 10**9, 5, 10), Sample(10**9, 10**9), Sample(0, 0, missing=9)]
    )
    def test_narrow(self, sample: Sample) -> None:
        """It never takes more than one line of the terminal, however narrow that is."""
        line, clock = FakeLine(), Clock()
        progress = Progress(line, clock, lambda: sample, lambda: 20)
        progress.start()
        for _ in range(20):
            clock.advance(INTERVAL)
        assert 0 < len(progress.above(b"\n").decode().split("\n")[1]) < 20

    def test_no_thread(self) -> None:
        """No thread of tqdm's is started."""
        scene = Scene()
        scene.goes_on(5, working(1))
        assert scene.line.shown
        assert not [thread for thread in threading.enumerate() if "tqdm" in type(thread).__module__]


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """Return a terminal."""
    with ExitStack() as closing:
        other_end, device = open_terminal()
        closing.callback(os.close, other_end)
        yield closing.enter_context(open(device, "w"))


class ShowsTests:
    """Where progress can be shown."""

    def test_terminals(self, terminal: TextIO) -> None:
        """It can on a terminal that can erase a line, and nowhere else."""
        assert can_show_progress(terminal, "xterm")
        for kind in ("dumb", "unknown", "", None):
            assert not can_show_progress(terminal, kind)

    def test_elsewhere(self, tmp_path: Path) -> None:
        """It is shown in no file, and not where there is no stream."""
        with (tmp_path / "file").open("w") as file:
            assert not can_show_progress(file, "xterm")
        assert not can_show_progress(None, "xterm")


class ColumnsTests:
    """How wide a terminal is."""

    def test_told(self, terminal: TextIO) -> None:
        """It is asked each time; one that does not know is as wide as most."""
        columns = columns_of(terminal)
        assert columns() == 80
        fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
        fcntl.ioctl(terminal.fileno(), termios.TIOCSWINSZ, b"\x18\x00\x64\x00\x00\x00\x00\x00")
        assert columns() == 100

    def test_gone(self, tmp_path: Path) -> None:
        """One that is gone is as wide."""
        with (tmp_path / "file").open("w") as file:
            assert columns_of(on_terminal(file))() == 80


class FileReadTests:
    """How much of a file was read."""

    def test_file(self, tmp_path: Path) -> None:
        """It counts from where the program began to read, also when that closed the file, and as it grows."""
        path = tmp_path / "file"
        path.write_bytes(b"x" * 100)
        with path.open() as file:
            os.read(file.fileno(), 10)
            read = FilePosition(file)
            assert (read.done, read.total) == (0, 90)
            os.read(file.fileno(), 30)
            assert (read.done, read.total) == (30, 90)
        with path.open("ab") as file_again:
            file_again.write(b"x" * 10)
        assert (read.done, read.total) == (30, 100)
        read.close()
        assert (read.done, read.total) == (None, None)
        read.close()

    def test_shortened(self, tmp_path: Path) -> None:
        """Of a file that was made shorter meanwhile no more was read than there was."""
        path = tmp_path / "file"
        path.write_bytes(b"x" * 100)
        with path.open() as file:
            read = FilePosition(file)
            os.read(file.fileno(), 50)
            path.write_bytes(b"")
            assert (read.done, read.total) == (50, 50)
            read.close()

    def test_other(self, terminal: TextIO) -> None:
        """Of what is no regular file nobody knows how much there is."""
        for stream in (None, terminal):
            read = FilePosition(stream)
            assert (read.done, read.total) == (None, None)
            read.close()
