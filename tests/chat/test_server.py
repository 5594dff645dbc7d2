"""Tests of a house of rooms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techboy.chat.member import MOST_LEFT, Member
from techboy.chat.room import SHOWN_NAMES
from techboy.chat.server import House, Rules
from techboy.storage.interface import StorageError
from techboy.storage.memory import MemoryLog, MemoryLogs
from tests.chat.fakes import FakeGuest, FakeHouse, FakeWaker, session


class EnterTests:
    """Somebody comes in."""

    def test_guest(self) -> None:
        """Who comes gets a guest's name, and is in the lobby."""
        house = FakeHouse()
        member, _ = house.comes()
        assert (member.name, member.room, member.host, member.came_at) == ("guest1", house.lobby, False, 9.0)
        assert house.names.get("guest1") is member
        assert house.members == house.lobby.members == {member.number: member}
        assert house.news() == ["guest1 joined"]

    def test_wanted(self) -> None:
        """Who wants a name gets it, with a number where it is taken."""
        house = FakeHouse()
        assert [house.comes("juliet")[0].name, house.comes("Juliet")[0].name] == ["juliet", "Juliet2"]

    def test_numbers(self) -> None:
        """Nobody has the number of another, not even of who has left."""
        house = FakeHouse()
        first, _ = house.comes()
        house.leave(first)
        assert house.comes()[0].number != first.number

    @pytest.mark.parametrize("name", ["romeo", "root", "guest7", "two words"])
    def test_refused(self, name: str) -> None:
        """Who wants what nobody gets does not come in."""
        house = FakeHouse()
        with pytest.raises(ValueError, match=r"invalid name|is reserved"):
            house.comes(name)
        assert house.members == {}
        assert house.news() == []

    def test_host(self) -> None:
        """The host has the host's name, which nobody else gets."""
        house = FakeHouse(Rules(host="Benvolio"))
        host, _ = house.comes(host=True)
        assert (host.name, host.host) == ("Benvolio", True)
        assert house.names.get("benvolio") is host
        with pytest.raises(ValueError, match="is reserved"):
            house.comes("benvolio")


class LeaveTests:
    """Somebody goes."""

    def test_leave(self) -> None:
        """Who goes is announced, and the name is free."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        house.news()
        house.leave(juliet)
        assert house.members == house.lobby.members == {}
        assert house.news() == ["juliet left"]
        assert house.comes("juliet")[0].name == "juliet"

    def test_twice(self) -> None:
        """Going twice does no harm, and takes no name from who has it now."""
        house = FakeHouse()
        first, _ = house.comes("juliet")
        house.leave(first)
        second, _ = house.comes("juliet")
        house.leave(first)
        assert house.names.get("juliet") is second
        assert house.lobby.members == {second.number: second}


class GreetingTests:
    """Who comes is greeted."""

    def test_welcome(self) -> None:
        """The host's word comes first, then where one is, then the topic."""
        house = FakeHouse(motd=["two households", "both alike"])
        house.lobby.topic = "dignity"
        juliet, _ = house.comes("juliet")
        arrival = ["welcome to lobby, juliet; /help lists what you can do", "topic: dignity"]
        assert house.welcome(juliet) == ["two households", "both alike", *arrival]
        assert house.arrival(juliet) == arrival

    def test_no_topic(self) -> None:
        """Where there is no topic and no word, there is a welcome."""
        house = FakeHouse()
        assert house.welcome(house.comes()[0]) == ["welcome to lobby, guest1; /help lists what you can do"]

    def test_company(self) -> None:
        """It is said who is in the room, and who of them is away."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        nurse, _ = house.comes("nurse")
        elsewhere, _ = house.comes("tybalt")
        house.move(elsewhere, "tomb")
        nurse.away = ""
        assert house.company(juliet) == "2 here: juliet, nurse (away)"
        assert house.company(elsewhere) == "1 here: tybalt"

    def test_much_company(self) -> None:
        """Where there are many, not all are named."""
        house = FakeHouse()
        members = [house.comes()[0] for _ in range(SHOWN_NAMES + 5)]
        company = house.company(members[0])
        assert company.startswith(f"{SHOWN_NAMES + 5} here: guest1, guest2, ")
        assert company.endswith(f"guest{SHOWN_NAMES} and 5 more")

    @pytest.mark.parametrize(
        ("history", "shown"), [(0, []), (1, ["c"]), (2, ["b", "c"]), (20, ["a", "b", "c"])]
    )
    def test_history(self, history: int, shown: list[str]) -> None:
        """As many of the last lines are shown as the rules say."""
        house = FakeHouse(Rules(history=history))
        nurse, _ = house.comes()
        house.said(nurse, "a\nb\nc")
        house.store(at=7.0)
        juliet, _ = house.comes()
        lines = [line for batch in house.history(juliet) for line in batch.text.split("\n")]
        assert lines == shown


class SessionTests:
    """Who comes back with a session."""

    def test_number(self) -> None:
        """They are who they were, by number, whoever else came meanwhile."""
        house = FakeHouse()
        nurse, _ = house.comes()
        juliet, _ = house.comes("juliet", session=session(number=7))
        assert (nurse.number, juliet.number) == (1, 7)
        assert house.members == {1: nurse, 7: juliet}
        assert house.comes()[0].number == 2

    def test_room(self) -> None:
        """They are in the room they were in, though it was empty, and announced there alone."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet", session=session(room="balcony"))
        assert juliet.room is house.room("balcony")
        assert (house.news("balcony"), house.news()) == (["juliet joined"], [])

    def test_name_taken(self) -> None:
        """Who has a session has no right to a name that another has by now."""
        house = FakeHouse()
        nurse, _ = house.comes("juliet")
        back, _ = house.comes("juliet", session=session(name="juliet"))
        assert house.names.get("juliet") is nurse
        assert back.name not in ("", "juliet")
        assert house.names.get(back.name) is back

    def test_name_refused(self) -> None:
        """A name that nobody gets is refused, and nobody is there."""
        house = FakeHouse()
        with pytest.raises(ValueError, match="romeo is reserved"):
            house.comes("romeo", session=session())
        assert house.members == {}
        assert house.lobby.members == {}

    def test_move(self) -> None:
        """A session goes along into another room, of whose history it has read nothing."""
        house = FakeHouse()
        nurse, _ = house.comes()
        house.move(nurse, "Balcony")
        house.said(nurse, "one\ntwo")
        house.store("balcony")
        kept = session(seen=99)
        juliet, _ = house.comes("juliet", session=kept)
        house.move(juliet, "Balcony")
        assert (kept.room, kept.seen) == ("balcony", 0)
        assert juliet.since == 0

    def test_absent(self) -> None:
        """Who may be back soon is here still, marked as away."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet", session=session())
        juliet.absent = True
        assert house.company(juliet) == "1 here: juliet (away)"


class MoveTests:
    """What is shown of a room's history to a member who enters it."""

    def says(self, house: FakeHouse, nurse: Member, text: str) -> None:
        """Let the nurse say something in the lobby."""
        house.said(nurse, text)
        house.store()

    def test_back(self) -> None:
        """Who goes back is shown what was said meanwhile, but not more than the history."""
        house = FakeHouse(Rules(history=3))
        (nurse, _), (juliet, _) = house.comes("nurse"), house.comes("juliet")
        self.says(house, nurse, "one\ntwo")
        house.move(juliet, "balcony")
        house.move(juliet, "lobby")
        assert juliet.since == 2
        house.move(juliet, "balcony")
        self.says(house, nurse, "three")
        house.move(juliet, "lobby")
        assert juliet.since == 2
        house.move(juliet, "balcony")
        self.says(house, nurse, "four\nfive\nsix\nseven")
        house.move(juliet, "Lobby")
        assert juliet.since == 4

    def test_behind(self) -> None:
        """Who had not been sent everything before leaving is shown the rest."""
        house = FakeHouse()
        (nurse, _), (juliet, way) = house.comes("nurse"), house.comes("juliet")
        self.says(house, nurse, "one\ntwo\nthree")
        way.behind = 2
        house.move(juliet, "balcony")
        house.move(juliet, "lobby")
        assert juliet.since == 1

    def test_bounded(self) -> None:
        """Of so many rooms it is remembered, and of no more."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        for number in range(MOST_LEFT + 5):
            house.move(juliet, f"room{number}")
        assert len(juliet.left) == MOST_LEFT

    def test_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the log of a room cannot be read, the member stays where it is."""
        house = FakeHouse()
        juliet, way = house.comes("juliet")

        def unreadable(room: str) -> None:
            raise StorageError("the disk is gone")

        monkeypatch.setattr(house.logs, "open", unreadable)
        with pytest.raises(StorageError):
            house.move(juliet, "balcony")
        assert juliet.room is house.lobby
        assert (list(house.rooms), list(house.lobby.members)) == (["lobby"], [juliet.number])
        assert way.events == []

    def test_page(self) -> None:
        """The history that is shown at a time is a page at most, the newest of it."""
        house = FakeHouse(Rules(history=1000))
        (nurse, _) = house.comes("nurse")
        self.says(house, nurse, "\n".join(f"{number:03}" + "x" * 1000 for number in range(200)))
        juliet, _ = house.comes("juliet")
        lines = [line for batch in house.history(juliet) for line in batch.text.split("\n")]
        assert 60 < len(lines) < 66
        assert lines[-1].startswith("199x")


class RoomsTests:
    """There are as many rooms as are used."""

    def test_move(self) -> None:
        """Who goes to another room is heard and seen there only, and is told."""
        house = FakeHouse()
        juliet, guest = house.comes("juliet")
        house.news()
        house.move(juliet, "Balcony")
        assert juliet.room is house.rooms["balcony"]
        assert juliet.room.name == "Balcony"
        assert house.lobby.members == {}
        assert guest.events == [("moved",)]
        assert (house.news(), house.news("balcony")) == (["juliet left"], ["juliet joined"])

    def test_same(self) -> None:
        """A room is the same in any case."""
        house = FakeHouse()
        house.move(house.comes()[0], "Balcony")
        nurse, _ = house.comes("nurse")
        house.move(nurse, "bALCONY")
        assert nurse.room.name == "Balcony"
        assert len(nurse.room.members) == 2

    def test_empty(self) -> None:
        """A room is forgotten with the last who leaves it; the lobby stays."""
        house = FakeHouse()
        juliet, _ = house.comes()
        house.move(juliet, "Balcony")
        house.move(juliet, "tomb")
        assert list(house.rooms) == ["lobby", "tomb"]
        house.leave(juliet)
        assert list(house.rooms) == ["lobby"]

    def test_apart(self) -> None:
        """What is said in a room is said in no other."""
        house = FakeHouse()
        juliet, _ = house.comes()
        house.move(juliet, "balcony")
        house.said(juliet, "hello")
        assert house.store(at=7.0) == []
        assert [batch.text for batch in house.store("balcony")] == ["hello"]


class RenameTests:
    """Somebody is called something else."""

    def test_rename(self) -> None:
        """It is announced, and the old name is free."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        house.news()
        assert house.rename(juliet, "rosaline")
        assert juliet.name == "rosaline"
        assert (house.names.get("juliet"), house.names.get("rosaline")) == (None, juliet)
        assert house.news() == ["juliet is now rosaline"]

    def test_case(self) -> None:
        """One's own name may be written in another way."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        house.news()
        house.rename(juliet, "Juliet")
        assert house.names.get("juliet") is juliet
        assert house.news() == ["juliet is now Juliet"]

    def test_same(self) -> None:
        """The name that one has already is no news."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        house.news()
        assert not house.rename(juliet, "juliet")
        assert house.names.get("juliet") is juliet
        assert house.news() == []

    def test_refused(self) -> None:
        """Who wants what nobody gets keeps the name."""
        house = FakeHouse()
        juliet, _ = house.comes("juliet")
        house.news()
        with pytest.raises(ValueError, match="romeo is reserved"):
            house.rename(juliet, "romeo")
        assert (juliet.name, house.names.get("juliet")) == ("juliet", juliet)
        assert house.news() == []

    def test_host(self) -> None:
        """The host may change your nickname, and then by the host's name again, which nobody else got."""
        house = FakeHouse()
        host, _ = house.comes(host=True)
        juliet, _ = house.comes("juliet")
        house.rename(host, "montague")
        with pytest.raises(ValueError, match="romeo is reserved"):
            house.rename(juliet, "romeo")
        house.rename(host, "Romeo")
        assert house.names.get("romeo") is host
        assert house.names.get("montague") is None


class HostTests:
    """The host may be in the house by several ways at once."""

    def test_one_name(self) -> None:
        """All ways have the host's one name, which stays the host's until the last one is gone."""
        house = FakeHouse()
        one, two = house.comes(host=True)[0], house.comes(host=True)[0]
        assert (one.name, two.name) == ("romeo", "romeo")
        house.leave(two)
        assert house.names.get("romeo") is one
        house.leave(one)
        assert house.names.get("romeo") is None

    def test_first_leaves(self) -> None:
        """Whichever way is closed first."""
        house = FakeHouse()
        one, two = house.comes(host=True)[0], house.comes(host=True)[0]
        house.leave(one)
        assert house.names.get("romeo") is two

    def test_renamed(self) -> None:
        """Who comes in by another way is called as the host is called now."""
        house = FakeHouse()
        one, _ = house.comes(host=True)
        house.rename(one, "montague")
        two, quiet = house.comes(host=True)[0], house.comes(host=True, quiet=True)[0]
        assert (two.name, quiet.name) == ("montague", "montague")
        house.leave(one)
        house.leave(two)
        house.leave(quiet)
        assert house.names.get("montague") is None
        assert house.comes(host=True)[0].name == "romeo"

    def test_one_name_stays(self) -> None:
        """As long as there are several they can't change your nickname."""
        house = FakeHouse()
        one, two = house.comes(host=True)[0], house.comes(host=True)[0]
        for way in (one, two):
            with pytest.raises(ValueError, match="keeps the nickname"):
                house.rename(way, "montague")
        house.leave(two)
        house.rename(one, "montague")
        assert house.names.get("montague") is one

    def test_listed_once(self) -> None:
        """They are one in the list of who is here."""
        house = FakeHouse()
        one, _ = house.comes(host=True)
        house.comes(host=True)
        house.comes(host=True, quiet=True)
        assert house.company(one) == "1 here: romeo"
        assert house.commanded(one, "rooms") == ["lobby: 1 here"]

    def test_in_two_rooms(self) -> None:
        """By different ways the host may be in different rooms, and is listed in both."""
        house = FakeHouse()
        one, two = house.comes(host=True)[0], house.comes(host=True)[0]
        house.news()
        house.move(two, "balcony")
        assert house.news() == []
        assert house.news("balcony") == ["romeo joined"]
        assert (house.company(one), house.company(two)) == ("1 here: romeo", "1 here: romeo")
        house.move(one, "balcony")
        assert house.news() == ["romeo left"]
        assert house.news("balcony") == []

    def test_quiet(self) -> None:
        """Who only speaks for the host has no name that could be asked for, nor takes one away."""
        house = FakeHouse()
        quiet, _ = house.comes(host=True, quiet=True)
        assert house.names.get("romeo") is None
        with pytest.raises(ValueError, match="keeps the nickname"):
            house.rename(quiet, "montague")
        host, _ = house.comes(host=True)
        house.leave(quiet)
        assert house.names.get("romeo") is host
        assert house.ways_of(host) == [host]

    def test_quiet_stays(self) -> None:
        """Who only speaks for the host keeps no name that the host took, once it is free for others."""
        house = FakeHouse()
        host, quiet = house.comes(host=True)[0], house.comes(host=True, quiet=True)[0]
        house.rename(host, "montague")
        assert quiet.name == "montague"
        house.leave(host)
        assert house.comes("montague")[0].name == "montague"
        assert quiet.name == "romeo"

    def test_unreadable_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who can't be let in leaves the name to whoever is here."""
        house = FakeHouse()
        host, _ = house.comes(host=True)

        def unreadable(room: str) -> MemoryLog:
            raise StorageError("the disk is broken")

        monkeypatch.setattr(house.logs, "open", unreadable)
        with pytest.raises(StorageError):
            house.comes(host=True, session=session(room="balcony"))
        assert house.names.get("romeo") is host


NAMES = st.sampled_from(["bob", "BOB2", "guest", "Guest", "romeo"])
WHICH = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("guest")),
        st.tuples(st.just("native"), NAMES),
        st.tuples(st.just("host"), st.booleans()),
        st.tuples(st.just("rename"), WHICH, NAMES | st.just("")),
        st.tuples(st.just("leave"), WHICH),
    ),
    min_size=10,
    max_size=40,
)


class Company:
    """A house in which two guests are, and people come, go, and are called something else."""

    def __init__(self) -> None:
        self.house = FakeHouse()
        for _ in range(2):
            self.house.comes()
        self._numbers = iter(range(100, 1000))
        self._steps: dict[str, Callable[..., object]] = {
            "guest": self.house.comes,
            "native": self._native,
            "host": lambda quiet: self.house.comes(host=True, quiet=quiet),
            "rename": self._rename,
            "leave": lambda which: self.house.leave(self._one(which)),
        }

    def does(self, step: tuple[object, ...]) -> None:
        """Do ``step``, unless there is nobody to do it, or it is refused."""
        try:
            self._steps[str(step[0])](*step[1:])
        except (IndexError, ValueError):
            return

    def check(self) -> None:
        """Check that each name is one member's, who is found by it."""
        members = list(self.house.members.values())
        for member in members:
            assert member.name
            called = [other for other in members if other.name.lower() == member.name.lower()]
            assert called == [member] or all(other.host for other in called)
            found = self.house.names.get(member.name)
            if not member.quiet:
                assert found is member or (member.host and found in self.house.ways_of(member))
            elif found is not None:
                assert found.host
        assert len({member.name for member in members if member.host}) <= 1
        assert len(self.house.names) == len({member.name.lower() for member in members if not member.quiet})

    def _native(self, name: str) -> None:
        self.house.comes(name, session=session(next(self._numbers), name))

    def _rename(self, which: int, name: str) -> None:
        member = self._one(which)
        self.house.rename(member, name or member.given)

    def _one(self, which: int) -> Member:
        return list(self.house.members.values())[which]


class UniqueNameTests:
    """No two members have the same name at any time."""

    def test_given_name_taken_back(self) -> None:
        """The number of a taken name never makes a guest's name, which its guest may have back."""
        house = FakeHouse()
        house.comes()
        second, _ = house.comes()
        house.rename(second, "bob")
        natives = [house.comes("guest", session=session(number))[0] for number in (8, 9)]
        house.rename(second, "guest2")
        assert second.name == "guest2"
        assert [native.name for native in natives] == ["guest", "guest_2"]
        assert house.names.get("guest2") is second

    @settings(max_examples=300)
    @given(STEPS)
    def test_unique(self, steps: list[tuple[object, ...]]) -> None:
        """Whatever they do, in whichever order; each is found by the name."""
        company = Company()
        for step in steps:
            company.does(step)
            company.check()


class CommandTests:
    """What begins with a slash is obeyed."""

    def test_command(self) -> None:
        """Its author is answered."""
        house = FakeHouse()
        assert house.commanded(house.comes()[0], "ping") == ["pong"]

    def test_shut_down(self) -> None:
        """A house that belongs to no program has nothing to shut down."""
        house = House(Rules(), FakeWaker(), MemoryLogs(), str)
        host = house.enter(FakeGuest(), 9.0, host=True)
        assert house.commanded(host, "shutdown") == []
        assert house.members == {host.number: host}


class LaggingTests:
    """Who has not been sent everything."""

    def test_counted(self) -> None:
        """It is known how many are behind, in whichever room."""
        house = FakeHouse()
        guests = [house.comes() for _ in range(3)]
        assert house.lagging == 0
        house.move(guests[0][0], "garden")
        guests[0][1].behind, guests[2][1].behind = 1, 500
        assert house.lagging == 2
