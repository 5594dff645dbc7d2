"""The server's goodbye to the client in direct mode: it is said when the client has everything."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from techboy.chat.isolation import isolated
from techboy.server.lifecycle import DirectClient
from techboy.wire.frames import ServerBye


class _Step(Enum):
    """How far it has got."""

    NONE = auto()
    LAST_WORDS = auto()  # it is said when the client has everything, and the client's is waited for
    CLOSING = auto()  # the connection is closed when the client has everything


class ServerFarewell:
    """The goodbye to one client at a time; see `start`. ``closing_bye`` returns what a native one is told."""

    def __init__(self, clock: IReactorTime, closing_bye: Callable[[], ServerBye]) -> None:
        self._clock, self._last_word = clock, closing_bye
        self._client: DirectClient | None = None
        self._step, self._within = _Step.NONE, 0.0
        self._deadline: IDelayedCall | None = None

    def start(self, client: DirectClient | None) -> None:
        """Say nothing yet, to ``client``; None: nobody is there."""
        self._stop_deadline()
        self._client, self._step = client, _Step.NONE

    def leave_last_words(self, within: float) -> None:
        """Say goodbye as soon as the client has everything; then it has so many seconds for its own."""
        self._step, self._within = _Step.LAST_WORDS, within
        self._stop_deadline()

    def close(self, within: float, flushed_within: float) -> None:
        """Close as soon as the client has everything, or after ``flushed_within`` seconds.

        The client then has ``within`` seconds to close its half.
        """
        self._step, self._within = _Step.CLOSING, within
        self._stop_deadline()
        self._deadline = self._clock.callLater(flushed_within, self._close)

    def go_on(self) -> None:
        """The client has everything: do what waited for that."""
        if self._step is _Step.CLOSING:
            self._close()
        elif self._step is _Step.LAST_WORDS and self._deadline is None and self._client is not None:
            self._deadline = self._clock.callLater(self._within, self._close)
            isolated(self._client, partial(self._client.say_last_words, self._within))

    def _close(self) -> None:
        self._stop_deadline()
        if self._client is not None:
            isolated(self._client, partial(self._client.take_leave, self._last_word(), self._within))

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
