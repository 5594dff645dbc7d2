"""Keepalive: a silent peer is sent a ping, and given up if it does not answer."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

PING_INTERVAL = 25.0
"""Default of the time in seconds without received data after which a ping is sent."""

PING_TIMEOUT = 60.0
"""Default of the time in seconds without received data after which the connection is closed."""


_ROUNDING = 1e-3  # seconds by which a timer may fire too early


class Keepalive:
    """Calls ``send_ping`` after ``interval`` seconds without data, and ``give_up`` after ``timeout``.

    Time for which this end has paused reading (``is_paused``) does not count.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        send_ping: Callable[[], None],
        give_up: Callable[[], None],
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock, self._interval, self._timeout = clock, min(interval, timeout), timeout
        self._send_ping, self._give_up, self._is_paused = send_ping, give_up, is_paused
        self._received_at = clock.seconds()
        self._pinged_since = float("-inf")
        self._next: IDelayedCall | None = None

    @property
    def idle_seconds(self) -> float:
        """The seconds since data was received."""
        return self._clock.seconds() - self._received_at

    def start(self) -> None:
        """Start the timer, as if data had just been received."""
        self.on_received()
        self._check_after(self._interval)

    def on_received(self) -> None:
        """Note that data was received."""
        self._received_at = self._clock.seconds()

    def stop(self) -> None:
        """Stop the timer."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _check(self) -> None:
        if self._is_paused():
            self.on_received()
            self._send_ping()  # because pings of the peer are not read, and it may give up
            self._check_after(self._interval)
            return
        idle = self.idle_seconds
        if idle >= self._timeout - _ROUNDING:
            self._give_up()
        elif idle >= self._interval - _ROUNDING:
            if self._pinged_since != self._received_at:
                self._pinged_since = self._received_at
                self._send_ping()
            self._check_after(self._timeout - idle)
        else:
            self._check_after(self._interval - idle)

    def _check_after(self, seconds: float) -> None:
        self._next = self._clock.callLater(seconds, self._check)
