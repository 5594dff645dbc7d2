"""The client's native protocol."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.arguments import first_word
from techboy.chat.messages import Message
from techboy.chat.status import in_lines, lines_wait
from techboy.client.native_events import LEAVING_STATES, ConnectionOwner, NativeClientState, NativePeerEvents
from techboy.client.outbox import Outbox
from techboy.client.session import ClientSession
from techboy.net.addresses import peer_of
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.connection_log import CloseReason, ConnectionLogEntry, null_log_entry
from techboy.net.flow_control import ProducerBridge
from techboy.net.graceful_close import GracefulClose
from techboy.net.keepalive import Keepalive
from techboy.net.rendering import skipped_notice
from techboy.wire import frames
from techboy.wire.frames import (
    Ack,
    ClientBye,
    CommandRequest,
    Error,
    InvalidFrame,
    Notice,
    Ping,
    Pong,
    RoomChanged,
    ServerBye,
    ServerFrame,
    ServerMessage,
    Skipped,
    Throttled,
    Welcome,
)
from techboy.wire.native import encode, message_frame, read_server

LONGEST_FRAME = 2 * 1024 * 1024
"""Bytes in a frame that is taken; a host sends a page at a time, and far shorter ones."""

CAUGHT_UP = 3.0
"""Seconds without lines after which nothing is missing."""

SAY_AGAIN = 15.0
"""Seconds after which is said again what could not be stored."""

_BYE_WITHIN = 1.0  # seconds for the connection to be closed, once both said goodbye


@implementer(IHalfCloseableProtocol)
class NativeClientProtocol(BatchReceiver):
    """A native connection to a server, from its welcome or goodbye on: the `Peer` of a conversation."""

    MAX_LENGTH = LONGEST_FRAME
    address = ""
    _standing = NativeClientState.HELLO
    _bye_heard = False  # the other end said goodbye
    _full = False
    _again: IDelayedCall | None = None
    _deadline: IDelayedCall | None = None
    _within = 0.0
    _pings = 0

    def __init__(
        self,
        conversation: NativePeerEvents,
        owner: ConnectionOwner,
        outbox: Outbox,
        client_session: ClientSession,
        clock: IReactorTime,
        ping: float,
        dead: float,
        name: str | None,
        log_entry: ConnectionLogEntry | None = None,
    ) -> None:
        self._log_entry = log_entry or null_log_entry(clock.seconds)
        self.name, self._wanted = "", name
        self._conversation, self._owner, self._clock = conversation, owner, clock
        self._outbox, self._client_session = outbox, client_session
        self._last = 0  # the id up to which lines were said when this end came in, or into a room
        self._last_lines_at = 0.0
        self._past = 0  # the id up to which lines were said before this end came in
        self.keepalive = Keepalive(clock, ping, dead, self._ask, self._give_up, is_paused=lambda: self.paused)

    # what Twisted calls

    def connectionMade(self) -> None:
        """There is an answer."""
        self.address = peer_of(self.transport.getPeer())
        self._graceful_close = GracefulClose(self.transport, self._clock)
        self.transport.registerProducer(ProducerBridge(self._transport_full, self._transport_ready), True)
        self.keepalive.start()

    def dataReceived(self, data: bytes) -> None:
        """Something arrived."""
        self.keepalive.on_received()
        self._owner.heard()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """A frame arrived."""
        frame = read_server(line)
        if self._standing is NativeClientState.HELLO:
            self._answered(frame)
        elif self._standing is not NativeClientState.TURNED_AWAY:
            self._told(frame)

    def readConnectionLost(self) -> None:
        """The other end closed its half; where it said no goodbye, the connection is lost."""
        self._graceful_close.close()

    def writeConnectionLost(self) -> None:
        """Our half is never closed alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._graceful_close.done()
        self.keepalive.stop()
        for call in (self._again, self._deadline):
            if call is not None and call.active():
                call.cancel()
        self._log_entry.closing(CloseReason.CONNECTION_LOST)
        broken = not self._bye_heard or not reason.check(ConnectionDone)
        if self._standing in (NativeClientState.WELCOME, *LEAVING_STATES) and broken:
            self._conversation.peer_lost()
        elif self._standing is NativeClientState.HELLO:
            self._owner.unanswered()
        elif self._standing is not NativeClientState.TURNED_AWAY:
            self._conversation.peer_gone(clean=True)

    # what the conversation calls

    @property
    def idle_seconds(self) -> float:
        """For how many seconds nothing was heard."""
        return self.keepalive.idle_seconds

    @property
    def missing(self) -> int:
        """How many lines of those said before are still to come.

        One's own do not come, so who has heard no lines for a while has heard all.
        """
        if self._clock.seconds() - self._last_lines_at > CAUGHT_UP and not self.paused:
            return 0
        return max(self._last - self._client_session.received, 0)

    def send_from(self, outbox: Outbox) -> None:
        """Send what waits, as fast as it is taken; it is kept until it is stored."""
        if self._standing is NativeClientState.LEAVING or (self._again is not None and self._again.active()):
            return
        while not self._full and (chunk := outbox.take()) is not None:
            self.transport.write(message_frame(chunk.first, chunk.text, chunk.kind))

    def command(self, line: str) -> None:
        """Send a command, without its slash."""
        word, arguments = first_word(line)
        self.transport.write(encode(CommandRequest(word, (arguments,) if arguments else ())))

    def pause(self) -> None:
        """Stop reading from the peer."""
        self.pauseProducing()

    def resume(self) -> None:
        """Read from the peer again."""
        self.resumeProducing()

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye when all is stored, or after ``flushed_within``; be gone ``within`` after that.

        To a host that throttles this client, nothing more is sent if there is so little time.
        """
        if self._standing is NativeClientState.BYE:
            return
        self._within = within
        in_vain = flushed_within is not None and self._outbox.rate is not None
        self._standing = NativeClientState.LEAVING if in_vain else NativeClientState.PARTING
        self._stop_deadline()
        if self._all_said:
            self._say_goodbye()
        elif flushed_within is not None:
            self._deadline = self._clock.callLater(flushed_within, self._say_goodbye)

    @property
    def _all_said(self) -> bool:
        """Whether nothing is waited for before the goodbye."""
        sent_only = self._standing is NativeClientState.LEAVING
        return not (self._outbox.on_the_way if sent_only else self._outbox.lines)

    def abort(self) -> None:
        """Be gone at once."""
        self._log_entry.closing(CloseReason.CLOSED)
        self._graceful_close.cut()

    def limit_close(self, seconds: float) -> None:
        """Send all and be gone after so many seconds; a later call replaces an earlier one."""
        self._graceful_close.limit_close(seconds)

    # the frames

    def _answered(self, frame: ServerFrame) -> None:
        match frame:
            case Welcome():
                self._welcomed(frame)
            case Ping(number):
                self.transport.write(encode(Pong(number)))
            case ServerBye(reason, text):
                self._standing = NativeClientState.TURNED_AWAY
                self._log_entry.rejected(text or reason)
                self._graceful_close.close()
                if reason == frames.RESTART:
                    self._owner.returning()
                elif reason == frames.BUSY:
                    self._owner.busy(text or reason)
                else:
                    self._owner.refused(text or reason)

    def _welcomed(self, welcome: Welcome) -> None:
        if not self._owner.wants_connection:
            self._standing = NativeClientState.TURNED_AWAY
            self._log_entry.closing(CloseReason.CLOSED)
            self.transport.write(encode(ClientBye()))
            self._graceful_close.close()
            return
        self._standing = NativeClientState.WELCOME
        self.name = welcome.server
        self._to_catch_up(welcome.last_id)
        known = self._client_session.exists
        same = self._client_session.welcomed(
            welcome.session, welcome.log_epoch, welcome.room, welcome.name, welcome.after_id
        )
        agreed = True
        if same:
            agreed = self._outbox.resume(welcome.next_seq)
        else:
            self._outbox.renumber(welcome.next_seq)
            self._past = 0 if known else welcome.last_id
        self._outbox.connected()
        self._log_entry.joined(welcome.name, welcome.room, resumed=known and same)
        if welcome.room is not None:
            self._conversation.peer_hosts_many()
        self._conversation.peer_assigned_nick(welcome.name)
        self._conversation.peer_connected(self)
        if self._wanted not in (None, welcome.name):
            self._conversation.peer_notice(f"you are {welcome.name}")
        if not agreed:
            self._disagreed()

    def _disagreed(self) -> None:
        """Tell that the host and the outbox disagreed about what is stored, and what is done about it."""
        lines = self._outbox.lines
        again = f"; {in_lines(lines)} will be sent again, some perhaps twice" if lines else ""
        self._log_entry.renumbered(lines)
        self._conversation.peer_notice(
            f"{self.name} and this client disagree about what is stored,"
            f" for example after a backup was restored{again}"
        )

    def _to_catch_up(self, last: int) -> None:
        self._last, self._last_lines_at = last, self._clock.seconds()

    def _told(self, frame: ServerFrame) -> None:
        conversation = self._conversation
        match frame:
            case ServerMessage():
                self._message(frame)
            case Ack(next_seq, _):
                self._stored(next_seq)
            case Notice(text):
                conversation.peer_notice(text)
            case Throttled(rate):
                self._throttled(rate)
            case Ping(number):
                self.transport.write(encode(Pong(number)))
            case Pong():
                pass
            case ServerBye():
                self._said_goodbye(frame)
            case Skipped(count, through_id):
                self._client_session.received = max(self._client_session.received, through_id)
                conversation.peer_notice(skipped_notice(count))
            case RoomChanged(room, after_id, last_id):
                self._client_session.moved(room, after_id)
                self._to_catch_up(last_id)
                self._past = last_id
            case InvalidFrame():
                self._log_entry.invalid_frame(frame.text, LogLevel.warn)
            case Error():
                self._failed(frame)

    def _message(self, message: ServerMessage) -> None:
        """Show the lines that were not shown yet; those that come once more are left out."""
        new = self._client_session.receive(message.id, message.last_id, message.text)
        if new is None:
            return
        first, text = new
        self._last_lines_at = self._clock.seconds()
        self._log_entry.lines += message.last_id - first + 1
        past, at = message.last_id <= self._past, message.at / 1000
        self._conversation.peer_message(Message(message.author, text, message.kind, first, at, past))

    def _stored(self, before: int) -> None:
        self._outbox.stored(before)
        self.send_from(self._outbox)
        if not self._leaves():
            self._conversation.peer_acknowledged()

    def _leaves(self) -> bool:
        """Say goodbye if that waited for what is stored now; return whether it was said."""
        if self._standing in LEAVING_STATES and self._all_said:
            self._say_goodbye()
            return True
        return False

    def _throttled(self, rate: int) -> None:
        """Send no faster than that; tell it once."""
        known = self._outbox.rate is not None
        self._outbox.throttled(rate)
        if not known:
            self._log_entry.throttled(rate)
            self._conversation.peer_notice(
                f"{self.name} accepts {in_lines(rate)} a second from this client; the rest waits here"
            )

    def _failed(self, error: Error) -> None:
        match error.code:
            case frames.LINE_TOO_LONG:
                self._conversation.peer_refused(error.text)
            case frames.STORAGE_UNAVAILABLE | frames.OUT_OF_ORDER if error.next_seq is not None:
                self._say_again_later(error)
            case _:
                self._conversation.peer_notice(error.text)

    def _say_again_later(self, error: Error) -> None:
        if not self._outbox.resume(error.next_seq or 1):
            self._disagreed()
        if self._leaves():
            return
        if self._again is not None and self._again.active():
            return  # what was on its way is refused too
        if error.code == frames.STORAGE_UNAVAILABLE:
            self._conversation.peer_notice(
                f"not stored yet: {error.text}. It will be retried; {lines_wait(self._outbox.lines)}"
            )
        self._again = self._clock.callLater(SAY_AGAIN, self.send_from, self._outbox)

    def _said_goodbye(self, bye: ServerBye) -> None:
        self._log_entry.closing(CloseReason.PEER_CLOSED, bye.why)
        if bye.reason == frames.RESTART:
            self._owner.returning()
            self._graceful_close.close()
            return
        if bye.reason != frames.CLOSED:
            self._owner.refused(bye.text or bye.reason)
        elif bye.text:
            self._conversation.peer_notice(bye.text)
        if self._standing is NativeClientState.BYE:
            self._graceful_close.close()
        else:
            self._bye_heard, self._standing = True, NativeClientState.ANSWERED
            self._conversation.peer_left()

    def _say_goodbye(self) -> None:
        answered = self._bye_heard
        self._standing = NativeClientState.BYE
        self._log_entry.closing(CloseReason.CLOSED)
        self._stop_deadline()
        known = self._client_session.known
        self.transport.write(encode(ClientBye(known.seen, known.room)))
        self._graceful_close.limit_close(min(self._within, _BYE_WITHIN) if answered else self._within)
        if answered:
            self._graceful_close.close()

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _transport_full(self) -> None:
        self._full = True

    def _transport_ready(self) -> None:
        self._full = False
        self.send_from(self._outbox)

    def _ask(self) -> None:
        self._pings += 1
        known = self._client_session.known
        self.transport.write(encode(Ping(self._pings, known.seen, known.room)))

    def _give_up(self) -> None:
        self._log_entry.closing(CloseReason.PING_TIMEOUT)
        self._graceful_close.cut()
