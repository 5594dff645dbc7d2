"""Doing anew, while the program runs, what was done when it started: what SIGHUP asks a daemon for."""

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
"""Seconds for a file to be opened: the disk that it is on may not answer."""

Work: TypeAlias = Callable[[], Deferred[None] | None]


def at_once(work: Work) -> object:
    """Do ``work``."""
    return work()


class Reload:
    """All that is done anew when it is called, in the order in which it was added.

    ``around`` is given the whole of it to do, so that a service manager can be told before and after.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.around: Callable[[Work], object] = at_once
        self._clock = clock
        self._works: list[tuple[str, Work]] = []

    def add(self, name: str, work: Work) -> None:
        """Do ``work`` too, which may take a while.

        Where it fails with OSError or ValueError, it has left ``name`` as it was.
        """
        self._works.append((name, work))

    def __call__(self) -> None:
        """Begin to do it. What can't be done is logged, and does not hinder the rest."""
        self.around(self._do_all)

    def _do_all(self) -> Deferred[None]:
        return gatherResults([self._do(name, work) for name, work in self._works]).addCallback(self._tell)

    def _do(self, name: str, work: Work) -> Deferred[str]:
        done = maybeDeferred(work).addTimeout(RELOAD_TIMEOUT, self._clock)
        return done.addCallbacks(lambda _: name, self._not_done, errbackArgs=(name,))

    def _not_done(self, failure: Failure, name: str) -> str:
        failure.trap(OSError, ValueError, defer.TimeoutError)
        why = escaped(_why(failure.value))
        self._log.warn("{what} was not reloaded: {reason}", event="reload_failed", what=name, reason=why)
        return ""

    def _tell(self, done: list[str]) -> None:
        what = ", ".join(filter(None, done))
        nothing = "nothing was reloaded" if done else "there is nothing to reload"
        self._log.info("reloaded: {what}" if what else nothing, event="reloaded", what=what)


def _why(refused: object) -> str:
    if isinstance(refused, defer.TimeoutError):
        return f"no answer within {RELOAD_TIMEOUT:g} s"
    return refused.strerror if isinstance(refused, OSError) and refused.strerror else str(refused)


def on_hangup(act: Callable[[], None]) -> None:
    """Call ``act`` at each SIGHUP, unless the process was started with that ignored (nohup(1)).

    Where the platform has no such signal there is nothing to do.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signal.signal(hangup, lambda number, frame: act())
