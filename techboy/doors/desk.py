"""The host's own door: whoever comes in by it is the host, sees what was missed, and comes and goes."""

from __future__ import annotations

from collections.abc import Callable

from techboy.chat.house import LOBBY, House
from techboy.chat.member import Member
from techboy.chat.session import Session, digest_of
from techboy.doors.hall import Hall
from techboy.doors.lodging import Lodger, Lodging, Stay
from techboy.logs.contract import SessionRecord
from techboy.wire.frames import Hello

_HOST = b"the host"  # no hash of a token is as short, so nobody can ask for the host's own record


class Desk(Lodging):
    """The sessions of the host, who may be in the house by several ways at once, or by none.

    One record, kept with the others, says up to where the host has read in the lobby: it moves when one who
    heard goes. Whoever comes in by this door anew is shown what was said since then. A connection that is
    lost here is over; its session can be gone on with, but never by another door.
    """

    def __init__(self, house: House, hall: Hall, new_token: Callable[[], str]) -> None:
        super().__init__(house, hall, new_token, grace=0)
        self._record = house.logs.session(_HOST) or SessionRecord(
            house.logs.new_number(), _HOST, house.rules.host, 1, LOBBY, house.lobby.log.last, 0.0
        )

    def keep_all(self) -> None:
        """Have all sessions in use stored, and up to where the host has read."""
        super().keep_all()
        self._read_to(self._record.seen)

    def digest(self, token: str) -> bytes:
        """Know sessions by another hash than other doors do, so that a token opens none of those."""
        return digest_of(f"host {token}")

    def check(self, hello: Hello) -> None:
        """Let in whoever is able to come to this door: the name is the host's anyway."""

    def first_cursor(self, hello: Hello) -> int:
        """Show what was said since the host was here last, to one who hears."""
        log = self.house.lobby.log
        return min(self._record.seen, log.last) if hello.hears else log.last

    def enter(self, session: Session, guest: Lodger, hello: Hello) -> Member:
        """Be the host."""
        now = self.hall.clock.seconds()
        return self.house.enter(guest, now, host=True, session=session, quiet=not hello.hears)

    def _gone(self, stay: Stay) -> None:
        super()._gone(stay)
        session = stay.session
        if not stay.member.quiet and session.room == LOBBY:
            self._read_to(max(self._record.seen, session.seen))

    def _read_to(self, seen: int) -> None:
        now = self.hall.clock.seconds()
        record = self._record
        self._record = SessionRecord(record.number, _HOST, record.name, record.next, LOBBY, seen, now)
        self.hall.remember(Session(self._record))
