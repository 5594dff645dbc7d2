"""Back pressure: what a transport that is full, or ready again, says to whom it concerns."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class ProducerBridge:
    """What a consumer of ours is given as its producer: it passes the consumer's wishes on.

    A LineReceiver can't be its own transport's producer: there `pauseProducing` already means not to
    read from the peer.
    """

    def __init__(self, full: Callable[[], None], ready: Callable[[], None]) -> None:
        self.pauseProducing = full
        self.resumeProducing = ready

    def stopProducing(self) -> None:
        """The consumer is gone, which its protocol hears by itself."""


@implementer(IPullProducer)
class DrainProducer:
    """What a transport of ours is given as its producer, to say each time when it has sent all it had."""

    __slots__ = ("resumeProducing",)

    def __init__(self, emptied: Callable[[], None]) -> None:
        self.resumeProducing = emptied

    def stopProducing(self) -> None:
        """The transport is gone, which its protocol hears by itself."""
