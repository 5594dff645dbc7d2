"""What the frames of a member do on the server: messages, commands, pings and the goodbye."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import STORING_FAILS
from techboy.chat.policy import Rooms
from techboy.chat.server import ChatServer
from techboy.chat.session import Numbering, Session
from techboy.net.connection_log import CloseReason
from techboy.net.read_pauser import PauseReason
from techboy.net.rendering import NATIVE
from techboy.server.delivery import UNSTORED_LIMIT, LogConsumer
from techboy.storage.interface import StorageError
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
    Ping,
    Pong,
    ServerFrame,
)
from techboy.wire.native import encode, within


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of a connection: ``max_line`` in bytes, ``ping_interval`` and ``ping_timeout`` in seconds."""

    max_line: int
    ping_interval: float
    ping_timeout: float


class NativeInput(LogConsumer):
    """The receiving half of a member's native connection: it acts on the frames of a session."""

    renderer = NATIVE
    clock: IReactorTime
    _chat: ChatServer
    _limits: ConnectionLimits
    _session: Session | None = None  # None before the welcome, and after the goodbye
    _release: IDelayedCall | None = None

    # defined by the protocol

    def send_notice(self, lines: list[str]) -> bool:
        """Send ``lines`` as notices; return False if there is no room for them."""
        raise NotImplementedError

    def on_goodbye(self) -> None:
        """Answer the client's goodbye."""
        raise NotImplementedError

    def run_command(self, line: str) -> list[str]:
        """Run a command of the member, and return the answer."""
        raise NotImplementedError

    def send(self, frame: ServerFrame) -> None:
        """Send ``frame``."""
        self.write(encode(frame))

    # called by the room

    def on_stored(self, last: int) -> None:
        """Acknowledge the messages of this member up to the id ``last``."""
        if self._session is not None and not self.is_closing:
            self.send(Ack(self._session.next, last))
        self._pauses.end(PauseReason.STORE)

    def on_not_stored(self, why: str) -> None:
        """Report that messages were not stored; the client sends them again later."""
        if self._session is not None and not self.is_closing:
            self.send(Error(frames.STORAGE_UNAVAILABLE, why, self._session.next))
        self._pauses.end(PauseReason.STORE)

    # called by the protocol

    def _on_frame(self, frame: ClientFrame | InvalidFrame, session: Session) -> None:
        match frame:
            case ClientMessage():
                self._on_message(session, frame)
            case CommandRequest():
                self._on_command(" ".join([frame.name, *frame.args]))
            case Ping(number, last_seen_id, room):
                self._mark_seen(session, last_seen_id, room)
                self.send(Pong(number))
            case Pong():
                pass
            case ClientBye(last_seen_id, room):
                self._log_entry.closing(CloseReason.PEER_CLOSED)
                self._mark_seen(session, last_seen_id, room)
                self.on_goodbye()
            case Hello():
                self._on_invalid_frame(
                    InvalidFrame(frames.UNKNOWN_TYPE, "unexpected hello: the session has begun")
                )
            case InvalidFrame():
                self._on_invalid_frame(frame)

    def _mark_seen(self, session: Session, last_seen_id: int | None, room: str | None) -> None:
        """Note that the client has shown all messages up to ``last_seen_id``, if it is in that ``room``."""
        if last_seen_id is not None and room == self._room_field(session):
            session.seen = max(session.seen, min(last_seen_id, self.member.room.log.last))

    def _room_field(self, session: Session) -> str | None:
        """Return the room that frames name; None if there is only one."""
        return None if self._policy.rooms is Rooms.ONE else session.room

    def _on_invalid_frame(self, error: InvalidFrame) -> None:
        self._log_entry.invalid_frame(error.text)
        self._broker.counters.reject(RejectReason.FRAME)
        self.send(error)

    def _on_command(self, command: str) -> None:
        max_line = self._limits.max_line
        if not within(command, max_line):
            self._broker.counters.reject(RejectReason.LINE)
            self.send(Error(frames.BAD_FIELD, f"a command has at most {max_line} bytes"))
            return
        self.send_notice(self.run_command(command))
        self._log_entry.nick_changed(self.member.name)
        if not self.is_closing:
            self._limit_rate(1)
            self._limit_pending()

    def _on_message(self, session: Session, message: ClientMessage) -> None:
        seq, text = message.seq, message.text
        lines = text.count("\n") + 1
        self._log_entry.lines += lines
        known = session.accept(seq, lines)
        if known is Numbering.GAP:
            self._broker.counters.reject(RejectReason.GAP)
            self.send(Error(frames.OUT_OF_ORDER, "lines before these were not received", session.next))
            return
        self._broker.counters.duplicates += known
        if known == lines:
            if seq + lines <= session.next:
                self.send(Ack(session.next, self.member.room.log.last))
        else:
            self._accept(session, text if not known else text.split("\n", known)[-1], message.kind)
            self._limit_rate(lines)

    def _accept(self, session: Session, text: str, kind: str) -> None:
        """Post the lines of ``text``, which are new; discard and report those that are too long."""
        limit, lines = self._limits.max_line, text.count("\n") + 1
        if within(text, limit) == lines:
            self._post(text, kind)
            return
        kept = [line for line in text.split("\n") if within(line, limit)]
        if kept:
            self._post("\n".join(kept), kind)
        else:
            self._broker.save_session(session, partial(self._discarded, session, session.accepted))
        self._broker.counters.reject(RejectReason.LINE, lines - len(kept))
        self._log_entry.line_too_long(limit)
        self.send(Error(frames.LINE_TOO_LONG, f"a line of more than {limit} bytes was discarded"))

    def _post(self, text: str, kind: str) -> None:
        self._chat.post(self.member, text, kind)
        self._limit_pending()

    def _limit_pending(self) -> None:
        """Pause reading while too many characters are not stored yet."""
        if self.member.pending_chars > UNSTORED_LIMIT:
            self._pauses.begin(PauseReason.STORE)

    def _discarded(self, session: Session, next_seq: int, error: StorageError | None) -> None:
        """Acknowledge lines that were discarded, now that the session is stored with ``next_seq``."""
        if error is None:
            session.mark_stored(next_seq)
            self.on_stored(self.member.room.log.last)
        else:
            session.reset_accepted()
            self.on_not_stored(self.member.describe_error(error, STORING_FAILS))

    def _limit_rate(self, lines: int) -> None:
        """Take ``lines`` from the rate limit; if it is exceeded, pause reading for as long as they need."""
        if self._bucket.unlimited:
            return
        wait = self._bucket.spend(lines, self.clock.seconds())
        if wait > 0:
            self.throttle()
            resume = partial(self._pauses.end, PauseReason.RATE)
            self._release = self.clock.callLater(wait, isolated, self, resume)
