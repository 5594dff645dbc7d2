"""The storage of a simulated server: when work is done, what fails, and when its outcome is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from techboy.storage.interface import StorageError

Work = tuple[Callable[[], Any], Callable[[Any], None]]


class Disk(Enum):
    """How the disk behaves."""

    WORKS = auto()
    FAILS = auto()
    HANGS = auto()


class Storage:
    """Stands in for the storage thread (`techboy.storage.executor.ThreadExecutor`), and for memory alike.

    Work waits until `perform`. Its outcome waits until `tell`, as that of a thread waits for the reactor.
    """

    def __init__(self) -> None:
        self.disk = Disk.WORKS
        self._work: deque[Work] = deque()
        self._outcomes: deque[tuple[Callable[[Any], None], Any]] = deque()

    # what the server calls

    def start(self) -> None:
        """Begin to work."""

    def stop(self, within: float) -> bool:
        """Finish what was begun, unless the disk hangs; return whether that was done."""
        if self.disk is Disk.HANGS:
            return not self._work
        while self._work:
            self.perform()
        return True

    def commit(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do ``work`` later, then call ``then`` with its outcome."""
        self._work.append((work, then))

    # what the simulation calls

    @property
    def can_perform(self) -> bool:
        """Whether there is work, and the disk does not hang."""
        return bool(self._work) and self.disk is not Disk.HANGS

    @property
    def can_tell(self) -> bool:
        """Whether an outcome waits."""
        return bool(self._outcomes)

    def perform(self) -> None:
        """Do the work that was asked for first."""
        work, then = self._work.popleft()
        self._outcomes.append((then, self._done(work)))

    def tell(self) -> None:
        """Tell the first outcome, in the reactor's thread."""
        then, outcome = self._outcomes.popleft()
        then(outcome)

    def _done(self, work: Callable[[], Any]) -> Any:
        if self.disk is Disk.FAILS:
            return StorageError("/state/romeo.sqlite: database or disk is full")
        try:
            return work()
        except StorageError as failed:
            return failed
