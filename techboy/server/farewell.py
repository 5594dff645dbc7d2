"""The server's goodbye to the client in direct mode: it is sent once the client has all messages."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from techboy.chat.isolation import isolated
from techboy.server.lifecycle import DirectClient
from techboy.wire.frames import ServerBye


class _Step(Enum):
    """What happens once the client has all messages."""

    NONE = auto()
    HALF_CLOSE = auto()  # the goodbye is sent, and the client's goodbye is waited for
    CLOSE = auto()  # the connection is closed


class ServerFarewell:
    """The goodbye to one client at a time. ``closing_bye`` returns the one that a native client is sent."""

    def __init__(self, clock: IReactorTime, closing_bye: Callable[[], ServerBye]) -> None:
        self._clock, self._closing_bye = clock, closing_bye
        self._client: DirectClient | None = None
        self._step, self._within = _Step.NONE, 0.0
        self._deadline: IDelayedCall | None = None

    def start(self, client: DirectClient | None) -> None:
        """Cancel any goodbye; ``client`` is now connected, or nobody if it is None."""
        self._stop_deadline()
        self._client, self._step = client, _Step.NONE

    def half_close(self, within: float) -> None:
        """Send the goodbye once the client has all messages; then wait so many seconds for its own."""
        self._step, self._within = _Step.HALF_CLOSE, within
        self._stop_deadline()

    def close(self, within: float, flushed_within: float) -> None:
        """Close once the client has all messages, or after ``flushed_within`` seconds.

        The client then has ``within`` seconds to close its half.
        """
        self._step, self._within = _Step.CLOSE, within
        self._stop_deadline()
        self._deadline = self._clock.callLater(flushed_within, self._close)

    def proceed(self) -> None:
        """Do what was requested: the client has all messages."""
        if self._step is _Step.CLOSE:
            self._close()
        elif self._step is _Step.HALF_CLOSE and self._deadline is None and self._client is not None:
            self._deadline = self._clock.callLater(self._within, self._close)
            isolated(self._client, partial(self._client.half_close, self._within))

    def _close(self) -> None:
        self._stop_deadline()
        if self._client is not None:
            isolated(self._client, partial(self._client.say_goodbye, self._closing_bye(), self._within))

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
