"""Sessions in a house: who comes back, who is away, and for how long that is so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, STORING_FAILS, DetachedConnection, Member, MemberConnection
from techboy.chat.server import LOBBY, ChatServer
from techboy.chat.session import Session, digest_of
from techboy.server.broker import Broker
from techboy.server.lifecycle import ClientLifecycle, DirectClient, Farewell
from techboy.server.unwelcomed import PendingConnection
from techboy.storage.interface import SessionRecord, StorageError
from techboy.wire.frames import Hello

RESUME_TIMEOUT = 600.0
"""Seconds after which somebody whose connection was lost is gone for the others, unless said otherwise."""

SESSION_TTL = 30
"""Days for which a session is kept after it was last heard of, unless said otherwise."""


class SessionConnection(MemberConnection, DirectClient, Protocol):
    """The way in of somebody who has a session."""

    member: Member
    pending: PendingConnection

    @property
    def is_open(self) -> bool:
        """Whether the connection is still there."""

    def admitted(self, member: Member, token: str, after: int, *, back: bool) -> None:
        """Come in as ``member``, whose session has the ``token``; lines after the id ``after`` are to follow.

        ``back``: they were here before.
        """

    def begin(self) -> None:
        """Hear what was said meanwhile, and say what one has to say."""

    def refused(self, why: str) -> None:
        """Stay out."""

    def busy(self, why: str) -> None:
        """Stay out while there is no place."""

    def retry_later(self, why: str) -> None:
        """Come back later."""

    def replaced(self) -> None:
        """The session goes on by another connection."""


@dataclass
class ActiveSession:
    """A member with a session; ``waiting``: until when its place is kept, while it is absent."""

    session: Session
    member: Member
    waiting: IDelayedCall | None = None


@dataclass
class ClosingSession:
    """A session that nobody is in, as it was left; ``unstored``: so many times it is still to be stored."""

    session: Session
    unstored: int = 0


class SessionManager:
    """The sessions of a house.

    ``new_token`` returns a secret that nobody can guess. ``grace``: seconds for which the place of somebody
    whose connection was lost is kept; ``places``: for how many at a time. ``lifecycle``: what is told of it.
    """

    lifecycle = ClientLifecycle()

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        new_token: Callable[[], str],
        grace: float = RESUME_TIMEOUT,
        places: int = 1000,
    ) -> None:
        self.chat, self.broker, self._new_token = chat, broker, new_token
        self._grace, self._places = grace, places
        self._stays: dict[bytes, ActiveSession] = {}
        self._absent: dict[bytes, None] = {}
        self._closing: dict[bytes, ClosingSession] = {}

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Let ``connection`` in, who said ``hello``; it is told what comes of it."""
        token = hello.session or ""
        digest = self.digest(token)
        if digest in self._closing:
            self._arrive_later(self._closing[digest].session, connection, hello)
            return
        active = self._stays.get(digest)
        try:
            if active is not None and active.member.number in self.chat.members:
                self._take_over(active, connection, hello)
                return
            record = self.chat.logs.session(digest) if token else None
            if record is None:
                self._come_new(connection, hello)
            elif record.kicked:
                self._tell_kicked(Session(record), connection)
            else:
                self._come_back(Session(record), connection, hello)
        except ValueError as refused:
            self._release(digest)
            self.broker.counters.reject(RejectReason.NAME)
            connection.refused(str(refused))
        except StorageError as unreadable:
            self._release(digest)
            self.broker.report_read_error(unreadable)
            self._put_off(connection, unreadable, READING_FAILS)

    def on_disconnect(self, connection: SessionConnection) -> None:
        """The connection of ``connection`` is gone without a goodbye: keep the place."""
        active = self._stays[_session_of(connection).digest]
        if active.member.connection is not connection or active.member.number not in self.chat.members:
            return
        active.member.connection, active.member.absent = DetachedConnection(partial(self._gone, active)), True
        self._heard(active.session)
        active.waiting = self.broker.clock.callLater(self._grace, self._given_up, active)
        self._absent[active.session.digest] = None
        if len(self._absent) > self._places:
            self._given_up(self._stays[next(iter(self._absent))])

    # what another lodging may do in another way

    def digest(self, token: str) -> bytes:
        """Return by what a session is known whose secret is ``token``."""
        return digest_of(token)

    def check(self, hello: Hello) -> None:
        """Raise ValueError where who said ``hello`` can't be let in."""
        self.chat.names.check(hello.name)

    def first_cursor(self, hello: Hello) -> int:
        """Return the id in the lobby after which a newcomer who said ``hello`` is shown what was said."""
        lobby = self.chat.lobby
        return self.chat.history_after(lobby) if hello.subscribe else lobby.log.last

    def other_room(self, session: Session, hello: Hello) -> str | None:
        """Return the room that ``hello`` names if its client has read in another than that of ``session``.

        The client is right: the last move was lost with a server that was killed, or with a connection before
        the client heard of it.
        """
        room = hello.room
        if room is None or hello.last_seen_id is None or hello.log_epoch != self.chat.logs.id:
            return None
        if room.lower() == session.room:
            return None
        with suppress(ValueError):  # a name that no room can have
            self.chat.names.check(room)
            return room.lower()
        return None

    def told_of(self, error: StorageError, sentence: str) -> str:
        """Return what somebody who is not let in is told of ``error``: no more than the ``sentence``."""
        return sentence

    def enter(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Let ``connection`` in; raise ValueError where that can't be."""
        now = self.broker.wall()
        nick, session.name, session.nick = _nick(session, hello), hello.name, ""
        with suppress(ValueError):  # it may be reserved by now
            if nick:
                member = self.chat.join(connection, now, nick, session=session)
                session.nick = nick
                return member
        return self.chat.join(connection, now, hello.name, session=session)

    def on_goodbye(self, connection: SessionConnection) -> None:
        """Answer the goodbye of ``connection``."""
        self.lifecycle.said_goodbye(connection, Farewell.LISTENS)

    def left(self, connection: SessionConnection) -> None:
        """``connection`` is leaving: nothing but the session is kept."""
        self._gone(self._stays[_session_of(connection).digest])

    def gone(self, connection: SessionConnection) -> None:
        """The connection of ``connection`` is gone, for whatever reason."""

    def yield_place(self) -> None:
        """A plain client enters."""

    def may_enter(self, connection: SessionConnection) -> bool:
        """Tell whether there is still a place for ``connection``, whose session is stored, or tell it so."""
        return True

    def entered(self, connection: SessionConnection) -> None:
        """``connection`` is in, and was welcomed."""
        self.lifecycle.entered(connection)

    def on_closed(self, connection: SessionConnection) -> None:
        """``connection`` answered the goodbye: save how far it has read, and why it was closed."""
        session = _session_of(connection)
        if session.kicked:
            session.kicked = ""
            self._store_last(session, at_end=False)

    def run_command(self, connection: SessionConnection, line: str) -> list[str]:
        """Run a command of ``connection``, save its session if that changed, and return the answer."""
        session = _session_of(connection)
        before = session.record()
        answer = self.chat.run_command(connection.member, line)
        if session.record() != before and session.digest in self._stays:
            self.broker.save_session(session)
        return answer

    def has_session(self, token: str) -> bool:
        """Whether the session with that ``token`` is in use, or was until its connection broke."""
        return self.digest(token) in self._stays

    def save_all(self) -> None:
        """Have all sessions that are in use stored as they are now."""
        for active in self._stays.values():
            if not active.member.absent:
                active.session.last_active = self.broker.wall()
            self.broker.save_session(active.session)

    def close(self) -> None:
        """Wait for nobody any more."""
        self.forget_absent()

    def forget_absent(self) -> None:
        """Keep nobody's place any longer."""
        for digest in [*self._absent]:
            self._gone(self._stays[digest])

    def _given_up(self, active: ActiveSession) -> None:
        """The place of ``active`` was kept long enough."""
        self._gone(active)

    def _come_new(self, connection: SessionConnection, hello: Hello) -> None:
        token = self._new_token()
        self.check(hello)
        after = self.first_cursor(hello)
        number, now = self.chat.logs.new_number(), self.broker.wall()
        session = Session(SessionRecord(number, self.digest(token), hello.name, 1, LOBBY, after, now))

        def let_in(hindrance: StorageError | None) -> None:
            if hindrance is not None:
                self._put_off(connection, hindrance)
            elif connection.is_open and self.may_enter(connection):
                self._enter(session, connection, hello)
                connection.admitted(connection.member, token, after, back=False)
                self._begin(connection)

        def remembered(hindrance: StorageError | None) -> None:
            connection.pending.stored()
            isolated(connection, partial(let_in, hindrance))
            self._release(session.digest)

        if self._hold(session.digest, connection):
            connection.pending.storing()
            self.broker.save_session(session, remembered)

    def _tell_kicked(self, session: Session, connection: SessionConnection) -> None:
        """Turn ``connection`` away, which was kicked and does not know; its next hello brings it in again."""
        self.broker.counters.reject(RejectReason.KICKED)
        why, session.kicked = session.kicked, ""
        self._store_last(session, at_end=False)
        connection.refused(why)

    def _come_back(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        if self._hold(session.digest, connection):
            session.room = self.other_room(session, hello) or session.room
            self._enter(session, connection, hello)
            self._admit_again(session, connection, hello)

    def _hold(self, digest: bytes, connection: SessionConnection) -> bool:
        """Have a session kept while it is in use, or tell ``connection`` that there is no room for it."""
        held = self.chat.logs.hold(digest)
        if not held:
            self.broker.counters.reject(RejectReason.FULL)
            connection.busy("the server has no room for more sessions; try again later")
        return held

    def _release(self, digest: bytes) -> None:
        """Let a session be forgotten, unless it is in use or still to be stored."""
        if digest not in self._stays and digest not in self._closing:
            self.chat.logs.release(digest)

    def _take_over(self, active: ActiveSession, connection: SessionConnection, hello: Hello) -> None:
        member = active.member
        room = self.other_room(active.session, hello)
        if room is not None:
            self.chat.restore_room(member, room, hello.last_seen_id or 0)
        if member.absent:
            self._stop_waiting(active)
        else:
            before = cast(SessionConnection, member.connection)  # as only a lodger has a session
            isolated(before, before.replaced)
        member.connection, member.absent, connection.member = connection, False, member
        self._admit_again(active.session, connection, hello)

    def _admit_again(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        self.broker.counters.sessions_resumed += 1
        after = self._cursor(session, connection.member, hello)
        self._heard(session)
        connection.admitted(connection.member, hello.session or "", after, back=True)
        self._begin(connection)

    def _put_off(
        self, connection: SessionConnection, hindrance: StorageError, sentence: str = STORING_FAILS
    ) -> None:
        self.broker.counters.reject(RejectReason.SESSION)
        connection.retry_later(self.told_of(hindrance, sentence))

    def _begin(self, connection: SessionConnection) -> None:
        self.entered(connection)
        connection.begin()

    def _arrive_later(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        """Let ``connection`` in when its ``session`` is stored as it was left."""

        def let_in(hindrance: StorageError | None) -> None:
            if hindrance is not None:
                self._put_off(connection, hindrance)
            elif connection.is_open:
                self.attach(connection, hello)

        def stored(hindrance: StorageError | None) -> None:
            connection.pending.stored()
            isolated(connection, partial(let_in, hindrance))

        connection.pending.storing()
        self.broker.save_session(session, stored)

    def _cursor(self, session: Session, member: Member, hello: Hello) -> int:
        """Return the id up to which the caller has read, as it says if it speaks of the same log and room.

        It is an id that the log has given: a later one would hide what is stored under it in future. A quiet
        member reads nothing, and is sent nothing.
        """
        if member.hidden:
            return member.room.log.last
        seen, room = session.seen, hello.room
        here = room is None or room.lower() == session.room
        if hello.last_seen_id is not None and hello.log_epoch == self.chat.logs.id and here:
            seen = hello.last_seen_id
        session.seen = min(seen, member.room.log.last)
        return session.seen

    def _enter(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        connection.member = self.enter(session, connection, hello)
        self._stays[session.digest] = ActiveSession(session, connection.member)

    def _gone(self, active: ActiveSession) -> None:
        self._stop_waiting(active)
        self._stays.pop(active.session.digest, None)
        self.chat.leave(active.member)
        self._store_last(active.session, at_end=not active.member.absent)

    def _store_last(self, session: Session, *, at_end: bool) -> None:
        """Have ``session`` stored as it was left; who comes back before that has to wait for it."""
        if at_end:
            session.last_active = self.broker.wall()
        closing = self._closing.setdefault(session.digest, ClosingSession(session))
        closing.session = session
        closing.unstored += 1

        def stored(hindrance: StorageError | None) -> None:
            closing.unstored -= 1
            if not closing.unstored:
                del self._closing[session.digest]
            self._release(session.digest)

        self.broker.save_session(session, stored)

    def _heard(self, session: Session) -> None:
        session.last_active = self.broker.wall()
        self.broker.save_session(session)

    def _stop_waiting(self, active: ActiveSession) -> None:
        self._absent.pop(active.session.digest, None)
        if active.waiting is not None and active.waiting.active():
            active.waiting.cancel()


def _nick(session: Session, hello: Hello) -> str:
    """Return the nickname with which a session is gone on with, empty if the client asks for another now."""
    return session.nick if hello.name == session.name else ""


def _session_of(connection: SessionConnection) -> Session:
    session = connection.member.session
    assert session is not None
    return session
