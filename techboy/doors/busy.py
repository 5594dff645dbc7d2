"""The door for a caller who can't come in now."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.doors.parting import Parting
from techboy.wire.plain import notice

_PATIENCE = 1.0  # seconds that the caller has for closing its half


@implementer(IHalfCloseableProtocol)
class TurnedAway(Protocol):
    """Tells the caller why in one line, closes at once and takes nothing."""

    transport: Any

    def __init__(self, why: str, clock: IReactorTime) -> None:
        self._why, self._clock = why, clock

    def connectionMade(self) -> None:
        """Say why, and goodbye."""
        self._parting = Parting(self.transport, self._clock)
        self.transport.write(f"{notice(self._why)}\n".encode())
        self._parting.begin(_PATIENCE, _PATIENCE)

    def readConnectionLost(self) -> None:
        """The caller closed its half."""
        self._parting.peer_closed()

    def writeConnectionLost(self) -> None:
        """The line was sent."""
        self._parting.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The caller is gone."""
        self._parting.done()
