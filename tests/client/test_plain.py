"""Tests of `techboy.client.plain`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from zope.interface import directlyProvides

from techboy.chat.outbox import Chunk, Outbox
from techboy.client.plain import LATE_WELCOME, PlainDoor
from techboy.net.plain_receiver import LONGEST_UNENDED
from techboy.storage.interface import ACTION, TEXT
from tests.transports import FakeTransport, connected, cuts


class FakeConversation:
    """Records what the door tells."""

    def __init__(self) -> None:
        self.events: list[object] = []

    @property
    def said(self) -> list[str]:
        """The lines that were said, one by one."""
        return "\n".join(event[1] for event in self.events if event[0] == "said").split("\n")

    def peer_came(self, peer: PlainDoor) -> None:
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
        **options: object,
    ) -> None:
        self.clock, self.conversation = Clock(), FakeConversation()
        self.door = PlainDoor(self.conversation, "juliet", self.clock, max_line, mistaken)
        self.transport = connected(self.door, **options)
        self.came = self.conversation.events.pop(0)

    @property
    def events(self) -> list[object]:
        return self.conversation.events

    def receive(self, data: bytes) -> None:
        self.transport.receive(data)

    def says(self, text: str) -> None:
        """Say ``text``, lines joined by LF, at this end."""
        outbox = Outbox()
        outbox.add(text)
        self.door.send_from(outbox)
        assert outbox.lines == 0


class LateAnswerTests:
    """A server that was taken for one of plain lines answers natively after all."""

    WELCOME = b'{"type": "bye", "reason": "busy"}\n'

    @pytest.mark.parametrize("at", range(1, len(WELCOME)))
    def test_in_pieces(self, at: int) -> None:
        """Its answer is recognised wherever it is cut, also if the rest takes seconds."""
        mistakes: list[str] = []
        door = Door(max_line=4096, mistaken=lambda: mistakes.append("native"))
        door.says("hello")
        door.receive(self.WELCOME[:at])
        door.clock.advance(4)
        door.receive(self.WELCOME[at:])
        assert (mistakes, door.events, door.transport.events) == (
            ["native"], [("displaced", "hello")], ["abort"]
        )  # fmt: skip

    @pytest.mark.parametrize(
        "before", [b"* welcome to lobby, guest1\n", b"guest2: hi\n", b"hello, who is there?\n"]
    )
    def test_after_plain_text(self, before: bytes) -> None:
        """A server that took a silent caller for a plain one may have sent it anything."""
        mistakes: list[str] = []
        door = Door(max_line=4096, mistaken=lambda: mistakes.append("native"))
        door.says("hello")
        door.receive(before)
        door.says("again")
        door.clock.advance(LATE_WELCOME - 0.1)
        door.receive(before + self.WELCOME)
        assert mistakes == ["native"]
        assert door.events[-1] == ("displaced", "hello\nagain")

    def test_too_late(self) -> None:
        """After half a minute the peer is one of plain lines, and what looks like a frame is a message."""
        door = Door(max_line=4096, mistaken=lambda: None)
        door.clock.advance(LATE_WELCOME)
        door.receive(self.WELCOME)
        assert door.events == [("said", self.WELCOME.decode().rstrip())]

    def test_brace(self) -> None:
        """A message that only begins so, from a peer that ends no lines, is shown after a while."""
        door = Door(mistaken=lambda: None)
        door.receive(b"{smile}")
        door.clock.advance(4.9)
        assert door.events == []
        door.clock.advance(0.1)
        assert door.events == [("said", "{smile}")]


class HearingTests:
    """What a peer sends is understood."""

    def test_arrival(self) -> None:
        """The conversation hears who came."""
        assert Door().came == ("came", "('127.0.0.1', 33770)")
        assert Door(peer=IPv6Address("TCP", "::1", 5)).came == ("came", "('::1', 5)")
        assert Door(peer=UNIXAddress(None)).came == ("came", "(on this machine)")

    def test_lines_of_a_chunk(self) -> None:
        """Lines that arrive together are said together."""
        door = Door()
        door.receive("hello\nthere, é\r\n\n".encode())
        assert door.events == [("said", "hello\nthere, é\n")]

    @pytest.mark.parametrize("pieces", cuts("é\r\n//x\n\n日😀\n".encode()))
    def test_cut_anywhere(self, pieces: list[bytes]) -> None:
        """No line is torn or run together, and no character cut, however the bytes arrive."""
        door = Door()
        for piece in pieces:
            door.receive(piece)
        assert door.conversation.said == ["é", "//x", "", "日😀"]

    def test_goodbye(self) -> None:
        """After the goodbye nothing is heard."""
        door = Door()
        door.receive(b"a\n/who\nb\nExit\nc\n")
        door.receive(b"d\n")
        assert door.events == [("said", "a\n/who\nb"), ("goodbye",)]

    def test_commands_mean_nothing_to_a_caller(self) -> None:
        """A host's line that begins with a slash is a line."""
        door = Door()
        door.receive(b"/who\n//\n")
        assert door.events == [("said", "/who\n//")]

    def test_last_line_without_an_end(self) -> None:
        """What was begun when the peer closes its half is a line."""
        door = Door()
        door.receive(b"hello\nthere")
        door.transport.peer_closes()
        assert door.events == [("said", "hello"), ("said", "there"), ("left",)]

    def test_broken_in_a_line(self) -> None:
        """What was begun when the connection breaks is no line."""
        door = Door()
        door.receive(b"hello\nthe")
        door.transport.breaks()
        assert door.events == [("said", "hello"), ("gone", False)]

    def test_close_without_half(self) -> None:
        """Where there is no half-close, as with TLS, an orderly close is a goodbye too."""
        door = Door()
        door.receive(b"hello\nthere")
        door.transport.lost(ConnectionDone())
        assert door.events == [("said", "hello"), ("said", "there"), ("left",), ("gone", True)]

    @given(st.binary(max_size=200), st.integers(1, 20))
    def test_any_bytes(self, data: bytes, size: int) -> None:
        """Whatever a peer sends, nothing that a terminal obeys is said."""
        door = Door()
        for at in range(0, len(data), size):
            door.receive(data[at : at + size])
        door.clock.advance(2)
        door.transport.peer_closes()
        text = "\n".join(door.conversation.said)
        assert not [char for char in text if char not in "\t\n" and (char < " " or "\x7f" <= char < "\xa0")]


class UnfinishedTests:
    """Peers that never end their lines."""

    def test_left_unfinished(self) -> None:
        """What has been left unfinished for 100 ms is a line."""
        door = Door()
        door.receive(b"hel")
        door.clock.advance(0.09)
        door.receive(b"lo")
        door.clock.advance(0.09)
        assert door.events == []
        door.clock.advance(0.02)
        assert door.events == [("said", "hello")]

    def test_goodbye(self) -> None:
        """Its goodbye needs no end either."""
        door = Door()
        door.receive(b"exit")
        door.clock.advance(0.1)
        assert door.events == [("goodbye",)]

    def test_who_ends_lines(self) -> None:
        """Who has once ended a line may take any time for the next."""
        door = Door()
        door.receive(b"one\ntw")
        door.clock.advance(10)
        door.receive(b"o\n")
        assert door.conversation.said == ["one", "two"]

    def test_cut_in_a_character(self) -> None:
        """In the middle of a character, its rest is waited for longer."""
        door = Door()
        door.receive(b"caf" + "é".encode()[:1])
        door.clock.advance(0.5)
        assert door.events == []
        door.receive("é".encode()[1:])
        door.clock.advance(0.1)
        assert door.events == [("said", "café")]
        door.receive(b"caf\xe9")
        door.clock.advance(1.0)
        assert door.events[1:] == [("said", "caf\ufffd")]

    def test_answered_in_kind(self) -> None:
        """It is answered without the last end, but two answers never run together."""
        door = Door()
        door.says("first")
        door.receive(b"hello")
        door.clock.advance(1)
        assert door.transport.flush() == b"first\n"
        door.says("one\ntwo")
        assert door.transport.flush() == b"one\ntwo"
        door.says("three")
        assert door.transport.flush() == b"\nthree"
        door.clock.advance(1)
        door.door.notice("four")
        assert door.transport.flush() == b"* four"

    def test_paused(self) -> None:
        """A line left unfinished while the screen is full is said when there is room again."""
        door = Door()
        door.receive(b"hello")
        door.door.pause()
        door.clock.advance(1)
        assert door.events == []
        door.door.resume()
        door.clock.advance(1)
        assert door.events == [("said", "hello")]

    def test_too_long(self) -> None:
        """Silence ends a line that is too long, too."""
        door = Door()
        door.receive(b"x" * 17)
        door.clock.advance(1)
        door.receive(b"hello")
        door.clock.advance(1)
        assert door.events == [("said", "hello")]

    def test_no_timer_outlives_the_connection(self) -> None:
        """Nothing is left to wait for when the connection is gone."""
        door = Door()
        door.receive(b"hel")
        door.transport.breaks()
        assert door.clock.getDelayedCalls() == []


class LimitTests:
    """Lines that are too long."""

    TOLD = b"* a line of more than 16 bytes was discarded\n"

    @pytest.mark.parametrize("pieces", cuts(b"one\n" + b"x" * 40 + b"\ntwo\n"))
    def test_told_and_skipped(self, pieces: list[bytes]) -> None:
        """Its author is told once, the lines around it are said, the connection is kept."""
        door = Door()
        for piece in pieces:
            door.receive(piece)
        assert door.conversation.said == ["one", "two"]
        assert door.transport.flush() == self.TOLD
        assert door.transport.events == []

    def test_longest(self) -> None:
        """A line of the longest length is taken, whichever way it ends."""
        door = Door()
        door.receive(b"x" * 16 + b"\n" + b"y" * 16 + b"\r\n")
        assert door.conversation.said == ["x" * 16, "y" * 16]

    def test_never_ended(self) -> None:
        """After 64 KiB without an end the peer is told and closed, and nothing it sends is heard."""
        door = Door()
        for _ in range(LONGEST_UNENDED // 1024 + 1):
            door.receive(b"x" * 1024)
        assert door.transport.events == ["half close"]
        assert door.transport.flush() == self.TOLD + b"* 65536 bytes without a line end: closed\n"
        door.receive(b"\nhello\n")
        door.clock.advance(1)
        assert door.transport.events == ["half close", "close"]
        assert door.events == [("gone", True)]


class SayingTests:
    """What is sent to a peer."""

    def test_marks(self) -> None:
        """What would be a command gets a second slash, what would be a goodbye a blank."""
        door = Door()
        door.says("/a\nexit")
        door.door.command("who all")
        assert door.transport.flush() == b"//a\nexit \n/who all\n"

    def test_action(self) -> None:
        """To a server an action is the command, in its place among lines of text."""
        door, outbox = Door(), Outbox()
        for text, kind in [("/one", TEXT), ("waves\nsighs", ACTION), ("two", TEXT)]:
            outbox.add(text, kind)
        door.door.send_from(outbox)
        assert door.transport.flush() == b"//one\n/me waves\n/me sighs\ntwo\n"

    def test_all_at_once(self) -> None:
        """All that waits is sent, whichever end of a line it was kept by, and none of it twice."""
        door, outbox = Door(), Outbox(kept=[(1, "one\ntwo")])
        outbox.add("exit")
        door.door.send_from(outbox)
        door.door.send_from(outbox)
        assert door.transport.flush() == b"one\ntwo\nexit \n"

    def test_nothing(self) -> None:
        """Where nothing waits nothing is sent, not an empty line either."""
        door = Door()
        door.door.send_from(Outbox())
        assert door.transport.flush() == b""

    def test_back_pressure(self) -> None:
        """The conversation hears when the connection is full and when it is not any more."""
        door = Door()
        door.transport.producer.pauseProducing()
        door.transport.producer.resumeProducing()
        door.transport.producer.stopProducing()
        assert door.events == [("full",), ("ready",)]

    def test_tcp_is_tuned(self) -> None:
        """On TCP, lines are not held back by Nagle's algorithm, and a dead peer is found out."""
        options = []

        class Tcp(FakeTransport):
            def setTcpNoDelay(self, on: bool) -> None:
                options.append(("nodelay", on))

            def setTcpKeepAlive(self, on: bool) -> None:
                options.append(("keepalive", on))

        door = PlainDoor(FakeConversation(), "juliet", Clock())
        transport = Tcp(door)
        directlyProvides(transport, ITCPTransport)
        door.makeConnection(transport)
        assert options == [("nodelay", True), ("keepalive", True)]


class DisplacedTests:
    """The caller speaks another dialect after all."""

    def test_displaced(self) -> None:
        """The connection is given to another door, and the conversation hears of no end of it."""
        door = Door()
        door.door.displaced()
        assert door.transport.producer is None
        assert door.transport.events == []
        assert door.events == [("displaced", None)]

    def test_unheard(self) -> None:
        """What was said before anything was heard is given back, as it was said."""
        door = Door()
        door.says("one\nexit")
        door.says("two")
        door.door.displaced()
        assert door.events == [("displaced", "one\nexit\ntwo")]

    def test_heard(self) -> None:
        """Who has said a line in this dialect has understood what was said in it."""
        door = Door()
        door.says("one")
        door.receive(b"hello\n")
        door.says("two")
        door.door.displaced()
        assert door.events[1:] == [("displaced", None)]


class PartingTests:
    """How a door is closed."""

    def test_answered(self) -> None:
        """When all is sent and the peer has closed its half, the rest is closed."""
        door = Door()
        door.says("hello")
        door.door.part(5, None)
        assert door.transport.events == ["half close"]
        assert door.transport.flush() == b"hello\n"
        door.receive(b"still there\n")
        door.transport.peer_closes()
        assert door.transport.events == ["half close", "close"]
        assert door.events == [("said", "still there"), ("left",), ("gone", True)]

    def test_not_answered(self) -> None:
        """A peer that does not close its half is waited for, but not for ever."""
        door = Door()
        door.door.part(5, None)
        door.clock.advance(60)
        assert door.transport.events == ["half close"]
        door.transport.flush()
        door.clock.advance(5)
        assert door.events == [("gone", True)]

    def test_end_within(self) -> None:
        """A connection whose time is over sends what it has and is closed; the last time set counts."""
        door = Door()
        door.says("hello")
        door.door.end_within(1)
        door.door.end_within(5)
        door.clock.advance(4)
        assert door.transport.events == []
        door.clock.advance(1)
        assert door.transport.events == ["close"]
        assert door.transport.flush() == b"hello\n"
        assert door.events[-1] == ("gone", True)

    def test_end_within_of_a_stuck_peer(self) -> None:
        """If it takes nothing, the connection is cut, and that is not a clean end."""
        door = Door()
        door.says("hello")
        door.door.end_within(1)
        door.clock.pump([1, 1])
        assert door.events == [("gone", False)]
