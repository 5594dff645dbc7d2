"""A UNIX socket that a service manager made and passed: sd_listen_fds(3).

Twisted's own endpoint takes it for the program's: it lets everybody write to the socket, whatever mode it
was given, and removes it at the end, so that nobody can call again.
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
"""Callers that are let in before others have their turn."""

REST = 1.0
"""Seconds without letting anybody in, after that was not possible."""


@implementer(IListeningPort, IReadDescriptor)
class InheritedPort:
    """Listens on the UNIX socket ``descriptor``, and leaves its name and mode as they are."""

    def __init__(self, reactor: IReactor, descriptor: int, factory: IProtocolFactory) -> None:
        self._reactor, self._factory = reactor, factory
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._rest: IDelayedCall | None = None

    def startListening(self) -> None:
        """Let callers in."""
        self._factory.doStart()
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """Let nobody in any more; who calls waits for the next program that has the socket."""
        if self._rest is not None:
            self._rest.cancel()
        self._reactor.removeReader(self)
        self._socket.close()
        self._factory.doStop()

    def getHost(self) -> UNIXAddress:
        """Return where it listens."""
        return UNIXAddress(self._socket.getsockname())

    # what the reactor calls

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return what it is called in the log."""
        return type(self._factory).__name__

    def doRead(self) -> None:
        """Let in who calls; after an error, as of a process with too many descriptors, only a while later."""
        try:
            for _ in range(BATCH):
                self._let_in(self._socket.accept()[0])
        except BlockingIOError:
            return
        except OSError:
            self._reactor.removeReader(self)
            self._rest = self._reactor.callLater(REST, self._go_on)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is through."""

    def _let_in(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(False)
            self._reactor.adoptStreamConnection(
                connection.fileno(),
                connection.family,
                self._factory,  # type: ignore[arg-type]  # which has all that Twisted uses of a ServerFactory
            )

    def _go_on(self) -> None:
        self._rest = None
        self._reactor.addReader(self)


@implementer(IStreamServerEndpoint)
class InheritedEndpoint:
    """The endpoint of a UNIX socket that was passed as ``descriptor``."""

    def __init__(self, reactor: IReactor, descriptor: int) -> None:
        self._reactor, self._descriptor = reactor, descriptor

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fires with the port."""
        return maybeDeferred(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port = InheritedPort(self._reactor, self._descriptor, factory)
        port.startListening()
        return port
