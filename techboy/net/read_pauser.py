"""Reading from a peer stops for as long as there is a reason to."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto


class PauseReason(Enum):
    """Why nothing is read."""

    RATE = auto()  # too much was said in a short time
    STORE = auto()  # too much waits to be stored
    SCREEN = auto()  # too much waits to be shown
    ANSWERS = auto()  # too many answers wait to be sent
    CLIENT = auto()  # the client is not there, or has not taken everything


class ReadPauser:
    """Calls ``pause`` when there is a reason for it, and ``resume`` when there is none any more."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._reasons: set[PauseReason] = set()

    def begin(self, reason: PauseReason) -> None:
        """Read no more because of ``reason``."""
        if not self._reasons:
            self._pause()
        self._reasons.add(reason)

    def end(self, reason: PauseReason) -> None:
        """Read on, unless there is another reason not to."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self._resume()

    def forget(self) -> None:
        """Read on, whatever there was."""
        if self._reasons:
            self._reasons.clear()
            self._resume()
