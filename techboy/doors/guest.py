"""The door of a guest in a house, who speaks plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from socket import socket
from typing import cast

from twisted.internet.interfaces import IDelayedCall, ISSLTransport, ISystemHandle

from techboy.chat.house import House
from techboy.chat.member import Member
from techboy.chat.rate import Bucket
from techboy.doors.flow import Congestion, Refill
from techboy.doors.hall import PAGE, Delivery, Hall, gone, notices, runs
from techboy.doors.receiver import PlainReceiver
from techboy.logs.contract import Batch
from techboy.wire.lines import LF
from techboy.wire.plain import HOST, Command, Goodbye, Said, in_room, notice

UNREAD_LIMIT = 64 * 1024
"""Bytes of answers and notices that wait for a guest who reads nothing."""

_GOODBYE_WITHIN = 1.0  # seconds for a guest to close its half, once we have


class Flow(Enum):
    """What becomes of what is new."""

    READY = auto()  # all was taken: it is written at once
    BEHIND = auto()  # all that was read from the log was taken: more is read next turn
    QUEUED = auto()  # something waits to be sent: the log is read from when it is
    CLOSING = auto()  # goodbye was said


class GuestDoor(PlainReceiver):
    """A guest's connection: a member's `Guest`.

    Its transport has a pull producer, which is asked for more whenever there is nothing left to send. As
    long as that is so, what is new goes straight to the socket, without asking the reactor for room first.
    TLS can't be bypassed so; its transport takes what is new until it says that it has enough.
    """

    member: Member
    _flow = Flow.READY
    _backlog = b""
    _held = b""
    _release: IDelayedCall | None = None
    _socket: socket | None = None

    def __init__(self, house: House, hall: Hall, bucket: Bucket, max_line: int) -> None:
        super().__init__(hall.clock, max_line)
        self._house, self._hall, self._bucket = house, hall, bucket
        self.cursor = 0

    # what the receiver calls

    def came(self) -> None:
        """Bring the guest in."""
        if ISystemHandle.providedBy(self.transport) and not ISSLTransport.providedBy(self.transport):
            self._socket = cast(socket, self.transport.getHandle())
        self.member = self._house.enter(self, self.clock.seconds())
        self.cursor = self.member.room.log.last
        if self._socket is not None:
            self.transport.registerProducer(Refill(self._emptied), False)
        else:
            self.transport.registerProducer(Congestion(self._full, self._emptied), True)
        self._greet(self._house.welcome(self.member))

    def heard(self, block: bytes) -> None:
        """Do and say what the guest's lines mean, as fast as it may."""
        if self._flow is Flow.CLOSING:
            return
        allowed = block if self._bucket.unlimited else self._allowed(block)
        if allowed is not None:
            self._obey(allowed)

    def left(self) -> None:
        """Answer the guest's goodbye."""
        self.goodbye("")

    def gone(self, clean: bool) -> None:
        """Forget the guest."""
        self._flow = Flow.CLOSING
        self._hall.waits_no_more(self)
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._house.leave(self.member)

    # what the house calls

    def tell(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False where too much waits already."""
        if len(self._backlog) > UNREAD_LIMIT:
            return False
        if lines:
            self.write_lines(notices(lines)[:-1])
        return True

    def recall(self, batches: list[Batch]) -> bool:
        """Show what was said before, with its time in brackets, unless too much waits already."""
        if batches and len(self._backlog) <= UNREAD_LIMIT:
            self.write_lines("\n".join(self._past(batches)).encode())
        return bool(batches)

    def goodbye(self, why: str) -> None:
        """Tell ``why``, unless that is clear, and close."""
        if self._flow is Flow.CLOSING:
            return
        if self._flow is not Flow.READY:
            self._send_what_is_left()
        if why:
            self.notice(why)
        self._flow = Flow.CLOSING
        self.hear_no_more()
        if self.paused:
            self.resumeProducing()  # so that the guest's own goodbye is seen
        self._house.leave(self.member)
        self._hall.waits_no_more(self)
        self.transport.write(self._backlog)
        self._backlog = b""
        self.part(_GOODBYE_WITHIN, _GOODBYE_WITHIN)

    def give_up(self) -> None:
        """Close the connection to a guest who can't be understood."""
        self.goodbye("")

    def moved(self) -> None:
        """Go on in another room."""
        self.cursor = self.member.room.log.last
        self._greet(self._house.arrival(self.member))

    # what the hall calls

    def hear(self, delivery: Delivery) -> None:
        """Send what is new, if all that was before is sent."""
        if self._flow is not Flow.READY:
            return
        member = self.member
        if member.number in delivery.special or member.ignoring or not self.ends_lines:
            self._hear_some(delivery)
        elif self._through(delivery.data, delivery.lines_at, delivery.before):
            self.cursor = delivery.head

    def stalled(self) -> None:
        """End a connection that takes nothing."""
        self.transport.abortConnection()

    def write(self, data: bytes) -> None:
        """Send ``data`` now if nothing waits, or after what does."""
        if self._flow in (Flow.READY, Flow.BEHIND):
            data = data[self._sent(data) :]
        if data:
            self._queue(data)

    def _emptied(self) -> None:
        """Go on, the transport having nothing left to send: with what waits here, then from the log."""
        if self._flow is not Flow.QUEUED:
            return
        self._hall.waits_no_more(self)
        self.wrote_now()
        self._flow = Flow.BEHIND
        backlog, self._backlog = self._backlog, b""
        self.write(backlog)
        self._go_on()

    def _full(self) -> None:
        """Leave what is new in the log: a transport that can't be bypassed has enough to send."""
        if self._flow is not Flow.CLOSING:
            self._flow = Flow.QUEUED
            self._hall.waits(self)

    def _go_on(self) -> None:
        if self._flow is Flow.BEHIND:
            self._flow = Flow.READY
            self._catch_up()

    def _send_what_is_left(self) -> None:
        left_out = self.member.ignoring | {self.member.number}
        for data, _, _ in runs(self.member.room.log.read(self.cursor, PAGE), left_out):
            self.write_lines(data[:-1])

    def _obey(self, block: bytes) -> None:
        for event in HOST.understand(block):
            match event:
                case Said(text):
                    self._house.said(self.member, text)
                case Command(line):
                    self.tell(self._house.commanded(self.member, line))
                case Goodbye():
                    self.goodbye("goodbye")
            if self._flow is Flow.CLOSING:
                return

    def _allowed(self, block: bytes) -> bytes | None:
        """Return the lines of ``block`` that may be said now, None for none, and keep the rest for later."""
        lines = block.count(LF) + 1
        allowed = self._bucket.take(lines, self.clock.seconds())
        if allowed < lines:
            block = self._hold(block, lines, allowed)
        return block if allowed else None

    def _hold(self, block: bytes, lines: int, allowed: int) -> bytes:
        """Keep all lines of ``block`` but those ``allowed`` for later, read no more, and return these."""
        parts = block.split(LF, allowed)
        self._held = parts[-1]
        self.pauseProducing()
        wait = self._bucket.wait(min(lines - allowed, _RELEASED_TOGETHER))
        self._release = self.clock.callLater(wait, self._release_held)
        return LF.join(parts[:-1])

    def _release_held(self) -> None:
        held, self._held = self._held, b""
        self.heard(held)
        if not self._held and self._flow is not Flow.CLOSING:
            self.resumeProducing()

    def _greet(self, greeting: list[str]) -> None:
        past = list(self._past(self._house.history(self.member)))
        lines = [*map(notice, greeting), *past, notice(self._house.company(self.member))]
        self.write_lines("\n".join(lines).encode())

    def _past(self, batches: list[Batch]) -> Iterator[str]:
        for batch in batches:
            when = f"[{self._house.clock(batch.at)}] "
            yield when + in_room(batch.author, batch.kind, batch.text).replace("\n", f"\n{when}")

    def _hear_some(self, delivery: Delivery) -> None:
        """Send what is new without what this guest is not to hear."""
        member = self.member
        news = delivery.news.told(member.number)
        if news:
            self.write_lines(notices(news)[:-1])
        if self._flow is Flow.READY:
            self._send_batches(delivery.batches, delivery.head)

    def _catch_up(self) -> None:
        log = self.member.room.log
        if self.cursor >= log.last or self._flow is not Flow.READY:
            return
        missed = log.forgotten - self.cursor
        if missed > 0:
            self.notice(gone(missed))
            self.cursor = log.forgotten
            if self._flow is not Flow.READY:
                return
        data, batches = self._hall.page(self.member.room, self.cursor)
        if self.member.ignoring or not self.ends_lines or any(b.by == self.member.number for b in batches):
            self._send_batches(batches, batches[-1].last)
        elif self._through(data, 0, self.cursor):
            self.cursor = batches[-1].last
        if self._flow is Flow.READY and self.cursor < log.last:
            self._flow = Flow.BEHIND
            self.clock.callLater(0, self._go_on)

    def _send_batches(self, batches: list[Batch], head: int) -> None:
        for data, before, last in runs(batches, self.member.ignoring | {self.member.number}):
            if not self.ends_lines:
                self.write_lines(data[:-1])
            elif not self._through(data, 0, before):
                return
            self.cursor = last
            if self._flow is not Flow.READY:
                return
        self.cursor = head

    def _through(self, data: bytes, lines_at: int, before: int) -> bool:
        """Send ``data``, whose lines from the byte ``lines_at`` on have the ids after ``before``.

        Return whether all was taken. If not, the line that was begun waits in the transport, the cursor
        stands after it, and what follows is read from the log later.
        """
        sent = self._sent(data)
        if sent == len(data):
            return True
        end = lines_at if sent < lines_at else data.find(LF, sent) + 1
        self.cursor = before + data.count(LF, lines_at, end)
        self._queue(data[sent:end])
        return False

    def _sent(self, data: bytes) -> int:
        """Send what the kernel takes of ``data``, and return how much that was."""
        if self._socket is None:
            self.transport.write(data)  # which takes it all, and says when it has enough
            return len(data)
        try:
            return self._socket.send(data)
        except OSError:
            return 0  # it is full; or broken, which the transport finds out when it tries

    def _queue(self, data: bytes) -> None:
        if self._flow is Flow.CLOSING:
            self.transport.write(data)
            return
        self._backlog += data
        if self._flow is not Flow.QUEUED:
            self._flow = Flow.QUEUED
            self._feed()

    def _feed(self) -> None:
        """Give the transport a piece of what waits: that it asks for more is how progress is seen."""
        data, self._backlog = self._backlog[:_PIECE], self._backlog[_PIECE:]
        self._hall.waits(self)
        self.transport.write(data)


_PIECE = 512  # bytes, which the kernel takes at once when it takes any
_RELEASED_TOGETHER = 20  # lines, so that a flood is not said one by one
