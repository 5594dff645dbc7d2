"""The latest client in direct mode: only that client may continue the conversation after reconnecting."""

from __future__ import annotations

from techboy.chat.room import Room
from techboy.chat.server import ChatServer
from techboy.server.broker import Broker

_ROOM = "latest client"  # a name that no room can have


class LatestClient:
    """The client that joined last, also before a restart: it is stored as the topic of a log of its own.

    `note` stores it with the next group, which is before any of its messages.
    """

    def __init__(self, chat: ChatServer, broker: Broker) -> None:
        self._broker, self._room = broker, Room(_ROOM, chat.logs.open(_ROOM), broker)

    def is_number(self, number: int) -> bool:
        """Return whether the latest client has the session ``number``."""
        return self._room.topic.split()[:1] == [str(number)]

    @property
    def since(self) -> int:
        """The id in the lobby after which the conversation with the latest client begins."""
        return int(self._room.topic.split()[1])

    def note(self, number: int, since: int) -> None:
        """Make the client with that ``number`` the latest, unless it is already."""
        if not self.is_number(number):
            self._room.topic = f"{number} {since}"
            self.store()

    def store(self) -> None:
        """Store the latest client with the next group, unless it is stored already."""
        self._broker.schedule_flush(self._room)
