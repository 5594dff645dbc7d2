"""The client's connection to a server that speaks the plain dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from techboy.client.handshake import answer_at
from techboy.client.outbox import LIMIT, Chunk, Outbox
from techboy.client.peer import Peer
from techboy.net.addresses import peer_of
from techboy.net.connection_log import CloseReason, ConnectionLogEntry
from techboy.net.flow_control import ProducerBridge
from techboy.net.graceful_close import cut
from techboy.net.plain_receiver import MAX_LINE, PlainReceiver
from techboy.wire.lines import LF
from techboy.wire.plain import CLIENT, Goodbye, PlainMessage

LATE_WELCOME = 30.0
"""Seconds after which the peer is known to speak plain lines."""


class PlainPeerEvents(Protocol):
    """The conversation, as a door sees it."""

    def peer_connected(self, peer: Peer) -> None: ...
    def peer_said(self, text: str) -> None: ...
    def peer_said_goodbye(self) -> None: ...
    def peer_left(self) -> None: ...
    def peer_gone(self, clean: bool) -> None: ...
    def peer_displaced(self, unheard: list[Chunk]) -> None: ...
    def peer_full(self) -> None: ...
    def peer_ready(self) -> None: ...


class PlainPeerProtocol(PlainReceiver):
    """A connection that speaks the plain dialect, told to and told by a conversation of two.

    It is that conversation's `Peer`. ``name``: what the server is called.
    ``mistaken`` is told where the peer turns out to speak the native dialect, and was only slow to say so.
    """

    _taken_back = False

    def __init__(
        self,
        conversation: PlainPeerEvents,
        name: str,
        clock: IReactorTime,
        max_line: int = MAX_LINE,
        mistaken: Callable[[], None] | None = None,
        log_entry: ConnectionLogEntry | None = None,
    ) -> None:
        super().__init__(clock, max_line, log_entry)
        self.name, self.address = name, ""
        self._came_at = self._heard_at = clock.seconds()
        self._unheard: list[Chunk] | None = []
        self._unheard_size = 0
        self._mistaken = mistaken
        self._conversation = conversation

    # what the receiver calls

    def on_connected(self) -> None:
        """Tell the conversation who came."""
        conversation = self._conversation
        self.address = peer_of(self.transport.getPeer())
        self.transport.registerProducer(ProducerBridge(conversation.peer_full, conversation.peer_ready), True)
        self._log_entry.joined(self.name, None)
        conversation.peer_connected(self)

    def on_lines(self, block: bytes) -> None:
        """Tell the conversation what the peer's lines mean."""
        if self._mistaken is not None and self._may_be_native and _has_answer(block):
            self._take_back(self._mistaken)
            return
        self._heard_at = self.clock.seconds()
        if not self._may_be_native:
            self._unheard = None
        self._log_entry.lines += block.count(LF) + 1
        for event in CLIENT.parse(block):
            match event:
                case PlainMessage(text):
                    self._conversation.peer_said(text)
                case Goodbye():
                    self.ignore_input()
                    self._log_entry.closing(CloseReason.PEER_CLOSED)
                    self._conversation.peer_said_goodbye()

    def may_continue(self, unfinished: bytes) -> bool:
        """Return whether a late welcome may begin so: taken for a line, it would never be recognised."""
        return self._may_be_native and unfinished.startswith(b"{")

    @property
    def _may_be_native(self) -> bool:
        """Whether a welcome may still come: whatever came before it was said to a caller who was silent."""
        return self._mistaken is not None and self.clock.seconds() - self._came_at < LATE_WELCOME

    def on_peer_closed(self) -> None:
        """Tell the conversation that the peer closed its half."""
        if not self._taken_back:
            self._log_entry.closing(CloseReason.PEER_CLOSED)
            self._conversation.peer_left()

    def on_closed(self, clean: bool) -> None:
        """Tell the conversation that the connection is gone, if it does not know."""
        self._log_entry.closed(clean=clean)
        if self._taken_back:
            return
        self._conversation.peer_gone(clean)

    def _take_back(self, mistaken: Callable[[], None]) -> None:
        """Have said again what was said to a peer who takes no plain lines, in another connection."""
        self._taken_back = True
        self._log_entry.closing(CloseReason.CLOSED, "the other protocol is used")
        self.displaced()
        self.ignore_input()
        cut(self.transport)
        mistaken()

    def displaced(self) -> bool:
        """Go, as the caller speaks another dialect; not where goodbye was said already."""
        usable = not self._graceful_close.begun
        self.release_transport()
        self._conversation.peer_displaced(self._unheard or [])
        return usable

    # what the conversation calls

    @property
    def idle_seconds(self) -> float:
        """For how many seconds nothing was heard."""
        return self.clock.seconds() - self._heard_at

    @property
    def missing(self) -> int:
        """Nothing is known of it."""
        return 0

    def send_from(self, outbox: Outbox) -> None:
        """Send all that waits, which is not acknowledged."""
        chunks = outbox.take_all()
        if chunks:
            self._remember(chunks)
            self.write_lines(b"\n".join(CLIENT.encode(chunk.text, chunk.kind) for chunk in chunks))

    def _remember(self, chunks: list[Chunk]) -> None:
        """Keep what was sent as long as it may have to be sent again in the native protocol."""
        if self._unheard is not None:
            self._unheard += chunks
            self._unheard_size += sum(chunk.size for chunk in chunks)
            if self._unheard_size > LIMIT:
                self._unheard = None

    def command(self, line: str) -> None:
        """Send a command, without its slash."""
        self.write_lines(f"/{line}".encode())

    def abort(self) -> None:
        """Be gone at once."""
        self._log_entry.closing(CloseReason.CLOSED)
        self._graceful_close.cut()

    def pause(self) -> None:
        """Stop reading from the peer."""
        self.pauseProducing()

    def resume(self) -> None:
        """Read from the peer again."""
        self.resumeProducing()


def _has_answer(block: bytes) -> bool:
    has_frame = block.startswith(b"{") or b"\n{" in block  # quick, as most blocks have none
    return has_frame and answer_at(block + LF) >= 0
