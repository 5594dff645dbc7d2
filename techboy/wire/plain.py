"""The plain dialect: UTF-8 lines, for people with ``nc`` or ``telnet`` and for the original scripts.

Caller to host: a line is said; ``/word`` is a command; ``//`` at the start says a literal slash; ``exit``
alone on a line, in any case, is the goodbye.
Host to caller: a line is said, ``exit`` is the goodbye, and nothing is a command.
In a room of many a line goes out as ``name: text``, or as ``** name does this`` if it tells an action.
Both ways a notice begins with ``* ``, and an orderly close says goodbye as well. No nickname has an asterisk,
so that nothing that a member says or does looks like a notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from techboy.arguments import first_word
from techboy.storage.interface import ACTION, TEXT
from techboy.wire.lines import unix_ends
from techboy.wire.sanitize import clean

_GOODBYE = re.compile(rb"^exit$", re.IGNORECASE | re.MULTILINE)
_SLASH = re.compile(rb"^/", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """One or more lines of one ``kind`` were said: ``text``, joined by LF."""

    text: str
    kind: str = TEXT


@dataclass(frozen=True)
class Command:
    """A line that began with a single slash: ``line``, without that slash."""

    line: str

    @property
    def word(self) -> str:
        """What is to be done: the command's first word."""
        return first_word(self.line)[0]

    @property
    def arguments(self) -> str:
        """What follows the first word, without blanks around it."""
        return first_word(self.line)[1].strip()


@dataclass(frozen=True)
class Goodbye:
    """The author is leaving; what came after it in the same text is not looked at."""


Event: TypeAlias = Said | Command | Goodbye


@dataclass(frozen=True)
class Plain:
    """The plain dialect, from one end of it.

    ``obeys``: this end hears commands (the host, or a person's keyboard); the other end sends them.
    """

    obeys: bool

    def understand(self, block: bytes) -> list[Event]:
        """Return what ``block``, lines joined by their ends, means, in its order."""
        lines = unix_ends(block)
        if (self.obeys and _has_slash(lines)) or _may_say_goodbye(lines):
            return _obeyed(clean(lines).split("\n"), self.obeys)
        return [Said(clean(lines))]

    def written(self, text: str, kind: str = TEXT) -> bytes:
        """Return ``text``, lines joined by LF, so that the other end takes all of it for something said.

        Actions are written as the command, ``/me``.
        """
        if kind == ACTION:
            return _each("/me ", text).encode()
        data = text.encode()
        if not self.obeys and _has_slash(data):
            data = _SLASH.sub(b"//", data)
        if _may_say_goodbye(data):
            data = _GOODBYE.sub(rb"\g<0> ", data)
        return data


HOST = Plain(obeys=True)
CALLER = Plain(obeys=False)


def notice(text: str) -> str:
    """Return ``text``, one line, as a notice."""
    return f"* {text}"


def signature(author: str, kind: str) -> str:
    """Return what begins each line that ``author`` said in a room of many, or did if ``kind`` is ACTION."""
    return f"** {author} " if kind == ACTION else f"{author}: "


def in_room(author: str, kind: str, text: str) -> str:
    """Return what ``author`` said in a room of many, lines joined by LF; ``kind`` is TEXT or ACTION."""
    return _each(signature(author, kind), text)


def _each(before: str, text: str) -> str:
    return before + text.replace("\n", f"\n{before}")


def _may_say_goodbye(lines: bytes) -> bool:
    lowered = lines.lower()
    return lowered.startswith(b"exit") or b"\nexit" in lowered


def _has_slash(lines: bytes) -> bool:
    return lines.startswith(b"/") or b"\n/" in lines


def _obeyed(lines: list[str], commands: bool) -> list[Event]:
    events: list[Event] = []
    said: list[str] = []
    for line in lines:
        event = _order(line, commands)
        if event is None:
            said.append(line.removeprefix("/") if commands else line)
            continue
        if said:
            events.append(Said("\n".join(said)))
            said = []
        events.append(event)
        if isinstance(event, Goodbye):
            return events
    return [*events, Said("\n".join(said))] if said else events


def _order(line: str, commands: bool) -> Command | Goodbye | None:
    if line.lower() == "exit":
        return Goodbye()
    if commands and line.startswith("/") and not line.startswith("//"):
        return Command(line[1:])
    return None
