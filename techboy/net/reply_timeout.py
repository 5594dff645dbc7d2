"""A timeout for an expected reply."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_CHECKS = 20  # number of checks during the timeout


class ReplyTimeout:
    """Calls ``give_up`` once if nothing is received for ``seconds`` while a reply is expected.

    ``is_expected`` returns whether a reply is expected now; it is called repeatedly.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        is_expected: Callable[[], bool],
        give_up: Callable[[], None],
    ) -> None:
        self._clock, self._seconds = clock, seconds
        self._is_expected, self._give_up = is_expected, give_up
        self._since = 0.0
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Start the timeout."""
        self.on_received()
        self._check_later()

    def on_received(self) -> None:
        """Restart the timeout: something was received."""
        self._since = self._clock.seconds()

    def stop(self) -> None:
        """Stop the timeout."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _check(self) -> None:
        if not self._is_expected():
            self.on_received()
        if self._clock.seconds() - self._since >= self._seconds:
            self._give_up()
        else:
            self._check_later()

    def _check_later(self) -> None:
        left = self._since + self._seconds - self._clock.seconds()
        self._next = self._clock.callLater(min(left, self._seconds / _CHECKS), self._check)
