"""Tests of `techboy.server.service`: Romeo as the host of many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import UNIXAddress

from techboy import exit_status
from techboy.chat.counters import RejectReason
from techboy.romeo import Options
from techboy.server.admission import MIN_PENDING, WELCOME_TIMEOUT
from techboy.server.broker import PRESENCE_DELAY
from techboy.server.detect import GREETING_DELAY
from techboy.server.service import RoomServer
from techboy.server.storage_service import DRAIN_TIMEOUT, SHUTDOWN_TIMEOUT
from techboy.service import SHOWN_WITHIN
from techboy.terminal.interface import InputSource
from tests.native import HeldCommitter
from tests.ops.test_metrics_site import answer_of
from tests.programs import Running, call, frame, frames, later_endpoint, native, visit
from tests.transports import JULIET, SocketTransport

PERSON, SCRIPT, NONE = InputSource.PERSON, InputSource.SCRIPT, InputSource.NONE


def running(*arguments: str, keyboard: InputSource = NONE) -> Running:
    """Return a host who was given ``arguments`` and is about to start."""
    place = [] if "--listen" in arguments else ["--host", "127.0.0.1"]
    many = [] if keyboard is NONE or "--guests" in arguments else ["--guests", "5"]
    return Running(RoomServer, Options(), [*place, *many, *arguments], keyboard)


def attached(host: Running, **known: Any) -> SocketTransport:
    """Let the host come in by the host's own door, and read all there is to read."""
    caller = attach(host, **known)
    settle(host)
    caller.flush()
    return caller


def attach(host: Running, **known: Any) -> SocketTransport:
    """Let somebody say hello at the host's own door."""
    transport = knock(host)
    transport.receive(frame(type="hello", version=1, name="juliet", **known))
    host.reactor.advance(0)
    return transport


def knock(host: Running) -> SocketTransport:
    """Connect somebody to the host's own door."""
    protocol = host.reactor.unixServers[0][1].buildProtocol(UNIXAddress(None))
    transport = SocketTransport(protocol)
    protocol.makeConnection(transport)
    return transport


def without_notices(connection: SocketTransport) -> list[dict[str, Any]]:
    """Return what a guest was sent since the last time."""
    return [values for values in frames(connection) if values["type"] != "notice"]


def welcomed(connection: SocketTransport) -> bool:
    """Whether a caller was let in."""
    return connection.flush().startswith(b"* welcome to lobby, ")


def leave(connection: SocketTransport) -> None:
    """Let a guest answer or say goodbye, in good order."""
    connection.peer_closes()
    connection.flush()


def settle(host: Running) -> None:
    """Let what is new be told."""
    host.reactor.advance(PRESENCE_DELAY)


class GuestTests:
    """Who comes and goes."""

    def test_talk(self) -> None:
        """Guests talk to each other; a daemon shows nothing of it, and waits for more when all have left."""
        host = running().start()
        one, two = visit(host), visit(host)
        settle(host)
        two.flush()
        one.receive(b"hello\n")
        host.reactor.advance(0)
        assert two.flush() == b"guest1: hello\n"
        leave(one)
        leave(two)
        assert host.said == ["Listening for connection on 0.0.0.0:4444..."]
        assert host.reactor.stops == 0
        assert welcomed(visit(host))

    def test_options(self, tmp_path: Path) -> None:
        """Name, word before the welcome and history are those he was given, and the time is the clock's."""
        motd = tmp_path / "motd"
        motd.write_text("be kind\n")
        host = running("--name", "capulet", "--motd", str(motd), "--history", "1").start()
        visit(host).receive(b"one\ntwo\n")
        settle(host)
        lines = visit(host).flush().decode().splitlines()
        assert lines[:2] == ["* be kind", "* welcome to lobby, guest2; /help lists what you can do"]
        assert re.fullmatch(r"\[\d\d:\d\d\] guest1: two", lines[2])
        assert lines[3:] == ["* 2 here: guest1, guest2"]

    def test_full(self) -> None:
        """One more than there is room for is told and closed, until somebody has left."""
        host = running("--guests", "2", "--name", "capulet").start()
        one, _, more = visit(host), visit(host), visit(host)
        assert more.flush() == b"* capulet has no room for more guests\n"
        assert more.events == ["half close"]
        leave(one)
        assert welcomed(visit(host))

    def test_strangers(self) -> None:
        """Callers that are not welcomed are few, take no guest's place, and are closed after a while."""
        host = running("--guests", "3").start()
        factory = host.reactor.tcpServers[0][1]
        half_open = [call(host) for _ in range(MIN_PENDING)]
        for caller in half_open:
            caller.receive(b'{"type": "hello", "version": 1, ')
        assert [factory.buildProtocol(JULIET) for _ in range(40)] == [None] * 40
        assert host.program.broker.counters.rejected[RejectReason.PENDING] == 40
        assert host.program.clients == 0
        host.reactor.advance(WELCOME_TIMEOUT)
        assert [caller.events for caller in half_open] == [["abort"]] * MIN_PENDING
        assert [welcomed(visit(host)) for _ in range(4)] == [True, True, True, False]

    def test_strangers_who_leave_while_storing(self) -> None:
        """The sessions that a disk does not store are no more than that, whoever waits for them."""
        host = running("--guests", "1").start()
        executor = HeldCommitter()
        host.program.broker._executor = executor
        for _ in range(MIN_PENDING):
            native(host).breaks()
        assert host.reactor.tcpServers[0][1].buildProtocol(JULIET) is None
        executor.answer_all()
        host.reactor.advance(0)
        assert native(host).flush().startswith(b'{"type": "welcome", "version": 1')

    def test_late_hello_takes_no_place(self) -> None:
        """A caller taken for a plain guest gives the place back when its hello begins."""
        host = running("--guests", "1").start()
        late = visit(host)
        assert host.program.clients == 1
        late.receive(b'{"type": "hello"')
        assert host.program.clients == 0
        connection = visit(host)
        assert welcomed(connection)
        late.flush()
        late.receive(b', "version": 1, "name": "juliet"}\n')
        assert [bye["reason"] for bye in frames(late)] == ["busy"]

    def test_room_taken_while_storing(self) -> None:
        """Two callers whose sessions are stored together do not both get the last place."""
        host = running("--guests", "1").start()
        executor = HeldCommitter()
        host.program.broker._executor = executor
        callers = [native(host), native(host)]
        executor.answer_all()
        host.reactor.advance(0)
        first = [frames(caller)[0] for caller in callers]
        assert [values["type"] for values in first] == ["welcome", "bye"]
        assert len(host.program.chat.members) == 1

    def test_room_is_taken_until_closed(self) -> None:
        """Who has said goodbye takes room as long as the connection is open."""
        host = running("--guests", "1").start()
        one = visit(host)
        one.receive(b"exit\n")
        assert not welcomed(visit(host))
        leave(one)
        assert welcomed(visit(host))

    def test_line_limit(self) -> None:
        """The longest line that is taken is the one he was told."""
        host = running("--max-line", "64").start()
        connection = visit(host)
        connection.flush()
        connection.receive(b"x" * 65 + b"\n")
        assert connection.flush() == b"* a line of more than 64 bytes was discarded\n"

    def test_rate(self) -> None:
        """A guest may say ten seconds' worth of lines at once, then is read more slowly."""
        host = running("--rate", "4").start()
        connection, reader = visit(host), visit(host)
        settle(host)
        reader.flush()
        connection.receive(b"x\n" * 50)
        host.reactor.advance(0)
        assert reader.flush().count(b"\n") == 40
        assert not connection.reading
        host.reactor.pump([1] * 3)
        assert reader.flush().count(b"\n") == 10
        assert connection.reading

    def test_no_rate(self) -> None:
        """With --rate 0 nobody is slowed."""
        host = running("--rate", "0").start()
        connection = visit(host)
        connection.receive(b"x\n" * 10000)
        assert connection.reading

    def test_stall(self) -> None:
        """Who takes nothing for as long as was said is ended."""
        host = running("--send-timeout", "5").start()
        reader, connection = visit(host), visit(host)
        settle(host)
        reader.room = 0
        connection.receive(b"hello\n")
        host.reactor.advance(0)
        host.reactor.advance(4.9)
        assert reader.events == []
        host.reactor.advance(0.1)
        assert reader.events == ["abort"]

    def test_memory(self) -> None:
        """No more is kept than he was told."""
        host = running("--history-memory", "2000", "--rate", "0").start()
        connection = visit(host)
        for _ in range(20):
            connection.receive(b"x" * 100 + b"\n")
            host.reactor.advance(0)
        log = host.program.chat.lobby.log
        assert (log.last, log.last - log.deleted_through) == (20, 3)

    def test_once(self) -> None:
        """With --once he ends when the last guest has left, not before."""
        host = running("--once").start()
        one, two = visit(host), visit(host)
        leave(one)
        assert host.reactor.stops == 0
        leave(two)
        assert host.reactor.stops == 1
        assert host.stop().called
        assert host.status == exit_status.OK

    def test_broken(self) -> None:
        """A guest whose connection breaks has left."""
        host = running("--once").start()
        visit(host).breaks()
        assert host.reactor.stops == 1


class NativeGuestTests:
    """Guests who speak the native dialect."""

    def test_talk(self) -> None:
        """They talk with those who speak plain lines, and are told the room they are in."""
        host = running().start()
        juliet, plain = native(host), visit(host)
        settle(host)
        (welcome,) = without_notices(juliet)
        assert (welcome["name"], welcome["room"], welcome["server"]) == ("juliet", "lobby", "romeo")
        plain.flush()
        juliet.receive(frame(type="message", kind="text", text="hello\nyou", seq=1))
        host.reactor.advance(0)
        assert plain.flush() == b"juliet: hello\njuliet: you\n"
        plain.receive(b"good day\n")
        host.reactor.advance(0)
        stored, said = without_notices(juliet)
        assert stored == {"type": "ack", "next_seq": 3, "last_id": 2}
        assert (said["id"], said["from"], said["text"]) == (3, "guest1", "good day")

    def test_full(self) -> None:
        """One more than there is room for is told so, unless it was here before."""
        host = running("--guests", "1", "--name", "capulet").start()
        juliet = native(host)
        (welcome,) = without_notices(juliet)
        (bye,) = frames(native(host, "nurse"))
        assert bye == {"type": "bye", "reason": "busy", "text": "capulet has no room for more guests"}
        assert not welcomed(visit(host))
        (again,) = without_notices(native(host, session=welcome["session"]))
        assert again["session"] == welcome["session"]
        assert juliet.events == ["abort"]

    def test_grace(self) -> None:
        """Who lost the connection counts as present for as long as was said."""
        host = running("--resume-timeout", "5").start()
        other = visit(host)
        native(host).breaks()
        settle(host)
        other.flush()
        host.reactor.advance(4.7)
        other.receive(b"/who\n")
        assert other.flush() == b"* 2 here: guest1, juliet (away)\n"
        host.reactor.pump([0.3, PRESENCE_DELAY])
        assert other.flush() == b"* juliet left\n"

    def test_rate(self) -> None:
        """They are read more slowly, too, when they say too much."""
        host = running("--rate", "4").start()
        juliet = native(host)
        juliet.receive(frame(type="message", kind="text", text="\n".join(["x"] * 48), seq=1))
        assert not juliet.reading
        host.reactor.pump([1, 1])
        assert juliet.reading

    def test_line_limit(self) -> None:
        """The longest line that is taken is the one he was told."""
        host = running("--max-line", "64").start()
        juliet = native(host)
        (welcome,) = without_notices(juliet)
        assert welcome["limits"]["line"] == 64
        juliet.receive(frame(type="message", kind="text", text="x" * 65, seq=1))
        host.reactor.advance(0)
        error, stored = without_notices(juliet)
        assert (error["code"], stored["next_seq"]) == ("line_too_long", 2)

    def test_ping(self) -> None:
        """Who is silent is asked, and given up, when he was told to."""
        host = running("--ping-interval", "2", "--ping-timeout", "5").start()
        juliet = native(host)
        frames(juliet)
        host.reactor.advance(2)
        assert without_notices(juliet) == [{"type": "ping", "number": 1}]
        host.reactor.advance(3)
        assert juliet.events == ["abort"]

    def test_stopped(self) -> None:
        """When he is stopped by a signal, they are told that he will be back."""
        host = running().start()
        juliet, plain = native(host), visit(host)
        settle(host)
        frames(juliet)
        plain.flush()
        done = host.stop()
        assert without_notices(juliet) == [{"type": "bye", "reason": "restart"}]
        assert plain.flush() == b"* romeo is leaving\n"
        leave(plain)
        assert not done.called
        leave(juliet)
        assert done.called

    def test_interrupted(self) -> None:
        """When he ends for good, they are told that it is over, and why."""
        host = running().start()
        juliet = native(host)
        frames(juliet)
        host.interrupt()
        assert without_notices(juliet) == [{"type": "bye", "reason": "closed", "text": "romeo is leaving"}]
        leave(juliet)
        assert host.reactor.stops == 1

    def test_last_words(self) -> None:
        """What was said last is stored and brought first, however long that takes; nothing more is heard."""
        host, executor = running().start(), HeldCommitter()
        host.program.broker._executor = executor
        one, two = visit(host), visit(host)
        settle(host)
        two.flush()
        one.receive(b"last words\n")
        done = host.stop()
        assert two.flush() == b""
        assert not one.reading
        executor.answer()
        assert two.flush() == b"guest1: last words\n* romeo is leaving\n"
        one.flush()
        leave(one)
        leave(two)
        assert done.called

    def test_caller_while_leaving(self) -> None:
        """Who calls while he is leaving is told so, and does not keep him."""
        host = running().start()
        connection = visit(host)
        connection.flush()
        host.interrupt()
        late = native(host)
        assert frames(late) == [{"type": "bye", "reason": "closed"}]
        leave(late)
        leave(connection)
        assert host.reactor.stops == 1


class OwnDoorTests:
    """The host's own door."""

    def test_talk(self) -> None:
        """Who comes in by it is the host, for a daemon too, and may come and go."""
        host = running("--socket", "/run/romeo").start()
        assert host.said == [
            "Listening for connection on 0.0.0.0:4444...",
            "Listening for connection on /run/romeo...",
        ]
        connection, romeo = visit(host), attached(host)
        settle(host)
        connection.flush()
        romeo.receive(frame(type="message", kind="text", text="good day", seq=1))
        host.reactor.advance(0)
        assert connection.flush() == b"romeo: good day\n"
        romeo.receive(frame(type="bye"))
        leave(romeo)
        settle(host)
        assert connection.flush() == b"* romeo left\n"
        assert host.reactor.stops == 0

    def test_full(self) -> None:
        """The host always gets in, and takes no guest's room."""
        host = running("--guests", "1", "--socket", "/run/romeo").start()
        assert welcomed(visit(host))
        romeo = [attached(host), attached(host)]
        assert all(way.events == [] for way in romeo)
        assert not welcomed(visit(host))

    def test_room_for_guests(self) -> None:
        """However many ways the host is here by, as many guests may come as before."""
        host = running("--guests", "1", "--socket", "/run/romeo").start()
        attached(host)
        assert welcomed(visit(host))

    def test_no_rate(self) -> None:
        """The host may say as much as there is to say."""
        host = running("--rate", "1", "--socket", "/run/romeo").start()
        romeo = attached(host)
        romeo.receive(frame(type="message", kind="text", text="\n".join(["x"] * 1000), seq=1))
        assert romeo.reading

    @pytest.mark.parametrize("words", [b"", b"hello\n"])
    def test_plain(self, words: bytes) -> None:
        """Who speaks plain lines there is told what it takes, and closed."""
        host = running("--socket", "/run/romeo").start()
        caller = knock(host)
        if words:
            caller.receive(words)
        host.reactor.advance(GREETING_DELAY)
        assert caller.flush() == b"* this is the operator's socket: use twist juliet --socket\n"
        assert caller.events == ["half close"]
        assert host.program.chat.members == {}

    def test_once(self) -> None:
        """With --once he ends when the last guest has left, whether or not the host came and went."""
        host = running("--once", "--socket", "/run/romeo").start()
        romeo = attached(host)
        romeo.receive(frame(type="bye"))
        leave(romeo)
        assert host.reactor.stops == 0
        romeo = attached(host)
        leave(visit(host))
        assert frames(romeo)[-1] == {"type": "bye", "reason": "closed", "text": "romeo is leaving"}
        leave(romeo)
        assert host.reactor.stops == 1

    def test_shutdown(self) -> None:
        """The host may end it from there, for everybody."""
        host = running("--socket", "/run/romeo").start()
        connection, one, two = visit(host), attached(host), attached(host)
        connection.flush()
        one.receive(frame(type="command", name="shutdown"))
        for way in (one, two):
            assert without_notices(way) == [{"type": "bye", "reason": "closed", "text": "romeo is leaving"}]
            leave(way)
        assert host.reactor.stops == 0
        leave(connection)
        assert host.reactor.stops == 1

    def test_stopped(self) -> None:
        """When he is stopped by a signal, the host is told to come back too."""
        host = running("--socket", "/run/romeo").start()
        romeo = attached(host)
        done = host.stop()
        assert without_notices(romeo) == [{"type": "bye", "reason": "restart"}]
        assert not done.called
        leave(romeo)
        assert done.called

    @pytest.mark.parametrize(("how", "word"), [("interrupt", "closed"), ("stop", "restart")])
    def test_late(self, how: str, word: str) -> None:
        """Who comes by it while he is leaving is told so, and does not keep him."""
        host = running("--socket", "/run/romeo").start()
        visit(host).flush()
        getattr(host, how)()
        late = attach(host)
        assert frames(late) == [{"type": "bye", "reason": word}]

    def test_hello_under_way(self) -> None:
        """Who has not said a whole hello by then is told so as well."""
        host = running("--socket", "/run/romeo").start()
        caller = knock(host)
        caller.receive(b'{"type": "hello", "version": 1, "name"')
        host.interrupt()
        assert frames(caller) == [{"type": "bye", "reason": "closed"}]
        leave(caller)
        assert host.reactor.stops == 1

    def test_seat(self) -> None:
        """At his own keyboard and by this door the host is one, and each hears what the other says."""
        host = running("--socket", "/run/romeo", keyboard=PERSON).start()
        connection, romeo = visit(host), attached(host)
        settle(host)
        assert b"* 2 here: romeo, guest1\n" in connection.flush()
        host.terminal.receive(b"one\n")
        host.reactor.advance(0)
        assert [values["text"] for values in without_notices(romeo)] == ["one"]
        romeo.receive(frame(type="message", kind="text", text="two", seq=1))
        host.reactor.advance(0)
        assert "romeo: two\n" in host.shown
        assert connection.flush() == b"romeo: one\nromeo: two\n"
        host.terminal.receive(b"exit\n")
        assert without_notices(romeo)[-1] == {"type": "bye", "reason": "closed", "text": "romeo is leaving"}

    def test_missed(self) -> None:
        """How far the host had read is stored when he ends, told only with the last goodbye or not."""
        host = running("--socket", "/run/romeo").start()
        connection, romeo = visit(host), attached(host)
        connection.receive(b"one\n")
        host.reactor.advance(0)
        romeo.receive(frame(type="command", name="shutdown"))
        romeo.receive(frame(type="bye", last_seen_id=1, room="lobby"))
        for caller in (romeo, connection):
            leave(caller)
        assert host.reactor.stops == 1
        assert host.stop().called
        record = host.program.storage.logs.session(b"the host")
        assert record.seen == 1


class EndTests:
    """How it ends."""

    def test_stopped(self) -> None:
        """All guests are told and closed, then he is done."""
        host = running().start()
        guests = [visit(host), visit(host)]
        settle(host)
        for connection in guests:
            connection.flush()
        guests[0].receive(b"last words\n")
        done = host.stop()
        assert guests[1].flush() == b"guest1: last words\n* romeo is leaving\n"
        for connection in guests:
            connection.flush()
            assert connection.events == ["half close"]
            assert not done.called
            connection.peer_closes()
        assert done.called
        assert host.status == exit_status.OK
        assert host.reactor.stops == 0

    def test_stopped_alone(self) -> None:
        """With nobody there he is done at once."""
        assert running().start().stop().called

    def test_stopped_with_stuck_guests(self) -> None:
        """Guests who do not answer, or take nothing, are waited for a second."""
        host = running().start()
        silent, stuck = visit(host), visit(host)
        settle(host)
        silent.flush()
        stuck.room = 0
        done = host.stop()
        silent.flush()
        host.reactor.advance(0.9)
        assert not done.called
        host.reactor.advance(0.1)
        assert (silent.events, stuck.events) == (["half close", "close"], ["half close", "abort"])
        assert done.called

    def test_stopped_with_silent_disk(self) -> None:
        """A disk that does not answer keeps him two seconds; the guests are told, and the status tells."""
        host, executor = running("--socket", "/run/romeo").start(), HeldCommitter()
        host.reactor.advance(0)
        connection, romeo = visit(host), attached(host)
        connection.flush()
        host.program.broker._executor = executor
        connection.receive(b"last words\n")
        done = host.stop()
        host.reactor.advance(DRAIN_TIMEOUT - 0.1)
        assert connection.flush() == b""
        host.reactor.advance(0.1)
        assert connection.flush() == b"* romeo is leaving\n"
        assert without_notices(romeo) == [{"type": "bye", "reason": "restart"}]
        assert host.said[-1] == "romeo: some messages could not be saved"
        host.reactor.pump([1, 1])
        assert done.called
        assert host.status == exit_status.IO_ERROR

    def test_stopped_with_stuck_screen(self) -> None:
        """Nor is a screen waited for that takes nothing, where a signal ends him."""
        host = running("--output", "names").start()
        host.terminal.stuck = True
        done = host.stop()
        host.reactor.advance(SHUTDOWN_TIMEOUT - 0.1)
        assert not done.called
        host.reactor.advance(0.1)
        assert done.called
        assert host.said[-1] == "romeo: some messages could not be shown"
        assert host.status == exit_status.IO_ERROR

    def test_stopped_while_ending(self) -> None:
        """A signal that comes when only his screen is waited for ends the wait."""
        host = running(keyboard=PERSON).start()
        host.terminal.stuck = True
        host.terminal.receive(b"/shutdown\n")
        done = host.stop()
        host.reactor.advance(60)
        host.terminate()
        host.reactor.advance(SHOWN_WITHIN - 0.1)
        assert not done.called
        host.reactor.advance(0.1)
        assert done.called
        assert host.said[-1] == "romeo: some messages could not be shown"
        assert host.status == exit_status.IO_ERROR

    def test_stopped_while_stopping(self) -> None:
        """A signal that comes when the reactor is about to stop limits what follows."""
        host = running(keyboard=PERSON).start()
        host.terminal.stuck = True
        host.terminal.receive(b"/shutdown\n")
        assert host.reactor.stops == 1
        host.terminate()
        done = host.stop()
        host.terminate()
        host.reactor.advance(SHOWN_WITHIN - 0.1)
        assert not done.called
        host.reactor.advance(0.1)
        assert done.called
        assert host.status == exit_status.IO_ERROR

    def test_shown_in_time(self) -> None:
        """Where all is shown in time after that signal, he ends as if there had been none."""
        host = running(keyboard=PERSON).start()
        host.terminal.stuck = True
        host.terminal.receive(b"/shutdown\n")
        done = host.stop()
        host.terminate()
        host.program.ui.connectionLost()
        assert done.called
        assert host.status == exit_status.OK
        assert host.reactor.getDelayedCalls() == []

    def test_ended_with_slow_screen(self) -> None:
        """It is, as long as it takes, where he ended by himself."""
        host = running(keyboard=PERSON).start()
        host.terminal.stuck = True
        host.terminal.receive(b"/shutdown\n")
        done = host.stop()
        host.reactor.advance(60)
        assert not done.called
        host.program.ui.connectionLost()
        assert done.called
        assert host.status == exit_status.OK

    def test_stopped_twice(self) -> None:
        """Ctrl-C and then SIGTERM say goodbye once."""
        host = running().start()
        connection = visit(host)
        connection.flush()
        host.interrupt()
        done = host.stop()
        assert connection.flush() == b"* romeo is leaving\n"
        leave(connection)
        assert done.called

    def test_interrupted(self) -> None:
        """Ctrl-C ends him when the guests are gone."""
        host = running().start()
        connection = visit(host)
        host.interrupt()
        connection.flush()
        assert host.reactor.stops == 0
        connection.peer_closes()
        assert host.reactor.stops == 1

    def test_caller_while_leaving(self) -> None:
        """Who calls while he is leaving does not keep him."""
        host = running().start()
        connection = visit(host)
        connection.flush()
        host.interrupt()
        late = visit(host)
        late.flush()
        leave(connection)
        host.reactor.pump([1] * 10)
        assert host.reactor.stops == 1

    def test_refused_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that fails only later ends him, with one line and a status that tell why."""
        later = later_endpoint(monkeypatch)
        host = running("--listen", "later").start()
        later.errback(RuntimeError("no such thing"))
        host.stop()
        assert host.said == ["romeo: can't listen on later: no such thing"]
        assert host.status == exit_status.CANNOT_LISTEN
        assert host.reactor.stops == 1


def asked(host: Running, path: bytes) -> tuple[bytes, bytes]:
    """Return first line and body of what is answered where the host is watched."""
    return answer_of(host.reactor.tcpServers[1][1], path)


class WatchedTests:
    """A host who was told where he can be asked about the house."""

    def test_announced(self) -> None:
        """He says where, after where he can be called; it is for this machine alone."""
        host = running("--metrics", "tcp:9190").start()
        assert host.said == ["Listening for connection on 0.0.0.0:4444...", "Metrics on 0.0.0.0:9190"]
        assert host.reactor.tcpServers[1][::3] == (9190, "127.0.0.1")

    def test_not_asked(self) -> None:
        """Without that option he listens nowhere else."""
        assert len(running().start().reactor.tcpServers) == 1

    def test_connections(self) -> None:
        """It is told how those who are connected speak."""
        host = running("--metrics", "tcp:9190").start()
        visit(host)
        visit(host)
        native(host)
        call(host)
        body = asked(host, b"/metrics")[1]
        for kind, count in (("plain", 2), ("native", 1), ("unknown", 1)):
            assert f'techboy_connections{{protocol="{kind}"}} {count}.0\n'.encode() in body

    def test_turned_away(self) -> None:
        """Who finds no room is counted, however it speaks."""
        host = running("--guests", "1", "--metrics", "tcp:9190").start()
        visit(host)
        visit(host)
        native(host)
        assert (
            b'techboy_connections_rejected_total{reason="server_full"} 2.0\n' in asked(host, b"/metrics")[1]
        )

    def test_drain(self) -> None:
        """While he leaves that is told, until the guests are gone; who comes then is counted."""
        host = running("--metrics", "tcp:9190").start()
        assert asked(host, b"/healthz") == (b"HTTP/1.1 200 OK", b"ok\n")
        connection, late = visit(host), call(host)
        done = host.stop()
        assert asked(host, b"/healthz") == (b"HTTP/1.1 503 Service Unavailable", b"shutting down\n")
        late.receive(frame(type="hello", version=1, name="juliet"))
        native(host)
        call(host).receive(b"hello\n")
        assert host.program.broker.counters.rejected[RejectReason.SHUTDOWN] == 3
        assert not done.called
        connection.flush()
        leave(connection)
        assert done.called

    def test_not_stored(self) -> None:
        """Where nothing can be stored that is told, and why, until something can."""
        host, executor = running("--metrics", "tcp:9190").start(), HeldCommitter()
        host.program.broker._executor = executor
        connection = visit(host)
        connection.receive(b"hello\n")
        host.reactor.advance(0)
        executor.refuse()
        told = b"storage failed: the disk is full\n"
        assert asked(host, b"/healthz") == (b"HTTP/1.1 503 Service Unavailable", told)
        connection.receive(b"hello\n")
        host.reactor.advance(0)
        executor.answer()
        assert asked(host, b"/healthz") == (b"HTTP/1.1 200 OK", b"ok\n")


class SeatTests:
    """Who sits at the host's end."""

    def test_person(self) -> None:
        """A person with --guests is the host: hears all, and is heard."""
        host = running(keyboard=PERSON).start()
        settle(host)
        connection = visit(host)
        settle(host)
        connection.flush()
        connection.receive(b"hello\n")
        host.terminal.receive(b"welcome\n")
        host.reactor.advance(0)
        assert host.shown == "guest1: hello\n"
        assert host.said[1:] == ["* guest1 joined"]
        assert connection.flush() == b"romeo: welcome\n"

    def test_shutdown(self) -> None:
        """The host's /shutdown ends it for everybody."""
        host = running(keyboard=PERSON).start()
        connection = visit(host)
        connection.flush()
        host.terminal.receive(b"/shutdown\n")
        assert connection.flush() == b"* romeo is leaving\n"
        leave(connection)
        assert host.reactor.stops == 1
        assert host.stop().called

    def test_kick(self) -> None:
        """Who is sent away is told, and closed; the others are told too."""
        host = running(keyboard=PERSON).start()
        one, two = visit(host), visit(host)
        settle(host)
        one.flush()
        two.flush()
        host.terminal.receive(b"/kick guest1 enough\n")
        settle(host)
        assert one.flush() == b"* you were kicked by romeo: enough\n"
        assert one.events == ["half close"]
        assert two.flush() == b"* guest1 was kicked by romeo: enough\n* guest1 left\n"

    def test_script(self) -> None:
        """The end of a script's input is the end, after all was said."""
        host = running(keyboard=SCRIPT).start()
        connection = visit(host)
        settle(host)
        connection.flush()
        host.terminal.receive(b"one\ntwo")
        host.terminal.peer_closes()
        assert connection.flush() == b"romeo: one\nromeo: two\n* romeo is leaving\n"
        leave(connection)
        assert host.reactor.stops == 1

    def test_listener(self) -> None:
        """With --output a daemon shows what guests say; it is no member."""
        host = running("--output", "names").start()
        connection = visit(host)
        connection.receive(b"hello\n/who\n")
        settle(host)
        assert host.shown == "guest1: hello\n"
        assert b"* 1 here: guest1\n" in connection.flush()

    def test_name(self) -> None:
        """Nobody else gets the host's name, whether or not anybody sits there."""
        host = running("--name", "capulet").start()
        connection = visit(host)
        connection.flush()
        connection.receive(b"/nick Capulet\n")
        assert connection.flush() == b"* Capulet is reserved\n"
