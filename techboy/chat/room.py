"""A room: who is in it, what is said there, and what is new."""

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
"""Characters of history that are shown at a time, about."""

SHOWN_NAMES = 20
"""Names that are listed where there are many."""


class FlushScheduler(Protocol):
    """Whoever sees to it that what is new in a room is settled: stored, and brought to everybody."""

    def schedule_flush(self, room: Room) -> None:
        """Something was said in ``room``: settle it now."""

    def schedule_flush_soon(self, room: Room) -> None:
        """Somebody came or went in ``room``: settle it soon, with what else comes."""

    def report_read_error(self, why: StorageError) -> None:
        """Something that was asked for can't be read from where it is kept: log it."""


class PresenceEvents:
    """What is new about who is in a room: lines for everybody, who came and who left, by number.

    Members are told of the latter only if ``presence`` is announced. Nothing is added once it was told.
    """

    def __init__(self, presence: Presence = Presence.ANNOUNCED) -> None:
        self._presence = presence
        self.lines: list[str] = []
        self.joined: dict[int, str] = {}
        self.left: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self.lines or self.joined or self.left)

    def told(self, number: int = 0) -> list[str]:
        """Return the lines for the member ``number``, who is told of those only who came after it."""
        return [*self.lines] if self._presence is Presence.UNANNOUNCED else self.recorded(number)

    def recorded(self, number: int = 0) -> list[str]:
        """Return the same with all who came and left, whether members are told or not."""
        lines, joined = [*self.lines], self._in_order
        later = self._places.get(number, 0)
        shown = joined[later : later + SHOWN_NAMES]
        if shown:
            lines.append(f"{listed(shown, len(joined) - later)} joined")
        if self.left:
            lines.append(f"{listed(self.left.values(), len(self.left))} left")
        return lines

    @cached_property
    def _in_order(self) -> list[str]:
        return list(self.joined.values())

    @cached_property
    def _places(self) -> dict[int, int]:
        return {number: place for place, number in enumerate(self.joined, 1)}


class PendingMessages:
    """What one member said since the last time, in its order, as runs of one name and kind."""

    __slots__ = ("member", "runs", "size")

    def __init__(self, member: Member) -> None:
        self.member, self.size = member, 0
        self.runs: list[tuple[str, str, list[str]]] = []

    def add(self, kind: str, text: str) -> None:
        """``text``, lines joined by LF, was said."""
        runs, name = self.runs, self.member.name
        self.size += len(text)
        self.member.pending_chars += len(text)
        if runs and runs[-1][0] == name and runs[-1][1] == kind:
            runs[-1][2].append(text)
        else:
            runs.append((name, kind, [text]))


class PendingBatch:
    """What is new in a room and is brought together: news first, then what was said."""

    __slots__ = ("news", "said")

    def __init__(self, presence: Presence) -> None:
        self.news = PresenceEvents(presence)
        self.said: dict[int, PendingMessages] = {}

    def drafts(self) -> list[MessageDraft]:
        """Return what was said: each author's lines together."""
        return [
            MessageDraft(by, name, kind, "\n".join(texts))
            for by, said in self.said.items()
            for name, kind, texts in said.runs
        ]

    @property
    def lines(self) -> int:
        """How many lines were said."""
        texts = (text for said in self.said.values() for _, _, run in said.runs for text in run)
        return sum(text.count("\n") + 1 for text in texts)


class Room:
    """One conversation of any number, in one order. What is said waits until it is stored with the rest.

    ``members`` are all who hear, by number; ``listed`` those of them whom the others know of: not the quiet,
    and the host once, by however many ways at a time.
    """

    def __init__(
        self, name: str, log: MessageLog, waker: FlushScheduler, presence: Presence = Presence.ANNOUNCED
    ) -> None:
        self.name, self.log, self.topic = name, log, log.topic
        self.members: dict[int, Member] = {}
        self.listed: dict[int, Member] = {}
        self._flush_scheduler, self._presence = waker, presence
        self._segments = [PendingBatch(presence)]

    def post(self, member: Member, kind: str, text: str) -> None:
        """``member`` says ``text``, lines joined by LF."""
        waiting = self._segments[-1].said
        said = waiting.get(member.number)
        if said is None:
            said = waiting[member.number] = PendingMessages(member)
        said.add(kind, text)
        self._flush_scheduler.schedule_flush(self)

    def take_pending(self) -> list[PendingBatch]:
        """Return what is new, in its order, and forget it."""
        segments, self._segments = self._segments, [PendingBatch(self._presence)]
        return segments

    @property
    def pending_lines(self) -> int:
        """How many lines were said since it was last taken from."""
        return sum(segment.lines for segment in self._segments)

    def enter(self, member: Member) -> None:
        """``member`` comes in."""
        self.members[member.number] = member
        if member.hidden or self._twin(member) is not None:
            return
        self.listed[member.number] = member
        news = self._segments[-1].news
        before = news.left.pop(self._number_before(member), None)
        if before is None:
            news.joined[member.number] = member.name
        elif before != member.name:
            news.lines.append(f"{before} is now {member.name}")
        self._flush_scheduler.schedule_flush_soon(self)

    def leave(self, member: Member) -> None:
        """``member`` goes."""
        del self.members[member.number]
        if self.listed.pop(member.number, None) is None:
            return
        twin = self._twin(member)
        if twin is not None:
            self.listed[twin.number] = twin
            return
        news = self._news_after(member)
        if news.joined.pop(member.number, None) is None:
            news.left[member.number] = member.name
        self._flush_scheduler.schedule_flush_soon(self)

    def rename(self, member: Member, before: str) -> bool:
        """``member`` was called ``before`` until now; return whether everybody will be told."""
        news = self._news_after(member)
        if member.number in news.joined:
            news.joined[member.number] = member.name
            return False
        self.announce(f"{before} is now {member.name}")
        return True

    def announce(self, line: str) -> None:
        """Tell everybody in the room one line."""
        self._segments[-1].news.lines.append(line)
        self._flush_scheduler.schedule_flush_soon(self)

    def _twin(self, member: Member) -> Member | None:
        """Return another way by which the host, if ``member`` is that, is in the room."""
        if not member.is_operator:
            return None
        others = (other for other in self.members.values() if other is not member)
        return next((other for other in others if other.is_operator and not other.hidden), None)

    def _number_before(self, member: Member) -> int:
        """Return the number that ``member`` may just have left with: the host's may be another each time."""
        left = self._segments[-1].news.left
        if member.is_operator:
            return next((number for number, name in left.items() if name == member.name), member.number)
        return member.number

    def _news_after(self, member: Member) -> PresenceEvents:
        """Return where news of ``member`` goes, so that it comes after what they said."""
        if member.number in self._segments[-1].said:
            self._segments.append(PendingBatch(self._presence))
        return self._segments[-1].news


def listed(names: Iterable[str], count: int) -> str:
    """Return ``names``, of which there are ``count``, as a list for people, of bounded length."""
    text = ", ".join(islice(names, SHOWN_NAMES))
    more = count - SHOWN_NAMES
    return text if more <= 0 else f"{text} and {more} more"
