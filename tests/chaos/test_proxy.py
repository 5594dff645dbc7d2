"""The bad network does to connections what it says."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeAlias

from tests.chaos.lines import chance
from tests.chaos.proxy import LOOPBACK, Cut, Proxy, Stream
from tests.chaos.run import free_port
from tests.marks import needs_resets

SEED = 1597
PATIENCE = 0.3


class Unhurried(Random):
    """Chance that always takes as long as it may, and the first that there is."""

    def random(self) -> float:
        return 0.5

    def uniform(self, a: float, b: float) -> float:
        return b

    def choice(self, seq: Any) -> Any:
        return seq[0]


class Echo:
    """A host that sends back what comes, and remembers it."""

    def __init__(self) -> None:
        self.heard, self.calls, self.ends = bytearray(), 0, asyncio.Queue[str]()

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.calls += 1
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.put_nowait("end")
        except ConnectionError:
            self.ends.put_nowait("reset")
        writer.close()


class Caller:
    """Somebody who calls the proxy."""

    def __init__(self, stream: Stream) -> None:
        self.reader, self.writer = stream

    async def echoes(self, data: bytes) -> None:
        """Send ``data`` and hear it again."""
        self.writer.write(data)
        assert await self.reader.readexactly(len(data)) == data

    async def rest(self) -> tuple[bytes, str]:
        """Return what still comes, and how it ends."""
        data = b""
        try:
            while arrived := await self.reader.read(65536):
                data += arrived
        except ConnectionError:
            return data, "reset"
        return data, "end"


@asynccontextmanager
async def calling(proxy: Proxy) -> AsyncIterator[Caller]:
    """Somebody who calls the proxy, and hangs up at the end."""
    caller = Caller(await asyncio.open_connection(LOOPBACK, proxy.port))
    try:
        yield caller
    finally:
        caller.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def echoing(rng: Random) -> AsyncIterator[tuple[Echo, Proxy, Caller]]:
    """A host, a proxy before it, and a caller who has spoken to the host."""
    echo = Echo()
    server = await asyncio.start_server(echo.answer, LOOPBACK, 0)
    port: int = server.sockets[0].getsockname()[1]
    async with server, Proxy(port, rng, PATIENCE) as proxy, calling(proxy) as caller:
        await caller.echoes(b"hello")
        yield echo, proxy, caller


Test: TypeAlias = Callable[[Any, Echo, Proxy, Caller], Coroutine[None, None, None]]


def each(test: Test) -> Callable[[object], None]:
    """Run ``test`` with a host, a proxy and a caller, who take all the time that chance gives them."""

    async def run(self: object) -> None:
        async with echoing(Unhurried()) as (echo, proxy, caller):
            await asyncio.wait_for(test(self, echo, proxy, caller), 20)

    def whole(self: object) -> None:
        asyncio.run(run(self))

    return whole


class ProxyTests:
    """The bad network."""

    def test_all_goes_through(self) -> None:
        """What is late or in halves is whole and in order, and an end is an end."""

        async def talk() -> None:
            async with echoing(chance(SEED)) as (echo, _, caller):
                sent = chance(SEED).randbytes(1_000_000)
                caller.writer.write(sent)
                caller.writer.write_eof()
                assert await caller.rest() == (sent, "end")
                assert echo.heard == b"hello" + sent

        asyncio.run(asyncio.wait_for(talk(), 20))

    @needs_resets
    def test_nobody_listens(self) -> None:
        """Who calls is not left waiting; and when somebody listens, calls go through."""

        async def talk() -> None:
            async with Proxy(free_port(), chance(SEED), PATIENCE) as proxy:
                async with calling(proxy) as caller:
                    assert await caller.rest() == (b"", "reset")
                assert (proxy.done, proxy.calls) == ({"refused": 1}, 1)
                assert not await proxy.cut(Cut.RESET)

        asyncio.run(asyncio.wait_for(talk(), 20))

    @needs_resets
    @each
    async def test_reset(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """Both ends find the connection broken."""
        assert await proxy.cut(Cut.RESET)
        assert await caller.rest() == (b"", "reset")
        assert await echo.ends.get() == "reset"
        assert proxy.done == {"reset": 1}

    @each
    async def test_closed(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """Both ends see an end."""
        assert await proxy.cut(Cut.CLOSED)
        assert await caller.rest() == (b"", "end")
        assert await echo.ends.get() == "end"

    @needs_resets
    @each
    async def test_torn(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """A part of what is sent arrives, and no more."""
        cut = asyncio.ensure_future(proxy.cut(Cut.TORN))
        await asyncio.sleep(0)
        caller.writer.write(b"x" * 1000)
        assert await cut
        assert await echo.ends.get() == "reset"
        assert 0 < len(echo.heard) - 5 < 1000
        assert (await caller.rest())[1] == "reset"

    @needs_resets
    @each
    async def test_swallowed(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """What the host sends does not arrive, what the caller sends does."""
        cut = asyncio.ensure_future(proxy.cut(Cut.SWALLOWED))
        await asyncio.sleep(0)
        caller.writer.write(b"to be swallowed")
        assert await cut
        assert await caller.rest() == (b"", "reset")
        assert echo.heard == b"helloto be swallowed"

    @needs_resets
    @each
    async def test_silent(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """Who calls again is not answered, and after a while cut off; the next is answered again."""
        assert await proxy.cut(Cut.SILENT)
        assert await caller.rest() == (b"", "reset")
        async with calling(proxy) as again:
            again.writer.write(b"anybody there?")
            assert await again.rest() == (b"", "reset")
        assert (echo.calls, proxy.calls) == (1, 2)
        async with calling(proxy) as again:
            await again.echoes(b"at last")

    @each
    async def test_frozen(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """Nothing arrives until it thaws, then everything does."""
        cut = asyncio.ensure_future(proxy.cut(Cut.FROZEN))
        await asyncio.sleep(0)
        caller.writer.write(b"cold")
        assert proxy.done == {}
        assert await caller.reader.readexactly(4) == b"cold"
        assert proxy.done == {Cut.FROZEN.value: 1}
        assert await cut
        await caller.echoes(b"warm")

    @needs_resets
    @each
    async def test_late(self, echo: Echo, proxy: Proxy, caller: Caller) -> None:
        """What the caller sent last arrives when it has called again."""
        cut = asyncio.ensure_future(proxy.cut(Cut.LATE))
        await asyncio.sleep(0)
        caller.writer.write(b"late")
        assert await caller.rest() == (b"", "reset")
        async with calling(proxy) as again:
            await again.echoes(b"early")
            assert await cut
            assert await echo.ends.get() == "end"
        assert echo.heard == b"helloearlylate"
