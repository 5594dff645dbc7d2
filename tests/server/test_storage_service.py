"""Tests of `techboy.server.storage_service`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from techboy import exit_status
from techboy.chat.server import ServerConfig
from techboy.config.options import ConversationOptions
from techboy.server.sessions import SessionManager
from techboy.server.storage_service import (
    DRAIN_TIMEOUT,
    LOG_FILE,
    PRUNE_INTERVAL,
    SHUTDOWN_TIMEOUT,
    StorageService,
    new_token,
    state_directory,
)
from techboy.storage.memory import MemoryLogStore
from techboy.storage.sqlite import SqliteLogStore
from tests.chat.fakes import FakeGuest, session
from tests.clocks import Wall
from tests.native import HeldCommitter
from tests.programs import FakeReactor


class FakeOptions(dict[str, Any]):
    """Options that were given, and defaults."""

    program = "romeo"

    def __init__(self, **given: Any) -> None:
        defaults = {
            "state": None,
            "history-memory": 100_000,
            "sync": "full",
            "send-timeout": 30.0,
            "retention": None,
        }
        super().__init__({**defaults, "session-ttl": 86400.0, **given})


def home(
    reactor: FakeReactor | None = None, wall: Wall | None = None, guests: int = 20, **options: Any
) -> StorageService:
    """Return a home with ``options``."""
    reactor = reactor or FakeReactor()
    given = cast(ConversationOptions, FakeOptions(**options))
    return StorageService(reactor, wall or Wall(reactor), given, ServerConfig(max_clients=guests))


def silent(*, prompt: bool = False) -> tuple[StorageService, HeldCommitter]:
    """Return a home with something to store, and whoever stores it, or does not."""
    it, executor = home(), HeldCommitter(prompt=prompt)
    it.broker._executor = executor
    it.session_managers.append(Keeper(it.chat, it.broker, new_token))
    it.save_sessions()
    return it, executor


class Keeper(SessionManager):
    """A lodging that always has a session to store."""

    def save_all(self) -> None:
        self.broker.save_session(session())


def drained(it: StorageService) -> list[bool]:
    """Drain, and return the answer when there is one."""
    answers: list[bool] = []
    it.drain().addCallback(answers.append)
    return answers


def clock(it: StorageService) -> FakeReactor:
    """Return the time."""
    assert isinstance(it.broker.clock, FakeReactor)
    return it.broker.clock


class HomeTests:
    """Where a Romeo is at home."""

    def test_in_memory(self) -> None:
        """Without a directory all is in memory, and nothing is waited for in the end."""
        it = home()
        assert isinstance(it.logs, MemoryLogStore)
        it.startService()
        it.stopService()
        assert it.broker.clock.getDelayedCalls() == []

    @pytest.mark.parametrize(("guests", "sessions"), [(1, 10_000), (4000, 12_000)])
    def test_sessions(self, guests: int, sessions: int) -> None:
        """There is room in memory for the sessions of all guests that there may be, and for more."""
        logs = home(guests=guests).logs
        held = [logs.hold(str(number).encode()) for number in range(sessions + 1)]
        assert held.index(False) == sessions

    def test_in_directory(self, tmp_path: Path) -> None:
        """With one it is in a file there, which the next one opens again."""
        for _ in range(2):
            it = home(state=tmp_path / "state")
            assert isinstance(it.logs, SqliteLogStore)
            it.startService()
            it.stopService()
        assert (tmp_path / "state" / LOG_FILE).exists()

    def test_unusable(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A directory that can't be used ends the process, with one line and a status."""
        (tmp_path / "file").write_text("")
        with pytest.raises(SystemExit) as ended:
            home(state=tmp_path / "file")
        assert ended.value.code == exit_status.IO_ERROR
        assert capsys.readouterr().err.startswith("romeo: ")


class KeepTests:
    """What is old is forgotten, by the time of day."""

    @pytest.mark.parametrize(("step", "kept"), [(0.0, True), (-86400.0, True), (86400.0, False)])
    def test_lines(self, step: float, kept: bool) -> None:
        """Every hour, of a clock that nobody sets, what was stored longer ago than it is kept goes."""
        reactor = FakeReactor()
        wall = Wall(reactor)
        it = home(reactor, wall, retention=5000.0)
        it.startService()
        it.chat.post(it.chat.join(FakeGuest(), 0.0), "hello")
        reactor.advance(PRUNE_INTERVAL - 1)
        wall.step(step)
        assert it.chat.lobby.log.deleted_through == 0
        reactor.advance(1)
        assert (it.chat.lobby.log.deleted_through == 0) is kept
        it.stopService()

    def test_pruned_after_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A pruning that raises what nobody foresaw does not end pruning."""
        it = home()
        tries: list[float | None] = []

        def prune(lines_before: float | None, sessions_before: float) -> dict[str, int]:
            tries.append(lines_before)
            raise RuntimeError("odd")

        monkeypatch.setattr(it.logs, "prune", prune)
        it.startService()
        clock(it).pump([PRUNE_INTERVAL] * 2)
        assert len(tries) == 3

    @pytest.mark.parametrize("step", [-3600.0, 3600.0])
    def test_end(self, step: float) -> None:
        """The time that is left at the end is measured by the other clock."""
        reactor = FakeReactor()
        wall = Wall(reactor)
        it = home(reactor, wall)
        it.begin_shutdown()
        wall.step(step)
        reactor.advance(1)
        assert it.time_left == SHUTDOWN_TIMEOUT - 1


class EndTests:
    """How long the end of the program may take."""

    def test_drain(self) -> None:
        """What is to be stored is stored first."""
        it = home()
        it.startService()
        member = it.chat.join(FakeGuest(), 0.0)
        it.chat.post(member, "hello")
        assert drained(it) == [True]
        assert it.chat.lobby.log.last == 1
        it.stopService()

    def test_silent(self) -> None:
        """A disk that does not answer is waited for once, and not for long."""
        it, executor = silent()
        answers = drained(it)
        clock(it).advance(DRAIN_TIMEOUT - 0.1)
        assert answers == []
        clock(it).advance(0.1)
        assert answers == [False]
        assert drained(it) == [False]
        assert executor.waiting == 1

    def test_late(self) -> None:
        """All that is waited for, however often, is within one time."""
        it, executor = silent(prompt=True)
        assert drained(it) == [True]
        clock(it).advance(SHUTDOWN_TIMEOUT - 0.5)
        executor.prompt = False
        it.save_sessions()
        answers = drained(it)
        clock(it).advance(0.4)
        assert answers == []
        clock(it).advance(0.1)
        assert (answers, it.time_left) == ([False], 0.0)

    def test_time_left(self) -> None:
        """It is counted from when the end begins."""
        it = home()
        clock(it).advance(10)
        assert it.time_left == SHUTDOWN_TIMEOUT
        it.begin_shutdown()
        clock(it).advance(1)
        it.begin_shutdown()
        assert it.time_left == SHUTDOWN_TIMEOUT - 1

    def test_thread_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The thread of such a disk is left alone, and with it what it may be writing to."""
        it = home(state=tmp_path / "state")
        it.startService()
        asked: list[float] = []

        def stop(within: float) -> bool:
            asked.append(within)
            return False

        with monkeypatch.context() as hanging:
            hanging.setattr(it._thread, "stop", stop)
            hanging.setattr(it.logs, "close", lambda: asked.append(-1))
            it.stopService()
        assert asked == [SHUTDOWN_TIMEOUT]
        assert it._thread is not None
        assert it._state_dir is not None
        assert it._thread.stop(SHUTDOWN_TIMEOUT)
        it.logs.close()
        it._state_dir.close()


class DetailsTests:
    """The rest."""

    def test_token(self) -> None:
        """A token is long, and another each time."""
        assert len(new_token()) >= 43
        assert new_token() != new_token()

    @pytest.mark.parametrize(("value", "first"), [("/a:/b", "/a"), ("/a", "/a"), ("", None)])
    def test_state_directory(self, value: str, first: str | None) -> None:
        """The first directory that a service manager gives is taken."""
        assert state_directory({"STATE_DIRECTORY": value}) == first
