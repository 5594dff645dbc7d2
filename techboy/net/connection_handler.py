"""The interface of a protocol that takes over a connection after protocol detection."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure


class ConnectionHandler(Protocol):
    """A protocol that takes over a connection; the methods are those of Twisted's protocols."""

    def makeConnection(self, transport: ITransport) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def readConnectionLost(self) -> None: ...
    def writeConnectionLost(self) -> None: ...
    def connectionLost(self, reason: Failure = ...) -> None: ...
