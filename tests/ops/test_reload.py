"""Tests of `techboy.ops.reload`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from techboy.ops.reload import RELOAD_TIMEOUT, Reload, on_hangup
from tests.journals import written
from tests.marks import needs_signals

SIGHUP = getattr(signal, "SIGHUP", None)


def fails(error: Exception) -> Callable[[], None]:
    """Return what can't be done, because of ``error``."""

    def work() -> None:
        raise error

    return work


class ReloadTests:
    """`Reload`."""

    def test_order(self) -> None:
        """All is done in its order, each time that it is asked for, and the log says what."""
        reload, done = Reload(Clock()), list[str]()
        for name in ("the log file", "the transcript"):
            reload.add(name, partial(done.append, name))
        with written() as log:
            reload()
            reload()
        assert done == ["the log file", "the transcript"] * 2
        assert log.texts == ["reloaded: the log file, the transcript"] * 2

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (FileNotFoundError(2, "No such file or directory", "motd"), "No such file or directory"),
            (OSError("odd"), "odd"),
            (ValueError("mo\ntd: it is\x1b[31m gone"), r"mo\ntd: it is\x1b[31m gone"),
        ],
    )
    def test_refused(self, error: Exception, why: str) -> None:
        """What can't be done is a warning, and the rest is done all the same."""
        reload, done = Reload(Clock()), list[str]()
        reload.add("the message of the day", fails(error))
        reload.add("the rest", lambda: done.append("the rest"))
        with written() as log:
            reload()
        assert done == ["the rest"]
        assert log.texts == [f"the message of the day was not reloaded: {why}", "reloaded: the rest"]
        assert log.events[0]["log_level"].name == "warn"

    def test_later(self) -> None:
        """What takes a while is waited for: it is told afterwards how all went, in the order of all."""
        reload, file, other = Reload(Clock()), Deferred[None](), Deferred[None]()
        reload.add("the log file", lambda: file)
        reload.add("the transcript", lambda: other)
        reload.add("the message of the day", lambda: None)
        with written() as log:
            reload()
            other.errback(PermissionError(13, "Permission denied"))
            assert log.texts == ["the transcript was not reloaded: Permission denied"]
            file.callback(None)
        assert log.texts[1:] == ["reloaded: the log file, the message of the day"]

    def test_no_answer(self) -> None:
        """A disk that does not answer is not waited for, and may do so later."""
        clock, file = Clock(), Deferred[None]()
        reload = Reload(clock)
        reload.add("the log file", lambda: file)
        with written() as log:
            reload()
            clock.advance(RELOAD_TIMEOUT)
            file.callback(None)
        assert log.texts == ["the log file was not reloaded: no answer within 2 s", "nothing was reloaded"]
        assert clock.getDelayedCalls() == []

    def test_nothing(self) -> None:
        """Where nothing can be done anew it is said so."""
        with written() as log:
            Reload(Clock())()
        assert log.texts == ["there is nothing to reload"]
        assert log.last["what"] == ""

    def test_around(self) -> None:
        """A service manager can be told before and after."""
        reload, done = Reload(Clock()), list[str]()
        reload.add("it", lambda: done.append("it"))

        def around(work: Callable[[], object]) -> None:
            done.append("before")
            work()
            done.append("after")

        reload.wrapper = around
        reload()
        assert done == ["before", "it", "after"]


@pytest.fixture
def hangup() -> Iterator[None]:
    """Put back what is done about SIGHUP."""
    assert SIGHUP is not None
    before = signal.getsignal(SIGHUP)
    yield
    signal.signal(SIGHUP, before)


@needs_signals
@pytest.mark.usefixtures("hangup")
class HangupTests:
    """`on_hangup`."""

    def test_each(self) -> None:
        """Each signal is told."""
        assert SIGHUP is not None
        told: list[str] = []
        on_hangup(lambda: told.append("hung up"))
        os.kill(os.getpid(), SIGHUP)
        os.kill(os.getpid(), SIGHUP)
        assert told == ["hung up"] * 2

    def test_ignored(self) -> None:
        """A process that was told to ignore it, as by nohup, goes on to do so."""
        assert SIGHUP is not None
        signal.signal(SIGHUP, signal.SIG_IGN)
        on_hangup(lambda: pytest.fail("it was not ignored"))
        assert signal.getsignal(SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), SIGHUP)

    def test_no_such_signal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A platform without it is none to fail on."""
        before = signal.getsignal(signal.SIGHUP)
        monkeypatch.delattr(signal, "SIGHUP")
        on_hangup(lambda: None)
        monkeypatch.undo()
        assert signal.getsignal(signal.SIGHUP) is before
