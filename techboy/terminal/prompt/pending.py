"""Own lines that are not stored at the other end yet, as they stand above the prompt."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

from techboy.storage.interface import ACTION, TEXT

ROWS = 5
"""Lines that are shown at most; of more it is told how many."""

MARK = "… "
"""What a line that waits begins with."""


class PendingLine(NamedTuple):
    """A line of some kind."""

    text: str
    kind: str = TEXT

    def __str__(self) -> str:
        """The line as it was typed, marked."""
        return f"{MARK}{'/me ' if self.kind == ACTION else ''}{self.text}"


class PendingLines:
    """Lines in the order in which they were said, each until it is stored."""

    def __init__(self) -> None:
        self._lines: deque[PendingLine] = deque()

    def add(self, text: str, kind: str = TEXT) -> None:
        """``text``, lines of one ``kind`` joined by LF, was said and waits."""
        self._lines += [PendingLine(line, kind) for line in text.split("\n")]

    def take_stored(self, lines: int) -> list[PendingLine]:
        """Return, and forget, the lines that are stored where only the last ``lines`` are not.

        There may be more of these than wait here: from an earlier run, or given back by the other end.
        """
        return [self._lines.popleft() for _ in range(len(self._lines) - lines)]

    def rows(self) -> list[str]:
        """Return what to show, marked, the oldest first."""
        rows = list(map(str, islice(self._lines, ROWS)))
        more = len(self._lines) - len(rows)
        if more:
            rows.append(f"{MARK}{more} more line{' waits' if more == 1 else 's wait'}")
        return rows
