"""Tests of `techboy.terminal.prompt.tty`."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prompt_toolkit.data_structures import Size

from techboy.terminal.prompt.console import open_console
from techboy.terminal.prompt.tty import DEFAULT_SIZE, open_posix_terminal, open_terminal, size_of
from tests.marks import posix
from tests.terminal.screens import run, until

fcntl = posix("fcntl")
pty = posix("pty")
termios = posix("termios")


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    """Return both ends of a terminal: what a person has, and the program."""
    person, device = pty.openpty()
    yield person, device
    os.close(device)
    os.close(person)


class EndsTests:
    """Keyboard and screen of a terminal."""

    @pytest.mark.parametrize("kind", [open_posix_terminal, open_console, open_terminal])
    def test_both(self, line: tuple[int, int], kind: Callable[..., Any]) -> None:
        """What is typed is read, and all that is written comes in order; then both are let go of."""
        person, device = line
        told: list[str] = []

        async def test() -> None:
            ends = kind(device, device, lambda: told.append("written"), lambda: told.append("lost"))
            ends.output.write_raw("one ")
            ends.output.flush()
            ends.writer.put("½ ".encode())
            ends.output.write("two")
            ends.output.flush()
            await until(lambda: told)
            assert set(told) == {"written"}
            assert (ends.writer.is_blocked, ends.writer.unwritten) == (False, 0)
            assert os.read(person, 100).decode() == "one ½ two"
            os.write(person, b"x\n")
            assert next(key.data for key in ends.input.read_keys()) == "x"
            ends.close()

        run(test())
        os.fstat(device)  # which is still open

    def test_size(self, line: tuple[int, int]) -> None:
        """The size is the terminal's, or a usual one where it does not say."""
        assert size_of(line[1]) == DEFAULT_SIZE
        fcntl.ioctl(line[1], termios.TIOCSWINSZ, struct.pack("HHHH", 7, 30, 0, 0))
        assert size_of(line[1]) == Size(rows=7, columns=30)
        reading, writing = os.pipe()
        assert size_of(reading) == DEFAULT_SIZE
        os.close(reading)
        os.close(writing)
