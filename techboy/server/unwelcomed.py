"""Connections that are not welcomed yet: few at a time, and each for a short time."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from twisted.logger import Logger

from techboy.chat.counters import Counters, RejectReason

LEAST = 10
"""Connections of one port that may wait to be welcomed, however few members the server takes."""

WELCOME_WITHIN = 10.0
"""Seconds from a connection until its welcome; one that takes longer is closed."""

HELLO_LIMIT = 8 * 1024
"""Bytes in a hello, its end not counted."""


class AdmissionState(Enum):
    """What is known of a connection."""

    STRANGE = auto()  # it is not welcomed yet
    WELCOME = auto()
    CLOSED = auto()


class PendingConnections:
    """The connections of one port that are not welcomed yet: at most ``most``, or LEAST if that is more.

    ``counters`` counts all that come, and those refused. The log says when refusing begins and when it ends.
    """

    _log = Logger()

    def __init__(self, most: int, counters: Counters) -> None:
        self._most, self.counters = max(most, LEAST), counters
        self._here: set[PendingConnection] = set()
        self._refused = 0

    def __len__(self) -> int:
        return len(self._here)

    def come(self, welcomed: Callable[[], object]) -> PendingConnection | None:
        """Return the place of a new connection, None if it has to be refused.

        ``welcomed`` is called when it is welcomed.
        """
        self.counters.connections += 1
        if len(self._here) >= self._most:
            self._refuse()
            return None
        return PendingConnection(self, welcomed)

    def take(self, pending: PendingConnection) -> None:
        """Count ``pending``."""
        self._here.add(pending)

    def leave(self, pending: PendingConnection) -> None:
        """Count ``pending`` no longer."""
        self._here.discard(pending)
        if not self._here and self._refused:
            refused, self._refused = self._refused, 0
            self._log.warn(
                "connections are accepted again; {connections} were refused",
                event="admission_limit_cleared",
                connections=refused,
            )

    def _refuse(self) -> None:
        self.counters.reject(RejectReason.PENDING)
        if not self._refused:
            self._log.warn(
                "connections are refused: {limit} are not welcomed yet",
                event="admission_limit_reached",
                limit=self._most,
            )
        self._refused += 1


class PendingConnection:
    """A connection's place among the ``pending_connections``, which it has until it is welcomed or closed.

    The place of one that is closed stays taken while something is still to be stored for it.
    """

    __slots__ = ("_pending_connections", "_standing", "_unstored", "_welcomed", "counters")

    def __init__(self, pending_connections: PendingConnections, welcomed: Callable[[], object]) -> None:
        self._pending_connections, self._welcomed, self._unstored = pending_connections, welcomed, 0
        self.counters = pending_connections.counters
        self.unwelcome()

    def storing(self) -> None:
        """Something is to be stored for it."""
        self._unstored += 1

    def stored(self) -> None:
        """That was stored, or could not be."""
        self._unstored -= 1
        self._leave_if_gone()

    def welcomed(self) -> None:
        """It is a member's from now on."""
        self._standing = AdmissionState.WELCOME
        self._pending_connections.leave(self)
        self._welcomed()

    def unwelcome(self) -> None:
        """It is no member's: not yet, or not any more, as it turns out to speak another dialect."""
        self._standing = AdmissionState.STRANGE
        self._pending_connections.take(self)

    def closed(self) -> None:
        """The connection is gone."""
        self._standing = AdmissionState.CLOSED
        self._leave_if_gone()

    def _leave_if_gone(self) -> None:
        if self._standing is AdmissionState.CLOSED and not self._unstored:
            self._pending_connections.leave(self)


def uncounted_connection() -> PendingConnection:
    """Return a place among no strangers but itself."""
    return PendingConnection(PendingConnections(LEAST, Counters()), lambda: None)
