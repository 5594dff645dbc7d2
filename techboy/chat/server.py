"""The chat server: its rooms, members and nicknames."""

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
    """The settings of a chat server.

    ``operator_name``: the nickname that is reserved for the operator. ``max_clients``: the number of clients
    that may be connected. ``history``: the number of lines that a member is sent when it enters a room.
    ``policy``: how the rooms treat their members.
    """

    operator_name: str = "romeo"
    max_clients: int = 1000
    history: int = 20
    policy: Policy = ROOMS


@dataclass
class ChatServer:
    """The rooms of a server and their members.

    Messages go to ``flush_scheduler``, which stores and delivers them; everything else is sent to the
    `MemberConnection` at once. ``logs``: where messages are stored. ``clock`` formats a time, in seconds
    since 1970, for people. ``shut_down`` ends the program. ``motd``: the lines of the message of the day.
    """

    config: ServerConfig
    flush_scheduler: FlushScheduler
    logs: LogStore
    clock: Callable[[float], str]
    shut_down: Callable[[], None] = lambda: None
    motd: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.rooms: dict[str, Room] = {}
        # rooms without members, for as long as messages of theirs wait to be stored and delivered
        self._empty_rooms: WeakValueDictionary[str, Room] = WeakValueDictionary()
        self.names: NicknameRegistry[Member] = NicknameRegistry([self.config.operator_name])
        self.lobby = self.room(LOBBY)

    def policy_of(self, member: Member) -> Policy:
        """Return the policy that applies to ``member``: for the operator, `ROOMS`."""
        return ROOMS if member.is_operator else self.config.policy

    @property
    def lagging_members(self) -> int:
        """The number of members that have not been sent all messages of their room."""
        return sum(member.connection.backlog > 0 for member in self.members.values())

    def room(self, name: str) -> Room:
        """Return the room ``name``, a new one if there is none; raise StorageError if its log cannot be read.

        A log never has two rooms: an empty room is used again if messages of it wait to be delivered.
        """
        key = name.lower()
        if key not in self.rooms:
            room = self._empty_rooms.pop(key, None)
            self.rooms[key] = room or Room(
                name, self.logs.open(key), self.flush_scheduler, self.config.policy.presence
            )
        return self.rooms[key]

    # joining and leaving

    def join(
        self,
        connection: MemberConnection,
        at: float,
        wanted: str | None = None,
        *,
        is_operator: bool = False,
        session: Session | None = None,
        hidden: bool = False,
    ) -> Member:
        """Add the member of ``connection``, which joins at the time ``at``, and return it.

        Its nickname is ``wanted``, or one derived from it if that is taken; without ``wanted`` it gets a
        numbered one. With a ``session`` it continues with the number, room and ignored members of that. All
        sessions of the operator share one nickname: ``wanted`` if that is available, or the operator's own. A
        ``hidden`` member is not announced. Raise ValueError if the nickname is not allowed, and StorageError
        if the room cannot be read; then nothing has changed.
        """
        number = self.logs.new_number() if session is None else session.number
        member = Member(
            number,
            connection,
            self.lobby,
            is_operator=is_operator,
            joined_at=at,
            session=session,
            hidden=hidden,
        )
        member.name = self._assign_name(member, wanted)
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
        """Return the lines that greet ``member`` on the server: the message of the day and the room's."""
        return [*self.motd, *self.room_greeting(member)]

    def room_greeting(self, member: Member) -> list[str]:
        """Return the lines that greet ``member`` in a room."""
        room = member.room
        topic = [f"topic: {room.topic}"] if room.topic else []
        return [f"welcome to {room.name}, {member.name}; /help lists what you can do", *topic]

    def greeting(self, member: Member, *, resumed: bool = False) -> list[str]:
        """Return the lines that a member is sent, if any, when it joins or its session is ``resumed``."""
        if self.policy_of(member).presence is Presence.UNANNOUNCED:
            return []
        return [*([] if resumed else self.welcome_lines(member)), self.member_list(member)]

    def member_list(self, member: Member) -> str:
        """Return the line that lists the members of the room of ``member``."""
        members = member.room.listed
        return f"{len(members)} here: {listed(map(_listed_name, members.values()), len(members))}"

    def history_after(self, room: Room, left_at: int = 0) -> int:
        """Return the id in ``room`` after which a member who enters it is sent the history.

        ``left_at``: the member's offset when it left the room earlier.
        """
        return max(room.log.last - self.config.history, room.log.deleted_through, left_at)

    def hidden_before(self, member: Member) -> int:
        """Return the id in its room up to which ``member`` may not read messages."""
        deleted = member.room.log.deleted_through
        if self.policy_of(member).history is History.OWN_SESSION:
            return max(deleted, member.since)
        return deleted

    def history(self, member: Member) -> list[MessageBatch]:
        """Return the history of its room for ``member``: a page at most; raise StorageError."""
        log = member.room.log
        return log.read_last(log.last - member.since, HISTORY_SIZE) if log.last > member.since else []

    def leave(self, member: Member) -> None:
        """Remove ``member``, unless it was removed already."""
        if self.members.pop(member.number, None) is None:
            return
        self._release(member.name, member)
        self._redirect_replies(member)
        self._leave_room(member)

    # messages and commands

    def post(self, member: Member, text: str, kind: str = TEXT) -> None:
        """Add messages of ``member``, all of one ``kind``, to its room: ``text``, lines joined by LF."""
        member.room.post(member, kind, text)

    def run_command(self, member: Member, line: str) -> list[str]:
        """Run the command ``line`` of ``member``, without its slash; return the lines to send in reply."""
        return commands.run_command(self, member, line)

    def same_user(self, member: Member) -> list[Member]:
        """Return the members that are the same user as ``member``: all visible sessions of the operator."""
        if not member.is_operator:
            return [member]
        return [other for other in self._all_of_same_user(member) if not other.hidden]

    def move(self, member: Member, name: str) -> None:
        """Move ``member`` to the room ``name``; raise StorageError, and change nothing, if it cannot be read.

        The member is sent the history of the room, except messages that it was sent there before.
        """
        room = self.room(name)
        member.remember_offset()
        self._place(member, room, self.history_after(room, member.left.pop(name.lower(), 0)))
        member.connection.on_room_changed()

    def restore_room(self, member: Member, name: str, seen: int) -> None:
        """Put ``member`` in the room ``name``, with the offset ``seen``, without telling its connection.

        Raise StorageError if the room cannot be read, and change nothing.
        """
        room = self.room(name)
        member.left.pop(name.lower(), None)
        self._place(member, room, min(seen, room.log.last))

    def rename(self, member: Member, wanted: str) -> bool:
        """Change the nickname of ``member`` to ``wanted``; return whether that is announced to the room.

        Raise ValueError if the nickname is not allowed.
        """
        if member.is_operator and self.same_user(member) != [member]:
            raise ValueError("the operator has other sessions, and keeps the nickname")
        old_name = member.name
        if member.default_name and wanted.lower() == member.default_name.lower():
            self.names.take(member.default_name, member)
            name = member.default_name
        else:
            name = self.names.claim(wanted, member)
        for each in self._all_of_same_user(member):
            each.rename(name)
        if old_name.lower() != name.lower():
            self.names.release(old_name, member)
        return old_name != name and member.room.rename(member, old_name)

    def _assign_name(self, member: Member, wanted: str | None) -> str:
        if member.is_operator:
            return self._operator_name(member, wanted)
        if wanted is not None:
            return self.names.claim(wanted, member)
        member.default_name = self.names.default_name(member)
        return member.default_name

    def _operator_name(self, member: Member, wanted: str | None) -> str:
        """Return the operator's nickname; a further session takes over what the others have set."""
        member.default_name = self.config.operator_name
        for other in self.same_user(member):
            member.away, member.reply_to = other.away, other.reply_to
            return other.name
        if member.hidden:
            return member.default_name
        name = self._claim_operator_name(member, wanted)
        for other in self._all_of_same_user(member):
            other.name = name
        return name

    def _claim_operator_name(self, member: Member, wanted: str | None) -> str:
        if wanted is not None:
            with suppress(ValueError):  # the name of an old session may be reserved by now
                return self.names.claim(wanted, member)
        self.names.take(member.default_name, member)
        return member.default_name

    def _release(self, name: str, member: Member) -> None:
        """Release ``name``, which ``member`` has; another visible session of the operator takes it over.

        Hidden sessions of the operator hold no nickname. If only hidden ones are left, they have the
        operator's own name, which is reserved.
        """
        self.names.release(name, member)
        others = [other for other in self._all_of_same_user(member) if other is not member]
        heir = next((other for other in others if not other.hidden), None)
        if heir is None:
            for other in others:
                other.name = other.default_name
        elif self.names.get(name) is None:
            self.names.take(name, heir)

    def _all_of_same_user(self, member: Member) -> list[Member]:
        """Return the members of `same_user`, and the hidden sessions of the operator."""
        if not member.is_operator:
            return [member]
        return [other for other in self.members.values() if other.is_operator]

    def _redirect_replies(self, member: Member) -> None:
        """Let replies to ``member``, which has left, go to another session of the operator, if any."""
        for heir in self.same_user(member) if member.is_operator else ():
            for other in self.members.values():
                if other.reply_to == member.number:
                    other.reply_to = heir.number

    def _place(self, member: Member, room: Room, since: int) -> None:
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


def _listed_name(member: Member) -> str:
    return f"{member.name} (away)" if member.absent or member.away is not None else member.name
