"""A room: its members, its message log, and what is new in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from techboy.chat.policy import Presence
from techboy.storage.interface import MessageDraft, MessageLog, StorageError

if TYPE_CHECKING:
    from techboy.chat.member import Member

HISTORY_SIZE = 64 * 1024
"""Approximate size of a page of history, in characters."""

SHOWN_NAMES = 20
"""Number of names in a list of members, if there are more."""


class FlushScheduler(Protocol):
    """Stores what is new in a room and delivers it to the members."""

    def schedule_flush(self, room: Room) -> None:
        """Flush ``room`` in this turn of the reactor: it has new messages."""

    def schedule_flush_soon(self, room: Room) -> None:
        """Flush ``room`` after a short delay, with what is added until then: it has new notices."""

    def report_read_error(self, why: StorageError) -> None:
        """Log that stored messages cannot be read."""


class PresenceEvents:
    """New notices of a room: lines for all members, and the names of members who joined and left, by number.

    Members are sent joins and leaves only if ``presence`` is announced. Nothing may be added after the first
    call of `notices_for`.
    """

    def __init__(self, presence: Presence = Presence.ANNOUNCED) -> None:
        self._presence = presence
        self.lines: list[str] = []
        self.joined: dict[int, str] = {}
        self.left: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self.lines or self.joined or self.left)

    def notices_for(self, number: int = 0) -> list[str]:
        """Return the notices for the member ``number``, with the joins after its own; all of them for 0."""
        return [*self.lines] if self._presence is Presence.UNANNOUNCED else self.recorded(number)

    def recorded(self, number: int = 0) -> list[str]:
        """Return the same, with joins and leaves even if they are not announced to members."""
        lines, joined = [*self.lines], self._names_joined
        skipped = self._positions.get(number, 0)
        shown = joined[skipped : skipped + SHOWN_NAMES]
        if shown:
            lines.append(f"{listed(shown, len(joined) - skipped)} joined")
        if self.left:
            lines.append(f"{listed(self.left.values(), len(self.left))} left")
        return lines

    @cached_property
    def _names_joined(self) -> list[str]:
        return list(self.joined.values())

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {number: position for position, number in enumerate(self.joined, 1)}


class PendingMessages:
    """The messages of one member that are to be stored, in order, as runs of one name and kind."""

    __slots__ = ("member", "runs", "size")

    def __init__(self, member: Member) -> None:
        self.member, self.size = member, 0
        self.runs: list[tuple[str, str, list[str]]] = []

    def add(self, kind: str, text: str) -> None:
        """Add ``text``: messages joined by LF."""
        runs, name = self.runs, self.member.name
        self.size += len(text)
        self.member.pending_chars += len(text)
        if runs and runs[-1][0] == name and runs[-1][1] == kind:
            runs[-1][2].append(text)
        else:
            runs.append((name, kind, [text]))


class PendingBatch:
    """What is new in a room and is delivered together: the notices first, then the messages by author."""

    __slots__ = ("messages", "news")

    def __init__(self, presence: Presence) -> None:
        self.news = PresenceEvents(presence)
        self.messages: dict[int, PendingMessages] = {}

    def drafts(self) -> list[MessageDraft]:
        """Return the messages: those of each author together."""
        return [
            MessageDraft(by, name, kind, "\n".join(texts))
            for by, pending in self.messages.items()
            for name, kind, texts in pending.runs
        ]

    @property
    def lines(self) -> int:
        """The number of lines in the messages."""
        texts = (text for pending in self.messages.values() for _, _, run in pending.runs for text in run)
        return sum(text.count("\n") + 1 for text in texts)


class Room:
    """Members who share one message log. New messages and notices wait for the next flush.

    ``members``: all members, by number. ``listed``: those that other members see, without hidden ones, and
    with one entry for all sessions of the operator.
    """

    def __init__(
        self,
        name: str,
        log: MessageLog,
        flush_scheduler: FlushScheduler,
        presence: Presence = Presence.ANNOUNCED,
    ) -> None:
        self.name, self.log, self.topic = name, log, log.topic
        self.members: dict[int, Member] = {}
        self.listed: dict[int, Member] = {}
        self._flush_scheduler, self._presence = flush_scheduler, presence
        self._pending = [PendingBatch(presence)]

    def post(self, member: Member, kind: str, text: str) -> None:
        """Add messages of ``member``: ``text``, lines joined by LF."""
        by_author = self._pending[-1].messages
        messages = by_author.get(member.number)
        if messages is None:
            messages = by_author[member.number] = PendingMessages(member)
        messages.add(kind, text)
        self._flush_scheduler.schedule_flush(self)

    def take_pending(self) -> list[PendingBatch]:
        """Remove and return what is new, in order."""
        pending, self._pending = self._pending, [PendingBatch(self._presence)]
        return pending

    @property
    def pending_lines(self) -> int:
        """The number of lines added since the last `take_pending`."""
        return sum(batch.lines for batch in self._pending)

    def enter(self, member: Member) -> None:
        """Add ``member``, and announce it unless it is hidden or already listed by another session."""
        self.members[member.number] = member
        if member.hidden or self._other_session(member) is not None:
            return
        self.listed[member.number] = member
        news = self._pending[-1].news
        old_name = news.left.pop(self._previous_number(member), None)
        if old_name is None:
            news.joined[member.number] = member.name
        elif old_name != member.name:
            news.lines.append(f"{old_name} is now {member.name}")
        self._flush_scheduler.schedule_flush_soon(self)

    def leave(self, member: Member) -> None:
        """Remove ``member``, and announce it if it was listed and has no other session here."""
        del self.members[member.number]
        if self.listed.pop(member.number, None) is None:
            return
        other = self._other_session(member)
        if other is not None:
            self.listed[other.number] = other
            return
        news = self._news_after(member)
        if news.joined.pop(member.number, None) is None:
            news.left[member.number] = member.name
        self._flush_scheduler.schedule_flush_soon(self)

    def rename(self, member: Member, old_name: str) -> bool:
        """Announce that ``member`` has a new nickname; return False if its join is not announced yet."""
        news = self._news_after(member)
        if member.number in news.joined:
            news.joined[member.number] = member.name
            return False
        self.announce(f"{old_name} is now {member.name}")
        return True

    def announce(self, line: str) -> None:
        """Send the notice ``line`` to all members of the room."""
        self._pending[-1].news.lines.append(line)
        self._flush_scheduler.schedule_flush_soon(self)

    def _other_session(self, member: Member) -> Member | None:
        """Return another visible session of the operator in the room, if ``member`` is one."""
        if not member.is_operator:
            return None
        others = (other for other in self.members.values() if other is not member)
        return next((other for other in others if other.is_operator and not other.hidden), None)

    def _previous_number(self, member: Member) -> int:
        """Return the number with which ``member`` may just have left: sessions of the operator differ."""
        left = self._pending[-1].news.left
        if member.is_operator:
            return next((number for number, name in left.items() if name == member.name), member.number)
        return member.number

    def _news_after(self, member: Member) -> PresenceEvents:
        """Return the notices to which one about ``member`` is added, so that it follows its messages."""
        if member.number in self._pending[-1].messages:
            self._pending.append(PendingBatch(self._presence))
        return self._pending[-1].news


def listed(names: Iterable[str], count: int) -> str:
    """Return the first of ``count`` names as text, with the number of those that are not shown."""
    text = ", ".join(islice(names, SHOWN_NAMES))
    hidden = count - SHOWN_NAMES
    return text if hidden <= 0 else f"{text} and {hidden} more"
