"""Doing anew, while the program runs, what was done when it started: what SIGHUP asks a daemon for."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TypeAlias

from twisted.logger import Logger

from techboy.doors.journal import escaped

Work: TypeAlias = Callable[[], None]


def at_once(work: Work) -> None:
    """Do ``work``."""
    work()


class Reload:
    """All that is done anew when it is called, in the order in which it was added.

    ``around`` is given the whole of it to do, so that a service manager can be told before and after.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.around: Callable[[Work], None] = at_once
        self._works: list[tuple[str, Work]] = []

    def add(self, name: str, work: Work) -> None:
        """Do ``work`` too; where it raises OSError or ValueError, it has left ``name`` as it was."""
        self._works.append((name, work))

    def __call__(self) -> None:
        """Do it now. What can't be done is logged, and does not hinder the rest."""
        self.around(self._do_all)

    def _do_all(self) -> None:
        done = [name for name, work in self._works if self._done(name, work)]
        self._log.info("reloaded: {what}", event="reloaded", what=", ".join(done) or "nothing")

    def _done(self, name: str, work: Work) -> bool:
        try:
            work()
        except (OSError, ValueError) as refused:
            why = refused.strerror if isinstance(refused, OSError) and refused.strerror else str(refused)
            self._log.warn("{what} stays as it was: {why}", event="not_reloaded", what=name, why=escaped(why))
            return False
        return True


def on_hangup(act: Callable[[], None]) -> None:
    """Call ``act`` at each SIGHUP, unless the process was started with that ignored (nohup(1)).

    Where the platform has no such signal there is nothing to do.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signal.signal(hangup, lambda number, frame: act())
