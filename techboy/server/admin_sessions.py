"""The host's own door: whoever comes in by it is the host, sees what was missed, and comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.chat.server import LOBBY, ChatServer
from techboy.chat.session import Session, digest_of
from techboy.server.broker import PAGE_SIZE, Broker
from techboy.server.sessions import ActiveSession, SessionConnection, SessionManager
from techboy.storage.interface import SessionRecord, StorageError
from techboy.wire.frames import Hello

_HOST = b"the host"  # no hash of a token is as short, so nobody can ask for the host's own record


class AdminSessionManager(SessionManager):
    """The sessions of the host, who may be in the house by several ways at once, or by none.

    One record, kept with the others, says up to where the host has read in the lobby: it moves when one who
    heard leaves it. Whoever comes in by this door anew is shown what was said since then. A connection that
    is lost here is over; its session can be gone on with, but never by another door.
    """

    def __init__(self, chat: ChatServer, broker: Broker, new_token: Callable[[], str]) -> None:
        super().__init__(chat, broker, new_token, grace=0)
        chat.logs.hold(_HOST)
        self._record = chat.logs.session(_HOST) or SessionRecord(
            chat.logs.new_number(), _HOST, chat.config.operator_name, 1, LOBBY, chat.lobby.log.last, 0.0
        )

    def save_all(self) -> None:
        """Have all sessions in use stored, and up to where the host has read."""
        super().save_all()
        self._read_to(self._record.seen)

    def digest(self, token: str) -> bytes:
        """Know sessions by another hash than other doors do, so that a token opens none of those."""
        return digest_of(f"host {token}")

    def check(self, hello: Hello) -> None:
        """Let in whoever is able to come to this door: the name is the host's anyway."""

    def first_cursor(self, hello: Hello) -> int:
        """Show what was said since the host was here last, to one who hears."""
        log = self.chat.lobby.log
        return min(self._record.seen, log.last) if hello.subscribe else log.last

    def told_of(self, error: StorageError, sentence: str) -> str:
        """Return all of it."""
        return str(error)

    def enter(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Be the host."""
        now = self.broker.wall()
        nick, quiet = session.nick or None, not hello.subscribe
        return self.chat.join(connection, now, nick, is_operator=True, session=session, hidden=quiet)

    def run_command(self, connection: SessionConnection, line: str) -> list[str]:
        """Do what the host asks for; who goes to another room has left the lobby."""
        member = connection.member
        room, seen = member.room, _session_of(member).seen
        answer = super().run_command(connection, line)
        if member.room is not room:
            self._has_left(member, room, seen)
        return answer

    def on_closed(self, connection: SessionConnection) -> None:
        """Know how far the host had read who was sent away, or asked to be."""
        super().on_closed(connection)
        self._goes(connection.member)

    def gone(self, connection: SessionConnection) -> None:
        """The host whose connection was closed because the program ends may be back, or not."""
        for active in self._stays.values():
            if active.member.connection is connection:
                self._goes(active.member)

    def _gone(self, active: ActiveSession) -> None:
        super()._gone(active)
        self._goes(active.member)

    def _goes(self, member: Member) -> None:
        self._has_left(member, member.room, _session_of(member).seen)

    def _has_left(self, member: Member, room: Room, seen: int) -> None:
        """The host has read up to the id ``seen`` of the ``room`` that ``member`` left."""
        if room is self.chat.lobby and not member.hidden:
            self._read_to(max(self._record.seen, self._after_own(member, seen)))

    def _after_own(self, member: Member, seen: int) -> int:
        """Return where what ``member`` said itself ends that follows the id ``seen`` at once."""
        with suppress(StorageError):  # then it is shown once more
            for batch in self.chat.lobby.log.read(seen, PAGE_SIZE):
                if batch.by != member.number or batch.first > seen + 1:
                    break
                seen = batch.last
        return seen

    def _read_to(self, seen: int) -> None:
        now = self.broker.wall()
        record = self._record
        self._record = SessionRecord(record.number, _HOST, record.name, record.next, LOBBY, seen, now)
        self.broker.save_session(Session(self._record))


def _session_of(member: Member) -> Session:
    assert member.session is not None
    return member.session
