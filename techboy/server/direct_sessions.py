"""The sessions of a server in direct mode: one client at a time, which sees its own session alone."""

from __future__ import annotations

from techboy.chat.member import Member
from techboy.chat.server import LOBBY
from techboy.chat.session import Session
from techboy.server.direct import DirectOperator
from techboy.server.factories import Household, HouseLodging
from techboy.server.sessions import Lodger, Lodging, Stay
from techboy.wire.frames import Hello


class DirectSessions(HouseLodging):
    """Sessions of which one is in use at a time. What becomes of the conversation is the ``operator``'s."""

    def __init__(self, host: Household, operator: DirectOperator) -> None:
        super().__init__(host)
        self.lifecycle = self._operator = operator

    def arrive(self, guest: Lodger, hello: Hello) -> None:
        """Let ``guest`` in if no client is here, or only its own earlier connection; else tell it "busy"."""
        is_known = hello.session is not None and self.knows(hello.session)
        if self._takes_over(hello) or (is_known and self._operator.is_free):
            Lodging.arrive(self, guest, hello)
        elif self.may_enter(guest):
            self.forget_absent()
            Lodging.arrive(self, guest, hello)

    def yield_place(self) -> None:
        """A plain client enters: wait no more for one that was lost."""
        self.forget_absent()

    def other_room(self, session: Session, hello: Hello) -> None:
        """There is one room."""

    def first_cursor(self, hello: Hello) -> int:
        """Send a new client what was said while nobody was connected."""
        lobby = self.house.lobby
        return self._operator.first_offset(lobby) if hello.subscribe else lobby.log.last

    def enter(self, session: Session, guest: Lodger, hello: Hello) -> Member:
        """Let ``guest`` into the one room."""
        session.room = LOBBY
        return super().enter(session, guest, hello)

    def lost(self, guest: Lodger) -> None:
        """Wait for the client to come back."""
        super().lost(guest)
        self._operator.lost(guest)

    def gone(self, guest: Lodger) -> None:
        """The connection of a client that was closed is gone."""
        self._operator.gone(guest, clean=self._operator.has_answered(guest))

    def _takes_over(self, hello: Hello) -> bool:
        """Return whether ``hello`` is for the session of the client that is here and may still be heard."""
        stay = self._stays.get(self.digest(hello.session or ""))
        return stay is not None and not stay.member.absent and self._operator.is_heard(stay.member)

    def _take_over(self, stay: Stay, guest: Lodger, hello: Hello) -> None:
        if not stay.member.absent:
            self._operator.replaced()
        super()._take_over(stay, guest, hello)

    def _cursor(self, session: Session, member: Member, hello: Hello) -> int:
        """Return where the client goes on: after others were here, with what was said since."""
        seen = super()._cursor(session, member, hello)
        is_latest = self._operator.latest.is_number(session.number)
        session.seen = max(seen, self._operator.latest.since) if is_latest else self.first_cursor(hello)
        return session.seen

    def _given_up(self, stay: Stay) -> None:
        super()._given_up(stay)
        self._operator.given_up()
