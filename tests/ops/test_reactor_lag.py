"""Tests of `techboy.ops.reactor_lag`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from techboy.ops.reactor_lag import INTERVAL, WINDOW, ReactorLagMonitor


@pytest.fixture
def clock() -> Clock:
    """Give a clock of the test's own."""
    return Clock()


@pytest.fixture
def lag(clock: Clock) -> ReactorLagMonitor:
    """Give what measures, and has begun to."""
    lag = ReactorLagMonitor(clock)
    lag.start()
    return lag


def pass_evenly(clock: Clock, seconds: float) -> None:
    """Let ``seconds`` pass, with everything done when it is due."""
    clock.pump([INTERVAL] * round(seconds / INTERVAL))


class LagTests:
    """How late the reactor is."""

    def test_in_time(self, clock: Clock, lag: ReactorLagMonitor) -> None:
        """Where all is done when it is due there is no lag."""
        assert lag.seconds == 0
        pass_evenly(clock, 60)
        assert lag.seconds == 0

    def test_late(self, clock: Clock, lag: ReactorLagMonitor) -> None:
        """It is the time by which something was done too late, at its worst."""
        for kept in (0.5, 2.0, 1.0):
            clock.advance(INTERVAL + kept)
        assert lag.seconds == 2.0

    def test_forgotten(self, clock: Clock, lag: ReactorLagMonitor) -> None:
        """So it stays for 15 s, and no longer."""
        clock.advance(INTERVAL + 2)
        pass_evenly(clock, WINDOW)
        assert lag.seconds == 2.0
        pass_evenly(clock, INTERVAL)
        assert lag.seconds == 0

    def test_set_back(self, clock: Clock, lag: ReactorLagMonitor) -> None:
        """A clock that is set back makes nothing early."""
        pass_evenly(clock, 1)
        clock.rightNow -= 5
        pass_evenly(clock, 10)
        assert lag.seconds == 0

    def test_stopped(self, clock: Clock, lag: ReactorLagMonitor) -> None:
        """When it is stopped nothing is waited for; stopping it twice does no harm."""
        pass_evenly(clock, 1)
        lag.stop()
        lag.stop()
        assert clock.getDelayedCalls() == []
