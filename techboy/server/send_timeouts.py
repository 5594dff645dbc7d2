"""The send timeout of all connections: it finds those that have stopped reading."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from techboy.chat.isolation import isolated
from techboy.server.subscriber import Subscriber, guarded

SEND_TIMEOUT = 30.0
"""Default of the time in seconds after which a connection that reads nothing is closed."""

_CHECK_INTERVAL = 0.5  # least seconds between two checks


class SendTimeouts:
    """Calls `on_send_timeout` of a subscriber that has been blocked for ``timeout`` seconds without progress.

    One timer serves all subscribers.
    """

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self._clock, self._timeout = clock, timeout
        self._blocked_since: dict[Subscriber, float] = {}
        self._check: IDelayedCall | None = None

    def mark_blocked(self, subscriber: Subscriber) -> None:
        """Start the timeout of ``subscriber`` anew: it has unsent data, and has just made progress."""
        self._blocked_since.pop(subscriber, None)  # so that the dict is in the order of the times
        self._blocked_since[subscriber] = self._clock.seconds()
        if self._check is None:
            self._check = self._clock.callLater(self._timeout, self._check_all)

    def mark_unblocked(self, subscriber: Subscriber) -> None:
        """Stop the timeout of ``subscriber``, which has no unsent data or is closed."""
        self._blocked_since.pop(subscriber, None)

    def close(self) -> None:
        """Stop the timer."""
        if self._check is not None and self._check.active():
            self._check.cancel()

    def _check_all(self) -> None:
        self._check = None
        now = self._clock.seconds()
        expired = [
            subscriber for subscriber, since in self._blocked_since.items() if now - since >= self._timeout
        ]
        for subscriber in expired:
            self.mark_unblocked(subscriber)
            guarded(isolated, subscriber, subscriber.on_send_timeout)
        for oldest in self._blocked_since.values():
            delay = max(oldest + self._timeout - now, _CHECK_INTERVAL)
            self._check = self._clock.callLater(delay, self._check_all)
            return
