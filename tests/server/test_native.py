"""Tests of `techboy.server.native`."""

from __future__ import annotations

from typing import Any

import pytest

from techboy.chat.counters import RejectReason
from techboy.server.admission import HELLO_LIMIT, WELCOME_TIMEOUT
from techboy.server.native import EARLY_PING_DELAY, FRAME_LIMIT
from techboy.storage.interface import MessageBatch, StorageError
from techboy.storage.memory import MemoryLog
from techboy.wire.native import milliseconds
from tests.native import DEAD, PING, HeldCommitter, NativeVerona


def fields(frames: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return these fields of each of ``frames``."""
    return [tuple(frame.get(name) for name in names) for frame in frames]


class HelloTests:
    """How a guest comes in."""

    def test_welcome(self) -> None:
        """The answer to a hello tells all that the guest has to know, then who is here."""
        verona = NativeVerona()
        welcome, *notices = verona.hello().reads()
        assert welcome == {
            "type": "welcome", "version": 1, "name": "juliet", "session": "token1", "next_seq": 1,
            "log_epoch": verona.logs.id, "room": "lobby", "after_id": 0, "last_id": 0, "server": "romeo",
            "limits": {"line": 4096, "frame": FRAME_LIMIT},
        }  # fmt: skip
        assert [notice["text"] for notice in notices] == [
            "welcome to lobby, juliet; /help lists what you can do", "1 here: juliet",
        ]  # fmt: skip

    def test_history(self) -> None:
        """What was said before follows, as far as the house shows it."""
        verona = NativeVerona(history=2)
        [author] = verona.company_of("author")
        author.says("one\ntwo\nthree", 1)
        verona.turn()
        frames = verona.hello().hears()
        assert fields(frames, "after_id", "last_id", "id", "text") == [
            (1, 3, None, None),
            (None, None, 2, "two\nthree"),
        ]

    def test_hears_not(self) -> None:
        """Who does not want to hear is not shown what was said before it came."""
        verona = NativeVerona()
        [author] = verona.company_of("author")
        author.says("one\ntwo", 1)
        verona.turn()
        frames = verona.hello(subscribe=False).hears()
        assert fields(frames, "after_id", "last_id", "text") == [(2, 2, None)]

    @pytest.mark.parametrize("end", [b"", b'"}\n'])
    def test_too_long(self, end: bytes) -> None:
        """[P20] A hello is short, and nothing more is kept of one that is not."""
        caller = NativeVerona().call()
        caller.transport.receive(b'{"type": "hello", "version": 1, "name": "' + b"x" * HELLO_LIMIT + end)
        error, bye = caller.reads()
        assert error == {"type": "error", "code": "bad_frame", "text": "a hello has at most 8192 bytes"}
        assert bye["reason"] == "refused"
        assert caller.handler.unfinished == b""

    def test_long_frame_at_once(self) -> None:
        """What comes together with the hello may be longer."""
        verona = NativeVerona(max_line=FRAME_LIMIT)
        caller = verona.call()
        caller.sends(
            {"type": "hello", "version": 1, "name": "juliet"},
            {"type": "message", "kind": "text", "text": "x" * HELLO_LIMIT, "seq": 1},
        )
        verona.turn()
        verona.turn()
        assert fields(caller.hears(), "type", "next_seq") == [("welcome", 1), ("ack", 2)]

    def test_version(self) -> None:
        """Another version is refused."""
        caller = NativeVerona().call()
        caller.sends({"type": "hello", "version": 2, "name": "juliet"})
        assert caller.reads() == [
            {"type": "bye", "reason": "refused", "text": "unsupported version: expected 1"}
        ]
        assert "half close" in caller.events

    def test_bad_name(self) -> None:
        """So is a name that nobody gets."""
        verona = NativeVerona()
        assert verona.hello("romeo").reads() == [
            {"type": "bye", "reason": "refused", "text": "romeo is reserved"}
        ]
        assert verona.chat.members == {}

    def test_broken(self) -> None:
        """A hello that can't be read is answered, and refused."""
        caller = NativeVerona().call()
        caller.transport.receive(b'{"type": "hello", "version": "one"}\n')
        assert [frame.get("code", frame.get("reason")) for frame in caller.reads()] == [
            "bad_field",
            "refused",
        ]

    def test_taken_name(self) -> None:
        """Who wants a name that somebody has gets it with a number."""
        verona = NativeVerona()
        verona.hello()
        assert verona.hello().reads()[0]["name"] == "juliet2"

    def test_hello_again(self) -> None:
        """A second hello is an error that the connection survives."""
        verona = NativeVerona()
        [caller] = verona.company_of("juliet")
        caller.sends({"type": "hello", "version": 1, "name": "nurse"}, {"type": "ping", "number": 1})
        assert fields(caller.reads(), "code", "number") == [("unknown_type", None), (None, 1)]

    def test_at_once(self) -> None:
        """What comes together with the hello is heard after the welcome."""
        verona = NativeVerona()
        caller = verona.call()
        caller.sends(
            {"type": "hello", "version": 1, "name": "juliet"},
            {"type": "message", "kind": "text", "text": "one", "seq": 1},
            {"type": "ping", "number": 5},
        )
        verona.turn()
        verona.turn()
        assert fields(caller.hears(), "type", "number", "next_seq") == [
            ("welcome", None, 1), ("pong", 5, None), ("ack", None, 2),
        ]  # fmt: skip

    def test_not_stored(self) -> None:
        """Where the session can't be stored the guest is asked to come back, and is not in."""
        executor = HeldCommitter()
        verona = NativeVerona(executor=executor)
        caller = verona.hello()
        assert caller.reads() == []
        verona.turn(EARLY_PING_DELAY)
        assert caller.reads() == [{"type": "ping", "number": 0}]
        executor.refuse()
        assert caller.reads() == [
            {"type": "bye", "reason": "restart", "text": "the server cannot store messages now"}
        ]
        assert verona.chat.members == {}

    def test_gone_before_welcome(self) -> None:
        """Who is gone before the session is stored does not come in."""
        executor = HeldCommitter()
        verona = NativeVerona(executor=executor)
        verona.hello().transport.breaks()
        executor.answer()
        assert verona.chat.members == {}


class SayTests:
    """What a guest says."""

    def test_action(self) -> None:
        """[P6] An action is numbered like text, keeps its place, and is stored once."""
        verona = NativeVerona()
        plain = verona.visit()
        juliet, nurse = verona.company_of("juliet", "nurse")
        plain.reads()
        juliet.says("one", 1)
        action = {"type": "message", "kind": "action", "seq": 2, "text": "waves\nsighs"}
        juliet.sends(action, action)
        juliet.says("two", 4)
        verona.turn()
        assert fields(juliet.reads(), "type", "next_seq")[-1] == ("ack", 5)
        assert fields(nurse.reads(), "kind", "id", "text") == [
            ("text", 1, "one"), ("action", 2, "waves\nsighs"), ("text", 4, "two"),
        ]  # fmt: skip
        assert plain.reads() == "juliet: one\n** juliet waves\n** juliet sighs\njuliet: two\n"
        back = verona.hello(session="token1")
        assert back.reads()[0]["next_seq"] == 5

    def test_everybody(self) -> None:
        """It is acknowledged to its author, and brought to all others, in both dialects."""
        verona = NativeVerona()
        plain = verona.visit()
        juliet, nurse = verona.company_of("juliet", "nurse")
        plain.reads()
        juliet.says("one\ntwo", 1)
        verona.turn()
        assert juliet.reads() == [{"type": "ack", "next_seq": 3, "last_id": 2}]
        assert nurse.reads() == [
            {
                "type": "message",
                "kind": "text",
                "id": 1,
                "at": milliseconds(verona.wall()),
                "from": "juliet",
                "text": "one\ntwo",
            }
        ]
        assert plain.reads() == "juliet: one\njuliet: two\n"
        plain.says(b"three\n")
        verona.turn()
        assert fields(juliet.reads(), "id", "from", "text") == [(3, "guest1", "three")]

    def test_stored_first(self) -> None:
        """[P5] Nothing is acknowledged or shown before it is stored."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        juliet, nurse = verona.company_of("juliet", "nurse")
        executor.prompt = False
        juliet.says("one", 1)
        verona.turn()
        assert (juliet.reads(), nurse.reads()) == ([], [])
        executor.answer()
        assert (juliet.reads(), nurse.hears_said()) == (
            [{"type": "ack", "next_seq": 2, "last_id": 1}],
            ["one"],
        )

    def test_again(self) -> None:
        """[P6] What comes again is acknowledged again, and not said again."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.says("one", 1)
        verona.turn()
        juliet.says("one", 1)
        juliet.says("one\ntwo", 1)
        verona.turn()
        assert fields(juliet.reads(), "next_seq") == [(2,), (2,), (3,)]
        assert nurse.hears_said() == ["one", "two"]

    def test_gap(self) -> None:
        """[P7] Lines after some that never came are refused, with the number that is expected."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.says("two", 2)
        verona.turn()
        assert fields(juliet.reads(), "code", "next_seq") == [("out_of_order", 1)]
        assert nurse.reads() == []

    def test_not_stored(self) -> None:
        """What could not be stored is refused with all that came after it, and may be said again."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor)
        juliet, nurse = verona.company_of("juliet", "nurse")
        executor.prompt = False
        juliet.says("one", 1)
        verona.turn()
        juliet.says("two", 2)
        executor.refuse()
        verona.turn()
        assert fields(juliet.reads(), "code", "next_seq") == [("storage_unavailable", 1)]
        assert executor.waiting == 0
        executor.prompt = True
        juliet.says("one\ntwo", 1)
        verona.turn()
        assert juliet.reads() == [{"type": "ack", "next_seq": 3, "last_id": 2}]
        assert nurse.hears_said() == ["one", "two"]

    def test_too_long(self) -> None:
        """A line that is too long is refused, and counts; the others are said."""
        verona = NativeVerona(max_line=10)
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.says("one\n" + "x" * 11 + "\ntwo", 1)
        verona.turn()
        assert fields(juliet.reads(), "code", "next_seq") == [("line_too_long", None), (None, 4)]
        assert nurse.hears_said() == ["one", "two"]

    def test_too_long_and_broken(self) -> None:
        """The others are said also if the answer cannot be sent, for a reason that nobody expects."""
        verona = NativeVerona(max_line=16)
        (bob,) = verona.company_of("bob")
        bob.socket.socket.error = RuntimeError("odd")
        with pytest.raises(RuntimeError):
            bob.says("one\n" + "x" * 17, 1)
        bob.socket.socket.error = None
        verona.turn()
        assert [batch.text for batch in verona.chat.lobby.log.read_last(9)] == ["one"]

    def test_only_too_long(self) -> None:
        """Where no other is left, the number is acknowledged nevertheless."""
        verona = NativeVerona(max_line=10)
        [juliet] = verona.company_of("juliet")
        juliet.says("x" * 11, 1)
        verona.turn()
        assert fields(juliet.reads(), "code", "next_seq") == [("line_too_long", None), (None, 2)]

    def test_only_too_long_and_not_stored(self) -> None:
        """That its number was used may not be stored: the client says it again later, and learns no path."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(max_line=10, executor=executor)
        [juliet] = verona.company_of("juliet")
        executor.prompt = False
        juliet.says("x" * 11, 1)
        verona.turn()
        executor.refuse("/var/lib/romeo.sqlite: the disk is full")
        storage = {
            "type": "error",
            "code": "storage_unavailable",
            "text": "the server cannot store messages now",
            "next_seq": 1,
        }
        assert juliet.reads()[1:] == [storage]

    def test_after_too_long(self) -> None:
        """What is said right after such a line stays stored, and the numbers never go back."""
        verona = NativeVerona(max_line=10)
        [juliet] = verona.company_of("juliet")
        juliet.says("x" * 11, 1)
        juliet.says("two", 2)
        verona.turn()
        verona.turn()
        assert max(frame.get("next_seq", 0) for frame in juliet.reads()) == 3
        juliet.transport.breaks()
        back = verona.hello(session="token1", log_epoch=verona.logs.id, room="lobby", last_seen_id=0)
        assert back.reads()[0]["next_seq"] == 3

    def test_rate(self) -> None:
        """Who says much is not read from for a while; nothing is lost."""
        verona = NativeVerona(rate=2, burst=2)
        [juliet] = verona.company_of("juliet")
        juliet.says("1\n2\n3\n4", 1)
        assert not juliet.transport.reading
        verona.turn(0.9)
        assert not juliet.transport.reading
        verona.turn(0.2)
        assert juliet.transport.reading
        assert juliet.reads() == [
            {"type": "throttled", "rate": 2},
            {"type": "ack", "next_seq": 5, "last_id": 4},
        ]

    def test_throttled(self) -> None:
        """[P19] It is told so once, and once more if that begins anew after it kept to the limit."""
        verona = NativeVerona(rate=2, burst=2)
        [juliet] = verona.company_of("juliet")
        for number, seconds in ((1, 1), (4, 1.5), (7, 1.5)):
            juliet.says("1\n2\n3", number)
            assert not juliet.transport.reading
            verona.turn(seconds)
            assert juliet.transport.reading
        assert fields(juliet.reads(), "rate").count((2,)) == 1
        verona.turn(3)
        juliet.says("1\n2\n3", 10)
        assert juliet.reads() == [{"type": "throttled", "rate": 2}]

    def test_throttled_back(self) -> None:
        """A client that returns by another connection, and is throttled still, is told there, too."""
        verona = NativeVerona(rate=2, burst=2)
        [juliet] = verona.company_of("juliet")
        juliet.says("1\n2\n3\n4", 1)
        verona.turn(1)
        juliet.transport.breaks()
        back = verona.hello(session="token1", log_epoch=verona.logs.id, room="lobby", last_seen_id=4)
        back.says("5", 5)
        assert {"type": "throttled", "rate": 2} in back.reads()

    def test_slow_store(self) -> None:
        """Nothing more is read from whose lines wait for the disk, until they are stored."""
        executor = HeldCommitter(prompt=True)
        verona = NativeVerona(executor=executor, max_line=FRAME_LIMIT)
        [juliet] = verona.company_of("juliet")
        executor.prompt = False
        for number in (1, 2):
            juliet.says("x" * 200_000, number)
        assert not juliet.transport.reading
        verona.turn()
        executor.answer()
        assert juliet.transport.reading


class OddConnectionTests:
    """A connection raises what nobody expects, in what is done later."""

    @pytest.mark.parametrize("seconds", [EARLY_PING_DELAY, WELCOME_TIMEOUT, PING])
    def test_later(self, seconds: float) -> None:
        """It is closed, whichever of its timers it was."""
        executor = HeldCommitter(prompt=seconds == PING)
        verona = NativeVerona(executor=executor)
        juliet = verona.hello("juliet")
        juliet.socket.socket.error = RuntimeError("odd")
        verona.turn(seconds)
        assert juliet.events == ["abort"]


class FrameTests:
    """Other frames, and what is none."""

    def test_ping(self) -> None:
        """A ping is answered."""
        [juliet] = NativeVerona().company_of("juliet")
        juliet.sends({"type": "ping", "number": 7, "last_seen_id": 0})
        assert juliet.reads() == [{"type": "pong", "number": 7}]

    def test_command(self) -> None:
        """Commands are obeyed, with or without arguments."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.sends({"type": "command", "name": "me", "args": ["sighs"]})
        verona.turn()
        assert fields(nurse.reads(), "kind", "text", "from") == [("action", "sighs", "juliet")]

    def test_long_command(self) -> None:
        """A command has no more bytes than a line."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.sends({"type": "command", "name": "me", "args": ["x" * 5000]})
        verona.turn()
        assert [frame["code"] for frame in juliet.reads()] == ["bad_field"]
        assert nurse.reads() == []

    def test_many_commands(self) -> None:
        """Who gives many commands is not read from for a while."""
        verona = NativeVerona(rate=1, burst=2)
        [juliet] = verona.company_of("juliet")
        juliet.sends(*[{"type": "command", "name": "who"}] * 5)
        assert not juliet.transport.reading
        verona.turn(4)
        assert juliet.transport.reading

    def test_answers_unread(self) -> None:
        """Who reads no answers is not read from, until it does."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        juliet.socket.room = 0
        sent = 0
        while juliet.transport.reading:
            juliet.transport.receive(b"{}\n" * 100)
            sent += 100
        assert len(juliet.transport.written) < 200_000
        juliet.socket.make_room()
        verona.turn()
        assert juliet.transport.reading
        assert len(juliet.reads()) == sent

    def test_no_hello_after_all(self) -> None:
        """Another frame than a hello is answered with a goodbye."""
        caller = NativeVerona().call()
        caller.transport.receive(b'{"type": "ping", "number": 1}\n')
        assert caller.reads() == [
            {"type": "bye", "reason": "refused", "text": "expected a hello as the first frame"}
        ]

    def test_broken(self) -> None:
        """[P3] What is no frame is an error that the connection survives."""
        [juliet] = NativeVerona().company_of("juliet")
        for line in (b"what?", b"", b"[]", b'{"type": "message", "seq": 1}', b'{"type": "sing"}', b"\xff{"):
            juliet.transport.receive(line + b"\n")
        juliet.sends({"type": "ping", "number": 1})
        errors = [frame.get("code") for frame in juliet.reads()]
        assert errors == [
            "bad_frame",
            "bad_frame",
            "bad_frame",
            "bad_field",
            "unknown_type",
            "bad_frame",
            None,
        ]

    def test_too_long(self) -> None:
        """A frame without an end is refused, with a goodbye."""
        [juliet] = NativeVerona().company_of("juliet")
        juliet.transport.receive(b"x" * (FRAME_LIMIT + 2))
        assert fields(juliet.reads(), "code", "reason") == [("bad_frame", None), (None, "refused")]
        assert "half close" in juliet.events

    def test_goodbye(self) -> None:
        """A goodbye is answered, and the guest is gone."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.sends({"type": "bye"})
        verona.settle()
        assert juliet.reads() == [{"type": "bye", "reason": "closed"}]
        assert nurse.reads() == [{"type": "notice", "text": "juliet left"}]

    def test_goodbye_seen(self) -> None:
        """A goodbye tells up to where all was shown, and counts for who comes back without knowing it."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo", 1)
        verona.turn()
        juliet.sends({"type": "bye", "last_seen_id": 1, "room": "lobby"})
        verona.turn()
        assert verona.hello(session="token1").reads()[0]["after_id"] == 1

    def test_unreadable_history(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """History that cannot be read is left out for a new guest, and for one that enters a room."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one", 1)
        nurse.sends(
            {"type": "command", "name": "join", "args": ["garden"]},
            {"type": "message", "kind": "text", "text": "two\nthree", "seq": 2},
        )
        verona.settle()
        juliet.reads()

        def unreadable(*_: object) -> list[MessageBatch]:
            raise StorageError("/state/romeo.sqlite: the disk is broken")

        with monkeypatch.context() as patch:
            patch.setattr(MemoryLog, "read", unreadable)
            new = verona.hello("new")
            juliet.sends({"type": "command", "name": "join", "args": ["garden"]})
            verona.turn()
            for connection, lines in ((new, 1), (juliet, 2)):
                *_, notice, missed = connection.reads()
                assert notice == {"type": "notice", "text": "the server cannot read its history now"}
                assert missed == {"type": "skipped", "count": lines, "through_id": lines}
        nurse.says("four", 4)
        verona.turn()
        assert juliet.hears_said() == ["four"]
        juliet.sends({"type": "command", "name": "part"})
        juliet.says("five", 1)
        verona.turn()
        assert new.hears_said() == ["five"]

    def test_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """[P10] What a guest missed is not left out: if it cannot be read the guest is to come back."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.breaks()
        nurse.says("one", 1)
        verona.turn()
        known: dict[str, Any] = {
            "session": "token1", "log_epoch": verona.logs.id, "room": "lobby", "last_seen_id": 0
        }  # fmt: skip

        def unreadable(*_: object) -> list[MessageBatch]:
            raise StorageError("the disk is broken")

        with monkeypatch.context() as patch:
            patch.setattr(MemoryLog, "read", unreadable)
            assert verona.hello(**known).events == ["abort"]
        assert verona.hello(**known).hears_said() == ["one"]

    def test_goodbye_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A guest is said goodbye to, in either dialect, also where the log can't be read."""
        verona = NativeVerona()
        plain = verona.visit()
        [juliet] = verona.company_of("juliet")
        plain.reads()
        plain.stops_reading()
        plain.handler.send_notice(["one"])

        class Unreadable:
            last = forgotten = 0

            def read(self, after: int, size: int) -> list[MessageBatch]:
                raise StorageError("the disk is broken")

        monkeypatch.setattr(verona.chat.lobby, "log", Unreadable())
        for connection in (juliet.handler, plain.handler):
            connection.disconnect("farewell")
        assert juliet.reads() == [{"type": "bye", "reason": "closed", "text": "farewell"}]
        assert verona.reading_again(plain).endswith("* farewell\n")

    def test_after_goodbye(self) -> None:
        """What comes after the goodbye of either side is not heard, whatever it is."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.sends({"type": "command", "name": "quit"})
        assert juliet.reads()[-1] == {"type": "bye", "reason": "closed", "text": "goodbye"}
        juliet.says("ghost", 1)
        juliet.transport.receive(b'"bye"\n{"type": "bye", "room": 1}\n' + b"x" * (FRAME_LIMIT + 2))
        juliet.transport.receive(b"\n")
        juliet.sends({"type": "bye"}, {"type": "bye"})
        verona.turn()
        assert juliet.reads() == []
        assert nurse.hears_said() == []

    def test_refused_for_good(self) -> None:
        """Nor what comes after a stranger was refused."""
        caller = NativeVerona().call()
        caller.sends(
            {"type": "hello", "version": 2, "name": "juliet"},
            {"type": "bye"},
            {"type": "hello", "version": 1, "name": "juliet"},
        )
        assert [frame["reason"] for frame in caller.reads()] == ["refused"]

    def test_move_to_history(self) -> None:
        """In another room its history follows; back in the lobby, what was said there meanwhile."""
        verona = NativeVerona(history=2)
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.sends(
            {"type": "command", "name": "join", "args": ["garden"]},
            {"type": "message", "kind": "text", "text": "one\ntwo\nthree", "seq": 1},
        )
        verona.settle()
        juliet.reads()
        juliet.sends({"type": "command", "name": "join", "args": ["garden"]})
        verona.settle()
        assert fields(juliet.hears(), "room", "after_id", "last_id", "id", "text") == [
            ("garden", 1, 3, None, None),
            (None, None, None, 2, "two\nthree"),
        ]
        nurse.sends(
            {"type": "command", "name": "part"}, {"type": "message", "kind": "text", "text": "four", "seq": 4}
        )
        verona.settle()
        juliet.reads()
        juliet.sends({"type": "command", "name": "part"})
        verona.settle()
        assert fields(juliet.hears(), "room", "after_id", "last_id", "id", "text") == [
            ("lobby", 0, 1, None, None),
            (None, None, None, 1, "four"),
        ]

    def test_move_back(self) -> None:
        """What was sent in a room before is not sent again when it is entered again."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one", 1)
        verona.settle()
        juliet.sends(
            {"type": "command", "name": "join", "args": ["garden"]}, {"type": "command", "name": "part"}
        )
        verona.settle()
        assert [frame["after_id"] for frame in juliet.hears() if frame["type"] == "room_changed"] == [0, 1]
        assert juliet.hears_said() == []

    def test_move_without_hearing(self) -> None:
        """Who does not want to hear is sent no history."""
        verona = NativeVerona()
        (nurse,) = verona.company_of("nurse")
        nurse.sends(
            {"type": "command", "name": "join", "args": ["garden"]},
            {"type": "message", "kind": "text", "text": "one", "seq": 1},
        )
        verona.settle()
        bot = verona.hello("bot", subscribe=False)
        bot.sends({"type": "command", "name": "join", "args": ["garden"]})
        verona.settle()
        assert bot.hears_said() == []

    def test_move(self) -> None:
        """In another room, only what is said there is heard."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.sends({"type": "command", "name": "join", "args": ["garden"]})
        assert fields(juliet.hears(), "room", "after_id", "last_id") == [("garden", 0, 0)]
        nurse.says("where?", 1)
        verona.turn()
        assert juliet.hears_said() == []


class SilenceTests:
    """Who says nothing."""

    def test_asked(self) -> None:
        """Who is silent is asked, and lives on if it answers."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        verona.turn(PING)
        assert juliet.reads() == [{"type": "ping", "number": 1}]
        juliet.sends({"type": "pong", "number": 1})
        verona.turn(DEAD - 1)
        assert juliet.events == []

    def test_dead(self) -> None:
        """[P16] Who does not answer loses its connection, and keeps its place."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        verona.turn(PING)
        verona.turn(DEAD - PING)
        assert juliet.events == ["abort"]
        assert [member.absent for member in verona.chat.members.values()] == [True]

    def test_no_hello(self) -> None:
        """Who never says hello is not asked, whatever its kernel takes, and ended."""
        verona = NativeVerona()
        caller = verona.call()
        caller.socket.room = 0
        verona.turn(WELCOME_TIMEOUT - 1)
        caller.transport.receive(b'{"type": "hello", "version": 1, ')
        caller.socket.make_room()
        assert caller.reads() == []
        verona.turn(1)
        assert caller.events == ["abort"]
        assert verona.clock.getDelayedCalls() == []

    def test_welcomed_in_time(self) -> None:
        """Who was welcomed may take its time."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        verona.turn(WELCOME_TIMEOUT)
        assert juliet.events == []
        assert juliet.handler.is_open

    def test_slow_disk(self) -> None:
        """[P20] A client whose session is not stored in time is asked to come back, and does not come in."""
        executor = HeldCommitter()
        verona = NativeVerona(executor=executor)
        caller = verona.hello()
        verona.turn(WELCOME_TIMEOUT)
        ping, bye = caller.reads()
        assert (ping, bye["reason"]) == ({"type": "ping", "number": 0}, "restart")
        executor.answer_all()
        verona.turn()
        assert verona.chat.members == {}
        assert verona.broker.counters.rejected[RejectReason.SESSION] == 1


class LostTests:
    """A connection that ends without a goodbye."""

    def test_half_closed(self) -> None:
        """A client that closes its half is away at once, and the connection is closed in good order."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.transport.peer_closes()
        assert [member.absent for member in verona.chat.members.values()] == [True, False]
        nurse.sends({"type": "command", "name": "msg", "args": ["juliet psst"]})
        assert "your message was not delivered" in nurse.reads()[0]["text"]
        juliet.transport.flush()
        assert juliet.events == ["close"]
        assert not juliet.handler.is_open
        assert (
            verona.hello(session="token1", log_epoch=verona.logs.id, room="lobby").reads()[0]["name"]
            == "juliet"
        )

    def test_half_closed_reads_nothing(self) -> None:
        """If it does not take what was sent before, the connection is cut after a second."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        juliet.socket.room = 0
        nurse.says("one", 1)
        verona.turn()
        juliet.transport.peer_closes()
        verona.turn(1)
        assert juliet.events == ["close", "abort"]

    def test_half_closed_hello(self) -> None:
        """So it is with a client that closed its half in the middle of its hello."""
        caller = NativeVerona().call()
        caller.transport.receive(b'{"type": "hello", "version": 1, "na')
        caller.transport.peer_closes()
        caller.transport.flush()
        assert caller.events == ["close"]
        assert not caller.handler.is_open


class CountTests:
    """What is counted of it."""

    def test_duplicates(self) -> None:
        """Lines that were here already are counted, and are not counted as said again."""
        verona = NativeVerona()
        [juliet] = verona.company_of("juliet")
        juliet.says("one", 1)
        juliet.says("one\ntwo", 1)
        juliet.says("one\ntwo", 1)
        verona.turn()
        verona.turn()
        assert (verona.broker.counters.duplicates, verona.broker.counters.lines_received) == (1 + 2, 2)

    def test_sent(self) -> None:
        """Lines that go out are counted, with what was missed, and what waits at the goodbye."""
        verona = NativeVerona()
        juliet, nurse = verona.company_of("juliet", "nurse")
        nurse.says("one\ntwo", 1)
        verona.turn()
        juliet.transport.breaks()
        nurse.says("three", 3)
        verona.turn()
        assert verona.broker.counters.lines_sent == 2
        juliet = verona.hello(session="token1", log_epoch=verona.logs.id, room="lobby", last_seen_id=2)
        assert verona.broker.counters.lines_sent == 3
        juliet.socket.room = 0
        nurse.says("four", 4)
        verona.turn()
        nurse.says("five\nsix", 5)
        verona.turn()
        assert verona.broker.counters.lines_sent == 4
        juliet.handler.disconnect("")
        assert verona.broker.counters.lines_sent == 6

    @pytest.mark.parametrize(
        ("data", "why", "count"),
        [
            (b"{}\n", RejectReason.FRAME, 1),
            (b"nonsense\n" * 3, RejectReason.FRAME, 3),
            (b'{"type": "hello", "version": 1, "name": "nurse"}\n', RejectReason.FRAME, 1),
            (b"x" * (FRAME_LIMIT + 1), RejectReason.FRAME, 1),
            (b'{"type": "message", "kind": "text", "seq": 9, "text": "one"}\n', RejectReason.GAP, 1),
            (
                b'{"type": "message", "kind": "text", "seq": 1, "text": "12345678901\\n1\\n12345678901"}\n',
                RejectReason.LINE,
                2,
            ),
            (b'{"type": "command", "name": "me", "args": ["12345678901"]}\n', RejectReason.LINE, 1),
        ],
    )
    def test_refused(self, data: bytes, why: RejectReason, count: int) -> None:
        """What is not taken is counted by its reason, lines that are too long one by one."""
        verona = NativeVerona(max_line=10)
        [juliet] = verona.company_of("juliet")
        juliet.transport.receive(data)
        verona.turn()
        refused = verona.broker.counters.rejected
        assert refused == {**dict.fromkeys(RejectReason, 0), why: count}

    @pytest.mark.parametrize(
        ("hello", "why"),
        [
            ({"type": "hello", "version": 2, "name": "juliet"}, RejectReason.FRAME),
            ({"type": "hello", "version": "one"}, RejectReason.FRAME),
            ({"type": "ping", "number": 1}, RejectReason.FRAME),
            ({"type": "hello", "version": 1, "name": "romeo"}, RejectReason.NAME),
        ],
    )
    def test_refused_caller(self, hello: dict[str, Any], why: RejectReason) -> None:
        """So is a caller who can't come in."""
        verona = NativeVerona()
        verona.call().sends(hello)
        verona.turn()
        assert verona.broker.counters.rejected == {**dict.fromkeys(RejectReason, 0), why: 1}
