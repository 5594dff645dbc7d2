"""Whoever watches the house: its figures and its health, as pages for programs."""

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
    """End the process with one line where prometheus-client is missing."""
    try:
        import_module("techboy.server.metrics")
    except ImportError:
        exit_status.fail(exit_status.CONFIG, NEEDED)


class MetricsServer:
    """Has the figures of what is ``watched``, and whether it is well, on the pages of its ``site``.

    Making one ends the process with one line where prometheus-client is missing.
    """

    def __init__(self, reactor: IReactor, wall: Callable[[], float], watched: MonitoredServer) -> None:
        require_client()
        # only who is asked needs what these take
        from techboy.ops.metrics_site import Response, Site, health
        from techboy.server.metrics import CONTENT_TYPE, MetricsCollector

        clock: IReactorTime = reactor
        self._lag, commits = ReactorLagMonitor(clock), Histogram()
        watched.broker.commit_durations = commits.add
        figures = MetricsCollector(watched, commits, self._lag)
        self.site: Site = Site(
            reactor,
            wall,
            {
                b"/metrics": lambda: Response(figures.text(), CONTENT_TYPE),
                b"/healthz": lambda: health(watched.health_error()),
            },
        )

    def start(self) -> None:
        """Begin to measure."""
        self._lag.start()

    def stop(self) -> None:
        """Measure no more."""
        self._lag.stop()
