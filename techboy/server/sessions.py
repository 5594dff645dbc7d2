"""Sessions in a house: who comes back, who is away, and for how long that is so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from twisted.internet.interfaces import IDelayedCall

from techboy.chat.counters import Refusal
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, STORING_FAILS, Absent, Guest, Member
from techboy.chat.server import LOBBY, House
from techboy.chat.session import Session, digest_of
from techboy.server.broker import Hall
from techboy.server.lifecycle import Client, ClientLifecycle, Farewell
from techboy.server.unwelcomed import Stranger
from techboy.storage.interface import SessionRecord, StorageError
from techboy.wire.frames import Hello

GRACE = 600.0
"""Seconds after which somebody whose connection was lost is gone for the others, unless said otherwise."""

REMEMBER = 30
"""Days for which a session is kept after it was last heard of, unless said otherwise."""


class Lodger(Guest, Client, Protocol):
    """The way in of somebody who has a session."""

    member: Member
    stranger: Stranger

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

    def put_off(self, why: str) -> None:
        """Come back later."""

    def replaced(self) -> None:
        """The session goes on by another connection."""


@dataclass
class Stay:
    """A member with a session; ``waiting``: until when its place is kept, while it is absent."""

    session: Session
    member: Member
    waiting: IDelayedCall | None = None


@dataclass
class Closing:
    """A session that nobody is in, as it was left; ``unstored``: so many times it is still to be stored."""

    session: Session
    unstored: int = 0


class Lodging:
    """The sessions of a house.

    ``new_token`` returns a secret that nobody can guess. ``grace``: seconds for which the place of somebody
    whose connection was lost is kept; ``places``: for how many at a time. ``lifecycle``: what is told of it.
    """

    lifecycle = ClientLifecycle()

    def __init__(
        self, house: House, hall: Hall, new_token: Callable[[], str], grace: float = GRACE, places: int = 1000
    ) -> None:
        self.house, self.hall, self._new_token = house, hall, new_token
        self._grace, self._places = grace, places
        self._stays: dict[bytes, Stay] = {}
        self._absent: dict[bytes, None] = {}
        self._closing: dict[bytes, Closing] = {}

    def arrive(self, guest: Lodger, hello: Hello) -> None:
        """Let ``guest`` in, who said ``hello``; it is told what comes of it."""
        token = hello.session or ""
        digest = self.digest(token)
        if digest in self._closing:
            self._arrive_later(self._closing[digest].session, guest, hello)
            return
        stay = self._stays.get(digest)
        try:
            if stay is not None and stay.member.number in self.house.members:
                self._take_over(stay, guest, hello)
                return
            record = self.house.logs.session(digest) if token else None
            if record is None:
                self._come_new(guest, hello)
            elif record.kicked:
                self._tell_kicked(Session(record), guest)
            else:
                self._come_back(Session(record), guest, hello)
        except ValueError as refused:
            self._release(digest)
            self.hall.tally.refuse(Refusal.NAME)
            guest.refused(str(refused))
        except StorageError as unreadable:
            self._release(digest)
            self.hall.unreadable(unreadable)
            self._put_off(guest, unreadable, READING_FAILS)

    def lost(self, guest: Lodger) -> None:
        """The connection of ``guest`` is gone without a goodbye: keep the place."""
        stay = self._stays[_session_of(guest).digest]
        if stay.member.guest is not guest or stay.member.number not in self.house.members:
            return
        stay.member.guest, stay.member.absent = Absent(partial(self._gone, stay)), True
        self._heard(stay.session)
        stay.waiting = self.hall.clock.callLater(self._grace, self._given_up, stay)
        self._absent[stay.session.digest] = None
        if len(self._absent) > self._places:
            self._given_up(self._stays[next(iter(self._absent))])

    # what another lodging may do in another way

    def digest(self, token: str) -> bytes:
        """Return by what a session is known whose secret is ``token``."""
        return digest_of(token)

    def check(self, hello: Hello) -> None:
        """Raise ValueError where who said ``hello`` can't be let in."""
        self.house.names.check(hello.name)

    def first_cursor(self, hello: Hello) -> int:
        """Return the id in the lobby after which a newcomer who said ``hello`` is shown what was said."""
        lobby = self.house.lobby
        return self.house.history_after(lobby) if hello.subscribe else lobby.log.last

    def other_room(self, session: Session, hello: Hello) -> str | None:
        """Return the room that ``hello`` names if its client has read in another than that of ``session``.

        The client is right: the last move was lost with a server that was killed, or with a connection before
        the client heard of it.
        """
        room = hello.room
        if room is None or hello.last_seen_id is None or hello.log_epoch != self.house.logs.id:
            return None
        if room.lower() == session.room:
            return None
        with suppress(ValueError):  # a name that no room can have
            self.house.names.check(room)
            return room.lower()
        return None

    def told_of(self, error: StorageError, sentence: str) -> str:
        """Return what somebody who is not let in is told of ``error``: no more than the ``sentence``."""
        return sentence

    def enter(self, session: Session, guest: Lodger, hello: Hello) -> Member:
        """Let ``guest`` in; raise ValueError where that can't be."""
        now = self.hall.wall()
        nick, session.name, session.nick = _nick(session, hello), hello.name, ""
        with suppress(ValueError):  # it may be reserved by now
            if nick:
                member = self.house.enter(guest, now, nick, session=session)
                session.nick = nick
                return member
        return self.house.enter(guest, now, hello.name, session=session)

    def said_goodbye(self, guest: Lodger) -> None:
        """Answer the goodbye of ``guest``."""
        self.lifecycle.said_goodbye(guest, Farewell.LISTENS)

    def left(self, guest: Lodger) -> None:
        """``guest`` is leaving: nothing but the session is kept."""
        self._gone(self._stays[_session_of(guest).digest])

    def gone(self, guest: Lodger) -> None:
        """The connection of ``guest`` is gone, for whatever reason."""

    def yield_place(self) -> None:
        """A plain client enters."""

    def may_enter(self, guest: Lodger) -> bool:
        """Tell whether there is still a place for ``guest``, whose session is stored, or tell it so."""
        return True

    def entered(self, guest: Lodger) -> None:
        """``guest`` is in, and was welcomed."""
        self.lifecycle.entered(guest)

    def parted(self, guest: Lodger) -> None:
        """``guest`` answered the goodbye: its session knows how far it has read, and why it was closed."""
        session = _session_of(guest)
        if session.kicked:
            session.kicked = ""
            self._store_last(session, at_end=False)

    def obey(self, guest: Lodger, line: str) -> list[str]:
        """Do what ``guest`` asks for, store what that changed of its session, and return what to answer."""
        session = _session_of(guest)
        before = session.record()
        answer = self.house.commanded(guest.member, line)
        if session.record() != before and session.digest in self._stays:
            self.hall.remember(session)
        return answer

    def knows(self, token: str) -> bool:
        """Whether the session with that ``token`` is in use, or was until its connection broke."""
        return self.digest(token) in self._stays

    def keep_all(self) -> None:
        """Have all sessions that are in use stored as they are now."""
        for stay in self._stays.values():
            if not stay.member.absent:
                stay.session.heard = self.hall.wall()
            self.hall.remember(stay.session)

    def close(self) -> None:
        """Wait for nobody any more."""
        self.forget_absent()

    def forget_absent(self) -> None:
        """Keep nobody's place any longer."""
        for digest in [*self._absent]:
            self._gone(self._stays[digest])

    def _given_up(self, stay: Stay) -> None:
        """The place of ``stay`` was kept long enough."""
        self._gone(stay)

    def _come_new(self, guest: Lodger, hello: Hello) -> None:
        token = self._new_token()
        self.check(hello)
        after = self.first_cursor(hello)
        number, now = self.house.logs.new_number(), self.hall.wall()
        session = Session(SessionRecord(number, self.digest(token), hello.name, 1, LOBBY, after, now))

        def let_in(hindrance: StorageError | None) -> None:
            if hindrance is not None:
                self._put_off(guest, hindrance)
            elif guest.is_open and self.may_enter(guest):
                self._enter(session, guest, hello)
                guest.admitted(guest.member, token, after, back=False)
                self._begin(guest)

        def remembered(hindrance: StorageError | None) -> None:
            guest.stranger.stored()
            isolated(guest, partial(let_in, hindrance))
            self._release(session.digest)

        if self._hold(session.digest, guest):
            guest.stranger.storing()
            self.hall.remember(session, remembered)

    def _tell_kicked(self, session: Session, guest: Lodger) -> None:
        """Turn ``guest`` away, which was kicked and does not know; its next hello brings it in again."""
        self.hall.tally.refuse(Refusal.KICKED)
        why, session.kicked = session.kicked, ""
        self._store_last(session, at_end=False)
        guest.refused(why)

    def _come_back(self, session: Session, guest: Lodger, hello: Hello) -> None:
        if self._hold(session.digest, guest):
            session.room = self.other_room(session, hello) or session.room
            self._enter(session, guest, hello)
            self._admit_again(session, guest, hello)

    def _hold(self, digest: bytes, guest: Lodger) -> bool:
        """Have a session kept while it is in use, or tell ``guest`` that there is no room for it."""
        held = self.house.logs.hold(digest)
        if not held:
            self.hall.tally.refuse(Refusal.FULL)
            guest.busy("the server has no room for more sessions; try again later")
        return held

    def _release(self, digest: bytes) -> None:
        """Let a session be forgotten, unless it is in use or still to be stored."""
        if digest not in self._stays and digest not in self._closing:
            self.house.logs.release(digest)

    def _take_over(self, stay: Stay, guest: Lodger, hello: Hello) -> None:
        member = stay.member
        room = self.other_room(stay.session, hello)
        if room is not None:
            self.house.put_back(member, room, hello.last_seen_id or 0)
        if member.absent:
            self._stop_waiting(stay)
        else:
            before = cast(Lodger, member.guest)  # as only a lodger has a session
            isolated(before, before.replaced)
        member.guest, member.absent, guest.member = guest, False, member
        self._admit_again(stay.session, guest, hello)

    def _admit_again(self, session: Session, guest: Lodger, hello: Hello) -> None:
        self.hall.tally.returns += 1
        after = self._cursor(session, guest.member, hello)
        self._heard(session)
        guest.admitted(guest.member, hello.session or "", after, back=True)
        self._begin(guest)

    def _put_off(self, guest: Lodger, hindrance: StorageError, sentence: str = STORING_FAILS) -> None:
        self.hall.tally.refuse(Refusal.SESSION)
        guest.put_off(self.told_of(hindrance, sentence))

    def _begin(self, guest: Lodger) -> None:
        self.entered(guest)
        guest.begin()

    def _arrive_later(self, session: Session, guest: Lodger, hello: Hello) -> None:
        """Let ``guest`` in when its ``session`` is stored as it was left."""

        def let_in(hindrance: StorageError | None) -> None:
            if hindrance is not None:
                self._put_off(guest, hindrance)
            elif guest.is_open:
                self.arrive(guest, hello)

        def stored(hindrance: StorageError | None) -> None:
            guest.stranger.stored()
            isolated(guest, partial(let_in, hindrance))

        guest.stranger.storing()
        self.hall.remember(session, stored)

    def _cursor(self, session: Session, member: Member, hello: Hello) -> int:
        """Return the id up to which the caller has read, as it says if it speaks of the same log and room.

        It is an id that the log has given: a later one would hide what is stored under it in future. A quiet
        member reads nothing, and is sent nothing.
        """
        if member.quiet:
            return member.room.log.last
        seen, room = session.seen, hello.room
        here = room is None or room.lower() == session.room
        if hello.last_seen_id is not None and hello.log_epoch == self.house.logs.id and here:
            seen = hello.last_seen_id
        session.seen = min(seen, member.room.log.last)
        return session.seen

    def _enter(self, session: Session, guest: Lodger, hello: Hello) -> None:
        guest.member = self.enter(session, guest, hello)
        self._stays[session.digest] = Stay(session, guest.member)

    def _gone(self, stay: Stay) -> None:
        self._stop_waiting(stay)
        self._stays.pop(stay.session.digest, None)
        self.house.leave(stay.member)
        self._store_last(stay.session, at_end=not stay.member.absent)

    def _store_last(self, session: Session, *, at_end: bool) -> None:
        """Have ``session`` stored as it was left; who comes back before that has to wait for it."""
        if at_end:
            session.heard = self.hall.wall()
        closing = self._closing.setdefault(session.digest, Closing(session))
        closing.session = session
        closing.unstored += 1

        def stored(hindrance: StorageError | None) -> None:
            closing.unstored -= 1
            if not closing.unstored:
                del self._closing[session.digest]
            self._release(session.digest)

        self.hall.remember(session, stored)

    def _heard(self, session: Session) -> None:
        session.heard = self.hall.wall()
        self.hall.remember(session)

    def _stop_waiting(self, stay: Stay) -> None:
        self._absent.pop(stay.session.digest, None)
        if stay.waiting is not None and stay.waiting.active():
            stay.waiting.cancel()


def _nick(session: Session, hello: Hello) -> str:
    """Return the nickname with which a session is gone on with, empty if the client asks for another now."""
    return session.nick if hello.name == session.name else ""


def _session_of(guest: Lodger) -> Session:
    session = guest.member.session
    assert session is not None
    return session
