"""Tests of `techboy.server.sessions`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.counters import RejectReason
from techboy.chat.session import digest_of
from techboy.server.sessions import SessionManager
from techboy.server.storage_health import PROBE_INTERVAL
from techboy.storage.interface import SessionRecord, StorageError
from techboy.storage.memory import MemoryLogStore
from tests.chat.fakes import FakeGuest
from tests.native import Caller, HeldCommitter, NativeVerona, tokens


def back(verona: NativeVerona, **known: Any) -> Caller:
    """Let a guest come back, with what it knows: by default the first session, in the lobby, nothing seen."""
    return verona.hello(
        **{"session": "token1", "log_epoch": verona.logs.id, "room": "lobby", "last_seen_id": 0, **known}
    )


class UnreadableLogs(MemoryLogStore):
    """Logs on a disk that is broken."""

    def session(self, digest: bytes) -> SessionRecord | None:
        raise StorageError("the disk is broken")


class ReturnTests:
    """A guest whose connection broke."""

    def test_missed(self) -> None:
        """[P10] It comes back as the same, and hears what was said meanwhile, from where it had read to."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo", 1)
        verona.turn()
        juliet.transport.breaks()
        nurse.says("three", 3)
        verona.turn()
        juliet = back(verona, last_seen_id=1)
        welcome, *lines = juliet.hears()
        assert (welcome["name"], welcome["session"], welcome["next_seq"]) == ("juliet", "token1", 1)
        assert [(frame["id"], frame["text"]) for frame in lines] == [(2, "two"), (3, "three")]
        assert [frame for frame in nurse.reads() if frame["type"] == "notice"] == []

    def test_in_another_room(self) -> None:
        """It goes on in the room that it names, though the server that was killed had not stored its move."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.sends(
            {"type": "command", "name": "join", "args": ["garden"]},
            {"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1},
        )
        verona.settle()
        juliet.sends({"type": "bye"})
        juliet.transport.breaks()
        verona.settle()
        juliet = back(verona, last_seen_id=1, room="garden")
        welcome, *lines = juliet.hears()
        assert (welcome["room"], welcome["after_id"]) == ("garden", 1)
        assert [(frame["id"], frame["text"]) for frame in lines] == [(2, "two")]

    @pytest.mark.parametrize("away", [True, False])
    def test_move_not_heard_of(self, *, away: bool) -> None:
        """[P10] It goes on where it is, if it was moved but the connection broke before it heard of that."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one", 1)
        verona.turn()
        juliet.reads()
        juliet.socket.room = 0
        nurse.says("two\nthree", 2)
        verona.turn()
        juliet.sends({"type": "command", "name": "join", "args": ["garden"]})
        verona.settle()
        if away:
            juliet.transport.breaks()
        juliet = back(verona, last_seen_id=1)
        welcome, *lines = juliet.hears()
        assert (welcome["room"], welcome["after_id"]) == ("lobby", 1)
        assert [(frame["id"], frame["text"]) for frame in lines] == [(2, "two\nthree")]
        assert list(verona.chat.rooms) == ["lobby"]
        juliet.sends({"type": "command", "name": "join", "args": ["garden"]})
        assert juliet.hears() == [{"type": "room_changed", "room": "garden", "after_id": 0, "last_id": 0}]

    @pytest.mark.parametrize("leaves", [True, False])
    def test_beyond_in_another_room(self, *, leaves: bool) -> None:
        """An offset that this room has not given is not remembered, nor is that of the room that is left."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo\nthree", 1)
        verona.turn()
        juliet.sends({"type": "ping", "number": 1, "last_seen_id": 3, "room": "lobby"})
        if leaves:
            juliet.sends({"type": "bye"})
            juliet.transport.breaks()
            verona.settle()
        assert back(verona, room="garden", last_seen_id=99).hears()[0]["after_id"] == 0
        verona.settle()
        record = verona.logs.session(digest_of("token1"))
        assert record is not None
        assert (record.room, record.seen) == ("garden", 0)

    def test_unreadable_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the room that it names cannot be read it stays where it is, and is to come back later."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")

        def unreadable(room: str) -> None:
            raise StorageError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr(verona.logs, "open", unreadable)
            again = back(verona, room="garden")
        assert again.hears() == [
            {"type": "bye", "reason": "restart", "text": "the server cannot read its history now"}
        ]
        juliet.sends({"type": "ping", "number": 1})
        assert juliet.hears() == [{"type": "pong", "number": 1}]

    def test_room_without_offset(self) -> None:
        """A room without an offset there is none to go on in; a room is the same in any case."""
        verona = NativeVerona()
        _, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo", 1)
        verona.turn()
        assert back(verona, room="garden", last_seen_id=None).hears()[0]["room"] == "lobby"
        assert back(verona, room="LOBBY", last_seen_id=1).hears()[0]["after_id"] == 1

    @pytest.mark.parametrize("known", [{"room": "no room"}, {"room": "garden", "log_epoch": "another"}])
    def test_in_no_other_room(self, known: dict[str, str]) -> None:
        """It does not, if no room can be called so, or it speaks of another log."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        juliet.sends({"type": "bye"})
        juliet.transport.breaks()
        verona.settle()
        assert back(verona, **known).hears()[0]["room"] == "lobby"

    def test_own_lines(self) -> None:
        """It does not hear what it said itself, and goes on with its numbers."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        juliet.says("one\ntwo", 1)
        verona.turn()
        juliet.transport.breaks()
        juliet = back(verona)
        assert [frame.get("next_seq") for frame in juliet.hears()] == [3]

    def test_still_open(self) -> None:
        """[P11] An earlier connection that is still open is ended, and what it still brings is not heard."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        again = back(verona)
        assert juliet.events == ["abort"]
        juliet.says("ghost", 1)
        again.says("one", 1)
        verona.turn()
        assert nurse.hears_said() == ["one"]
        assert [member.absent for member in verona.chat.members.values()] == [False, False]

    def test_other_log(self) -> None:
        """A cursor of another log says nothing: the session's own is taken."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo", 1)
        verona.turn()
        juliet.sends(
            {"type": "ping", "number": 1, "last_seen_id": 1, "room": "lobby"},
            {"type": "ping", "number": 2, "last_seen_id": 2, "room": "balcony"},
        )
        juliet.transport.breaks()
        juliet = verona.hello(session="token1", log_epoch="other", room="lobby", last_seen_id=2)
        assert juliet.hears()[0]["after_id"] == 1

    def test_beyond(self) -> None:
        """A cursor beyond the end of the log is at its end."""
        verona = NativeVerona()
        verona.company_of("juliet")[0].transport.breaks()
        assert back(verona, last_seen_id=99).hears()[0]["after_id"] == 0

    def test_beyond_is_not_remembered(self) -> None:
        """An id that the log has not given yet is not taken for what was shown, and hides nothing later."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        juliet = back(verona, last_seen_id=99)
        juliet.transport.breaks()
        nurse.says("one\ntwo", 1)
        verona.turn()
        juliet = verona.hello(session="token1")
        assert juliet.hears_said() == ["one", "two"]

    def test_stored_while_away(self) -> None:
        """Lines that are stored after the connection broke are not taken twice, and acknowledged."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        juliet, nurse = verona.company_of("juliet", "nurse")
        executor.prompt = False
        juliet.says("one", 1)
        verona.turn()
        juliet.transport.breaks()
        juliet = back(verona)
        assert juliet.hears()[0]["next_seq"] == 1
        juliet.says("one", 1)
        verona.turn()
        executor.answer_all()
        verona.turn()
        assert [frame["next_seq"] for frame in juliet.hears()] == [2]
        assert nurse.hears_said() == ["one"]

    def test_stored_after_goodbye(self) -> None:
        """Nor where it had said goodbye meanwhile."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        juliet, nurse = verona.company_of("juliet", "nurse")
        executor.prompt = False
        juliet.says("one", 1)
        verona.turn()
        juliet.sends({"type": "bye"})
        juliet = back(verona)
        for _ in range(3):
            executor.answer_all()
            verona.turn()
        juliet.says("one", 1)
        verona.turn()
        assert nurse.hears_said() == ["one"]

    def test_unknown(self) -> None:
        """A session that nobody knows is a new guest."""
        verona = NativeVerona()
        assert verona.hello(session="token9").reads()[0]["session"] == "token1"

    def test_restart(self) -> None:
        """[P13] A session goes on in another house over the same logs."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.says("one", 1)
        nurse.says("two", 1)
        verona.turn()
        verona = NativeVerona(logs=verona.logs)
        welcome, line = back(verona, last_seen_id=1).hears()
        assert (welcome["next_seq"], line["text"]) == (2, "two")


class GraceTests:
    """How long a place is kept."""

    def test_over(self) -> None:
        """[P12] When it is over the others are told; the session is still there."""
        verona = NativeVerona(grace=10)
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        verona.turn(9)
        verona.settle()
        assert nurse.reads() == []
        verona.turn(1)
        verona.settle()
        assert nurse.reads() == [{"type": "notice", "text": "juliet left"}]
        assert back(verona).reads()[0]["session"] == "token1"

    def test_places(self) -> None:
        """Of too many who are away, the one who is away for longest is given up."""
        verona = NativeVerona(places=1)
        first, second, nurse = verona.company_of("first", "second", "nurse")
        first.transport.breaks()
        second.transport.breaks()
        verona.settle()
        assert nurse.reads() == [{"type": "notice", "text": "first left"}]

    def test_back_in_time(self) -> None:
        """Who is back keeps its place for good."""
        verona = NativeVerona(grace=10)
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        verona.turn(9)
        juliet = back(verona)
        verona.turn(9)
        verona.settle()
        assert nurse.reads() == []

    def test_close(self) -> None:
        """At the end nobody is waited for."""
        verona = NativeVerona()
        verona.company_of("juliet")[0].transport.breaks()
        assert verona.session_manager.has_session("token1")
        verona.session_manager.close()
        assert not verona.session_manager.has_session("token1")
        assert verona.chat.members == {}

    def test_remembered(self) -> None:
        """Sessions in use are not forgotten with the old ones."""
        verona = NativeVerona()
        verona.company_of("juliet", "nurse")[1].sends({"type": "bye"})
        verona.turn(25)
        verona.callers[0].sends({"type": "pong", "number": 1})
        verona.session_manager.save_all()
        verona.turn()
        verona.broker.prune(None, verona.wall() - 1)
        other = NativeVerona(logs=verona.logs)
        other.session_manager = SessionManager(other.chat, other.broker, tokens())
        assert [back(other, session=token).reads()[0]["name"] for token in ("token1", "token2")] == [
            "juliet", "juliet2",
        ]  # fmt: skip


def does(caller: Caller, command: str, *args: str) -> None:
    """Let ``caller`` give a command."""
    caller.sends({"type": "command", "name": command, "args": list(args)})


def restarted(verona: NativeVerona, **options: Any) -> NativeVerona:
    """Return a server that was started again over the same logs, after the first one was killed."""
    verona.turn()
    return NativeVerona(logs=verona.logs, **{"first_token": 10, **options})


class RestartTests:
    """What a server that is killed and started again still knows."""

    def test_nick(self) -> None:
        """A nickname that was taken, with the session, however often."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "nick", "rosaline")
        for _ in range(2):
            verona = restarted(verona)
            assert back(verona).hears()[0]["name"] == "rosaline"

    def test_nick_left(self) -> None:
        """So it is where the client said goodbye."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "nick", "rosaline")
        juliet.sends({"type": "bye"})
        verona.turn()
        assert back(verona).hears()[0]["name"] == "rosaline"

    def test_nick_taken(self) -> None:
        """Another that took it meanwhile keeps it, and the one that returns gets a number."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "nick", "rosaline")
        verona = restarted(verona)
        assert verona.hello("Rosaline").hears()[0]["name"] == "Rosaline"
        juliet = back(verona)
        assert juliet.hears()[0]["name"] == "rosaline2"
        verona = restarted(verona)
        assert back(verona).hears()[0]["name"] == "rosaline"

    def test_nick_reserved(self) -> None:
        """One that is the operator's by now is forgotten."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "nick", "benvolio")
        verona = restarted(verona, name="Benvolio")
        assert back(verona).hears()[0]["name"] == "juliet"
        assert back(restarted(verona)).hears()[0]["name"] == "juliet"

    def test_another_name(self) -> None:
        """A client that asks for another name than before gets that, as nobody else has it."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "nick", "rosaline")
        verona = restarted(verona)
        assert verona.hello("nurse", session="token1").hears()[0]["name"] == "nurse"
        assert verona.chat.names.get("rosaline") is None
        verona = restarted(verona)
        assert verona.hello("nurse", session="token1").hears()[0]["name"] == "nurse"

    def test_ignored(self) -> None:
        """Whom a member ignores, under whichever name that one returns, until that is ended."""
        verona = NativeVerona()
        juliet, _ = verona.company_of("juliet", "paris")
        does(juliet, "ignore", "paris")
        verona = restarted(verona)
        juliet, paris = back(verona), verona.hello("tybalt", session="token2")
        paris.says("one", 1)
        verona.turn()
        assert juliet.hears_said() == []
        does(juliet, "unignore", "tybalt")
        verona = restarted(verona)
        juliet, paris = back(verona, last_seen_id=1), verona.hello("paris", session="token2")
        paris.says("two", 2)
        verona.turn()
        assert juliet.hears_said() == ["two"]

    def test_ignored_history(self) -> None:
        """What an ignored member said before is not shown either."""
        verona = NativeVerona()
        juliet, paris = verona.company_of("juliet", "paris")
        does(juliet, "ignore", "paris")
        juliet.transport.breaks()
        paris.says("one", 1)
        verona = restarted(verona)
        assert back(verona).hears_said() == []

    def test_room(self) -> None:
        """In which room a member is."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "join", "balcony")
        verona = restarted(verona)
        assert verona.hello(session="token1").hears()[0]["room"] == "balcony"

    def test_topic(self) -> None:
        """What a room is about, also where nothing was said in it."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        does(juliet, "topic", "two households")
        does(juliet, "join", "balcony")
        does(juliet, "topic", "the moon")
        verona.settle()
        verona = restarted(verona)
        notices = [frame.get("text") for frame in verona.hello("nurse").reads()]
        assert "topic: two households" in notices
        assert verona.chat.room("balcony").topic == "the moon"

    def test_topic_of_a_room_left(self) -> None:
        """It also stays where the room was empty meanwhile."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        for command in (["join", "balcony"], ["topic", "the moon"], ["part"], ["join", "balcony"], ["topic"]):
            does(juliet, *command)
            verona.settle()
        assert juliet.reads()[-1] == {"type": "notice", "text": "topic: the moon"}

    def test_topic_not_stored(self) -> None:
        """A topic that can't be stored is, as soon as anything can be."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        [juliet] = verona.company_of("juliet")
        executor.prompt = False
        does(juliet, "topic", "two households")
        verona.settle()
        executor.refuse()
        verona.turn(PROBE_INTERVAL)
        executor.answer()
        assert verona.logs.open("lobby").topic == "two households"
        verona.turn(PROBE_INTERVAL)
        assert executor.waiting == 0


NAMES = st.sampled_from(["bob", "BOB2", "guest", "romeo"])
WHICH = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hello"), NAMES),
        st.tuples(st.just("back"), WHICH, NAMES),
        st.tuples(st.just("breaks"), WHICH),
        st.tuples(st.just("leaves"), WHICH),
        st.tuples(st.just("nick"), WHICH, NAMES),
        st.tuples(st.just("visit")),
        st.tuples(st.just("wait")),
        st.tuples(st.just("restart")),
    ),
    min_size=5,
    max_size=30,
)


class Sessions:
    """Clients that come, go, lose connections and return, and a server that is started again."""

    def __init__(self) -> None:
        self.verona = NativeVerona(grace=10)
        self.callers: dict[str, Caller] = {}
        self._steps: dict[str, Callable[..., object]] = {
            "hello": self._hello,
            "back": lambda which, name: self._hello(name, session=self._token(which)),
            "breaks": lambda which: self._caller(which).transport.breaks(),
            "leaves": lambda which: self._caller(which).sends({"type": "bye"}),
            "nick": lambda which, name: does(self._caller(which), "nick", name),
            "visit": lambda: self.verona.visit(),
            "wait": lambda: self.verona.turn(11),
            "restart": self._restart,
        }

    def plays(self, step: tuple[Any, ...]) -> None:
        """Let happen what ``step`` says, if somebody is there."""
        with suppress(IndexError):
            self._steps[step[0]](*step[1:])
        self.verona.turn()

    def check(self) -> None:
        """Check that each member is found by its name, which is nobody else's."""
        chat = self.verona.chat
        members = list(chat.members.values())
        assert [chat.names.get(member.name) for member in members] == members
        assert len(chat.names) == len(members)

    def _hello(self, name: str, **known: Any) -> None:
        caller = self.verona.hello(name, **known)
        for frame in caller.reads():
            if frame["type"] == "welcome":
                self.callers[frame["session"]] = caller

    def _restart(self) -> None:
        self.verona = restarted(self.verona, grace=10, first_token=len(self.callers) + 1)

    def _token(self, which: int) -> str:
        return list(self.callers)[which]

    def _caller(self, which: int) -> Caller:
        caller = self.callers[self._token(which)]
        if caller not in self.verona.callers or not caller.handler.is_open:
            raise IndexError
        return caller


class UniqueNameTests:
    """No two members have the same name, whatever became of connections, sessions and the server."""

    @given(STEPS)
    def test_unique(self, steps: list[tuple[Any, ...]]) -> None:
        """Each is found by its name at any time."""
        sessions = Sessions()
        for step in steps:
            sessions.plays(step)
            sessions.check()


class ManySessionsTests:
    """Sessions in use are not forgotten for those of strangers."""

    def test_in_use(self) -> None:
        """Neither one that is connected nor one within its grace time is; one that is left may be."""
        verona = NativeVerona(logs=MemoryLogStore(max_sessions=4), grace=10)
        juliet, nurse, paris = verona.company_of("juliet", "nurse", "paris")
        for caller in (juliet, nurse):
            caller.says("one", 1)
        paris.sends({"type": "bye"})
        nurse.transport.breaks()
        for number in range(9):
            verona.hello(f"stranger{number}").sends({"type": "bye"})
            verona.turn()
        kept = [verona.logs.session(digest_of(f"token{number}")) is not None for number in (1, 2, 3)]
        assert kept == [True, True, False]
        verona.turn(11)
        assert [back(verona, session=token).hears()[0]["next_seq"] for token in ("token1", "token2")] == [
            2,
            2,
        ]

    def test_all_in_use(self) -> None:
        """A newcomer is refused if all are, and comes in when one is free again; the others stay."""
        verona = NativeVerona(logs=MemoryLogStore(max_sessions=2))
        juliet, nurse = verona.company_of("juliet", "nurse")
        full = {
            "type": "bye",
            "reason": "busy",
            "text": "the server has no room for more sessions; try again later",
        }
        assert verona.hello("paris").reads() == [full]
        assert verona.broker.counters.rejected[RejectReason.FULL] == 1
        nurse.transport.breaks()
        assert verona.hello("paris").reads() == [full]
        juliet.sends({"type": "bye"})
        verona.turn()
        assert verona.hello("paris").hears()[0]["name"] == "paris"
        verona.callers[-1].transport.breaks()
        assert back(verona, session="token1").reads() == [full]
        assert back(verona, session="token2").hears()[0]["name"] == "nurse"

    def test_together(self) -> None:
        """That is counted when they come, not when they are stored."""
        executor = HeldCommitter()
        verona = NativeVerona(logs=MemoryLogStore(max_sessions=2), executor=executor)
        callers = [verona.hello(f"paris{number}") for number in range(3)]
        assert [caller.events for caller in callers][:2] == [[], []]
        executor.answer_all()
        verona.turn()
        assert [caller.hears()[0]["type"] == "welcome" for caller in callers] == [True, True, False]

    def test_never_came_in(self) -> None:
        """One that can't be stored, or whose client is gone by then, is not in use."""
        executor = HeldCommitter()
        verona = NativeVerona(logs=MemoryLogStore(max_sessions=1), executor=executor)
        verona.hello("paris")
        executor.refuse()
        verona.hello("paris").transport.breaks()
        executor.answer_all()
        verona.turn()
        assert verona.hello("juliet").hears()[0]["name"] == "juliet"

    def test_refused_name(self) -> None:
        """Nor is one whose name is refused."""
        verona = NativeVerona(logs=MemoryLogStore(max_sessions=1))
        verona.company_of("juliet")[0].sends({"type": "bye"})
        verona.turn()
        assert verona.hello("romeo", session="token1").reads()[0]["reason"] == "refused"
        assert verona.hello("nurse").hears()[0]["name"] == "nurse"


def kicked(verona: NativeVerona, name: str = "juliet") -> None:
    """Let the operator, who comes and goes for it, send ``name`` away."""
    host = verona.chat.join(FakeGuest(), 0, is_operator=True, hidden=True)
    assert verona.chat.run_command(host, f"kick {name} flooding") == []
    verona.chat.leave(host)
    verona.settle()


SENT_AWAY = {"type": "bye", "reason": "refused", "text": "you were kicked by romeo: flooding"}


class KickTests:
    """A member that the operator sends away, whether it is connected or not."""

    def test_absent(self) -> None:
        """A member whose connection was lost leaves, and the others are told."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        kicked(verona)
        assert [frame["text"] for frame in nurse.reads()] == [
            "juliet was kicked by romeo: flooding",
            "juliet left",
        ]
        assert [member.name for member in verona.chat.members.values()] == ["nurse"]
        assert not verona.session_manager.has_session("token1")
        assert verona.hello("juliet").hears()[0]["name"] == "juliet"

    def test_absent_comes_back(self) -> None:
        """Its client is told so once when it is back, and is not in the room; later it may come again."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.says("one", 1)
        verona.turn()
        juliet.transport.breaks()
        kicked(verona)
        nurse.reads()
        assert back(verona).reads() == [SENT_AWAY]
        verona.settle()
        assert nurse.reads() == []
        welcome = back(verona).hears()[0]
        assert (welcome["session"], welcome["next_seq"]) == ("token1", 2)

    def test_not_over_yet(self) -> None:
        """The time for which its place was kept ends without anything more."""
        verona = NativeVerona(grace=10)
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        kicked(verona)
        nurse.reads()
        verona.turn(11)
        verona.settle()
        assert nurse.reads() == []

    def test_restart(self) -> None:
        """It is told so by a server that was started again, too."""
        verona = NativeVerona()
        verona.company_of("juliet")[0].transport.breaks()
        kicked(verona)
        verona = NativeVerona(logs=verona.logs)
        assert [back(verona).reads()[0].get("reason") for _ in range(2)] == ["refused", None]

    def test_dead_connection(self) -> None:
        """So is one whose connection is dead without anybody knowing: it never heard the goodbye."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        kicked(verona)
        assert juliet.hears() == [
            {"type": "bye", "reason": "closed", "text": "you were kicked by romeo: flooding"}
        ]
        juliet.transport.breaks()
        assert back(verona).reads() == [SENT_AWAY]

    def test_answered_while_storing(self) -> None:
        """Also one that is back before the last of its session is stored, however long that takes."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        [juliet] = verona.company_of("juliet")
        executor.prompt = False
        kicked(verona)
        juliet.sends({"type": "bye"})
        verona.turn()
        again = back(verona)
        for _ in range(5):
            verona.turn()
            if executor.waiting:
                executor.answer()
        assert again.hears()[-1].get("session") == "token1"

    def test_answered(self) -> None:
        """One that answered the goodbye knows, and may come again at once."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        kicked(verona)
        juliet.sends({"type": "bye"})
        assert back(verona).hears()[0]["session"] == "token1"


class CountTests:
    """What is counted of it."""

    def test_returns(self) -> None:
        """Each time that a session is taken up again counts: after a cut, at once, after a goodbye."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        assert verona.broker.counters.sessions_resumed == 0
        juliet.transport.breaks()
        back(verona)
        assert verona.broker.counters.sessions_resumed == 1
        juliet = back(verona)
        assert verona.broker.counters.sessions_resumed == 2
        juliet.sends({"type": "bye"})
        verona.turn()
        back(verona)
        assert verona.broker.counters.sessions_resumed == 3

    def test_not_stored(self) -> None:
        """Who is asked to come again, as the session can't be stored, counts as refused."""
        executor = HeldCommitter()
        verona = NativeVerona(executor=executor)
        verona.hello()
        executor.refuse()
        assert verona.broker.counters.rejected[RejectReason.SESSION] == 1

    def test_not_stored_after_goodbye(self) -> None:
        """So does who comes back before the last of the session could be stored, and it can't be."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        [juliet] = verona.company_of("juliet")
        executor.prompt = False
        juliet.sends({"type": "bye"})
        verona.turn()
        again = back(verona)
        while executor.waiting:
            executor.refuse()
            verona.turn()
        assert again.hears()[-1]["reason"] == "restart"
        assert verona.broker.counters.rejected[RejectReason.SESSION] == 1
        assert verona.broker.counters.sessions_resumed == 0

    def test_not_read(self) -> None:
        """So does one whose session can't be read."""
        verona = NativeVerona(logs=UnreadableLogs())
        caller = verona.hello(session="token1")
        assert caller.reads() == [
            {"type": "bye", "reason": "restart", "text": "the server cannot read its history now"}
        ]
        assert verona.broker.counters.rejected[RejectReason.SESSION] == 1
