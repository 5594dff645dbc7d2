"""What kind of conversation rooms hold: any number of members, or the operator and one client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Rooms(Enum):
    """How many rooms there are."""

    MANY = auto()  # members go from one to another
    ONE = auto()  # the lobby, which is not named to the client


class Presence(Enum):
    """Whether members are greeted, and told who joins and leaves."""

    ANNOUNCED = auto()
    UNANNOUNCED = auto()


class PlainText(Enum):
    """How messages look to a plain client."""

    SIGNED = auto()  # each line begins with its author's nickname
    BARE = auto()  # there is one possible author: a line is what was said


class History(Enum):
    """Which messages a client may see."""

    SHARED = auto()  # all that the log keeps
    OWN_SESSION = auto()  # those of its own session; the operator sees all


class BackPressure(Enum):
    """What happens when one member sends faster than another reads."""

    LOG = auto()  # nobody waits: what a member has not taken is read from the log later
    AUTHOR = auto()  # the author is not read from until the other member has taken everything


class AfterClient(Enum):
    """What the server does when its last client has left."""

    WAIT = auto()
    END = auto()


@dataclass(frozen=True)
class Policy:
    """How a room admits and treats its members. The operator is treated by `ROOMS` everywhere.

    ``full``: what a caller for whom there is no place is told, after the operator's name. ``client_name``:
    the nickname of a client that has not said its own, None for a numbered one.
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
