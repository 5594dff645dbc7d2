"""Tests of how many lines somebody may say in a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.rate_limit import TokenBucket
from tests.wire.texts import quick


class TakeTests:
    """So many lines may be said, and no more."""

    def test_burst(self) -> None:
        """A burst may be said at once, and then nothing."""
        bucket = TokenBucket(20, 200)
        assert bucket.take(150, 5.0) == 150
        assert bucket.take(150, 5.0) == 50
        assert bucket.take(1, 5.0) == 0

    def test_refill(self) -> None:
        """With time more may be said."""
        bucket = TokenBucket(20, 200)
        bucket.take(200, 5.0)
        assert bucket.take(100, 5.5) == 10
        assert bucket.take(100, 6.0) == 10

    def test_full(self) -> None:
        """Who said nothing for long may say a burst, and no more than that."""
        bucket = TokenBucket(20, 200)
        bucket.take(200, 0.0)
        assert bucket.take(1000, 1e6) == 200

    def test_fractions(self) -> None:
        """A line may be said when its time has come, and not before; nothing of it is forgotten."""
        bucket = TokenBucket(2, 4)
        bucket.take(4, 0.0)
        assert bucket.take(1, 0.25) == 0
        assert bucket.take(1, 0.5) == 1
        assert bucket.take(1, 0.75) == 0

    def test_no_limit(self) -> None:
        """A rate of 0 limits nothing."""
        bucket = TokenBucket(0, 0)
        assert [bucket.take(10**6, 0.0), bucket.take(10**6, 0.0)] == [10**6, 10**6]
        assert bucket.wait(10**6) == 0.0

    @quick
    @given(
        st.integers(1, 50),
        st.integers(1, 50),
        st.lists(st.tuples(st.integers(0, 100), st.integers(0, 16).map(lambda eighths: eighths / 8))),
    )
    def test_never_more(self, rate: int, burst: int, asked: list[tuple[int, float]]) -> None:
        """However it is asked for, no more is said than a burst and the rate for the time since."""
        bucket, now, taken = TokenBucket(rate, burst), 0.0, 0
        for lines, later in asked:
            now += later
            granted = bucket.take(lines, now)
            assert 0 <= granted <= lines
            taken += granted
            assert taken <= burst + rate * now


class SpendTests:
    """What was said already is paid for later."""

    def test_burst(self) -> None:
        """A burst costs no time."""
        bucket = TokenBucket(20, 200)
        assert bucket.spend(150, 5.0) == 0.0
        assert bucket.spend(50, 5.0) == 0.0

    @pytest.mark.parametrize(("lines", "wait"), [(201, 0.05), (240, 2.0), (10_200, 500.0)])
    def test_debt(self, lines: int, wait: float) -> None:
        """What goes beyond it does, by the rate, however much it is."""
        assert TokenBucket(20, 200).spend(lines, 5.0) == pytest.approx(wait)

    def test_paid(self) -> None:
        """Who waited as long as was said owes nothing, and may say no more than the rate allows."""
        bucket = TokenBucket(2, 4)
        assert bucket.spend(10, 5.0) == 3.0
        assert bucket.take(1, 8.0) == 0
        assert bucket.spend(1, 8.5) == 0.0
        assert bucket.spend(1, 8.5) == 0.5

    def test_debts_add_up(self) -> None:
        """Who did not wait owes both."""
        bucket = TokenBucket(2, 4)
        bucket.spend(10, 5.0)
        assert bucket.spend(2, 6.0) == 3.0

    def test_full(self) -> None:
        """Who said nothing for long may say a burst, and no more than that."""
        bucket = TokenBucket(2, 4)
        bucket.spend(4, 0.0)
        assert bucket.spend(6, 1e6) == 1.0

    def test_no_limit(self) -> None:
        """A rate of 0 limits nothing."""
        assert TokenBucket(0, 0).spend(10**6, 0.0) == 0.0

    @quick
    @given(
        st.integers(1, 50),
        st.integers(1, 50),
        st.lists(st.tuples(st.integers(0, 100), st.integers(0, 16).map(lambda eighths: eighths / 8))),
    )
    def test_never_more(self, rate: int, burst: int, said: list[tuple[int, float]]) -> None:
        """Who waits as told says, before each piece, no more than a burst and the rate for the time since."""
        bucket, now, total = TokenBucket(rate, burst), 0.0, 0
        for lines, later in said:
            assert total <= burst + rate * now + 1e-6
            total += lines
            now += bucket.spend(lines, now) + later


class WaitTests:
    """Who has to wait knows how long."""

    @pytest.mark.parametrize(("lines", "wait"), [(0, 0.0), (1, 0.5), (2, 1.0), (4, 2.0)])
    def test_wait(self, lines: int, wait: float) -> None:
        """When the time is over, so many lines may be said."""
        bucket = TokenBucket(2, 4)
        bucket.take(4, 7.0)
        assert bucket.wait(lines) == wait
        assert bucket.take(lines, 7.0 + wait) == lines

    def test_more_than_a_burst(self) -> None:
        """For more than a burst nobody waits for ever, but for a whole burst."""
        bucket = TokenBucket(2, 4)
        bucket.take(4, 0.0)
        assert bucket.wait(1000) == 2.0

    def test_nothing_to_wait_for(self) -> None:
        """What may be said now is not waited for."""
        assert TokenBucket(2, 4).wait(3) == 0.0


class ClockTests:
    """Whatever the clock does, it is no reason to say less or more than was said."""

    @quick
    @given(
        st.integers(1, 50),
        st.integers(1, 50),
        st.lists(st.tuples(st.integers(0, 100), st.integers(-10_000, 10_000)), min_size=1),
    )
    def test_take(self, rate: int, burst: int, asked: list[tuple[int, int]]) -> None:
        """At any times, no fewer than no lines are allowed, and nobody waits for longer than for a burst."""
        bucket = TokenBucket(rate, burst)
        for lines, now in asked:
            assert 0 <= bucket.take(lines, now) <= lines
            wait = bucket.wait(lines)
            assert 0.0 <= wait <= burst / rate + 1e-6
            assert bucket.take(min(lines, 1), now + wait) == min(lines, 1)

    @quick
    @given(
        st.integers(1, 50),
        st.integers(1, 50),
        st.lists(st.tuples(st.integers(0, 100), st.integers(-10_000, 10_000)), min_size=1),
    )
    def test_spend(self, rate: int, burst: int, said: list[tuple[int, int]]) -> None:
        """At any times, nobody waits for longer than what was said so far takes."""
        bucket, total = TokenBucket(rate, burst), 0
        for lines, now in said:
            total += lines
            assert 0.0 <= bucket.spend(lines, now) <= total / rate


class ShortageTests:
    """How often more was said than is allowed."""

    def test_none(self) -> None:
        """A burst is no shortage, nor is any number of lines where there is no limit."""
        bucket, unlimited = TokenBucket(2, 4), TokenBucket(0, 0)
        bucket.take(4, 5.0)
        unlimited.spend(10**6, 5.0)
        unlimited.take(10**6, 5.0)
        assert (bucket.shortages, unlimited.shortages) == (0, 0)

    @pytest.mark.parametrize("ask", [TokenBucket.take, TokenBucket.spend])
    def test_once(self, ask: Callable[[TokenBucket, int, float], float]) -> None:
        """A shortage lasts until the bucket is full again, however often lines wait meanwhile."""
        bucket = TokenBucket(2, 4)
        for now in (5.0, 6.5, 7.5):
            ask(bucket, 6, now)
        assert bucket.shortages == 1

    @pytest.mark.parametrize("ask", [TokenBucket.take, TokenBucket.spend])
    def test_again(self, ask: Callable[[TokenBucket, int, float], float]) -> None:
        """After that the next one begins."""
        bucket = TokenBucket(2, 4)
        for now in (5.0, 15.0, 15.5, 25.0):
            ask(bucket, 6, now)
        assert bucket.shortages == 3


class RoundingTests:
    """What `wait` says is enough."""

    def test_waited_long_enough(self) -> None:
        """After exactly the time that was named, as many lines may be said."""
        bucket, now = TokenBucket(10, 100), 754.969497403639
        bucket.take(100, now)
        assert bucket.take(64, now + bucket.wait(64)) == 64
