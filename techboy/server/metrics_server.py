"""The metrics and the health check of the server, as pages for programs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from techboy import exit_status
from techboy.net.reactor import IReactor
from techboy.ops.histogram import Histogram
from techboy.ops.reactor_lag import ReactorLagMonitor
from techboy.server.monitored import MonitoredServer

if TYPE_CHECKING:
    from techboy.ops.metrics_site import Site

NEEDED = "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'"


def require_client() -> None:
    """Exit with one line if prometheus-client is missing."""
    try:
        import_module("techboy.server.metrics")
    except ImportError:
        exit_status.fail(exit_status.CONFIG, NEEDED)


class MetricsServer:
    """The ``site`` with the pages ``/metrics`` and ``/healthz`` of the ``monitored`` server.

    Creating one exits with one line if prometheus-client is missing.
    """

    def __init__(self, reactor: IReactor, wall: Callable[[], float], monitored: MonitoredServer) -> None:
        require_client()
        # imported here, because only a server with metrics needs these modules
        from techboy.ops.metrics_site import Response, Site, health
        from techboy.server.metrics import CONTENT_TYPE, MetricsCollector

        clock: IReactorTime = reactor
        self._lag, commits = ReactorLagMonitor(clock), Histogram()
        monitored.broker.commit_durations = commits.add
        collector = MetricsCollector(monitored, commits, self._lag)
        self.site: Site = Site(
            reactor,
            wall,
            {
                b"/metrics": lambda: Response(collector.text(), CONTENT_TYPE),
                b"/healthz": lambda: health(monitored.health_error()),
            },
        )

    def start(self) -> None:
        """Start measuring the lag of the reactor."""
        self._lag.start()

    def stop(self) -> None:
        """Stop measuring."""
        self._lag.stop()
