"""Tests of `techboy.terminal.prompt.output_writer`, on real descriptors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from techboy.terminal.prompt.output_writer import NonBlockingWriter
from tests.marks import posix
from tests.terminal.screens import run, settle, until

pty = posix("pty")


class Line:
    """A terminal, or a pipe, and what the outflow into it tells."""

    def __init__(self, far: int, near: int) -> None:
        self.far, self.near = far, near
        self.events: list[str] = []
        self.blocking = os.get_blocking(near)

    def writer(self) -> NonBlockingWriter:
        return NonBlockingWriter(
            self.near, lambda: self.events.append("written"), lambda: self.events.append("lost")
        )

    async def reads(self, count: int) -> bytes:
        """Return the next ``count`` bytes that arrive."""
        os.set_blocking(self.far, False)
        read = bytearray()

        def arrived() -> bool:
            with suppress(BlockingIOError):
                read.extend(os.read(self.far, 1 << 16))
            return len(read) >= count

        await until(arrived)
        return bytes(read)

    def hang_up(self) -> None:
        os.close(self.far)
        self.far = -1


@pytest.fixture(params=["terminal", "pipe"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """Return a terminal, or a pipe, which can't be opened once more."""
    made = Line(*(pty.openpty() if request.param == "terminal" else os.pipe()))
    yield made
    for descriptor in (made.far, made.near):
        if descriptor >= 0:
            os.close(descriptor)


class OutflowTests:
    """Writing without waiting."""

    def test_written(self, line: Line) -> None:
        """What comes in one turn is written together, in order, and told of once."""

        async def test() -> None:
            writer = line.writer()
            writer.put(b"one ")
            writer.write("½ ")
            writer.flush()
            writer.put(b"two")
            assert (writer.unwritten, writer.is_blocked) == (10, False)
            await until(lambda: line.events)
            assert await line.reads(10) == "one ½ two".encode()
            assert (line.events, writer.unwritten) == (["written"], 0)
            writer.close()

        run(test())

    def test_stuck(self, line: Line) -> None:
        """Where nobody reads, nothing waits for it; all arrives when somebody does, whoever shares it."""

        async def test() -> None:
            writer, data = line.writer(), os.urandom(8).hex().encode() * 40000
            writer.put(data)
            await until(lambda: writer.is_blocked)
            writer.put(b"end")
            assert 0 < writer.unwritten <= len(data) + 3
            assert line.events == []
            assert os.get_blocking(line.near) is line.blocking
            assert await line.reads(len(data) + 3) == data + b"end"
            await until(lambda: line.events)
            assert (line.events, writer.is_blocked) == (["written"], False)
            writer.close()

        run(test())

    def test_lost(self, line: Line) -> None:
        """A terminal that is gone is told of once, and written nothing more."""

        async def test() -> None:
            writer = line.writer()
            line.hang_up()
            writer.put(b"hello")
            await until(lambda: line.events)
            writer.put(b"hello")
            await settle()
            assert (line.events, writer.unwritten) == (["lost"], 0)
            writer.close()

        run(test())

    def test_lost_while_stuck(self, line: Line) -> None:
        """So is one that is gone before it took everything."""

        async def test() -> None:
            writer = line.writer()
            writer.put(b"x" * 500000)
            await until(lambda: writer.is_blocked)
            line.hang_up()
            await until(lambda: line.events)
            assert (line.events, writer.unwritten) == (["lost"], 0)
            writer.close()

        run(test())

    @pytest.mark.parametrize("size", [5, 500000])
    def test_closed(self, line: Line, size: int) -> None:
        """What is not written when it is closed is not, and told nobody."""

        async def test() -> None:
            writer = line.writer()
            writer.put(b"x" * size)
            if size > 5:
                await until(lambda: writer.is_blocked)
            writer.close()
            writer.put(b"x")
            await settle()
            assert (line.events, writer.unwritten, writer.is_blocked) == ([], 0, False)

        run(test())

    def test_like_a_stream(self, line: Line) -> None:
        """It passes for a terminal's text stream."""
        writer = line.writer()
        assert (writer.fileno(), writer.isatty(), writer.encoding) == (line.near, True, "utf-8")
        writer.close()
