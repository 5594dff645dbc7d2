"""The port at which a house tells its figures, and whether it is well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from techboy.net.reactor import IReactor
from techboy.server.listeners import ListenerService, listen_addresses
from techboy.server.metrics_server import MetricsServer
from techboy.server.monitored import MonitoredServer


class MonitoredListener(ListenerService):
    """Serves metrics of what is ``watched`` at ``endpoint``: see `ListenerService` and `MetricsServer`."""

    def __init__(
        self,
        reactor: IReactor,
        wall: Callable[[], float],
        endpoint: str,
        watched: MonitoredServer,
        announce: Callable[[str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._watch = MetricsServer(reactor, wall, watched)
        places = partial(listen_addresses, reactor, "metrics", endpoint)
        super().__init__(places, self._watch.site, announce, refused)

    def startService(self) -> None:
        """Open the port, or end the process with one line that says why not; measure."""
        super().startService()
        self._watch.start()

    def stopService(self) -> Deferred[Any]:
        """Measure no more, and close the port; fires when that is done."""
        self._watch.stop()
        return super().stopService()
