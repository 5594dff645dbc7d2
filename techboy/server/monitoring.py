"""The port at which a house tells its figures, and whether it is well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from techboy.server.listeners import Listening, described
from techboy.server.metrics_server import Watch
from techboy.server.monitored import Watched


class Watching(Listening):
    """Answers at ``endpoint`` with the figures of what is ``watched``. See `Listening`, and `Watch`."""

    def __init__(
        self,
        reactor: Any,
        wall: Callable[[], float],
        endpoint: str,
        watched: Watched,
        announce: Callable[[str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._watch = Watch(reactor, wall, watched)
        places = partial(described, reactor, "metrics", endpoint)
        super().__init__(places, self._watch.site, announce, refused)

    def startService(self) -> None:
        """Open the port, or end the process with one line that says why not; measure."""
        super().startService()
        self._watch.start()

    def stopService(self) -> Deferred[Any]:
        """Measure no more, and close the port; fires when that is done."""
        self._watch.stop()
        return super().stopService()
