"""Tests of `techboy.storage.executor`."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred

from techboy.storage.executor import InlineExecutor, ThreadExecutor
from techboy.storage.interface import StorageError
from tests.real_reactor import ensure_deferred, reactor


def refuse() -> None:
    """Fail as logs do."""
    raise StorageError("the disk is full")


class AtOnceTests:
    """Work that waits for nothing."""

    def test_done(self) -> None:
        """It is done, and told, when `commit` returns."""
        told: list[object] = []
        InlineExecutor().commit(lambda: 7, told.append)
        assert told == [7]

    def test_refused(self) -> None:
        """What hindered it is told as what came of it."""
        told: list[Any] = []
        InlineExecutor().commit(refuse, told.append)
        assert [str(why) for why in told] == ["the disk is full"]


class ThreadExecutorTests:
    """Work in a thread of its own."""

    @ensure_deferred
    async def test_in_order(self) -> None:
        """Pieces of work are done in order, elsewhere; what came of each is told in the reactor's thread."""
        executor = ThreadExecutor(reactor)
        told: list[tuple[object, int]] = []
        done: Deferred[Any] = Deferred()
        here = threading.get_ident()
        executor.start()
        executor.commit(threading.get_ident, lambda it: told.append((it, threading.get_ident())))
        executor.commit(refuse, lambda it: told.append((str(it), threading.get_ident())))
        executor.commit(lambda: None, done.callback)
        await done
        executor.stop(5)
        [(there, told_in), refused] = told
        assert there != here
        assert told_in == here
        assert refused == ("the disk is full", here)

    @ensure_deferred
    async def test_stop(self) -> None:
        """The end waits for the work under way."""
        executor, go_on = ThreadExecutor(reactor), threading.Event()
        done: list[bool] = []
        executor.start()
        executor.commit(lambda: done.append(go_on.wait(30)), lambda _: None)
        threading.Timer(0.05, go_on.set).start()
        assert executor.stop(30)
        assert done == [True]

    @ensure_deferred
    async def test_stop_in_vain(self) -> None:
        """Where that takes too long it is told, and the process may end all the same."""
        executor, go_on = ThreadExecutor(reactor), threading.Event()
        told: Deferred[Any] = Deferred()
        executor.start()
        executor.commit(lambda: go_on.wait(30), told.callback)
        assert not executor.stop(0.01)
        assert all(thread.daemon for thread in executor._pool.threads)
        go_on.set()
        assert await told
        assert executor.stop(30)
