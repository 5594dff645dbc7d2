"""Tests of `techboy.romeo`: Romeo at a keyboard, who talks to one guest at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from techboy import exit_status
from techboy.chat.policy import DIRECT, ROOMS, Policy
from techboy.romeo import Options, makeService
from techboy.server.admission import MIN_PENDING, WELCOME_TIMEOUT
from techboy.server.detect import GREETING_DELAY
from techboy.server.service import RoomServer
from techboy.server.storage_service import DRAIN_TIMEOUT, SHUTDOWN_TIMEOUT
from techboy.terminal.interface import InputSource
from tests.native import HeldCommitter
from tests.programs import FakeStreams, RecordedStates, Running, frame, frames, later_endpoint
from tests.transports import JULIET, FakeTransport, SocketTransport, connected

PERSON, SCRIPT, NONE = InputSource.PERSON, InputSource.SCRIPT, InputSource.NONE


def running(*arguments: str, keyboard: InputSource = PERSON) -> Running:
    """Return a Romeo at a ``keyboard``, who was given ``arguments`` and is about to start."""
    place = [] if "--listen" in arguments else ["--host", "127.0.0.1"]
    return Running(RoomServer, Options(), [*place, *arguments], keyboard)


def call(romeo: Running) -> FakeTransport:
    """Connect a caller who says nothing for so long that it is taken for one who speaks plain lines."""
    factory = romeo.reactor.tcpServers[0][1]
    transport = connected(factory.buildProtocol(JULIET))
    romeo.reactor.advance(GREETING_DELAY)
    return transport


def native(romeo: Running, late: float = 0.0, **known: Any) -> SocketTransport:
    """Connect a caller who speaks the native dialect, and says hello at once or ``late``."""
    factory = romeo.reactor.tcpServers[0][1]
    transport = connected(factory.buildProtocol(JULIET), kind=SocketTransport)
    romeo.reactor.advance(late)
    transport.drain()
    transport.receive(frame(type="hello", version=1, name="juliet", **known))
    romeo.reactor.advance(0)
    return transport


def types(romeo: Running, data: bytes) -> None:
    """Let something be typed, and brought to the guest."""
    romeo.terminal.receive(data)
    romeo.reactor.pump([0, 0])


def leave(guest: FakeTransport) -> None:
    """Let a guest leave in good order."""
    guest.peer_closes()
    guest.flush()


class ModeTests:
    """Which policy his room has."""

    @pytest.mark.parametrize(
        ("keyboard", "arguments", "policy"),
        [
            (PERSON, [], DIRECT),
            (SCRIPT, [], DIRECT),
            (NONE, [], ROOMS),
            (PERSON, ["--guests", "5"], ROOMS),
            (SCRIPT, ["--guests", "1"], ROOMS),
        ],
    )
    def test_policy(self, keyboard: InputSource, arguments: list[str], policy: Policy) -> None:
        """With a keyboard he talks to one guest, without one or with --guests he is a host of many."""
        options = Options()
        streams = FakeStreams(RecordedStates(), keyboard)
        options.streams = lambda: streams
        options.parseOptions(["--host", "127.0.0.1", *arguments])
        assert makeService(options).chat.config.policy is policy


class ListeningTests:
    """Where Romeo listens."""

    def test_standing(self) -> None:
        """How things stand can be told at any time."""
        romeo = running().start()
        romeo.reactor.advance(42)
        assert str(romeo.program.standing) == "waiting for a client for 42 s"
        native(romeo)
        assert str(romeo.program.standing) == "connected to juliet"

    def test_default(self) -> None:
        """A script's Romeo listens on port 4444 of all IPv4 addresses, and says so."""
        romeo = Running(RoomServer, Options(), [], SCRIPT).start()
        assert [(port, place) for port, _, _, place in romeo.reactor.tcpServers] == [(4444, "0.0.0.0")]
        assert romeo.said == ["Listening for connection on 0.0.0.0:4444..."]

    def test_refused_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that fails only later ends the program, with one line and a status that tell why."""
        later = later_endpoint(monkeypatch)
        romeo = running("--listen", "later").start()
        later.errback(RuntimeError("no such thing"))
        romeo.stop()
        assert romeo.said == ["romeo: can't listen on later: no such thing"]
        assert romeo.status == exit_status.CANNOT_LISTEN
        assert romeo.reactor.stops == 1


class GuestTests:
    """Who comes, and how it ends."""

    def test_strangers(self) -> None:
        """Callers whose hello does not end are few, and do not keep a guest out."""
        romeo = running().start()
        factory = romeo.reactor.tcpServers[0][1]
        half_open = [connected(factory.buildProtocol(JULIET)) for _ in range(MIN_PENDING)]
        for caller in half_open:
            caller.receive(b'{"type": "hello"')
        assert factory.buildProtocol(JULIET) is None
        half_open.pop().breaks()
        call(romeo).receive(b"here I am\n")
        romeo.reactor.advance(0)
        assert romeo.shown == "here I am\n"
        romeo.reactor.advance(WELCOME_TIMEOUT)
        assert [caller.events for caller in half_open] == [["abort"]] * (MIN_PENDING - 1)

    def test_one_guest(self) -> None:
        """While one guest is there, the next caller is told that Romeo is busy."""
        romeo = running("--name", "montague").start()
        guest, caller = call(romeo), call(romeo)
        assert guest.flush() == b""
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"
        assert caller.flush() == b"* montague is busy talking to somebody else; try again later\n"

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_talk(self, keyboard: InputSource) -> None:
        """What is said at the keyboard is sent, what the guest says is shown."""
        romeo = running(keyboard=keyboard).start()
        guest = call(romeo)
        types(romeo, b"hello\n")
        guest.receive(b"good day\n")
        romeo.reactor.advance(0)
        assert guest.flush() == b"hello\n"
        assert romeo.shown == "good day\n"

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_ends_with_the_guest(self, keyboard: InputSource) -> None:
        """When the guest has said exit, he ends, as the original did."""
        romeo = running(keyboard=keyboard).start()
        guest = call(romeo)
        guest.receive(b"hello\nexit\n")
        guest.flush()
        guest.peer_closes()
        assert romeo.said[1:] == ["Connected to juliet ('127.0.0.1', 33770)", "Connection closed by juliet."]
        assert romeo.reactor.stops == 1
        assert romeo.stop().called
        assert romeo.status == exit_status.OK

    def test_stay(self) -> None:
        """With --keep-open, he waits for the next guest when one has left."""
        romeo = running("--keep-open").start()
        leave(call(romeo))
        assert romeo.reactor.stops == 0
        call(romeo)
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"

    def test_script_waits_for_a_guest(self) -> None:
        """A script is read only while somebody is there, and its end is his goodbye."""
        romeo = running(keyboard=SCRIPT).start()
        assert not romeo.terminal.reading
        guest = call(romeo)
        romeo.terminal.receive(b"hello\n")
        romeo.terminal.peer_closes()
        romeo.reactor.pump([0, 0])
        assert guest.events == ["half close"]
        assert guest.flush() == b"hello\n"

    def test_line_limit(self) -> None:
        """The longest line that he takes is the one he was told."""
        romeo = running("--max-line", "64").start()
        guest = call(romeo)
        guest.receive(b"x" * 65 + b"\n")
        assert guest.flush() == b"* a line of more than 64 bytes was discarded\n"

    def test_stopped(self) -> None:
        """When he is stopped he says goodbye, and is done when the guest has answered."""
        romeo = running().start()
        guest = call(romeo)
        done = romeo.stop()
        assert guest.events == ["half close"]
        assert not done.called
        guest.flush()
        guest.peer_closes()
        assert done.called
        assert romeo.said[-1] == "Connection closed."
        assert romeo.reactor.stops == 0

    def test_interrupted(self) -> None:
        """Ctrl-C says goodbye and ends him."""
        romeo = running().start()
        guest = call(romeo)
        romeo.interrupt()
        guest.flush()
        guest.peer_closes()
        assert romeo.reactor.stops == 1

    def test_broken_connection(self) -> None:
        """A guest whose connection breaks may come again."""
        romeo = running().start()
        call(romeo).breaks()
        assert romeo.said[-1] == "Connection to juliet lost."
        call(romeo)
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"


class NativeGuestTests:
    """A guest who speaks the native dialect."""

    def test_talk(self) -> None:
        """What is said at either end is stored, and shown at the other with its id."""
        romeo = running().start()
        guest = native(romeo)
        (welcome,) = frames(guest)
        assert (welcome["name"], welcome["server"]) == ("juliet", "romeo")
        assert "room" not in welcome
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"
        types(romeo, b"hello\n")
        (said,) = frames(guest)
        assert (said["id"], said["from"], said["text"]) == (1, "romeo", "hello")
        guest.receive(frame(type="message", kind="text", text="good day\nexit", seq=1))
        romeo.reactor.advance(0)
        assert frames(guest) == [{"type": "ack", "next_seq": 3, "last_id": 3}]
        assert romeo.shown == "good day\nexit\n"

    def test_typed_before(self) -> None:
        """What was typed before anybody was there is the first that is said."""
        romeo = running().start()
        types(romeo, b"hello\n")
        guest = native(romeo)
        romeo.reactor.advance(0)
        assert [said["text"] for said in frames(guest)[1:]] == ["hello"]

    def test_late_hello(self) -> None:
        """A guest whose hello was long under way is understood."""
        romeo = running().start()
        guest = native(romeo, late=2 * GREETING_DELAY)
        (welcome,) = frames(guest)
        assert welcome["name"] == "juliet"
        types(romeo, b"hello\n")
        assert [said["text"] for said in frames(guest)] == ["hello"]

    def test_typed_before_late_hello(self) -> None:
        """What was typed before that is said in the dialect that is understood, too."""
        romeo = running().start()
        types(romeo, b"hello\n")
        guest = native(romeo, late=2 * GREETING_DELAY)
        romeo.reactor.advance(0)
        lines = guest.flush().splitlines()
        welcome = next(place for place, line in enumerate(lines) if b"welcome" in line)
        assert [json.loads(line)["text"] for line in lines[welcome + 1 :]] == ["hello"]

    def test_one_guest(self) -> None:
        """While one guest is there, the next caller is told so in its own dialect."""
        romeo = running().start()
        native(romeo)
        assert call(romeo).flush() == b"* romeo is busy talking to somebody else; try again later\n"
        (bye,) = frames(native(romeo))
        assert bye["reason"] == "busy"
        assert bye["text"] == "romeo is busy talking to somebody else; try again later"

    def test_broken(self) -> None:
        """A guest whose connection broke is waited for, and hears what it has not seen."""
        romeo = running().start()
        guest = native(romeo)
        (welcome,) = frames(guest)
        guest.breaks()
        assert romeo.said[-1] == "Connection to juliet lost."
        types(romeo, b"hello\nyou\n")
        back = native(romeo, session=welcome["session"], log_epoch=welcome["log_epoch"], last_seen_id=0)
        romeo.reactor.advance(0)
        (again, said) = frames(back)
        assert (again["session"], said["text"]) == (welcome["session"], "hello\nyou")
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"

    def test_place_taken(self) -> None:
        """A guest who comes back while a plain client has its place is told so, and goes on after that."""
        romeo = running("--keep-open").start()
        guest = native(romeo)
        (welcome,) = frames(guest)
        guest.breaks()
        other = call(romeo)
        back = native(romeo, session=welcome["session"], log_epoch=welcome["log_epoch"], last_seen_id=0)
        assert [values["reason"] for values in frames(back)] == ["busy"]
        back.receive(frame(type="message", kind="text", text="it is me", seq=1))
        other.receive(b"no, me\n")
        types(romeo, b"hello\n")
        assert other.flush() == b"hello\n"
        assert romeo.shown == "no, me\n"
        leave(other)
        back = native(romeo, session=welcome["session"], log_epoch=welcome["log_epoch"], last_seen_id=0)
        assert frames(back)[0]["name"] == "juliet"

    def test_back_while_leaving(self) -> None:
        """A guest who comes back by another connection when he is leaving does not keep him."""
        romeo = running().start()
        guest = native(romeo)
        (welcome,) = frames(guest)
        guest.room = 0
        types(romeo, b"good night\n")
        romeo.interrupt()
        back = native(romeo, session=welcome["session"], log_epoch=welcome["log_epoch"], last_seen_id=0)
        back.flush()
        leave(back)
        romeo.reactor.pump([1] * 10)
        assert romeo.said[-1] == "Connection closed."
        assert romeo.reactor.stops == 1
        assert romeo.stop().called

    def test_end_of_a_script(self) -> None:
        """At the end of a script everything is said, then goodbye; he ends when that is answered."""
        romeo = running(keyboard=SCRIPT).start()
        guest = native(romeo)
        frames(guest)
        types(romeo, b"one\ntwo")
        romeo.terminal.peer_closes()
        romeo.reactor.pump([0, 0])
        *said, bye = frames(guest)
        assert "\n".join(line["text"] for line in said) == "one\ntwo"
        assert bye == {"type": "bye", "reason": "closed"}
        guest.receive(frame(type="bye"))
        romeo.reactor.advance(0)
        guest.flush()
        guest.peer_closes()
        assert romeo.reactor.stops == 1
        romeo.stop()
        assert romeo.status == exit_status.OK

    def test_stopped(self) -> None:
        """When he is stopped by a signal, his guest is told that he will be back."""
        romeo = running().start()
        guest = native(romeo)
        frames(guest)
        done = romeo.stop()
        romeo.reactor.advance(0)
        assert frames(guest) == [{"type": "bye", "reason": "restart"}]
        guest.peer_closes()
        assert done.called

    def test_interrupted(self) -> None:
        """When he wants to leave, his guest is told that it is over."""
        romeo = running().start()
        guest = native(romeo)
        frames(guest)
        romeo.interrupt()
        romeo.reactor.advance(0)
        assert frames(guest) == [{"type": "bye", "reason": "closed"}]
        guest.peer_closes()
        assert romeo.reactor.stops == 1

    def test_stopped_with_silent_disk(self) -> None:
        """Where the disk does not answer he is through in less than five seconds, and the status tells."""
        romeo = running().start()
        guest, executor = native(romeo), HeldCommitter()
        guest.flush()
        romeo.program.storage.broker._executor = executor
        types(romeo, b"last words\n")
        done = romeo.stop()
        romeo.reactor.advance(DRAIN_TIMEOUT)
        assert frames(guest) == [{"type": "bye", "reason": "restart"}]
        romeo.reactor.pump([0.25] * int((SHUTDOWN_TIMEOUT - DRAIN_TIMEOUT) * 4))
        assert done.called
        assert romeo.said[-1] == "romeo: some messages could not be saved"
        assert romeo.status == exit_status.IO_ERROR

    def test_stopped_with_stuck_guest(self) -> None:
        """He is, too, where the guest takes nothing."""
        romeo = running().start()
        guest = call(romeo)
        types(romeo, b"last words\n")
        done = romeo.stop()
        romeo.reactor.advance(DRAIN_TIMEOUT)
        assert guest.events[-1] == "abort"
        assert done.called

    def test_interrupted_while_storing(self) -> None:
        """What was said last is stored and sent before goodbye, however long the disk takes."""
        romeo, executor = running().start(), HeldCommitter()
        romeo.program.storage.broker._executor = executor
        guest = native(romeo)
        for _ in ("its session", "that it is the latest client"):
            executor.answer()
            romeo.reactor.advance(0)
        frames(guest)
        types(romeo, b"one\n")
        types(romeo, b"two\n")
        romeo.interrupt()
        for _ in range(2):
            executor.answer()
            romeo.reactor.pump([0, 0])
        assert [said.get("text", "goodbye") for said in frames(guest)] == ["one", "two", "goodbye"]

    def test_ping(self) -> None:
        """A guest who is silent is asked, and given up, when he was told to."""
        romeo = running("--ping-interval", "2", "--ping-timeout", "5").start()
        guest = native(romeo)
        frames(guest)
        romeo.reactor.advance(2)
        assert frames(guest) == [{"type": "ping", "number": 1}]
        romeo.reactor.advance(3)
        assert guest.events == ["abort"]
