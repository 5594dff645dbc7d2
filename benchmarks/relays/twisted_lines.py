"""A room as one first writes it in Twisted: a LineReceiver, a line at a time."""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure


class Chat(LineReceiver):
    """One guest."""

    delimiter = b"\n"

    def __init__(self, guests: dict[Chat, bytes]) -> None:
        self._guests = guests

    def connectionMade(self) -> None:
        """Come in."""
        self._guests[self] = b"guest%d: " % len(self._guests)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Go."""
        del self._guests[self]

    def lineReceived(self, line: bytes) -> None:
        """Tell everybody else."""
        said = self._guests[self] + line
        for guest in self._guests:
            if guest is not self:
                guest.sendLine(said)


class Room(ServerFactory):
    """The room."""

    def __init__(self) -> None:
        self._guests: dict[Chat, bytes] = {}

    def buildProtocol(self, addr: IAddress | None) -> Chat:
        """Let somebody in."""
        return Chat(self._guests)


if __name__ == "__main__":
    reactor.listenTCP(int(sys.argv[1]), Room(), backlog=4096, interface="127.0.0.1")
    reactor.run()
