"""What can be done by a line that begins with a slash: one table, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from techboy.arguments import first_word
from techboy.chat.conversation import last_heard, lines_wait
from techboy.chat.isolation import isolated
from techboy.chat.member import READING_FAILS, Member
from techboy.chat.policy import Rooms
from techboy.chat.room import HISTORY_SIZE
from techboy.storage.interface import ACTION, StorageError

if TYPE_CHECKING:
    from techboy.chat.server import House

LAST_LINES = 20
MOST_LAST_LINES = 1000
LONGEST_NOTE = 200
"""Characters of a topic, or of a reason for being away or for sending somebody away."""

MOST_IGNORED = 100
"""Members that a member may ignore."""

FAREWELL = "goodbye"
"""What is said to who leaves by a command."""


class RefusedError(Exception):
    """A command can't be obeyed: the sentence is for the one who gave it."""


class Who(Enum):
    """Who may give a command."""

    ANYBODY = auto()
    HOST = auto()


Action = Callable[["House", Member, str], "list[str]"]


@dataclass(frozen=True)
class Command:
    """One command: ``arguments`` as help shows them, those in brackets may be left out.

    ``rooms``: how many there have to be.
    """

    name: str
    arguments: str
    who: Who
    help: str
    action: Action
    rooms: Rooms = Rooms.ONE

    @property
    def required(self) -> int:
        """How many arguments there have to be."""
        return sum(not word.startswith("[") for word in self.arguments.split())

    def is_for(self, house: House, member: Member) -> bool:
        """Return whether ``member`` may give it in ``house``."""
        return (member.host or self.who is Who.ANYBODY) and self.rooms in (
            Rooms.ONE,
            house.rules.policy.rooms,
        )

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"/{self.name} {self.arguments}".rstrip()


def obey(house: House, member: Member, line: str) -> list[str]:
    """Do what ``line``, without its slash, says, and return the lines to answer."""
    word, arguments = first_word(line)
    command = _TABLE.get(word.lower())
    if command is None or not command.is_for(house, member):
        return [f"unknown command /{word}: type /help for a list, or // to send a message that starts with /"]
    if len(arguments.split()) < command.required:
        return [f"usage: {command.usage}"]
    try:
        return command.action(house, member, arguments.strip())
    except (RefusedError, ValueError) as refused:
        return [str(refused)]
    except StorageError as unreadable:
        house.waker.unreadable(unreadable)
        return [member.told_of(unreadable, READING_FAILS)]


def _help(house: House, member: Member, arguments: str) -> list[str]:
    return [f"{command.usage} - {command.help}" for command in COMMANDS if command.is_for(house, member)]


def _nick(house: House, member: Member, arguments: str) -> list[str]:
    told = house.rename(member, arguments)
    return [] if told else [f"you are {member.name} now"]


def _me(house: House, member: Member, arguments: str) -> list[str]:
    member.room.say(member, ACTION, arguments)
    return []


def _msg(house: House, member: Member, arguments: str) -> list[str]:
    name, text = first_word(arguments)
    other = _somebody(house, name)
    ways = [way for way in house.ways_of(other) if member.number not in way.ignoring]
    lines = [f"{member.name} says to you: {text}"]
    taken = [isolated(way.guest, partial(way.guest.tell, lines)) for way in ways]
    if ways and not any(taken):
        raise RefusedError(f"{other.name} is not reading at the moment; your message was not delivered")
    for way in ways:
        way.answers_to = member.number
    away = [] if other.away is None else [_away_line(other)]
    return [f"you say to {other.name}: {text}", *away]


def _reply(house: House, member: Member, arguments: str) -> list[str]:
    other = house.members.get(member.answers_to or 0)
    if other is None:
        raise RefusedError("no member here has sent you a private message")
    return _msg(house, member, f"{other.name} {arguments}")


def _who(house: House, member: Member, arguments: str) -> list[str]:
    return [house.company(member)]


def _whois(house: House, member: Member, arguments: str) -> list[str]:
    other = _somebody(house, arguments)
    host = ", the operator" if other.host else ""
    away = [] if other.away is None else [_away_line(other)]
    return [f"{other.name} is in {other.room.name}{host}, since {house.clock(other.came_at)}", *away]


def _join(house: House, member: Member, arguments: str) -> list[str]:
    if arguments.lower() == member.room.name.lower():
        raise RefusedError(f"you are in {member.room.name} already")
    house.names.check(arguments)
    house.move(member, arguments)
    return []


def _part(house: House, member: Member, arguments: str) -> list[str]:
    if member.room is house.lobby:
        raise RefusedError(f"you are in {house.lobby.name} already; /quit leaves the server")
    house.move(member, house.lobby.name)
    return []


def _rooms(house: House, member: Member, arguments: str) -> list[str]:
    rooms = sorted(house.rooms.values(), key=lambda room: (-len(room.listed), room.name))
    lines = [f"{room.name}: {len(room.listed)} here" for room in rooms[:LAST_LINES]]
    more = len(rooms) - LAST_LINES
    return lines if more <= 0 else [*lines, f"and {more} more rooms"]


def _topic(house: House, member: Member, arguments: str) -> list[str]:
    room = member.room
    if not arguments:
        return [f"topic: {room.topic}" if room.topic else "there is no topic"]
    room.topic = arguments[:LONGEST_NOTE]
    room.announce(f"{member.name} changed the topic: {room.topic}")
    return []


def _last(house: House, member: Member, arguments: str) -> list[str]:
    lines = arguments or str(LAST_LINES)
    if not (lines.isascii() and lines.isdecimal() and lines.strip("0")):
        raise RefusedError("usage: /last [N]")
    log = member.room.log
    asked = min(int(lines), MOST_LAST_LINES, log.last - house.hidden_before(member))
    batches = log.tail(asked, HISTORY_SIZE)
    if not batches:
        raise RefusedError("there are no messages yet")
    if not member.guest.recall(batches):
        raise RefusedError("too much is waiting to be sent to you. Try again later.")
    shown = batches[-1].last - batches[0].first + 1
    return [f"these are the last {shown} lines: at most so many are shown at a time"] if shown < asked else []


def _away(house: House, member: Member, arguments: str) -> list[str]:
    for way in house.ways_of(member):
        way.away = arguments[:LONGEST_NOTE]
    return ["you are away; /back ends it"]


def _back(house: House, member: Member, arguments: str) -> list[str]:
    if member.away is None:
        raise RefusedError("you were not away")
    for way in house.ways_of(member):
        way.away = None
    return ["you are back"]


def _ignore(house: House, member: Member, arguments: str) -> list[str]:
    other = _somebody(house, arguments)
    if other is member:
        raise RefusedError("you can't ignore yourself")
    if other.host:
        raise RefusedError("you can't ignore the operator")
    member.ignore(_with_room(house, member.ignoring - {other.number}) | {other.number})
    return [f"you ignore {other.name}; /unignore {other.name} ends it"]


def _with_room(house: House, ignoring: frozenset[int]) -> frozenset[int]:
    """Return ``ignoring``, or without its lowest number that nobody here has if there are too many."""
    if len(ignoring) < MOST_IGNORED:
        return ignoring
    gone = ignoring - house.members.keys()
    if not gone:
        raise RefusedError(f"you ignore {MOST_IGNORED} members already, and all of them are here")
    return ignoring - {min(gone)}


def _unignore(house: House, member: Member, arguments: str) -> list[str]:
    other = _somebody(house, arguments)
    if other.number not in member.ignoring:
        raise RefusedError(f"you do not ignore {other.name}")
    member.ignore(member.ignoring - {other.number})
    return [f"you hear {other.name} again"]


def _ping(house: House, member: Member, arguments: str) -> list[str]:
    if not arguments:
        return ["pong"]
    other = _somebody(house, arguments)
    silence = other.guest.silence
    if silence is None:
        return [f"the connection of {other.name} was lost"]
    return [f"{last_heard(other.name, silence)}; {lines_wait(other.guest.behind)}"]


def _quit(house: House, member: Member, arguments: str) -> list[str]:
    member.guest.goodbye(FAREWELL)
    return []


def _kick(house: House, member: Member, arguments: str) -> list[str]:
    name, why = first_word(arguments)
    other = _somebody(house, name)
    if other.host:
        raise RefusedError("the operator cannot be kicked")
    because = f": {why[:LONGEST_NOTE]}" if why else ""
    other.room.announce(f"{other.name} was kicked by {member.name}{because}")
    farewell = f"you were kicked by {member.name}{because}"
    if other.session is not None:
        other.session.kicked = farewell
    isolated(other.guest, partial(other.guest.goodbye, farewell))
    return []


def _motd(house: House, member: Member, arguments: str) -> list[str]:
    if arguments:
        house.motd = [arguments]
    return house.motd or ["there is no message of the day"]


def _shutdown(house: House, member: Member, arguments: str) -> list[str]:
    house.shut_down()
    return []


def _somebody(house: House, name: str) -> Member:
    other = house.names.get(name)
    if other is None:
        raise RefusedError(f"there is no member called {name}")
    return other


def _away_line(member: Member) -> str:
    return f"{member.name} is away{': ' + member.away if member.away else ''}"


COMMANDS = (
    Command("help", "", Who.ANYBODY, "list the commands", _help),
    Command("nick", "NAME", Who.ANYBODY, "change your nickname", _nick),
    Command("me", "TEXT", Who.ANYBODY, "send an action, for example /me waves", _me),
    Command("msg", "NAME TEXT", Who.ANYBODY, "send a private message", _msg),
    Command("r", "TEXT", Who.ANYBODY, "reply to the last private message", _reply),
    Command("who", "", Who.ANYBODY, "list the members of this room", _who),
    Command("whois", "NAME", Who.ANYBODY, "show which room a member is in, and whether away", _whois),
    Command("join", "NAME", Who.ANYBODY, "join another room", _join, Rooms.MANY),
    Command("part", "", Who.ANYBODY, "return to the lobby", _part, Rooms.MANY),
    Command("rooms", "", Who.ANYBODY, "list the rooms", _rooms, Rooms.MANY),
    Command("topic", "[TEXT]", Who.ANYBODY, "show or change the topic of this room", _topic, Rooms.MANY),
    Command("last", "[N]", Who.ANYBODY, "show the last messages of this room", _last),
    Command("away", "[TEXT]", Who.ANYBODY, "mark yourself as away", _away),
    Command("back", "", Who.ANYBODY, "mark yourself as back", _back),
    Command("ignore", "NAME", Who.ANYBODY, "hide the messages of a member other than the operator", _ignore),
    Command("unignore", "NAME", Who.ANYBODY, "show the messages of a member again", _unignore),
    Command(
        "ping", "[NAME]", Who.ANYBODY, "test the connection, or show when a member was last heard", _ping
    ),
    Command("quit", "", Who.ANYBODY, "leave; /exit or exit alone on a line do the same", _quit),
    Command("kick", "NAME [WHY]", Who.HOST, "disconnect a member", _kick),
    Command("motd", "[TEXT]", Who.HOST, "show or change the message of the day", _motd),
    Command("shutdown", "", Who.HOST, "shut the server down", _shutdown),
)

_TABLE = {command.name: command for command in COMMANDS}
_TABLE["exit"] = _TABLE["quit"]
