"""The policies of rooms: any number of members, or the operator and one client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Rooms(Enum):
    """The number of rooms on the server."""

    MANY = auto()  # members can move from one to another
    ONE = auto()  # the lobby, whose name is not sent to the client


class Presence(Enum):
    """Whether members are greeted, and joins and leaves are announced."""

    ANNOUNCED = auto()
    UNANNOUNCED = auto()


class PlainText(Enum):
    """The form of messages to a plain client."""

    SIGNED = auto()  # each line begins with its author's nickname
    BARE = auto()  # there is one possible author: a line is the text alone


class History(Enum):
    """Which messages a client may see."""

    SHARED = auto()  # all messages in the log
    OWN_SESSION = auto()  # the messages of its own session; the operator sees all


class BackPressure(Enum):
    """What happens if one member sends faster than another reads."""

    LOG = auto()  # nobody waits: a slow reader reads the messages from the log later
    AUTHOR = auto()  # the server stops reading from the author until the other member has read everything


class AfterClient(Enum):
    """What the server does when its client has left."""

    WAIT = auto()
    END = auto()


@dataclass(frozen=True)
class Policy:
    """How a room admits and treats its members. For the operator `ROOMS` applies everywhere.

    ``full``: sent, after the operator's name, to a client that is rejected because the server is full.
    ``client_name``: the nickname of a client that sent none; None for a numbered one.
    """

    rooms: Rooms
    presence: Presence
    plain_text: PlainText
    history: History
    back_pressure: BackPressure
    after_client: AfterClient
    full: str
    client_name: str | None = None


ROOMS = Policy(
    Rooms.MANY,
    Presence.ANNOUNCED,
    PlainText.SIGNED,
    History.SHARED,
    BackPressure.LOG,
    AfterClient.WAIT,
    "has no room for more guests",
)

DIRECT = Policy(
    Rooms.ONE,
    Presence.UNANNOUNCED,
    PlainText.BARE,
    History.OWN_SESSION,
    BackPressure.AUTHOR,
    AfterClient.END,
    "is busy talking to somebody else; try again later",
    "juliet",
)
"""Direct mode: the operator and one client."""
