"""The lag of the reactor: how late delayed calls run because something blocks it."""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

INTERVAL = 0.25
"""Seconds from one measurement to the next."""

WINDOW = 15.0
"""Seconds for which measurements are kept."""


class ReactorLagMonitor:
    """Schedules a call on ``clock`` every `INTERVAL`, and measures how late it runs."""

    _next: IDelayedCall | None = None
    _expected_at = 0.0

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()

    def start(self) -> None:
        """Start measuring."""
        self._expected_at = self._clock.seconds() + INTERVAL
        self._next = self._clock.callLater(INTERVAL, self._measure)

    def stop(self) -> None:
        """Stop measuring."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    @property
    def seconds(self) -> float:
        """The largest lag within the last `WINDOW`, in seconds."""
        self._drop_expired()
        return max((late for _, late in self._samples), default=0.0)

    def _measure(self) -> None:
        now = self._clock.seconds()
        self._samples.append((now, max(now - self._expected_at, 0.0)))
        self._drop_expired()
        self.start()

    def _drop_expired(self) -> None:
        oldest = self._clock.seconds() - WINDOW
        while self._samples and self._samples[0][0] < oldest:
            self._samples.popleft()
