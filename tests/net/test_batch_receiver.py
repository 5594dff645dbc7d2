"""Tests of `techboy.net.batch_receiver`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.basic import LineReceiver

from techboy.net.batch_receiver import BatchReceiver
from tests.transports import connected, cuts

if TYPE_CHECKING:

    class Receiver(BatchReceiver):
        """What both receivers have under these names."""

        def setLineMode(self, extra: bytes = b"") -> None: ...
        def setRawMode(self) -> None: ...
        def pauseProducing(self) -> None: ...

else:
    Receiver = object


class Recording(Receiver):
    """What a line receiver was called with, and what it does at some lines."""

    MAX_LENGTH = 8

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes]] = []

    def lineReceived(self, line: bytes) -> None:
        self.calls.append(("line", line))
        if line == b"raw":
            self.setRawMode()
        elif line == b"pause":
            self.pauseProducing()
        elif line == b"close":
            self.transport.loseConnection()

    def rawDataReceived(self, data: bytes) -> None:
        self.calls.append(("raw", data))
        if b"!" in data:
            self.setLineMode(data.partition(b"!")[2])

    def lineLengthExceeded(self, line: bytes) -> None:
        self.calls.append(("exceeded", line))


class OneByOne(Recording, BatchReceiver):
    """Our receiver, used as a LineReceiver is."""


class Original(Recording, LineReceiver):
    """Twisted's own."""

    delimiter = b"\n"


class Chunks(BatchReceiver):
    """Our receiver, used as it is meant to be."""

    MAX_LENGTH = 8

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.exceeded: list[bytes] = []

    def linesReceived(self, block: bytes) -> None:
        self.blocks.append(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.exceeded.append(line)


def joined(calls: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return ``calls`` with raw data that follows raw data joined: how it is cut is nobody's promise."""
    result: list[tuple[str, bytes]] = []
    for kind, data in calls:
        if kind == "raw" and result and result[-1][0] == "raw":
            result[-1] = ("raw", result[-1][1] + data)
        else:
            result.append((kind, data))
    return result


class ChunkReceiverTests:
    """`BatchReceiver`."""

    def test_whole_chunk(self) -> None:
        """All lines that arrive together come in one call, without the last one's end."""
        protocol = Chunks()
        connected(protocol).receive(b"one\ntwo\n\nthree\nfo")
        assert protocol.blocks == [b"one\ntwo\n\nthree"]
        assert protocol.unfinished == b"fo"

    @pytest.mark.parametrize("pieces", cuts(b"one\n\ntwo\r\nx\n"))
    def test_cut_anywhere(self, pieces: list[bytes]) -> None:
        """However the bytes are cut, the same lines come, in order."""
        protocol = Chunks()
        transport = connected(protocol)
        for piece in pieces:
            transport.receive(piece)
        assert b"\n".join(protocol.blocks) == b"one\n\ntwo\r\nx"

    def test_too_long(self) -> None:
        """The lines before one that is too long are delivered first."""
        protocol = Chunks()
        connected(protocol).receive(b"a\nb\n123456789\nc\n")
        assert protocol.blocks == [b"a\nb"]
        assert protocol.exceeded == [b"123456789\nc\n"]

    def test_too_long_unfinished(self) -> None:
        """A line is too long as soon as that is certain, its end not having come."""
        protocol = Chunks()
        transport = connected(protocol)
        transport.receive(b"12345678")
        assert protocol.exceeded == []
        transport.receive(b"\r")
        assert protocol.exceeded == []
        transport.receive(b"x")
        assert protocol.exceeded == [b"12345678\rx"]

    def test_carriage_return_is_not_counted(self) -> None:
        """A line of the longest length may end with CRLF."""
        protocol = Chunks()
        connected(protocol).receive(b"12345678\r\n12345678\n")
        assert protocol.blocks == [b"12345678\r\n12345678"]

    def test_forgotten(self) -> None:
        """What was not delivered can be taken out."""
        protocol = Chunks()
        connected(protocol).receive(b"a\nb")
        assert protocol.clearLineBuffer() == b"b"
        assert protocol.unfinished == b""

    def test_other_delimiter(self) -> None:
        """Another delimiter than LF can be chosen, and may be cut too."""
        protocol = Chunks()
        protocol.delimiter = b"\r\n"
        transport = connected(protocol)
        for piece in (b"a\nb\r", b"\nc\r\n1234567", b"8\r"):
            transport.receive(piece)
        assert protocol.blocks == [b"a\nb\r\nc"]
        assert protocol.exceeded == []
        protocol.sendLine(b"hello")
        assert transport.written == b"hello\r\n"

    def test_line_too_long_by_default(self) -> None:
        """Unless that is overridden, a line that is too long closes the connection."""
        protocol = BatchReceiver()
        protocol.MAX_LENGTH = 3
        transport = connected(protocol)
        transport.receive(b"1234\nabc\n")
        assert transport.events == ["close"]

    def test_paused_in_a_chunk(self) -> None:
        """A pause in the middle of a chunk keeps the rest for when reading goes on."""
        protocol = OneByOne()
        transport = connected(protocol)
        transport.receive(b"a\npause\nb\nc\nd")
        assert protocol.calls == [("line", b"a"), ("line", b"pause")]
        assert not transport.reading
        protocol.resumeProducing()
        assert protocol.calls[2:] == [("line", b"b"), ("line", b"c")]
        assert protocol.unfinished == b"d"

    @given(
        st.lists(
            st.sampled_from([b"a", b"raw", b"close", b"!", b"\n", b"12345678", b"123456789", b"longer than"]),
            max_size=12,
        ),
        st.integers(1, 9),
    )
    def test_as_line_receiver(self, words: list[bytes], size: int) -> None:
        """What only knows lineReceived is called as LineReceiver calls it, raw mode and closing included."""
        data = b"".join(words)
        ours, theirs = OneByOne(), Original()
        for protocol in (ours, theirs):
            transport = connected(protocol)
            for at in range(0, len(data), size):
                if not transport.disconnecting:
                    transport.receive(data[at : at + size])
        assert joined(ours.calls) == joined(theirs.calls)
