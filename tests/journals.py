"""What was written to the log, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from techboy.net.connection_log import ConnectionLog

_OURS = "techboy."


class Written:
    """The events that Techboy wrote, as they come."""

    def __init__(self, events: Sequence[dict[str, Any]]) -> None:
        self._events = events

    @property
    def events(self) -> list[dict[str, Any]]:
        """All of them."""
        return [event for event in self._events if event.get("log_namespace", "").startswith(_OURS)]

    @property
    def texts(self) -> list[str]:
        """Those that are written unless somebody asks for more, as text."""
        return [formatEvent(event) for event in self.events if event["log_level"].name != "debug"]

    @property
    def of_connections(self) -> list[str]:
        """What is written, but at the level of debugging, about connections: what it is, in short."""
        return [
            event["event"]
            for event in self.events
            if "connection_id" in event and event["log_level"].name != "debug"
        ]

    @property
    def last(self) -> dict[str, Any]:
        """The last of all."""
        return self.events[-1]


@contextmanager
def written() -> Iterator[Written]:
    """Record what is written to the log meanwhile."""
    with capturedLogs() as events:
        yield Written(events)


def connection_log(seconds: float = 0.0) -> ConnectionLog:
    """Return a journal of a time that stands still."""
    return ConnectionLog(lambda: seconds)
