"""The door of the plain dialect: one connection, for either end of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.doors.addresses import peer_of
from techboy.doors.chunks import ChunkReceiver
from techboy.doors.flow import Congestion
from techboy.doors.parting import Parting
from techboy.wire.lines import LF, ends_inside_character
from techboy.wire.plain import Command, Goodbye, Plain, Said, notice

MAX_LINE = 4096
"""Bytes in a line, unless said otherwise; its end does not count."""

LONGEST_UNENDED = 64 * 1024
"""Bytes without a line's end after which a peer is closed."""

UNFINISHED = 0.1
"""Seconds after which an unfinished line counts as one, from a peer that never sent a line's end."""

_INSIDE_CHARACTER = 1.0  # the same, where what has arrived ends in the middle of a character
_CLOSED_WITHIN = 1.0  # seconds for the peer to read why it is closed
_RUN_TOGETHER = 0.1  # seconds between two messages within which a peer may read them as one


class Listener(Protocol):
    """The conversation, as a door sees it."""

    def peer_came(self, peer: PlainDoor) -> None: ...
    def peer_said(self, text: str) -> None: ...
    def peer_commanded(self, word: str) -> None: ...
    def peer_said_goodbye(self) -> None: ...
    def peer_left(self) -> None: ...
    def peer_gone(self, clean: bool) -> None: ...
    def peer_full(self) -> None: ...
    def peer_ready(self) -> None: ...


class Ends(Enum):
    """How a peer ends its lines, as far as it is known."""

    UNKNOWN = auto()
    LF = auto()
    NONE = auto()  # the original scripts: what arrives together is a message


class Hearing(Enum):
    """What is done with what arrives."""

    LINES = auto()
    SKIPPING = auto()  # the rest of a line that is too long
    NOTHING = auto()  # the peer said goodbye, or was closed


@implementer(IHalfCloseableProtocol)
class PlainDoor(ChunkReceiver):
    """A connection that speaks the plain dialect, told to and told by a conversation of two.

    It is that conversation's `Peer`. ``dialect`` says which end this is, ``name`` what the peer is called.
    """

    def __init__(
        self,
        conversation: Listener,
        dialect: Plain,
        name: str,
        clock: IReactorTime,
        max_line: int = MAX_LINE,
    ) -> None:
        self.name, self.address = name, ""
        self.MAX_LENGTH = max_line
        self._conversation, self._dialect, self._clock = conversation, dialect, clock
        self._ends, self._hearing, self._skipped = Ends.UNKNOWN, Hearing.LINES, 0
        self._silence: IDelayedCall | None = None
        self._last_write = float("-inf")

    # what Twisted calls

    def connectionMade(self) -> None:
        """A peer is there."""
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        conversation = self._conversation
        self._parting = Parting(transport, self._clock)
        self.address = peer_of(transport.getPeer())
        transport.registerProducer(Congestion(conversation.peer_full, conversation.peer_ready), True)
        conversation.peer_came(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived; what is unfinished is watched until the peer is known to end its lines."""
        super().dataReceived(data)
        if self._ends is not Ends.LF:
            self._watch_unfinished()

    def linesReceived(self, block: bytes) -> None:
        """Whole lines arrived."""
        self._ends = Ends.LF
        self._hear(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long: its author is told, and it is skipped."""
        self.notice(f"a line of more than {self.MAX_LENGTH} bytes was not taken")
        self._hearing, self._skipped = Hearing.SKIPPING, 0
        self.setRawMode()
        self.dataReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """The rest of a line that is too long arrived, or what a peer that has left still sends."""
        if self._hearing is not Hearing.SKIPPING:
            return
        end = data.find(LF)
        if end >= 0:
            self._ends, self._hearing = Ends.LF, Hearing.LINES
            self.setLineMode(data[end + 1 :])
            return
        self._skipped += len(data)
        if self._skipped > LONGEST_UNENDED:
            self.notice(f"{LONGEST_UNENDED} bytes without a line's end: closed")
            self._hearing = Hearing.NOTHING
            self.part(_CLOSED_WITHIN, _CLOSED_WITHIN)

    def readConnectionLost(self) -> None:
        """The peer closed its half; a last line without an end is a line."""
        self._hear_rest()
        self._conversation.peer_left()
        self._parting.peer_closed()

    def writeConnectionLost(self) -> None:
        """Our half is closed, all was sent."""
        self._parting.half_closed()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The connection is gone."""
        clean_end = reason.check(ConnectionDone) is not None
        if clean_end and not self._parting.begun:
            # a transport without half-close (TLS) says only here that the peer said goodbye
            self._hear_rest()
            self._conversation.peer_left()
        self._parting.done()
        self._stop_watching()
        self._conversation.peer_gone(clean_end)

    # what the conversation calls

    def say(self, text: str) -> None:
        """Send ``text``, lines joined by LF."""
        self._write(self._dialect.written(text))

    def command(self, line: str) -> None:
        """Send a command, without its slash."""
        self._write(f"/{line}".encode())

    def notice(self, text: str) -> None:
        """Tell the peer one line about the conversation itself."""
        self._write(notice(text).encode())

    def pause(self) -> None:
        """Stop reading from the peer."""
        self.pauseProducing()

    def resume(self) -> None:
        """Read from the peer again."""
        self.resumeProducing()

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye, as `Parting.begin` has it."""
        self._parting.begin(within, flushed_within)

    def end_within(self, seconds: float) -> None:
        """Send all and be gone after so many seconds; a later call replaces an earlier one."""
        self._parting.end_within(seconds)

    def _write(self, lines: bytes) -> None:
        if self._ends is not Ends.NONE:
            self.transport.write(lines + LF)
            return
        now = self._clock.seconds()
        separator = LF if now - self._last_write < _RUN_TOGETHER else b""
        self._last_write = now
        self.transport.write(separator + lines)

    def _hear(self, block: bytes) -> None:
        for event in self._dialect.understand(block):
            match event:
                case Said(text):
                    self._conversation.peer_said(text)
                case Command():
                    self._conversation.peer_commanded(event.word)
                case Goodbye():
                    self._hearing = Hearing.NOTHING
                    self.setRawMode()
                    self._conversation.peer_said_goodbye()

    def _hear_rest(self) -> None:
        rest = self.clearLineBuffer()
        if rest:
            self._hear(rest)

    def _watch_unfinished(self) -> None:
        self._stop_watching()
        if self.unfinished or self._hearing is Hearing.SKIPPING:
            patience = _INSIDE_CHARACTER if ends_inside_character(self.unfinished) else UNFINISHED
            self._silence = self._clock.callLater(patience, self._fell_silent)

    def _stop_watching(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()

    def _fell_silent(self) -> None:
        if self.paused or self._ends is Ends.LF:
            return
        self._ends = Ends.NONE
        if self._hearing is Hearing.SKIPPING:
            self._hearing = Hearing.LINES
            self.setLineMode()
        else:
            self._hear_rest()
