"""The sessions of a server in direct mode: one client at a time, which sees its own session alone."""

from __future__ import annotations

from techboy.chat.member import Member
from techboy.chat.server import LOBBY
from techboy.chat.session import Session
from techboy.server.direct import DirectOperator
from techboy.server.factories import RoomSessionManager, ServerContext
from techboy.server.session_connection import SessionConnection
from techboy.server.sessions import ActiveSession, SessionManager
from techboy.wire.frames import Hello


class DirectSessionManager(RoomSessionManager):
    """Sessions of which at most one is active; the ``operator`` is notified of the client's connection."""

    def __init__(self, server: ServerContext, operator: DirectOperator) -> None:
        super().__init__(server)
        self.lifecycle = self._operator = operator

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Admit ``connection`` if no other client is connected; otherwise reject it as busy."""
        is_active = hello.session is not None and self.has_session(hello.session)
        if self._takes_over(hello) or (is_active and self._operator.is_free):
            SessionManager.attach(self, connection, hello)
        elif self.check_capacity(connection):
            self.forget_absent()
            SessionManager.attach(self, connection, hello)

    def on_plain_client(self) -> None:
        """Stop waiting for a client that lost its connection."""
        self.forget_absent()

    def room_override(self, session: Session, hello: Hello) -> None:
        """Return None: there is one room."""

    def first_offset(self, hello: Hello) -> int:
        """Return the id after which messages were posted while no client was connected."""
        lobby = self.chat.lobby
        return self._operator.first_offset(lobby) if hello.subscribe else lobby.log.last

    def join(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Add ``connection`` to the lobby, which is the only room."""
        session.room = LOBBY
        return super().join(session, connection, hello)

    def on_connection_lost(self, connection: SessionConnection) -> None:
        """Keep the member, and notify the operator."""
        super().on_connection_lost(connection)
        self._operator.on_lost(connection)

    def on_connection_closed(self, connection: SessionConnection) -> None:
        """Notify the operator."""
        self._operator.on_closed(connection, clean=self._operator.has_answered(connection))

    def _takes_over(self, hello: Hello) -> bool:
        """Return whether ``hello`` resumes the session of a client that is connected and said no goodbye."""
        active = self._active.get(self.digest(hello.session or ""))
        return active is not None and not active.member.absent and self._operator.is_talking_to(active.member)

    def _take_over(self, active: ActiveSession, connection: SessionConnection, hello: Hello) -> None:
        if not active.member.absent:
            self._operator.on_replaced()
        super()._take_over(active, connection, hello)

    def _offset(self, session: Session, member: Member, hello: Hello) -> int:
        """Return the id after which the client is sent messages: after those of another client, if any."""
        seen = super()._offset(session, member, hello)
        is_latest = self._operator.latest.is_number(session.number)
        session.seen = max(seen, self._operator.latest.since) if is_latest else self.first_offset(hello)
        return session.seen

    def _on_resume_timeout(self, active: ActiveSession) -> None:
        super()._on_resume_timeout(active)
        self._operator.on_resume_timeout()
