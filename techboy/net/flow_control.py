"""Back pressure: producers that call functions when a transport is full, or ready again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class ProducerBridge:
    """A push producer that calls ``full`` to pause and ``ready`` to resume.

    A LineReceiver cannot be the producer of its own transport, because its `pauseProducing` stops reading
    from the peer.
    """

    def __init__(self, full: Callable[[], None], ready: Callable[[], None]) -> None:
        self.pauseProducing = full
        self.resumeProducing = ready

    def stopProducing(self) -> None:
        """Do nothing: the protocol is notified that the consumer is closed."""


@implementer(IPullProducer)
class DrainProducer:
    """A pull producer that calls ``emptied`` whenever the transport has sent everything."""

    __slots__ = ("resumeProducing",)

    def __init__(self, emptied: Callable[[], None]) -> None:
        self.resumeProducing = emptied

    def stopProducing(self) -> None:
        """Do nothing: the protocol is notified that the transport is closed."""
