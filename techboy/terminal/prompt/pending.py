"""The user's lines that the server has not acknowledged, as shown above the prompt."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

from techboy.storage.interface import ACTION, TEXT

ROWS = 5
"""Lines that are shown; of further ones only the number is."""

MARK = "… "
"""The beginning of a pending line."""


class PendingLine(NamedTuple):
    """A pending line and its kind."""

    text: str
    kind: str = TEXT

    def __str__(self) -> str:
        """Return the line as typed, after `MARK`."""
        return f"{MARK}{'/me ' if self.kind == ACTION else ''}{self.text}"


class PendingLines:
    """The pending lines in the order in which they were sent."""

    def __init__(self) -> None:
        self._lines: deque[PendingLine] = deque()

    def add(self, text: str, kind: str = TEXT) -> None:
        """Add ``text``, lines of one ``kind`` joined by LF."""
        self._lines += [PendingLine(line, kind) for line in text.split("\n")]

    def take_stored(self, lines: int) -> list[PendingLine]:
        """Remove and return the acknowledged lines, if only the last ``lines`` are pending.

        ``lines`` may be greater than the number of lines here: some may be from an earlier run.
        """
        return [self._lines.popleft() for _ in range(len(self._lines) - lines)]

    def rows(self) -> list[str]:
        """Return the rows to show, the oldest line first."""
        rows = list(map(str, islice(self._lines, ROWS)))
        more = len(self._lines) - len(rows)
        if more:
            rows.append(f"{MARK}{more} more line{' waits' if more == 1 else 's wait'}")
        return rows
