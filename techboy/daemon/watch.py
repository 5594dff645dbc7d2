"""Whoever watches the house: its figures and its health, where they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from techboy import exits
from techboy.daemon.durations import Durations
from techboy.daemon.lag import Lag
from techboy.daemon.watched import Watched

if TYPE_CHECKING:
    from techboy.daemon.web import Web

NEEDED = "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'"


class Watch(Service):
    """Answers at ``endpoint`` with the figures of what is ``watched``, and whether it is well.

    With None as ``endpoint`` it does nothing at all. Making one ends the process with one line where
    prometheus-client is missing. ``announce`` and ``refused`` are those of `techboy.daemon.web.Web`.
    """

    _web: Web | None = None

    def __init__(
        self,
        reactor: Any,
        endpoint: str | None,
        watched: Watched,
        announce: Callable[[str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._lag = Lag(reactor)
        if endpoint is None:
            return
        try:
            from techboy.daemon.metrics import CONTENT_TYPE, Figures
        except ImportError:
            exits.fail(exits.CONFIG, NEEDED)
        # only who is asked needs what a web server takes
        from techboy.daemon.web import Answer, Web, health

        commits = Durations()
        watched.hall.timed = commits.add
        figures = Figures(watched, commits, self._lag)
        pages = {
            b"/metrics": lambda: Answer(figures.text(), CONTENT_TYPE),
            b"/healthz": lambda: health(watched.trouble()),
        }
        self._web = Web(reactor, endpoint, pages, announce, refused)

    def startService(self) -> None:
        """Begin, or end the process with one line that says why that can't be."""
        if self._web is not None:
            self._web.startService()
            self._lag.start()
        super().startService()

    def announced(self) -> None:
        """Say where it answers."""
        if self._web is not None:
            self._web.announced()

    def stopService(self) -> Deferred[Any]:
        """Answer no more; fires when that is so."""
        super().stopService()
        self._lag.stop()
        return succeed(None) if self._web is None else self._web.stopService()
