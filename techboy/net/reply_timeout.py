"""Waiting for a word, and no longer than somebody said."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_LOOKS = 20  # at how much of the time has passed, while it passes


class ReplyTimeout:
    """Calls ``give_up`` once after ``seconds`` without a word, of a time in which one is awaited throughout.

    ``awaited`` tells whether that is so now; it is asked now and then.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        awaited: Callable[[], bool],
        give_up: Callable[[], None],
    ) -> None:
        self._clock, self._seconds = clock, seconds
        self._awaited, self._give_up = awaited, give_up
        self._since = 0.0
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        self.heard()
        self._look_later()

    def heard(self) -> None:
        """There was a word."""
        self._since = self._clock.seconds()

    def stop(self) -> None:
        """Wait no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _look(self) -> None:
        if not self._awaited():
            self.heard()
        if self._clock.seconds() - self._since >= self._seconds:
            self._give_up()
        else:
            self._look_later()

    def _look_later(self) -> None:
        left = self._since + self._seconds - self._clock.seconds()
        self._next = self._clock.callLater(min(left, self._seconds / _LOOKS), self._look)
