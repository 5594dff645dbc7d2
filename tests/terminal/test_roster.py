"""Tests of `techboy.terminal.roster`, told by a real house what it tells a guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.member import Member
from techboy.chat.server import ChatServer
from techboy.terminal.roster import MAX_NAMES, Roster
from techboy.wire.plain import notice
from tests.chat.fakes import FakeHouse

NAMES = ["juliet", "nurse", "mercutio", "tybalt", "a-b.c_d", "2", "left", "joined"]


class Watched:
    """A house with somebody in it who looks who is there."""

    def __init__(self) -> None:
        self.chat = FakeHouse()
        self.me, _ = self.chat.comes("juliet")
        self.roster = Roster("someone")
        self.chat.news()
        self.hears([*self.chat.welcome_lines(self.me), self.chat.member_list(self.me)])

    def hears(self, lines: list[str]) -> None:
        """Tell the watcher what the house says, as a notice or as it comes in a frame."""
        for number, line in enumerate(lines):
            self.roster.notice_received(notice(line) if number % 2 else line)

    def looks(self) -> list[str]:
        """Return who is seen, after what is new was told."""
        room = self.me.room
        for segment in room.take_pending():
            self.hears(segment.news.notices_for(self.me.number))
        return self.roster.names

    def does(self, member: Member, line: str) -> None:
        """Let ``member`` give a command; the watcher is told what is told to itself."""
        answer = self.chat.run_command(member, line)
        if member is self.me:
            self.hears(answer)

    @property
    def others(self) -> list[str]:
        """Who really is there."""
        return others(self.chat, self.me)


def others(chat: ChatServer, me: Member) -> list[str]:
    """Return the names of those in the room with ``me``, in order."""
    return sorted((other.name for other in me.room.members.values() if other is not me), key=str.lower)


class CompanyTests:
    """Who is seen to be here."""

    def test_arrival(self) -> None:
        """Who comes in is told by what name, and who is there."""
        chat = FakeHouse()
        chat.comes(host=True)
        nurse, _ = chat.comes("Nurse")
        nurse.away = "asleep"
        me, _ = chat.comes("juliet")
        roster = Roster("juliette")
        for line in [*chat.welcome_lines(me), chat.member_list(me)]:
            roster.notice_received(line)
        assert (roster.own_name, roster.names) == ("juliet", ["Nurse", "romeo"])

    def test_came_and_left(self) -> None:
        """Who comes and goes is seen to, one or several."""
        watched = Watched()
        members = [watched.chat.comes(name)[0] for name in ("nurse", "tybalt", "mercutio")]
        assert watched.looks() == ["mercutio", "nurse", "tybalt"]
        watched.chat.leave(members[0])
        assert watched.looks() == ["mercutio", "tybalt"]
        for member in members[1:]:
            watched.chat.leave(member)
        assert watched.looks() == []

    def test_renamed(self) -> None:
        """Who is called something else is seen under that name; so is whoever is looking."""
        watched = Watched()
        nurse, _ = watched.chat.comes("nurse")
        watched.looks()
        watched.does(nurse, "nick angelica")
        assert watched.looks() == ["angelica"]
        watched.does(watched.me, "nick rosaline")
        assert watched.looks() == ["angelica"]
        assert watched.roster.own_name == "rosaline"

    def test_renamed_at_once(self) -> None:
        """Whoever is renamed before anybody knew of them is told alone."""
        chat = FakeHouse()
        me, _ = chat.comes("juliet")
        roster = Roster("juliet")
        for line in chat.run_command(me, "nick rosaline"):
            roster.notice_received(line)
        assert roster.own_name == "rosaline"

    def test_named_by_the_host(self) -> None:
        """Who gets another name than they wanted knows it: from the conversation, or from its line."""
        roster = Roster("juliet")
        roster.set_own_name("juliet2")
        assert roster.own_name == "juliet2"
        roster.notice_received("* you are juliet3")
        assert roster.own_name == "juliet3"

    def test_other_room(self) -> None:
        """In another room others are here."""
        watched = Watched()
        watched.chat.comes("nurse")
        tybalt, _ = watched.chat.comes("tybalt")
        watched.does(tybalt, "join garden")
        assert watched.looks() == ["nurse"]
        watched.does(watched.me, "join garden")
        watched.hears([*watched.chat.room_greeting(watched.me), watched.chat.member_list(watched.me)])
        assert watched.looks() == ["tybalt"]

    def test_many(self) -> None:
        """Of many, those are known who were listed, told of or heard."""
        watched = Watched()
        members = [watched.chat.comes(f"n{number:02}")[0] for number in range(30)]
        assert len(watched.looks()) == 20
        watched.roster.message_received("n29")
        assert "n29" in watched.roster.names
        watched.does(watched.me, "who")
        assert "n29" in watched.roster.names
        for member in members[5:]:
            watched.chat.leave(member)
        watched.looks()
        watched.does(watched.me, "who")
        assert watched.roster.names == watched.others

    def test_heard(self) -> None:
        """Who says something is here; one's own name is not among the others, however it is written."""
        roster = Roster("juliet")
        for author in ("romeo", "Romeo", "JULIET", "no name", ""):
            roster.message_received(author)
        assert roster.names == ["Romeo"]

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
        nurse, way = watched.chat.comes("nurse")
        watched.looks()
        watched.does(nurse, command)
        watched.does(watched.me, command)
        watched.hears([line for notices in way.notices for line in notices])
        assert watched.looks() == ["nurse"]
        assert watched.roster.own_name == "juliet"

    def test_sent_away(self) -> None:
        """Who is sent away has left, whatever the reason that is told."""
        watched = Watched()
        host, _ = watched.chat.comes(host=True)
        nurse, _ = watched.chat.comes("nurse")
        watched.looks()
        watched.does(host, "kick nurse romeo left")
        watched.chat.leave(nurse)
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
        chat = watched.chat
        for what, name in doings:
            member = chat.names.get(name)
            if what == "comes":
                chat.comes(name)
            elif member is None:
                continue
            elif what == "goes" and member is not watched.me:
                chat.leave(member)
            elif what != "goes":
                before = watched.me.room
                watched.does(member, {"nick": "nick other", "join": "join garden"}.get(what, what))
                if watched.me.room is not before:
                    before.take_pending()
                    watched.hears([chat.room_greeting(watched.me)[0], chat.member_list(watched.me)])
            assert watched.looks() == watched.others
            assert watched.roster.own_name == watched.me.name

    @given(st.lists(st.text()))
    def test_any_lines(self, lines: list[str]) -> None:
        """No line does any harm."""
        roster = Roster("juliet")
        for line in lines:
            roster.notice_received(line)
        assert len(roster.names) <= MAX_NAMES

    def test_bounded(self) -> None:
        """No more names are remembered than there is use for, the latest of them."""
        roster = Roster("juliet")
        for number in range(MAX_NAMES + 50):
            roster.message_received(f"n{number}")
            roster.message_received("n0")
        assert len(roster.names) == MAX_NAMES
        assert {"n0", f"n{MAX_NAMES + 49}"} <= {*roster.names}
