"""The house: all rooms, who is in it, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from techboy.chat import commands
from techboy.chat.member import Member, MemberConnection
from techboy.chat.nicknames import NicknameRegistry
from techboy.chat.policy import ROOMS, History, Policy, Presence
from techboy.chat.room import HISTORY_SIZE, FlushScheduler, Room, listed
from techboy.chat.session import Session
from techboy.storage.interface import TEXT, LogStore, MessageBatch, StorageError

LOBBY = "lobby"


@dataclass(frozen=True)
class ServerConfig:
    """What can be set about a house.

    ``host``: the name that is the host's. ``guests``: how many may be in it. ``history``: how many of the
    lines said before are shown to who comes in. ``policy``: what kind of conversation the rooms hold.
    """

    host: str = "romeo"
    guests: int = 1000
    history: int = 20
    policy: Policy = ROOMS


@dataclass
class ChatServer:
    """A house of rooms. It is told who comes, what they say and who goes, and tells each `MemberConnection`.

    ``logs`` keeps what is said. ``clock`` writes a moment, in seconds since 1970, for people.
    ``shut_down`` ends the program. ``motd``: what comes before the word of welcome, lines.
    """

    rules: ServerConfig
    flush_scheduler: FlushScheduler
    logs: LogStore
    clock: Callable[[float], str]
    shut_down: Callable[[], None] = lambda: None
    motd: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.rooms: dict[str, Room] = {}
        # rooms that nobody is in, as long as something said there waits to be stored and delivered
        self._empty_rooms: WeakValueDictionary[str, Room] = WeakValueDictionary()
        self.names: NicknameRegistry[Member] = NicknameRegistry([self.rules.host])
        self.lobby = self.room(LOBBY)

    def policy_of(self, member: Member) -> Policy:
        """Return by what policy ``member`` is treated: the operator may see and do what it may in rooms."""
        return ROOMS if member.is_operator else self.rules.policy

    @property
    def lagging_members(self) -> int:
        """How many who are here have not been sent all that was said in their room."""
        return sum(member.connection.backlog > 0 for member in self.members.values())

    def room(self, name: str) -> Room:
        """Return the room ``name``, a new one where there is none.

        There is one room to a log: one that was left is entered again if messages of it are on their way.
        """
        key = name.lower()
        if key not in self.rooms:
            room = self._empty_rooms.pop(key, None)
            self.rooms[key] = room or Room(
                name, self.logs.open(key), self.flush_scheduler, self.rules.policy.presence
            )
        return self.rooms[key]

    # who comes and goes

    def join(
        self,
        connection: MemberConnection,
        at: float,
        wanted: str | None = None,
        *,
        host: bool = False,
        session: Session | None = None,
        quiet: bool = False,
    ) -> Member:
        """Somebody comes in by the way ``connection``, and gets a name: ``wanted``, or a guest's.

        With a ``session`` they go on with its number, in its room, and do not hear whom they ignored. A
        ``host`` gets the host's name, or ``wanted`` if that can be had, and is the same by however many ways
        at a time; who is ``quiet`` comes and goes without a word. Raise ValueError where they can't have the
        name, nor the like of it.
        """
        number = self.logs.new_number() if session is None else session.number
        member = Member(
            number, connection, self.lobby, is_operator=host, joined_at=at, session=session, hidden=quiet
        )
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

    def welcome_lines(self, member: Member) -> list[str]:
        """Return the lines that greet ``member`` in the house."""
        return [*self.motd, *self.room_greeting(member)]

    def room_greeting(self, member: Member) -> list[str]:
        """Return the lines that greet ``member`` in a room."""
        room = member.room
        topic = [f"topic: {room.topic}"] if room.topic else []
        return [f"welcome to {room.name}, {member.name}; /help lists what you can do", *topic]

    def greeting(self, member: Member, *, back: bool = False) -> list[str]:
        """Return the lines that a member is sent, if any, when it enters or comes ``back``."""
        if self.policy_of(member).presence is Presence.UNANNOUNCED:
            return []
        return [*([] if back else self.welcome_lines(member)), self.member_list(member)]

    def member_list(self, member: Member) -> str:
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

    def history(self, member: Member) -> list[MessageBatch]:
        """Return the history that ``member`` is shown of its room: a page at most; raise StorageError."""
        log = member.room.log
        return log.read_last(log.last - member.since, HISTORY_SIZE) if log.last > member.since else []

    def leave(self, member: Member) -> None:
        """``member`` is gone."""
        if self.members.pop(member.number, None) is None:
            return
        self._release(member.name, member)
        self._redirect_replies(member)
        self._leave_room(member)

    # what they do

    def post(self, member: Member, text: str, kind: str = TEXT) -> None:
        """``member`` sends messages of one ``kind``: ``text``, lines joined by LF."""
        member.room.post(member, kind, text)

    def run_command(self, member: Member, line: str) -> list[str]:
        """``member`` gives the command ``line``, without its slash; return what to answer."""
        return commands.run_command(self, member, line)

    def same_user(self, member: Member) -> list[Member]:
        """Return ``member`` as everybody who is the same one: the host may be here by several ways."""
        if not member.is_operator:
            return [member]
        return [way for way in self._all_of_same_user(member) if not way.hidden]

    def move(self, member: Member, name: str) -> None:
        """Bring ``member`` into the room ``name``; raise StorageError, and leave it where it is.

        It is shown the history of the room, but not what it was sent there before.
        """
        room = self.room(name)
        member.remember_offset()
        self._put(member, room, self.history_after(room, member.left.pop(name.lower(), 0)))
        member.connection.on_room_changed()

    def restore_room(self, member: Member, name: str, seen: int) -> None:
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
        if member.is_operator and self.same_user(member) != [member]:
            raise ValueError("the operator has other sessions, and keeps the nickname")
        before = member.name
        if member.default_name and wanted.lower() == member.default_name.lower():
            self.names.take(member.default_name, member)
            name = member.default_name
        else:
            name = self.names.claim(wanted, member)
        for way in self._all_of_same_user(member):
            way.rename(name)
        if before.lower() != name.lower():
            self.names.release(before, member)
        return before != name and member.room.rename(member, before)

    def _name(self, member: Member, wanted: str | None) -> str:
        if member.is_operator:
            return self._operator_name(member, wanted)
        if wanted is not None:
            return self.names.claim(wanted, member)
        member.default_name = self.names.default_name(member)
        return member.default_name

    def _operator_name(self, member: Member, wanted: str | None) -> str:
        """Return the name that the host has now; who comes in by another way is away where the host is."""
        member.default_name = self.rules.host
        for way in self.same_user(member):
            member.away, member.reply_to = way.away, way.reply_to
            return way.name
        if member.hidden:
            return member.default_name
        name = self._claim_operator_name(member, wanted)
        for way in self._all_of_same_user(member):
            way.name = name
        return name

    def _claim_operator_name(self, member: Member, wanted: str | None) -> str:
        if wanted is not None:
            with suppress(ValueError):  # it may be reserved by now
                return self.names.claim(wanted, member)
        self.names.take(member.default_name, member)
        return member.default_name

    def _release(self, name: str, member: Member) -> None:
        """Take ``name`` from ``member``; the host keeps it by any other way in.

        A quiet host holds no name. With the last other way gone it is called by the host's own name, which
        nobody else gets.
        """
        self.names.release(name, member)
        others = [way for way in self._all_of_same_user(member) if way is not member]
        heir = next((way for way in others if not way.hidden), None)
        if heir is None:
            for way in others:
                way.name = way.default_name
        elif self.names.get(name) is None:
            self.names.take(name, heir)

    def _all_of_same_user(self, member: Member) -> list[Member]:
        """Return what `ways_of` does, and the host's quiet ways."""
        if not member.is_operator:
            return [member]
        return [other for other in self.members.values() if other.is_operator]

    def _redirect_replies(self, member: Member) -> None:
        """Let answers to ``member``, who is gone, go to the host where the host is here by another way."""
        for heir in self.same_user(member) if member.is_operator else ():
            for other in self.members.values():
                if other.reply_to == member.number:
                    other.reply_to = heir.number

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
