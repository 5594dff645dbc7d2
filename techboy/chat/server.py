"""The house: all rooms, who is in it, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from techboy.chat import commands
from techboy.chat.member import Guest, Member
from techboy.chat.nicknames import Names
from techboy.chat.policy import ROOMS, History, Policy, Presence
from techboy.chat.room import HISTORY_SIZE, Room, Waker, listed
from techboy.chat.session import Session
from techboy.storage.interface import TEXT, Batch, Logs, StorageError

LOBBY = "lobby"


@dataclass(frozen=True)
class Rules:
    """What can be set about a house.

    ``host``: the name that is the host's. ``guests``: how many may be in it. ``history``: how many of the
    lines said before are shown to who comes in. ``policy``: what kind of conversation the rooms hold.
    """

    host: str = "romeo"
    guests: int = 1000
    history: int = 20
    policy: Policy = ROOMS


@dataclass
class House:
    """A house of rooms. It is told who comes, what they say and who goes, and tells each `Guest`.

    ``logs`` keeps what is said. ``clock`` writes a moment, in seconds since 1970, for people.
    ``shut_down`` ends the program. ``motd``: what comes before the word of welcome, lines.
    """

    rules: Rules
    waker: Waker
    logs: Logs
    clock: Callable[[float], str]
    shut_down: Callable[[], None] = lambda: None
    motd: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.rooms: dict[str, Room] = {}
        # rooms that nobody is in, as long as something said there waits to be stored and delivered
        self._empty_rooms: WeakValueDictionary[str, Room] = WeakValueDictionary()
        self.names: Names[Member] = Names([self.rules.host])
        self.lobby = self.room(LOBBY)

    def policy_of(self, member: Member) -> Policy:
        """Return by what policy ``member`` is treated: the operator may see and do what it may in rooms."""
        return ROOMS if member.host else self.rules.policy

    @property
    def lagging(self) -> int:
        """How many who are here have not been sent all that was said in their room."""
        return sum(member.guest.behind > 0 for member in self.members.values())

    def room(self, name: str) -> Room:
        """Return the room ``name``, a new one where there is none.

        There is one room to a log: one that was left is entered again if messages of it are on their way.
        """
        key = name.lower()
        if key not in self.rooms:
            room = self._empty_rooms.pop(key, None)
            self.rooms[key] = room or Room(name, self.logs.open(key), self.waker, self.rules.policy.presence)
        return self.rooms[key]

    # who comes and goes

    def enter(
        self,
        guest: Guest,
        at: float,
        wanted: str | None = None,
        *,
        host: bool = False,
        session: Session | None = None,
        quiet: bool = False,
    ) -> Member:
        """Somebody comes in by the way ``guest``, and gets a name: ``wanted``, or a guest's.

        With a ``session`` they go on with its number, in its room, and do not hear whom they ignored. A
        ``host`` gets the host's name, or ``wanted`` if that can be had, and is the same by however many ways
        at a time; who is ``quiet`` comes and goes without a word. Raise ValueError where they can't have the
        name, nor the like of it.
        """
        number = self.logs.new_number() if session is None else session.number
        member = Member(number, guest, self.lobby, host=host, came_at=at, session=session, quiet=quiet)
        member.name = self._name(member, wanted)
        try:
            room = member.room = self.lobby if session is None else self.room(session.room)
        except StorageError:
            self._release(member.name, member)
            raise
        member.since = self.history_after(room)
        self.members[number] = member
        room.enter(member)
        return member

    def welcome(self, member: Member) -> list[str]:
        """Return the lines that greet ``member`` in the house."""
        return [*self.motd, *self.arrival(member)]

    def arrival(self, member: Member) -> list[str]:
        """Return the lines that greet ``member`` in a room."""
        room = member.room
        topic = [f"topic: {room.topic}"] if room.topic else []
        return [f"welcome to {room.name}, {member.name}; /help lists what you can do", *topic]

    def greeting(self, member: Member, *, back: bool = False) -> list[str]:
        """Return the lines that a member is sent, if any, when it enters or comes ``back``."""
        if self.policy_of(member).presence is Presence.UNANNOUNCED:
            return []
        return [*([] if back else self.welcome(member)), self.company(member)]

    def company(self, member: Member) -> str:
        """Return the line that tells ``member`` who is here."""
        here = member.room.listed
        return f"{len(here)} here: {listed(map(_shown, here.values()), len(here))}"

    def history_after(self, room: Room, left_at: int = 0) -> int:
        """Return the id in ``room`` after which history is shown to a member who enters it.

        ``left_at``: the id up to which it had been sent everything when it left the room earlier.
        """
        return max(room.log.last - self.rules.history, room.log.forgotten, left_at)

    def hidden_before(self, member: Member) -> int:
        """Return the id in its room up to which ``member`` cannot ask for messages."""
        forgotten = member.room.log.forgotten
        if self.policy_of(member).history is History.OWN_SESSION:
            return max(forgotten, member.since)
        return forgotten

    def history(self, member: Member) -> list[Batch]:
        """Return the history that ``member`` is shown of its room: a page at most; raise StorageError."""
        log = member.room.log
        return log.tail(log.last - member.since, HISTORY_SIZE) if log.last > member.since else []

    def leave(self, member: Member) -> None:
        """``member`` is gone."""
        if self.members.pop(member.number, None) is None:
            return
        self._release(member.name, member)
        self._hand_on(member)
        self._leave_room(member)

    # what they do

    def said(self, member: Member, text: str, kind: str = TEXT) -> None:
        """``member`` sends messages of one ``kind``: ``text``, lines joined by LF."""
        member.room.say(member, kind, text)

    def commanded(self, member: Member, line: str) -> list[str]:
        """``member`` gives the command ``line``, without its slash; return what to answer."""
        return commands.obey(self, member, line)

    def ways_of(self, member: Member) -> list[Member]:
        """Return ``member`` as everybody who is the same one: the host may be here by several ways."""
        if not member.host:
            return [member]
        return [way for way in self._all_ways_of(member) if not way.quiet]

    def move(self, member: Member, name: str) -> None:
        """Bring ``member`` into the room ``name``; raise StorageError, and leave it where it is.

        It is shown the history of the room, but not what it was sent there before.
        """
        room = self.room(name)
        member.remember_offset()
        self._put(member, room, self.history_after(room, member.left.pop(name.lower(), 0)))
        member.guest.moved()

    def put_back(self, member: Member, name: str, seen: int) -> None:
        """Have ``member`` in the room ``name``, of which it has seen all up to the id ``seen``.

        It knows that it is there. Raise StorageError, and leave it where it is.
        """
        room = self.room(name)
        member.left.pop(name.lower(), None)
        self._put(member, room, min(seen, room.log.last))

    def rename(self, member: Member, wanted: str) -> bool:
        """Call ``member`` something else; return whether the room will be told of it.

        Raise ValueError where it can't be called so.
        """
        if member.host and self.ways_of(member) != [member]:
            raise ValueError("the operator has other sessions, and keeps the nickname")
        before = member.name
        if member.given and wanted.lower() == member.given.lower():
            self.names.take(member.given, member)
            name = member.given
        else:
            name = self.names.claim(wanted, member)
        for way in self._all_ways_of(member):
            way.rename(name)
        if before.lower() != name.lower():
            self.names.release(before, member)
        return before != name and member.room.rename(member, before)

    def _name(self, member: Member, wanted: str | None) -> str:
        if member.host:
            return self._name_of_host(member, wanted)
        if wanted is not None:
            return self.names.claim(wanted, member)
        member.given = self.names.guest(member)
        return member.given

    def _name_of_host(self, member: Member, wanted: str | None) -> str:
        """Return the name that the host has now; who comes in by another way is away where the host is."""
        member.given = self.rules.host
        for way in self.ways_of(member):
            member.away, member.answers_to = way.away, way.answers_to
            return way.name
        if member.quiet:
            return member.given
        name = self._claim_for_host(member, wanted)
        for way in self._all_ways_of(member):
            way.name = name
        return name

    def _claim_for_host(self, member: Member, wanted: str | None) -> str:
        if wanted is not None:
            with suppress(ValueError):  # it may be reserved by now
                return self.names.claim(wanted, member)
        self.names.take(member.given, member)
        return member.given

    def _release(self, name: str, member: Member) -> None:
        """Take ``name`` from ``member``; the host keeps it by any other way in.

        A quiet host holds no name. With the last other way gone it is called by the host's own name, which
        nobody else gets.
        """
        self.names.release(name, member)
        others = [way for way in self._all_ways_of(member) if way is not member]
        heir = next((way for way in others if not way.quiet), None)
        if heir is None:
            for way in others:
                way.name = way.given
        elif self.names.get(name) is None:
            self.names.take(name, heir)

    def _all_ways_of(self, member: Member) -> list[Member]:
        """Return what `ways_of` does, and the host's quiet ways."""
        if not member.host:
            return [member]
        return [other for other in self.members.values() if other.host]

    def _hand_on(self, member: Member) -> None:
        """Let answers to ``member``, who is gone, go to the host where the host is here by another way."""
        for heir in self.ways_of(member) if member.host else ():
            for other in self.members.values():
                if other.answers_to == member.number:
                    other.answers_to = heir.number

    def _put(self, member: Member, room: Room, since: int) -> None:
        self._leave_room(member)
        member.room, member.since = room, since
        if member.session is not None:
            member.session.room, member.session.seen = room.name.lower(), since
        room.enter(member)

    def _leave_room(self, member: Member) -> None:
        room = member.room
        room.leave(member)
        if not room.members and room is not self.lobby:
            key = room.name.lower()
            self._empty_rooms[key] = self.rooms.pop(key)


def _shown(member: Member) -> str:
    return f"{member.name} (away)" if member.absent or member.away is not None else member.name
