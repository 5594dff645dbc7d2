"""The states of the client's native protocol, and what it tells the conversation and the client."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from techboy.chat.messages import Message
from techboy.client.peer import Peer


class NativePeerEvents(Protocol):
    """The conversation, as its connection sees it."""

    def peer_connected(self, peer: Peer) -> None: ...
    def peer_hosts_many(self) -> None: ...
    def peer_assigned_nick(self, name: str) -> None: ...
    def peer_message(self, words: Message) -> None: ...
    def peer_notice(self, text: str) -> None: ...
    def peer_refused(self, text: str) -> None: ...
    def peer_acknowledged(self) -> None: ...
    def peer_left(self) -> None: ...
    def peer_lost(self) -> None: ...
    def peer_gone(self, clean: bool) -> None: ...


class ConnectionOwner(Protocol):
    """The client, as its connection sees it."""

    @property
    def wants_connection(self) -> bool:
        """Whether a conversation may begin."""

    def heard(self) -> None:
        """Note that the server sent something."""

    def returning(self) -> None:
        """Note that the server restarts: many clients will reconnect when it is back."""

    def busy(self, why: str) -> None:
        """Note that the server has no room, for the reason ``why``."""

    def refused(self, why: str) -> None:
        """Note that the server refused the client, for the reason ``why``."""

    def unanswered(self) -> None:
        """Note that the connection was closed before the server sent a welcome."""


class NativeClientState(Enum):
    """The states of the client's native protocol."""

    HELLO = auto()  # the hello is sent
    TURNED_AWAY = auto()  # the server said goodbye instead of a welcome, or the welcome came too late
    WELCOME = auto()
    PARTING = auto()  # the client says goodbye when the outbox is empty
    LEAVING = auto()  # the client says goodbye when what it has sent is stored; it sends nothing more
    BYE = auto()  # the client said goodbye
    ANSWERED = auto()  # the server said goodbye first


LEAVING_STATES = (NativeClientState.PARTING, NativeClientState.LEAVING)
