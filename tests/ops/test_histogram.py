"""Tests of `techboy.ops.histogram`."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.ops.histogram import BOUNDS, Histogram


class DurationsTests:
    """A histogram."""

    def test_nothing_yet(self) -> None:
        """At first nothing took any time, and every bound is there."""
        durations = Histogram()
        assert durations.cumulative_counts == [*((bound, 0) for bound in BOUNDS), (inf, 0)]
        assert durations.total == 0

    @given(st.lists(st.one_of(st.floats(0, 10), st.sampled_from(BOUNDS))))
    def test_counted(self, seconds: list[float]) -> None:
        """For each bound, what took at most so long is counted; the total is the sum."""
        durations = Histogram()
        for each in seconds:
            durations.add(each)
        for bound, count in durations.cumulative_counts:
            assert count == sum(each <= bound for each in seconds)
        assert durations.total == pytest.approx(sum(seconds))
