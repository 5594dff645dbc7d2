"""Tests of `techboy.server.detect`."""

from __future__ import annotations

import json

import pytest

from techboy.chat.rate_limit import TokenBucket
from techboy.server.detect import GREETING_DELAY, ProtocolDetector, WireProtocol
from techboy.server.native import NativeServerProtocol
from techboy.server.native_input import ConnectionLimits
from techboy.server.plain import PlainServerProtocol
from tests.native import DEAD, PING, NativeVerona
from tests.transports import SocketTransport, cuts

HELLO = b'{"type": "hello", "version": 1, "name": "juliet"}\n'


class Entrance:
    """A house, and a connection to it of which nothing is known yet."""

    def __init__(self) -> None:
        self.verona = verona = NativeVerona()
        handler = ProtocolDetector(
            verona.clock,
            lambda: PlainServerProtocol(verona.chat, verona.broker, TokenBucket(0, 0), 4096),
            lambda: NativeServerProtocol(
                verona.session_manager, verona.broker, TokenBucket(0, 0), ConnectionLimits(4096, PING, DEAD)
            ),
        )
        self.handler, self.transport = handler, SocketTransport(handler)
        handler.makeConnection(self.transport)

    def spoken(self) -> WireProtocol:
        """How the caller speaks, as far as is known."""
        return self.handler.protocol

    def names(self) -> list[str]:
        """Return who is in the house."""
        return [member.name for member in self.verona.chat.members.values()]

    def reads(self) -> bytes:
        """Let a turn pass, and return what arrives."""
        self.verona.turn()
        return self.transport.flush()


class BytesTests:
    """Bytes that arrive are counted."""

    @pytest.mark.parametrize("data", [HELLO, b"hello\n", b'{"help": 1}\n'])
    def test_once(self, data: bytes) -> None:
        """Each byte is counted once, also of a beginning that is kept until the protocol is known."""
        entrance = Entrance()
        for piece in (data[:1], data[1:]):
            entrance.transport.receive(piece)
        assert entrance.handler.pending.counters.bytes_received == len(data)


class KnownTests:
    """What a caller is taken for."""

    @pytest.mark.parametrize("pieces", cuts(HELLO))
    def test_native(self, pieces: list[bytes]) -> None:
        """A hello opens the native door, however it is cut, and nothing comes before the welcome."""
        entrance = Entrance()
        for piece in pieces:
            entrance.transport.receive(piece)
        assert json.loads(entrance.reads().split(b"\n")[0])["type"] == "welcome"
        assert entrance.names() == ["juliet"]

    @pytest.mark.parametrize("said", [b"hello\n", b"{hello}\n", b'{"help": 1}\n', b"\n"])
    def test_plain(self, said: bytes) -> None:
        """[P1] Anything else opens the plain door, and is said."""
        entrance = Entrance()
        [nurse] = entrance.verona.company_of("nurse")
        for piece in (said[:1], said[1:]):
            if piece:
                entrance.transport.receive(piece)
        entrance.verona.turn()
        assert nurse.hears_said() == [said[:-1].decode()]
        assert entrance.reads().startswith(b"* welcome")

    def test_silent(self) -> None:
        """Who says nothing for a moment is greeted in plain lines, and is not greeted before."""
        entrance = Entrance()
        entrance.verona.turn(GREETING_DELAY - 0.01)
        assert entrance.reads() == b""
        entrance.verona.turn(0.02)
        assert entrance.reads().startswith(b"* welcome to lobby, guest1;")

    def test_blanks(self) -> None:
        """Who sends nothing but blanks is not waited for for ever."""
        entrance = Entrance()
        entrance.transport.receive(b" " * 1000)
        assert entrance.reads().startswith(b"* welcome to lobby, guest1;")

    def test_late_hello(self) -> None:
        """A hello that comes after that is understood still; nobody hears of the guest that was not one."""
        entrance = Entrance()
        [nurse] = entrance.verona.company_of("nurse")
        entrance.verona.turn(GREETING_DELAY)
        entrance.reads()
        entrance.transport.receive(HELLO)
        assert b'{"type": "welcome", "version": 1' in entrance.reads()
        entrance.verona.settle()
        assert nurse.reads() == [{"type": "notice", "text": "juliet joined"}]
        entrance.transport.receive(b'{"type": "ping", "number": 1}\n')
        assert entrance.reads().endswith(b'{"type": "pong", "number": 1}\n')


class EndTests:
    """A connection that ends before it is known."""

    def test_broken(self) -> None:
        """Nobody came in, and nothing is waited for."""
        entrance = Entrance()
        entrance.transport.breaks()
        entrance.verona.turn(GREETING_DELAY)
        assert entrance.names() == []
        assert entrance.verona.clock.getDelayedCalls() == []

    def test_broken_when_greeted(self) -> None:
        """A guest who was greeted is gone."""
        entrance = Entrance()
        entrance.verona.turn(GREETING_DELAY)
        assert entrance.names() == ["guest1"]
        entrance.transport.breaks()
        assert entrance.names() == []

    def test_odd(self) -> None:
        """A connection that raises what nobody expects when it is greeted is closed, and nobody is here."""
        entrance = Entrance()
        entrance.transport.socket.error = RuntimeError("odd")
        entrance.verona.turn(GREETING_DELAY)
        assert entrance.transport.events == ["abort"]
        assert entrance.names() == []

    def test_closed(self) -> None:
        """What was begun when the caller closed its half is a line."""
        entrance = Entrance()
        [nurse] = entrance.verona.company_of("nurse")
        entrance.transport.receive(b'{"hel')
        entrance.transport.peer_closes()
        entrance.verona.turn()
        assert nurse.hears_said() == ['{"hel']
        assert "half close" in entrance.transport.events


class SpokenTests:
    """How a caller speaks."""

    def test_native(self) -> None:
        """It is not known before the hello."""
        entrance = Entrance()
        assert entrance.spoken() is WireProtocol.UNKNOWN
        entrance.transport.receive(HELLO)
        assert entrance.spoken() is WireProtocol.NATIVE

    def test_plain(self) -> None:
        """Who says anything else speaks plain lines."""
        entrance = Entrance()
        entrance.transport.receive(b"hello\n")
        assert entrance.spoken() is WireProtocol.PLAIN

    def test_late_hello(self) -> None:
        """Who is silent is taken for a person, until a hello comes after all."""
        entrance = Entrance()
        entrance.verona.turn(GREETING_DELAY)
        assert entrance.spoken() is WireProtocol.PLAIN
        entrance.transport.receive(HELLO)
        assert entrance.spoken() is WireProtocol.NATIVE
