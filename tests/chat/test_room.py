"""Tests of a room."""

from __future__ import annotations

import pytest

from techboy.chat.member import Member
from techboy.chat.room import SHOWN_NAMES, Room, listed
from techboy.logs.memory import MemoryLogs
from tests.chat.fakes import FakeGuest, FakeWaker


class Verona:
    """A room, whoever settles it, and people."""

    def __init__(self) -> None:
        self.waker = FakeWaker()
        self.room = Room("verona", MemoryLogs().open(), self.waker)
        self._numbers = 0

    def somebody(self, name: str) -> Member:
        """Return somebody who is not in the room."""
        self._numbers += 1
        member = Member(self._numbers, FakeGuest(), self.room, host=False, came_at=0.0)
        member.name = name
        return member

    def inhabitant(self, name: str) -> Member:
        """Return somebody who has been there for long."""
        member = self.somebody(name)
        self.room.enter(member)
        self.room.take_news()
        self.waker.events.clear()
        return member

    def stored(self) -> list[tuple[int, str, str, str]]:
        """Store what was said, and return it."""
        return [(batch.by, batch.author, batch.kind, batch.text) for batch in self.room.store(7.0)]


@pytest.fixture
def verona() -> Verona:
    """Give an empty room."""
    return Verona()


class SayTests:
    """What is said is stored, all together."""

    def test_waits(self, verona: Verona) -> None:
        """It is not in the log before it is stored, and whoever stores it is woken."""
        juliet = verona.inhabitant("juliet")
        verona.room.say(juliet, "say", "hello")
        assert verona.room.log.last == 0
        assert verona.waker.events == [("wake", "verona")]

    def test_stored(self, verona: Verona) -> None:
        """It is stored once, with when and whose it was."""
        juliet = verona.inhabitant("juliet")
        verona.room.say(juliet, "say", "hello\nyou")
        [batch] = verona.room.store(7.0)
        assert (batch.first, batch.last, batch.at, batch.by) == (1, 2, 7.0, juliet.number)
        assert (batch.author, batch.kind, batch.text) == ("juliet", "say", "hello\nyou")
        assert verona.room.store(8.0) == []
        assert verona.room.log.last == 2

    def test_nothing(self, verona: Verona) -> None:
        """Where nothing was said nothing is stored."""
        assert verona.room.store(7.0) == []

    def test_together(self, verona: Verona) -> None:
        """What one says is one piece, though others speak between."""
        juliet, nurse = verona.inhabitant("juliet"), verona.inhabitant("nurse")
        for member, text in [(juliet, "a"), (nurse, "x"), (juliet, "b\nc"), (nurse, "y")]:
            verona.room.say(member, "say", text)
        assert verona.stored() == [
            (juliet.number, "juliet", "say", "a\nb\nc"),
            (nurse.number, "nurse", "say", "x\ny"),
        ]

    def test_kinds(self, verona: Verona) -> None:
        """What is said in another way stands for itself, in its order."""
        juliet = verona.inhabitant("juliet")
        for kind, text in [("say", "a"), ("me", "sighs"), ("me", "waits"), ("say", "b")]:
            verona.room.say(juliet, kind, text)
        assert [piece[2:] for piece in verona.stored()] == [
            ("say", "a"),
            ("me", "sighs\nwaits"),
            ("say", "b"),
        ]

    def test_renamed(self, verona: Verona) -> None:
        """Everything is said under the name that its author had then."""
        juliet = verona.inhabitant("juliet")
        verona.room.say(juliet, "say", "a")
        juliet.name = "rosaline"
        verona.room.say(juliet, "say", "b")
        assert verona.stored() == [
            (juliet.number, "juliet", "say", "a"),
            (juliet.number, "rosaline", "say", "b"),
        ]

    def test_gone(self, verona: Verona) -> None:
        """What was said last is stored although its author has left."""
        juliet = verona.inhabitant("juliet")
        verona.room.say(juliet, "say", "adieu")
        verona.room.leave(juliet)
        assert verona.stored() == [(juliet.number, "juliet", "say", "adieu")]


class NewsTests:
    """Who comes and goes is told to all, at once."""

    def test_enter(self, verona: Verona) -> None:
        """Who comes is a member, is announced, and is known as new."""
        juliet = verona.somebody("juliet")
        verona.room.enter(juliet)
        assert verona.room.members == {juliet.number: juliet}
        assert verona.waker.events == [("nudge", "verona")]
        assert verona.room.take_news().told() == ["juliet joined"]

    def test_leave(self, verona: Verona) -> None:
        """Who goes is no member, and is announced."""
        juliet = verona.inhabitant("juliet")
        verona.room.leave(juliet)
        assert verona.room.members == {}
        assert verona.waker.events == [("nudge", "verona")]
        assert verona.room.take_news().told() == ["juliet left"]

    def test_told_once(self, verona: Verona) -> None:
        """What was told is no news any more."""
        verona.room.enter(verona.somebody("juliet"))
        verona.room.leave(verona.inhabitant("nurse"))
        verona.room.announce("the sun rises")
        verona.room.take_news()
        assert verona.room.take_news().told() == []

    def test_many(self, verona: Verona) -> None:
        """Many are announced in one line, after what else is new."""
        left = [verona.inhabitant(name) for name in ("tybalt", "paris")]
        for name in ("juliet", "nurse"):
            verona.room.enter(verona.somebody(name))
        for member in left:
            verona.room.leave(member)
        verona.room.announce("the sun rises")
        news = verona.room.take_news().told()
        assert news == ["the sun rises", "juliet, nurse joined", "tybalt, paris left"]

    def test_in_and_out(self, verona: Verona) -> None:
        """Who was there for a moment only is not announced."""
        juliet = verona.somebody("juliet")
        verona.room.enter(juliet)
        verona.room.leave(juliet)
        assert verona.room.take_news().told() == []

    def test_out_and_in(self, verona: Verona) -> None:
        """Who was gone for a moment only is not announced, and not new."""
        juliet = verona.inhabitant("juliet")
        verona.room.leave(juliet)
        verona.room.enter(juliet)
        assert verona.room.take_news().told() == []
        assert juliet.number in verona.room.members

    def test_rename(self, verona: Verona) -> None:
        """Another name is announced, and it is known that it will be."""
        juliet = verona.inhabitant("juliet")
        juliet.name = "rosaline"
        assert verona.room.rename(juliet, "juliet")
        assert verona.room.take_news().told() == ["juliet is now rosaline"]

    def test_rename_of_a_newcomer(self, verona: Verona) -> None:
        """Who is not announced yet is announced by the last name only."""
        juliet = verona.somebody("guest1")
        verona.room.enter(juliet)
        juliet.name = "juliet"
        assert not verona.room.rename(juliet, "guest1")
        assert verona.room.take_news().told() == ["juliet joined"]

    def test_announce(self, verona: Verona) -> None:
        """Announcements come in their order, soon."""
        verona.room.announce("one")
        verona.room.announce("two")
        assert verona.waker.events == [("nudge", "verona")] * 2
        assert verona.room.take_news().told() == ["one", "two"]


class ListedTests:
    """Names are listed for people."""

    @pytest.mark.parametrize(("names", "text"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a, b, c")])
    def test_few(self, names: list[str], text: str) -> None:
        assert listed(names, len(names)) == text

    def test_bounded(self) -> None:
        """However many there are, the list is short and the count is right."""
        names = [str(number) for number in range(10_000)]
        shown = ", ".join(names[:SHOWN_NAMES])
        assert listed(names[:SHOWN_NAMES], SHOWN_NAMES) == shown
        assert listed(names, len(names)) == f"{shown} and {10_000 - SHOWN_NAMES} more"
