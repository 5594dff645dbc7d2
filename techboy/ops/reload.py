"""Reloading while the program runs, as a daemon does at SIGHUP: reopen files, read certificates again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet import defer
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from techboy.net.connection_log import escaped

RELOAD_TIMEOUT = 2.0
"""Seconds after which an action is given up, for example opening a file on a disk that does not answer."""

Action: TypeAlias = Callable[[], Deferred[None] | None]


def run_directly(action: Action) -> object:
    """Run ``action`` and return its result."""
    return action()


class Reload:
    """Runs all actions when it is called, in the order in which they were added.

    ``wrapper`` is called with a function that runs them, so that a service manager can be notified before
    and after.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.wrapper: Callable[[Action], object] = run_directly
        self._clock = clock
        self._actions: list[tuple[str, Action]] = []

    def add(self, name: str, action: Action) -> None:
        """Add ``action``, which reloads ``name`` and may return a Deferred.

        If it fails with OSError or ValueError, it must have left the old state in effect.
        """
        self._actions.append((name, action))

    def __call__(self) -> None:
        """Start a reload. A failing action is logged, and the others are run all the same."""
        self.wrapper(self._run_all)

    def _run_all(self) -> Deferred[None]:
        return gatherResults([self._run(name, action) for name, action in self._actions]).addCallback(
            self._log_result
        )

    def _run(self, name: str, action: Action) -> Deferred[str]:
        reloaded = maybeDeferred(action).addTimeout(RELOAD_TIMEOUT, self._clock)
        return reloaded.addCallbacks(lambda _: name, self._log_failure, errbackArgs=(name,))

    def _log_failure(self, failure: Failure, name: str) -> str:
        failure.trap(OSError, ValueError, defer.TimeoutError)
        reason = escaped(_reason_of(failure.value))
        self._log.warn("{what} was not reloaded: {reason}", event="reload_failed", what=name, reason=reason)
        return ""

    def _log_result(self, reloaded: list[str]) -> None:
        what = ", ".join(filter(None, reloaded))
        nothing = "nothing was reloaded" if reloaded else "there is nothing to reload"
        self._log.info("reloaded: {what}" if what else nothing, event="reloaded", what=what)


def _reason_of(error: object) -> str:
    if isinstance(error, defer.TimeoutError):
        return f"no answer within {RELOAD_TIMEOUT:g} s"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def on_hangup(callback: Callable[[], None]) -> None:
    """Call ``callback`` at each SIGHUP, unless the process was started with that ignored (nohup(1)).

    Do nothing if the platform has no such signal.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signal.signal(hangup, lambda number, frame: callback())
