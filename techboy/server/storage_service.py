"""What a Romeo is at home in: the logs, where they are kept, and the house that is built on them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from techboy import exit_status
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House, Rules
from techboy.config.options import ConversationOptions
from techboy.net.connection_log import Record
from techboy.net.repeating import repeated
from techboy.server.broker import Hall
from techboy.server.native import NativeGuest, Terms
from techboy.server.sessions import Lodging
from techboy.server.unwelcomed import Stranger
from techboy.service import IReactor, clock_time
from techboy.storage.executor import AtOnce, InThread
from techboy.storage.interface import Logs, StorageError
from techboy.storage.memory import KEEP_SESSIONS, MemoryLogs
from techboy.storage.sqlite import KEEP_SESSIONS as KEEP_STORED_SESSIONS
from techboy.storage.sqlite import SqliteLogs
from techboy.storage.state_dir import StateFolder

LOG_FILE = "romeo.sqlite"
TOKEN_BYTES = 32

SESSIONS_A_GUEST = 3
"""Sessions kept for each guest there may be: connected, absent, and as many that left."""

END = 4.25
"""Seconds in which a program has ended that was told to, whatever the disk does."""

DRAIN = 2.0
"""Seconds of them that it waits for the disk at first; as many may go by until its guests are gone."""

PRUNED_EVERY = 3600.0
"""Seconds after which it is looked again at what is too old to be kept."""


class Disk(Enum):
    """Whether what is written there gets done."""

    ANSWERS = auto()
    SILENT = auto()  # it took longer than a program that ends can wait


class Home(Service):
    """A house, its hall and its logs, in memory or in the directory that ``options`` say.

    ``wall`` returns the time of day, in seconds since 1970, for stamps and retention.
    Making one ends the process with one line where that directory can't be used.
    """

    def __init__(
        self,
        reactor: IReactor,
        wall: Callable[[], float],
        options: ConversationOptions,
        rules: Rules,
        shut_down: Callable[[], None] = lambda: None,
        motd: list[str] | None = None,
    ) -> None:
        self._reactor, self._wall, self._options = reactor, wall, options
        self._folder: StateFolder | None = None
        self._thread: InThread | None = None
        try:
            self.logs = self._logs(rules.guests)
            self.hall = Hall(reactor, wall, self.logs, self._thread or AtOnce(), options["send-timeout"])
            self.house = House(
                rules, self.hall, self.logs, lambda at: clock_time(at, wall()), shut_down, motd or []
            )
        except StorageError as refused:
            exit_status.fail(exit_status.IO_FAILED, f"{options.program}: {refused}")
        self.lodgings: list[Lodging] = []
        self._disk = Disk.ANSWERS
        self._ends_at: float | None = None
        self._pruning = repeated(reactor, self._prune)

    def native_guest(self, stage: Lodging, bucket: Bucket, record: Record, stranger: Stranger) -> NativeGuest:
        """Return a door for a guest who speaks the native dialect; for the rest see `NativeGuest`."""
        options = self._options
        terms = Terms(options["max-line"], options["ping-interval"], options["ping-timeout"])
        return NativeGuest(stage, self.hall, bucket, terms, record, stranger)

    def startService(self) -> None:
        """Begin to store."""
        super().startService()
        if self._thread is not None:
            self._thread.start()
        self._pruning.start(PRUNED_EVERY)

    def end(self) -> None:
        """The program ends: from now on the time is counted that is left for it."""
        if self._ends_at is None:
            self._ends_at = self._reactor.seconds() + END

    @property
    def time_left(self) -> float:
        """For how many seconds the program may still wait for anything."""
        return END if self._ends_at is None else max(self._ends_at - self._reactor.seconds(), 0.0)

    def stopService(self) -> None:
        """Let go of everything, all of which is stored."""
        super().stopService()
        self._pruning.stop()
        for lodging in self.lodgings:
            lodging.close()
        self.hall.close()
        if self._thread is not None and not self._thread.stop(self.time_left):
            return  # who waits now for a disk that does not answer waits for ever
        self.logs.close()
        if self._folder is not None:
            self._folder.close()

    def keep_sessions(self) -> None:
        """Have all sessions that are in use stored as they are now."""
        for lodging in self.lodgings:
            lodging.keep_all()

    def drain(self) -> Deferred[bool]:
        """Store and bring all that is new, as the program ends; fires with whether that was done in time.

        That is `DRAIN` seconds, or what is left of them all: see `end`.
        """
        self.end()
        if self._disk is Disk.SILENT:
            return succeed(False)
        drained = self.hall.drain().addCallback(lambda _: True)
        return drained.addTimeout(min(DRAIN, self.time_left), self._reactor, self._not_drained)

    def _not_drained(self, failure: object, seconds: float) -> bool:
        self._disk = Disk.SILENT
        return False

    def _logs(self, guests: int) -> Logs:
        options = self._options
        path = options["state"]
        if path is None:
            return MemoryLogs(options["history-memory"], max(KEEP_SESSIONS, guests * SESSIONS_A_GUEST))
        self._folder = StateFolder(path)
        self._thread = InThread(self._reactor)
        sessions = max(KEEP_STORED_SESSIONS, guests * SESSIONS_A_GUEST)
        return SqliteLogs(Path(path, LOG_FILE), options["sync"], options["history-memory"], sessions)

    def _prune(self) -> None:
        """Forget what is old; sessions in use are not."""
        self.keep_sessions()
        now, keep = self._wall(), self._options["retention"]
        self.hall.prune(None if keep is None else now - keep, now - self._options["session-ttl"])


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
