"""Tests of `techboy.terminal.threaded`, with real pipes and files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.python.failure import Failure

from techboy.net.flow_control import DrainProducer
from techboy.terminal.threaded import CHUNK, ThreadedStdio, pieces
from tests.journals import written
from tests.real_reactor import ensure_deferred, reactor
from tests.terminal.pipes import Pipes, until

MORE_THAN_A_PIPE_HOLDS = 1024 * 1024


class Recorder:
    """A protocol that records what it is told; ``fails`` where it is told of that."""

    def __init__(self, fails: str = "") -> None:
        self.read, self.events = b"", [""] * 0
        self.lost: Deferred[type[BaseException] | None] = Deferred()
        self._fails = fails

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.read += data
        self._record("read")

    def readConnectionLost(self) -> None:
        self._record("input ended")

    def writeConnectionLost(self) -> None:
        self._record("nobody reads")

    def connectionLost(self, reason: Failure) -> None:
        self.lost.callback(reason.type)

    def _record(self, event: str) -> None:
        self.events.append(event)
        if event == self._fails:
            raise ZeroDivisionError


def connect(pipes: Pipes, fails: str = "") -> Recorder:
    """Return a protocol that a transport joins to ``pipes``."""
    recorder = Recorder(fails)
    ThreadedStdio(recorder, pipes.stdin, pipes.stdout, reactor)
    return recorder


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """Return pipes that are closed after the test."""
    made = Pipes()
    yield made
    made.close_all()


async def pause() -> None:
    """Let the reactor run long enough for what should not come to pass."""
    await task.deferLater(reactor, 0.1)


class ReadingTests:
    """What is read."""

    @ensure_deferred
    async def test_all(self, pipes: Pipes) -> None:
        """All is delivered as it comes, then the end, once."""
        recorder = connect(pipes)
        os.write(pipes.typing, b"hello\nthere")
        await until(lambda: recorder.read == b"hello\nthere")
        pipes.close(pipes.typing)
        await until(lambda: "input ended" in recorder.events)
        recorder.transport.pauseProducing()
        recorder.transport.resumeProducing()
        await pause()
        assert recorder.events.count("input ended") == 1

    @ensure_deferred
    async def test_paused(self, pipes: Pipes) -> None:
        """While paused nothing is delivered, the end neither, and no more than one chunk is read ahead."""
        recorder = connect(pipes)
        recorder.transport.pauseProducing()
        os.write(pipes.typing, b"one")
        await pause()
        assert recorder.events == []
        os.write(pipes.typing, b"two")
        pipes.close(pipes.typing)
        await pause()
        assert recorder.events == []
        assert os.read(pipes.stdin, 100) == b"two"
        recorder.transport.resumeProducing()
        assert recorder.events == []
        await until(lambda: "input ended" in recorder.events)
        assert recorder.events == ["read", "input ended"]

    @ensure_deferred
    async def test_paused_at_the_end(self, pipes: Pipes) -> None:
        """The end that was read ahead comes when the protocol goes on."""
        recorder = connect(pipes)
        recorder.transport.pauseProducing()
        pipes.close(pipes.typing)
        await pause()
        assert recorder.events == []
        recorder.transport.resumeProducing()
        await until(lambda: recorder.events == ["input ended"])

    @ensure_deferred
    async def test_paused_meanwhile(self, pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
        """A protocol that pauses for what it is given gets the next chunk when it goes on."""
        recorder = connect(pipes)
        read = recorder.dataReceived
        monkeypatch.setattr(
            recorder, "dataReceived", lambda data: (read(data), recorder.transport.pauseProducing())
        )
        os.write(pipes.typing, b"one")
        await until(lambda: recorder.read == b"one")
        os.write(pipes.typing, b"two")
        await pause()
        assert recorder.read == b"one"
        recorder.transport.resumeProducing()
        await until(lambda: recorder.read == b"onetwo")

    @ensure_deferred
    async def test_file(self, pipes: Pipes, tmp_path: Path) -> None:
        """A file is read in chunks to its end, byte for byte."""
        text = bytes(range(256)) * (CHUNK // 128)
        (tmp_path / "file").write_bytes(text)
        with (tmp_path / "file").open("rb") as file:
            recorder = Recorder()
            ThreadedStdio(recorder, file.fileno(), pipes.stdout, reactor)
            await until(lambda: "input ended" in recorder.events)
        assert recorder.read == text
        assert len(recorder.events) == 3

    @ensure_deferred
    async def test_nothing_to_read(self, pipes: Pipes) -> None:
        """Without an input nothing ends."""
        recorder = Recorder()
        ThreadedStdio(recorder, None, pipes.stdout, reactor)
        recorder.transport.pauseProducing()
        recorder.transport.resumeProducing()
        await pause()
        assert recorder.events == []
        recorder.transport.loseConnection()
        assert await recorder.lost is ConnectionDone

    @ensure_deferred
    async def test_unreadable(self, pipes: Pipes) -> None:
        """What can't be read is at its end."""
        recorder = Recorder()
        ThreadedStdio(recorder, pipes.typing, pipes.stdout, reactor)
        await until(lambda: recorder.events == ["input ended"])

    @pytest.mark.parametrize("event", ["read", "input ended"])
    @ensure_deferred
    async def test_fails(self, pipes: Pipes, event: str) -> None:
        """A protocol that fails has lost the connection, and the log tells why."""
        recorder = connect(pipes, event)
        with written() as log:
            os.write(pipes.typing, b"hello")
            pipes.close(pipes.typing)
            assert await recorder.lost is ZeroDivisionError
        assert log.texts == ["standard input or output failed"]


class WritingTests:
    """What is written."""

    @ensure_deferred
    async def test_all(self, pipes: Pipes) -> None:
        """All is written in its order before the connection is lost; nothing is read any more."""
        recorder = connect(pipes)
        text = "½".encode() * (MORE_THAN_A_PIPE_HOLDS // 2)
        for begin in range(0, len(text), 999):
            recorder.transport.write(text[begin : begin + 999])
        recorder.transport.loseConnection()
        os.write(pipes.typing, b"hello")
        await pause()
        assert not recorder.lost.called
        seen = b""
        while len(seen) < len(text):
            seen += os.read(pipes.seeing, CHUNK)
            await task.deferLater(reactor, 0)
        assert await recorder.lost is ConnectionDone
        assert seen == text
        assert recorder.events == []

    @ensure_deferred
    async def test_producer(self, pipes: Pipes) -> None:
        """A pull producer hears each time when all is written, and not before."""
        recorder, asked = connect(pipes), [""] * 0
        recorder.transport.registerProducer(DrainProducer(lambda: asked.append("more")), False)
        assert asked == ["more"]
        recorder.transport.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
        await pause()
        assert asked == ["more"]
        left = MORE_THAN_A_PIPE_HOLDS
        while left:
            left -= len(os.read(pipes.seeing, left))
        await until(lambda: len(asked) == 2)
        recorder.transport.unregisterProducer()
        recorder.transport.write(b"more")
        await pause()
        assert len(asked) == 2

    @ensure_deferred
    async def test_nobody_reads(self, pipes: Pipes) -> None:
        """It is told once that nobody reads; what is read is delivered, until both are let go of."""
        recorder, asked = connect(pipes), [""] * 0
        recorder.transport.registerProducer(DrainProducer(lambda: asked.append("more")), False)
        pipes.close(pipes.seeing)
        for _ in range(3):
            recorder.transport.write(b"hello?")
        await until(lambda: recorder.events == ["nobody reads"])
        recorder.transport.write(b"hello?")
        os.write(pipes.typing, b"hello")
        await until(lambda: recorder.read == b"hello")
        assert recorder.events == ["nobody reads", "read"]
        assert asked == ["more"]

    @ensure_deferred
    async def test_let_go_of_unseen(self, pipes: Pipes) -> None:
        """Where nobody reads any more, nothing is waited for when both are to be let go of."""
        recorder = connect(pipes)
        pipes.close(pipes.seeing)
        recorder.transport.write(b"hello?")
        await until(lambda: recorder.events == ["nobody reads"])
        assert not recorder.transport.disconnecting
        recorder.transport.loseConnection()
        assert recorder.transport.disconnecting
        assert await recorder.lost is ConnectionDone

    @ensure_deferred
    async def test_nobody_reads_at_the_end(self, pipes: Pipes) -> None:
        """While it is closed the end does not wait for a reader that is gone."""
        recorder = connect(pipes)
        recorder.transport.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
        recorder.transport.loseConnection()
        await pause()
        pipes.close(pipes.seeing)
        assert await recorder.lost is ConnectionDone
        assert recorder.events == []

    @ensure_deferred
    async def test_let_go(self, pipes: Pipes) -> None:
        """Both can be let go of at once, and once."""
        recorder = connect(pipes)
        recorder.transport.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
        for _ in range(2):
            recorder.transport.connectionLost(Failure(ConnectionAborted()))
        assert await recorder.lost is ConnectionAborted
        recorder.transport.write(b"more")
        recorder.transport.loseConnection()


class PiecesTests:
    """What is written at a time."""

    def test_characters(self) -> None:
        """No character is torn; bytes that are none are taken as they come."""
        text = "a½日😀" * 10
        for size in range(4, 12):
            made = list(pieces(text.encode(), size))
            assert "".join(piece.decode() for piece in made) == text
            assert max(map(len, made)) <= size
        assert b"".join(pieces(b"\x80" * 100, 8)) == b"\x80" * 100
        assert list(pieces(b"")) == []
