"""Tests of `techboy.client.plain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.task import Clock
from zope.interface import directlyProvides

from techboy.client.outbox import Chunk, Outbox
from techboy.client.peer import Peer
from techboy.client.plain import LATE_WELCOME, PlainPeerProtocol
from techboy.net.plain_receiver import UNENDED_LIMIT
from techboy.storage.interface import ACTION, TEXT
from tests.transports import JULIET, FakeTransport, connected, cuts


class FakeConversation:
    """Records what the door tells."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    @property
    def said(self) -> list[str]:
        """The lines that were said, one by one."""
        return "\n".join(event[1] for event in self.events if event[0] == "said").split("\n")

    def peer_connected(self, peer: Peer) -> None:
        self.events.append(("came", peer.address))

    def peer_said(self, text: str) -> None:
        self.events.append(("said", text))

    def peer_said_goodbye(self) -> None:
        self.events.append(("goodbye",))

    def peer_left(self) -> None:
        self.events.append(("left",))

    def peer_gone(self, clean: bool) -> None:
        self.events.append(("gone", clean))

    def peer_displaced(self, unheard: list[Chunk]) -> None:
        self.events.append(("displaced", "\n".join(chunk.text for chunk in unheard) or None))

    def peer_full(self) -> None:
        self.events.append(("full",))

    def peer_ready(self) -> None:
        self.events.append(("ready",))


class Door:
    """A door, with all that it is connected to."""

    def __init__(
        self,
        max_line: int = 16,
        mistaken: Callable[[], None] | None = None,
        peer: IAddress = JULIET,
    ) -> None:
        self.clock, self.conversation = Clock(), FakeConversation()
        self.handler = PlainPeerProtocol(self.conversation, "juliet", self.clock, max_line, mistaken)
        self.transport = connected(self.handler, peer)
        self.came = self.conversation.events.pop(0)

    @property
    def events(self) -> list[tuple[Any, ...]]:
        return self.conversation.events

    def receive(self, data: bytes) -> None:
        self.transport.receive(data)

    def says(self, text: str) -> None:
        """Say ``text``, lines joined by LF, at this end."""
        outbox = Outbox()
        outbox.add(text)
        self.handler.send_from(outbox)
        assert outbox.lines == 0


class LateAnswerTests:
    """A server that was taken for one of plain lines answers natively after all."""

    WELCOME = b'{"type": "bye", "reason": "busy"}\n'

    @pytest.mark.parametrize("at", range(1, len(WELCOME)))
    def test_in_pieces(self, at: int) -> None:
        """Its answer is recognised wherever it is cut, also if the rest takes seconds."""
        mistakes: list[str] = []
        handler = Door(max_line=4096, mistaken=lambda: mistakes.append("native"))
        handler.says("hello")
        handler.receive(self.WELCOME[:at])
        handler.clock.advance(4)
        handler.receive(self.WELCOME[at:])
        assert (mistakes, handler.events, handler.transport.events) == (
            ["native"], [("displaced", "hello")], ["abort"]
        )  # fmt: skip

    @pytest.mark.parametrize(
        "before", [b"* welcome to lobby, guest1\n", b"guest2: hi\n", b"hello, who is there?\n"]
    )
    def test_after_plain_text(self, before: bytes) -> None:
        """A server that took a silent caller for a plain one may have sent it anything."""
        mistakes: list[str] = []
        handler = Door(max_line=4096, mistaken=lambda: mistakes.append("native"))
        handler.says("hello")
        handler.receive(before)
        handler.says("again")
        handler.clock.advance(LATE_WELCOME - 0.1)
        handler.receive(before + self.WELCOME)
        assert mistakes == ["native"]
        assert handler.events[-1] == ("displaced", "hello\nagain")

    def test_too_late(self) -> None:
        """After half a minute the peer is one of plain lines, and what looks like a frame is a message."""
        handler = Door(max_line=4096, mistaken=lambda: None)
        handler.clock.advance(LATE_WELCOME)
        handler.receive(self.WELCOME)
        assert handler.events == [("said", self.WELCOME.decode().rstrip())]

    def test_brace(self) -> None:
        """A message that only begins so, from a peer that ends no lines, is shown after a while."""
        handler = Door(mistaken=lambda: None)
        handler.receive(b"{smile}")
        handler.clock.advance(4.9)
        assert handler.events == []
        handler.clock.advance(0.1)
        assert handler.events == [("said", "{smile}")]


class HearingTests:
    """What a peer sends is understood."""

    def test_arrival(self) -> None:
        """The conversation hears who came."""
        assert Door().came == ("came", "('127.0.0.1', 33770)")
        assert Door(peer=IPv6Address("TCP", "::1", 5)).came == ("came", "('::1', 5)")
        assert Door(peer=UNIXAddress(None)).came == ("came", "(on this machine)")

    def test_lines_of_a_chunk(self) -> None:
        """Lines that arrive together are said together."""
        handler = Door()
        handler.receive("hello\nthere, é\r\n\n".encode())
        assert handler.events == [("said", "hello\nthere, é\n")]

    @pytest.mark.parametrize("pieces", cuts("é\r\n//x\n\n日😀\n".encode()))
    def test_cut_anywhere(self, pieces: list[bytes]) -> None:
        """No line is torn or run together, and no character cut, however the bytes arrive."""
        handler = Door()
        for piece in pieces:
            handler.receive(piece)
        assert handler.conversation.said == ["é", "//x", "", "日😀"]

    def test_goodbye(self) -> None:
        """After the goodbye nothing is heard."""
        handler = Door()
        handler.receive(b"a\n/who\nb\nExit\nc\n")
        handler.receive(b"d\n")
        assert handler.events == [("said", "a\n/who\nb"), ("goodbye",)]

    def test_commands_mean_nothing_to_a_caller(self) -> None:
        """A host's line that begins with a slash is a line."""
        handler = Door()
        handler.receive(b"/who\n//\n")
        assert handler.events == [("said", "/who\n//")]

    def test_last_line_without_an_end(self) -> None:
        """What was begun when the peer closes its half is a line."""
        handler = Door()
        handler.receive(b"hello\nthere")
        handler.transport.peer_closes()
        assert handler.events == [("said", "hello"), ("said", "there"), ("left",)]

    def test_broken_in_a_line(self) -> None:
        """What was begun when the connection breaks is no line."""
        handler = Door()
        handler.receive(b"hello\nthe")
        handler.transport.breaks()
        assert handler.events == [("said", "hello"), ("gone", False)]

    def test_close_without_half(self) -> None:
        """Where there is no half-close, as with TLS, an orderly close is a goodbye too."""
        handler = Door()
        handler.receive(b"hello\nthere")
        handler.transport.lost(ConnectionDone())
        assert handler.events == [("said", "hello"), ("said", "there"), ("left",), ("gone", True)]

    @given(st.binary(max_size=200), st.integers(1, 20))
    def test_any_bytes(self, data: bytes, size: int) -> None:
        """Whatever a peer sends, nothing that a terminal obeys is said."""
        handler = Door()
        for at in range(0, len(data), size):
            handler.receive(data[at : at + size])
        handler.clock.advance(2)
        handler.transport.peer_closes()
        text = "\n".join(handler.conversation.said)
        assert not [char for char in text if char not in "\t\n" and (char < " " or "\x7f" <= char < "\xa0")]


class UnfinishedTests:
    """Peers that never end their lines."""

    def test_left_unfinished(self) -> None:
        """What has been left unfinished for 100 ms is a line."""
        handler = Door()
        handler.receive(b"hel")
        handler.clock.advance(0.09)
        handler.receive(b"lo")
        handler.clock.advance(0.09)
        assert handler.events == []
        handler.clock.advance(0.02)
        assert handler.events == [("said", "hello")]

    def test_goodbye(self) -> None:
        """Its goodbye needs no end either."""
        handler = Door()
        handler.receive(b"exit")
        handler.clock.advance(0.1)
        assert handler.events == [("goodbye",)]

    def test_who_ends_lines(self) -> None:
        """Who has once ended a line may take any time for the next."""
        handler = Door()
        handler.receive(b"one\ntw")
        handler.clock.advance(10)
        handler.receive(b"o\n")
        assert handler.conversation.said == ["one", "two"]

    def test_cut_in_a_character(self) -> None:
        """In the middle of a character, its rest is waited for longer."""
        handler = Door()
        handler.receive(b"caf" + "é".encode()[:1])
        handler.clock.advance(0.5)
        assert handler.events == []
        handler.receive("é".encode()[1:])
        handler.clock.advance(0.1)
        assert handler.events == [("said", "café")]
        handler.receive(b"caf\xe9")
        handler.clock.advance(1.0)
        assert handler.events[1:] == [("said", "caf\ufffd")]

    def test_answered_in_kind(self) -> None:
        """It is answered without the last end, but two answers never run together."""
        handler = Door()
        handler.says("first")
        handler.receive(b"hello")
        handler.clock.advance(1)
        assert handler.transport.flush() == b"first\n"
        handler.says("one\ntwo")
        assert handler.transport.flush() == b"one\ntwo"
        handler.says("three")
        assert handler.transport.flush() == b"\nthree"
        handler.clock.advance(1)
        handler.handler.notice("four")
        assert handler.transport.flush() == b"* four"

    def test_paused(self) -> None:
        """A line left unfinished while the screen is full is said when there is room again."""
        handler = Door()
        handler.receive(b"hello")
        handler.handler.pause()
        handler.clock.advance(1)
        assert handler.events == []
        handler.handler.resume()
        handler.clock.advance(1)
        assert handler.events == [("said", "hello")]

    def test_too_long(self) -> None:
        """Silence ends a line that is too long, too."""
        handler = Door()
        handler.receive(b"x" * 17)
        handler.clock.advance(1)
        handler.receive(b"hello")
        handler.clock.advance(1)
        assert handler.events == [("said", "hello")]

    def test_no_timer_outlives_the_connection(self) -> None:
        """Nothing is left to wait for when the connection is gone."""
        handler = Door()
        handler.receive(b"hel")
        handler.transport.breaks()
        assert handler.clock.getDelayedCalls() == []


class LimitTests:
    """Lines that are too long."""

    TOLD = b"* a line of more than 16 bytes was discarded\n"

    @pytest.mark.parametrize("pieces", cuts(b"one\n" + b"x" * 40 + b"\ntwo\n"))
    def test_told_and_skipped(self, pieces: list[bytes]) -> None:
        """Its author is told once, the lines around it are said, the connection is kept."""
        handler = Door()
        for piece in pieces:
            handler.receive(piece)
        assert handler.conversation.said == ["one", "two"]
        assert handler.transport.flush() == self.TOLD
        assert handler.transport.events == []

    def test_longest(self) -> None:
        """A line of the longest length is taken, whichever way it ends."""
        handler = Door()
        handler.receive(b"x" * 16 + b"\n" + b"y" * 16 + b"\r\n")
        assert handler.conversation.said == ["x" * 16, "y" * 16]

    def test_never_ended(self) -> None:
        """After 64 KiB without an end the peer is told and closed, and nothing it sends is heard."""
        handler = Door()
        for _ in range(UNENDED_LIMIT // 1024 + 1):
            handler.receive(b"x" * 1024)
        assert handler.transport.events == ["half close"]
        assert handler.transport.flush() == self.TOLD + b"* 65536 bytes without a line end: closed\n"
        handler.receive(b"\nhello\n")
        handler.clock.advance(1)
        assert handler.transport.events == ["half close", "close"]
        assert handler.events == [("gone", True)]


class SayingTests:
    """What is sent to a peer."""

    def test_marks(self) -> None:
        """What would be a command gets a second slash, what would be a goodbye a blank."""
        handler = Door()
        handler.says("/a\nexit")
        handler.handler.command("who all")
        assert handler.transport.flush() == b"//a\nexit \n/who all\n"

    def test_action(self) -> None:
        """To a server an action is the command, in its place among lines of text."""
        handler, outbox = Door(), Outbox()
        for text, kind in [("/one", TEXT), ("waves\nsighs", ACTION), ("two", TEXT)]:
            outbox.add(text, kind)
        handler.handler.send_from(outbox)
        assert handler.transport.flush() == b"//one\n/me waves\n/me sighs\ntwo\n"

    def test_all_at_once(self) -> None:
        """All that waits is sent, whichever end of a line it was kept by, and none of it twice."""
        handler, outbox = Door(), Outbox(kept=[(1, "one\ntwo", TEXT)])
        outbox.add("exit")
        handler.handler.send_from(outbox)
        handler.handler.send_from(outbox)
        assert handler.transport.flush() == b"one\ntwo\nexit \n"

    def test_nothing(self) -> None:
        """Where nothing waits nothing is sent, not an empty line either."""
        handler = Door()
        handler.handler.send_from(Outbox())
        assert handler.transport.flush() == b""

    def test_back_pressure(self) -> None:
        """The conversation hears when the connection is full and when it is not any more."""
        handler = Door()
        handler.transport.producer.pauseProducing()
        handler.transport.producer.resumeProducing()
        handler.transport.producer.stopProducing()
        assert handler.events == [("full",), ("ready",)]

    def test_tcp_is_tuned(self) -> None:
        """On TCP, lines are not held back by Nagle's algorithm, and a dead peer is found out."""
        options = []

        class Tcp(FakeTransport):
            def setTcpNoDelay(self, on: bool) -> None:
                options.append(("nodelay", on))

            def setTcpKeepAlive(self, on: bool) -> None:
                options.append(("keepalive", on))

        handler = PlainPeerProtocol(FakeConversation(), "juliet", Clock())
        transport = Tcp(handler)
        directlyProvides(transport, ITCPTransport)
        handler.makeConnection(transport)
        assert options == [("nodelay", True), ("keepalive", True)]


class DisplacedTests:
    """The caller speaks another dialect after all."""

    def test_displaced(self) -> None:
        """The connection is given to another door, and the conversation hears of no end of it."""
        handler = Door()
        handler.handler.displaced()
        assert handler.transport.producer is None
        assert handler.transport.events == []
        assert handler.events == [("displaced", None)]

    def test_unheard(self) -> None:
        """What was said before anything was heard is given back, as it was said."""
        handler = Door()
        handler.says("one\nexit")
        handler.says("two")
        handler.handler.displaced()
        assert handler.events == [("displaced", "one\nexit\ntwo")]

    def test_heard(self) -> None:
        """Who has said a line in this dialect has understood what was said in it."""
        handler = Door()
        handler.says("one")
        handler.receive(b"hello\n")
        handler.says("two")
        handler.handler.displaced()
        assert handler.events[1:] == [("displaced", None)]


class PartingTests:
    """How a door is closed."""

    def test_answered(self) -> None:
        """When all is sent and the peer has closed its half, the rest is closed."""
        handler = Door()
        handler.says("hello")
        handler.handler.part(5, None)
        assert handler.transport.events == ["half close"]
        assert handler.transport.flush() == b"hello\n"
        handler.receive(b"still there\n")
        handler.transport.peer_closes()
        assert handler.transport.events == ["half close", "close"]
        assert handler.events == [("said", "still there"), ("left",), ("gone", True)]

    def test_not_answered(self) -> None:
        """A peer that does not close its half is waited for, but not for ever."""
        handler = Door()
        handler.handler.part(5, None)
        handler.clock.advance(60)
        assert handler.transport.events == ["half close"]
        handler.transport.flush()
        handler.clock.advance(5)
        assert handler.events == [("gone", True)]

    def test_end_within(self) -> None:
        """A connection whose time is over sends what it has and is closed; the last time set counts."""
        handler = Door()
        handler.says("hello")
        handler.handler.limit_close(1)
        handler.handler.limit_close(5)
        handler.clock.advance(4)
        assert handler.transport.events == []
        handler.clock.advance(1)
        assert handler.transport.events == ["close"]
        assert handler.transport.flush() == b"hello\n"
        assert handler.events[-1] == ("gone", True)

    def test_end_within_of_a_stuck_peer(self) -> None:
        """If it takes nothing, the connection is cut, and that is not a clean end."""
        handler = Door()
        handler.says("hello")
        handler.handler.limit_close(1)
        handler.clock.pump([1, 1])
        assert handler.events == [("gone", False)]
