"""Pausing reading from a peer for one or more reasons."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto


class PauseReason(Enum):
    """Why reading is paused."""

    RATE = auto()  # the rate limit is exceeded
    STORE = auto()  # too much is not stored yet
    SCREEN = auto()  # the screen has no room
    ANSWERS = auto()  # too many answers are unsent
    CLIENT = auto()  # the client is not connected, or is behind


class ReadPauser:
    """Calls ``pause`` at the first reason, and ``resume`` when there is none left."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._reasons: set[PauseReason] = set()

    def begin(self, reason: PauseReason) -> None:
        """Pause reading for ``reason``."""
        if not self._reasons:
            self._pause()
        self._reasons.add(reason)

    def end(self, reason: PauseReason) -> None:
        """Remove ``reason``, and resume reading if there is no other."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self._resume()

    def clear(self) -> None:
        """Remove all reasons, and resume reading."""
        if self._reasons:
            self._reasons.clear()
            self._resume()
