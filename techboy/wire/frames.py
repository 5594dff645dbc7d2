"""The frames of the native protocol, which clients and servers send to each other.

Attributes are named like the fields of the JSON object; only ``from`` is called ``author``, as it is a
keyword. All text in a frame that was read is sanitized. The text of a message may be several lines, joined by
LF; every other string is one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from techboy.storage.interface import TEXT

VERSION = 1

LARGEST = 2**53 - 1
"""The largest number in a frame: all JSON readers represent whole numbers up to it exactly."""

# error codes about the frame itself
BAD_FRAME = "bad_frame"
UNKNOWN_TYPE = "unknown_type"
BAD_FIELD = "bad_field"
# and about the lines in it
LINE_TOO_LONG = "line_too_long"
OUT_OF_ORDER = "out_of_order"
STORAGE_UNAVAILABLE = "storage_unavailable"

# reasons for the server's bye
CLOSED = "closed"
RESTART = "restart"
BUSY = "busy"
REFUSED = "refused"


@dataclass(frozen=True)
class Hello:
    """The client's first frame: its nickname, and its state from an earlier connection.

    ``session``: the token of the session to resume. ``log_epoch``: that of the last welcome. ``room``: the
    room that the client was in. ``last_seen_id``: the id of the last message there that the client has shown.
    ``subscribe``: the client wants messages, also earlier ones, and may be listed as present.
    """

    version: int = field(default=VERSION, kw_only=True)
    name: str
    session: str | None = field(default=None, repr=False)
    log_epoch: str | None = None
    room: str | None = None
    last_seen_id: int | None = None
    subscribe: bool = True


@dataclass(frozen=True)
class ClientMessage:
    """Lines of one kind to store: the first line of ``text`` has the number ``seq`` in the session."""

    seq: int
    text: str
    kind: str = TEXT


@dataclass(frozen=True)
class CommandRequest:
    """A command to run: the word ``name``, without its slash, and its arguments."""

    name: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ping:
    """A request for a pong. Of a client, ``last_seen_id`` and ``room`` are as in `Hello`."""

    number: int
    last_seen_id: int | None = None
    room: str | None = None


@dataclass(frozen=True)
class Pong:
    """The answer to the ping with that ``number``."""

    number: int


@dataclass(frozen=True)
class ClientBye:
    """The client leaves; ``last_seen_id`` and ``room`` are as in `Hello`."""

    last_seen_id: int | None = None
    room: str | None = None


@dataclass(frozen=True)
class Limits:
    """The largest sizes of a line of a message, and of a frame, in bytes without line ends."""

    line: int
    frame: int


@dataclass(frozen=True)
class Welcome:
    """The server's first frame, the answer to a hello.

    ``next_seq``: the number of the session's line that is expected next. ``log_epoch``: if it is not the one
    that the client knows, earlier ids and numbers are void. ``room``: None in direct mode. Messages with ids
    greater than ``after_id`` follow; ``last_id`` is the id of the room's last message at the time of the
    welcome. ``server``: the nickname of the operator.
    """

    version: int = field(default=VERSION, kw_only=True)
    name: str
    session: str = field(repr=False)
    next_seq: int
    log_epoch: str
    room: str | None = field(default=None, kw_only=True)
    after_id: int
    last_id: int
    server: str
    limits: Limits


@dataclass(frozen=True)
class Ack:
    """All lines of the session with numbers less than ``next_seq`` are stored, the last as ``last_id``."""

    next_seq: int
    last_id: int


@dataclass(frozen=True)
class ServerMessage:
    """Lines of one author and one kind, with ids from ``id`` on, stored at ``at``, in ms since 1970."""

    id: int
    at: int
    author: str
    text: str
    kind: str = TEXT

    @property
    def last_id(self) -> int:
        """The id of the last line."""
        return self.id + self.text.count("\n")


@dataclass(frozen=True)
class RoomChanged:
    """The client is in another room, of which messages after ``after_id`` follow, as in `Welcome`."""

    room: str
    after_id: int
    last_id: int


@dataclass(frozen=True)
class Notice:
    """A line from the server that is not a message."""

    text: str


@dataclass(frozen=True)
class Throttled:
    """The client exceeded the rate limit: for now the server reads ``rate`` lines a second from it."""

    rate: int


@dataclass(frozen=True)
class Skipped:
    """``count`` lines, up to the id ``through_id``, are not sent, as they are deleted or cannot be read."""

    count: int
    through_id: int


@dataclass(frozen=True)
class Error:
    """The server could not process a frame.

    ``next_seq``: the number of the session's line that is expected next, if the error is about lines.
    """

    code: str
    text: str
    next_seq: int | None = None


@dataclass(frozen=True)
class InvalidFrame(Error):  # noqa: N818 - `Error` is a frame, not an exception
    """A line that is not a valid frame, as the error to answer."""


@dataclass(frozen=True)
class ServerBye:
    """The server closes the connection; a client may not know the ``reason``."""

    reason: str
    text: str | None = None

    @property
    def why(self) -> str:
        """The reason as text; empty if the conversation is simply over."""
        return self.text or ("" if self.reason == CLOSED else self.reason)


ClientFrame: TypeAlias = Hello | ClientMessage | CommandRequest | Ping | Pong | ClientBye
ServerFrame: TypeAlias = (
    Welcome
    | Ack
    | ServerMessage
    | RoomChanged
    | Notice
    | Throttled
    | Skipped
    | Error
    | Ping
    | Pong
    | ServerBye
)
