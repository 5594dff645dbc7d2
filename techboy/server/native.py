"""The server's end of a native connection: handshake, goodbye and room changes."""

from __future__ import annotations

from functools import partial

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import STORING_FAILS, Member
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.session import Session
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.connection_log import CloseReason, ConnectionLogEntry, null_log_entry
from techboy.net.graceful_close import GracefulClose
from techboy.net.keepalive import Keepalive
from techboy.net.read_pauser import PauseReason, ReadPauser
from techboy.net.rendering import NATIVE, Delivery
from techboy.net.sockets import send_promptly
from techboy.net.transport import IStreamTransport
from techboy.server.admission import HELLO_LIMIT, WELCOME_TIMEOUT, PendingConnection, uncounted_connection
from techboy.server.broker import Broker
from techboy.server.native_input import ConnectionLimits, NativeInput
from techboy.server.sessions import SessionManager
from techboy.storage.interface import MessageBatch
from techboy.wire import frames
from techboy.wire.frames import (
    ClientBye,
    ClientFrame,
    Error,
    Hello,
    InvalidFrame,
    Limits,
    Ping,
    RoomChanged,
    ServerBye,
    Skipped,
    Throttled,
    Welcome,
)
from techboy.wire.native import read_client
from techboy.wire.plain import signed_lines

FRAME_LIMIT = 256 * 1024
"""Maximum length of a frame in bytes, without its line end."""

EARLY_PING_DELAY = 0.5
"""Seconds after which a client whose welcome waits for the storage is sent a ping, as a sign of life."""

_GOODBYE_TIMEOUT = 1.0  # seconds for the client to close its half after ours


@implementer(IHalfCloseableProtocol)
class NativeServerProtocol(NativeInput, BatchReceiver):
    """A client's native connection: a member's `MemberConnection`, and a `SessionConnection`.

    ``log_entry`` is its entry in the connection log, and ``pending`` its place until it is welcomed.
    """

    MAX_LENGTH = HELLO_LIMIT
    transport: IStreamTransport  # which both bases have
    member: Member
    _closed_session: Session | None = None  # the session after the goodbye
    _early_ping: IDelayedCall | None = None
    _welcome_timeout: IDelayedCall | None = None
    _hello: Hello | None = None  # until the welcome
    _connected = True
    _wants_history = True
    _pings = 0

    def __init__(
        self,
        session_manager: SessionManager,
        broker: Broker,
        bucket: TokenBucket,
        limits: ConnectionLimits,
        log_entry: ConnectionLogEntry | None = None,
        pending: PendingConnection | None = None,
    ) -> None:
        self.pending = pending or uncounted_connection()
        self._log_entry = log_entry or null_log_entry(broker.clock.seconds)
        self._session_manager, self._broker, self._bucket = session_manager, broker, bucket
        self._chat, self._limits = session_manager.chat, limits
        self._lifecycle = session_manager.lifecycle
        self.clock = broker.clock
        self._pauses = ReadPauser(self.pauseProducing, self._resume_reading)
        self.keepalive = Keepalive(
            broker.clock,
            limits.ping_interval,
            limits.ping_timeout,
            partial(isolated, self, self._send_ping),
            self._on_ping_timeout,
            is_paused=lambda: self.paused,
        )

    # called by Twisted

    def connectionMade(self) -> None:
        """Wait for the hello."""
        send_promptly(self.transport)
        self._graceful_close = GracefulClose(self.transport, self.clock)
        self.start_delivery()
        self._welcome_timeout = self.clock.callLater(
            WELCOME_TIMEOUT, isolated, self, self._on_welcome_timeout
        )

    def dataReceived(self, data: bytes) -> None:
        """Handle ``data``, which shows that the client is there."""
        self.keepalive.on_received()
        super().dataReceived(data)

    def _resume_reading(self) -> None:
        self.keepalive.on_received()
        self.resumeProducing()

    def lineReceived(self, line: bytes) -> None:
        """Handle one frame."""
        if self.is_closing:
            self._on_frame_after_goodbye(line)
            return
        frame = read_client(line)
        if self._session is None:
            self._on_hello(frame)
        else:
            self._on_frame(frame, self._session)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Close the connection: the frame is longer than `MAX_LENGTH`."""
        if self.is_closing:
            return
        self._log_entry.line_too_long(self.MAX_LENGTH)
        self._broker.counters.reject(RejectReason.FRAME)
        what = "a frame" if self._session is not None else "a hello"
        self.send(Error(frames.BAD_FRAME, f"{what} has at most {self.MAX_LENGTH} bytes"))
        self.close_with(ServerBye(frames.REFUSED, "frames are too long"))

    def readConnectionLost(self) -> None:
        """Handle that the client closed its half: without a goodbye, the connection is lost."""
        self._graceful_close.peer_closed()
        if not self.is_closing:
            self._on_lost()
            self._graceful_close.close()

    def writeConnectionLost(self) -> None:
        """Handle that our half is closed and all data was sent."""
        self._graceful_close.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Clean up: the connection is closed."""
        self._connected = False
        self._cancel_timeouts()
        self._graceful_close.done()
        self.keepalive.stop()
        self._on_lost()
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._session_manager.on_connection_closed(self)

    # called by the session manager

    @property
    def is_open(self) -> bool:
        """Whether the connection is open and no goodbye was sent."""
        return self._connected and not self.is_closing

    def admit(self, member: Member, token: str, after: int, *, resumed: bool) -> None:
        """Send the welcome; see `SessionConnection`."""
        chat, session = self._chat, member.session
        assert session is not None
        self._cancel_timeouts()
        self.keepalive.start()
        self.pending.welcomed()
        self._session, self._hello, self.offset, self.MAX_LENGTH = session, None, after, FRAME_LIMIT
        self._policy = chat.policy_of(member)
        session.bucket = self._bucket = session.bucket or self._bucket
        self._log_entry.joined(member.name, self._room_field(session), resumed=resumed)
        room, limits = member.room, Limits(self._limits.max_line, FRAME_LIMIT)
        self.history_end = 0 if resumed else room.log.last
        self.send(
            Welcome(
                member.name, token, session.next, chat.logs.id,
                after, room.log.last, chat.config.operator_name, limits, room=self._room_field(session),
            )
        )  # fmt: skip
        if not member.hidden:
            self.send_notice(chat.greeting(member, resumed=resumed))

    def start(self) -> None:
        """Start reading, and send the messages after the offset."""
        self._pauses.end(PauseReason.STORE)
        self.catch_up()

    def reject(self, why: str) -> None:
        """Refuse the client for the reason ``why``, and close."""
        self.close_with(ServerBye(frames.REFUSED, why))

    def reject_busy(self, why: str) -> None:
        """Refuse the client because the server is full, and close."""
        self.close_with(ServerBye(frames.BUSY, why))

    def retry_later(self, why: str) -> None:
        """Ask the client to reconnect later, and close."""
        self.close_with(ServerBye(frames.RESTART, why))

    def close_replaced(self) -> None:
        """Close at once: the session continues on another connection."""
        self._session = None
        self._log_entry.closing(CloseReason.SESSION_REPLACED)
        self.stop_delivery()
        self._graceful_close.cut()

    # called by the room

    def send_notice(self, lines: list[str]) -> bool:
        """Send ``lines`` as notices; return False if there is no room for them."""
        data = self.renderer.render(lines, [], 0).data
        room = not self.is_closing and self.check_room_for(data)
        if data and room:
            self.write(data)
        return room

    def send_history(self, batches: list[MessageBatch]) -> bool:
        """Send history as notices, with the time in brackets; return False if there is no room for it."""
        lines = []
        for batch in batches:
            when = f"[{self._chat.clock(batch.at)}] "
            lines += [when + line for line in signed_lines(batch.author, batch.kind, batch.text).split("\n")]
        return self.send_notice(lines)

    def disconnect(self, why: str) -> None:
        """Send a goodbye with the reason ``why``, and close; the session is over."""
        if not self.is_closing:
            self._lifecycle.on_closing(self)
        self.close_with(ServerBye(frames.CLOSED, why or None))

    def close_for_restart(self) -> None:
        """Close because the server is restarting; the client reconnects."""
        self.close_with(ServerBye(frames.RESTART))

    @property
    def idle_seconds(self) -> float:
        """The seconds since the last data from the client."""
        return self.keepalive.idle_seconds

    def on_room_changed(self) -> None:
        """Tell the client that it is in another room, and send that room's messages."""
        member = self.member
        assert member.session is not None
        last = self.history_end = member.room.log.last
        self.offset = member.since if self._wants_history else last
        self.send(RoomChanged(member.session.room, self.offset, last))
        self.send_notice([*self._chat.room_greeting(member), self._chat.member_list(member)])
        self.catch_up()

    # called by the broker

    def deliver(self, delivery: Delivery) -> None:
        """Send ``delivery``, unless the member is hidden."""
        if not self.member.hidden:
            super().deliver(delivery)

    # called by the operator in direct mode

    def on_exit(self) -> None:
        """Do nothing: a native client may read on after its goodbye."""

    def half_close(self, within: float) -> None:
        """Send a goodbye and keep reading, until the client closes or `say_goodbye` is called."""
        self.send(ServerBye(frames.CLOSED))

    def say_goodbye(self, bye: ServerBye, within: float) -> None:
        """Send the goodbye ``bye`` and close within so many seconds."""
        self.close_with(bye, within, within)

    def limit_close(self, seconds: float) -> None:
        """Close after so many seconds; see `GracefulClose.limit_close`."""
        self._graceful_close.limit_close(seconds)

    def close_with(
        self,
        bye: ServerBye,
        within: float = _GOODBYE_TIMEOUT,
        flushed_within: float | None = _GOODBYE_TIMEOUT,
    ) -> None:
        """Send one more page of the log and ``bye``, and close; see `GracefulClose.begin`."""
        if self.is_closing:
            return
        self._cancel_timeouts()
        session, self._session = self._session, None
        self._closed_session = session
        if session is None:
            self._log_entry.rejected(bye.why)
        else:
            self._log_entry.closes(bye.why)
            self._send_remaining_page()
        self.send(bye)
        self.finish_delivery()
        self._pauses.clear()  # so that the client's own goodbye is read
        if session is not None and bye.reason != frames.RESTART:
            self._session_manager.end_session(self)
        self._graceful_close.begin(within, flushed_within)

    # called by `NativeInput`

    def on_goodbye(self) -> None:
        """Have the lifecycle answer the client's goodbye."""
        self._session_manager.on_goodbye(self)

    def run_command(self, line: str) -> list[str]:
        """Run a command, save the session if the command changed it, and return the answer."""
        return self._session_manager.run_command(self, line)

    # called by `LogConsumer`

    def send_skipped(self, lines: int, upto: int) -> None:
        """Report that so many lines were skipped."""
        self.send(Skipped(lines, upto))

    def on_caught_up(self) -> None:
        """Notify the lifecycle."""
        self._lifecycle.on_caught_up(self)

    def send_throttled(self, rate: int) -> None:
        """Report that the client is throttled."""
        self.send(Throttled(rate))

    def _on_hello(self, frame: ClientFrame | InvalidFrame) -> None:
        match frame:
            case InvalidFrame():
                self._broker.counters.reject(RejectReason.FRAME)
                self.send(frame)
                self.close_with(ServerBye(frames.REFUSED, frame.text))
            case Hello() if frame.version != frames.VERSION:
                self._broker.counters.reject(RejectReason.FRAME)
                self.close_with(ServerBye(frames.REFUSED, f"unsupported version: expected {frames.VERSION}"))
            case Hello():
                self._hello, self._wants_history = frame, frame.subscribe
                self._pauses.begin(PauseReason.STORE)  # nothing is read before the welcome
                self._early_ping = self.clock.callLater(
                    EARLY_PING_DELAY, isolated, self, partial(self.send, Ping(0))
                )
                self._session_manager.attach(self, frame)
            case _:
                self._broker.counters.reject(RejectReason.FRAME)
                self.close_with(ServerBye(frames.REFUSED, "expected a hello as the first frame"))

    def _on_frame_after_goodbye(self, line: bytes) -> None:
        """Ignore frames after our goodbye, except the last seen id in the client's own goodbye."""
        frame = read_client(line) if b'"bye"' in line else None
        if self._closed_session is not None and isinstance(frame, ClientBye):
            self._mark_seen(self._closed_session, frame.last_seen_id, frame.room)
            self._session_manager.on_goodbye_answered(self)

    def _send_remaining_page(self) -> None:
        for batch in self.remaining_page():
            self.write(NATIVE.render([], [batch], 0).data)
            self._broker.counters.lines_sent += batch.lines

    def _cancel_timeouts(self) -> None:
        """Stop waiting for the hello and for the storage."""
        for call in (self._early_ping, self._welcome_timeout):
            if call is not None and call.active():
                call.cancel()

    def _on_welcome_timeout(self) -> None:
        """Close: there was no hello, or its session could not be stored in time."""
        if self._hello is None:
            self._on_ping_timeout()
        else:
            self._broker.counters.reject(RejectReason.SESSION)
            self.retry_later(STORING_FAILS)

    def _send_ping(self) -> None:
        self._pings += 1
        self.send(Ping(self._pings))

    def _on_ping_timeout(self) -> None:
        self._log_entry.closing(CloseReason.PING_TIMEOUT)
        self._graceful_close.cut()

    def _on_lost(self) -> None:
        """Stop sending; a client that said no goodbye may resume its session."""
        self.stop_delivery()
        session, self._session = self._session, None
        if session is not None:
            self._log_entry.closing(CloseReason.CONNECTION_LOST)
            self._session_manager.on_connection_lost(self)
