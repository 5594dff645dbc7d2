"""Options of the socket under a connection."""

from __future__ import annotations

from twisted.internet.interfaces import ITCPTransport, ITransport


def send_promptly(transport: ITransport) -> None:
    """Send small writes at once, and have the kernel notice a peer that is gone.

    Do nothing if ``transport`` is not a TCP connection, or is closed: then Twisted has no socket for it.
    """
    if ITCPTransport.providedBy(transport) and getattr(transport, "connected", True):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
