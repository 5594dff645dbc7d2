"""Where a caller is asked in: by the first bytes it is known which dialect it speaks."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.isolation import isolated
from techboy.net.connection_handler import Door
from techboy.net.connection_log import Record, unrecorded
from techboy.net.graceful_close import cut
from techboy.server.unwelcomed import Stranger, uncounted
from techboy.wire.native import is_hello

PATIENCE = 0.25
"""Seconds for a hello to come; a caller who says nothing so long is a person, and greeted."""


_MOST_BLANKS = 256  # bytes that a hello may begin with and not be known yet


class Spoken(Enum):
    """How a caller speaks; the value is its name for programs."""

    UNKNOWN = "unknown"  # it has not said anything, nor been silent for long
    PLAIN = "plain"
    NATIVE = "native"


class Stage(Enum):
    """Who has the connection."""

    UNKNOWN = auto()  # nobody: nothing was sent yet that tells how the caller speaks
    GREETED = auto()  # a plain door, as the caller was silent; a hello may still come
    KNOWN = auto()  # a door, for good
    GIVEN_UP = auto()  # nobody: it is being closed


class PlainDoor(Door, Interface):
    """A door that may have to give the connection back."""

    def displaced(self) -> bool:
        """The caller speaks another dialect after all, and has not said anything in this one.

        Nothing is called after that. Return whether the connection can still be used.
        """


@implementer(IHalfCloseableProtocol)
class Threshold(Protocol):
    """A connection that is not known yet: after a hello it is given a ``native`` door, else a ``plain`` one.

    A hello that comes late, through a slow tunnel, is understood as long as nothing else came before.
    ``record``: what is written about the connection; ``stranger``: its place until it is welcomed.
    """

    transport: Any
    _beginning = b""
    _stage = Stage.UNKNOWN
    _door: Door | None = None
    _plain_door: PlainDoor | None = None

    def __init__(
        self,
        clock: IReactorTime,
        plain: Callable[[], PlainDoor],
        native: Callable[[], Door],
        record: Record | None = None,
        stranger: Stranger | None = None,
    ) -> None:
        self.stranger = stranger or uncounted()
        self._tally = self.stranger.tally
        self._clock, self._plain, self._native = clock, plain, native
        self._record = record or unrecorded(clock.seconds)
        self._silence: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Somebody is there."""
        self._silence = self._clock.callLater(PATIENCE, isolated, self, self._take_for_plain)

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived."""
        self._tally.bytes_received += len(data)
        if self._door is not None:
            self._door.dataReceived(data)
        elif self._stage is not Stage.GIVEN_UP:
            self._look_at(data)

    @property
    def door(self) -> Door | None:
        """What has taken the connection over, None where it is not known yet how the caller speaks."""
        return self._door or self._plain_door

    @property
    def spoken(self) -> Spoken:
        """How the caller speaks, as far as is known."""
        if self._plain_door is not None:
            return Spoken.PLAIN
        return Spoken.UNKNOWN if self._door is None else Spoken.NATIVE

    def fail(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._record.failed()
        cut(self.transport)

    def hear_nothing(self) -> None:
        """Read no more, for a while."""
        self.transport.pauseProducing()

    def hear_again(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """The caller closed its half."""
        if self._stage is not Stage.GIVEN_UP:
            self._known_door().readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our half is closed."""
        door = self._door or self._plain_door
        if door is not None:
            door.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._stop_waiting()
        door = self._door or self._plain_door
        if door is not None:
            door.connectionLost(reason)
        self.stranger.closed()
        self._record.ended(clean=reason.check(ConnectionDone) is not None)

    def _look_at(self, data: bytes) -> None:
        self._beginning += data
        hello = is_hello(self._beginning)
        if hello is None and len(self._beginning) > _MOST_BLANKS:
            hello = False
        if hello is True:
            self._take_for_native()
        elif hello is False:
            self._take_for_plain()
            self._hand_over()

    def _take_for_native(self) -> None:
        self._stop_waiting()
        plain, self._plain_door = self._plain_door, None
        if plain is not None and not plain.displaced():
            self._stage = Stage.GIVEN_UP
            cut(self.transport)
            return
        self._record.speaks("native")
        self._door = self._native()
        self._door.makeConnection(self.transport)
        self._hand_over()

    def _take_for_plain(self) -> None:
        """Greet the caller; a hello may still follow."""
        self._stop_waiting()
        if self._stage is Stage.UNKNOWN:
            self._stage = Stage.GREETED
            self._record.speaks("plain")
            self._plain_door = self._plain()
            self._plain_door.makeConnection(self.transport)

    def _hand_over(self) -> None:
        self._stage, self._door = Stage.KNOWN, self._door or self._plain_door
        beginning, self._beginning = self._beginning, b""
        if beginning and self._door is not None:
            self._door.dataReceived(beginning)

    def _known_door(self) -> Door:
        if self._door is None:
            self._take_for_plain()
            self._hand_over()
        assert self._door is not None
        return self._door

    def _stop_waiting(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
