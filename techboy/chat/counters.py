"""What has happened in a server since its start, in numbers that only grow."""

from __future__ import annotations

from enum import Enum, auto


class Rejected(Enum):
    """What was not accepted."""

    LINES = auto()
    FRAMES = auto()
    CONNECTIONS = auto()


class RejectReason(Enum):
    """Why something was not accepted; the value is its name for programs, ``what`` is counted."""

    what: Rejected

    def __new__(cls, name: str, what: Rejected) -> RejectReason:
        """Return the member whose value is ``name``."""
        member = object.__new__(cls)
        member._value_, member.what = name, what
        return member

    LINE = "line_too_long", Rejected.LINES
    STORAGE = "storage_unavailable", Rejected.LINES  # each time that they could not be stored
    FRAME = "invalid_frame", Rejected.FRAMES  # or one that is not allowed in this state
    GAP = "out_of_order", Rejected.FRAMES  # its lines come after some that were not received
    SESSION = "session_unavailable", Rejected.CONNECTIONS
    NAME = "nickname_unavailable", Rejected.CONNECTIONS
    KICKED = "kicked", Rejected.CONNECTIONS
    FULL = "server_full", Rejected.CONNECTIONS
    STRANGERS = "admission_limit", Rejected.CONNECTIONS  # too many others are not welcomed yet
    LEAVING = "shutting_down", Rejected.CONNECTIONS


class Counters:
    """The counters.

    ``connections``: accepted. ``bytes_received`` and ``bytes_sent``: see the metrics of that name. ``said``:
    lines that were handed over to be stored, ``stored``: those of them that are. ``sent``: lines that went
    out, once for each member. ``duplicates``: lines that were stored already when they were received.
    ``returns``: sessions that were resumed. ``refused``: what was not accepted, by reason.

    Of the lines ``said``, all that are neither ``stored`` nor refused for want of storage are being written.
    """

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "connections",
        "duplicates",
        "refused",
        "returns",
        "said",
        "sent",
        "stored",
    )

    def __init__(self) -> None:
        self.connections = self.bytes_received = self.bytes_sent = 0
        self.said = self.stored = self.sent = self.duplicates = self.returns = 0
        self.refused = dict.fromkeys(RejectReason, 0)

    def reject(self, why: RejectReason, count: int = 1) -> None:
        """Count so many lines, frames or connections that were not accepted."""
        self.refused[why] += count
