"""Tests of `techboy.net.sockets`."""

from __future__ import annotations

from twisted.internet.interfaces import ITCPTransport
from zope.interface import directlyProvides

from techboy.net.sockets import send_promptly
from tests.transports import FakeTransport


class TcpTransport(FakeTransport):
    """A TCP connection, which has no socket any more when it is gone."""

    def __init__(self) -> None:
        super().__init__(None)
        directlyProvides(self, ITCPTransport)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self._set("no delay", enabled)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self._set("keepalive", enabled)

    def _set(self, option: str, enabled: bool) -> None:
        if not self.connected:
            raise AttributeError("socket")
        self.events.append(f"{option} {enabled}")


class SendPromptlyTests:
    """Options of a connection's socket."""

    def test_tcp(self) -> None:
        """A TCP connection sends small writes at once and is probed by the kernel."""
        transport = TcpTransport()
        send_promptly(transport)
        assert transport.events == ["no delay True", "keepalive True"]

    def test_closed(self) -> None:
        """One that is closed already has no socket to set options of."""
        transport = TcpTransport()
        transport.connected = False
        send_promptly(transport)
        assert transport.events == []

    def test_other(self) -> None:
        """Other transports have no such options."""
        transport = FakeTransport(None)
        send_promptly(transport)
        assert transport.events == []
