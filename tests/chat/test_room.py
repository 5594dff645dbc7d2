"""Tests of a room."""

from __future__ import annotations

import pytest

from techboy.chat.member import Member
from techboy.chat.room import SHOWN_NAMES, Room, listed
from techboy.storage.interface import MessageBatch
from techboy.storage.memory import MemoryLogStore
from tests.chat.fakes import FakeGuest, FakeWaker, stored, taken_news


class Verona:
    """A room, whoever settles it, and people."""

    def __init__(self) -> None:
        self.waker, self.logs = FakeWaker(), MemoryLogStore()
        self.room = Room("verona", self.logs.open("verona"), self.waker)
        self._numbers = 0

    def somebody(self, name: str, *, host: bool = False, quiet: bool = False) -> Member:
        """Return somebody who is not in the room."""
        self._numbers += 1
        way = FakeGuest()
        member = Member(
            self._numbers, way, self.room, is_operator=host, joined_at=0.0, session=None, hidden=quiet
        )
        member.name = name
        return member

    def host(self) -> Member:
        """Return a way in by which the host came."""
        member = self.somebody("romeo", host=True)
        self.room.enter(member)
        return member

    def inhabitant(self, name: str) -> Member:
        """Return somebody who has been there for long."""
        member = self.somebody(name)
        self.room.enter(member)
        self.room.take_pending()
        self.waker.events.clear()
        return member

    def store(self, at: float) -> list[MessageBatch]:
        """Store at ``at`` what was said, and return it."""
        return stored(self.logs, self.room, at)

    def stored(self) -> list[tuple[int, str, str, str]]:
        """Store what was said, and return it."""
        return [(batch.by, batch.author, batch.kind, batch.text) for batch in self.store(7.0)]

    def news(self) -> list[str]:
        """Return what is new about who is there, and forget it."""
        return taken_news(self.room)


@pytest.fixture
def verona() -> Verona:
    """Give an empty room."""
    return Verona()


class SayTests:
    """What is said is stored, all together."""

    def test_waits(self, verona: Verona) -> None:
        """It is not in the log before it is stored, and whoever stores it is woken."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "hello")
        assert verona.room.log.last == 0
        assert verona.waker.events == [("wake", "verona")]

    def test_stored(self, verona: Verona) -> None:
        """It is stored once, with when and whose it was."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "hello\nyou")
        [batch] = verona.store(7.0)
        assert (batch.first, batch.last, batch.at, batch.by) == (1, 2, 7.0, juliet.number)
        assert (batch.author, batch.kind, batch.text) == ("juliet", "text", "hello\nyou")
        assert verona.store(8.0) == []
        assert verona.room.log.last == 2

    def test_nothing(self, verona: Verona) -> None:
        """Where nothing was said nothing is stored."""
        assert verona.store(7.0) == []

    def test_together(self, verona: Verona) -> None:
        """What one says is one piece, though others speak between."""
        juliet, nurse = verona.inhabitant("juliet"), verona.inhabitant("nurse")
        for member, text in [(juliet, "a"), (nurse, "x"), (juliet, "b\nc"), (nurse, "y")]:
            verona.room.post(member, "text", text)
        assert verona.stored() == [
            (juliet.number, "juliet", "text", "a\nb\nc"),
            (nurse.number, "nurse", "text", "x\ny"),
        ]

    def test_kinds(self, verona: Verona) -> None:
        """What is said in another way stands for itself, in its order."""
        juliet = verona.inhabitant("juliet")
        for kind, text in [("text", "a"), ("action", "sighs"), ("action", "waits"), ("text", "b")]:
            verona.room.post(juliet, kind, text)
        assert [piece[2:] for piece in verona.stored()] == [
            ("text", "a"),
            ("action", "sighs\nwaits"),
            ("text", "b"),
        ]

    def test_renamed(self, verona: Verona) -> None:
        """Everything is said under the name that its author had then."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "a")
        juliet.name = "rosaline"
        verona.room.post(juliet, "text", "b")
        assert verona.stored() == [
            (juliet.number, "juliet", "text", "a"),
            (juliet.number, "rosaline", "text", "b"),
        ]

    def test_gone(self, verona: Verona) -> None:
        """What was said last is stored although its author has left."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "adieu")
        verona.room.leave(juliet)
        assert verona.stored() == [(juliet.number, "juliet", "text", "adieu")]


class NewsTests:
    """Who comes and goes is told to all, at once."""

    def test_enter(self, verona: Verona) -> None:
        """Who comes is a member, is announced, and is known as new."""
        juliet = verona.somebody("juliet")
        verona.room.enter(juliet)
        assert verona.room.members == {juliet.number: juliet}
        assert verona.waker.events == [("nudge", "verona")]
        assert verona.news() == ["juliet joined"]

    def test_leave(self, verona: Verona) -> None:
        """Who goes is no member, and is announced."""
        juliet = verona.inhabitant("juliet")
        verona.room.leave(juliet)
        assert verona.room.members == {}
        assert verona.waker.events == [("nudge", "verona")]
        assert verona.news() == ["juliet left"]

    def test_told_once(self, verona: Verona) -> None:
        """What was told is no news any more."""
        verona.room.enter(verona.somebody("juliet"))
        verona.room.leave(verona.inhabitant("nurse"))
        verona.room.announce("the sun rises")
        verona.room.take_pending()
        assert verona.news() == []

    def test_many(self, verona: Verona) -> None:
        """Many are announced in one line, after what else is new."""
        left = [verona.inhabitant(name) for name in ("tybalt", "paris")]
        for name in ("juliet", "nurse"):
            verona.room.enter(verona.somebody(name))
        for member in left:
            verona.room.leave(member)
        verona.room.announce("the sun rises")
        news = verona.news()
        assert news == ["the sun rises", "juliet, nurse joined", "tybalt, paris left"]

    def test_in_and_out(self, verona: Verona) -> None:
        """Who was there for a moment only is not announced."""
        juliet = verona.somebody("juliet")
        verona.room.enter(juliet)
        verona.room.leave(juliet)
        assert verona.news() == []

    def test_out_and_in(self, verona: Verona) -> None:
        """Who was gone for a moment only is not announced, and not new."""
        juliet = verona.inhabitant("juliet")
        verona.room.leave(juliet)
        verona.room.enter(juliet)
        assert verona.news() == []
        assert juliet.number in verona.room.members

    def test_rename(self, verona: Verona) -> None:
        """Another name is announced, and it is known that it will be."""
        juliet = verona.inhabitant("juliet")
        juliet.name = "rosaline"
        assert verona.room.rename(juliet, "juliet")
        assert verona.news() == ["juliet is now rosaline"]

    def test_rename_of_a_newcomer(self, verona: Verona) -> None:
        """Who is not announced yet is announced by the last name only."""
        juliet = verona.somebody("guest1")
        verona.room.enter(juliet)
        juliet.name = "juliet"
        assert not verona.room.rename(juliet, "guest1")
        assert verona.news() == ["juliet joined"]

    def test_announce(self, verona: Verona) -> None:
        """Announcements come in their order, soon."""
        verona.room.announce("one")
        verona.room.announce("two")
        assert verona.waker.events == [("nudge", "verona")] * 2
        assert verona.news() == ["one", "two"]


class HostTests:
    """The host may be there by several ways at once, and is one for the others."""

    def test_once(self, verona: Verona) -> None:
        """Who comes and goes is told of when the first way is open, and when the last one is closed."""
        one, two = verona.host(), verona.host()
        assert verona.news() == ["romeo joined"]
        assert verona.room.listed == {one.number: one}
        assert verona.room.members == {one.number: one, two.number: two}
        verona.room.leave(one)
        assert verona.news() == []
        assert verona.room.listed == {two.number: two}
        verona.room.leave(two)
        assert verona.news() == ["romeo left"]
        assert verona.room.listed == verona.room.members == {}

    def test_the_second_leaves(self, verona: Verona) -> None:
        """Nor is it told that another way is closed than the one that is listed."""
        one, two = verona.host(), verona.host()
        verona.news()
        verona.room.leave(two)
        assert verona.news() == []
        assert verona.room.listed == {one.number: one}

    def test_out_and_in(self, verona: Verona) -> None:
        """Who left by one way and is back at once by another was never gone."""
        one = verona.host()
        verona.news()
        verona.room.leave(one)
        two = verona.host()
        assert verona.news() == []
        assert verona.room.listed == {two.number: two}

    def test_in_and_out(self, verona: Verona) -> None:
        """Who was there for a moment only is not announced."""
        verona.room.leave(verona.host())
        assert verona.news() == []

    def test_guests_of_one_name(self, verona: Verona) -> None:
        """Guests are not each other, whatever they are called."""
        verona.room.leave(verona.inhabitant("juliet"))
        verona.room.enter(verona.somebody("juliet"))
        assert verona.news() == ["juliet joined", "juliet left"]

    def test_quiet(self, verona: Verona) -> None:
        """Who only came to say something is heard, and neither listed nor told of."""
        quiet = verona.somebody("romeo", host=True, quiet=True)
        verona.room.enter(quiet)
        verona.room.post(quiet, "text", "back at nine")
        assert verona.room.listed == {}
        verona.room.leave(quiet)
        [segment] = verona.room.take_pending()
        assert (segment.news.notices_for(), [draft.text for draft in segment.drafts()]) == (
            [],
            ["back at nine"],
        )
        assert verona.room.members == {}

    def test_quiet_is_no_other_way(self, verona: Verona) -> None:
        """The host is not there because somebody speaks for the host."""
        quiet = verona.somebody("romeo", host=True, quiet=True)
        verona.room.enter(quiet)
        one = verona.host()
        assert verona.news() == ["romeo joined"]
        verona.room.leave(one)
        assert verona.news() == ["romeo left"]


class SegmentTests:
    """What is told and what is said, in its order."""

    @staticmethod
    def segments(verona: Verona) -> list[tuple[list[str], list[str]]]:
        """Take what is new: what is told, and what was said after that, piece by piece."""
        return [
            (segment.news.notices_for(), [draft.text for draft in segment.drafts()])
            for segment in verona.room.take_pending()
        ]

    def test_nothing(self, verona: Verona) -> None:
        """Where nothing is new there is nothing in it."""
        assert self.segments(verona) == [([], [])]

    def test_news_first(self, verona: Verona) -> None:
        """Who comes is told of before what they say, however it is gathered."""
        juliet = verona.somebody("juliet")
        verona.room.enter(juliet)
        verona.room.post(juliet, "text", "hello")
        verona.room.post(juliet, "text", "you")
        assert self.segments(verona) == [(["juliet joined"], ["hello\nyou"])]

    def test_last_words(self, verona: Verona) -> None:
        """Who goes is told of after what they said last."""
        juliet, nurse = verona.inhabitant("juliet"), verona.inhabitant("nurse")
        verona.room.post(nurse, "text", "hush")
        verona.room.post(juliet, "text", "adieu")
        verona.room.leave(juliet)
        assert self.segments(verona) == [([], ["hush", "adieu"]), (["juliet left"], [])]

    def test_silent(self, verona: Verona) -> None:
        """What is told of those who said nothing does not divide what others say."""
        juliet, nurse = verona.inhabitant("juliet"), verona.inhabitant("nurse")
        verona.room.post(juliet, "text", "a")
        verona.room.leave(nurse)
        verona.room.announce("the sun rises")
        verona.room.post(juliet, "text", "b")
        assert self.segments(verona) == [(["the sun rises", "nurse left"], ["a\nb"])]

    def test_renamed(self, verona: Verona) -> None:
        """Another name is told of between what was said under either."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "a")
        juliet.name = "rosaline"
        verona.room.rename(juliet, "juliet")
        verona.room.post(juliet, "text", "b")
        assert self.segments(verona) == [([], ["a"]), (["juliet is now rosaline"], ["b"])]

    def test_back_as_another(self, verona: Verona) -> None:
        """Who was gone for a moment only, and came back with another name, is told of by it."""
        juliet = verona.inhabitant("juliet")
        verona.room.leave(juliet)
        juliet.name = "rosaline"
        verona.room.enter(juliet)
        assert self.segments(verona) == [(["juliet is now rosaline"], [])]

    def test_newcomers(self, verona: Verona) -> None:
        """Of several who come together, each is told of those only who came later."""
        numbers = []
        for name in ("juliet", "nurse", "paris"):
            member = verona.somebody(name)
            verona.room.enter(member)
            numbers.append(member.number)
        [segment] = verona.room.take_pending()
        told = [segment.news.notices_for(number) for number in (*numbers, 99)]
        assert told == [["nurse, paris joined"], ["paris joined"], [], ["juliet, nurse, paris joined"]]

    def test_many_newcomers(self, verona: Verona) -> None:
        """However many they are, the line is short, and its count right for each."""
        for number in range(100):
            verona.room.enter(verona.somebody(f"n{number}"))
        [segment] = verona.room.take_pending()
        shown = ", ".join(f"n{number}" for number in range(SHOWN_NAMES))
        assert segment.news.notices_for() == [f"{shown} and {100 - SHOWN_NAMES} more joined"]
        later = ", ".join(f"n{number}" for number in range(10, 10 + SHOWN_NAMES))
        assert segment.news.notices_for(10) == [f"{later} and {90 - SHOWN_NAMES} more joined"]

    def test_unstored(self, verona: Verona) -> None:
        """It is counted how much of somebody is to be stored."""
        juliet = verona.inhabitant("juliet")
        verona.room.post(juliet, "text", "hello")
        verona.room.post(juliet, "action", "waves")
        assert juliet.pending_chars == 10


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
