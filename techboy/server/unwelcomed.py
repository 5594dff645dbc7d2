"""Connections that are not welcomed yet: few at a time, and each for a short time."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from twisted.logger import Logger

from techboy.chat.counters import Refusal, Tally

LEAST = 10
"""Connections of one port that may wait to be welcomed, however few members the server takes."""

WELCOME_WITHIN = 10.0
"""Seconds from a connection until its welcome; one that takes longer is closed."""

HELLO_LIMIT = 8 * 1024
"""Bytes in a hello, its end not counted."""


class Standing(Enum):
    """What is known of a connection."""

    STRANGE = auto()  # it is not welcomed yet
    WELCOME = auto()
    CLOSED = auto()


class Strangers:
    """The connections of one port that are not welcomed yet: at most ``most``, or LEAST if that is more.

    ``tally`` counts all that come, and those refused. The log says when refusing begins and when it ends.
    """

    _log = Logger()

    def __init__(self, most: int, tally: Tally) -> None:
        self._most, self.tally = max(most, LEAST), tally
        self._here: set[Stranger] = set()
        self._refused = 0

    def __len__(self) -> int:
        return len(self._here)

    def come(self, welcomed: Callable[[], object]) -> Stranger | None:
        """Return the place of a new connection, None if it has to be refused.

        ``welcomed`` is called when it is welcomed.
        """
        self.tally.connections += 1
        if len(self._here) >= self._most:
            self._refuse()
            return None
        return Stranger(self, welcomed)

    def take(self, stranger: Stranger) -> None:
        """Count ``stranger``."""
        self._here.add(stranger)

    def leave(self, stranger: Stranger) -> None:
        """Count ``stranger`` no longer."""
        self._here.discard(stranger)
        if not self._here and self._refused:
            refused, self._refused = self._refused, 0
            self._log.warn(
                "connections are accepted again; {connections} were refused",
                event="admission_limit_cleared",
                connections=refused,
            )

    def _refuse(self) -> None:
        self.tally.refuse(Refusal.STRANGERS)
        if not self._refused:
            self._log.warn(
                "connections are refused: {limit} are not welcomed yet",
                event="admission_limit_reached",
                limit=self._most,
            )
        self._refused += 1


class Stranger:
    """A connection's place among the ``strangers``, which it has until it is welcomed or closed.

    The place of one that is closed stays taken while something is still to be stored for it.
    """

    __slots__ = ("_standing", "_strangers", "_unstored", "_welcomed", "tally")

    def __init__(self, strangers: Strangers, welcomed: Callable[[], object]) -> None:
        self._strangers, self._welcomed, self._unstored = strangers, welcomed, 0
        self.tally = strangers.tally
        self.unwelcome()

    def storing(self) -> None:
        """Something is to be stored for it."""
        self._unstored += 1

    def stored(self) -> None:
        """That was stored, or could not be."""
        self._unstored -= 1
        self._leave_if_gone()

    def welcomed(self) -> None:
        """It is a member's from now on."""
        self._standing = Standing.WELCOME
        self._strangers.leave(self)
        self._welcomed()

    def unwelcome(self) -> None:
        """It is no member's: not yet, or not any more, as it turns out to speak another dialect."""
        self._standing = Standing.STRANGE
        self._strangers.take(self)

    def closed(self) -> None:
        """The connection is gone."""
        self._standing = Standing.CLOSED
        self._leave_if_gone()

    def _leave_if_gone(self) -> None:
        if self._standing is Standing.CLOSED and not self._unstored:
            self._strangers.leave(self)


def uncounted() -> Stranger:
    """Return a place among no strangers but itself."""
    return Stranger(Strangers(LEAST, Tally()), lambda: None)
