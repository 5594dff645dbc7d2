"""Work that is done again and again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()


def repeated(clock: IReactorTime, work: Callable[[], object]) -> LoopingCall:
    """Return a call of ``work`` that is repeated as ``clock`` has it, once it is started.

    An exception that ``work`` raises is logged, and does not end the repetition.
    """

    def attempt() -> None:
        try:
            work()
        except Exception:
            _log.failure("an error in work that is repeated", event="internal_error")

    call = LoopingCall(attempt)
    call.clock = clock
    return call
