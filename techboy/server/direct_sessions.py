"""The sessions of a server in direct mode: one client at a time, which sees its own session alone."""

from __future__ import annotations

from techboy.chat.member import Member
from techboy.chat.server import LOBBY
from techboy.chat.session import Session
from techboy.server.direct import DirectOperator
from techboy.server.factories import RoomSessionManager, ServerContext
from techboy.server.sessions import ActiveSession, SessionConnection, SessionManager
from techboy.wire.frames import Hello


class DirectSessionManager(RoomSessionManager):
    """Sessions of which one is in use at a time. What becomes of the conversation is the ``operator``'s."""

    def __init__(self, host: ServerContext, operator: DirectOperator) -> None:
        super().__init__(host)
        self.lifecycle = self._operator = operator

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Let ``connection`` in if no client is here but its own earlier connection; else tell it "busy"."""
        is_known = hello.session is not None and self.has_session(hello.session)
        if self._takes_over(hello) or (is_known and self._operator.is_free):
            SessionManager.attach(self, connection, hello)
        elif self.may_enter(connection):
            self.forget_absent()
            SessionManager.attach(self, connection, hello)

    def yield_place(self) -> None:
        """A plain client enters: wait no more for one that was lost."""
        self.forget_absent()

    def other_room(self, session: Session, hello: Hello) -> None:
        """There is one room."""

    def first_cursor(self, hello: Hello) -> int:
        """Send a new client what was said while nobody was connected."""
        lobby = self.chat.lobby
        return self._operator.first_offset(lobby) if hello.subscribe else lobby.log.last

    def enter(self, session: Session, connection: SessionConnection, hello: Hello) -> Member:
        """Let ``connection`` into the one room."""
        session.room = LOBBY
        return super().enter(session, connection, hello)

    def on_disconnect(self, connection: SessionConnection) -> None:
        """Wait for the client to come back."""
        super().on_disconnect(connection)
        self._operator.lost(connection)

    def gone(self, connection: SessionConnection) -> None:
        """The connection of a client that was closed is gone."""
        self._operator.gone(connection, clean=self._operator.has_answered(connection))

    def _takes_over(self, hello: Hello) -> bool:
        """Return whether ``hello`` is for the session of the client that is here and may still be heard."""
        active = self._stays.get(self.digest(hello.session or ""))
        return active is not None and not active.member.absent and self._operator.has_listener(active.member)

    def _take_over(self, active: ActiveSession, connection: SessionConnection, hello: Hello) -> None:
        if not active.member.absent:
            self._operator.replaced()
        super()._take_over(active, connection, hello)

    def _cursor(self, session: Session, member: Member, hello: Hello) -> int:
        """Return where the client goes on: after others were here, with what was said since."""
        seen = super()._cursor(session, member, hello)
        is_latest = self._operator.latest.is_number(session.number)
        session.seen = max(seen, self._operator.latest.since) if is_latest else self.first_cursor(hello)
        return session.seen

    def _given_up(self, active: ActiveSession) -> None:
        super()._given_up(active)
        self._operator.given_up()
