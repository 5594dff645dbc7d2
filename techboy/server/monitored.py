"""What is told of a house to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from techboy.chat.server import ChatServer
from techboy.server.broker import Broker
from techboy.server.detect import WireProtocol


@dataclass(frozen=True)
class MonitoredServer:
    """A house and its hall.

    ``connections``: how each that is open speaks. ``health_error``: why nobody should count on the house, one
    line, None where all is well.
    """

    chat: ChatServer
    broker: Broker
    connections: Callable[[], Iterable[WireProtocol]]
    health_error: Callable[[], str | None]
