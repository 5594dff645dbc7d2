"""Tests of `techboy.terminal.roster`, told by a real house what it tells a guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.member import Member
from techboy.chat.server import House
from techboy.terminal.roster import LIMIT, Company
from techboy.wire.plain import notice
from tests.chat.fakes import FakeHouse

NAMES = ["juliet", "nurse", "mercutio", "tybalt", "a-b.c_d", "2", "left", "joined"]


class Watched:
    """A house with somebody in it who looks who is there."""

    def __init__(self) -> None:
        self.house = FakeHouse()
        self.me, _ = self.house.comes("juliet")
        self.company = Company("someone")
        self.house.news()
        self.hears([*self.house.welcome(self.me), self.house.company(self.me)])

    def hears(self, lines: list[str]) -> None:
        """Tell the watcher what the house says, as a notice or as it comes in a frame."""
        for number, line in enumerate(lines):
            self.company.noticed(notice(line) if number % 2 else line)

    def looks(self) -> list[str]:
        """Return who is seen, after what is new was told."""
        room = self.me.room
        for segment in room.take():
            self.hears(segment.news.told(self.me.number))
        return self.company.names

    def does(self, member: Member, line: str) -> None:
        """Let ``member`` give a command; the watcher is told what is told to itself."""
        answer = self.house.commanded(member, line)
        if member is self.me:
            self.hears(answer)

    @property
    def others(self) -> list[str]:
        """Who really is there."""
        return others(self.house, self.me)


def others(house: House, me: Member) -> list[str]:
    """Return the names of those in the room with ``me``, in order."""
    return sorted((other.name for other in me.room.members.values() if other is not me), key=str.lower)


class CompanyTests:
    """Who is seen to be here."""

    def test_arrival(self) -> None:
        """Who comes in is told by what name, and who is there."""
        house = FakeHouse()
        house.comes(host=True)
        nurse, _ = house.comes("Nurse")
        nurse.away = "asleep"
        me, _ = house.comes("juliet")
        company = Company("juliette")
        for line in [*house.welcome(me), house.company(me)]:
            company.noticed(line)
        assert (company.own_name, company.names) == ("juliet", ["Nurse", "romeo"])

    def test_came_and_left(self) -> None:
        """Who comes and goes is seen to, one or several."""
        watched = Watched()
        members = [watched.house.comes(name)[0] for name in ("nurse", "tybalt", "mercutio")]
        assert watched.looks() == ["mercutio", "nurse", "tybalt"]
        watched.house.leave(members[0])
        assert watched.looks() == ["mercutio", "tybalt"]
        for member in members[1:]:
            watched.house.leave(member)
        assert watched.looks() == []

    def test_renamed(self) -> None:
        """Who is called something else is seen under that name; so is whoever is looking."""
        watched = Watched()
        nurse, _ = watched.house.comes("nurse")
        watched.looks()
        watched.does(nurse, "nick angelica")
        assert watched.looks() == ["angelica"]
        watched.does(watched.me, "nick rosaline")
        assert watched.looks() == ["angelica"]
        assert watched.company.own_name == "rosaline"

    def test_renamed_at_once(self) -> None:
        """Whoever is renamed before anybody knew of them is told alone."""
        house = FakeHouse()
        me, _ = house.comes("juliet")
        company = Company("juliet")
        for line in house.commanded(me, "nick rosaline"):
            company.noticed(line)
        assert company.own_name == "rosaline"

    def test_named_by_the_host(self) -> None:
        """Who gets another name than they wanted knows it: from the conversation, or from its line."""
        company = Company("juliet")
        company.called("juliet2")
        assert company.own_name == "juliet2"
        company.noticed("* you are juliet3")
        assert company.own_name == "juliet3"

    def test_other_room(self) -> None:
        """In another room others are here."""
        watched = Watched()
        watched.house.comes("nurse")
        tybalt, _ = watched.house.comes("tybalt")
        watched.does(tybalt, "join garden")
        assert watched.looks() == ["nurse"]
        watched.does(watched.me, "join garden")
        watched.hears([*watched.house.arrival(watched.me), watched.house.company(watched.me)])
        assert watched.looks() == ["tybalt"]

    def test_many(self) -> None:
        """Of many, those are known who were listed, told of or heard."""
        watched = Watched()
        members = [watched.house.comes(f"n{number:02}")[0] for number in range(30)]
        assert len(watched.looks()) == 20
        watched.company.heard("n29")
        assert "n29" in watched.company.names
        watched.does(watched.me, "who")
        assert "n29" in watched.company.names
        for member in members[5:]:
            watched.house.leave(member)
        watched.looks()
        watched.does(watched.me, "who")
        assert watched.company.names == watched.others

    def test_heard(self) -> None:
        """Who says something is here; one's own name is not among the others, however it is written."""
        company = Company("juliet")
        for author in ("romeo", "Romeo", "JULIET", "no name", ""):
            company.heard(author)
        assert company.names == ["Romeo"]

    @pytest.mark.parametrize(
        "command",
        [
            "topic nurse left", "topic x joined", "away nurse left", "me nurse left", "last", "rooms",
            "help", "whois nurse", "ping nurse", "msg nurse a joined", "ignore nurse", "unignore nurse",
            "nosuch", "nick", "back",
        ],
    )  # fmt: skip
    def test_what_people_say(self, command: str) -> None:
        """Nothing that somebody says with a command changes who is seen."""
        watched = Watched()
        nurse, way = watched.house.comes("nurse")
        watched.looks()
        watched.does(nurse, command)
        watched.does(watched.me, command)
        watched.hears([line for event in way.events if event[0] == "tell" for line in event[1]])
        assert watched.looks() == ["nurse"]
        assert watched.company.own_name == "juliet"

    def test_sent_away(self) -> None:
        """Who is sent away has left, whatever the reason that is told."""
        watched = Watched()
        host, _ = watched.house.comes(host=True)
        nurse, _ = watched.house.comes("nurse")
        watched.looks()
        watched.does(host, "kick nurse romeo left")
        watched.house.leave(nurse)
        assert watched.looks() == ["romeo"]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["comes", "goes", "nick", "join", "part", "who"]), st.sampled_from(NAMES)
            )
        )
    )
    def test_any_doings(self, doings: list[tuple[str, str]]) -> None:
        """Whoever comes, goes, moves and is renamed, in whatever order: who is seen is who is there."""
        watched = Watched()
        house = watched.house
        for what, name in doings:
            member = house.names.get(name)
            if what == "comes":
                house.comes(name)
            elif member is None:
                continue
            elif what == "goes" and member is not watched.me:
                house.leave(member)
            elif what != "goes":
                before = watched.me.room
                watched.does(member, {"nick": "nick other", "join": "join garden"}.get(what, what))
                if watched.me.room is not before:
                    before.take()
                    watched.hears([house.arrival(watched.me)[0], house.company(watched.me)])
            assert watched.looks() == watched.others
            assert watched.company.own_name == watched.me.name

    @given(st.lists(st.text()))
    def test_any_lines(self, lines: list[str]) -> None:
        """No line does any harm."""
        company = Company("juliet")
        for line in lines:
            company.noticed(line)
        assert len(company.names) <= LIMIT

    def test_bounded(self) -> None:
        """No more names are remembered than there is use for, the latest of them."""
        company = Company("juliet")
        for number in range(LIMIT + 50):
            company.heard(f"n{number}")
            company.heard("n0")
        assert len(company.names) == LIMIT
        assert {"n0", f"n{LIMIT + 49}"} <= {*company.names}
