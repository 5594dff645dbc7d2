"""What a Romeo is at home in: the logs, where they are kept, and the house that is built on them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from techboy import exit_status
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer, ServerConfig
from techboy.config.options import ConversationOptions
from techboy.net.connection_log import ConnectionLogEntry
from techboy.net.reactor import IReactor
from techboy.net.repeating import repeated
from techboy.server.broker import Broker
from techboy.server.native import ConnectionLimits, NativeServerProtocol
from techboy.server.sessions import SessionManager
from techboy.server.unwelcomed import PendingConnection
from techboy.service import clock_time
from techboy.storage.executor import InlineExecutor, ThreadExecutor
from techboy.storage.interface import LogStore, StorageError
from techboy.storage.memory import MAX_SESSIONS, MemoryLogStore
from techboy.storage.sqlite import MAX_SESSIONS as KEEP_STORED_SESSIONS
from techboy.storage.sqlite import SqliteLogStore
from techboy.storage.state_dir import StateDirectory

LOG_FILE = "romeo.sqlite"
TOKEN_BYTES = 32

SESSIONS_A_GUEST = 3
"""Sessions kept for each guest there may be: connected, absent, and as many that left."""

SHUTDOWN_TIMEOUT = 4.25
"""Seconds in which a program has ended that was told to, whatever the disk does."""

DRAIN_TIMEOUT = 2.0
"""Seconds of them that it waits for the disk at first; as many may go by until its guests are gone."""

PRUNED_EVERY = 3600.0
"""Seconds after which it is looked again at what is too old to be kept."""


class DiskState(Enum):
    """Whether what is written there gets done."""

    ANSWERS = auto()
    SILENT = auto()  # it took longer than a program that ends can wait


class StorageService(Service):
    """A house, its hall and its logs, in memory or in the directory that ``options`` say.

    ``wall`` returns the time of day, in seconds since 1970, for stamps and retention.
    Making one ends the process with one line where that directory can't be used.
    """

    def __init__(
        self,
        reactor: IReactor,
        wall: Callable[[], float],
        options: ConversationOptions,
        config: ServerConfig,
        shut_down: Callable[[], None] = lambda: None,
        motd: list[str] | None = None,
    ) -> None:
        self._reactor, self._wall, self._options = reactor, wall, options
        self._folder: StateDirectory | None = None
        self._thread: ThreadExecutor | None = None
        try:
            self.logs = self._logs(config.max_clients)
            self.broker = Broker(
                reactor, wall, self.logs, self._thread or InlineExecutor(), options["send-timeout"]
            )
            self.chat = ChatServer(
                config, self.broker, self.logs, lambda at: clock_time(at, wall()), shut_down, motd or []
            )
        except StorageError as refused:
            exit_status.fail(exit_status.IO_ERROR, f"{options.program}: {refused}")
        self.session_managers: list[SessionManager] = []
        self._disk = DiskState.ANSWERS
        self._ends_at: float | None = None
        self._pruning = repeated(reactor, self._prune)

    def native_guest(
        self,
        backend: SessionManager,
        bucket: TokenBucket,
        log_entry: ConnectionLogEntry,
        pending: PendingConnection,
    ) -> NativeServerProtocol:
        """Return a protocol for a native client; for the arguments see `NativeServerProtocol`."""
        options = self._options
        terms = ConnectionLimits(options["max-line"], options["ping-interval"], options["ping-timeout"])
        return NativeServerProtocol(backend, self.broker, bucket, terms, log_entry, pending)

    def startService(self) -> None:
        """Begin to store."""
        super().startService()
        if self._thread is not None:
            self._thread.start()
        self._pruning.start(PRUNED_EVERY)

    def end(self) -> None:
        """The program ends: from now on the time is counted that is left for it."""
        if self._ends_at is None:
            self._ends_at = self._reactor.seconds() + SHUTDOWN_TIMEOUT

    @property
    def time_left(self) -> float:
        """For how many seconds the program may still wait for anything."""
        return (
            SHUTDOWN_TIMEOUT if self._ends_at is None else max(self._ends_at - self._reactor.seconds(), 0.0)
        )

    def stopService(self) -> None:
        """Let go of everything, all of which is stored."""
        super().stopService()
        self._pruning.stop()
        for session_manager in self.session_managers:
            session_manager.close()
        self.broker.close()
        if self._thread is not None and not self._thread.stop(self.time_left):
            return  # who waits now for a disk that does not answer waits for ever
        self.logs.close()
        if self._folder is not None:
            self._folder.close()

    def keep_sessions(self) -> None:
        """Have all sessions that are in use stored as they are now."""
        for session_manager in self.session_managers:
            session_manager.save_all()

    def drain(self) -> Deferred[bool]:
        """Store and bring all that is new, as the program ends; fires with whether that was done in time.

        That is `DRAIN_TIMEOUT` seconds, or what is left of them all: see `end`.
        """
        self.end()
        if self._disk is DiskState.SILENT:
            return succeed(False)
        drained = self.broker.drain().addCallback(lambda _: True)
        return drained.addTimeout(min(DRAIN_TIMEOUT, self.time_left), self._reactor, self._not_drained)

    def _not_drained(self, failure: object, seconds: float) -> bool:
        self._disk = DiskState.SILENT
        return False

    def _logs(self, guests: int) -> LogStore:
        options = self._options
        path = options["state"]
        if path is None:
            return MemoryLogStore(options["history-memory"], max(MAX_SESSIONS, guests * SESSIONS_A_GUEST))
        self._folder = StateDirectory(path)
        self._thread = ThreadExecutor(self._reactor)
        sessions = max(KEEP_STORED_SESSIONS, guests * SESSIONS_A_GUEST)
        return SqliteLogStore(Path(path, LOG_FILE), options["sync"], options["history-memory"], sessions)

    def _prune(self) -> None:
        """Forget what is old; sessions in use are not."""
        self.keep_sessions()
        now, keep = self._wall(), self._options["retention"]
        self.broker.prune(None if keep is None else now - keep, now - self._options["session-ttl"])


def new_token() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def state_directory(manager: Mapping[str, str]) -> str | None:
    """Return the directory for what is to outlive the program, if ``manager``, an environment, gives one.

    systemd.exec(5): ``$STATE_DIRECTORY`` may name several, with colons between them; the first is taken.
    """
    return _first(manager, "STATE_DIRECTORY")


def runtime_directory(manager: Mapping[str, str]) -> str | None:
    """Return the directory for what ends with the program, as above."""
    return _first(manager, "RUNTIME_DIRECTORY")


def _first(environ: Mapping[str, str], variable: str) -> str | None:
    return environ.get(variable, "").partition(":")[0] or None
