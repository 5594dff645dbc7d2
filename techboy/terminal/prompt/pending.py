"""Own lines that are not stored at the other end yet, as they stand above the prompt."""

from __future__ import annotations

from collections import deque
from itertools import islice

ROWS = 5
"""Lines that are shown at most; of more it is told how many."""

MARK = "… "
"""What a line that waits begins with."""


class Pending:
    """Lines in the order in which they were said, each until it is stored."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()

    def said(self, text: str) -> None:
        """``text``, lines joined by LF, was said and waits."""
        self._lines += text.split("\n")

    def unstored(self, lines: int) -> list[str]:
        """Return, and forget, the lines that are stored where only the last ``lines`` are not.

        There may be more of these than wait here: from an earlier run, or given back by the other end.
        """
        return [self._lines.popleft() for _ in range(len(self._lines) - lines)]

    def rows(self) -> list[str]:
        """Return what to show, marked, the oldest first."""
        rows = [f"{MARK}{line}" for line in islice(self._lines, ROWS)]
        more = len(self._lines) - len(rows)
        if more:
            rows.append(f"{MARK}{more} more line{' waits' if more == 1 else 's wait'}")
        return rows
