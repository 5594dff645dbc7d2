"""What takes a connection over, once it is known how the other end speaks: on both sides."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure


class ConnectionHandler(Protocol):
    """What takes a connection over."""

    def makeConnection(self, transport: ITransport) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def readConnectionLost(self) -> None: ...
    def writeConnectionLost(self) -> None: ...
    def connectionLost(self, reason: Failure = ...) -> None: ...
