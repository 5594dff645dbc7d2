"""Tests of `techboy.background_writer`, with real threads and a sink in the hands of the test."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.background_writer import FULL, BoundedWriter, WriteError
from tests.marks import needs_signals

PATIENCE = 10.0


class Sink:
    """What is written to. It waits while ``answers`` is not set, and has ``room`` for so many bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.answers, self.asked = Event(), Event()
        self.answers.set()
        self.room = 1 << 30

    def __call__(self, data: bytes) -> None:
        self.asked.set()
        assert self.answers.wait(PATIENCE)
        taken = data[: self.room]
        self.room -= len(taken)
        if taken:
            self.pieces.append(taken)
        if taken != data:
            raise WriteError("no space", len(taken))


class Told:
    """What is told of losses, in its order."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.on_worked: Callable[[], None] = lambda: None

    def failed(self, why: str, count: int) -> None:
        """So much was not written."""
        self.events.append((why, count))

    def worked(self) -> None:
        """All that came since is."""
        self.events.append("worked")
        self.on_worked()


class Stage:
    """A writer for ten bytes, of which six are written together, its sink, and what it tells."""

    def __init__(self, limit: int = 10, together: int = 6) -> None:
        self.sink, self.told = Sink(), Told()
        self.writer = BoundedWriter(self.sink, self.told, len, limit, together)

    def hang(self) -> None:
        """Let the sink wait with a piece in its hands."""
        self.sink.asked.clear()
        self.sink.answers.clear()
        self.writer.write(b".")
        assert self.sink.asked.wait(PATIENCE)

    def end(self) -> None:
        """Let the sink take everything, and the thread end."""
        self.sink.answers.set()
        self.writer.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return a writer that ends with the test."""
    made = Stage()
    yield made
    made.end()


class WriteTests:
    """`BoundedWriter.write`."""

    @given(st.lists(st.binary(max_size=5)))
    def test_order(self, pieces: list[bytes]) -> None:
        """All is written in its order, whatever is written together."""
        stage = Stage(limit=1000)
        for piece in pieces:
            stage.writer.write(piece)
        assert stage.writer.settle(PATIENCE)
        stage.end()
        assert b"".join(stage.sink.pieces) == b"".join(pieces)
        assert stage.writer.idle

    def test_together(self, stage: Stage) -> None:
        """What waits is written together, as whole pieces, up to six bytes."""
        stage.hang()
        for piece in (b"a", b"bc", b"def", b"gh", b"i"):
            stage.writer.write(piece)
        stage.sink.answers.set()
        assert stage.writer.settle(PATIENCE)
        assert stage.sink.pieces == [b".", b"abcdef", b"ghi"]

    def test_part(self, stage: Stage) -> None:
        """Of what is written together and in part, only what is missing is counted."""
        stage.hang()
        stage.sink.room = 5
        for piece in (b"ab", b"cd", b"ef"):
            stage.writer.write(piece)
        stage.sink.answers.set()
        assert stage.writer.settle(PATIENCE)
        assert stage.sink.pieces == [b".", b"abcd"]
        assert stage.told.events == [("no space", 2)]

    def test_at_once(self, stage: Stage) -> None:
        """The thread wakes at once."""
        stage.writer.write(b"one")
        assert stage.sink.asked.wait(PATIENCE)

    def test_bound(self, stage: Stage) -> None:
        """While nothing is taken, ten bytes wait, and what finds no room is dropped as a whole and told."""
        stage.hang()
        for piece in (b"abcd", b"efgh", b"ij", b"k"):
            stage.writer.write(piece)
        assert stage.writer.waiting == 10
        assert not stage.writer.idle
        assert stage.told.events == [(FULL, 2)]
        stage.sink.answers.set()
        assert stage.writer.settle(PATIENCE)
        assert b"".join(stage.sink.pieces) == b".abcdefghk"
        assert stage.told.events == [(FULL, 2), "worked"]
        assert stage.writer.idle

    def test_large(self, stage: Stage) -> None:
        """A piece larger than the bound is written where nothing else waits."""
        stage.writer.write(b"x" * 1000)
        assert stage.writer.settle(PATIENCE)
        assert stage.sink.pieces == [b"x" * 1000]
        stage.hang()
        stage.writer.write(b"x" * 1000)
        assert stage.told.events == [(FULL, 1000)]

    def test_refused(self, stage: Stage) -> None:
        """What the sink refuses is told, as is that it takes all again, once."""
        stage.sink.room = 3
        for piece in (b"abcd", b"ef"):
            stage.writer.write(piece)
            assert stage.writer.settle(PATIENCE)
        assert stage.told.events == [("no space", 1), ("no space", 2)]
        assert not stage.writer.idle
        stage.sink.room = 100
        for piece in (b"gh", b"ij"):
            stage.writer.write(piece)
            assert stage.writer.settle(PATIENCE)
        assert stage.told.events[2:] == ["worked"]

    def test_report(self, stage: Stage) -> None:
        """It is told where it was asked to be, once for all that happened meanwhile."""
        calls: list[Callable[[], None]] = []
        stage.writer.report_by(calls.append)
        stage.sink.room = 3
        stage.writer.write(b"abcd")
        stage.writer.write(b"ef")
        assert stage.writer.settle(PATIENCE)
        assert stage.told.events == []
        [call] = calls
        call()
        assert stage.told.events == [("no space", 3)]

    @needs_signals
    def test_signal(self, stage: Stage) -> None:
        """It can be written to in a signal handler, at whatever moment that comes."""
        pieces, at_signal = 0, 0

        def interrupted(number: int, frame: object) -> None:
            nonlocal at_signal
            at_signal += 1
            stage.writer.write(b"s")

        before = signal.signal(signal.SIGALRM, interrupted)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                stage.writer.write(b"w")
                pieces += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert stage.writer.settle(PATIENCE)
        dropped = sum(event[1] for event in stage.told.events if event != "worked")
        data = b"".join(stage.sink.pieces)
        assert data.count(b"s")
        assert pieces <= len(data) + dropped <= pieces + at_signal


class RunTests:
    """`BoundedWriter.run`."""

    def test_order(self, stage: Stage) -> None:
        """What is done in between comes after what was given to be written before, and before the rest."""
        seen: list[list[bytes]] = []
        outcomes: list[OSError | None] = []
        stage.writer.write(b"one")
        stage.writer.run(lambda: seen.append([*stage.sink.pieces]), outcomes.append)
        stage.writer.write(b"two")
        assert stage.writer.settle(PATIENCE)
        assert seen == [[b"one"]]
        assert outcomes == [None]
        assert stage.sink.pieces == [b"one", b"two"]

    def test_fails(self, stage: Stage) -> None:
        """An error is told, and does not end the writing."""
        error, outcomes = OSError("no such file"), list[OSError | None]()

        def fail() -> None:
            raise error

        stage.writer.run(fail, outcomes.append)
        stage.writer.write(b"one")
        assert stage.writer.settle(PATIENCE)
        assert outcomes == [error]
        assert stage.sink.pieces == [b"one"]


class FinishTests:
    """The end."""

    def test_waits(self, stage: Stage) -> None:
        """All that was written is there, and whatever comes after it, too."""
        stage.writer.write(b"one")
        stage.writer.finish(time.monotonic() + PATIENCE)
        assert stage.sink.pieces == [b"one"]
        stage.writer.write(b"two")
        assert stage.sink.pieces == [b"one", b"two"]

    def test_stuck(self, stage: Stage) -> None:
        """What does not take anything is waited for once, until the deadline."""
        stage.hang()
        before = time.monotonic()
        stage.writer.finish(before + 0.2)
        assert before + 0.2 <= time.monotonic() < before + 5
        before = time.monotonic()
        for _ in range(1000):
            stage.writer.write(b"x")
        stage.writer.finish(before + 1000)
        assert time.monotonic() < before + 5

    def test_late(self, stage: Stage) -> None:
        """Where others took all the time, what takes everything at once is written all the same."""
        stage.writer.write(b"one")
        stage.writer.finish(time.monotonic() - 1)
        stage.writer.write(b"two")
        assert stage.writer.settle(PATIENCE)
        assert stage.sink.pieces == [b"one", b"two"]

    def test_told(self, stage: Stage) -> None:
        """What is to be told is told there, where nothing else calls any more, and may be written, too."""
        stage.writer.report_by(lambda call: None)
        stage.told.on_worked = lambda: stage.writer.write(b"2 are missing")
        stage.sink.room = 1
        stage.writer.write(b"abc")
        assert stage.writer.settle(PATIENCE)
        stage.sink.room = 100
        stage.writer.write(b"def")
        stage.writer.finish(time.monotonic() + PATIENCE)
        assert stage.told.events == [("no space", 2), "worked"]
        assert stage.sink.pieces == [b"a", b"def", b"2 are missing"]

    def test_close(self, stage: Stage) -> None:
        """What was given before is written, what comes later is ignored, and the thread ends."""
        stage.hang()
        stage.writer.write(b"one")
        stage.writer.close()
        stage.writer.close()
        stage.writer.write(b"two")
        stage.sink.answers.set()
        thread = stage.writer._thread
        assert thread is not None
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert thread.daemon
        assert stage.sink.pieces == [b".", b"one"]
