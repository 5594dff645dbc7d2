"""How long something takes, as a histogram."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: what a disk takes, from one that only pretends to write to one that is in trouble."""


class Histogram:
    """How often something took up to each of `BOUNDS` seconds, or longer; ``total``: seconds in all."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """It took so long once more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def upto(self) -> list[tuple[float, int]]:
        """How often it took at most so many seconds; the last of them are infinite."""
        return list(zip((*BOUNDS, float("inf")), accumulate(self._counts), strict=True))
