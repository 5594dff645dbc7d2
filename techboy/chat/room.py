"""A room: who is in it, what is said there, and what is new."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from techboy.logs.contract import Batch, Draft, Log

if TYPE_CHECKING:
    from techboy.chat.member import Member

SHOWN_NAMES = 20
"""Names that are listed where there are many."""


class Waker(Protocol):
    """Whoever sees to it that what is new in a room is settled: stored, and brought to everybody."""

    def settle(self, room: Room) -> None:
        """Settle what is new in ``room`` before anything else happens."""

    def wake(self, room: Room) -> None:
        """Something was said in ``room``: settle it now."""

    def nudge(self, room: Room) -> None:
        """Somebody came or went in ``room``: settle it soon, with what else comes."""


class News:
    """What is new about who is in a room: lines for everybody, who came and who left, by number."""

    def __init__(self, lines: list[str], joined: dict[int, str], left: dict[int, str]) -> None:
        self.newcomers = {number: place for place, number in enumerate(joined, 1)}
        self._lines, self._joined, self._left = lines, list(joined.values()), list(left.values())

    def __bool__(self) -> bool:
        return bool(self._lines or self._joined or self._left)

    def told(self, number: int = 0) -> list[str]:
        """Return the lines for the member ``number``, who is told of those only who came after it."""
        later = self.newcomers.get(number, 0)
        shown = self._joined[later : later + SHOWN_NAMES]
        lines = [*self._lines]
        if shown:
            lines.append(f"{listed(shown, len(self._joined) - later)} joined")
        if self._left:
            lines.append(f"{listed(self._left, len(self._left))} left")
        return lines


class Room:
    """One conversation of any number, in one order. What is said waits until it is stored with the rest."""

    def __init__(self, name: str, log: Log, waker: Waker) -> None:
        self.name, self.log, self.topic = name, log, ""
        self.members: dict[int, Member] = {}
        self._waker = waker
        self._pending: dict[int, list[tuple[str, str, list[str]]]] = {}
        self._joined: dict[int, str] = {}
        self._left: dict[int, str] = {}
        self._news: list[str] = []

    def say(self, member: Member, kind: str, text: str) -> None:
        """``member`` says ``text``, lines joined by LF."""
        said = self._pending.setdefault(member.number, [])
        if said and said[-1][:2] == (member.name, kind):
            said[-1][2].append(text)
        else:
            said.append((member.name, kind, [text]))
        self._waker.wake(self)

    def store(self, at: float) -> list[Batch]:
        """Store what waits, and return it: each author's lines together."""
        drafts = [
            Draft(by, author, kind, "\n".join(texts))
            for by, said in self._pending.items()
            for author, kind, texts in said
        ]
        self._pending = {}
        return self.log.append(drafts, at) if drafts else []

    def enter(self, member: Member) -> None:
        """``member`` comes in."""
        self.members[member.number] = member
        before = self._left.pop(member.number, None)
        if before is None:
            self._joined[member.number] = member.name
        elif before != member.name:
            self._news.append(f"{before} is now {member.name}")
        self._waker.nudge(self)

    def leave(self, member: Member) -> None:
        """``member`` goes."""
        self._settle_said(member)
        del self.members[member.number]
        if self._joined.pop(member.number, None) is None:
            self._left[member.number] = member.name
        self._waker.nudge(self)

    def rename(self, member: Member, before: str) -> bool:
        """``member`` was called ``before`` until now; return whether everybody will be told."""
        self._settle_said(member)
        if member.number in self._joined:
            self._joined[member.number] = member.name
            return False
        self.announce(f"{before} is now {member.name}")
        return True

    def announce(self, news: str) -> None:
        """Tell everybody in the room one line."""
        self._news.append(news)
        self._waker.nudge(self)

    def _settle_said(self, member: Member) -> None:
        """Have what ``member`` said so far settled, so that news of it comes after it."""
        if member.number in self._pending:
            self._waker.settle(self)

    def take_news(self) -> News:
        """Return what is new about who is here, and forget it."""
        news = News(self._news, self._joined, self._left)
        self._news, self._joined, self._left = [], {}, {}
        return news


def listed(names: Iterable[str], count: int) -> str:
    """Return ``names``, of which there are ``count``, as a list for people, of bounded length."""
    text = ", ".join(islice(names, SHOWN_NAMES))
    more = count - SHOWN_NAMES
    return text if more <= 0 else f"{text} and {more} more"
