"""The time of day, as a test sets it."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

EPOCH = 1_700_000_000.0
"""The time of day when the clock of a test is at 0, so that neither passes for the other."""


class Wall:
    """A wall clock that goes with ``clock``, which measures intervals, until it is stepped."""

    def __init__(self, clock: IReactorTime, ahead: float = EPOCH) -> None:
        self._clock, self._ahead = clock, ahead

    def __call__(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return self._clock.seconds() + self._ahead

    def step(self, seconds: float) -> None:
        """Set it forward by ``seconds``, or back if they are negative."""
        self._ahead += seconds
