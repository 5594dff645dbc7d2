"""What a log promises, wherever it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Draft:
    """Lines of one author that are to be stored together: ``text``, joined by LF, of one ``kind``.

    ``by`` is the author's number, which stays the same when the name changes.
    """

    by: int
    author: str
    kind: str
    text: str


class Batch:
    """Lines of one author that are stored: ``text``, joined by LF, with the ids ``first`` to ``last``.

    ``at``: when they were stored, in seconds since 1970. ``kind``: how they were said (``say``, ``me``).
    ``by``: the author's number.
    """

    __slots__ = ("at", "author", "by", "first", "kind", "last", "text")

    def __init__(self, first: int, last: int, at: float, by: int, author: str, kind: str, text: str) -> None:
        self.first, self.last, self.at, self.by = first, last, at, by
        self.author, self.kind, self.text = author, kind, text

    def after(self, line: int) -> Batch:
        """Return this batch without its lines up to the id ``line``, which is less than ``last``."""
        if line < self.first:
            return self
        text = self.text.split("\n", line - self.first + 1)[-1]
        return Batch(line + 1, self.last, self.at, self.by, self.author, self.kind, text)

    def upto(self, line: int) -> Batch:
        """Return this batch without its lines after the id ``line``, which is at least ``first``."""
        if line >= self.last:
            return self
        kept = self.text.split("\n", line - self.first + 1)[:-1]
        return Batch(self.first, line, self.at, self.by, self.author, self.kind, "\n".join(kept))


class Log(Protocol):
    """The lines of one room, in the one order that everybody sees.

    Ids count lines: the first that was ever stored has 1, and there are no holes. What is old may be
    forgotten, from the beginning on.
    """

    @property
    def last(self) -> int:
        """The id of the last line stored, 0 where there is none."""

    @property
    def forgotten(self) -> int:
        """The id up to which lines are not kept any more, 0 where all are."""

    def append(self, drafts: Sequence[Draft], at: float) -> list[Batch]:
        """Store ``drafts`` in their order, and return them with their ids."""

    def read(self, after: int, size: int) -> list[Batch]:
        """Return what is kept of the lines after the id ``after``: one line at least if there is one.

        Not many more than ``size`` characters, of which there is one at least, are returned, in whole lines.
        """

    def tail(self, lines: int) -> list[Batch]:
        """Return the last ``lines`` lines, or as many as are kept."""
