"""The listener for metrics and the health check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from techboy.net.reactor import IReactor
from techboy.server.listeners import ListenerService, parse_endpoint
from techboy.server.metrics_server import MetricsServer
from techboy.server.monitored import MonitoredServer


class MonitoredListener(ListenerService):
    """Serves the metrics of ``monitored`` at ``endpoint``; see `ListenerService` and `MetricsServer`."""

    def __init__(
        self,
        reactor: IReactor,
        wall: Callable[[], float],
        endpoint: str,
        monitored: MonitoredServer,
        announce: Callable[[str], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._metrics_server = MetricsServer(reactor, wall, monitored)
        endpoints = partial(parse_endpoint, reactor, "metrics", endpoint)
        super().__init__(endpoints, self._metrics_server.site, announce, on_refused)

    def startService(self) -> None:
        """Open the port, or exit with one line that says why not; start measuring."""
        super().startService()
        self._metrics_server.start()

    def stopService(self) -> Deferred[Any]:
        """Stop measuring, and close the port; fire when that is done."""
        self._metrics_server.stop()
        return super().stopService()
