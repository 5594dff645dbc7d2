"""Tests of `techboy.terminal.prompt.console` that need none; see `tests.functional.test_wine`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from techboy.terminal.prompt.console import Screen
from tests.terminal.screens import run, until


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return both ends of a pipe, of which the test may close the one that is read."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


class ScreenTests:
    """What is written to a console."""

    def test_put(self, pipe: tuple[int, int]) -> None:
        """What is printed is what the console can show, is written at once, and told of in the next turn."""
        reading, writing = pipe
        told: list[str] = []

        async def test() -> None:
            screen = Screen(writing, lambda: told.append("written"), lambda: told.append("lost"))
            screen.printed = bytes.upper
            screen.put("one ½ ".encode())
            assert not told
            screen.write("two 💌")
            assert os.read(reading, 100).decode() == "ONE ½ two 💌"
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
            screen = Screen(writing, lambda: None, lambda: told.append("lost"))
            screen.put(b"one")
            screen.put(b"two")
            assert not told
            await until(lambda: told)
            assert told == ["lost"]

        run(test())

    def test_stream(self, pipe: tuple[int, int]) -> None:
        """It looks like a text stream of a terminal."""
        screen = Screen(pipe[1], lambda: None, lambda: None)
        screen.flush()
        assert (screen.fileno(), screen.isatty(), screen.encoding) == (pipe[1], True, "utf-8")
        os.close(pipe[0])
