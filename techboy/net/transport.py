"""What a protocol asks of the transport under it."""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.python.failure import Failure


class IStreamTransport(ITransport, IConsumer, IPushProducer):
    """A connection of TCP, TLS or a UNIX socket, or standard input and output.

    No interface of Twisted covers what these share. `pauseProducing` stops reading from the peer.
    """

    def loseWriteConnection() -> None:
        """Send what was written, then close our half; TLS has no half-close."""

    def abortConnection() -> None:
        """Close both halves at once."""

    def connectionLost(reason: Failure) -> None:  # noqa: N805 - methods of a zope interface have no self
        """Let go of standard input and output at once: they have no `abortConnection`."""
