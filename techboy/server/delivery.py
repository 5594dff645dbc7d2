"""A member's connection, written to as far as it takes; what it does not take is read from the log later."""

from __future__ import annotations

from enum import Enum, auto
from socket import socket
from typing import cast

from twisted.internet.interfaces import ISSLTransport, ISystemHandle

from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import ROOMS, BackPressure, Policy
from techboy.chat.rate_limit import Bucket
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
"""Bytes of answers and notices that wait for a guest who reads nothing, or one of them if it is longer."""

UNSTORED_LIMIT = 256 * 1024
"""Characters said and not yet stored from which on nothing more is read from their author."""

_PIECE = 512  # bytes, which the kernel takes at once when it takes any


class SendState(Enum):
    """What becomes of what is new."""

    READY = auto()  # all was taken: it is written at once
    BEHIND = auto()  # all that was read from the log was taken: more is read next turn
    QUEUED = auto()  # something waits to be sent: the log is read from when it is
    CLOSING = auto()  # goodbye was said


class LogConsumer:
    """The sending half of a member's connection, for a protocol in a ``dialect``.

    Its transport has a pull producer, which is asked for more whenever there is nothing left to send. As
    long as that is so, what is new goes straight to the socket, without asking the reactor for room first.
    TLS can't be bypassed so; its transport takes what is new until it says that it has enough.
    """

    dialect: Renderer
    member: Member
    transport: IStreamTransport
    cursor = 0
    history_end = 0
    """The id up to which what is sent is history, which is left out if it cannot be read."""
    _policy: Policy = ROOMS
    _broker: Broker
    _pauses: ReadPauser
    _log_entry: ConnectionLogEntry
    _graceful_close: GracefulClose
    _bucket: Bucket
    _shortage_told = 0
    _flow = SendState.READY
    _backlog = b""
    _socket: socket | None = None

    # what a subclass defines

    def send_skipped(self, lines: int, upto: int) -> None:
        """Tell that so many lines, up to the id ``upto``, are left out: forgotten, or unreadable history."""
        raise NotImplementedError

    def send_throttled(self, rate: int) -> None:
        """Tell that ``rate`` lines a second are taken from the member for now."""
        raise NotImplementedError

    def on_sent(self) -> None:
        """Something that had waited was sent."""

    def caught_up(self) -> None:
        """All messages so far are on their way: tell the lifecycle."""
        raise NotImplementedError

    # what it calls

    def start_delivery(self) -> None:
        """Begin to send."""
        transport = self.transport
        if ISystemHandle.providedBy(transport) and not ISSLTransport.providedBy(transport):
            self._socket = cast(socket, transport.getHandle())
            self.transport.registerProducer(DrainProducer(self._emptied), False)
        else:
            self.transport.registerProducer(ProducerBridge(self._full, self._emptied), True)

    def finish_delivery(self) -> None:
        """Hand all that waits to the transport, and take nothing from the log any more."""
        self._flow = SendState.CLOSING
        self._broker.mark_unblocked(self)
        if self._backlog:
            self._pass_on(self._backlog)
            self._backlog = b""

    def stop_delivery(self) -> None:
        """The connection is gone."""
        self._flow = SendState.CLOSING
        self._broker.mark_unblocked(self)

    @property
    def is_closing(self) -> bool:
        """Whether goodbye was said."""
        return self._flow is SendState.CLOSING

    @property
    def has_room(self) -> bool:
        """Whether what is written now does not wait behind too much else."""
        return len(self._backlog) <= UNREAD_LIMIT

    def makes_room_for(self, data: bytes) -> bool:
        """Return whether ``data`` may wait to be sent; if not, read no more until less waits."""
        room = not self._backlog or len(self._backlog) + len(data) <= UNREAD_LIMIT
        if not room:
            self._pauses.begin(PauseReason.ANSWERS)
        return room

    @property
    def is_ready(self) -> bool:
        """Whether everything so far was taken."""
        return self._flow is SendState.READY

    def write(self, data: bytes) -> None:
        """Send ``data`` now if nothing waits, or after what does."""
        if data and self._flow in (SendState.READY, SendState.BEHIND):
            data = data[self._sent(data) :]
        if data:
            self._queue(data)
            if not (self.has_room or self.is_closing):
                self._pauses.begin(PauseReason.ANSWERS)

    def catch_up(self) -> None:
        """Send what follows in the log, a page in each turn of the reactor."""
        if self._flow is SendState.READY and self._send_next_page():
            if self.backlog:
                self._flow = SendState.BEHIND
                self._broker.clock.callLater(0, isolated, self, self._go_on)
            else:
                self.caught_up()

    def _send_next_page(self) -> bool:
        """Send a page of what follows; return whether all of it was taken, and there may be more."""
        if not self.backlog:
            return True
        try:
            page = self._broker.page(self.member.room, self.cursor)
        except StorageError as unreadable:
            return self._skip_history(unreadable)
        self._pass_over(page.before)
        if self._flow is SendState.READY and page.batches:
            self._send_page(page)
        return self._flow is SendState.READY

    def _skip_history(self, why: StorageError) -> bool:
        """Go on after history that cannot be read; close the connection if it is what the member missed."""
        if self.cursor >= self.history_end:
            self._log_entry.storage_read_failed(str(why))
            self._graceful_close.cut()
            return False
        self._broker.report_read_error(why)
        self.send_presence([self.member.describe_error(why, READING_FAILS)])
        self._pass_over(self.history_end)
        return self._flow is SendState.READY

    def _pass_over(self, reached: int) -> None:
        """Tell that what follows up to the id ``reached`` is not sent, if there is anything."""
        missed = reached - self.cursor
        if missed > 0:
            self.cursor = reached
            self.send_skipped(missed, reached)

    @property
    def backlog(self) -> int:
        """How many lines wait in the log: none for a quiet member, which is sent none."""
        return 0 if self.member.hidden else max(self.member.room.log.last - self.cursor, 0)

    def throttle(self) -> None:
        """Read no more because of the rate limit; tell the member if this limit has only now been reached."""
        self._pauses.begin(PauseReason.RATE)
        if self._shortage_told != self._bucket.shortages:
            if not self._shortage_told:
                self._log_entry.throttled(self._bucket.rate)
            self._shortage_told = self._bucket.shortages
            self.send_throttled(self._bucket.rate)

    def remaining_page(self) -> list[MessageBatch]:
        """Return a page of what this member was not sent, if it can be read; tell of what is gone before."""
        if not self.backlog:
            return []
        try:
            page = self._broker.page(self.member.room, self.cursor)
        except StorageError as unreadable:
            self._log_entry.storage_read_failed(str(unreadable))
            return []
        self._pass_over(page.before)
        left_out = self.member.ignoring | {self.member.number}
        return [batch for batch in page.batches if batch.by not in left_out]

    # what the operator of a direct conversation calls

    @property
    def address(self) -> str:
        """Where the client is."""
        return peer_of(self.transport.getPeer())

    @property
    def has_everything(self) -> bool:
        """Whether all that was said so far is on its way, or no more will be."""
        return self.is_closing or (self.is_ready and not self.backlog)

    def pause(self) -> None:
        """Read no more from the client, for want of room on the screen."""
        self._pauses.begin(PauseReason.SCREEN)

    def resume(self) -> None:
        """Read from the client again."""
        self._pauses.end(PauseReason.SCREEN)

    # what the hall calls

    def deliver(self, delivery: Delivery) -> None:
        """Send what is new, if all that was before is sent.

        What does not follow what this member was sent is read from the log instead, by its offset.
        """
        if self._flow is not SendState.READY:
            return
        member = self.member
        if member.number in delivery.special or member.ignoring or not self.can_share_buffer:
            self._hear_some(delivery)
        elif delivery.before == self.cursor and delivery.batches:
            if self._through(delivery.rendered[self.dialect]):
                self.cursor = delivery.head
                delivery.taken += 1  # the hall counts what that means, once for all
        elif delivery.batches:
            self._hear_some(delivery)
        else:
            self.write(delivery.rendered[self.dialect].data)

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        self._graceful_close.cut()

    def on_send_timeout(self) -> None:
        """End a connection that takes nothing."""
        self._log_entry.closing(CloseReason.STALLED)
        self._graceful_close.cut()

    @property
    def can_share_buffer(self) -> bool:
        """Whether it can be sent the bytes that all others are sent."""
        return True

    def send_alone(self, rendering: Rendering) -> bool:
        """Send lines of one author; return whether all were taken."""
        return self._through(rendering)

    def send_presence(self, lines: list[str]) -> None:
        """Tell what is new about who is here."""
        self.write(self.dialect.render(lines, [], 0).data)

    def _send_page(self, page: Delivery) -> None:
        if self.member.ignoring or not self.can_share_buffer or self.member.number in page.special:
            self._send_batches(page.batches, page.head)
        elif self._through(page.rendered[self.dialect]):
            self.cursor = page.head
            self._broker.counters.sent += page.lines

    def _hear_some(self, delivery: Delivery) -> None:
        """Send what is new without what this guest is not to hear, or what follows what it was sent."""
        news = delivery.news.told(self.member.number)
        if news:
            self.send_presence(news)
        if delivery.batches and delivery.before != self.cursor:
            self.catch_up()
        elif delivery.batches and self._flow is SendState.READY:
            self._send_batches(delivery.batches, delivery.head)

    def _send_batches(self, batches: list[MessageBatch], head: int) -> None:
        left_out = self.member.ignoring | {self.member.number}
        for batch in batches:
            if batch.by not in left_out:
                if not self.send_alone(self.dialect.render([], [batch], batch.first - 1)):
                    return
                self._broker.counters.sent += batch.lines
                self.cursor = batch.last
                if self._flow is not SendState.READY:
                    return
        self.cursor = head

    def _through(self, rendering: Rendering) -> bool:
        """Send a rendering; return whether all was taken.

        If not, the line that was begun waits in the transport, the cursor stands after it, and what
        follows is read from the log later; where its author is paused meanwhile, all of it waits.
        """
        data = rendering.data
        sent = self._sent(data)
        if sent == len(data):
            return True
        if self._policy.back_pressure is BackPressure.AUTHOR:
            end = len(data)
        else:
            end = rendering.heading if sent < rendering.heading else data.find(LF, sent) + 1
        self.cursor = rendering.reached(end)
        self._broker.counters.sent += self.cursor - rendering.before
        self._queue(data[sent:end])
        return False

    def _emptied(self) -> None:
        """Go on, the transport having nothing left to send: with what waits here, then from the log."""
        if self._flow is not SendState.QUEUED:
            return
        self._broker.mark_unblocked(self)
        self.on_sent()
        self._flow = SendState.BEHIND
        backlog, self._backlog = self._backlog, b""
        rest = backlog[self._sent(backlog) :] if backlog else b""
        if rest:
            self._queue(rest)
        if self.has_room:
            self._pauses.end(PauseReason.ANSWERS)
        self._go_on()

    def _full(self) -> None:
        """Leave what is new in the log: a transport that can't be bypassed has enough to send."""
        if self._flow is not SendState.CLOSING:
            self._flow = SendState.QUEUED
            self._broker.mark_blocked(self)

    def _go_on(self) -> None:
        if self._flow is SendState.BEHIND:
            self._flow = SendState.READY
            self.catch_up()

    def _sent(self, data: bytes) -> int:
        """Send what the kernel takes of ``data``, and return how much that was."""
        if self._socket is None:
            self._pass_on(data)  # the transport takes it all, and says when it has enough
            return len(data)
        try:
            sent = self._socket.send(data)
        except OSError:
            return 0  # it is full; or broken, which the transport finds out when it tries
        self._broker.counters.bytes_sent += sent
        return sent

    def _pass_on(self, data: bytes) -> None:
        """Have the transport send ``data``, after what waits there."""
        self._broker.counters.bytes_sent += len(data)
        self.transport.write(data)

    def _queue(self, data: bytes) -> None:
        if self._flow is SendState.CLOSING:
            self._pass_on(data)
            return
        self._backlog += data
        if self._flow is not SendState.QUEUED:
            self._flow = SendState.QUEUED
            self._feed()

    def _feed(self) -> None:
        """Give the transport a piece of what waits: that it asks for more is how progress is seen."""
        data, self._backlog = self._backlog[:_PIECE], self._backlog[_PIECE:]
        self._broker.mark_blocked(self)
        self._pass_on(data)
