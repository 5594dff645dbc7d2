"""Sessions: the state of a member that survives its connection."""

from __future__ import annotations

import hashlib
from enum import Enum, auto

from techboy.chat.rate_limit import TokenBucket
from techboy.storage.interface import SessionRecord


def digest_of(token: str) -> bytes:
    """Return the hash under which the session with the secret ``token`` is stored.

    The token has 256 random bits, so plain SHA-256 is enough. Lookups by the hash reveal nothing about the
    token through their timing.
    """
    return hashlib.sha256(token.encode()).digest()


class Numbering(Enum):
    """An error in the sequence number of lines."""

    GAP = auto()  # lines before them were not received


class Session:
    """A session whose member is connected, or may reconnect soon. See `SessionRecord` for its fields.

    ``next``: the number of the first line that is not stored. ``accepted``: the number of the next line that
    is expected; lines before it are stored or about to be. ``bucket``: the rate limit, which a new connection
    does not reset.
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
        self.bucket: TokenBucket | None = None

    def accept(self, seq: int, lines: int) -> int | Numbering:
        """Accept ``lines`` lines numbered from ``seq`` on; return how many of the first are duplicates."""
        if seq > self.accepted:
            return Numbering.GAP
        duplicates = min(self.accepted - seq, lines)
        self.accepted += lines - duplicates
        return duplicates

    def mark_stored(self, before: int) -> None:
        """Note that lines with numbers less than ``before`` are stored; calls may come in any order."""
        self.next = max(self.next, before)

    def reset_accepted(self) -> None:
        """Expect the accepted lines that are not stored again: storing them failed."""
        self.accepted = self.next

    def record(self) -> SessionRecord:
        """Return the record to store together with all accepted lines."""
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
