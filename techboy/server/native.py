"""The door of a guest in a house, who speaks the native dialect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import STORING_FAILS, Member
from techboy.chat.policy import Rooms
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer
from techboy.chat.session import Numbering, Session
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.connection_log import CloseReason, ConnectionLogEntry, null_log_entry
from techboy.net.graceful_close import GracefulClose
from techboy.net.keepalive import Keepalive
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import NATIVE, Delivery
from techboy.net.sockets import send_promptly
from techboy.server.broker import Broker
from techboy.server.delivery import UNSTORED_LIMIT, LogConsumer
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.sessions import SessionConnection
from techboy.server.unwelcomed import HELLO_LIMIT, WELCOME_WITHIN, PendingConnection, uncounted_connection
from techboy.storage.interface import MessageBatch, StorageError
from techboy.wire import frames
from techboy.wire.frames import (
    Ack,
    ClientBye,
    ClientFrame,
    ClientMessage,
    CommandRequest,
    Error,
    Hello,
    InvalidFrame,
    Limits,
    Ping,
    Pong,
    RoomChanged,
    ServerBye,
    ServerFrame,
    Skipped,
    Throttled,
    Welcome,
)
from techboy.wire.native import encode, read_client, within
from techboy.wire.plain import signed_lines

FRAME_LIMIT = 256 * 1024
"""Bytes in a frame, its end not counted."""

SIGN_OF_LIFE = 0.5
"""Seconds after which a caller whose welcome waits for the disk is shown that it was understood."""

_GOODBYE_WITHIN = 1.0  # seconds for a guest to close its half, once we have


class SessionBackend(Protocol):
    """Where a guest comes in: the lodging of a house."""

    chat: ChatServer
    lifecycle: ClientLifecycle

    def attach(self, connection: SessionConnection, hello: Hello) -> None: ...
    def on_disconnect(self, connection: SessionConnection) -> None: ...
    def on_goodbye(self, connection: SessionConnection) -> None: ...
    def left(self, connection: SessionConnection) -> None: ...
    def gone(self, connection: SessionConnection) -> None: ...
    def on_closed(self, connection: SessionConnection) -> None: ...
    def run_command(self, connection: SessionConnection, line: str) -> list[str]: ...


@dataclass(frozen=True)
class ConnectionLimits:
    """What holds for all guests: ``max_line`` bytes in a line, seconds until ``ping`` and until ``dead``."""

    max_line: int
    ping: float
    dead: float


@implementer(IHalfCloseableProtocol)
class NativeServerProtocol(LogConsumer, BatchReceiver):
    """A guest's connection in the native dialect: a member's `MemberConnection`, and a `SessionConnection`.

    ``log_entry``: what is written about it; ``pending``: its place until it is welcomed.
    """

    MAX_LENGTH = HELLO_LIMIT
    dialect = NATIVE
    member: Member
    _session: Session | None = None
    _parting_session: Session | None = None  # the same, once goodbye was said
    _release: IDelayedCall | None = None
    _sign: IDelayedCall | None = None
    _deadline: IDelayedCall | None = None
    _hello: Hello | None = None  # until there is a welcome
    _open = True
    _wants_history = True
    _pings = 0

    def __init__(
        self,
        backend: SessionBackend,
        broker: Broker,
        bucket: TokenBucket,
        terms: ConnectionLimits,
        log_entry: ConnectionLogEntry | None = None,
        pending: PendingConnection | None = None,
    ) -> None:
        self.pending = pending or uncounted_connection()
        self._log_entry = log_entry or null_log_entry(broker.clock.seconds)
        self._backend, self._broker, self._bucket, self._terms = backend, broker, bucket, terms
        self._lifecycle = backend.lifecycle
        self.clock = broker.clock
        self._pauses = ReadPauser(self.pauseProducing, self._read_on)
        self.keepalive = Keepalive(
            broker.clock,
            terms.ping,
            terms.dead,
            partial(isolated, self, self._ask),
            self._give_up,
            deaf=lambda: self.paused,
        )

    # what Twisted calls

    def connectionMade(self) -> None:
        """A caller is there, whose hello follows."""
        send_promptly(self.transport)
        self._graceful_close = GracefulClose(self.transport, self.clock)
        self.start_delivery()
        self._deadline = self.clock.callLater(WELCOME_WITHIN, isolated, self, self._not_welcomed)

    def dataReceived(self, data: bytes) -> None:
        """Something arrived."""
        self.keepalive.heard()
        super().dataReceived(data)

    def _read_on(self) -> None:
        self.keepalive.heard()
        self.resumeProducing()

    def lineReceived(self, line: bytes) -> None:
        """A frame arrived."""
        if self.is_closing:
            self._answered(line)
            return
        frame = read_client(line)
        if self._session is None:
            self._greeted(frame)
        else:
            self._obey(frame, self._session)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A frame is too long, and so is what follows it."""
        if self.is_closing:
            return
        self._log_entry.line_too_long(self.MAX_LENGTH)
        self._broker.counters.reject(RejectReason.FRAME)
        what = "a frame" if self._session is not None else "a hello"
        self.send(Error(frames.BAD_FRAME, f"{what} has at most {self.MAX_LENGTH} bytes"))
        self.close_with(ServerBye(frames.REFUSED, "frames are too long"))

    def readConnectionLost(self) -> None:
        """The caller closed its half: if it said no goodbye, the connection is lost, and the member away."""
        self._graceful_close.peer_closed()
        if not self.is_closing:
            self._lost()
            self._graceful_close.close()

    def writeConnectionLost(self) -> None:
        """Our half is closed, all was sent."""
        self._graceful_close.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._open = False
        self._stop_waiting()
        self._graceful_close.done()
        self.keepalive.stop()
        self._lost()
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._backend.gone(self)

    # what the lodging calls

    @property
    def is_open(self) -> bool:
        """Whether the connection is still there."""
        return self._open and not self.is_closing

    def admitted(self, member: Member, token: str, after: int, *, back: bool) -> None:
        """Welcome the guest."""
        chat, session = self._backend.chat, member.session
        assert session is not None
        self._stop_waiting()
        self.keepalive.start()
        self.pending.welcomed()
        self._session, self._hello, self.cursor, self.MAX_LENGTH = session, None, after, FRAME_LIMIT
        self._policy = chat.policy_of(member)
        session.bucket = self._bucket = session.bucket or self._bucket
        self._log_entry.joined(member.name, self._room(session), back=back)
        room, limits = member.room, Limits(self._terms.max_line, FRAME_LIMIT)
        self.history_end = 0 if back else room.log.last
        self.send(
            Welcome(
                member.name, token, session.next, chat.logs.id,
                after, room.log.last, chat.config.operator_name, limits, room=self._room(session),
            )
        )  # fmt: skip
        if not member.hidden:
            self.send_notice(chat.greeting(member, resumed=back))

    def begin(self) -> None:
        """Hear, and let be heard."""
        self._pauses.end(PauseReason.STORE)
        self.catch_up()

    def refused(self, why: str) -> None:
        """Tell why not, and close."""
        self.close_with(ServerBye(frames.REFUSED, why))

    def busy(self, why: str) -> None:
        """Tell that there is no place, and close."""
        self.close_with(ServerBye(frames.BUSY, why))

    def retry_later(self, why: str) -> None:
        """Ask to come back."""
        self.close_with(ServerBye(frames.RESTART, why))

    def replaced(self) -> None:
        """Close a connection that was dead, or soon will be."""
        self._session = None
        self._log_entry.closing(CloseReason.REPLACED)
        self.stop_delivery()
        self._graceful_close.cut()

    # what the house calls

    def send_notice(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False where too much waits already."""
        data = self.dialect.render(lines, [], 0).data
        room = not self.is_closing and self.makes_room_for(data)
        if data and room:
            self.write(data)
        return room

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Show history, with its time in brackets; return False if too much waits already."""
        lines = []
        for batch in batches:
            when = f"[{self._backend.chat.clock(batch.at)}] "
            lines += [when + line for line in signed_lines(batch.author, batch.kind, batch.text).split("\n")]
        return self.send_notice(lines)

    def on_stored(self, last: int) -> None:
        """Acknowledge what was said."""
        if self._session is not None and not self.is_closing:
            self.send(Ack(self._session.next, last))
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Tell the guest, who says it again later."""
        if self._session is not None and not self.is_closing:
            self.send(Error(frames.STORAGE_UNAVAILABLE, why, self._session.next))
        self._pauses.end(PauseReason.STORE)

    def disconnect(self, why: str) -> None:
        """Tell ``why``, and close for good."""
        if not self.is_closing:
            self._lifecycle.closing(self)
        self.close_with(ServerBye(frames.CLOSED, why or None))

    def restart_notice(self) -> None:
        """Close, because the program ends and may be started again."""
        self.close_with(ServerBye(frames.RESTART))

    @property
    def idle_seconds(self) -> float:
        """For how many seconds nothing was heard."""
        return self.keepalive.idle_seconds

    def on_room_changed(self) -> None:
        """Go on in another room."""
        member = self.member
        assert member.session is not None
        last = self.history_end = member.room.log.last
        self.cursor = member.since if self._wants_history else last
        self.send(RoomChanged(member.session.room, self.cursor, last))
        self.send_notice([*self._backend.chat.room_greeting(member), self._backend.chat.member_list(member)])
        self.catch_up()

    # what the hall calls

    def deliver(self, delivery: Delivery) -> None:
        """Send what is new to one who hears."""
        if not self.member.hidden:
            super().deliver(delivery)

    # what the operator of a direct conversation calls

    def is_over(self) -> None:
        """Who says goodbye in this dialect may still listen."""

    def say_last_words(self, within: float) -> None:
        """Say goodbye, and hear what the guest answers: it closes, or is told to `take_leave`."""
        self.send(ServerBye(frames.CLOSED))

    def take_leave(self, bye: ServerBye, within: float) -> None:
        """Say goodbye and close."""
        self.close_with(bye, within, within)

    def limit_close(self, seconds: float) -> None:
        """Be gone after so many seconds, as `GracefulClose.limit_close` has it."""
        self._graceful_close.limit_close(seconds)

    def close_with(
        self, bye: ServerBye, within: float = _GOODBYE_WITHIN, flushed_within: float | None = _GOODBYE_WITHIN
    ) -> None:
        """Say goodbye after a page of what follows in the log, and close; see `GracefulClose.begin`."""
        if self.is_closing:
            return
        self._stop_waiting()
        session, self._session = self._session, None
        self._parting_session = session
        if session is None:
            self._log_entry.rejected(bye.why)
        else:
            self._log_entry.closes(bye.why)
            self._send_what_is_left()
        self.send(bye)
        self.finish_delivery()
        self._pauses.forget()  # so that the guest's own goodbye is seen
        if session is not None and bye.reason != frames.RESTART:
            self._backend.left(self)
        self._graceful_close.begin(within, flushed_within)

    # what the flow calls

    def send_skipped(self, lines: int, upto: int) -> None:
        """Tell that so many lines were forgotten."""
        self.send(Skipped(lines, upto))

    def caught_up(self) -> None:
        """Tell the lifecycle."""
        self._lifecycle.caught_up(self)

    def send_throttled(self, rate: int) -> None:
        """Tell that lines are taken more slowly."""
        self.send(Throttled(rate))

    def send(self, frame: ServerFrame) -> None:
        """Send ``frame``."""
        self.write(encode(frame))

    def _greeted(self, frame: ClientFrame | InvalidFrame) -> None:
        match frame:
            case InvalidFrame():
                self._broker.counters.reject(RejectReason.FRAME)
                self.send(frame)
                self.close_with(ServerBye(frames.REFUSED, frame.text))
            case Hello() if frame.version != frames.VERSION:
                self._broker.counters.reject(RejectReason.FRAME)
                self.close_with(ServerBye(frames.REFUSED, f"version {frames.VERSION} is spoken here"))
            case Hello():
                self._hello, self._wants_history = frame, frame.subscribe
                self._pauses.begin(PauseReason.STORE)  # nothing is heard before the welcome
                self._sign = self.clock.callLater(SIGN_OF_LIFE, isolated, self, partial(self.send, Ping(0)))
                self._backend.attach(self, frame)
            case _:
                self._broker.counters.reject(RejectReason.FRAME)
                self.close_with(ServerBye(frames.REFUSED, "a hello comes first"))

    def _obey(self, frame: ClientFrame | InvalidFrame, session: Session) -> None:
        match frame:
            case ClientMessage():
                self._said(session, frame)
            case CommandRequest():
                self._do(" ".join([frame.name, *frame.args]))
            case Ping(number, last_seen_id, room):
                self._seen(session, last_seen_id, room)
                self.send(Pong(number))
            case Pong():
                pass
            case ClientBye(last_seen_id, room):
                self._log_entry.closing(CloseReason.LEFT)
                self._seen(session, last_seen_id, room)
                self._backend.on_goodbye(self)
            case Hello():
                self._misread(InvalidFrame(frames.UNKNOWN_TYPE, "hello was said before"))
            case InvalidFrame():
                self._misread(frame)

    def _misread(self, why: InvalidFrame) -> None:
        self._log_entry.invalid_frame(why.text)
        self._broker.counters.reject(RejectReason.FRAME)
        self.send(why)

    def _answered(self, line: bytes) -> None:
        """Take no notice of what comes after the goodbye, but of how far the guest had read."""
        frame = read_client(line) if b'"bye"' in line else None
        if self._parting_session is not None and isinstance(frame, ClientBye):
            self._seen(self._parting_session, frame.last_seen_id, frame.room)
            self._backend.on_closed(self)

    def _seen(self, session: Session, last_seen_id: int | None, room: str | None) -> None:
        """The guest has shown everything up to there."""
        if last_seen_id is not None and room == self._room(session):
            session.seen = max(session.seen, min(last_seen_id, self.member.room.log.last))

    def _room(self, session: Session) -> str | None:
        return None if self._policy.rooms is Rooms.ONE else session.room

    def _do(self, command: str) -> None:
        if not within(command, self._terms.max_line):
            self._broker.counters.reject(RejectReason.LINE)
            self.send(Error(frames.BAD_FIELD, f"a command has at most {self._terms.max_line} bytes"))
            return
        self.send_notice(self._backend.run_command(self, command))
        self._log_entry.nick_changed(self.member.name)
        if not self.is_closing:
            self._slow_down(1)
            self._wait_for_store()

    def _said(self, session: Session, message: ClientMessage) -> None:
        seq, text = message.seq, message.text
        lines = text.count("\n") + 1
        self._log_entry.lines += lines
        known = session.accept(seq, lines)
        if known is Numbering.GAP:
            self._broker.counters.reject(RejectReason.GAP)
            self.send(Error(frames.OUT_OF_ORDER, "lines before these never came", session.next))
            return
        self._broker.counters.duplicates += known
        if known == lines:
            if seq + lines <= session.next:
                self.send(Ack(session.next, self.member.room.log.last))
        else:
            self._take(session, text if not known else text.split("\n", known)[-1], message.kind)
            self._slow_down(lines)

    def _take(self, session: Session, text: str, kind: str) -> None:
        """Say ``text``, whose lines are new and counted, but those that are too long; then tell of these."""
        limit, lines = self._terms.max_line, text.count("\n") + 1
        if within(text, limit) == lines:
            self._hand_over(text, kind)
            return
        kept = [line for line in text.split("\n") if within(line, limit)]
        if kept:
            self._hand_over("\n".join(kept), kind)
        else:
            self._broker.save_session(session, partial(self._passed_over, session, session.accepted))
        self._broker.counters.reject(RejectReason.LINE, lines - len(kept))
        self._log_entry.line_too_long(limit)
        self.send(Error(frames.LINE_TOO_LONG, f"a line of more than {limit} bytes was discarded"))

    def _hand_over(self, text: str, kind: str) -> None:
        self._backend.chat.post(self.member, text, kind)
        self._wait_for_store()

    def _wait_for_store(self) -> None:
        """Read no more while too much waits to be stored."""
        if self.member.pending_chars > UNSTORED_LIMIT:
            self._pauses.begin(PauseReason.STORE)

    def _passed_over(self, session: Session, before: int, hindrance: StorageError | None) -> None:
        if hindrance is None:
            session.mark_stored(before)
            self.on_stored(self.member.room.log.last)
        else:
            session.reset_accepted()
            self.on_not_stored(self.member.describe_error(hindrance, STORING_FAILS))

    def _slow_down(self, lines: int) -> None:
        """Read no more for as long as so many lines may take."""
        if self._bucket.unlimited:
            return
        wait = self._bucket.spend(lines, self.clock.seconds())
        if wait > 0:
            self.throttle()
            resume = partial(self._pauses.end, PauseReason.RATE)
            self._release = self.clock.callLater(wait, isolated, self, resume)

    def _send_what_is_left(self) -> None:
        for batch in self.remaining_page():
            self.write(NATIVE.render([], [batch], 0).data)
            self._broker.counters.lines_sent += batch.lines

    def _stop_waiting(self) -> None:
        """Wait neither for a hello nor for a disk."""
        for call in (self._sign, self._deadline):
            if call is not None and call.active():
                call.cancel()

    def _not_welcomed(self) -> None:
        """Close: the hello never came, or its session could not be stored in time."""
        if self._hello is None:
            self._give_up()
        else:
            self._broker.counters.reject(RejectReason.SESSION)
            self.retry_later(STORING_FAILS)

    def _ask(self) -> None:
        self._pings += 1
        self.send(Ping(self._pings))

    def _give_up(self) -> None:
        self._log_entry.closing(CloseReason.SILENT)
        self._graceful_close.cut()

    def _lost(self) -> None:
        """Send nothing any more; a member that said no goodbye is away from now on."""
        self.stop_delivery()
        session, self._session = self._session, None
        if session is not None:
            self._log_entry.closing(CloseReason.LOST)
            self._backend.on_disconnect(self)
