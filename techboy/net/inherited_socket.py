"""A UNIX socket that a service manager created and passed: sd_listen_fds(3).

Twisted's own endpoint treats the socket as the program's: it makes the socket writable for everybody, and
removes it at the end, so that no client can connect after a restart.
"""

from __future__ import annotations

import socket

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IReadDescriptor,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.net.reactor import IReactor

BATCH = 100
"""Connections that are accepted in one reactor turn."""

REST = 1.0
"""Seconds without accepting connections after an error."""


@implementer(IListeningPort, IReadDescriptor)
class InheritedPort:
    """Listens on the UNIX socket ``descriptor``, and leaves its name and mode as they are."""

    def __init__(self, reactor: IReactor, descriptor: int, factory: IProtocolFactory) -> None:
        self._reactor, self._factory = reactor, factory
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._rest: IDelayedCall | None = None

    def startListening(self) -> None:
        """Start accepting connections."""
        self._factory.doStart()
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """Stop accepting connections; the kernel queues them for the next program that has the socket."""
        if self._rest is not None:
            self._rest.cancel()
        self._reactor.removeReader(self)
        self._socket.close()
        self._factory.doStop()

    def getHost(self) -> UNIXAddress:
        """Return the address of the socket."""
        return UNIXAddress(self._socket.getsockname())

    # called by the reactor

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return the name for Twisted's log."""
        return type(self._factory).__name__

    def doRead(self) -> None:
        """Accept connections; pause for `REST` seconds after an error, for example too many open files."""
        try:
            for _ in range(BATCH):
                self._accept(self._socket.accept()[0])
        except BlockingIOError:
            return
        except OSError:
            self._reactor.removeReader(self)
            self._rest = self._reactor.callLater(REST, self._resume)

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: the reactor is stopping."""

    def _accept(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(False)
            self._reactor.adoptStreamConnection(
                connection.fileno(),
                connection.family,
                self._factory,  # type: ignore[arg-type]  # Twisted calls buildProtocol alone, and asks for a ServerFactory
            )

    def _resume(self) -> None:
        self._rest = None
        self._reactor.addReader(self)


@implementer(IStreamServerEndpoint)
class InheritedEndpoint:
    """The endpoint of an inherited UNIX socket with the number ``descriptor``."""

    def __init__(self, reactor: IReactor, descriptor: int) -> None:
        self._reactor, self._descriptor = reactor, descriptor

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fire with the port."""
        return maybeDeferred(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port = InheritedPort(self._reactor, self._descriptor, factory)
        port.startListening()
        return port
