"""Tests of a house of rooms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techboy.chat.member import MAX_REMEMBERED_ROOMS, Member
from techboy.chat.room import SHOWN_NAMES
from techboy.chat.server import ChatServer, ServerConfig
from techboy.storage.interface import StorageError
from techboy.storage.memory import MemoryLog, MemoryLogStore
from tests.chat.fakes import FakeGuest, FakeHouse, FakeWaker, session


class EnterTests:
    """Somebody comes in."""

    def test_guest(self) -> None:
        """Who comes gets a guest's name, and is in the lobby."""
        chat = FakeHouse()
        member, _ = chat.comes()
        assert (member.name, member.room, member.is_operator, member.joined_at) == (
            "guest1",
            chat.lobby,
            False,
            9.0,
        )
        assert chat.names.get("guest1") is member
        assert chat.members == chat.lobby.members == {member.number: member}
        assert chat.news() == ["guest1 joined"]

    def test_wanted(self) -> None:
        """Who wants a name gets it, with a number where it is taken."""
        chat = FakeHouse()
        assert [chat.comes("juliet")[0].name, chat.comes("Juliet")[0].name] == ["juliet", "Juliet2"]

    def test_numbers(self) -> None:
        """Nobody has the number of another, not even of who has left."""
        chat = FakeHouse()
        first, _ = chat.comes()
        chat.leave(first)
        assert chat.comes()[0].number != first.number

    @pytest.mark.parametrize("name", ["romeo", "root", "guest7", "two words"])
    def test_refused(self, name: str) -> None:
        """Who wants what nobody gets does not come in."""
        chat = FakeHouse()
        with pytest.raises(ValueError, match=r"invalid name|is reserved"):
            chat.comes(name)
        assert chat.members == {}
        assert chat.news() == []

    def test_host(self) -> None:
        """The host has the host's name, which nobody else gets."""
        chat = FakeHouse(ServerConfig(operator_name="Benvolio"))
        host, _ = chat.comes(host=True)
        assert (host.name, host.is_operator) == ("Benvolio", True)
        assert chat.names.get("benvolio") is host
        with pytest.raises(ValueError, match="is reserved"):
            chat.comes("benvolio")


class LeaveTests:
    """Somebody goes."""

    def test_leave(self) -> None:
        """Who goes is announced, and the name is free."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        chat.news()
        chat.leave(juliet)
        assert chat.members == chat.lobby.members == {}
        assert chat.news() == ["juliet left"]
        assert chat.comes("juliet")[0].name == "juliet"

    def test_twice(self) -> None:
        """Going twice does no harm, and takes no name from who has it now."""
        chat = FakeHouse()
        first, _ = chat.comes("juliet")
        chat.leave(first)
        second, _ = chat.comes("juliet")
        chat.leave(first)
        assert chat.names.get("juliet") is second
        assert chat.lobby.members == {second.number: second}


class GreetingTests:
    """Who comes is greeted."""

    def test_welcome(self) -> None:
        """The host's word comes first, then where one is, then the topic."""
        chat = FakeHouse(motd=["two households", "both alike"])
        chat.lobby.topic = "dignity"
        juliet, _ = chat.comes("juliet")
        arrival = ["welcome to lobby, juliet; /help lists what you can do", "topic: dignity"]
        assert chat.welcome_lines(juliet) == ["two households", "both alike", *arrival]
        assert chat.room_greeting(juliet) == arrival

    def test_no_topic(self) -> None:
        """Where there is no topic and no word, there is a welcome."""
        chat = FakeHouse()
        assert chat.welcome_lines(chat.comes()[0]) == [
            "welcome to lobby, guest1; /help lists what you can do"
        ]

    def test_company(self) -> None:
        """It is said who is in the room, and who of them is away."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        nurse, _ = chat.comes("nurse")
        elsewhere, _ = chat.comes("tybalt")
        chat.move(elsewhere, "tomb")
        nurse.away = ""
        assert chat.member_list(juliet) == "2 here: juliet, nurse (away)"
        assert chat.member_list(elsewhere) == "1 here: tybalt"

    def test_much_company(self) -> None:
        """Where there are many, not all are named."""
        chat = FakeHouse()
        members = [chat.comes()[0] for _ in range(SHOWN_NAMES + 5)]
        roster = chat.member_list(members[0])
        assert roster.startswith(f"{SHOWN_NAMES + 5} here: guest1, guest2, ")
        assert roster.endswith(f"guest{SHOWN_NAMES} and 5 more")

    @pytest.mark.parametrize(
        ("history", "shown"), [(0, []), (1, ["c"]), (2, ["b", "c"]), (20, ["a", "b", "c"])]
    )
    def test_history(self, history: int, shown: list[str]) -> None:
        """As many of the last lines are shown as the rules say."""
        chat = FakeHouse(ServerConfig(history=history))
        nurse, _ = chat.comes()
        chat.post(nurse, "a\nb\nc")
        chat.store(at=7.0)
        juliet, _ = chat.comes()
        lines = [line for batch in chat.history(juliet) for line in batch.text.split("\n")]
        assert lines == shown


class SessionTests:
    """Who comes back with a session."""

    def test_number(self) -> None:
        """They are who they were, by number, whoever else came meanwhile."""
        chat = FakeHouse()
        nurse, _ = chat.comes()
        juliet, _ = chat.comes("juliet", session=session(number=7))
        assert (nurse.number, juliet.number) == (1, 7)
        assert chat.members == {1: nurse, 7: juliet}
        assert chat.comes()[0].number == 2

    def test_room(self) -> None:
        """They are in the room they were in, though it was empty, and announced there alone."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet", session=session(room="balcony"))
        assert juliet.room is chat.room("balcony")
        assert (chat.news("balcony"), chat.news()) == (["juliet joined"], [])

    def test_name_taken(self) -> None:
        """Who has a session has no right to a name that another has by now."""
        chat = FakeHouse()
        nurse, _ = chat.comes("juliet")
        back, _ = chat.comes("juliet", session=session(name="juliet"))
        assert chat.names.get("juliet") is nurse
        assert back.name not in ("", "juliet")
        assert chat.names.get(back.name) is back

    def test_name_refused(self) -> None:
        """A name that nobody gets is refused, and nobody is there."""
        chat = FakeHouse()
        with pytest.raises(ValueError, match="romeo is reserved"):
            chat.comes("romeo", session=session())
        assert chat.members == {}
        assert chat.lobby.members == {}

    def test_move(self) -> None:
        """A session goes along into another room, of whose history it has read nothing."""
        chat = FakeHouse()
        nurse, _ = chat.comes()
        chat.move(nurse, "Balcony")
        chat.post(nurse, "one\ntwo")
        chat.store("balcony")
        kept = session(seen=99)
        juliet, _ = chat.comes("juliet", session=kept)
        chat.move(juliet, "Balcony")
        assert (kept.room, kept.seen) == ("balcony", 0)
        assert juliet.since == 0

    def test_absent(self) -> None:
        """Who may be back soon is here still, marked as away."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet", session=session())
        juliet.absent = True
        assert chat.member_list(juliet) == "1 here: juliet (away)"


class MoveTests:
    """What is shown of a room's history to a member who enters it."""

    def says(self, chat: FakeHouse, nurse: Member, text: str) -> None:
        """Let the nurse say something in the lobby."""
        chat.post(nurse, text)
        chat.store()

    def test_back(self) -> None:
        """Who goes back is shown what was said meanwhile, but not more than the history."""
        chat = FakeHouse(ServerConfig(history=3))
        (nurse, _), (juliet, _) = chat.comes("nurse"), chat.comes("juliet")
        self.says(chat, nurse, "one\ntwo")
        chat.move(juliet, "balcony")
        chat.move(juliet, "lobby")
        assert juliet.since == 2
        chat.move(juliet, "balcony")
        self.says(chat, nurse, "three")
        chat.move(juliet, "lobby")
        assert juliet.since == 2
        chat.move(juliet, "balcony")
        self.says(chat, nurse, "four\nfive\nsix\nseven")
        chat.move(juliet, "Lobby")
        assert juliet.since == 4

    def test_behind(self) -> None:
        """Who had not been sent everything before leaving is shown the rest."""
        chat = FakeHouse()
        (nurse, _), (juliet, way) = chat.comes("nurse"), chat.comes("juliet")
        self.says(chat, nurse, "one\ntwo\nthree")
        way.backlog = 2
        chat.move(juliet, "balcony")
        chat.move(juliet, "lobby")
        assert juliet.since == 1

    def test_bounded(self) -> None:
        """Of so many rooms it is remembered, and of no more."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        for number in range(MAX_REMEMBERED_ROOMS + 5):
            chat.move(juliet, f"room{number}")
        assert len(juliet.left) == MAX_REMEMBERED_ROOMS

    def test_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the log of a room cannot be read, the member stays where it is."""
        chat = FakeHouse()
        juliet, way = chat.comes("juliet")

        def unreadable(room: str) -> None:
            raise StorageError("the disk is gone")

        monkeypatch.setattr(chat.logs, "open", unreadable)
        with pytest.raises(StorageError):
            chat.move(juliet, "balcony")
        assert juliet.room is chat.lobby
        assert (list(chat.rooms), list(chat.lobby.members)) == (["lobby"], [juliet.number])
        assert way.events == []

    def test_page(self) -> None:
        """The history that is shown at a time is a page at most, the newest of it."""
        chat = FakeHouse(ServerConfig(history=1000))
        (nurse, _) = chat.comes("nurse")
        self.says(chat, nurse, "\n".join(f"{number:03}" + "x" * 1000 for number in range(200)))
        juliet, _ = chat.comes("juliet")
        lines = [line for batch in chat.history(juliet) for line in batch.text.split("\n")]
        assert 60 < len(lines) < 66
        assert lines[-1].startswith("199x")


class RoomsTests:
    """There are as many rooms as are used."""

    def test_move(self) -> None:
        """Who goes to another room is heard and seen there only, and is told."""
        chat = FakeHouse()
        juliet, connection = chat.comes("juliet")
        chat.news()
        chat.move(juliet, "Balcony")
        assert juliet.room is chat.rooms["balcony"]
        assert juliet.room.name == "Balcony"
        assert chat.lobby.members == {}
        assert connection.events == [("moved",)]
        assert (chat.news(), chat.news("balcony")) == (["juliet left"], ["juliet joined"])

    def test_same(self) -> None:
        """A room is the same in any case."""
        chat = FakeHouse()
        chat.move(chat.comes()[0], "Balcony")
        nurse, _ = chat.comes("nurse")
        chat.move(nurse, "bALCONY")
        assert nurse.room.name == "Balcony"
        assert len(nurse.room.members) == 2

    def test_empty(self) -> None:
        """A room is forgotten with the last who leaves it; the lobby stays."""
        chat = FakeHouse()
        juliet, _ = chat.comes()
        chat.move(juliet, "Balcony")
        chat.move(juliet, "tomb")
        assert list(chat.rooms) == ["lobby", "tomb"]
        chat.leave(juliet)
        assert list(chat.rooms) == ["lobby"]

    def test_apart(self) -> None:
        """What is said in a room is said in no other."""
        chat = FakeHouse()
        juliet, _ = chat.comes()
        chat.move(juliet, "balcony")
        chat.post(juliet, "hello")
        assert chat.store(at=7.0) == []
        assert [batch.text for batch in chat.store("balcony")] == ["hello"]


class RenameTests:
    """Somebody is called something else."""

    def test_rename(self) -> None:
        """It is announced, and the old name is free."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        chat.news()
        assert chat.rename(juliet, "rosaline")
        assert juliet.name == "rosaline"
        assert (chat.names.get("juliet"), chat.names.get("rosaline")) == (None, juliet)
        assert chat.news() == ["juliet is now rosaline"]

    def test_case(self) -> None:
        """One's own name may be written in another way."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        chat.news()
        chat.rename(juliet, "Juliet")
        assert chat.names.get("juliet") is juliet
        assert chat.news() == ["juliet is now Juliet"]

    def test_same(self) -> None:
        """The name that one has already is no news."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        chat.news()
        assert not chat.rename(juliet, "juliet")
        assert chat.names.get("juliet") is juliet
        assert chat.news() == []

    def test_refused(self) -> None:
        """Who wants what nobody gets keeps the name."""
        chat = FakeHouse()
        juliet, _ = chat.comes("juliet")
        chat.news()
        with pytest.raises(ValueError, match="romeo is reserved"):
            chat.rename(juliet, "romeo")
        assert (juliet.name, chat.names.get("juliet")) == ("juliet", juliet)
        assert chat.news() == []

    def test_host(self) -> None:
        """The host may change your nickname, and then by the host's name again, which nobody else got."""
        chat = FakeHouse()
        host, _ = chat.comes(host=True)
        juliet, _ = chat.comes("juliet")
        chat.rename(host, "montague")
        with pytest.raises(ValueError, match="romeo is reserved"):
            chat.rename(juliet, "romeo")
        chat.rename(host, "Romeo")
        assert chat.names.get("romeo") is host
        assert chat.names.get("montague") is None


class HostTests:
    """The host may be in the house by several ways at once."""

    def test_one_name(self) -> None:
        """All ways have the host's one name, which stays the host's until the last one is gone."""
        chat = FakeHouse()
        one, two = chat.comes(host=True)[0], chat.comes(host=True)[0]
        assert (one.name, two.name) == ("romeo", "romeo")
        chat.leave(two)
        assert chat.names.get("romeo") is one
        chat.leave(one)
        assert chat.names.get("romeo") is None

    def test_first_leaves(self) -> None:
        """Whichever way is closed first."""
        chat = FakeHouse()
        one, two = chat.comes(host=True)[0], chat.comes(host=True)[0]
        chat.leave(one)
        assert chat.names.get("romeo") is two

    def test_renamed(self) -> None:
        """Who comes in by another way is called as the host is called now."""
        chat = FakeHouse()
        one, _ = chat.comes(host=True)
        chat.rename(one, "montague")
        two, quiet = chat.comes(host=True)[0], chat.comes(host=True, quiet=True)[0]
        assert (two.name, quiet.name) == ("montague", "montague")
        chat.leave(one)
        chat.leave(two)
        chat.leave(quiet)
        assert chat.names.get("montague") is None
        assert chat.comes(host=True)[0].name == "romeo"

    def test_one_name_stays(self) -> None:
        """As long as there are several they can't change your nickname."""
        chat = FakeHouse()
        one, two = chat.comes(host=True)[0], chat.comes(host=True)[0]
        for way in (one, two):
            with pytest.raises(ValueError, match="keeps the nickname"):
                chat.rename(way, "montague")
        chat.leave(two)
        chat.rename(one, "montague")
        assert chat.names.get("montague") is one

    def test_listed_once(self) -> None:
        """They are one in the list of who is here."""
        chat = FakeHouse()
        one, _ = chat.comes(host=True)
        chat.comes(host=True)
        chat.comes(host=True, quiet=True)
        assert chat.member_list(one) == "1 here: romeo"
        assert chat.run_command(one, "rooms") == ["lobby: 1 here"]

    def test_in_two_rooms(self) -> None:
        """By different ways the host may be in different rooms, and is listed in both."""
        chat = FakeHouse()
        one, two = chat.comes(host=True)[0], chat.comes(host=True)[0]
        chat.news()
        chat.move(two, "balcony")
        assert chat.news() == []
        assert chat.news("balcony") == ["romeo joined"]
        assert (chat.member_list(one), chat.member_list(two)) == ("1 here: romeo", "1 here: romeo")
        chat.move(one, "balcony")
        assert chat.news() == ["romeo left"]
        assert chat.news("balcony") == []

    def test_quiet(self) -> None:
        """Who only speaks for the host has no name that could be asked for, nor takes one away."""
        chat = FakeHouse()
        quiet, _ = chat.comes(host=True, quiet=True)
        assert chat.names.get("romeo") is None
        with pytest.raises(ValueError, match="keeps the nickname"):
            chat.rename(quiet, "montague")
        host, _ = chat.comes(host=True)
        chat.leave(quiet)
        assert chat.names.get("romeo") is host
        assert chat.same_user(host) == [host]

    def test_quiet_stays(self) -> None:
        """Who only speaks for the host keeps no name that the host took, once it is free for others."""
        chat = FakeHouse()
        host, quiet = chat.comes(host=True)[0], chat.comes(host=True, quiet=True)[0]
        chat.rename(host, "montague")
        assert quiet.name == "montague"
        chat.leave(host)
        assert chat.comes("montague")[0].name == "montague"
        assert quiet.name == "romeo"

    def test_unreadable_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who can't be let in leaves the name to whoever is here."""
        chat = FakeHouse()
        host, _ = chat.comes(host=True)

        def unreadable(room: str) -> MemoryLog:
            raise StorageError("the disk is broken")

        monkeypatch.setattr(chat.logs, "open", unreadable)
        with pytest.raises(StorageError):
            chat.comes(host=True, session=session(room="balcony"))
        assert chat.names.get("romeo") is host


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
        self.chat = FakeHouse()
        for _ in range(2):
            self.chat.comes()
        self._numbers = iter(range(100, 1000))
        self._steps: dict[str, Callable[..., object]] = {
            "guest": self.chat.comes,
            "native": self._native,
            "host": lambda quiet: self.chat.comes(host=True, quiet=quiet),
            "rename": self._rename,
            "leave": lambda which: self.chat.leave(self._one(which)),
        }

    def does(self, step: tuple[object, ...]) -> None:
        """Do ``step``, unless there is nobody to do it, or it is refused."""
        try:
            self._steps[str(step[0])](*step[1:])
        except (IndexError, ValueError):
            return

    def check(self) -> None:
        """Check that each name is one member's, who is found by it."""
        members = list(self.chat.members.values())
        for member in members:
            assert member.name
            called = [other for other in members if other.name.lower() == member.name.lower()]
            assert called == [member] or all(other.is_operator for other in called)
            found = self.chat.names.get(member.name)
            if not member.hidden:
                assert found is member or (member.is_operator and found in self.chat.same_user(member))
            elif found is not None:
                assert found.is_operator
        assert len({member.name for member in members if member.is_operator}) <= 1
        assert len(self.chat.names) == len({member.name.lower() for member in members if not member.hidden})

    def _native(self, name: str) -> None:
        self.chat.comes(name, session=session(next(self._numbers), name))

    def _rename(self, which: int, name: str) -> None:
        member = self._one(which)
        self.chat.rename(member, name or member.default_name)

    def _one(self, which: int) -> Member:
        return list(self.chat.members.values())[which]


class UniqueNameTests:
    """No two members have the same name at any time."""

    def test_given_name_taken_back(self) -> None:
        """The number of a taken name never makes a guest's name, which its guest may have back."""
        chat = FakeHouse()
        chat.comes()
        second, _ = chat.comes()
        chat.rename(second, "bob")
        natives = [chat.comes("guest", session=session(number))[0] for number in (8, 9)]
        chat.rename(second, "guest2")
        assert second.name == "guest2"
        assert [native.name for native in natives] == ["guest", "guest_2"]
        assert chat.names.get("guest2") is second

    @settings(max_examples=300)
    @given(STEPS)
    def test_unique(self, steps: list[tuple[object, ...]]) -> None:
        """Whatever they do, in whichever order; each is found by the name."""
        roster = Company()
        for step in steps:
            roster.does(step)
            roster.check()


class CommandTests:
    """What begins with a slash is obeyed."""

    def test_command(self) -> None:
        """Its author is answered."""
        chat = FakeHouse()
        assert chat.run_command(chat.comes()[0], "ping") == ["pong"]

    def test_shut_down(self) -> None:
        """A house that belongs to no program has nothing to shut down."""
        chat = ChatServer(ServerConfig(), FakeWaker(), MemoryLogStore(), str)
        host = chat.join(FakeGuest(), 9.0, is_operator=True)
        assert chat.run_command(host, "shutdown") == []
        assert chat.members == {host.number: host}


class LaggingTests:
    """Who has not been sent everything."""

    def test_counted(self) -> None:
        """It is known how many are behind, in whichever room."""
        chat = FakeHouse()
        guests = [chat.comes() for _ in range(3)]
        assert chat.lagging_members == 0
        chat.move(guests[0][0], "garden")
        guests[0][1].backlog, guests[2][1].backlog = 1, 500
        assert chat.lagging_members == 2
