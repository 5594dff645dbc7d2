"""What has happened in a house so far, in numbers that only grow."""

from __future__ import annotations

from enum import Enum


class Refusal(Enum):
    """Why something was not taken; the value is its name for programs."""

    LINE = "line"  # a line, or a command, is too long
    FRAME = "frame"  # a frame can't be understood, or is not for now
    GAP = "gap"  # lines that came before these never did
    STORAGE = "storage"  # lines could not be stored
    SESSION = "session"  # a caller's session could not be stored, or read
    NAME = "name"  # a caller wants a name that it can't have
    KICKED = "kicked"  # a caller was kicked, and is told so
    FULL = "full"  # a caller finds no room
    STRANGERS = "strangers"  # a connection while too many others are not welcomed yet
    LEAVING = "leaving"  # a caller comes when the program ends


class Tally:
    """The numbers.

    ``said``: lines that were handed over to be stored, ``stored``: those of them that are. ``sent``: lines
    that went out, once for each guest. ``duplicates``: lines that were here already when they came.
    ``returns``: how often somebody came in again with a session that they had. ``refused``: what was not
    taken, by reason: lines, frames or callers.

    Of the lines ``said``, all that are neither ``stored`` nor refused for want of storage are being written.
    """

    __slots__ = ("duplicates", "refused", "returns", "said", "sent", "stored")

    def __init__(self) -> None:
        self.said = self.stored = self.sent = self.duplicates = self.returns = 0
        self.refused = dict.fromkeys(Refusal, 0)

    def refuse(self, why: Refusal, count: int = 1) -> None:
        """So many were not taken."""
        self.refused[why] += count
