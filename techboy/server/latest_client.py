"""Which client was the last one in direct mode, and where its messages begin: it alone goes on with them."""

from __future__ import annotations

from techboy.chat.room import Room
from techboy.chat.server import ChatServer
from techboy.server.broker import Broker

_ROOM = "latest client"  # a name that no room can have


class LatestClient:
    """The client that entered last, at any time: it is kept as the topic of a log of its own.

    `note` stores it with the next group, so that it is known before anything that follows is.
    """

    def __init__(self, chat: ChatServer, broker: Broker) -> None:
        self._broker, self._room = broker, Room(_ROOM, chat.logs.open(_ROOM), broker)

    def is_number(self, number: int) -> bool:
        """Return whether that client has the ``number``."""
        return self._room.topic.split()[:1] == [str(number)]

    @property
    def since(self) -> int:
        """The id in the lobby after which its messages begin."""
        return int(self._room.topic.split()[1])

    def note(self, number: int, since: int) -> None:
        """The client with that ``number`` enters, if it is not the latest already."""
        if not self.is_number(number):
            self._room.topic = f"{number} {since}"
            self.store()

    def store(self) -> None:
        """Have it stored, if it is not."""
        self._broker.schedule_flush(self._room)
