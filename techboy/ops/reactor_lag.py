"""How late the reactor is: whether something keeps it from what is due."""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

EVERY = 0.25
"""Seconds from one look at the clock to the next."""

REMEMBERED = 15.0
"""Seconds for which it is known how late the reactor was."""


class ReactorLagMonitor:
    """Has itself called by ``clock`` again and again, and remembers how late that was."""

    _next: IDelayedCall | None = None
    _due = 0.0

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._measured: deque[tuple[float, float]] = deque()

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.seconds() + EVERY
        self._next = self._clock.callLater(EVERY, self._measure)

    def stop(self) -> None:
        """Measure no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    @property
    def seconds(self) -> float:
        """The most seconds by which a call was late within the last `REMEMBERED` seconds."""
        self._forget()
        return max((late for _, late in self._measured), default=0.0)

    def _measure(self) -> None:
        now = self._clock.seconds()
        self._measured.append((now, max(now - self._due, 0.0)))
        self._forget()
        self.start()

    def _forget(self) -> None:
        oldest = self._clock.seconds() - REMEMBERED
        while self._measured and self._measured[0][0] < oldest:
            self._measured.popleft()
