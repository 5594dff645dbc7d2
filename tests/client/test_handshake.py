"""Tests of `techboy.client.handshake`."""

from __future__ import annotations

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from techboy.client.handshake import HANDSHAKE_TIMEOUT, LONGEST_BEFORE, ClientHandshake
from techboy.wire.frames import Hello
from tests.transports import FakeTransport, cuts

WELCOME = (
    b'{"type": "welcome", "version": 1, "name": "juliet", "session": "t", "next_seq": 1, '
    b'"log_epoch": "l", "after_id": 0, "last_id": 0, "server": "romeo", '
    b'"limits": {"line": 4096, "frame": 9999}}\n'
)


class RecordingDoor(Protocol):
    """A door that writes down what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def readConnectionLost(self) -> None:
        self.events.append("half")

    def writeConnectionLost(self) -> None:
        self.events.append("ours")

    def connectionLost(self, reason: object = None) -> None:
        self.events.append("lost")


class Call:
    """A call that was answered by somebody whose dialect is not known yet."""

    wants_connection = True

    def __init__(self, *, may_be_plain: bool = True) -> None:
        self.clock, self.unanswered_calls = Clock(), 0
        self.opened: list[str] = []
        self.handler = RecordingDoor()
        greeting = ClientHandshake(self, Hello("juliet"), self.clock, 60, may_be_plain=may_be_plain)
        self.transport = FakeTransport(greeting)
        greeting.makeConnection(self.transport)

    def native_protocol(self) -> RecordingDoor:
        self.opened.append("native")
        return self.handler

    def plain_protocol(self) -> RecordingDoor:
        self.opened.append("plain")
        return self.handler

    def unanswered(self) -> None:
        self.unanswered_calls += 1


class AnswerTests:
    """Who is called turns out to speak one dialect or the other."""

    def test_hello(self) -> None:
        """A hello is the first that is said."""
        assert (
            Call().transport.flush()
            == b'{"type": "hello", "version": 1, "name": "juliet", "subscribe": true}\n'
        )

    @pytest.mark.parametrize("pieces", cuts(b"* welcome\n" + WELCOME)[:60:7])
    def test_native(self, pieces: list[bytes]) -> None:
        """A welcome opens the native door, with nothing of what came before."""
        call = Call()
        for piece in [*pieces, b"more"]:
            call.transport.receive(piece)
        assert (call.opened, call.handler.data) == (["native"], WELCOME + b"more")
        call.clock.advance(HANDSHAKE_TIMEOUT)
        assert call.opened == ["native"]

    def test_goodbye(self) -> None:
        """So does a goodbye."""
        call = Call()
        call.transport.receive(b'{"type": "bye", "reason": "busy"}\n')
        assert (call.opened, call.handler.data) == (["native"], b'{"type": "bye", "reason": "busy"}\n')

    def test_plain(self) -> None:
        """Without a welcome the plain door is opened after a while, with all that came."""
        call = Call()
        call.transport.receive(b'hello\n{"type": "pong", "number": 1}\n')
        assert call.opened == []
        call.clock.advance(HANDSHAKE_TIMEOUT)
        assert (call.opened, call.handler.data) == (["plain"], b'hello\n{"type": "pong", "number": 1}\n')

    def test_sign_of_life(self) -> None:
        """A ping says that the native dialect is understood, and that the welcome follows."""
        call = Call()
        call.transport.receive(b'hello\n{"type": "ping", "number": 0}\n')
        call.clock.advance(HANDSHAKE_TIMEOUT)
        assert (call.opened, call.handler.data) == (["native"], b'{"type": "ping", "number": 0}\n')

    def test_much(self) -> None:
        """Too much before a welcome opens it at once."""
        call = Call()
        call.transport.receive(b"x" * (LONGEST_BEFORE + 1))
        assert call.opened == ["plain"]

    def test_known_to_be_native(self) -> None:
        """Who is known to speak the native dialect is waited for longer, and then given up."""
        call = Call(may_be_plain=False)
        call.transport.receive(b"hello\n")
        call.clock.advance(59)
        assert call.transport.events == []
        call.clock.advance(1)
        assert (call.opened, call.transport.events, call.unanswered_calls) == ([], ["abort"], 1)


class EndTests:
    """The connection ends."""

    def test_before(self) -> None:
        """Before it was known, the caller is told, and nothing is waited for."""
        call = Call()
        call.transport.breaks()
        assert (call.unanswered_calls, call.opened, call.clock.getDelayedCalls()) == (1, [], [])

    def test_half(self) -> None:
        """A half that is closed after some plain words is the plain door's affair."""
        call = Call()
        call.transport.receive(b"hello\n")
        call.transport.peer_closes()
        assert (call.opened, call.handler.events) == (["plain"], ["half"])

    def test_half_without_a_word(self) -> None:
        """One that is closed without a word is no answer."""
        call = Call()
        call.transport.peer_closes()
        assert (call.opened, call.unanswered_calls) == ([], 1)

    def test_after(self) -> None:
        """Once there is a door it hears of everything."""
        call = Call()
        call.transport.receive(WELCOME)
        call.transport.loseWriteConnection()
        call.transport.flush()
        call.transport.breaks()
        assert (call.handler.events, call.unanswered_calls) == (["ours", "lost"], 0)
