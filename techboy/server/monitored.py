"""What metrics and the health check read from the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from techboy.chat.server import ChatServer
from techboy.server.broker import Broker
from techboy.server.detect import WireProtocol


@dataclass(frozen=True)
class MonitoredServer:
    """A server that is monitored.

    ``connections`` returns the protocol of each open connection. ``health_error`` returns one line that says
    why the server is not healthy, or None if it is.
    """

    chat: ChatServer
    broker: Broker
    connections: Callable[[], Iterable[WireProtocol]]
    health_error: Callable[[], str | None]
