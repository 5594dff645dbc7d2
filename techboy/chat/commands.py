"""The commands, which are lines that begin with a slash: one table with their help texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from techboy.arguments import first_word
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import Rooms
from techboy.chat.room import HISTORY_SIZE
from techboy.chat.status import last_heard, lines_wait
from techboy.storage.interface import ACTION, StorageError

if TYPE_CHECKING:
    from techboy.chat.server import ChatServer

LAST_LINES = 20
MAX_LAST_LINES = 1000
MAX_AWAY_LENGTH = 200
"""Longest topic, away message or reason for a kick, in characters."""

MAX_IGNORED = 100
"""Number of members that one member may ignore."""

FAREWELL = "goodbye"
"""Sent to a member that leaves by a command."""


class CommandError(Exception):
    """A command failed; the text is the sentence that its sender is shown."""


class Permission(Enum):
    """Who may use a command."""

    EVERYONE = auto()
    OPERATOR = auto()


Action = Callable[["ChatServer", Member, str], "list[str]"]


@dataclass(frozen=True)
class Command:
    """One command.

    ``arguments``: as the help shows them; those in brackets are optional. ``rooms``: the command exists only
    if the server has that many rooms; `Rooms.ONE` stands for any number.
    """

    name: str
    arguments: str
    permission: Permission
    help: str
    action: Action
    rooms: Rooms = Rooms.ONE

    @property
    def required(self) -> int:
        """The number of arguments that must be given."""
        return sum(not word.startswith("[") for word in self.arguments.split())

    def is_for(self, chat: ChatServer, member: Member) -> bool:
        """Return whether ``member`` may use the command in ``chat``."""
        return (member.is_operator or self.permission is Permission.EVERYONE) and self.rooms in (
            Rooms.ONE,
            chat.config.policy.rooms,
        )

    @property
    def usage(self) -> str:
        """The command as it is typed, with its arguments."""
        return f"/{self.name} {self.arguments}".rstrip()


def run_command(chat: ChatServer, member: Member, line: str) -> list[str]:
    """Run the command ``line``, without its slash; return the lines to send in reply, also after an error."""
    word, arguments = first_word(line)
    command = _TABLE.get(word.lower())
    if command is None or not command.is_for(chat, member):
        return [f"unknown command /{word}: type /help for a list, or // to send a message that starts with /"]
    if len(arguments.split()) < command.required:
        return [f"usage: {command.usage}"]
    try:
        return command.action(chat, member, arguments.strip())
    except (CommandError, ValueError) as error:
        return [str(error)]
    except StorageError as error:
        chat.flush_scheduler.report_read_error(error)
        return [member.describe_error(error, READING_FAILS)]


def _help(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    return [f"{command.usage} - {command.help}" for command in COMMANDS if command.is_for(chat, member)]


def _nick(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    is_announced = chat.rename(member, arguments)
    return [] if is_announced else [f"you are {member.name} now"]


def _me(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    member.room.post(member, ACTION, arguments)
    return []


def _msg(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    name, text = first_word(arguments)
    other = _find_member(chat, name)
    recipients = [session for session in chat.same_user(other) if member.number not in session.ignoring]
    lines = [f"{member.name} says to you: {text}"]
    accepted = [
        isolated(recipient.connection, partial(recipient.connection.send_notice, lines))
        for recipient in recipients
    ]
    if recipients and not any(accepted):
        raise CommandError(f"{other.name} is not reading at the moment; your message was not delivered")
    for recipient in recipients:
        recipient.reply_to = member.number
    away = [] if other.away is None else [_away_line(other)]
    return [f"you say to {other.name}: {text}", *away]


def _reply(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    other = chat.members.get(member.reply_to or 0)
    if other is None:
        raise CommandError("no member here has sent you a private message")
    return _msg(chat, member, f"{other.name} {arguments}")


def _who(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    return [chat.member_list(member)]


def _whois(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    other = _find_member(chat, arguments)
    title = ", the operator" if other.is_operator else ""
    away = [] if other.away is None else [_away_line(other)]
    return [f"{other.name} is in {other.room.name}{title}, since {chat.clock(other.joined_at)}", *away]


def _join(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    if arguments.lower() == member.room.name.lower():
        raise CommandError(f"you are in {member.room.name} already")
    chat.names.check(arguments)
    chat.move(member, arguments)
    return []


def _part(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    if member.room is chat.lobby:
        raise CommandError(f"you are in {chat.lobby.name} already; /quit leaves the server")
    chat.move(member, chat.lobby.name)
    return []


def _rooms(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    rooms = sorted(chat.rooms.values(), key=lambda room: (-len(room.listed), room.name))
    lines = [f"{room.name}: {len(room.listed)} here" for room in rooms[:LAST_LINES]]
    hidden = len(rooms) - LAST_LINES
    return lines if hidden <= 0 else [*lines, f"and {hidden} more rooms"]


def _topic(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    room = member.room
    if not arguments:
        return [f"topic: {room.topic}" if room.topic else "there is no topic"]
    room.topic = arguments[:MAX_AWAY_LENGTH]
    room.announce(f"{member.name} changed the topic: {room.topic}")
    return []


def _last(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    lines = arguments or str(LAST_LINES)
    if not (lines.isascii() and lines.isdecimal() and lines.strip("0")):
        raise CommandError("usage: /last [N]")
    log = member.room.log
    asked = min(int(lines), MAX_LAST_LINES, log.last - chat.hidden_before(member))
    batches = log.read_last(asked, HISTORY_SIZE)
    if not batches:
        raise CommandError("there are no messages yet")
    if not member.connection.send_history(batches):
        raise CommandError("too much is waiting to be sent to you. Try again later.")
    shown = batches[-1].last - batches[0].first + 1
    return [f"these are the last {shown} lines: at most so many are shown at a time"] if shown < asked else []


def _away(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    for session in chat.same_user(member):
        session.away = arguments[:MAX_AWAY_LENGTH]
    return ["you are away; /back ends it"]


def _back(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    if member.away is None:
        raise CommandError("you were not away")
    for session in chat.same_user(member):
        session.away = None
    return ["you are back"]


def _ignore(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    other = _find_member(chat, arguments)
    if other is member:
        raise CommandError("you cannot ignore yourself")
    if other.is_operator:
        raise CommandError("you cannot ignore the operator")
    member.ignore(_with_space(chat, member.ignoring - {other.number}) | {other.number})
    return [f"you ignore {other.name}; /unignore {other.name} ends it"]


def _with_space(chat: ChatServer, ignoring: frozenset[int]) -> frozenset[int]:
    """Return ``ignoring`` with space for one more: if it is full, without the oldest member that has left."""
    if len(ignoring) < MAX_IGNORED:
        return ignoring
    left = ignoring - chat.members.keys()
    if not left:
        raise CommandError(f"you ignore {MAX_IGNORED} members already, and all of them are here")
    return ignoring - {min(left)}


def _unignore(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    other = _find_member(chat, arguments)
    if other.number not in member.ignoring:
        raise CommandError(f"you do not ignore {other.name}")
    member.ignore(member.ignoring - {other.number})
    return [f"you no longer ignore {other.name}"]


def _ping(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    if not arguments:
        return ["pong"]
    other = _find_member(chat, arguments)
    idle_seconds = other.connection.idle_seconds
    if idle_seconds is None:
        return [f"the connection of {other.name} was lost"]
    return [f"{last_heard(other.name, idle_seconds)}; {lines_wait(other.connection.backlog)}"]


def _quit(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    member.connection.disconnect(FAREWELL)
    return []


def _kick(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    name, why = first_word(arguments)
    other = _find_member(chat, name)
    if other.is_operator:
        raise CommandError("the operator cannot be kicked")
    reason = f": {why[:MAX_AWAY_LENGTH]}" if why else ""
    other.room.announce(f"{other.name} was kicked by {member.name}{reason}")
    farewell = f"you were kicked by {member.name}{reason}"
    if other.session is not None:
        other.session.kicked = farewell
    isolated(other.connection, partial(other.connection.disconnect, farewell))
    return []


def _motd(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    if arguments:
        chat.motd = [arguments]
    return chat.motd or ["there is no message of the day"]


def _shutdown(chat: ChatServer, member: Member, arguments: str) -> list[str]:
    chat.shut_down()
    return []


def _find_member(chat: ChatServer, name: str) -> Member:
    other = chat.names.get(name)
    if other is None:
        raise CommandError(f"there is no member called {name}")
    return other


def _away_line(member: Member) -> str:
    return f"{member.name} is away{': ' + member.away if member.away else ''}"


COMMANDS = (
    Command("help", "", Permission.EVERYONE, "list the commands", _help),
    Command("nick", "NAME", Permission.EVERYONE, "change your nickname", _nick),
    Command("me", "TEXT", Permission.EVERYONE, "send an action, for example /me waves", _me),
    Command("msg", "NAME TEXT", Permission.EVERYONE, "send a private message", _msg),
    Command("r", "TEXT", Permission.EVERYONE, "reply to the last private message", _reply),
    Command("who", "", Permission.EVERYONE, "list the members of this room", _who),
    Command("whois", "NAME", Permission.EVERYONE, "show which room a member is in, and whether away", _whois),
    Command("join", "NAME", Permission.EVERYONE, "join another room", _join, Rooms.MANY),
    Command("part", "", Permission.EVERYONE, "return to the lobby", _part, Rooms.MANY),
    Command("rooms", "", Permission.EVERYONE, "list the rooms", _rooms, Rooms.MANY),
    Command(
        "topic", "[TEXT]", Permission.EVERYONE, "show or change the topic of this room", _topic, Rooms.MANY
    ),
    Command("last", "[N]", Permission.EVERYONE, "show the last messages of this room", _last),
    Command("away", "[TEXT]", Permission.EVERYONE, "mark yourself as away", _away),
    Command("back", "", Permission.EVERYONE, "mark yourself as back", _back),
    Command(
        "ignore",
        "NAME",
        Permission.EVERYONE,
        "hide the messages of a member other than the operator",
        _ignore,
    ),
    Command("unignore", "NAME", Permission.EVERYONE, "show the messages of a member again", _unignore),
    Command(
        "ping",
        "[NAME]",
        Permission.EVERYONE,
        "test the connection, or show when a member was last heard",
        _ping,
    ),
    Command("quit", "", Permission.EVERYONE, "leave; /exit or exit alone on a line do the same", _quit),
    Command("kick", "NAME [WHY]", Permission.OPERATOR, "disconnect a member", _kick),
    Command("motd", "[TEXT]", Permission.OPERATOR, "show or change the message of the day", _motd),
    Command("shutdown", "", Permission.OPERATOR, "shut the server down", _shutdown),
)

_TABLE = {command.name: command for command in COMMANDS}
_TABLE["exit"] = _TABLE["quit"]
