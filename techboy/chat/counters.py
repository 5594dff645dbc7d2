"""Counts of events since the server started; they only grow."""

from __future__ import annotations

from enum import Enum, auto


class Rejected(Enum):
    """What was rejected; each is a metric of its own."""

    LINES = auto()
    FRAMES = auto()
    CONNECTIONS = auto()


class RejectReason(Enum):
    """Why something was rejected. The value is the label of the metric ``what``."""

    what: Rejected

    def __new__(cls, name: str, what: Rejected) -> RejectReason:
        """Return the member whose value is ``name``."""
        member = object.__new__(cls)
        member._value_, member.what = name, what
        return member

    LINE = "line_too_long", Rejected.LINES
    STORAGE = "storage_unavailable", Rejected.LINES  # counted at each failed attempt to store a line
    FRAME = "invalid_frame", Rejected.FRAMES  # also a valid frame that is not allowed in this state
    GAP = "out_of_order", Rejected.FRAMES  # lines before those of the frame were not received
    SESSION = "session_unavailable", Rejected.CONNECTIONS
    NAME = "nickname_unavailable", Rejected.CONNECTIONS
    KICKED = "kicked", Rejected.CONNECTIONS
    FULL = "server_full", Rejected.CONNECTIONS
    PENDING = "admission_limit", Rejected.CONNECTIONS  # too many other connections are not admitted yet
    SHUTDOWN = "shutting_down", Rejected.CONNECTIONS


class Counters:
    """The counters.

    ``connections``: connections accepted. ``bytes_received``, ``bytes_sent``: see the metrics of that name.
    ``lines_received``: lines handed to the storage. ``lines_stored``: those of them that were stored.
    ``lines_sent``: lines sent, counted once for each member. ``duplicates``: lines received that were stored
    already. ``sessions_resumed``: sessions continued on a new connection. ``rejected``: what was rejected, by
    reason.

    Lines received that are neither stored nor rejected for `RejectReason.STORAGE` are being written.
    """

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "connections",
        "duplicates",
        "lines_received",
        "lines_sent",
        "lines_stored",
        "rejected",
        "sessions_resumed",
    )

    def __init__(self) -> None:
        self.connections = self.bytes_received = self.bytes_sent = 0
        self.lines_received = self.lines_stored = self.lines_sent = 0
        self.duplicates = self.sessions_resumed = 0
        self.rejected = dict.fromkeys(RejectReason, 0)

    def reject(self, why: RejectReason, count: int = 1) -> None:
        """Count ``count`` rejected lines, frames or connections."""
        self.rejected[why] += count
