"""The plain protocol: UTF-8 lines, for ``nc``, ``telnet`` and the original scripts.

Client to server: a line is a message; ``/word`` is a command; ``//`` at the start of a message stands for a
slash; ``exit`` alone on a line, in upper or lower case, is the goodbye.
Server to client: a line is a message, ``exit`` is the goodbye, and there are no commands.
In a room, the server sends a message as ``name: text``, and an action as ``** name does this``.
In both directions a notice begins with ``* ``, and an orderly close is a goodbye too. No nickname has an
asterisk, so that no message looks like a notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from techboy.arguments import first_word
from techboy.storage.interface import ACTION, TEXT
from techboy.wire.lines import normalise_line_ends
from techboy.wire.sanitize import sanitize_bytes

_GOODBYE = re.compile(rb"^exit$", re.IGNORECASE | re.MULTILINE)
_SLASH = re.compile(rb"^/", re.MULTILINE)


@dataclass(frozen=True)
class PlainMessage:
    """One or more lines of one ``kind``: ``text``, joined by LF."""

    text: str
    kind: str = TEXT


@dataclass(frozen=True)
class Command:
    """A line that begins with a single slash: ``line``, without that slash."""

    line: str

    @property
    def word(self) -> str:
        """The name of the command: the first word."""
        return first_word(self.line)[0]

    @property
    def arguments(self) -> str:
        """The text after the first word, without surrounding spaces."""
        return first_word(self.line)[1].strip()


@dataclass(frozen=True)
class Goodbye:
    """The peer leaves; text after the goodbye is ignored."""


Event: TypeAlias = PlainMessage | Command | Goodbye


class Side(Enum):
    """One end of a plain connection."""

    SERVER = auto()  # receives commands; so does a program from its keyboard
    CLIENT = auto()  # sends commands


@dataclass(frozen=True)
class PlainProtocol:
    """The plain protocol at one ``side`` of a connection."""

    side: Side

    def parse(self, block: bytes) -> list[Event]:
        """Return the events in ``block``, lines joined by their line ends, in order."""
        lines = normalise_line_ends(block)
        takes_commands = self.side is Side.SERVER
        if (takes_commands and _has_slash(lines)) or _may_have_goodbye(lines):
            return _events(sanitize_bytes(lines).split("\n"), takes_commands)
        return [PlainMessage(sanitize_bytes(lines))]

    def encode(self, text: str, kind: str = TEXT) -> bytes:
        """Return ``text``, lines joined by LF, so that the peer reads every line as a message.

        Actions are encoded as the command ``/me``.
        """
        if kind == ACTION:
            return _prefixed("/me ", text).encode()
        data = text.encode()
        if self.side is Side.CLIENT and _has_slash(data):
            data = _SLASH.sub(b"//", data)
        if _may_have_goodbye(data):
            data = _GOODBYE.sub(rb"\g<0> ", data)
        return data


SERVER = PlainProtocol(Side.SERVER)
CLIENT = PlainProtocol(Side.CLIENT)


def notice(text: str) -> str:
    """Return ``text``, one line, as a notice."""
    return f"* {text}"


def signature(author: str, kind: str) -> str:
    """Return the beginning of each line of ``author`` in a room; ``kind`` is TEXT or ACTION."""
    return f"** {author} " if kind == ACTION else f"{author}: "


def signed_lines(author: str, kind: str, text: str) -> str:
    """Return ``text``, lines joined by LF, with the signature of ``author`` on each line."""
    return _prefixed(signature(author, kind), text)


def _prefixed(prefix: str, text: str) -> str:
    return prefix + text.replace("\n", f"\n{prefix}")


def _may_have_goodbye(lines: bytes) -> bool:
    lowered = lines.lower()
    return lowered.startswith(b"exit") or b"\nexit" in lowered


def _has_slash(lines: bytes) -> bool:
    return lines.startswith(b"/") or b"\n/" in lines


def _events(lines: list[str], takes_commands: bool) -> list[Event]:
    events: list[Event] = []
    message: list[str] = []
    for line in lines:
        event = _special_event(line, takes_commands)
        if event is None:
            message.append(line.removeprefix("/") if takes_commands else line)
            continue
        if message:
            events.append(PlainMessage("\n".join(message)))
            message = []
        events.append(event)
        if isinstance(event, Goodbye):
            return events
    return [*events, PlainMessage("\n".join(message))] if message else events


def _special_event(line: str, takes_commands: bool) -> Command | Goodbye | None:
    if line.lower() == "exit":
        return Goodbye()
    if takes_commands and line.startswith("/") and not line.startswith("//"):
        return Command(line[1:])
    return None
