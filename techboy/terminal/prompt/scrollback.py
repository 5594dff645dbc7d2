"""What is shown above the prompt: gathered for a turn, printed in one go, and told of when it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from prompt_toolkit.utils import get_cwidth

UNWRITTEN_LIMIT = 64 * 1024
"""Bytes from which on nothing more should be taken from the other end."""

NOTICE_LIMIT = 128 * 1024
"""Bytes that may wait, with a notice that is added; one that would be beyond is dropped, as a screen may be
stuck for ever."""

_KEPT = 16 * 1024  # bytes of what was printed last, for a screen that is drawn anew

_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


class OutputEvents(Protocol):
    """Who is told how far the screen has come."""

    def output_full(self) -> None: ...
    def output_ready(self) -> None: ...
    def output_written(self) -> None: ...


class Capacity(Enum):
    """Whether more should be shown."""

    FREE = auto()
    FULL = auto()


class ScrollbackPrinter:
    """Lines to be printed above the prompt.

    ``soon`` calls `print` when the turn is over; ``print_now`` is given all that was gathered, as bytes.
    """

    def __init__(self, soon: Callable[[], None], print_now: Callable[[bytes], None]) -> None:
        self._soon, self._print_now = soon, print_now
        self._gathered: list[bytes] = []
        self._size = 0
        self._last = b""
        self._owed = False  # lines were printed, and may not be written yet
        self._room = Capacity.FREE

    @property
    def waits(self) -> bool:
        """Whether something was gathered that is not printed yet."""
        return bool(self._gathered)

    def has_room_for(self, size: int, unwritten: int) -> bool:
        """Whether a notice of ``size`` bytes may be added; ``unwritten`` bytes of earlier lines wait."""
        waiting = self._size + unwritten
        return not waiting or waiting + size <= NOTICE_LIMIT

    def add(self, lines: str, flow: OutputEvents, unwritten: int) -> None:
        """Print ``lines``, each with its LF; ``unwritten`` bytes of earlier ones wait."""
        data = lines.encode("utf-8", "replace")
        if not self._gathered:
            self._soon()
        self._gathered.append(data)
        self._size += len(data)
        if self._room is Capacity.FREE and self._size + unwritten > UNWRITTEN_LIMIT:
            self._room = Capacity.FULL
            flow.output_full()

    def print(self) -> bool:
        """Print what was gathered; return False where there is nothing."""
        if not self._gathered:
            return False
        data = b"".join(self._gathered)
        self._gathered, self._size, self._owed = [], 0, True
        self._last = _ending(self._last + data)
        self._print_now(_for_terminal(data))
        return True

    def written(self, flow: OutputEvents) -> None:
        """All that was printed is written: print what was gathered since, or tell that all is shown."""
        if self.print() or not self._owed:
            return
        self._owed = False
        flow.output_written()
        if self._room is Capacity.FULL:
            self._room = Capacity.FREE
            flow.output_ready()

    def forget(self) -> None:
        """Nothing more is printed."""
        self._gathered, self._size, self._owed = [], 0, False

    def last(self, rows: int, columns: int) -> bytes:
        """Return the last lines that fit into so many rows, one at least, to print them again."""
        lines: list[bytes] = []
        for line in reversed(self._last.splitlines(keepends=True)):
            rows -= _rows(line, columns)
            if rows < 0 and lines:
                break
            lines.insert(0, line)
        return _for_terminal(b"".join(lines))


def not_shown(notices: int) -> str:
    """Return the notice that so many notices were dropped because the screen was full."""
    return f"* {notices} notice{'s were' if notices > 1 else ' was'} not shown: the screen was full"


def without_colours(data: bytes) -> bytes:
    """Return ``data`` without the sequences that colour it."""
    return _COLOUR.sub(b"", data)


def _for_terminal(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")  # whatever the terminal does with a mere LF


def _ending(data: bytes) -> bytes:
    """Return the last lines of ``data`` that are kept."""
    return data if len(data) <= _KEPT else data[data.find(b"\n", -_KEPT) + 1 :]


def _rows(line: bytes, columns: int) -> int:
    """Return how many rows ``line`` takes on a screen of so many columns."""
    text = without_colours(line).decode().rstrip("\n")
    return max(1, -(-get_cwidth(text) // columns))
