"""The sessions of the operator at the admin socket, who is sent the messages missed since the last visit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.chat.server import LOBBY, ChatServer
from techboy.chat.session import Session, digest_of
from techboy.server.broker import PAGE_SIZE, Broker
from techboy.server.session_connection import SessionConnection
from techboy.server.sessions import ActiveSession, SessionManager
from techboy.storage.interface import SessionRecord, StorageError
from techboy.wire.frames import Hello

_OPERATOR = b"the host"  # shorter than any hash of a token, so that no token can match it


class AdminSessionManager(SessionManager):
    """The sessions of the operator, of which any number may be active.

    One record, stored with the sessions, holds the id up to which the operator has read the lobby. It moves
    forward when a session that receives messages leaves the lobby, and a new session starts after it. A
    session leaves as soon as its connection is lost; it can be resumed, but only at the admin socket.
    """

    def __init__(self, chat: ChatServer, broker: Broker, new_token: Callable[[], str]) -> None:
        super().__init__(chat, broker, new_token, resume_timeout=0)
        chat.logs.hold(_OPERATOR)
        self._record = chat.logs.session(_OPERATOR) or SessionRecord(
            chat.logs.new_number(), _OPERATOR, chat.config.operator_name, 1, LOBBY, chat.lobby.log.last, 0.0
        )

    def save_all(self) -> None:
        """Store all active sessions, and the id up to which the operator has read."""
        super().save_all()
        self._set_read(self._record.seen)

    def digest(self, token: str) -> bytes:
        """Return a hash that differs from those of clients, so that no token is valid for both."""
        return digest_of(f"host {token}")

    def check_name(self, hello: Hello) -> None:
        """Accept any name: the member gets the operator's nickname."""

    def first_offset(self, hello: Hello) -> int:
        """Return the id up to which the operator has read, or the last one if no messages are wanted."""
        log = self.chat.lobby.log
        return min(self._record.seen, log.last) if hello.subscribe else log.last

    def error_text(self, error: StorageError, summary: str) -> str:
        """Return the full text of ``error``: the operator may see it."""
        return str(error)

    def join(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Join as the operator, hidden if no messages are wanted."""
        now = self.broker.wall()
        nick, hidden = session.nick or None, not hello.subscribe
        return self.chat.join(connection, now, nick, is_operator=True, session=session, hidden=hidden)

    def run_command(self, connection: SessionConnection, line: str) -> list[str]:
        """Run a command; note what was read in the lobby if the command changes the room."""
        member = connection.member
        room, seen = member.room, _session_of(member).seen
        answer = super().run_command(connection, line)
        if member.room is not room:
            self._note_read(member, room, seen)
        return answer

    def on_goodbye_answered(self, connection: SessionConnection) -> None:
        """Note what was read by a session that was closed or kicked."""
        super().on_goodbye_answered(connection)
        self._leaves_room(connection.member)

    def on_connection_closed(self, connection: SessionConnection) -> None:
        """Note what was read by a session whose connection was closed because the server is stopping."""
        for active in self._active.values():
            if active.member.connection is connection:
                self._leaves_room(active.member)

    def _end(self, active: ActiveSession) -> None:
        super()._end(active)
        self._leaves_room(active.member)

    def _leaves_room(self, member: Member) -> None:
        self._note_read(member, member.room, _session_of(member).seen)

    def _note_read(self, member: Member, room: Room, seen: int) -> None:
        """Note that the operator has read the ``room`` that ``member`` left up to the id ``seen``."""
        if room is self.chat.lobby and not member.hidden:
            self._set_read(max(self._record.seen, self._skip_own(member, seen)))

    def _skip_own(self, member: Member, seen: int) -> int:
        """Return the last id of the messages of ``member`` itself that directly follow ``seen``."""
        with suppress(StorageError):  # these messages are then sent once more
            for batch in self.chat.lobby.log.read(seen, PAGE_SIZE):
                if batch.by != member.number or batch.first > seen + 1:
                    break
                seen = batch.last
        return seen

    def _set_read(self, seen: int) -> None:
        now = self.broker.wall()
        record = self._record
        self._record = SessionRecord(record.number, _OPERATOR, record.name, record.next, LOBBY, seen, now)
        self.broker.save_session(Session(self._record))


def _session_of(member: Member) -> Session:
    assert member.session is not None
    return member.session
