"""Printing above the prompt: output is gathered for one turn, printed at once, and reported when written."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from prompt_toolkit.utils import get_cwidth

UNWRITTEN_LIMIT = 64 * 1024
"""Bytes of pending output from which on the connection is paused."""

NOTICE_LIMIT = 128 * 1024
"""Bytes of pending output including a new notice; one beyond that is dropped, because a screen may be
blocked for ever.
"""

_KEPT_SIZE = 16 * 1024  # bytes of the last output, to redraw the screen

_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


class OutputEvents(Protocol):
    """Receives the state of the output."""

    def output_full(self) -> None: ...
    def output_ready(self) -> None: ...
    def output_written(self) -> None: ...


class Capacity(Enum):
    """Whether more output should be produced."""

    FREE = auto()
    FULL = auto()


class ScrollbackPrinter:
    """Prints lines above the prompt.

    ``schedule_print`` has to call `print` at the end of the turn; ``print_now`` receives the gathered bytes.
    """

    def __init__(self, schedule_print: Callable[[], None], print_now: Callable[[bytes], None]) -> None:
        self._schedule_print, self._print_now = schedule_print, print_now
        self._gathered: list[bytes] = []
        self._size = 0
        self._last_printed = b""
        self._awaits_write = False  # lines were printed that may not be written yet
        self._capacity = Capacity.FREE

    @property
    def has_pending(self) -> bool:
        """Whether there is output that is not printed yet."""
        return bool(self._gathered)

    def has_room_for(self, size: int, unwritten: int) -> bool:
        """Return whether a notice of ``size`` bytes may be added to ``unwritten`` bytes of printed output."""
        waiting = self._size + unwritten
        return not waiting or waiting + size <= NOTICE_LIMIT

    def add(self, lines: str, flow: OutputEvents, unwritten: int) -> None:
        """Add ``lines``, each with its LF; ``unwritten`` bytes of printed output are pending."""
        data = lines.encode("utf-8", "replace")
        if not self._gathered:
            self._schedule_print()
        self._gathered.append(data)
        self._size += len(data)
        if self._capacity is Capacity.FREE and self._size + unwritten > UNWRITTEN_LIMIT:
            self._capacity = Capacity.FULL
            flow.output_full()

    def print(self) -> bool:
        """Print the gathered output; return False if there is none."""
        if not self._gathered:
            return False
        data = b"".join(self._gathered)
        self._gathered, self._size, self._awaits_write = [], 0, True
        self._last_printed = _ending(self._last_printed + data)
        self._print_now(_with_crlf(data))
        return True

    def written(self, flow: OutputEvents) -> None:
        """Print what was gathered since, or tell ``flow`` that all output is written."""
        if self.print() or not self._awaits_write:
            return
        self._awaits_write = False
        flow.output_written()
        if self._capacity is Capacity.FULL:
            self._capacity = Capacity.FREE
            flow.output_ready()

    def discard(self) -> None:
        """Discard the gathered output."""
        self._gathered, self._size, self._awaits_write = [], 0, False

    def last_lines(self, rows: int, columns: int) -> bytes:
        """Return the last printed lines that fit into so many ``rows``, at least one line."""
        lines: list[bytes] = []
        for line in reversed(self._last_printed.splitlines(keepends=True)):
            rows -= _rows(line, columns)
            if rows < 0 and lines:
                break
            lines.insert(0, line)
        return _with_crlf(b"".join(lines))


def dropped_notices(notices: int) -> str:
    """Return the notice that so many notices were dropped because the screen was full."""
    return f"* {notices} notice{'s were' if notices > 1 else ' was'} not shown: the screen was full"


def without_colours(data: bytes) -> bytes:
    """Return ``data`` without its colour sequences."""
    return _COLOUR.sub(b"", data)


def _with_crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")  # in raw mode a terminal does not return the carriage at LF


def _ending(data: bytes) -> bytes:
    """Return the last lines of ``data``, at most `_KEPT_SIZE` bytes."""
    return data if len(data) <= _KEPT_SIZE else data[data.find(b"\n", -_KEPT_SIZE) + 1 :]


def _rows(line: bytes, columns: int) -> int:
    """Return the number of rows that ``line`` needs on a screen of so many ``columns``."""
    text = without_colours(line).decode().rstrip("\n")
    return max(1, -(-get_cwidth(text) // columns))
