"""When a client connects, and connects again."""

from __future__ import annotations

import typing
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, ReconnectingClientFactory
from twisted.python.failure import Failure

from techboy.client.connector import EndpointConnector, reason_for
from techboy.net.addresses import endpoint_of
from techboy.net.connection_log import ConnectionLog, ConnectionLogEntry
from techboy.net.reactor import IReactor

SPREAD = 5.0
"""Seconds over which those who were told that Romeo will be back call him again."""

STEADY = 1.0
"""Seconds that a connection has to last for the next call to come as soon as the first."""


class ConnectorState(Enum):
    """What the factory is doing: at most one timer, connection attempt or connection at a time."""

    IDLE = auto()
    WAITING = auto()  # for a timer, after which it connects
    CONNECTING = auto()
    CONNECTED = auto()  # until the program reports that the connection was lost or given up
    STOPPED = auto()  # for good


class ReconnectingClient(typing.Protocol):
    """The client, as its factory knows it."""

    reactor: IReactor
    endpoint: IStreamClientEndpoint
    connection_log: ConnectionLog

    @property
    def wants_connection(self) -> bool:
        """Whether a connection is to be used."""

    def handler(self, log_entry: ConnectionLogEntry) -> Protocol:
        """Return the protocol of a new connection with that ``log_entry``."""

    def not_answered(self, reason: str) -> None:
        """Take notice that an attempt failed for that ``reason``."""


class ChatClientFactory(ReconnectingClientFactory):
    """Connects to the server, and again after a delay when that fails or the connection is lost.

    ``client`` is told the outcome. ``spread`` returns the part of a delay that is waited: it is random, so
    that many clients do not connect at the same moment.
    """

    noisy = False
    initialDelay = delay = 0.1
    factor = 1.6
    maxDelay = 15
    jitter = 0.0  # the base class' own has no bound, and goes past maxDelay
    connector: EndpointConnector
    state = ConnectorState.IDLE
    _callID: IDelayedCall | None = None

    def __init__(self, client: ReconnectingClient, spread: Callable[[], float]) -> None:
        self.clock = cast(Any, client.reactor)
        self.connector = EndpointConnector(client.endpoint, self)
        self._client, self._spread = client, spread
        self._answered_at = 0.0

    def call(self) -> None:
        """Connect now, with short delays from here on, unless an attempt or a connection is there already."""
        if self.state in (ConnectorState.IDLE, ConnectorState.WAITING):
            self.resetDelay()
            self._connect()

    def call_anew(self) -> None:
        """The connection was given up: connect now."""
        self._disconnected()
        self.call()

    def call_again(self) -> None:
        """The connection is lost: connect again soon, or after a longer delay if it was lost at once."""
        if self._disconnected():
            if self._client.reactor.seconds() - self._answered_at >= STEADY:
                self.resetDelay()
            self.retry()

    def call_later(self) -> None:
        """The connection is lost, and many others are: connect again within a few seconds."""
        if self._disconnected():
            self.resetDelay()
            self._connect_after(SPREAD * self._spread())

    def resetDelay(self) -> None:
        """Begin with short delays again; a timer that runs is kept, unlike in the base class."""
        timer = self._callID
        super().resetDelay()
        self._callID = timer

    def stopTrying(self) -> None:
        """Stop for good: no timer and no attempt is left, and none begins."""
        self.state = ConnectorState.STOPPED
        super().stopTrying()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """The server answers: return the door, or None if this is not the attempt that is awaited."""
        client = self._client
        if self.state is not ConnectorState.CONNECTING or not client.wants_connection:
            return None
        self.state = ConnectorState.CONNECTED
        self._answered_at = client.reactor.seconds()
        return client.handler(client.connection_log.opened(endpoint_of(addr)))

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """The attempt failed: say why, and connect again later."""
        if self.state is ConnectorState.CONNECTING:
            self.state = ConnectorState.IDLE
            self._client.not_answered(reason_for(reason))
            super().clientConnectionFailed(connector, reason)

    def retry(self, connector: object = None) -> None:
        """Connect again after a delay that grows, of which a random part is waited."""
        self._connect_after(self.delay * self._spread())
        self.delay = min(self.delay * self.factor, self.maxDelay)

    def _connect_after(self, seconds: float) -> None:
        if self.state is ConnectorState.IDLE:
            self.state = ConnectorState.WAITING
            self._callID = self._client.reactor.callLater(seconds, self._connect)

    def _connect(self) -> None:
        if self._callID is not None and self._callID.active():
            self._callID.cancel()
        self._callID, self.state = None, ConnectorState.CONNECTING
        self.connector.connect()

    def _disconnected(self) -> bool:
        """Note that the connection is gone; return whether there was one."""
        if self.state is not ConnectorState.CONNECTED:
            return False
        self.state = ConnectorState.IDLE
        return True
