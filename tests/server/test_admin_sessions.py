"""Tests of `techboy.server.admin_sessions`."""

from __future__ import annotations

from typing import Any

import pytest

from techboy.chat.rate_limit import TokenBucket
from techboy.server.admin_sessions import AdminSessionManager
from techboy.server.native import NativeServerProtocol
from techboy.server.native_input import ConnectionLimits
from techboy.server.sessions import SessionManager
from techboy.storage.interface import MessageBatch, StorageError
from tests.native import DEAD, PING, Caller, HeldCommitter, NativeVerona, tokens
from tests.transports import SocketTransport


class Verona(NativeVerona):
    """A house with a door of the host's own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        new = tokens(options.get("first_token", 1))
        self.admin_sessions = AdminSessionManager(self.chat, self.broker, lambda: f"own {new()}")

    def connect(self) -> Caller:
        """Let somebody connect to the host's own door."""
        handler = NativeServerProtocol(
            self.admin_sessions, self.broker, TokenBucket(0, 0), ConnectionLimits(self._max_line, PING, DEAD)
        )
        caller = Caller(handler, SocketTransport(handler))
        handler.makeConnection(caller.transport)
        self.callers.append(caller)
        return caller

    def attach(self, **known: Any) -> Caller:
        """Let the host come in; what is answered was not read yet."""
        caller = self.connect()
        caller.sends({"type": "hello", "version": 1, "name": "juliet", **known})
        self.turn()
        return caller

    def here(self, **known: Any) -> Caller:
        """Let the host come in, and read all there is to read."""
        caller = self.attach(**known)
        self.settle()
        caller.reads()
        return caller

    def hears(self, connection: Caller, *lines: str) -> None:
        """Let ``connection``, who says nothing else, say ``lines``."""
        session = connection.handler.member.session
        assert session is not None
        connection.says("\n".join(lines), session.next)
        self.turn()

    def missed(self) -> list[str]:
        """Let the host come in, and go again at once; return what was shown, which was read."""
        caller = self.attach()
        frames = caller.hears()
        said = [line for frame in frames if frame["type"] == "message" for line in frame["text"].split("\n")]
        detach(caller, last_seen_id=frames[0]["last_id"])
        self.turn()
        return said


def detach(host: Caller, **seen: Any) -> None:
    """Let ``host`` say goodbye, who has read up to an id in the lobby."""
    host.sends({"type": "bye", "room": "lobby", **seen})


class ArrivalTests:
    """Who comes in by the host's own door."""

    def test_welcome(self) -> None:
        """It is the host, whatever it says that it is called, and is greeted as everybody is."""
        verona = Verona()
        welcome, *notices = verona.attach().reads()
        assert (welcome["name"], welcome["server"], welcome["room"]) == ("romeo", "romeo", "lobby")
        assert [notice["text"] for notice in notices] == [
            "welcome to lobby, romeo; /help lists what you can do", "1 here: romeo",
        ]  # fmt: skip
        [member] = verona.chat.members.values()
        assert member.is_operator

    @pytest.mark.parametrize("name", ["romeo", "root", "two words", ""])
    def test_any_name(self, name: str) -> None:
        """No name is refused: it is not used."""
        verona = Verona()
        caller = verona.connect()
        caller.sends({"type": "hello", "version": 1, "name": name})
        verona.turn()
        assert caller.reads()[0]["name"] == "romeo"

    def test_talk(self) -> None:
        """What is said there is the host's, and what guests say is heard."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        juliet.reads()
        host.says("welcome", 1)
        verona.turn()
        assert juliet.hears_said() == ["welcome"]
        verona.hears(juliet, "thanks")
        frames = host.hears()
        assert [(frame.get("next_seq"), frame.get("text")) for frame in frames] == [
            (2, None),
            (None, "thanks"),
        ]

    def test_command(self) -> None:
        """All of the host's commands are obeyed."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        verona.here().sends({"type": "command", "name": "kick", "args": ["juliet hush"]})
        assert juliet.reads()[-1] == {
            "type": "bye",
            "reason": "closed",
            "text": "you were kicked by romeo: hush",
        }

    def test_several(self) -> None:
        """By several ways at once it is one, who hears what it says by the others."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        one, two = verona.here(), verona.here()
        assert juliet.reads() == [{"type": "notice", "text": "romeo joined"}]
        one.says("a", 1)
        verona.turn()
        assert two.hears_said() == ["a"]
        assert one.hears_said() == []
        detach(one)
        verona.settle()
        assert juliet.hears_said() == ["a"]
        two.says("b", 1)
        verona.turn()
        assert juliet.hears_said() == ["b"]
        detach(two)
        verona.settle()
        assert juliet.reads() == [{"type": "notice", "text": "romeo left"}]

    def test_not_stored(self) -> None:
        """Where the session can't be stored the host is asked to come back."""
        executor = HeldCommitter()
        verona = Verona(executor=executor)
        host = verona.attach()
        executor.refuse()
        assert host.reads() == [{"type": "bye", "reason": "restart", "text": "the disk is full"}]
        assert verona.chat.members == {}


class MissedTests:
    """What was said while the host was not there is shown to who comes in."""

    def test_first(self) -> None:
        """The first is shown all that was said since the house is there, however little guests are shown."""
        verona = Verona(history=1)
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one", "two")
        assert verona.missed() == ["one", "two"]

    def test_since(self) -> None:
        """Later it is what was said since the host said goodbye, and not what was read before."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        host.reads()
        detach(host, last_seen_id=1)
        assert verona.missed() == []
        verona.hears(juliet, "two", "three")
        assert verona.missed() == ["two", "three"]
        assert verona.missed() == []

    def test_not_read(self) -> None:
        """What was sent and not shown before the goodbye is shown again."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one", "two")
        detach(host, last_seen_id=1)
        assert verona.missed() == ["two"]

    def test_own(self) -> None:
        """What the host said itself, and nobody after it, was not missed."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        host.says("two\nthree", 1)
        verona.turn()
        detach(host, last_seen_id=1)
        assert verona.missed() == []
        host = verona.here()
        host.says("four", 1)
        verona.turn()
        verona.hears(juliet, "five")
        host.says("six", 2)
        verona.turn()
        detach(host, last_seen_id=4)
        assert verona.missed() == ["five", "six"]

    def test_own_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the log can't be read at that moment it is shown once more."""
        verona = Verona()
        host = verona.here()
        host.says("one", 1)
        verona.turn()

        def unreadable(after: int, size: int) -> list[MessageBatch]:
            raise StorageError("the disk is broken")

        with monkeypatch.context() as patch:
            patch.setattr(verona.chat.lobby, "log", Unreadable(verona.chat.lobby.log.last, unreadable))
            host.transport.breaks()
            verona.turn()
        assert verona.missed() == ["one"]

    def test_lost(self) -> None:
        """Of one who was lost it counts what is known to be read; nothing is missing."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one", "two")
        host.sends({"type": "ping", "number": 1, "last_seen_id": 1, "room": "lobby"})
        host.transport.breaks()
        verona.turn()
        assert verona.missed() == ["two"]

    def test_sent_away(self) -> None:
        """Who asks to be sent away tells in its own goodbye how far it had read."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one", "two")
        host.sends(
            {"type": "command", "name": "quit"},
            {"type": "message", "kind": "text", "text": "too late", "seq": 1},
            {"type": "bye", "last_seen_id": 2, "room": "lobby"},
        )
        verona.turn()
        assert verona.missed() == []
        assert verona.chat.lobby.log.last == 2

    def test_ends(self) -> None:
        """What was read of who was asked to come back counts, should it not."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one", "two")
        host.sends({"type": "ping", "number": 1, "last_seen_id": 2, "room": "lobby"})
        verona.admin_sessions.save_all()
        host.handler.close_for_restart()
        host.transport.peer_closes()
        host.transport.breaks()
        assert Verona(logs=settled(verona)).missed() == []

    def test_other_way(self) -> None:
        """As long as the host is there by another way it is the same for who comes."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one")
        verona.here().sends({"type": "ping", "number": 1, "last_seen_id": 1, "room": "lobby"})
        verona.admin_sessions.save_all()
        assert verona.missed() == ["one"]
        assert verona.missed() == []

    def test_other_room(self) -> None:
        """In another room, what is said in the lobby is missed from the moment on when it was left."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        host.sends(
            {"type": "ping", "number": 1, "last_seen_id": 1, "room": "lobby"},
            {"type": "command", "name": "join", "args": ["balcony"]},
        )
        verona.hears(juliet, "two")
        host.sends({"type": "bye", "last_seen_id": 0, "room": "balcony"})
        verona.turn()
        assert verona.missed() == ["two"]

    def test_rooms_between(self) -> None:
        """Which room after that does not matter, nor what was read there."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        host.sends({"type": "command", "name": "join", "args": ["balcony"]})
        verona.hears(juliet, "one")
        host.says("a\nb\nc", 1)
        verona.turn()
        host.sends(
            {"type": "command", "name": "join", "args": ["tomb"]},
            {"type": "bye", "last_seen_id": 0, "room": "tomb"},
        )
        verona.turn()
        assert verona.missed() == ["one"]

    def test_forgotten(self) -> None:
        """What was forgotten meanwhile is counted."""
        verona = Verona(keep=1000)
        [juliet] = verona.company_of("juliet")
        for number in range(10):
            verona.hears(juliet, f"{number} {'x' * 100}")
        frames = verona.attach().hears()
        [missed] = [frame["count"] for frame in frames if frame["type"] == "skipped"]
        assert missed + len([frame for frame in frames if frame["type"] == "message"]) == 10

    def test_own_forgotten(self) -> None:
        """So it is after what the host said last."""
        verona = Verona(keep=1000)
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        for number in range(1, 10):
            host.says("x" * 100, number)
            verona.turn()
        detach(host, last_seen_id=0)
        verona.turn()
        assert verona.attach().hears()[1]["type"] == "skipped"


class Unreadable:
    """A log that can't be read."""

    def __init__(self, last: int, read: Any) -> None:
        self.last, self.read = last, read


def settled(verona: NativeVerona) -> Any:
    """Return the logs of ``verona`` when all is stored."""
    verona.turn()
    return verona.logs


class QuietTests:
    """Who comes only to say something."""

    def test_says(self) -> None:
        """It is the host who says it; nobody is told that somebody came or went."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one")
        quiet = verona.attach(subscribe=False)
        [welcome] = quiet.reads()
        assert (welcome["name"], welcome["after_id"]) == ("romeo", 1)
        quiet.says("back at nine", 1)
        verona.turn()
        quiet.sends({"type": "bye"})
        verona.settle()
        assert quiet.reads() == [
            {"type": "ack", "next_seq": 2, "last_id": 2},
            {"type": "bye", "reason": "closed"},
        ]
        frames = juliet.reads()
        assert [frame.get("text") for frame in frames] == [None, "back at nine"]
        assert frames[-1]["from"] == "romeo"

    def test_hears_nothing(self) -> None:
        """What others say, and who comes and goes, it is not told."""
        verona = Verona()
        quiet = verona.attach(subscribe=False)
        quiet.reads()
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one")
        assert quiet.reads() == []
        quiet.sends({"type": "bye"})
        assert quiet.reads() == [{"type": "bye", "reason": "closed"}]

    def test_comes_back(self) -> None:
        """A quiet one that returns is not sent what others said, and is told that nothing follows."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        quiet = verona.attach(subscribe=False)
        quiet.transport.breaks()
        verona.hears(juliet, "one", "two")
        quiet = verona.attach(
            subscribe=False, session="own token1", log_epoch=verona.logs.id, room="lobby", last_seen_id=0
        )
        verona.settle()
        [welcome] = quiet.reads()
        assert (welcome["after_id"], welcome["last_id"]) == (2, 2)

    def test_slow(self) -> None:
        """A quiet one that has read its answers late is not sent what others said, nor is it behind."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        quiet = verona.attach(subscribe=False)
        quiet.reads()
        quiet.socket.room = 0
        quiet.sends({"type": "command", "name": "who"})
        verona.hears(juliet, "one", "two")
        assert verona.chat.lagging_members == 0
        quiet.socket.make_room()
        verona.settle()
        assert quiet.reads() == [{"type": "notice", "text": "1 here: juliet"}]

    def test_missed(self) -> None:
        """What was said meanwhile is as much missed as before."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one")
        quiet = verona.attach(subscribe=False)
        quiet.says("two", 1)
        verona.turn()
        detach(quiet, last_seen_id=2)
        verona.turn()
        assert verona.missed() == ["one", "two"]


class SessionTests:
    """Sessions of this door."""

    def test_back(self) -> None:
        """Who was lost goes on where it was, with its numbers, and is shown what it did not read."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        host.says("one", 1)
        verona.hears(juliet, "two", "three")
        host.transport.breaks()
        verona.settle()
        host = verona.attach(session="own token1", log_epoch=verona.logs.id, room="lobby", last_seen_id=2)
        welcome, said = host.hears()
        assert (welcome["next_seq"], welcome["session"], said["text"]) == (2, "own token1", "three")
        assert [member.is_operator for member in verona.chat.members.values()] == [False, True]

    def test_gone_at_once(self) -> None:
        """No place is kept for who is lost: the host is gone for the others."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        juliet.reads()
        host.transport.breaks()
        verona.turn()
        verona.settle()
        assert juliet.reads() == [{"type": "notice", "text": "romeo left"}]

    def test_other_door(self) -> None:
        """A token of this door opens no other one, nor the other way round."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        token = verona.attach().reads()[0]["session"]
        assert verona.hello("nurse", session=token).reads()[0]["name"] == "nurse"
        juliet.says("one", 1)
        verona.turn()
        juliet.transport.breaks()
        back = verona.attach(session="token1").reads()[0]
        assert (back["name"], back["session"], back["next_seq"]) == ("romeo", "own token2", 1)
        assert [member.name for member in verona.chat.members.values() if member.absent] == ["juliet"]

    def test_record_of_the_host(self) -> None:
        """Nobody can go on with the record that says how far the host has read."""
        verona = Verona()
        verona.admin_sessions.save_all()
        verona.turn()
        for token in ("the host", "", "host "):
            assert verona.hello("nurse", session=token).reads()[0]["session"].startswith("token")

    def test_restart(self) -> None:
        """Sessions, and how far the host has read, outlive the house."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        detach(host, last_seen_id=1)
        verona.hears(juliet, "two")
        assert Verona(logs=settled(verona)).missed() == ["two"]

    def test_nick(self) -> None:
        """A nickname goes on with the session, unless the operator is here by another way already."""
        verona = Verona()
        host = verona.attach()
        host.sends({"type": "command", "name": "nick", "args": ["montague"]})
        verona.turn()
        again = Verona(logs=verona.logs, first_token=10)
        quiet = again.attach(subscribe=False)
        assert quiet.hears()[0]["name"] == "romeo"
        assert again.attach(session="own token1").hears()[0]["name"] == "montague"
        assert quiet.handler.member.name == "montague"
        other = Verona(logs=verona.logs, first_token=10)
        other.attach()
        assert other.attach(session="own token1").hears()[0]["name"] == "romeo"

    def test_nick_taken(self) -> None:
        """The one who took it meanwhile keeps it."""
        verona = Verona()
        verona.attach().sends({"type": "command", "name": "nick", "args": ["montague"]})
        verona.turn()
        verona = Verona(logs=verona.logs, first_token=10)
        verona.company_of("montague")
        assert verona.attach(session="own token1").hears()[0]["name"] == "montague2"

    def test_killed(self) -> None:
        """So it does where the host was never there."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        verona.hears(juliet, "one")
        verona.admin_sessions.save_all()
        logs = settled(verona)
        again = Verona(logs=logs)
        [juliet] = again.company_of("nurse")
        again.hears(juliet, "two")
        assert again.missed() == ["one", "two"]

    def test_old_logs(self) -> None:
        """In logs that knew no such door, what was said before it was there was not missed."""
        old = NativeVerona()
        [juliet] = old.company_of("juliet")
        juliet.says("one", 1)
        assert Verona(logs=settled(old)).missed() == []

    def test_pruned(self) -> None:
        """Old sessions are forgotten, how far the host has read is not."""
        verona = Verona()
        [juliet] = verona.company_of("juliet")
        host = verona.here()
        verona.hears(juliet, "one")
        detach(host, last_seen_id=1)
        verona.turn(1000)
        verona.admin_sessions.save_all()
        verona.turn()
        verona.broker.prune(None, verona.wall() - 10)
        again = Verona(logs=settled(verona))
        assert again.attach(session="own token1").reads()[0]["after_id"] == 1

    def test_other_lodging(self) -> None:
        """The door is a lodging like others: who is in use is stored by `keep_all`."""
        verona = Verona()
        assert isinstance(verona.admin_sessions, SessionManager)
        host = verona.here()
        host.sends({"type": "ping", "number": 1, "last_seen_id": 0, "room": "lobby"})
        verona.turn(50)
        verona.admin_sessions.save_all()
        verona.turn()
        record = verona.logs.session(verona.admin_sessions.digest("own token1"))
        assert record is not None
        assert record.last_active == verona.wall()
