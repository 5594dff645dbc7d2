"""A bad network: a TCP proxy that cuts, holds back, tears and swallows what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import Event, StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum
from random import Random
from typing import TypeAlias

LOOPBACK = "127.0.0.1"
Stream: TypeAlias = tuple[StreamReader, StreamWriter]

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset
_HALVED = 0.05  # of the chunks come in two halves
_DELAY = 0.03  # seconds that the second half comes later, at most
_LATENCIES = (0.0, 0.0, 0.005, 0.02)  # seconds
_REFUSED = "refused"


class Cut(Enum):
    """A way in which a connection ends, or seems to."""

    RESET = "reset"
    CLOSED = "closed in order"
    TORN = "torn within a frame"
    SWALLOWED = "swallowed what Romeo sent, then reset"
    SILENT = "reset, and the next call not answered"
    FROZEN = "frozen both ways, then all of it delivered"
    LATE = "reset for Juliet, delivered to Romeo later"


class Way:
    """One way of a link: what comes from ``source`` goes to ``sink``, until it is at its end.

    It is held back while ``open`` is not set; it is lost where the way ``swallows``; a way that ``tears``
    lets a part of the next chunk through and then ends with an error.
    """

    def __init__(self, source: StreamReader, sink: StreamWriter, rng: Random) -> None:
        self._source, self._sink, self._rng = source, sink, rng
        self.open, self.swallows, self.tears, self.torn = Event(), False, False, Event()
        self._latency = rng.choice(_LATENCIES)
        self.open.set()

    async def run(self) -> None:
        """Forward until the end; raise OSError where the connection breaks."""
        while data := await self._source.read(_CHUNK):
            await self.open.wait()
            if self.tears:
                await self._send(data[: self._rng.randrange(len(data))])
                self.torn.set()
                raise ConnectionResetError("torn")
            if not self.swallows:
                await self._forward(data)
        self._sink.write_eof()

    async def _forward(self, data: bytes) -> None:
        await asyncio.sleep(self._latency)
        if self._rng.random() < _HALVED:
            half = self._rng.randrange(len(data))
            await self._send(data[:half])
            await asyncio.sleep(self._rng.uniform(0, _DELAY))
            data = data[half:]
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        if data and not self._sink.is_closing():
            self._sink.write(data)
            await self._sink.drain()


class Link:
    """A caller and the host that it called, with the proxy between them."""

    def __init__(self, caller: Stream, host: Stream, rng: Random) -> None:
        self.up, self.down = Way(caller[0], host[1], rng), Way(host[0], caller[1], rng)
        self._caller, self._host = caller[1], host[1]
        self.struck, self.ended = False, Event()

    async def run(self) -> None:
        """Forward both ways until both are at their end; a connection that breaks breaks the other."""
        ways = [asyncio.ensure_future(way.run()) for way in (self.up, self.down)]
        try:
            await asyncio.gather(*ways)
            self.close()
            await asyncio.gather(self._caller.wait_closed(), self._host.wait_closed())
        except OSError:
            pass  # broken, or cut
        finally:
            for way in ways:
                way.cancel()
            self.reset()
            self.ended.set()

    def close(self) -> None:
        """Close both connections in good order."""
        self._caller.close()
        self._host.close()

    def reset(self) -> None:
        """Break both connections, as far as they are not closed."""
        _reset(self._caller)
        _reset(self._host)

    def lose_caller(self) -> None:
        """Break the caller's connection. The host is not told, and what was on its way to it is held back."""
        self.up.open.clear()
        self.down.swallows = True
        _reset(self._caller)

    def hold(self) -> None:
        """Hold everything back."""
        self.up.open.clear()
        self.down.open.clear()

    def release(self) -> None:
        """Deliver what was held back."""
        self.up.open.set()
        self.down.open.set()


class Proxy:
    """Forwards calls to ``target``, a port of this machine, and does harm when it is told to.

    While nobody listens there, calls are broken at once. ``timeout``: seconds after which the programs
    give up a connection where nothing comes; harm that lasts takes about as long.
    ``done``: what was done how often; ``calls``: how often it was called.
    """

    def __init__(self, target: int, rng: Random, timeout: float) -> None:
        self.target, self.calls, self.done = target, 0, Counter[str]()
        self._rng, self._timeout = rng, timeout
        self._links: list[Link] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._silences: list[float] = []
        self._cuts: dict[Cut, Callable[[Link], Awaitable[None]]] = {
            Cut.RESET: self._reset,
            Cut.CLOSED: self._close,
            Cut.TORN: self._tear,
            Cut.SWALLOWED: self._swallow,
            Cut.SILENT: self._silence,
            Cut.FROZEN: self._freeze,
            Cut.LATE: self._deliver_late,
        }

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._called, LOOPBACK, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await self._server.wait_closed()

    async def cut(self, kind: Cut) -> bool:
        """Do harm of this kind to some link; return when it is done, or at once False where there is none."""
        links = [link for link in self._links if not link.struck]
        if not links:
            return False
        link = self._rng.choice(links)
        link.struck = True
        await self._cuts[kind](link)
        link.struck = False
        return True

    async def _reset(self, link: Link) -> None:
        link.reset()
        self._count(Cut.RESET)

    async def _close(self, link: Link) -> None:
        link.close()
        self._count(Cut.CLOSED)

    async def _tear(self, link: Link) -> None:
        way = self._rng.choice([link.up, link.down])
        way.tears = True
        await link.ended.wait()
        if way.torn.is_set():
            self._count(Cut.TORN)

    async def _swallow(self, link: Link) -> None:
        link.down.swallows = True
        await self._while()
        link.reset()
        self._count(Cut.SWALLOWED)

    async def _silence(self, link: Link) -> None:
        self._silences.append(self._rng.uniform(0, 2 * self._timeout))
        link.reset()
        self._count(Cut.SILENT)

    async def _freeze(self, link: Link) -> None:
        link.hold()
        await self._while()
        link.release()
        self._count(Cut.FROZEN)

    async def _deliver_late(self, link: Link) -> None:
        link.up.open.clear()
        await asyncio.sleep(self._rng.uniform(0, self._timeout / 5))
        link.lose_caller()
        await asyncio.sleep(self._rng.uniform(0, self._timeout))
        link.release()
        self._count(Cut.LATE)

    async def _while(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, 2 * self._timeout))

    def _count(self, cut: Cut) -> None:
        self.done[cut.value] += 1

    async def _called(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.calls += 1
        # the proxy may be closed meanwhile, and the server would report a task that was cancelled as an error
        with contextlib.suppress(asyncio.CancelledError):
            await self._answer((reader, writer))
        _reset(writer)
        self._tasks.discard(task)

    async def _answer(self, caller: Stream) -> None:
        if self._silences:
            await asyncio.sleep(self._silences.pop())
            return
        try:
            host = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            self.done[_REFUSED] += 1
            return
        link = Link(caller, host, self._rng)
        self._links.append(link)
        try:
            await link.run()
        finally:
            self._links.remove(link)


def _reset(writer: StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection.fileno() >= 0:  # or it is closed, and may not be aborted any more
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
