"""What Romeo and Juliet have kept in their files, read while they run."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.chaos.check import Entry

_PATIENCE = 10.0


def log(folder: Path) -> Iterator[Entry]:
    """Yield all lines of Romeo's log, in their order; raise sqlite3.Error where they can't be read."""
    with closing(_opened(folder / "romeo.sqlite")) as file:
        for first, author, text in file.execute("SELECT first, author, text FROM batch ORDER BY number"):
            for line, said in enumerate(text.split("\n"), first):
                yield line, author, said


class Progress:
    """How far Romeo's log has come: ``stored`` lines of each author, and the last id of all is ``end``."""

    def __init__(self, folder: Path) -> None:
        self.stored, self.end, self._batch = Counter[str](), 0, 0
        self._path, self._ends = folder / "romeo.sqlite", Counter[str]()

    def look(self) -> None:
        """Look what has come since the last time."""
        query = "SELECT number, author, first, last FROM batch WHERE number > ? ORDER BY number"
        for number, author, first, last in _rows(self._path, query, self._batch):
            self._batch = number
            self.stored[author] += last - first + 1
            self._ends[author] = self.end = last

    def end_without(self, reader: str) -> int:
        """Return the last id of all other authors."""
        return max((end for author, end in self._ends.items() if author != reader), default=0)


def outbox(folder: Path) -> list[str]:
    """Return the lines that wait in Juliet's outbox."""
    rows = _rows(folder / "juliet.sqlite", "SELECT text FROM outbox ORDER BY first")
    return [line for (text,) in rows for line in text.split("\n")]


def is_known(folder: Path) -> bool:
    """Tell whether Juliet has a session."""
    rows = _rows(folder / "juliet.sqlite", "SELECT session FROM client WHERE session IS NOT NULL")
    return bool(rows)


def _rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(_opened(path)) as file:
        try:
            return file.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)
