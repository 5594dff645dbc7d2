"""Connections that are not welcomed yet: their number and their time are limited."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from twisted.logger import Logger

from techboy.chat.counters import Counters, RejectReason

MIN_PENDING = 10
"""Least limit of the connections of one port that are not welcomed yet, however few clients are allowed."""

WELCOME_TIMEOUT = 10.0
"""Seconds from a connection until its welcome, after which it is closed."""

HELLO_LIMIT = 8 * 1024
"""Maximum length of a hello in bytes, without its line end."""


class AdmissionState(Enum):
    """Whether a connection is welcomed."""

    PENDING = auto()
    WELCOMED = auto()
    CLOSED = auto()


class PendingConnections:
    """The connections of one port that are not welcomed yet: at most ``limit`` or `MIN_PENDING`, if higher.

    ``counters`` counts the connections accepted and rejected. Start and end of rejecting are logged.
    """

    _log = Logger()

    def __init__(self, limit: int, counters: Counters) -> None:
        self._limit, self.counters = max(limit, MIN_PENDING), counters
        self._pending: set[PendingConnection] = set()
        self._rejected = 0

    def __len__(self) -> int:
        return len(self._pending)

    def open(self, welcomed: Callable[[], object]) -> PendingConnection | None:
        """Return the place of a new connection, or None if it has to be rejected.

        ``welcomed`` is called when the connection is welcomed.
        """
        self.counters.connections += 1
        if len(self._pending) >= self._limit:
            self._reject()
            return None
        return PendingConnection(self, welcomed)

    def add(self, pending: PendingConnection) -> None:
        """Count ``pending`` as not welcomed."""
        self._pending.add(pending)

    def discard(self, pending: PendingConnection) -> None:
        """Stop counting ``pending``."""
        self._pending.discard(pending)
        if not self._pending and self._rejected:
            rejected, self._rejected = self._rejected, 0
            self._log.warn(
                "connections are accepted again; {connections} were refused",
                event="admission_limit_cleared",
                connections=rejected,
            )

    def _reject(self) -> None:
        self.counters.reject(RejectReason.PENDING)
        if not self._rejected:
            self._log.warn(
                "connections are refused: {limit} are not welcomed yet",
                event="admission_limit_reached",
                limit=self._limit,
            )
        self._rejected += 1


class PendingConnection:
    """The place of one connection among the ``pending_connections``, until it is welcomed or closed.

    After it is closed, the place stays taken while its session is still being stored; see `hold`.
    """

    __slots__ = ("_holds", "_pending_connections", "_state", "_welcomed", "counters")

    def __init__(self, pending_connections: PendingConnections, welcomed: Callable[[], object]) -> None:
        self._pending_connections, self._welcomed, self._holds = pending_connections, welcomed, 0
        self.counters = pending_connections.counters
        self.reset()

    def hold(self) -> None:
        """Keep the place until `release` is called as often as this."""
        self._holds += 1

    def release(self) -> None:
        """Give up one hold."""
        self._holds -= 1
        self._discard_if_closed()

    def welcomed(self) -> None:
        """Give up the place: the connection has a member."""
        self._state = AdmissionState.WELCOMED
        self._pending_connections.discard(self)
        self._welcomed()

    def reset(self) -> None:
        """Take the place: the connection has no member, or none any more because its protocol has changed."""
        self._state = AdmissionState.PENDING
        self._pending_connections.add(self)

    def closed(self) -> None:
        """Give up the place, unless it is held: the connection is closed."""
        self._state = AdmissionState.CLOSED
        self._discard_if_closed()

    def _discard_if_closed(self) -> None:
        if self._state is AdmissionState.CLOSED and not self._holds:
            self._pending_connections.discard(self)


def uncounted_connection() -> PendingConnection:
    """Return a place that counts towards no limit."""
    return PendingConnection(PendingConnections(MIN_PENDING, Counters()), lambda: None)
