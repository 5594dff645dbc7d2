"""How the server reacts to joins, goodbyes and lost connections of clients."""

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

    READS_ON = auto()  # it has closed its half, or sent a goodbye: it may still read
    EXITED = auto()  # it sent ``exit``


class DirectClient(Fallible, Protocol):
    """The connection of a client, as the operator sees it in direct mode."""

    member: Member
    offset: int

    @property
    def address(self) -> str:
        """The address of the client."""

    @property
    def idle_seconds(self) -> float | None:
        """The seconds since the last data from the client, or None if that is unknown."""

    @property
    def has_everything(self) -> bool:
        """Whether all messages so far have been sent, or no more will be."""

    def disconnect(self, why: str) -> None:
        """Send the reason ``why``, and close."""

    def pause(self) -> None:
        """Pause reading because the operator's screen has no room."""

    def resume(self) -> None:
        """Resume reading: the operator's screen has room again."""

    def on_exit(self) -> None:
        """Ignore further input: the client sent ``exit``."""

    def half_close(self, within: float) -> None:
        """Send the goodbye, and keep reading for so many seconds at most."""

    def say_goodbye(self, bye: ServerBye, within: float) -> None:
        """Send the goodbye ``bye``, if none was sent, and close within so many seconds."""

    def limit_close(self, seconds: float) -> None:
        """Send everything and close after so many seconds; a later call replaces an earlier one."""


class DirectServer(Protocol):
    """The server, as the operator sees it in direct mode."""

    @property
    def closing_bye(self) -> ServerBye:
        """The goodbye to a native client when the server stops."""

    def leave(self) -> None:
        """Have the operator say goodbye, and stop the server."""

    def over(self, unsaid: str | None) -> None:
        """Stop the server. ``unsaid`` names messages that may not have arrived; None: all have."""


class ClientLifecycle:
    """The lifecycle of clients in a server with rooms: nothing else depends on them."""

    @property
    def is_free(self) -> bool:
        """Whether another client may join, as far as earlier clients matter."""
        return True

    def first_offset(self, room: Room) -> int:
        """Return the id after which a plain client that joins ``room`` is sent messages."""
        return room.log.last

    def on_joined(self, client: DirectClient) -> None:
        """Handle that ``client`` has joined."""

    def on_caught_up(self, client: DirectClient) -> None:
        """Handle that all messages so far have been sent to ``client``."""

    def on_goodbye(self, client: DirectClient, how: Farewell) -> None:
        """Answer the goodbye of ``client``."""
        client.disconnect(FAREWELL if how is Farewell.EXITED else "")

    def on_closing(self, client: DirectClient) -> None:
        """Handle that a command is closing the connection of ``client``."""

    def on_displaced(self, client: DirectClient) -> None:
        """Handle that a native protocol takes over the connection of ``client``."""

    def on_closed(self, client: DirectClient, *, clean: bool) -> None:
        """Handle that the connection of ``client`` was closed, or lost if it was not ``clean``."""
