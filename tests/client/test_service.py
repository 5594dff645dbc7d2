"""Tests of `techboy.juliet`."""

from __future__ import annotations

import errno
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import error
from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import Protocol, ReconnectingClientFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from techboy import exit_status
from techboy.chat.goodbye import PROMPTLY
from techboy.client.conversation_state import ConversationState
from techboy.client.handshake import HANDSHAKE_TIMEOUT
from techboy.client.reconnect import SPREAD, STEADY, ChatClientFactory, ReconnectingClient
from techboy.client.service import ATTEMPT_DELAY, IN_HASTE, ChatClient
from techboy.juliet import Options
from techboy.net.connection_log import ConnectionLog
from techboy.service import SHOWN_WITHIN
from techboy.terminal.interface import InputSource
from tests.client.test_connector import FakeEndpoint
from tests.programs import WELCOME, Running, frame, frames, message
from tests.transports import FakeTransport, connected
from tests.wire.texts import quick

PERSON, SCRIPT = InputSource.PERSON, InputSource.SCRIPT


def running(*arguments: str, spread: float = 1.0) -> Running:
    """Return a Juliet who speaks plain lines, was given ``arguments`` and has started.

    ``spread``: what chance would be.
    """
    return started("--plain", *arguments, spread=spread)


def started(*arguments: str, spread: float = 1.0, keyboard: InputSource = InputSource.NONE) -> Running:
    """Return a Juliet who was given ``arguments`` and has started."""
    words = ["--host", "192.0.2.1", *arguments]
    return Running(ChatClient, Options(), words, keyboard, spread=lambda: spread).start()


def attempts(juliet: Running) -> int:
    """Return how often she has called."""
    return len(juliet.reactor.tcpClients)


def refuse(juliet: Running, reason: Exception | None = None) -> None:
    """Let the attempt under way come to nothing."""
    failure = Failure(reason or error.ConnectionRefusedError())
    juliet.reactor.tcpClients[-1][2].clientConnectionFailed(juliet.reactor.connectors[-1], failure)
    juliet.reactor.advance(ATTEMPT_DELAY)


def waits(juliet: Running) -> float:
    """Return how long she waits now until she calls again."""
    (call,) = juliet.reactor.getDelayedCalls()
    return round(call.getTime() - juliet.reactor.seconds(), 6)


def answer(juliet: Running) -> FakeTransport:
    """Let Romeo answer the attempt under way."""
    return connected(juliet.reactor.tcpClients[-1][2].buildProtocol(None))


def own(*arguments: str, keyboard: InputSource = PERSON) -> Running:
    """Return a Juliet who was sent to the host's own door."""
    words = ["--socket", "/run/romeo", *arguments]
    return Running(ChatClient, Options(), words, keyboard, spread=lambda: 1.0).start()


def opens(juliet: Running) -> FakeTransport:
    """Let that door be opened, at the last attempt; she has said hello, and was not answered yet."""
    place = UNIXAddress(None)
    return connected(juliet.reactor.unixClients[-1][1].buildProtocol(place), place)


def welcome(juliet: Running, **other: Any) -> FakeTransport:
    """Let Romeo answer the attempt under way, and the hello, which nobody has read."""
    transport = answer(juliet)
    transport.flush()
    transport.receive(frame(**{**WELCOME, **other}))
    return transport


def calls_again(juliet: Running, seconds: float = 1.0) -> None:
    """Let so many seconds pass, in which she calls again."""
    before = attempts(juliet)
    juliet.reactor.advance(seconds)
    assert attempts(juliet) == before + 1


def delays(juliet: Running, count: int) -> list[float]:
    """Refuse ``count`` attempts, and return how long she waited after each."""
    waited = []
    for _ in range(count):
        refuse(juliet)
        waited.append(waits(juliet))
        juliet.reactor.advance(waited[-1] + 1e-6)
    return waited


class CallingTests:
    """How Juliet calls."""

    def test_first_call(self) -> None:
        """She calls at once, where she was told, and says so."""
        juliet = running("--port", "13005")
        assert juliet.reactor.tcpClients[0][1] == 13005
        assert juliet.said == ["Calling 192.0.2.1:13005..."]

    def test_delays_grow(self) -> None:
        """The first retries come quickly, the later ones ever more slowly, but within 15 seconds."""
        waited = delays(running(), 14)
        assert ATTEMPT_DELAY + waited[0] <= 0.25
        assert waited == sorted(waited)
        assert waited[-1] == 15.0

    def test_delays_are_spread(self) -> None:
        """Chance takes a part of each delay, and does not slow their growth."""
        assert delays(running(spread=0.5), 14) == pytest.approx(
            [delay / 2 for delay in delays(running(), 14)], abs=1e-5
        )

    def test_chance(self) -> None:
        """Left alone, chance takes up to a half."""
        juliet = Running(ChatClient, Options(), ["--host", "192.0.2.1"]).start()
        refuse(juliet)
        assert 0.05 <= waits(juliet) <= 0.1

    def test_reason_once(self) -> None:
        """What is wrong is said when it changes."""
        juliet = running()
        delays(juliet, 3)
        refuse(juliet, OSError("out of order"))
        assert juliet.said[1:] == [
            "* no answer: connection refused; calling again until there is one",
            "* no answer: out of order; calling again until there is one",
        ]

    def test_hurry(self) -> None:
        """When the person presses Enter she calls at once, and after that as quickly as at first."""
        juliet = running()
        delays(juliet, 8)
        refuse(juliet)
        before = attempts(juliet)
        juliet.program.hurry()
        assert attempts(juliet) == before + 1
        assert delays(juliet, 1) == [0.1]

    def test_hurry_while_calling(self) -> None:
        """An attempt that is under way is not cut off: it may be answered at this very moment."""
        juliet = running()
        juliet.program.hurry()
        assert attempts(juliet) == 1
        assert not juliet.reactor.connectors[0].stoppedConnecting

    def test_timeout(self) -> None:
        """With --timeout she gives up in time, with a status that tells."""
        juliet = running("--timeout", "2.5")
        juliet.reactor.advance(2.5)
        juliet.stop()
        assert juliet.said[-1] == "juliet: no answer from 192.0.2.1:4444 in 2.5 s"
        assert juliet.status == exit_status.UNAVAILABLE
        assert juliet.reactor.stops == 1

    def test_answered_in_time(self) -> None:
        """Once Romeo has answered, the timeout does not matter."""
        juliet = running("--timeout", "2.5")
        answer(juliet)
        juliet.reactor.advance(60)
        assert juliet.reactor.stops == 0

    def test_stopped(self) -> None:
        """Nothing is left to wait for when she was stopped."""
        juliet = running("--timeout", "60")
        refuse(juliet)
        done = juliet.stop()
        assert done.called
        assert juliet.reactor.getDelayedCalls() == []
        assert juliet.status == exit_status.OK

    def test_stopped_with_stuck_screen(self) -> None:
        """A screen that takes nothing is not waited for where a signal ends her, and the status tells."""
        juliet = running()
        refuse(juliet)
        juliet.terminal.stuck = True
        ended: list[object] = []
        juliet.stop().addCallback(ended.append)
        juliet.reactor.advance(SHOWN_WITHIN - 0.1)
        assert ended == []
        juliet.reactor.advance(0.1)
        assert ended == [None]
        assert juliet.said[-1] == "juliet: some messages could not be shown"
        assert juliet.status == exit_status.IO_ERROR

    def test_stopped_with_stuck_peer(self) -> None:
        """Nor is the other end waited for that takes nothing."""
        juliet = running()
        romeo = answer(juliet)
        juliet.program.conversation.said("last words")
        ended: list[object] = []
        juliet.stop().addCallback(ended.append)
        juliet.reactor.advance(IN_HASTE)
        assert romeo.events[-1] == "abort"
        assert ended == [None]

    def test_answered_too_late(self) -> None:
        """A Romeo who answers when she is leaving is not talked to."""
        juliet = running()
        juliet.program.conversation.leave()
        assert juliet.program._factory.buildProtocol(None) is None


class Called:
    """A `ReconnectingClient`."""

    def __init__(self) -> None:
        self.reactor, self.endpoint = Clock(), FakeEndpoint()
        self.connection_log = ConnectionLog(self.reactor.seconds)
        self.wants_connection, self.connection = True, False

    def handler(self, record: object) -> Protocol:
        self.connection = True
        return Protocol()

    def not_answered(self, reason: str) -> None:
        """Say nothing."""


class Caller:
    """A factory, to which everything that can happen happens."""

    def __init__(self) -> None:
        self.called = Called()
        self.factory = ChatClientFactory(cast(ReconnectingClient, self.called), lambda: 0.5)
        self.factory.call()

    @property
    def attempts(self) -> int:
        """Return how many attempts are under way."""
        return sum(not attempt.called for attempt in self.called.endpoint.attempts)

    @property
    def timers(self) -> int:
        """Return how many timers run."""
        return len(self.called.reactor.getDelayedCalls())

    def hurry(self) -> None:
        self.factory.call()

    def reset(self) -> None:
        self.factory.resetDelay()

    def fails(self) -> None:
        if self.attempts:
            self.called.endpoint.attempts[-1].errback(error.ConnectionRefusedError())

    def connects(self) -> None:
        if self.attempts:
            attempt = self.called.endpoint.attempts[-1]
            protocol = self.factory.buildProtocol(None)
            assert protocol is not None
            attempt.callback(protocol)

    def built_twice(self) -> None:
        if self.called.connection:
            assert self.factory.buildProtocol(None) is None

    def lost(self) -> None:
        self.called.connection = False
        self.factory.call_again()

    def restarts(self) -> None:
        self.called.connection = False
        self.factory.call_later()

    def mistaken(self) -> None:
        self.called.connection = False
        self.factory.call_anew()

    def passes(self) -> None:
        self.called.reactor.advance(1)

    def ends(self) -> None:
        self.factory.stopTrying()


EVENTS = [
    Caller.hurry, Caller.reset, Caller.fails, Caller.connects, Caller.built_twice, Caller.lost,
    Caller.restarts, Caller.mistaken, Caller.passes,
]  # fmt: skip


class OneAtATimeTests:
    """There is one timer, one attempt or one connection at any time."""

    def test_factory(self) -> None:
        """Reconnecting is the business of Twisted's factory for it."""
        assert issubclass(ChatClientFactory, ReconnectingClientFactory)

    @quick
    @given(st.lists(st.sampled_from(EVENTS), max_size=30), st.lists(st.sampled_from(EVENTS), max_size=5))
    def test_any_order(self, before: list[Any], after: list[Any]) -> None:
        """Whatever happens, exactly one of the three is there; once stopped, no timer and no attempt is."""
        caller = Caller()
        for event in before:
            event(caller)
            assert (caller.attempts, caller.timers, caller.called.connection) in (
                (1, 0, False), (0, 1, False), (0, 0, True),
            )  # fmt: skip
        caller.ends()
        for event in [Caller.passes, *after, Caller.ends]:
            event(caller)
            assert (caller.attempts, caller.timers) == (0, 0)

    def test_hurry_after_a_restart(self) -> None:
        """Enter during the wait for a server that restarts connects now, and once."""
        juliet = started(keyboard=PERSON)
        transport = welcome(juliet)
        transport.receive(frame(type="bye", reason="restart"))
        transport.flush()
        assert attempts(juliet) == 1
        juliet.terminal.receive(b"\n")
        assert attempts(juliet) == 2
        welcome(juliet)
        said = juliet.said
        juliet.reactor.advance(20)
        assert (attempts(juliet), juliet.said) == (2, said)

    def test_over_while_connecting(self) -> None:
        """An attempt under way is given up when the conversation is over, and no other begins."""
        juliet = started(keyboard=PERSON)
        juliet.terminal.receive(b"exit\n")
        assert juliet.reactor.connectors[0].stoppedConnecting
        juliet.reactor.advance(60)
        assert (attempts(juliet), juliet.said) == (1, ["Calling 192.0.2.1:4444..."])


class TalkingTests:
    """What becomes of a connection."""

    def test_connected(self) -> None:
        """She says to whom she is connected."""
        juliet = running()
        answer(juliet)
        assert juliet.said[-1] == "Connected to romeo ('127.0.0.1', 33770)"

    def test_closed(self) -> None:
        """A connection that Romeo closes in good order ends the program with 0."""
        juliet = running()
        transport = answer(juliet)
        transport.peer_closes()
        transport.flush()
        assert juliet.reactor.stops == 1
        juliet.stop()
        assert juliet.said[-1] == "Connection closed by romeo."
        assert juliet.status == exit_status.OK

    def test_broken(self) -> None:
        """One that breaks is called again, soon."""
        juliet = running("--timeout", "9")
        transport = answer(juliet)
        juliet.reactor.advance(STEADY)
        transport.breaks()
        assert juliet.said[-2:] == ["Connection to romeo lost.", "Calling 192.0.2.1:4444..."]
        juliet.reactor.advance(0.25)
        assert attempts(juliet) == 2
        juliet.reactor.advance(9)
        assert juliet.reactor.stops == 1

    def test_broken_at_once(self) -> None:
        """One that breaks at once, again and again, is called ever more slowly."""
        juliet = running()
        waited = []
        for _ in range(5):
            answer(juliet).breaks()
            waited.append(waits(juliet))
            juliet.reactor.advance(waited[-1] + 1e-6)
        assert waited == sorted(waited)
        assert waited[-1] > 2 * waited[0]

    def test_unsure(self) -> None:
        """Where it is not sure that everything arrived, she says so, and the status tells."""
        juliet = running()
        answer(juliet)
        juliet.program.conversation.input_ended()
        juliet.program.conversation.peer_gone(False)
        juliet.stop()
        assert juliet.said[-1] == "* the connection ended too soon: the last lines may not have arrived"
        assert juliet.status == exit_status.UNAVAILABLE


class NativeTests:
    """How she speaks to a Romeo who speaks the native dialect."""

    def test_hello(self) -> None:
        """She says hello with her name, and is connected when she is welcome."""
        juliet = started("--name", "rosaline")
        transport = answer(juliet)
        assert frames(transport) == [{"type": "hello", "version": 1, "name": "rosaline", "subscribe": True}]
        assert juliet.said == ["Calling 192.0.2.1:4444..."]
        transport.receive(
            b"* who are you?\n" + frame(**{**WELCOME, "name": "rosaline", "server": "montague"})
        )
        assert juliet.said[1:] == ["Connected to montague ('127.0.0.1', 33770)"]
        assert juliet.shown == ""

    def test_standing(self) -> None:
        """How things stand can be told at any time: since when she calls and why, and what waits."""
        juliet = started(keyboard=PERSON)
        assert str(juliet.program.standing) == "calling 192.0.2.1:4444 for 0 s"
        refuse(juliet)
        juliet.terminal.receive(b"early\n")
        standing = "calling 192.0.2.1:4444 for 0 s, 1 line waits: connection refused"
        assert str(juliet.program.standing) == standing
        transport = welcome(juliet)
        assert str(juliet.program.standing) == "connected to romeo, 1 line waits"
        juliet.reactor.advance(20)
        assert str(juliet.program.standing) == "connected to romeo, last heard 20 s ago, 1 line waits"
        transport.receive(frame(type="ack", next_seq=2, last_id=1))
        assert str(juliet.program.standing) == "connected to romeo"

    def test_talk(self) -> None:
        """What she says is numbered, what she hears is shown."""
        juliet = started(keyboard=PERSON)
        juliet.terminal.receive(b"early\n")
        transport = welcome(juliet)
        juliet.terminal.receive(b"hello\n")
        assert frames(transport) == [
            {"type": "message", "kind": "text", "text": "early", "seq": 1},
            {"type": "message", "kind": "text", "text": "hello", "seq": 2},
        ]
        transport.receive(message(1, "good day\nexit"))
        assert juliet.shown == "good day\nexit\n"

    def test_many(self) -> None:
        """In a room of many it is shown who speaks."""
        juliet = started()
        transport = welcome(juliet, room="lobby", name="juliet2")
        transport.receive(message(1, "hello", "nurse"))
        transport.receive(frame(type="notice", text="paris joined"))
        assert juliet.shown == "nurse: hello\n"
        assert juliet.said[2:] == ["* you are juliet2", "* paris joined"]

    def test_lost(self) -> None:
        """She calls again with her session, and says once more what was not stored."""
        juliet = started(keyboard=PERSON)
        transport = welcome(juliet)
        juliet.terminal.receive(b"one\ntwo\nthree\n")
        transport.receive(frame(type="ack", next_seq=2, last_id=1) + message(2, "good day"))
        juliet.terminal.flush()
        transport.breaks()
        assert juliet.said[-2:] == ["Connection to romeo lost.", "Calling 192.0.2.1:4444..."]
        calls_again(juliet)
        transport = answer(juliet)
        assert frames(transport) == [
            {
                "type": "hello",
                "version": 1,
                "name": "juliet",
                "session": "token",
                "log_epoch": "log",
                "last_seen_id": 2,
                "subscribe": True,
            }
        ]
        transport.receive(frame(**{**WELCOME, "next_seq": 3, "after_id": 2, "last_id": 3}))
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "three", "seq": 3}]

    def test_known(self) -> None:
        """To a Romeo she knows she never speaks plain lines; where he does not answer she calls again."""
        juliet = started("--ping-interval", "3", "--ping-timeout", "9")
        welcome(juliet).breaks()
        calls_again(juliet)
        transport = answer(juliet)
        transport.flush()
        juliet.reactor.advance(8.9)
        assert transport.events == []
        juliet.reactor.advance(0.1)
        assert transport.events == ["abort"]
        assert transport.flush() == b""
        assert (
            juliet.said[-1] == "* connection closed before the server answered; calling again until it does"
        )
        calls_again(juliet)

    def test_script(self) -> None:
        """At the end of a script goodbye is said when all is stored, and not before."""
        juliet = started(keyboard=SCRIPT)
        juliet.terminal.receive(b"one\ntwo\nexit\n/who")
        juliet.terminal.peer_closes()
        transport = welcome(juliet)
        assert frames(transport) == [
            {"type": "message", "kind": "text", "text": "one\ntwo\nexit\n/who", "seq": 1}
        ]
        transport.receive(frame(type="ack", next_seq=4, last_id=3))
        assert frames(transport) == []
        transport.receive(frame(type="ack", next_seq=5, last_id=4))
        assert frames(transport) == [{"type": "bye", "last_seen_id": 0}]
        transport.receive(frame(type="bye", reason="closed"))
        transport.flush()
        assert juliet.reactor.stops == 1
        juliet.stop()
        assert juliet.said[1:] == ["Connected to romeo ('127.0.0.1', 33770)", "Connection closed."]
        assert juliet.status == exit_status.OK

    def test_leave(self) -> None:
        """Who leaves while lines wait is told so at once, and in the end how many were not stored."""
        juliet = started(keyboard=SCRIPT)
        juliet.terminal.receive(b"a\n" * 30)
        transport = welcome(juliet)
        assert len(frames(transport)) == 1
        transport.receive(frame(type="throttled", rate=5) + frame(type="ack", next_seq=11, last_id=10))
        juliet.interrupt()
        assert juliet.said[-1] == "* leaving; 20 lines wait, 15 of them not sent"
        assert len(frames(transport)) == 1
        transport.receive(frame(type="ack", next_seq=16, last_id=15))
        assert frames(transport) == [{"type": "bye", "last_seen_id": 0}]
        transport.receive(frame(type="bye", reason="closed"))
        transport.flush()
        juliet.stop()
        assert juliet.said[-2:] == ["Connection closed.", "* 15 lines are not stored, and lost"]
        assert juliet.status == exit_status.UNAVAILABLE

    def test_restart(self) -> None:
        """Where Romeo will be back she calls again within some seconds, as chance has it."""
        juliet = started(spread=0.5)
        transport = welcome(juliet)
        transport.receive(frame(type="bye", reason="restart"))
        transport.flush()
        assert juliet.said[-2:] == ["Connection to romeo lost.", "Calling 192.0.2.1:4444..."]
        juliet.reactor.advance(SPREAD / 2 - 0.1)
        assert attempts(juliet) == 1
        calls_again(juliet, 0.2)
        assert juliet.reactor.stops == 0

    def test_busy(self) -> None:
        """Where Romeo does not want to talk she says why, and the status tells."""
        juliet = started()
        transport = answer(juliet)
        transport.flush()
        transport.receive(frame(type="bye", reason="busy", text="romeo is busy"))
        juliet.stop()
        assert juliet.said[1:] == ["juliet: romeo is busy"]
        assert juliet.status == exit_status.UNAVAILABLE
        assert juliet.reactor.stops == 1

    def test_busy_meanwhile(self) -> None:
        """If another took her place while her connection was broken, she calls until there is room."""
        juliet = started(keyboard=PERSON)
        welcome(juliet).breaks()
        juliet.terminal.receive(b"one\n")
        for _ in range(3):
            transport = answer(juliet)
            transport.flush()
            transport.receive(frame(type="bye", reason="busy", text="romeo is busy"))
            transport.flush()
            calls_again(juliet)
        transport = welcome(juliet)
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "one", "seq": 1}]
        assert juliet.said.count("* romeo is busy; calling again until there is room") == 1
        assert juliet.reactor.stops == 0

    def test_ping(self) -> None:
        """A Romeo who is silent is asked, and given up, when she was told to."""
        juliet = started("--ping-interval", "2", "--ping-timeout", "5")
        transport = welcome(juliet)
        juliet.reactor.advance(2)
        assert [asked["number"] for asked in frames(transport)] == [1]
        juliet.reactor.advance(3)
        assert transport.events == ["abort"]
        assert juliet.said[-2:] == ["Connection to romeo lost.", "Calling 192.0.2.1:4444..."]

    def test_slow_to_answer(self) -> None:
        """What was said in plain lines to a Romeo who then says welcome is said again, in frames."""
        juliet = started(keyboard=PERSON)
        juliet.terminal.receive(b"one\n")
        transport = answer(juliet)
        transport.flush()
        juliet.reactor.advance(HANDSHAKE_TIMEOUT)
        juliet.terminal.receive(b"two\n")
        assert transport.flush() == b"one\ntwo\n"
        transport.receive(frame(**WELCOME))
        assert transport.events == ["abort"]
        transport = welcome(juliet)
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1}]
        assert "welcome" not in juliet.shown

    def test_lost_before_the_welcome(self) -> None:
        """Where the connection breaks after a sign of life she calls again, never in plain lines."""
        juliet = started()
        transport = answer(juliet)
        transport.receive(frame(type="ping", number=0))
        transport.breaks()
        calls_again(juliet)
        transport = answer(juliet)
        transport.flush()
        juliet.reactor.advance(2 * HANDSHAKE_TIMEOUT)
        assert transport.flush() == b""
        assert transport.events == []

    def test_timeout(self) -> None:
        """A Romeo who bids welcome and then says nothing is given up in time; what waits is counted."""
        juliet = started("--timeout", "9", keyboard=PERSON)
        juliet.terminal.receive(b"hello\n")
        transport = welcome(juliet)
        juliet.reactor.advance(8.9)
        assert juliet.reactor.stops == 0
        juliet.reactor.advance(0.1)
        assert juliet.said[-2:] == [
            "juliet: no answer from 192.0.2.1:4444 in 9 s; 1 line is not stored, and lost",
            "Connection closed.",
        ]
        assert transport.events == ["abort"]
        juliet.stop()
        assert juliet.status == exit_status.UNAVAILABLE


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let another process keep the file locked that Juliet has in ``folder``."""
    with closing(sqlite3.connect(folder / "juliet.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


class StateFailsTests:
    """What she keeps can't be written any more: she ends for good, with one line, and soon."""

    @pytest.fixture
    def juliet(self, tmp_path: Path) -> Running:
        """Return one that was given two lines before somebody answers."""
        juliet = started("--state", str(tmp_path), keyboard=PERSON)
        juliet.terminal.receive(b"one\ntwo\n")
        return juliet

    def ends(self, juliet: Running, transport: FakeTransport, fate: str = "2 lines are kept") -> None:
        """See her end; the server takes leave, and whatever it sends afterwards changes nothing."""
        juliet.reactor.advance(0)
        juliet.reactor.advance(PROMPTLY)
        transport.flush()
        if "abort" not in transport.events:
            transport.receive(frame(type="bye", reason="closed"))
            transport.flush()
        juliet.reactor.advance(60)
        assert juliet.program.conversation.state is ConversationState.OVER
        assert juliet.reactor.stops == 1
        assert attempts(juliet) == 1
        juliet.stop()
        assert juliet.status == exit_status.IO_ERROR
        (told,) = [line for line in juliet.said if line.startswith("juliet: ")]
        assert told.endswith(f"juliet.sqlite: database is locked; {fate} for the next time")

    def test_welcome(self, juliet: Running, tmp_path: Path) -> None:
        """At the welcome nothing is sent, as it could not be noted."""
        with locked(tmp_path):
            transport = welcome(juliet)
            assert frames(transport) == []
            self.ends(juliet, transport)
        assert juliet.said[-1] == "Connection closed."

    def test_not_for_long(self, juliet: Running, tmp_path: Path) -> None:
        """The program does not stand still for a lock."""
        with locked(tmp_path):
            began = time.monotonic()
            transport = welcome(juliet)
            juliet.terminal.receive(b"three\n")
            assert time.monotonic() - began < 1
            self.ends(juliet, transport)

    def test_stored(self, juliet: Running, tmp_path: Path) -> None:
        """An acknowledgement that can't be noted does not count, and lines are sent again in the next run."""
        transport = welcome(juliet)
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1}]
        with locked(tmp_path):
            transport.receive(frame(type="ack", next_seq=3, last_id=2))
            juliet.reactor.advance(0)
            assert frames(transport) == [{"type": "bye", "last_seen_id": 0}]
            transport.receive(frame(type="bye", reason="closed"))
            transport.flush()
            juliet.stop()
        assert juliet.status == exit_status.IO_ERROR
        again = started("--state", str(tmp_path), keyboard=PERSON)
        assert "* 2 lines are kept from the last time" in again.said
        transport = welcome(again, next_seq=3)
        assert frames(transport) == []
        assert again.program.outbox.lines == 0

    def test_typed(self, juliet: Running, tmp_path: Path) -> None:
        """A line that can't be kept is not sent, nor are those after it, though they could be."""
        transport = welcome(juliet)
        transport.flush()
        with locked(tmp_path):
            juliet.terminal.receive(b"three\n")
        juliet.terminal.receive(b"four\n")
        assert frames(transport) == []
        self.ends(juliet, transport)

    def test_shown_at_the_end(self, juliet: Running, tmp_path: Path) -> None:
        """What fails when the conversation is over already still counts."""
        transport = welcome(juliet)
        transport.receive(frame(type="ack", next_seq=3, last_id=2))
        transport.receive(message(3, "good night"))
        transport.receive(frame(type="bye", reason="closed"))
        transport.flush()
        assert juliet.program.conversation.state is ConversationState.OVER
        with locked(tmp_path):
            juliet.terminal.flush()
        juliet.reactor.advance(60)
        juliet.stop()
        assert juliet.status == exit_status.IO_ERROR
        assert juliet.reactor.stops == 1

    def test_alone(self, juliet: Running, tmp_path: Path) -> None:
        """While nobody answers, she calls no more."""
        with locked(tmp_path):
            juliet.terminal.receive(b"three\n")
        juliet.reactor.advance(0)
        assert juliet.reactor.connectors[0].stoppedConnecting
        juliet.reactor.advance(60)
        juliet.stop()
        assert (attempts(juliet), juliet.reactor.stops, juliet.status) == (1, 1, exit_status.IO_ERROR)


class OverTests:
    """Once the conversation is over, nothing that still arrives begins another."""

    def left(self) -> tuple[Running, FakeTransport]:
        """Return one at whose keyboard ``exit`` was typed after the hello, and the connection."""
        juliet = started(keyboard=PERSON)
        transport = answer(juliet)
        transport.flush()
        juliet.terminal.receive(b"exit\n")
        assert juliet.program.conversation.state is ConversationState.OVER
        return juliet, transport

    def over(self, juliet: Running) -> None:
        """See that it is over, and that nothing was said since the call."""
        juliet.reactor.advance(60)
        juliet.stop()
        assert (juliet.reactor.stops, juliet.status) == (1, exit_status.OK)
        assert juliet.said == ["Calling 192.0.2.1:4444..."]
        assert attempts(juliet) == 1

    def test_welcome(self) -> None:
        """A welcome is answered with a goodbye."""
        juliet, transport = self.left()
        transport.receive(frame(**WELCOME))
        assert frames(transport) == [{"type": "bye"}]
        assert transport.events == ["close"]
        self.over(juliet)

    def test_refused(self) -> None:
        """A refusal changes nothing."""
        juliet, transport = self.left()
        transport.receive(frame(type="bye", reason="busy", text="romeo is busy"))
        transport.flush()
        self.over(juliet)

    def test_restart(self) -> None:
        """Nor does a server that will be back."""
        juliet, transport = self.left()
        transport.receive(frame(type="bye", reason="restart"))
        transport.flush()
        self.over(juliet)

    @pytest.mark.parametrize("heard", [b"", b"good day\n"])
    def test_plain(self, heard: bytes) -> None:
        """No plain lines are spoken to one that does not answer."""
        juliet, transport = self.left()
        transport.receive(heard)
        juliet.reactor.advance(HANDSHAKE_TIMEOUT)
        assert transport.events == ["abort"]
        self.over(juliet)

    @pytest.mark.parametrize("heard", [b"", b"good day\n"])
    def test_closed(self, heard: bytes) -> None:
        """Nor to one that closes."""
        juliet, transport = self.left()
        transport.receive(heard)
        transport.peer_closes()
        assert transport.events == ["abort"]
        self.over(juliet)

    @pytest.mark.parametrize("heard", [b"", b"good day\n"])
    def test_broken(self, heard: bytes) -> None:
        """Nor in a connection that is gone."""
        juliet, transport = self.left()
        transport.receive(heard)
        transport.breaks()
        self.over(juliet)

    def test_timeout(self) -> None:
        """No timeout matters any more."""
        juliet = started("--timeout", "9", keyboard=PERSON)
        juliet.terminal.receive(b"one\n")
        juliet.terminal.receive(b"exit\n")
        said = juliet.said
        juliet.reactor.advance(60)
        assert juliet.said == said


class PlainTests:
    """How she speaks to a Romeo who does not answer her hello."""

    def test_fallback(self) -> None:
        """After two seconds she speaks plain lines; what came before is shown, what was typed is said."""
        juliet = started(keyboard=PERSON)
        juliet.terminal.receive(b"early\n")
        transport = answer(juliet)
        transport.flush()
        transport.receive(b"good day\n")
        juliet.reactor.advance(HANDSHAKE_TIMEOUT - 0.1)
        assert (juliet.shown, juliet.said[1:]) == ("", [])
        juliet.reactor.advance(0.1)
        assert juliet.shown == "good day\n"
        assert juliet.said[-1] == "Connected to romeo ('127.0.0.1', 33770)"
        assert transport.flush() == b"early\n"

    def test_no_hello_again(self) -> None:
        """Whom she has spoken to in plain lines she does not say hello to."""
        juliet = started()
        transport = answer(juliet)
        juliet.reactor.advance(HANDSHAKE_TIMEOUT)
        transport.breaks()
        calls_again(juliet)
        assert answer(juliet).flush() == b""

    def test_asked_for(self) -> None:
        """With --plain she says no hello at all."""
        juliet = running()
        assert answer(juliet).flush() == b""
        assert juliet.said[-1] == "Connected to romeo ('127.0.0.1', 33770)"

    @pytest.mark.parametrize("asked", [True, False])
    def test_script(self, asked: bool) -> None:
        """A script that was sent as plain lines says that nobody has confirmed them."""
        juliet = started(*["--plain"] * asked, keyboard=SCRIPT)
        transport = answer(juliet)
        juliet.reactor.advance(HANDSHAKE_TIMEOUT)
        transport.flush()
        juliet.terminal.receive(b"one\nexit\n")
        juliet.terminal.peer_closes()
        assert transport.flush() == b"one\nexit \n"
        transport.peer_closes()
        juliet.stop()
        assert juliet.said[-1] == ("* the lines were sent, not confirmed: plain lines are not acknowledged")
        assert juliet.status == exit_status.OK

    def test_script_not_sent(self) -> None:
        """Lines for which there was no connection any more are counted, and the status tells."""
        juliet = started(keyboard=SCRIPT)
        juliet.terminal.receive(b"one\ntwo\n")
        juliet.interrupt()
        juliet.stop()
        assert juliet.said[-1] == "* 2 lines are not stored, and lost"
        assert juliet.status == exit_status.UNAVAILABLE


class OwnDoorTests:
    """At the host's own door."""

    def test_host(self) -> None:
        """She is the host, by that name, and shown what was missed with its time."""
        juliet = own()
        transport = opens(juliet)
        assert frames(transport) == [{"type": "hello", "version": 1, "name": "juliet", "subscribe": True}]
        transport.receive(frame(**{**WELCOME, "name": "romeo", "room": "lobby", "last_id": 1}))
        transport.receive(message(1, "hello", "nurse"))
        assert juliet.said == ["Calling /run/romeo...", "Connected to romeo (on this machine)"]
        assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d\] nurse: hello\n", juliet.shown)

    def test_never_plain(self) -> None:
        """She waits for a welcome there, and speaks no plain lines."""
        juliet = own()
        transport = opens(juliet)
        transport.flush()
        juliet.reactor.advance(2 * HANDSHAKE_TIMEOUT)
        transport.receive(b"* this is something else\n")
        assert transport.flush() == b""
        assert transport.events == []

    @pytest.mark.parametrize("goodbye", [b"exit\n", None])
    def test_detach(self, goodbye: bytes | None) -> None:
        """Where she leaves, the host is gone, and that is all: she tells up to where all was shown."""
        juliet = own()
        transport = opens(juliet)
        transport.receive(frame(**{**WELCOME, "name": "romeo", "room": "lobby"}))
        transport.receive(message(1, "hello", "nurse"))
        juliet.terminal.flush()
        transport.flush()
        juliet.interrupt() if goodbye is None else juliet.terminal.receive(goodbye)
        assert frames(transport) == [{"type": "bye", "last_seen_id": 1, "room": "lobby"}]
        transport.receive(frame(type="bye", reason="closed"))
        transport.flush()
        assert juliet.reactor.stops == 1
        juliet.stop()
        assert (juliet.said[-1], juliet.status) == ("Connection closed.", exit_status.OK)

    def test_script(self) -> None:
        """A script there says its lines, wants to hear nothing, and ends when they are stored."""
        juliet = own(keyboard=SCRIPT)
        transport = opens(juliet)
        assert frames(transport) == [{"type": "hello", "version": 1, "name": "juliet", "subscribe": False}]
        juliet.terminal.receive(b"back at nine\n")
        juliet.terminal.peer_closes()
        transport.receive(frame(**{**WELCOME, "name": "romeo", "room": "lobby"}))
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "back at nine", "seq": 1}]
        transport.receive(frame(type="ack", next_seq=2, last_id=1))
        assert [told["type"] for told in frames(transport)] == ["bye"]
        transport.receive(frame(type="bye", reason="closed"))
        transport.flush()
        juliet.stop()
        assert juliet.status == exit_status.OK

    def test_nobody(self) -> None:
        """Where nobody is behind it she calls as ever, or until she is to give up."""
        juliet = own("--timeout", "2.5")
        refused = juliet.reactor.unixClients[-1][1]
        refused.clientConnectionFailed(None, Failure(error.ConnectError(errno.ENOENT)))
        assert juliet.said[-1] == "* no answer: no such socket; calling again until there is one"
        juliet.reactor.advance(0.2)
        assert len(juliet.reactor.unixClients) == 2
        juliet.reactor.advance(2.3)
        juliet.stop()
        assert juliet.said[-1] == "juliet: no answer from /run/romeo in 2.5 s"
        assert juliet.status == exit_status.UNAVAILABLE

    def test_restart(self) -> None:
        """Where Romeo will be back she calls again at once: there are few who do."""
        juliet = own()
        transport = opens(juliet)
        transport.receive(frame(**WELCOME))
        juliet.reactor.advance(STEADY)
        transport.receive(frame(type="bye", reason="restart"))
        transport.flush()
        juliet.reactor.advance(0.2)
        assert len(juliet.reactor.unixClients) == 2


class ConsoleClosedTests:
    """A Windows console that is closed ends her as SIGTERM does."""

    def test_stopped(self) -> None:
        """The reactor is stopped, which says goodbye within some seconds; once more does no harm."""
        juliet = started(keyboard=PERSON)
        juliet.close_console()
        assert juliet.reactor.stops == 1
        juliet.stop()
        assert juliet.program.hasty
        juliet.close_console()
        assert juliet.reactor.stops == 1

    def test_ending(self) -> None:
        """One that ends by itself has a limit from then on."""
        juliet = started(keyboard=PERSON)
        juliet.interrupt()
        stops = juliet.reactor.stops
        juliet.close_console()
        assert juliet.reactor.stops == stops
        assert juliet.program.hasty
        juliet.stop()


class StateTests:
    """What she keeps in a directory."""

    def test_lines(self, tmp_path: Path) -> None:
        """What was not stored is kept, counted at the end and at the next start, and then said first."""
        state = ["--state", str(tmp_path / "state")]
        juliet = started(*state, keyboard=PERSON)
        juliet.terminal.receive(b"one\ntwo\n")
        juliet.interrupt()
        juliet.stop()
        assert juliet.said[-1] == "* 2 lines are kept for the next time"
        assert juliet.status == exit_status.UNAVAILABLE
        juliet = started(*state)
        assert juliet.said[-1] == "* 2 lines are kept from the last time"
        transport = welcome(juliet)
        assert frames(transport) == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1}]
        transport.receive(frame(type="ack", next_seq=3, last_id=2))
        juliet.interrupt()
        transport.flush()
        transport.breaks()
        juliet.stop()
        juliet = started(*state)
        assert len(juliet.said) == 1
        juliet.stop()

    def test_action(self, tmp_path: Path) -> None:
        """An action is numbered with the text around it, kept until it is stored, and sent in its place."""
        state = ["--state", str(tmp_path / "state")]
        juliet = started(*state, keyboard=PERSON)
        juliet.terminal.receive(b"one\n/me waves\ntwo\n")
        juliet.interrupt()
        juliet.stop()
        juliet = started(*state, keyboard=PERSON)
        transport = welcome(juliet)
        expected = [
            {"type": "message", "kind": "text", "seq": 1, "text": "one"},
            {"type": "message", "kind": "action", "seq": 2, "text": "waves"},
            {"type": "message", "kind": "text", "seq": 3, "text": "two"},
        ]
        assert frames(transport) == expected
        transport.receive(frame(type="ack", next_seq=2, last_id=1))
        transport.breaks()
        calls_again(juliet)
        transport = answer(juliet)
        transport.flush()
        transport.receive(frame(**{**WELCOME, "next_seq": 2}))
        assert frames(transport) == expected[1:]
        juliet.terminal.receive(b"/me\n")
        assert frames(transport) == [{"type": "command", "name": "me", "args": []}]
        juliet.stop()

    def test_session(self, tmp_path: Path) -> None:
        """Started again she goes on with her session, after what was shown."""
        state = ["--state", str(tmp_path / "state")]
        juliet = started(*state)
        transport = welcome(juliet)
        transport.receive(message(1, "good\nday"))
        juliet.terminal.flush()
        juliet.interrupt()
        transport.breaks()
        juliet.stop()
        juliet = started(*state)
        assert frames(answer(juliet)) == [
            {
                "type": "hello",
                "version": 1,
                "name": "juliet",
                "session": "token",
                "log_epoch": "log",
                "last_seen_id": 2,
                "subscribe": True,
            }
        ]
        juliet.stop()

    def test_not_shown(self, tmp_path: Path) -> None:
        """What came and was not shown is asked for again."""
        state = ["--state", str(tmp_path / "state")]
        juliet = started(*state)
        transport = welcome(juliet)
        transport.receive(message(1, "good\nday"))
        juliet.program._kept.close()
        juliet = started(*state)
        assert frames(answer(juliet))[0]["last_seen_id"] == 0
        juliet.stop()

    def test_in_use(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A second Juliet can't have the same directory, and ends with one line that says so."""
        state = ["--state", str(tmp_path / "state")]
        juliet = started(*state)
        with pytest.raises(SystemExit) as ended:
            started(*state)
        assert ended.value.code == exit_status.IO_ERROR
        said = capsys.readouterr().err
        assert said.startswith("juliet: ")
        assert said.count("\n") == 1
        juliet.stop()
