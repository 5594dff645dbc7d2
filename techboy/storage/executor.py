"""Writing to where things are kept, one piece of work at a time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from techboy.storage.interface import StorageError

T = TypeVar("T")

_log = Logger()


class StorageExecutor(Protocol):
    """Does the work that may have to wait for a disk."""

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Do ``work``, after all that was asked for before, then tell ``then`` what it returned.

        A StorageError that it raised is told as if it were returned.
        """


class InlineExecutor:
    """For work that waits for nothing: it is done when `commit` returns."""

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Do ``work`` now."""
        then(_outcome(work))


class StorageThread(Thread):
    """A thread that does not keep the process from ending when a disk keeps it waiting."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named, daemon=True)


class ThreadExecutor:
    """Does the work in a thread of its own, so that the reactor never waits for a disk."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "techboy storage")
        self._pool.threadFactory = StorageThread
        self._under_way, self._changed = 0, Condition()

    def start(self) -> None:
        """Begin to work."""
        self._pool.start()

    def stop(self, within: float) -> bool:
        """Wait for the work under way, and end the thread; return False if that takes ``within`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._under_way, within):
                return False
        self._pool.stop()
        return True

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Do ``work`` in the thread; ``then`` is told in the reactor's."""
        self._count(1)
        done: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, self._do, work)
        done.addCallback(then)
        done.addErrback(
            lambda failure: _log.failure("an error after storing", failure, event="internal_error")
        )

    def _do(self, work: Callable[[], T]) -> T | StorageError:
        try:
            return _outcome(work)
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._changed:
            self._under_way += more
            self._changed.notify_all()


def _outcome(work: Callable[[], T]) -> T | StorageError:
    """Return what ``work`` returns, or why it failed; an error that is not foreseen is logged, too."""
    try:
        return work()
    except StorageError as refused:
        return refused
    except Exception as unforeseen:
        _log.failure("an unforeseen error of the storage", event="internal_error")
        return StorageError(f"it failed: {unforeseen}")
