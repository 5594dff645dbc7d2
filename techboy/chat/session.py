"""What survives a connection: who it was, what was stored of what they said, and where they have read to."""

from __future__ import annotations

import hashlib
from enum import Enum, auto

from techboy.chat.rate_limit import Bucket
from techboy.storage.interface import SessionRecord


def digest_of(token: str) -> bytes:
    """Return what is kept of a session's secret ``token``.

    The token is chance of 256 bits, so a plain SHA-256 says nothing about it; and as it is looked up by
    this, how long that takes says nothing either.
    """
    return hashlib.sha256(token.encode()).digest()


class Numbering(Enum):
    """What is wrong with the number of lines."""

    GAP = auto()  # lines before them never came


class Session:
    """A session as long as somebody is in it, or may be back soon. See `SessionRecord` for its fields.

    ``next`` counts what is stored, ``accepted`` also what is about to be. ``bucket`` is how much may be
    said, which does not begin anew with a connection.
    """

    __slots__ = (
        *("accepted", "bucket", "digest", "last_active", "ignoring", "kicked"),
        *("name", "next", "nick", "number", "room", "seen"),
    )

    def __init__(self, record: SessionRecord) -> None:
        self.number, self.digest, self.name = record.number, record.digest, record.name
        self.next = self.accepted = record.next
        self.room, self.seen, self.last_active = record.room, record.seen, record.last_active
        self.kicked, self.nick, self.ignoring = record.kicked, record.nick, record.ignoring
        self.bucket: Bucket | None = None

    def accept(self, seq: int, lines: int) -> int | Numbering:
        """Take so many lines numbered from ``seq`` on; return how many of the first are here already."""
        if seq > self.accepted:
            return Numbering.GAP
        known = min(self.accepted - seq, lines)
        self.accepted += lines - known
        return known

    def mark_stored(self, before: int) -> None:
        """What was accepted before the number ``before`` is stored; it may be told in any order."""
        self.next = max(self.next, before)

    def reset_accepted(self) -> None:
        """What was accepted and not stored never will be: it is expected once more."""
        self.accepted = self.next

    def record(self) -> SessionRecord:
        """Return what is kept of it once all that was accepted is stored."""
        return SessionRecord(
            self.number,
            self.digest,
            self.name,
            self.accepted,
            self.room,
            self.seen,
            self.last_active,
            self.kicked,
            self.nick,
            self.ignoring,
        )
