"""The frames of the native dialect: what a caller and a host tell each other.

All text in a frame that was read is cleaned. Where a frame has text, lines are joined by LF; every other
string is one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

VERSION = 1

LARGEST = 2**53 - 1
"""The largest number in a frame: up to here every reader of JSON has whole numbers."""

# what an error is about: the frame itself,
FRAME = "frame"
UNKNOWN = "unknown"
FIELD = "field"
# or the lines in it
LINE = "line"
GAP = "gap"
STORAGE = "storage"

# why a host says goodbye
CLOSED = "closed"
RESTART = "restart"
BUSY = "busy"
REFUSED = "refused"


@dataclass(frozen=True)
class Hello:
    """The caller's first frame: who calls, and what is known from before.

    ``session``: the token of the session to go on with. ``log``: that of the last welcome. ``room``: the one
    the caller was in. ``seen``: the id up to which it has shown everything in there. ``hears``: it wants to
    know what was said before it came, and may be counted as one who listens.
    """

    name: str
    session: str | None = field(default=None, repr=False)
    log: str | None = None
    room: str | None = None
    seen: int | None = None
    hears: bool = True
    version: int = VERSION


@dataclass(frozen=True)
class Say:
    """Lines are said: ``text``, of which the first line is number ``seq`` of the session."""

    seq: int
    text: str


@dataclass(frozen=True)
class Do:
    """The caller asks for a command."""

    command: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ping:
    """Somebody asks whether the other end is there; ``seen`` and ``room``, of callers, are as in `Hello`."""

    number: int
    seen: int | None = None
    room: str | None = None


@dataclass(frozen=True)
class Pong:
    """The answer to the ping with that ``number``."""

    number: int


@dataclass(frozen=True)
class Goodbye:
    """The caller is leaving; ``seen`` and ``room`` are as in `Hello`."""

    seen: int | None = None
    room: str | None = None


@dataclass(frozen=True)
class Limits:
    """How many bytes a line that is said, and a frame, may have; ends of lines are not counted."""

    line: int
    frame: int


@dataclass(frozen=True)
class Welcome:
    """The host's first frame, the answer to a hello.

    ``next``: the number of the session's line that is expected next. ``log``: where it is another than the
    caller knew, its ids and numbers mean nothing any more. ``room``: None in a conversation of two. Lines
    after the id ``after`` follow; ``last`` is the id of the last there was when the welcome was written.
    """

    name: str
    session: str = field(repr=False)
    next: int
    log: str
    room: str | None
    after: int
    last: int
    host: str
    limits: Limits
    version: int = VERSION


@dataclass(frozen=True)
class Stored:
    """All lines of the session before the number ``next`` are stored, the last of them as ``last``."""

    next: int
    last: int


@dataclass(frozen=True)
class Lines:
    """Lines of one author, with ids from ``first`` on; ``at`` and ``kind`` are a batch's."""

    first: int
    at: float
    author: str
    kind: str
    text: str

    @property
    def last(self) -> int:
        """The id of the last of the lines."""
        return self.first + self.text.count("\n")


@dataclass(frozen=True)
class Moved:
    """The caller is in another room now, of which lines after the id ``after`` follow, as in a `Welcome`."""

    room: str
    after: int
    last: int


@dataclass(frozen=True)
class Notice:
    """A line about the conversation."""

    text: str


@dataclass(frozen=True)
class Throttled:
    """The caller has sent faster than it may: the host takes ``rate`` lines a second from it for now."""

    rate: int


@dataclass(frozen=True)
class Missed:
    """``count`` lines, up to the id ``upto``, are not sent: they were forgotten, or cannot be read."""

    count: int
    upto: int


@dataclass(frozen=True)
class Error:
    """The host could not do what a frame asked for.

    ``next``: the number of the session's line that is expected next, where the error is about lines.
    """

    code: str
    text: str
    next: int | None = None


@dataclass(frozen=True)
class Misread(Error):  # noqa: N818 - `Error` is a frame, no exception
    """A line that is no frame, as the error that a host answers; a caller has it from its own reading."""


@dataclass(frozen=True)
class Bye:
    """The host says goodbye, for a reason that a caller may not know."""

    reason: str
    text: str | None = None

    @property
    def why(self) -> str:
        """Why, in words: nothing where the conversation is over and that is all."""
        return self.text or ("" if self.reason == CLOSED else self.reason)


CallerFrame: TypeAlias = Hello | Say | Do | Ping | Pong | Goodbye
HostFrame: TypeAlias = (
    Welcome | Stored | Lines | Moved | Notice | Throttled | Missed | Error | Ping | Pong | Bye
)
