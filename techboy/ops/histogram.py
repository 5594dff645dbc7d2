"""A histogram of durations, as Prometheus defines it."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the buckets, in seconds: from a disk that only caches writes to one that is failing."""


class Histogram:
    """Counts durations in buckets with the upper `BOUNDS`, and one more; ``total``: their sum in seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration of so many ``seconds``."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def cumulative_counts(self) -> list[tuple[float, int]]:
        """Pairs of an upper bound in seconds, the last one infinite, and the number of durations up to it."""
        return list(zip((*BOUNDS, float("inf")), accumulate(self._counts), strict=True))
