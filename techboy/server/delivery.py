"""Delivery to one member: new messages go straight to its socket, later ones are read from the log."""

from __future__ import annotations

from enum import Enum, auto
from socket import socket
from typing import cast

from twisted.internet.interfaces import ISSLTransport, ISystemHandle

from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import ROOMS, BackPressure, Policy
from techboy.chat.rate_limit import TokenBucket
from techboy.net.addresses import peer_of
from techboy.net.connection_log import CloseReason, ConnectionLogEntry
from techboy.net.flow_control import DrainProducer, ProducerBridge
from techboy.net.graceful_close import GracefulClose
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import Delivery, Renderer, Rendering
from techboy.net.transport import IStreamTransport
from techboy.server.broker import Broker
from techboy.storage.interface import MessageBatch, StorageError
from techboy.wire.lines import LF

UNREAD_LIMIT = 64 * 1024
"""Bytes of answers and notices that may wait for a client that does not read; a longer one may wait alone."""

UNSTORED_LIMIT = 256 * 1024
"""Characters of a member's messages not yet stored above which nothing is read from it."""

_PIECE_SIZE = 512  # bytes; small enough that the kernel accepts all of it if it accepts anything


class SendState(Enum):
    """What the connection does with new messages."""

    READY = auto()  # nothing is unsent: they are written at once
    BEHIND = auto()  # nothing is unsent, but the log has more: the next page is read next turn
    QUEUED = auto()  # something is unsent: the log is read when it has been sent
    CLOSING = auto()  # the goodbye was sent: nothing more is read from the log


class LogConsumer:
    """The sending half of a member's connection; the ``renderer`` is that of its protocol.

    The transport has a pull producer, which is called whenever the transport has nothing left to send. As
    long as it has nothing, new messages are written straight to the socket, without waiting for the reactor.
    TLS cannot be bypassed in this way: its transport is written to until it reports that its buffer is full.
    """

    renderer: Renderer
    member: Member
    transport: IStreamTransport
    offset = 0
    history_end = 0
    """The id up to which messages are history, which is skipped if it cannot be read."""
    _policy: Policy = ROOMS
    _broker: Broker
    _pauses: ReadPauser
    _log_entry: ConnectionLogEntry
    _graceful_close: GracefulClose
    _bucket: TokenBucket
    _reported_shortages = 0
    _send_state = SendState.READY
    _unsent = b""
    _socket: socket | None = None

    # defined by subclasses

    def send_skipped(self, lines: int, upto: int) -> None:
        """Report that so many lines, up to the id ``upto``, are skipped: deleted, or unreadable history."""
        raise NotImplementedError

    def send_throttled(self, rate: int) -> None:
        """Report that the member is throttled to ``rate`` lines a second for now."""
        raise NotImplementedError

    def on_sent(self) -> None:
        """Handle that unsent data has now been sent."""

    def on_caught_up(self) -> None:
        """Handle that all messages so far have been sent."""
        raise NotImplementedError

    # called by subclasses

    def start_delivery(self) -> None:
        """Register the producer; the transport is connected."""
        transport = self.transport
        if ISystemHandle.providedBy(transport) and not ISSLTransport.providedBy(transport):
            self._socket = cast(socket, transport.getHandle())
            self.transport.registerProducer(DrainProducer(self._on_drained), False)
        else:
            self.transport.registerProducer(ProducerBridge(self._on_buffer_full, self._on_drained), True)

    def finish_delivery(self) -> None:
        """Hand unsent data to the transport, and read no more from the log."""
        self._send_state = SendState.CLOSING
        self._broker.mark_unblocked(self)
        if self._unsent:
            self._write_through(self._unsent)
            self._unsent = b""

    def stop_delivery(self) -> None:
        """Send nothing any more: the connection is closed."""
        self._send_state = SendState.CLOSING
        self._broker.mark_unblocked(self)

    @property
    def is_closing(self) -> bool:
        """Whether the goodbye was sent."""
        return self._send_state is SendState.CLOSING

    @property
    def has_room(self) -> bool:
        """Whether at most `UNREAD_LIMIT` bytes are unsent."""
        return len(self._unsent) <= UNREAD_LIMIT

    def check_room_for(self, data: bytes) -> bool:
        """Return whether there is room for ``data``; if not, pause reading until there is."""
        room = not self._unsent or len(self._unsent) + len(data) <= UNREAD_LIMIT
        if not room:
            self._pauses.begin(PauseReason.ANSWERS)
        return room

    @property
    def is_ready(self) -> bool:
        """Whether nothing is unsent."""
        return self._send_state is SendState.READY

    def write(self, data: bytes) -> None:
        """Send ``data`` after all that is unsent."""
        if data and self._send_state in (SendState.READY, SendState.BEHIND):
            data = data[self._send_now(data) :]
        if data:
            self._enqueue(data)
            if not (self.has_room or self.is_closing):
                self._pauses.begin(PauseReason.ANSWERS)

    def catch_up(self) -> None:
        """Send the messages that follow the offset, one page in each reactor turn."""
        if self._send_state is SendState.READY and self._send_next_page():
            if self.backlog:
                self._send_state = SendState.BEHIND
                self._broker.clock.callLater(0, isolated, self, self._resume_catching_up)
            else:
                self.on_caught_up()

    def _send_next_page(self) -> bool:
        """Send one page; return whether all of it was sent, so that the next one can be read."""
        if not self.backlog:
            return True
        try:
            page = self._broker.page(self.member.room, self.offset)
        except StorageError as error:
            return self._skip_history(error)
        self._skip_to(page.before)
        if self._send_state is SendState.READY and page.batches:
            self._send_page(page)
        return self._send_state is SendState.READY

    def _skip_history(self, error: StorageError) -> bool:
        """Skip history that cannot be read; close the connection if the member missed those messages.

        Return whether the next page can be read.
        """
        if self.offset >= self.history_end:
            self._log_entry.storage_read_failed(str(error))
            self._graceful_close.cut()
            return False
        self._broker.report_read_error(error)
        self.send_presence([self.member.describe_error(error, READING_FAILS)])
        self._skip_to(self.history_end)
        return self._send_state is SendState.READY

    def _skip_to(self, reached: int) -> None:
        """Report the messages up to the id ``reached`` as skipped, if there are any."""
        skipped = reached - self.offset
        if skipped > 0:
            self.offset = reached
            self.send_skipped(skipped, reached)

    @property
    def backlog(self) -> int:
        """The number of lines in the log after the offset; 0 for a hidden member, which is sent none."""
        return 0 if self.member.hidden else max(self.member.room.log.last - self.offset, 0)

    def throttle(self) -> None:
        """Pause reading because of the rate limit; tell the member if it was below the limit until now."""
        self._pauses.begin(PauseReason.RATE)
        if self._reported_shortages != self._bucket.shortages:
            if not self._reported_shortages:
                self._log_entry.throttled(self._bucket.rate)
            self._reported_shortages = self._bucket.shortages
            self.send_throttled(self._bucket.rate)

    def remaining_page(self) -> list[MessageBatch]:
        """Return one page of the messages that this member was not sent, or nothing if it cannot be read.

        Messages that were deleted before that page are reported as skipped.
        """
        if not self.backlog:
            return []
        try:
            page = self._broker.page(self.member.room, self.offset)
        except StorageError as error:
            self._log_entry.storage_read_failed(str(error))
            return []
        self._skip_to(page.before)
        excluded = self.member.ignoring | {self.member.number}
        return [batch for batch in page.batches if batch.by not in excluded]

    # called by the operator in direct mode

    @property
    def address(self) -> str:
        """The address of the client."""
        return peer_of(self.transport.getPeer())

    @property
    def has_everything(self) -> bool:
        """Whether all messages so far have been sent, or no more will be."""
        return self.is_closing or (self.is_ready and not self.backlog)

    def pause(self) -> None:
        """Pause reading because the operator's screen has no room."""
        self._pauses.begin(PauseReason.SCREEN)

    def resume(self) -> None:
        """Resume reading: the operator's screen has room again."""
        self._pauses.end(PauseReason.SCREEN)

    # called by the broker

    def deliver(self, delivery: Delivery) -> None:
        """Send ``delivery`` if nothing is unsent; otherwise it is read from the log later.

        If it does not begin at this member's offset, the messages in between are read from the log first.
        """
        if self._send_state is not SendState.READY:
            return
        member = self.member
        if member.number in delivery.special or member.ignoring or not self.can_share_buffer:
            self._deliver_filtered(delivery)
        elif delivery.before == self.offset and delivery.batches:
            if self._write_rendering(delivery.rendered[self.renderer]):
                self.offset = delivery.head
                delivery.taken += 1  # the broker counts the lines, once for all members
        elif delivery.batches:
            self._deliver_filtered(delivery)
        else:
            self.write(delivery.rendered[self.renderer].data)

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        self._graceful_close.cut()

    def on_send_timeout(self) -> None:
        """Close the connection: the client has not read for too long."""
        self._log_entry.closing(CloseReason.SEND_TIMEOUT)
        self._graceful_close.cut()

    @property
    def can_share_buffer(self) -> bool:
        """Whether the client can be sent the same bytes as all others with this renderer."""
        return True

    def send_alone(self, rendering: Rendering) -> bool:
        """Send a ``rendering`` of one author's lines; return whether all of it was sent."""
        return self._write_rendering(rendering)

    def send_presence(self, lines: list[str]) -> None:
        """Send ``lines``, notices about members of the room."""
        self.write(self.renderer.render(lines, [], 0).data)

    def _send_page(self, page: Delivery) -> None:
        if self.member.ignoring or not self.can_share_buffer or self.member.number in page.special:
            self._send_batches(page.batches, page.head)
        elif self._write_rendering(page.rendered[self.renderer]):
            self.offset = page.head
            self._broker.counters.lines_sent += page.lines

    def _deliver_filtered(self, delivery: Delivery) -> None:
        """Send ``delivery`` without the member's own messages and those of members that it ignores."""
        notices = delivery.news.notices_for(self.member.number)
        if notices:
            self.send_presence(notices)
        if delivery.batches and delivery.before != self.offset:
            self.catch_up()
        elif delivery.batches and self._send_state is SendState.READY:
            self._send_batches(delivery.batches, delivery.head)

    def _send_batches(self, batches: list[MessageBatch], head: int) -> None:
        excluded = self.member.ignoring | {self.member.number}
        for batch in batches:
            if batch.by not in excluded:
                if not self.send_alone(self.renderer.render([], [batch], batch.first - 1)):
                    return
                self._broker.counters.lines_sent += batch.lines
                self.offset = batch.last
                if self._send_state is not SendState.READY:
                    return
        self.offset = head

    def _write_rendering(self, rendering: Rendering) -> bool:
        """Send ``rendering``; return whether all of it was sent.

        If not, the rest of the line that was begun is queued, the offset is set after that line, and the
        lines after it are read from the log later. If the policy pauses the author instead, all of it is
        queued.
        """
        data = rendering.data
        sent = self._send_now(data)
        if sent == len(data):
            return True
        if self._policy.back_pressure is BackPressure.AUTHOR:
            end = len(data)
        else:
            end = rendering.heading if sent < rendering.heading else data.find(LF, sent) + 1
        self.offset = rendering.reached(end)
        self._broker.counters.lines_sent += self.offset - rendering.before
        self._enqueue(data[sent:end])
        return False

    def _on_drained(self) -> None:
        """Send unsent data, then read on from the log: the transport has nothing left to send."""
        if self._send_state is not SendState.QUEUED:
            return
        self._broker.mark_unblocked(self)
        self.on_sent()
        self._send_state = SendState.BEHIND
        backlog, self._unsent = self._unsent, b""
        rest = backlog[self._send_now(backlog) :] if backlog else b""
        if rest:
            self._enqueue(rest)
        if self.has_room:
            self._pauses.end(PauseReason.ANSWERS)
        self._resume_catching_up()

    def _on_buffer_full(self) -> None:
        """Leave new messages in the log: the buffer of a transport that cannot be bypassed is full."""
        if self._send_state is not SendState.CLOSING:
            self._send_state = SendState.QUEUED
            self._broker.mark_blocked(self)

    def _resume_catching_up(self) -> None:
        if self._send_state is SendState.BEHIND:
            self._send_state = SendState.READY
            self.catch_up()

    def _send_now(self, data: bytes) -> int:
        """Write ``data`` to the socket; return the number of bytes that the kernel accepted."""
        if self._socket is None:
            self._write_through(data)  # the transport accepts all, and reports when its buffer is full
            return len(data)
        try:
            sent = self._socket.send(data)
        except OSError:
            return 0  # its buffer is full; or it is broken, which the transport notices when it writes
        self._broker.counters.bytes_sent += sent
        return sent

    def _write_through(self, data: bytes) -> None:
        """Write ``data`` to the transport, after what it has not sent yet."""
        self._broker.counters.bytes_sent += len(data)
        self.transport.write(data)

    def _enqueue(self, data: bytes) -> None:
        if self._send_state is SendState.CLOSING:
            self._write_through(data)
            return
        self._unsent += data
        if self._send_state is not SendState.QUEUED:
            self._send_state = SendState.QUEUED
            self._write_piece()

    def _write_piece(self) -> None:
        """Give the transport a piece of the unsent data; its next request for more shows progress."""
        data, self._unsent = self._unsent[:_PIECE_SIZE], self._unsent[_PIECE_SIZE:]
        self._broker.mark_blocked(self)
        self._write_through(data)
