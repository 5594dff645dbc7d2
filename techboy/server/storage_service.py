"""The storage of the server, and the chat server and the broker that use it."""

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
from techboy.server.admission import PendingConnection
from techboy.server.broker import Broker
from techboy.server.native import NativeServerProtocol
from techboy.server.native_input import ConnectionLimits
from techboy.server.sessions import SessionManager
from techboy.service import clock_time
from techboy.storage.executor import InlineExecutor, ThreadExecutor
from techboy.storage.interface import LogStore, StorageError
from techboy.storage.memory import MAX_SESSIONS, MemoryLogStore
from techboy.storage.sqlite import MAX_SESSIONS as KEEP_STORED_SESSIONS
from techboy.storage.sqlite import SqliteLogStore
from techboy.storage.state_dir import StateDirectory

LOG_FILE = "romeo.sqlite"
TOKEN_BYTES = 32

SESSIONS_PER_CLIENT = 3
"""Sessions kept for each possible client: one connected, one disconnected, and one that has left."""

SHUTDOWN_TIMEOUT = 4.25
"""Seconds within which the server exits after it was told to, even if the disk does not respond."""

DRAIN_TIMEOUT = 2.0
"""Seconds of `SHUTDOWN_TIMEOUT` to wait for the disk before the clients are disconnected."""

PRUNE_INTERVAL = 3600.0
"""Seconds between two deletions of old messages and sessions."""


class DiskState(Enum):
    """Whether the disk responds."""

    RESPONDING = auto()
    BLOCKED = auto()  # a write took longer than the shutdown can wait


class StorageService(Service):
    """The message logs, in memory or in the state directory of ``options``; the broker and the chat server.

    ``wall`` returns the time of day in seconds since 1970, for timestamps and retention. Creating a service
    exits with one line if the state directory cannot be used.
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
        self._state_dir: StateDirectory | None = None
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
        self._disk_state = DiskState.RESPONDING
        self._deadline: float | None = None
        self._pruning = repeated(reactor, self._prune)

    def native_protocol(
        self,
        session_manager: SessionManager,
        bucket: TokenBucket,
        log_entry: ConnectionLogEntry,
        pending: PendingConnection,
    ) -> NativeServerProtocol:
        """Return a protocol for a native client; for the arguments see `NativeServerProtocol`."""
        options = self._options
        limits = ConnectionLimits(options["max-line"], options["ping-interval"], options["ping-timeout"])
        return NativeServerProtocol(session_manager, self.broker, bucket, limits, log_entry, pending)

    def startService(self) -> None:
        """Start the storage thread and the retention timer."""
        super().startService()
        if self._thread is not None:
            self._thread.start()
        self._pruning.start(PRUNE_INTERVAL)

    def begin_shutdown(self) -> None:
        """Start the time limit of the shutdown, if that was not done."""
        if self._deadline is None:
            self._deadline = self._reactor.seconds() + SHUTDOWN_TIMEOUT

    @property
    def time_left(self) -> float:
        """The seconds that the shutdown may still take."""
        return (
            SHUTDOWN_TIMEOUT if self._deadline is None else max(self._deadline - self._reactor.seconds(), 0.0)
        )

    def stopService(self) -> None:
        """Close the storage; everything is stored."""
        super().stopService()
        self._pruning.stop()
        for session_manager in self.session_managers:
            session_manager.close()
        self.broker.close()
        if self._thread is not None and not self._thread.stop(self.time_left):
            return  # closing the logs could block for ever, because the disk does not respond
        self.logs.close()
        if self._state_dir is not None:
            self._state_dir.close()

    def save_sessions(self) -> None:
        """Store all active sessions in their present state."""
        for session_manager in self.session_managers:
            session_manager.save_all()

    def drain(self) -> Deferred[bool]:
        """Commit and deliver everything that is new; fire with whether that was done in time.

        The limit is `DRAIN_TIMEOUT` seconds, or `time_left` if that is less. This starts the shutdown.
        """
        self.begin_shutdown()
        if self._disk_state is DiskState.BLOCKED:
            return succeed(False)
        drained = self.broker.drain().addCallback(lambda _: True)
        return drained.addTimeout(min(DRAIN_TIMEOUT, self.time_left), self._reactor, self._on_drain_timeout)

    def _on_drain_timeout(self, failure: object, seconds: float) -> bool:
        self._disk_state = DiskState.BLOCKED
        return False

    def _logs(self, guests: int) -> LogStore:
        options = self._options
        path = options["state"]
        if path is None:
            return MemoryLogStore(options["history-memory"], max(MAX_SESSIONS, guests * SESSIONS_PER_CLIENT))
        self._state_dir = StateDirectory(path)
        self._thread = ThreadExecutor(self._reactor)
        sessions = max(KEEP_STORED_SESSIONS, guests * SESSIONS_PER_CLIENT)
        return SqliteLogStore(Path(path, LOG_FILE), options["sync"], options["history-memory"], sessions)

    def _prune(self) -> None:
        """Delete old messages and sessions, but no active session."""
        self.save_sessions()
        now, keep = self._wall(), self._options["retention"]
        self.broker.prune(None if keep is None else now - keep, now - self._options["session-ttl"])


def new_token() -> str:
    """Return an unguessable secret."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def state_directory(manager: Mapping[str, str]) -> str | None:
    """Return the state directory that a service manager set in the environment ``manager``, or None.

    systemd.exec(5): ``$STATE_DIRECTORY`` may name several, separated by colons; the first is used.
    """
    return _first(manager, "STATE_DIRECTORY")


def runtime_directory(manager: Mapping[str, str]) -> str | None:
    """Return the runtime directory that a service manager set in the environment ``manager``, or None."""
    return _first(manager, "RUNTIME_DIRECTORY")


def _first(environ: Mapping[str, str], variable: str) -> str | None:
    return environ.get(variable, "").partition(":")[0] or None
