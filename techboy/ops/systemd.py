"""Reports readiness, status and liveness of the program to a service manager such as systemd."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from techboy.net.repeating import repeated

STATUS_INTERVAL = 1.0
"""Seconds between two checks of the status, which is sent if it has changed."""


class ManagerNotifier(Protocol):
    """Sends notifications, as `techboy.ops.notify.Notifier` does; each method returns whether it did."""

    @property
    def has_listener(self) -> bool: ...

    def ready(self, status: str) -> bool: ...

    def status(self, status: str) -> bool: ...

    def reloading(self, monotonic_usec: int) -> bool: ...

    def stopping(self, status: str) -> bool: ...

    def watchdog(self) -> bool: ...

    def close(self) -> None: ...


def monotonic_usec() -> int:
    """Return CLOCK_MONOTONIC in microseconds, by which a service manager orders notifications."""
    return time.monotonic_ns() // 1000


class SystemdService(Service):
    """Reports the state of the program through ``notifier``; does nothing if there is no service manager.

    ``watchdog_seconds``: the watchdog timeout. A keepalive is sent every half of that by the reactor, so
    that a blocked reactor sends none. ``status`` returns a line for people; it is called every
    `STATUS_INTERVAL`.
    """

    def __init__(
        self,
        clock: IReactorTime,
        notifier: ManagerNotifier,
        watchdog_seconds: float | None,
        status: Callable[[], str],
        monotonic_usec: Callable[[], int] = monotonic_usec,
    ) -> None:
        self._notifier, self._status, self._monotonic_usec = notifier, status, monotonic_usec
        self._send_status: Callable[[str], bool] = notifier.status
        self._status_loop = repeated(clock, self._update_status)
        self._watchdog_loop = repeated(clock, notifier.watchdog)
        self._watchdog_interval = None if watchdog_seconds is None else watchdog_seconds / 2

    def started(self) -> None:
        """Report that the program is ready, and from now on its status and liveness."""
        if not self._notifier.has_listener or self._status_loop.running:
            return
        self._send_status = self._notifier.ready
        self._status_loop.start(STATUS_INTERVAL)
        if self._watchdog_interval is not None:
            self._watchdog_loop.start(self._watchdog_interval)

    def reload(self, action: Callable[[], object]) -> Deferred[object]:
        """Run ``action``, which reloads the program, and report its beginning and its end.

        It ends when its Deferred fires, if it returns one. Fires with its result or failure. Nothing is
        reported before `started`.
        """
        if not self._status_loop.running:
            return maybeDeferred(action)
        self._notifier.reloading(self._monotonic_usec())
        return maybeDeferred(action).addBoth(self._reloaded)

    def stopService(self) -> None:
        """Report that the program is shutting down, then close the notifier."""
        super().stopService()
        for call in (self._status_loop, self._watchdog_loop):
            if call.running:
                call.stop()
        self._notifier.stopping(self._status())
        self._notifier.close()

    def _reloaded(self, result: object) -> object:
        if self._status_loop.running:
            self._send_status = self._notifier.ready
            self._update_status()
        return result

    def _update_status(self) -> None:
        # retried at the next check: without READY=1 systemd would take the start for failed
        if self._send_status(self._status()):
            self._send_status = self._notifier.status
