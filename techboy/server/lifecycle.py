"""What the coming, reading and going of clients means for the server."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from techboy.chat.commands import FAREWELL
from techboy.chat.isolation import Fallible
from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.wire.frames import ServerBye


class Farewell(Enum):
    """How a client said goodbye."""

    LISTENS = auto()  # it has closed its half, or said so: it may still read what follows
    LISTENS_NO_MORE = auto()  # it said ``exit``


class DirectClient(Fallible, Protocol):
    """A client's connection, as a conversation sees it."""

    member: Member
    offset: int

    @property
    def address(self) -> str:
        """Where the client is."""

    @property
    def idle_seconds(self) -> float | None:
        """For how many seconds nothing was received from it."""

    @property
    def has_everything(self) -> bool:
        """Whether all messages so far are on their way to it, or no more will be."""

    def disconnect(self, why: str) -> None:
        """Tell ``why``, and close."""

    def pause(self) -> None:
        """Read no more from it, for want of room on the screen."""

    def resume(self) -> None:
        """Read from it again."""

    def is_over(self) -> None:
        """It said that it listens no more: take no notice of what it still sends."""

    def say_last_words(self, within: float) -> None:
        """Say goodbye, and hear what it answers, for so many seconds at most."""

    def take_leave(self, bye: ServerBye, within: float) -> None:
        """Say goodbye, if that was not done, and close within so many seconds."""

    def limit_close(self, seconds: float) -> None:
        """Send all and close after so many seconds; a later call replaces an earlier one."""


class DirectServer(Protocol):
    """The program, as the operator sees it in direct mode."""

    @property
    def closing_bye(self) -> ServerBye:
        """What a client is told when the program ends."""

    def leave(self) -> None:
        """Have the operator say goodbye, and end."""

    def over(self, unsaid: str | None) -> None:
        """End. ``unsaid``: what is not known to have arrived, None if all is."""


class ClientLifecycle:
    """That of rooms: clients come and go, and nothing else depends on it."""

    @property
    def is_free(self) -> bool:
        """Whether another client may enter, as far as that depends on those who were here."""
        return True

    def first_offset(self, room: Room) -> int:
        """Return the id after which a plain client that enters ``room`` is sent messages."""
        return room.log.last

    def entered(self, client: DirectClient) -> None:
        """``client`` is a member from now on."""

    def caught_up(self, client: DirectClient) -> None:
        """All messages so far are on their way to ``client``."""

    def said_goodbye(self, client: DirectClient, how: Farewell) -> None:
        """``client`` said goodbye: answer."""
        client.disconnect(FAREWELL if how is Farewell.LISTENS_NO_MORE else "")

    def closing(self, client: DirectClient) -> None:
        """``client`` was told goodbye because of a command."""

    def displaced(self, client: DirectClient) -> None:
        """The connection of ``client`` is another's from now on, which speaks the native dialect."""

    def gone(self, client: DirectClient, *, clean: bool) -> None:
        """The connection of ``client`` is gone for good: in good order (``clean``), or broken."""
