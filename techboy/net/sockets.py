"""Options of the socket under a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ITCPTransport


def send_promptly(transport: Any) -> None:
    """Set TCP_NODELAY and SO_KEEPALIVE: send small writes at once, and detect a peer that is gone.

    Do nothing if ``transport`` is not a TCP connection, or is closed: then Twisted has no socket for it.
    """
    if ITCPTransport.providedBy(transport) and getattr(transport, "connected", True):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
