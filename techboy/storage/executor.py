"""Execution of storage work, one piece at a time."""

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
    """Runs work that may have to wait for a disk."""

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Run ``work`` after all earlier work, then call ``then`` with its result.

        If ``work`` raises an exception, the result is a StorageError.
        """


class InlineExecutor:
    """Runs work at once, for storage that never waits."""

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Run ``work`` and ``then`` before returning."""
        then(_outcome(work))


class StorageThread(Thread):
    """A daemon thread: the process can exit while the thread waits for a disk."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named, daemon=True)


class ThreadExecutor:
    """Runs work in a thread of its own, so that the reactor never waits for a disk."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "techboy storage")
        self._pool.threadFactory = StorageThread
        self._pending, self._changed = 0, Condition()

    def start(self) -> None:
        """Start the thread."""
        self._pool.start()

    def stop(self, within: float) -> bool:
        """Wait for pending work and stop the thread; return False if that takes ``within`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._pending, within):
                return False
        self._pool.stop()
        return True

    def commit(self, work: Callable[[], T], then: Callable[[T | StorageError], None]) -> None:
        """Run ``work`` in the thread, and ``then`` in the reactor's thread."""
        self._count(1)
        done: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, self._run, work)
        done.addCallback(then)
        done.addErrback(
            lambda failure: _log.failure("an error after storing", failure, event="internal_error")
        )

    def _run(self, work: Callable[[], T]) -> T | StorageError:
        try:
            return _outcome(work)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._pending += change
            self._changed.notify_all()


def _outcome(work: Callable[[], T]) -> T | StorageError:
    """Return the result of ``work``, or its error as a StorageError; log an unexpected error."""
    try:
        return work()
    except StorageError as error:
        return error
    except Exception as error:
        _log.failure("unexpected error of the storage", event="internal_error")
        return StorageError(f"it failed: {error}")
