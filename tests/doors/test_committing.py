"""Tests of `techboy.doors.committing`."""

from __future__ import annotations

import threading
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from techboy.doors.committing import AtOnce, InThread
from techboy.logs.contract import StorageError


def refuse() -> None:
    """Fail as logs do."""
    raise StorageError("the disk is full")


class AtOnceTests:
    """Work that waits for nothing."""

    def test_done(self) -> None:
        """It is done, and told, when `commit` returns."""
        told: list[object] = []
        AtOnce().commit(lambda: 7, told.append)
        assert told == [7]

    def test_refused(self) -> None:
        """What hindered it is told as what came of it."""
        told: list[Any] = []
        AtOnce().commit(refuse, told.append)
        assert [str(why) for why in told] == ["the disk is full"]


class InThreadTests:
    """Work in a thread of its own."""

    @pytest_twisted.ensureDeferred
    async def test_in_order(self) -> None:
        """Pieces of work are done in order, elsewhere; what came of each is told in the reactor's thread."""
        committer, told, done = InThread(reactor), [], Deferred()  # type: ignore[arg-type, var-annotated]
        here = threading.get_ident()
        committer.start()
        committer.commit(threading.get_ident, lambda it: told.append((it, threading.get_ident())))
        committer.commit(refuse, lambda it: told.append((str(it), threading.get_ident())))
        committer.commit(lambda: None, done.callback)
        await done
        committer.stop()
        (there, told_in), refused = told
        assert there != here
        assert told_in == here
        assert refused == ("the disk is full", here)
