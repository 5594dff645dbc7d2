"""Periodic work that survives exceptions."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()


def repeated(clock: IReactorTime, work: Callable[[], object]) -> LoopingCall:
    """Return a LoopingCall of ``work`` on ``clock``, which is not started yet.

    An exception that ``work`` raises is logged, and does not stop the loop.
    """

    def attempt() -> None:
        try:
            work()
        except Exception:
            _log.failure("an error in work that is repeated", event="internal_error")

    call = LoopingCall(attempt)
    call.clock = clock
    return call
