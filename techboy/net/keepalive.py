"""Knowing whether the other end is there: who is silent is asked, and who does not answer is dead."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

PING_INTERVAL = 25.0
"""Seconds of silence after which the other end is asked whether it is there, unless said otherwise."""

PING_TIMEOUT = 60.0
"""Seconds of silence after which it is taken for dead, unless said otherwise."""


_ROUNDING = 1e-3  # seconds by which a time that was waited for may seem short


class Keepalive:
    """Calls ``ask`` when nothing was heard for ``ping`` seconds, and ``give_up`` after ``dead`` seconds.

    The time for which this end is ``deaf``, not reading by its own choice, does not count.
    """

    def __init__(
        self,
        clock: IReactorTime,
        ping: float,
        dead: float,
        ask: Callable[[], None],
        give_up: Callable[[], None],
        deaf: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock, self._ping, self._dead = clock, min(ping, dead), dead
        self._ask, self._give_up, self._deaf = ask, give_up, deaf
        self._heard_at = clock.seconds()
        self._asked_since = float("-inf")
        self._next: IDelayedCall | None = None

    @property
    def idle_seconds(self) -> float:
        """How many seconds nothing was heard."""
        return self._clock.seconds() - self._heard_at

    def start(self) -> None:
        """Begin to listen; this moment counts as a sign of life."""
        self.heard()
        self._look_after(self._ping)

    def heard(self) -> None:
        """Something was heard."""
        self._heard_at = self._clock.seconds()

    def stop(self) -> None:
        """Listen no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _look(self) -> None:
        if self._deaf():
            self.heard()
            self._ask()  # so that the other end, whose question is not heard, knows that somebody is here
            self._look_after(self._ping)
            return
        silence = self.idle_seconds
        if silence >= self._dead - _ROUNDING:
            self._give_up()
        elif silence >= self._ping - _ROUNDING:
            if self._asked_since != self._heard_at:
                self._asked_since = self._heard_at
                self._ask()
            self._look_after(self._dead - silence)
        else:
            self._look_after(self._ping - silence)

    def _look_after(self, seconds: float) -> None:
        self._next = self._clock.callLater(seconds, self._look)
