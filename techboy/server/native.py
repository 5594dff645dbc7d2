"""The door of a guest in a house, who speaks the native dialect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.counters import Refusal
from techboy.chat.isolation import isolated
from techboy.chat.member import STORING_FAILS, Member
from techboy.chat.policy import Rooms
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House
from techboy.chat.session import Numbering, Session
from techboy.net.batch_receiver import ChunkReceiver
from techboy.net.connection_log import End, Record, unrecorded
from techboy.net.graceful_close import Parting
from techboy.net.keepalive import Pulse
from techboy.net.read_pauser import Pauses, Reason
from techboy.net.rendering import NATIVE, Delivery
from techboy.net.sockets import send_promptly
from techboy.server.broker import Hall
from techboy.server.delivery import UNSTORED_LIMIT, FlowingDoor
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.sessions import Lodger
from techboy.server.unwelcomed import HELLO_LIMIT, WELCOME_WITHIN, Stranger, uncounted
from techboy.storage.interface import Batch, StorageError
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
from techboy.wire.native import read_client, within, written
from techboy.wire.plain import in_room

FRAME_LIMIT = 256 * 1024
"""Bytes in a frame, its end not counted."""

SIGN_OF_LIFE = 0.5
"""Seconds after which a caller whose welcome waits for the disk is shown that it was understood."""

_GOODBYE_WITHIN = 1.0  # seconds for a guest to close its half, once we have


class Stage(Protocol):
    """Where a guest comes in: the lodging of a house."""

    house: House
    lifecycle: ClientLifecycle

    def arrive(self, guest: Lodger, hello: Hello) -> None: ...
    def lost(self, guest: Lodger) -> None: ...
    def said_goodbye(self, guest: Lodger) -> None: ...
    def left(self, guest: Lodger) -> None: ...
    def gone(self, guest: Lodger) -> None: ...
    def parted(self, guest: Lodger) -> None: ...
    def obey(self, guest: Lodger, line: str) -> list[str]: ...


@dataclass(frozen=True)
class Terms:
    """What holds for all guests: ``max_line`` bytes in a line, seconds until ``ping`` and until ``dead``."""

    max_line: int
    ping: float
    dead: float


@implementer(IHalfCloseableProtocol)
class NativeGuest(FlowingDoor, ChunkReceiver):
    """A guest's connection in the native dialect: a member's `Guest`, and a `Lodger`.

    ``record``: what is written about it; ``stranger``: its place until it is welcomed.
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
        stage: Stage,
        hall: Hall,
        bucket: Bucket,
        terms: Terms,
        record: Record | None = None,
        stranger: Stranger | None = None,
    ) -> None:
        self.stranger = stranger or uncounted()
        self._record = record or unrecorded(hall.clock.seconds)
        self._stage, self._hall, self._bucket, self._terms = stage, hall, bucket, terms
        self._lifecycle = stage.lifecycle
        self.clock = hall.clock
        self._pauses = Pauses(self.pauseProducing, self._read_on)
        self.pulse = Pulse(
            hall.clock,
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
        self._parting = Parting(self.transport, self.clock)
        self.open_flow()
        self._deadline = self.clock.callLater(WELCOME_WITHIN, isolated, self, self._not_welcomed)

    def dataReceived(self, data: bytes) -> None:
        """Something arrived."""
        self.pulse.heard()
        super().dataReceived(data)

    def _read_on(self) -> None:
        self.pulse.heard()
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
        self._record.too_long(self.MAX_LENGTH)
        self._hall.tally.refuse(Refusal.FRAME)
        what = "a frame" if self._session is not None else "a hello"
        self.send(Error(frames.BAD_FRAME, f"{what} has at most {self.MAX_LENGTH} bytes"))
        self.close_with(ServerBye(frames.REFUSED, "frames are too long"))

    def readConnectionLost(self) -> None:
        """The caller closed its half: if it said no goodbye, the connection is lost, and the member away."""
        self._parting.peer_closed()
        if not self.is_closing:
            self._lost()
            self._parting.close()

    def writeConnectionLost(self) -> None:
        """Our half is closed, all was sent."""
        self._parting.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._open = False
        self._stop_waiting()
        self._parting.done()
        self.pulse.stop()
        self._lost()
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._stage.gone(self)

    # what the lodging calls

    @property
    def is_open(self) -> bool:
        """Whether the connection is still there."""
        return self._open and not self.is_closing

    def admitted(self, member: Member, token: str, after: int, *, back: bool) -> None:
        """Welcome the guest."""
        house, session = self._stage.house, member.session
        assert session is not None
        self._stop_waiting()
        self.pulse.start()
        self.stranger.welcomed()
        self._session, self._hello, self.cursor, self.MAX_LENGTH = session, None, after, FRAME_LIMIT
        self._policy = house.policy_of(member)
        session.bucket = self._bucket = session.bucket or self._bucket
        self._record.entered(member.name, self._room(session), back=back)
        room, limits = member.room, Limits(self._terms.max_line, FRAME_LIMIT)
        self.history_end = 0 if back else room.log.last
        self.send(
            Welcome(
                member.name, token, session.next, house.logs.id,
                after, room.log.last, house.rules.host, limits, room=self._room(session),
            )
        )  # fmt: skip
        if not member.quiet:
            self.tell(house.greeting(member, back=back))

    def begin(self) -> None:
        """Hear, and let be heard."""
        self._pauses.end(Reason.STORE)
        self.catch_up()

    def refused(self, why: str) -> None:
        """Tell why not, and close."""
        self.close_with(ServerBye(frames.REFUSED, why))

    def busy(self, why: str) -> None:
        """Tell that there is no place, and close."""
        self.close_with(ServerBye(frames.BUSY, why))

    def put_off(self, why: str) -> None:
        """Ask to come back."""
        self.close_with(ServerBye(frames.RESTART, why))

    def replaced(self) -> None:
        """Close a connection that was dead, or soon will be."""
        self._session = None
        self._record.ends(End.REPLACED)
        self.drop_flow()
        self._parting.cut()

    # what the house calls

    def tell(self, lines: list[str]) -> bool:
        """Show lines about the house itself; return False where too much waits already."""
        data = self.dialect.render(lines, [], 0).data
        room = not self.is_closing and self.makes_room_for(data)
        if data and room:
            self.write(data)
        return room

    def recall(self, batches: list[Batch]) -> bool:
        """Show history, with its time in brackets; return False if too much waits already."""
        lines = []
        for batch in batches:
            when = f"[{self._stage.house.clock(batch.at)}] "
            lines += [when + line for line in in_room(batch.author, batch.kind, batch.text).split("\n")]
        return self.tell(lines)

    def stored(self, last: int) -> None:
        """Acknowledge what was said."""
        if self._session is not None and not self.is_closing:
            self.send(Ack(self._session.next, last))
        self._pauses.end(Reason.STORE)

    def not_stored(self, why: str) -> None:
        """Tell the guest, who says it again later."""
        if self._session is not None and not self.is_closing:
            self.send(Error(frames.STORAGE_UNAVAILABLE, why, self._session.next))
        self._pauses.end(Reason.STORE)

    def goodbye(self, why: str) -> None:
        """Tell ``why``, and close for good."""
        if not self.is_closing:
            self._lifecycle.closing(self)
        self.close_with(ServerBye(frames.CLOSED, why or None))

    def come_back_later(self) -> None:
        """Close, because the program ends and may be started again."""
        self.close_with(ServerBye(frames.RESTART))

    @property
    def silence(self) -> float:
        """For how many seconds nothing was heard."""
        return self.pulse.silence

    def moved(self) -> None:
        """Go on in another room."""
        member = self.member
        assert member.session is not None
        last = self.history_end = member.room.log.last
        self.cursor = member.since if self._wants_history else last
        self.send(RoomChanged(member.session.room, self.cursor, last))
        self.tell([*self._stage.house.arrival(member), self._stage.house.company(member)])
        self.catch_up()

    # what the hall calls

    def hear(self, delivery: Delivery) -> None:
        """Send what is new to one who hears."""
        if not self.member.quiet:
            super().hear(delivery)

    # what the operator of a direct conversation calls

    def is_over(self) -> None:
        """Who says goodbye in this dialect may still listen."""

    def say_last_words(self, within: float) -> None:
        """Say goodbye, and hear what the guest answers: it closes, or is told to `take_leave`."""
        self.send(ServerBye(frames.CLOSED))

    def take_leave(self, bye: ServerBye, within: float) -> None:
        """Say goodbye and close."""
        self.close_with(bye, within, within)

    def end_within(self, seconds: float) -> None:
        """Be gone after so many seconds, as `Parting.end_within` has it."""
        self._parting.end_within(seconds)

    def close_with(
        self, bye: ServerBye, within: float = _GOODBYE_WITHIN, flushed_within: float | None = _GOODBYE_WITHIN
    ) -> None:
        """Say goodbye with what follows in the log, if it is a little, and close; see `Parting.begin`."""
        if self.is_closing:
            return
        self._stop_waiting()
        session, self._session = self._session, None
        self._parting_session = session
        if session is None:
            self._record.turned_away(bye.why)
        else:
            self._record.closes(bye.why)
            self._send_what_is_left()
        self.send(bye)
        self.close_flow()
        self._pauses.forget()  # so that the guest's own goodbye is seen
        if session is not None and bye.reason != frames.RESTART:
            self._stage.left(self)
        self._parting.begin(within, flushed_within)

    # what the flow calls

    def tell_gone(self, lines: int, upto: int) -> None:
        """Tell that so many lines were forgotten."""
        self.send(Skipped(lines, upto))

    def caught_up(self) -> None:
        """Tell the lifecycle."""
        self._lifecycle.caught_up(self)

    def tell_throttled(self, rate: int) -> None:
        """Tell that lines are taken more slowly."""
        self.send(Throttled(rate))

    def send(self, frame: ServerFrame) -> None:
        """Send ``frame``."""
        self.write(written(frame))

    def _greeted(self, frame: ClientFrame | InvalidFrame) -> None:
        match frame:
            case InvalidFrame():
                self._hall.tally.refuse(Refusal.FRAME)
                self.send(frame)
                self.close_with(ServerBye(frames.REFUSED, frame.text))
            case Hello() if frame.version != frames.VERSION:
                self._hall.tally.refuse(Refusal.FRAME)
                self.close_with(ServerBye(frames.REFUSED, f"version {frames.VERSION} is spoken here"))
            case Hello():
                self._hello, self._wants_history = frame, frame.subscribe
                self._pauses.begin(Reason.STORE)  # nothing is heard before the welcome
                self._sign = self.clock.callLater(SIGN_OF_LIFE, isolated, self, partial(self.send, Ping(0)))
                self._stage.arrive(self, frame)
            case _:
                self._hall.tally.refuse(Refusal.FRAME)
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
                self._record.ends(End.LEFT)
                self._seen(session, last_seen_id, room)
                self._stage.said_goodbye(self)
            case Hello():
                self._misread(InvalidFrame(frames.UNKNOWN_TYPE, "hello was said before"))
            case InvalidFrame():
                self._misread(frame)

    def _misread(self, why: InvalidFrame) -> None:
        self._record.misread(why.text)
        self._hall.tally.refuse(Refusal.FRAME)
        self.send(why)

    def _answered(self, line: bytes) -> None:
        """Take no notice of what comes after the goodbye, but of how far the guest had read."""
        frame = read_client(line) if b'"bye"' in line else None
        if self._parting_session is not None and isinstance(frame, ClientBye):
            self._seen(self._parting_session, frame.last_seen_id, frame.room)
            self._stage.parted(self)

    def _seen(self, session: Session, last_seen_id: int | None, room: str | None) -> None:
        """The guest has shown everything up to there."""
        if last_seen_id is not None and room == self._room(session):
            session.seen = max(session.seen, min(last_seen_id, self.member.room.log.last))

    def _room(self, session: Session) -> str | None:
        return None if self._policy.rooms is Rooms.ONE else session.room

    def _do(self, command: str) -> None:
        if not within(command, self._terms.max_line):
            self._hall.tally.refuse(Refusal.LINE)
            self.send(Error(frames.BAD_FIELD, f"a command has at most {self._terms.max_line} bytes"))
            return
        self.tell(self._stage.obey(self, command))
        self._record.called(self.member.name)
        if not self.is_closing:
            self._slow_down(1)
            self._wait_for_store()

    def _said(self, session: Session, message: ClientMessage) -> None:
        seq, text = message.seq, message.text
        lines = text.count("\n") + 1
        self._record.lines += lines
        known = session.accept(seq, lines)
        if known is Numbering.GAP:
            self._hall.tally.refuse(Refusal.GAP)
            self.send(Error(frames.OUT_OF_ORDER, "lines before these never came", session.next))
            return
        self._hall.tally.duplicates += known
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
            self._hall.remember(session, partial(self._passed_over, session, session.accepted))
        self._hall.tally.refuse(Refusal.LINE, lines - len(kept))
        self._record.too_long(limit)
        self.send(Error(frames.LINE_TOO_LONG, f"a line of more than {limit} bytes was discarded"))

    def _hand_over(self, text: str, kind: str) -> None:
        self._stage.house.said(self.member, text, kind)
        self._wait_for_store()

    def _wait_for_store(self) -> None:
        """Read no more while too much waits to be stored."""
        if self.member.unstored > UNSTORED_LIMIT:
            self._pauses.begin(Reason.STORE)

    def _passed_over(self, session: Session, before: int, hindrance: StorageError | None) -> None:
        if hindrance is None:
            session.stored(before)
            self.stored(self.member.room.log.last)
        else:
            session.refused()
            self.not_stored(self.member.told_of(hindrance, STORING_FAILS))

    def _slow_down(self, lines: int) -> None:
        """Read no more for as long as so many lines may take."""
        if self._bucket.unlimited:
            return
        wait = self._bucket.spend(lines, self.clock.seconds())
        if wait > 0:
            self.throttle()
            resume = partial(self._pauses.end, Reason.RATE)
            self._release = self.clock.callLater(wait, isolated, self, resume)

    def _send_what_is_left(self) -> None:
        for batch in self.what_is_left():
            self.write(NATIVE.render([], [batch], 0).data)
            self._hall.tally.sent += batch.lines

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
            self._hall.tally.refuse(Refusal.SESSION)
            self.put_off(STORING_FAILS)

    def _ask(self) -> None:
        self._pings += 1
        self.send(Ping(self._pings))

    def _give_up(self) -> None:
        self._record.ends(End.SILENT)
        self._parting.cut()

    def _lost(self) -> None:
        """Send nothing any more; a member that said no goodbye is away from now on."""
        self.drop_flow()
        session, self._session = self._session, None
        if session is not None:
            self._record.ends(End.LOST)
            self._stage.lost(self)
