"""Tests of `techboy.terminal.prompt.console` that need none; see `tests.functional.test_wine`."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Iterator

import pytest

from techboy.terminal.prompt import console
from techboy.terminal.prompt.console import DirectScreen, ThreadedScreen
from tests.marks import needs_readiness
from tests.terminal.screens import run, settle, until

# a pipe stands in for the console; tests.functional.test_wine has consoles
pytestmark = needs_readiness


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return both ends of a pipe, of which the test may close the one that is read."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


class ConsoleTests:
    """`console`."""

    def test_mode(self, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """The console is in the end in the mode in which it was found."""
        modes: list[object] = []
        monkeypatch.setattr(console, "console_mode", lambda descriptor: f"mode of {descriptor}")
        monkeypatch.setattr(console, "set_console_mode", lambda *arguments: modes.append(arguments))

        async def test() -> None:
            ends = console.open_console(*pipe, lambda: None, lambda: None)
            modes.clear()  # it may have been given another one
            ends.close()

        run(test())
        assert modes == [(pipe[1], f"mode of {pipe[1]}")]
        os.close(pipe[0])


class DirectScreenTests:
    """A console that is written to at once."""

    def test_put(self, pipe: tuple[int, int]) -> None:
        """What is printed is written at once, without colours, and told of in the next turn."""
        reading, writing = pipe
        told: list[str] = []

        async def test() -> None:
            screen = DirectScreen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.put("\x1b[1mone ½ \x1b[m".encode())
            assert not told
            screen.write("two 💌")
            assert os.read(reading, 100).decode() == "one ½ two 💌"
            await until(lambda: told == ["written"])
            screen.close()
            screen.write("nobody sees it")

        run(test())
        os.set_blocking(reading, False)
        with pytest.raises(BlockingIOError):
            os.read(reading, 100)
        os.close(reading)

    def test_lost(self, pipe: tuple[int, int]) -> None:
        """That a console is gone is told once, in the next turn."""
        reading, writing = pipe
        os.close(reading)
        told: list[str] = []

        async def test() -> None:
            screen = DirectScreen(writing, lambda: None, lambda: told.append("lost"))
            screen.put(b"one")
            screen.put(b"two")
            assert not told
            await until(lambda: told)
            assert told == ["lost"]

        run(test())

    def test_stream(self, pipe: tuple[int, int]) -> None:
        """It looks like a text stream of a terminal."""
        screen = DirectScreen(pipe[1], lambda: None, lambda: None)
        screen.flush()
        assert (screen.fileno(), screen.isatty(), screen.encoding) == (pipe[1], True, "utf-8")
        os.close(pipe[0])


class ThreadedScreenTests:
    """A console that may have to be waited for."""

    def test_turns(self, pipe: tuple[int, int]) -> None:
        """What is given in a turn is written together and in its order, and told of when nothing is left."""
        reading, writing = pipe
        told: list[str] = []

        async def test() -> None:
            screen = ThreadedScreen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.put(b"\x1b[1mone ")
            screen.write("½")
            assert (screen.is_blocked, screen.unwritten) == (False, 10)
            await asyncio.sleep(0)
            screen.put(b" two")
            await until(lambda: told)
            assert (screen.is_blocked, screen.unwritten) == (False, 0)
            screen.close()

        run(test())
        assert told == ["written"]
        assert os.read(reading, 100).decode() == "\x1b[1mone ½ two"
        os.close(reading)

    def test_halted(self, pipe: tuple[int, int]) -> None:
        """While the console takes nothing the loop goes on; what comes meanwhile is written later."""
        reading, writing = pipe
        told: list[str] = []
        much = b"x" * (1 << 20)

        async def test() -> None:
            screen = ThreadedScreen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.put(much)
            await until(lambda: screen.is_blocked)
            screen.put(b"the rest")
            assert screen.unwritten == len(much) + len(b"the rest")
            read = b""
            while not told:
                await asyncio.sleep(0)
                if select.select([reading], [], [], 0)[0]:
                    read += os.read(reading, 1 << 20)
            assert read == much + b"the rest"
            screen.close()

        run(test())
        os.close(reading)

    def test_abandoned(self, pipe: tuple[int, int]) -> None:
        """Closed while the console takes nothing, it writes no more than has begun, and tells nothing."""
        reading, writing = pipe
        told: list[str] = []

        async def test() -> None:
            screen = ThreadedScreen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.put(b"x" * (1 << 20))
            await until(lambda: screen.is_blocked)
            screen.put(b"more")
            screen.close()
            screen.put(b"nobody sees it")
            assert (screen.is_blocked, screen.unwritten) == (False, 0)
            os.close(reading)
            await settle()

        run(test())
        assert not told

    def test_lost(self, pipe: tuple[int, int]) -> None:
        """That a console is gone is told once."""
        reading, writing = pipe
        os.close(reading)
        told: list[str] = []

        async def test() -> None:
            screen = ThreadedScreen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.put(b"one")
            await until(lambda: told)
            screen.put(b"two")
            await settle()
            assert told == ["lost"]
            screen.close()

        run(test())

    def test_closed_before(self, pipe: tuple[int, int]) -> None:
        """Closed in the turn in which something was given, it does not write it."""
        reading, writing = pipe

        async def test() -> None:
            screen = ThreadedScreen(writing, lambda: None, lambda: None)
            screen.put(b"one")
            screen.close()
            await settle()

        run(test())
        assert not select.select([reading], [], [], 0)[0]
        os.close(reading)
