"""Sessions: new ones, those that are resumed, and those that wait for their client to reconnect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import cast

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, STORING_FAILS, DetachedConnection, Member
from techboy.chat.server import LOBBY, ChatServer
from techboy.chat.session import Session, digest_of
from techboy.server.broker import Broker
from techboy.server.lifecycle import ClientLifecycle, Farewell
from techboy.server.session_connection import SessionConnection
from techboy.storage.interface import SessionRecord, StorageError
from techboy.wire.frames import Hello

RESUME_TIMEOUT = 600.0
"""Default of the time in seconds for which a member that lost its connection stays listed."""

SESSION_TTL = 30
"""Default of the time in days for which a session is kept after its last activity."""


@dataclass
class ActiveSession:
    """A member with a session; ``resume_timeout`` runs while it is disconnected."""

    session: Session
    member: Member
    resume_timeout: IDelayedCall | None = None


@dataclass
class ClosingSession:
    """A session that has ended and is still to be stored; ``unstored`` is the number of pending writes."""

    session: Session
    unstored: int = 0


class SessionManager:
    """The sessions of a server.

    ``new_token`` returns an unguessable secret. A member that loses its connection can resume its session for
    ``resume_timeout`` seconds before it leaves; this applies to ``max_detached`` members at a time. The
    ``lifecycle`` is notified of joins and goodbyes.
    """

    lifecycle = ClientLifecycle()

    def __init__(
        self,
        chat: ChatServer,
        broker: Broker,
        new_token: Callable[[], str],
        resume_timeout: float = RESUME_TIMEOUT,
        max_detached: int = 1000,
    ) -> None:
        self.chat, self.broker, self._new_token = chat, broker, new_token
        self._resume_timeout, self._max_detached = resume_timeout, max_detached
        self._active: dict[bytes, ActiveSession] = {}
        self._detached: dict[bytes, None] = {}
        self._closing: dict[bytes, ClosingSession] = {}

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Create or resume the session that ``hello`` asks for; admit or reject ``connection``."""
        token = hello.session or ""
        digest = self.digest(token)
        if digest in self._closing:
            self._attach_later(self._closing[digest].session, connection, hello)
            return
        active = self._active.get(digest)
        try:
            if active is not None and active.member.number in self.chat.members:
                self._take_over(active, connection, hello)
                return
            record = self.chat.logs.session(digest) if token else None
            if record is None:
                self._create(connection, hello)
            elif record.kicked:
                self._reject_kicked(Session(record), connection)
            else:
                self._resume(Session(record), connection, hello)
        except ValueError as refused:
            self._release(digest)
            self.broker.counters.reject(RejectReason.NAME)
            connection.reject(str(refused))
        except StorageError as error:
            self._release(digest)
            self.broker.report_read_error(error)
            self._retry_later(connection, error, READING_FAILS)

    def on_connection_lost(self, connection: SessionConnection) -> None:
        """Keep the member of ``connection``, which was lost without a goodbye, until the resume timeout."""
        active = self._active[_session_of(connection).digest]
        if active.member.connection is not connection or active.member.number not in self.chat.members:
            return
        active.member.connection, active.member.absent = DetachedConnection(partial(self._end, active)), True
        self._touch(active.session)
        active.resume_timeout = self.broker.clock.callLater(
            self._resume_timeout, self._on_resume_timeout, active
        )
        self._detached[active.session.digest] = None
        if len(self._detached) > self._max_detached:
            self._on_resume_timeout(self._active[next(iter(self._detached))])

    # what subclasses may override

    def digest(self, token: str) -> bytes:
        """Return the hash by which the session with the secret ``token`` is stored."""
        return digest_of(token)

    def check_name(self, hello: Hello) -> None:
        """Raise ValueError if the nickname in ``hello`` is not allowed."""
        self.chat.names.check(hello.name)

    def first_offset(self, hello: Hello) -> int:
        """Return the id in the lobby after which a new client is sent messages."""
        lobby = self.chat.lobby
        return self.chat.history_after(lobby) if hello.subscribe else lobby.log.last

    def room_override(self, session: Session, hello: Hello) -> str | None:
        """Return the room that ``hello`` names, if it is not that of ``session``; None otherwise.

        The client is right: its last change of room was lost when the server was killed, or when the
        connection was lost before the client knew.
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

    def error_text(self, error: StorageError, summary: str) -> str:
        """Return the text about ``error`` for a client that is not admitted: only the ``summary``."""
        return summary

    def join(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Add ``connection`` as a member; raise ValueError if its nickname is not allowed."""
        now = self.broker.wall()
        nick, session.name, session.nick = _nick(session, hello), hello.name, ""
        with suppress(ValueError):  # it may be reserved by now
            if nick:
                member = self.chat.join(connection, now, nick, session=session)
                session.nick = nick
                return member
        return self.chat.join(connection, now, hello.name, session=session)

    def on_goodbye(self, connection: SessionConnection) -> None:
        """Have the lifecycle answer the goodbye of ``connection``."""
        self.lifecycle.on_goodbye(connection, Farewell.READS_ON)

    def end_session(self, connection: SessionConnection) -> None:
        """Remove the member of ``connection``, which is closing, and store its session."""
        self._end(self._active[_session_of(connection).digest])

    def on_connection_closed(self, connection: SessionConnection) -> None:
        """Handle that ``connection`` is closed, for whatever reason."""

    def on_plain_client(self) -> None:
        """Handle that a plain client is about to join."""

    def check_capacity(self, connection: SessionConnection) -> bool:
        """Return whether there is room for ``connection``, whose session is stored; if not, reject it."""
        return True

    def on_joined(self, connection: SessionConnection) -> None:
        """Handle that ``connection`` was welcomed."""
        self.lifecycle.on_joined(connection)

    def on_goodbye_answered(self, connection: SessionConnection) -> None:
        """Store the session of ``connection``, which has answered our goodbye and knows why it was closed."""
        session = _session_of(connection)
        if session.kicked:
            session.kicked = ""
            self._save_ended(session, at_end=False)

    def run_command(self, connection: SessionConnection, line: str) -> list[str]:
        """Run a command of ``connection``, save its session if the command changed it; return the answer."""
        session = _session_of(connection)
        before = session.record()
        answer = self.chat.run_command(connection.member, line)
        if session.record() != before and session.digest in self._active:
            self.broker.save_session(session)
        return answer

    def has_session(self, token: str) -> bool:
        """Return whether the session with that ``token`` is active, connected or not."""
        return self.digest(token) in self._active

    def save_all(self) -> None:
        """Store all active sessions in their present state."""
        for active in self._active.values():
            if not active.member.absent:
                active.session.last_active = self.broker.wall()
            self.broker.save_session(active.session)

    def close(self) -> None:
        """End the sessions of all members that are not connected."""
        self.forget_absent()

    def forget_absent(self) -> None:
        """End the sessions of all members that are not connected; they can be resumed from the storage."""
        for digest in [*self._detached]:
            self._end(self._active[digest])

    def _on_resume_timeout(self, active: ActiveSession) -> None:
        """End ``active``, which was not resumed in time."""
        self._end(active)

    def _create(self, connection: SessionConnection, hello: Hello) -> None:
        token = self._new_token()
        self.check_name(hello)
        after = self.first_offset(hello)
        number, now = self.chat.logs.new_number(), self.broker.wall()
        session = Session(SessionRecord(number, self.digest(token), hello.name, 1, LOBBY, after, now))

        def proceed(error: StorageError | None) -> None:
            if error is not None:
                self._retry_later(connection, error)
            elif connection.is_open and self.check_capacity(connection):
                self._join(session, connection, hello)
                connection.admit(connection.member, token, after, resumed=False)
                self._start(connection)

        def on_saved(error: StorageError | None) -> None:
            connection.pending.release()
            isolated(connection, partial(proceed, error))
            self._release(session.digest)

        if self._hold(session.digest, connection):
            connection.pending.hold()
            self.broker.save_session(session, on_saved)

    def _reject_kicked(self, session: Session, connection: SessionConnection) -> None:
        """Reject a client that does not know that it was kicked; its next hello is accepted."""
        self.broker.counters.reject(RejectReason.KICKED)
        why, session.kicked = session.kicked, ""
        self._save_ended(session, at_end=False)
        connection.reject(why)

    def _resume(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        if self._hold(session.digest, connection):
            session.room = self.room_override(session, hello) or session.room
            self._join(session, connection, hello)
            self._admit_resumed(session, connection, hello)

    def _hold(self, digest: bytes, connection: SessionConnection) -> bool:
        """Protect an active session from deletion; reject ``connection`` if there are too many."""
        held = self.chat.logs.hold(digest)
        if not held:
            self.broker.counters.reject(RejectReason.FULL)
            connection.reject_busy("the server has no room for more sessions; try again later")
        return held

    def _release(self, digest: bytes) -> None:
        """Allow a session to be deleted, unless it is active or still to be stored."""
        if digest not in self._active and digest not in self._closing:
            self.chat.logs.release(digest)

    def _take_over(self, active: ActiveSession, connection: SessionConnection, hello: Hello) -> None:
        member = active.member
        room = self.room_override(active.session, hello)
        if room is not None:
            self.chat.restore_room(member, room, hello.last_seen_id or 0)
        if member.absent:
            self._stop_resume_timeout(active)
        else:
            before = cast(SessionConnection, member.connection)  # only such connections have a session
            isolated(before, before.close_replaced)
        member.connection, member.absent, connection.member = connection, False, member
        self._admit_resumed(active.session, connection, hello)

    def _admit_resumed(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        self.broker.counters.sessions_resumed += 1
        after = self._offset(session, connection.member, hello)
        self._touch(session)
        connection.admit(connection.member, hello.session or "", after, resumed=True)
        self._start(connection)

    def _retry_later(
        self, connection: SessionConnection, error: StorageError, summary: str = STORING_FAILS
    ) -> None:
        self.broker.counters.reject(RejectReason.SESSION)
        connection.retry_later(self.error_text(error, summary))

    def _start(self, connection: SessionConnection) -> None:
        self.on_joined(connection)
        connection.start()

    def _attach_later(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        """Attach ``connection`` once its ``session``, which has ended, is stored."""

        def proceed(error: StorageError | None) -> None:
            if error is not None:
                self._retry_later(connection, error)
            elif connection.is_open:
                self.attach(connection, hello)

        def stored(error: StorageError | None) -> None:
            connection.pending.release()
            isolated(connection, partial(proceed, error))

        connection.pending.hold()
        self.broker.save_session(session, stored)

    def _offset(self, session: Session, member: Member, hello: Hello) -> int:
        """Return the id up to which the client has read; that in ``hello`` if it is of the same log and room.

        It is at most the last id of the log: a later one would hide future messages. A hidden member is sent
        no messages, so its offset is the end of the log.
        """
        if member.hidden:
            return member.room.log.last
        seen, room = session.seen, hello.room
        here = room is None or room.lower() == session.room
        if hello.last_seen_id is not None and hello.log_epoch == self.chat.logs.id and here:
            seen = hello.last_seen_id
        session.seen = min(seen, member.room.log.last)
        return session.seen

    def _join(self, session: Session, connection: SessionConnection, hello: Hello) -> None:
        connection.member = self.join(session, connection, hello)
        self._active[session.digest] = ActiveSession(session, connection.member)

    def _end(self, active: ActiveSession) -> None:
        self._stop_resume_timeout(active)
        self._active.pop(active.session.digest, None)
        self.chat.leave(active.member)
        self._save_ended(active.session, at_end=not active.member.absent)

    def _save_ended(self, session: Session, *, at_end: bool) -> None:
        """Store ``session``, which has ended; a client that resumes it before has to wait."""
        if at_end:
            session.last_active = self.broker.wall()
        closing = self._closing.setdefault(session.digest, ClosingSession(session))
        closing.session = session
        closing.unstored += 1

        def stored(error: StorageError | None) -> None:
            closing.unstored -= 1
            if not closing.unstored:
                del self._closing[session.digest]
            self._release(session.digest)

        self.broker.save_session(session, stored)

    def _touch(self, session: Session) -> None:
        session.last_active = self.broker.wall()
        self.broker.save_session(session)

    def _stop_resume_timeout(self, active: ActiveSession) -> None:
        self._detached.pop(active.session.digest, None)
        if active.resume_timeout is not None and active.resume_timeout.active():
            active.resume_timeout.cancel()


def _nick(session: Session, hello: Hello) -> str:
    """Return the nickname that the member had last; empty if the client now asks for another name."""
    return session.nick if hello.name == session.name else ""


def _session_of(connection: SessionConnection) -> Session:
    session = connection.member.session
    assert session is not None
    return session
