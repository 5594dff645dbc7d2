"""A terminal with a screen that can be looked at: what a person sees of a program, and types to it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyte

from tests.functional.programs import (
    DEADLINE,
    IN_CONTROLLING_TERMINAL,
    LOOPBACK,
    TWIST,
    Program,
    Programs,
)
from tests.screen import rows_of

ROWS, COLUMNS = 12, 60


class Emulator(pyte.HistoryScreen):
    """A terminal emulator that counts bells, remembers what scrolls away, and answers by ``answer``."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        self.bells, self._answer = 0, answer
        super().__init__(columns, rows, history=10000, ratio=0.5)

    def bell(self, *_: Any) -> None:
        self.bells += 1

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Screen(Program):
    """A program in a terminal of its own that has a screen."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, rows: int = ROWS, columns: int = COLUMNS
    ) -> None:
        self._keyboard, self._device = pty.openpty()
        self.emulator = Emulator(columns, rows, self.writes)
        self._stream = pyte.ByteStream(self.emulator)
        self._resize(rows, columns)
        self.modes_before = self.modes
        controlled = [sys.executable, "-c", IN_CONTROLLING_TERMINAL, *command]
        super().__init__(controlled, folder, self._device, self._device, self._device)

    @property
    def port(self) -> int:
        """Where Romeo says that he listens."""
        self.shows("Listening")
        found = re.search(r"Listening for connection on \S+:(\d+)\.\.\.", "\n".join(self.everything))
        assert found is not None
        return int(found[1])

    @property
    def modes(self) -> list[Any]:
        """What termios(3) knows of the terminal."""
        return termios.tcgetattr(self._device)

    @property
    def rows(self) -> list[str]:
        """What is to be seen, without blanks at the ends, and blank rows at the bottom."""
        return rows_of(self.emulator)

    @property
    def everything(self) -> list[str]:
        """All rows, those that have scrolled away too."""
        columns = range(self.emulator.columns)
        above = ["".join(row[x].data for x in columns).rstrip() for row in self.emulator.history.top]
        return [*above, *self.rows]

    @property
    def said(self) -> list[str]:
        """All that was ever shown above the prompt, without the times."""
        return [row[6:] for row in self.everything if re.match(r"\d\d:\d\d ", row)]

    @property
    def is_as_before(self) -> bool:
        """Whether whoever uses the terminal next finds it as it was."""
        screen = self.emulator
        return (
            self.modes == self.modes_before
            and not screen.cursor.hidden
            and _BRACKETED_PASTE not in screen.mode
        )

    @property
    def is_tidy(self) -> bool:
        """Whether it is as it was, and the cursor on a new line."""
        screen = self.emulator
        on_new_line = screen.cursor.x == 0 and not screen.display[screen.cursor.y].strip()
        return on_new_line and self.is_as_before

    def until(self, condition: Callable[[list[str]], object]) -> list[str]:
        """Return what is to be seen, as soon as ``condition`` holds for its rows."""
        deadline = time.monotonic() + DEADLINE
        while not condition(self.rows):
            timeout = deadline - time.monotonic()
            assert timeout > 0, f"it was not to be seen:\n{self._seen()}"
            self._take(min(timeout, 0.05))
        return self.rows

    def shows(self, text: str) -> None:
        """Wait until ``text`` is somewhere in a row of the screen."""
        self.until(lambda rows: any(text in row for row in rows))

    def has_said(self, *lines: str) -> None:
        """Wait until ``lines`` are the last of all that was ever shown above the prompt."""
        self.until(lambda _: self.said[-len(lines) :] == list(lines))

    def stands(self, *rows: str) -> None:
        """Wait until ``rows`` are the last on the screen."""
        self.until(lambda all_rows: all_rows[-len(rows) :] == list(rows))

    def writes(self, text: str) -> None:
        """Type ``text``."""
        os.write(self._keyboard, text.encode())

    def pastes(self, text: str) -> None:
        """Paste ``text``, as a terminal does that was asked to say so."""
        assert _BRACKETED_PASTE in self.emulator.mode
        self.writes(f"\x1b[200~{text}\x1b[201~")

    def scribbles(self, text: str) -> None:
        """Let something else write to the terminal."""
        os.write(self._device, text.encode())

    @property
    def foreground(self) -> int:
        """Which group of processes has the terminal: the number of its first."""
        return os.tcgetpgrp(self._keyboard)

    def resizes(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        self.emulator.resize(rows, columns)
        self._resize(rows, columns)

    def hangs_up(self) -> None:
        """Be gone, as a terminal whose window was closed."""
        os.close(self._device)
        os.close(self._keyboard)
        self._keyboard = self._device = -1

    def ends(self) -> int:
        """Wait for its end, while all is seen, and return its exit status."""
        deadline = time.monotonic() + DEADLINE
        while (status := self.process.poll()) is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self._seen()}"
            self._take(0.02)
        self._take(0)
        return status

    def close(self) -> None:
        """End it if it did not end by itself, and put the terminal away."""
        super().close()
        if self._keyboard >= 0:
            os.close(self._device)
            os.close(self._keyboard)

    def _said_in_all(self) -> str:
        self._take(0)
        return self._seen()

    def _seen(self) -> str:
        return "\n".join(self.everything)

    def _take(self, timeout: float) -> None:
        """Let the screen show what has come, or comes within ``timeout`` seconds."""
        if self._keyboard < 0:
            time.sleep(timeout)  # a closed screen has nothing to wait on
            return
        while select.select([self._keyboard], [], [], timeout)[0]:
            timeout = 0
            self._stream.feed(os.read(self._keyboard, 1 << 16))

    def _resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


_BRACKETED_PASTE = 2004 << 5  # how pyte remembers a mode of its own kind


class Screens(Programs):
    """Programs, of which some are in terminals with screens."""

    def on_screen(self, *command: str | Path, rows: int = ROWS, columns: int = COLUMNS) -> Screen:
        """Start any program in a terminal with a screen of that size."""
        screen = Screen(command, self.folder, rows, columns)
        self._started.callback(screen.close)
        return screen

    def romeo_on_screen(self, *options: str, port: int = 0, columns: int = COLUMNS) -> Screen:
        """Start Romeo on ``port``, or on one that is free."""
        return self.on_screen(*ROMEO, "--port", str(port), *options, columns=columns)

    def juliet_on_screen(self, port: int, *options: str, columns: int = COLUMNS) -> Screen:
        """Start Juliet, who calls ``port``."""
        return self.on_screen(*JULIET, "--port", str(port), *options, columns=columns)

    def send(self, pid: int, number: int) -> None:
        """Send a signal to a process that a shell started."""
        os.kill(pid, number)


_TWIST = (TWIST, "--reactor", "asyncio")
ROMEO = (*_TWIST, "romeo", "--host", LOOPBACK)
JULIET = (*_TWIST, "juliet", "--host", LOOPBACK)
