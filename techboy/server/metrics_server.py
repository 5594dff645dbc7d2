"""Whoever watches the house: its figures and its health, as pages for programs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime

from techboy import exit_status
from techboy.ops.histogram import Durations
from techboy.ops.reactor_lag import Lag
from techboy.server.monitored import Watched

if TYPE_CHECKING:
    from techboy.ops.metrics_site import Site

NEEDED = "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'"


def require_client() -> None:
    """End the process with one line where prometheus-client is missing."""
    try:
        import_module("techboy.server.metrics")
    except ImportError:
        exit_status.fail(exit_status.CONFIG, NEEDED)


class Watch:
    """Has the figures of what is ``watched``, and whether it is well, on the pages of its ``site``.

    Making one ends the process with one line where prometheus-client is missing.
    """

    def __init__(self, reactor: Any, wall: Callable[[], float], watched: Watched) -> None:
        require_client()
        # only who is asked needs what these take
        from techboy.ops.metrics_site import Answer, Site, health
        from techboy.server.metrics import CONTENT_TYPE, Figures

        clock: IReactorTime = reactor
        self._lag, commits = Lag(clock), Durations()
        watched.hall.timed = commits.add
        figures = Figures(watched, commits, self._lag)
        self.site: Site = Site(
            reactor,
            wall,
            {
                b"/metrics": lambda: Answer(figures.text(), CONTENT_TYPE),
                b"/healthz": lambda: health(watched.trouble()),
            },
        )

    def start(self) -> None:
        """Begin to measure."""
        self._lag.start()

    def stop(self) -> None:
        """Measure no more."""
        self._lag.stop()
