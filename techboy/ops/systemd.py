"""A program under a service manager, which hears when it is ready, how it is, and that it is alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from techboy.net.repeating import repeated

STATUS_EVERY = 1.0
"""Seconds between two looks at the status, which is sent where it has changed."""


class ManagerNotifier(Protocol):
    """Who is told, as `techboy.ops.notify.Notifier` does it; what it returns says whether it was."""

    @property
    def has_listener(self) -> bool: ...

    def ready(self, status: str) -> bool: ...

    def status(self, status: str) -> bool: ...

    def reloading(self, monotonic_usec: int) -> bool: ...

    def stopping(self, status: str) -> bool: ...

    def watchdog(self) -> bool: ...

    def close(self) -> None: ...


def monotonic_usec() -> int:
    """Return the microseconds of CLOCK_MONOTONIC, by which a service manager orders what it hears."""
    return time.monotonic_ns() // 1000


class SystemdService(Service):
    """Tells ``notifier`` what becomes of the program; where nobody is told, nothing is done.

    ``watchdog_seconds``: after so much silence the program is taken for hung; half of that is kept between
    two signs of life, which come from the reactor, so that one that is blocked gives none. ``status`` returns
    a line for people, and is called once a second at most.
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
        self._untold: Callable[[str], bool] = notifier.status
        self._looking = repeated(clock, self._look)
        self._living = repeated(clock, notifier.watchdog)
        self._living_every = None if watchdog_seconds is None else watchdog_seconds / 2

    def started(self) -> None:
        """Everything is open: say that it is ready, and from now on how it is and that it is alive."""
        if not self._notifier.has_listener or self._looking.running:
            return
        self._untold = self._notifier.ready
        self._looking.start(STATUS_EVERY)
        if self._living_every is not None:
            self._living.start(self._living_every)

    def reload(self, work: Callable[[], object]) -> Deferred[object]:
        """Do ``work``, which makes changes take effect, and say when it begins and when it is done.

        It is done when its Deferred fires, if it returns one. Fires with what comes of it, also a failure.
        Before the program is ready nothing is said.
        """
        if not self._looking.running:
            return maybeDeferred(work)
        self._notifier.reloading(self._monotonic_usec())
        return maybeDeferred(work).addBoth(self._reloaded)

    def stopService(self) -> None:
        """Say that it is about to end, and nothing any more."""
        super().stopService()
        for call in (self._looking, self._living):
            if call.running:
                call.stop()
        self._notifier.stopping(self._status())
        self._notifier.close()

    def _reloaded(self, result: object) -> object:
        if self._looking.running:
            self._untold = self._notifier.ready
            self._look()
        return result

    def _look(self) -> None:
        # what could not be said is said the next time: without READY=1 the program would be taken for stuck
        if self._untold(self._status()):
            self._untold = self._notifier.status
