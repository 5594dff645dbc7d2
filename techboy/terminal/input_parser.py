"""What the lines from a keyboard, a pipe or a file mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from techboy.storage.interface import ACTION
from techboy.wire.lines import LF, first_overlong, normalise_line_ends
from techboy.wire.plain import SERVER, Command, Event, PlainMessage
from techboy.wire.sanitize import sanitize_bytes

_GROWTH = 3  # times: a byte can become U+FFFD, and a slash or a blank is added to the whole at most


@dataclass(frozen=True)
class Enter:
    """A person pressed Enter on an empty line."""


@dataclass(frozen=True)
class Refused:
    """A line was too long and is not said: ``why``, for the one who wrote it.

    ``counts``: nobody may be reading along, so the program has to end with an error too.
    """

    why: str
    counts: bool


Read: TypeAlias = Event | Enter | Refused


class InputParser(Protocol):
    """Makes events of what is read."""

    def lines(self, block: bytes) -> list[Read]:
        """Return what ``block`` means: whole lines, joined by LF, none longer than allowed."""

    def overlong(self) -> Refused:
        """A line of the input is too long, and left out."""


class PersonParser:
    """Somebody types: blank lines are nothing said, ``exit`` and ``/word`` are obeyed."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line

    def lines(self, block: bytes) -> list[Read]:
        """Return what was typed."""
        events: list[Read] = []
        for event in SERVER.parse(block):
            events += self._typed(event)
        return events

    def overlong(self) -> Refused:
        """The line typed is too long."""
        return Refused(f"not sent: more than {self._max_line} bytes in a line", counts=False)

    def _typed(self, event: Event) -> list[Read]:
        match event:
            case PlainMessage(text):
                lines = [line for line in text.split("\n") if line.strip()]
                return [PlainMessage("\n".join(lines))] if lines else [Enter()]
            case Command() if event.word.lower() == "me" and event.arguments:
                return [PlainMessage(event.arguments, ACTION)]
        return [event]


class ScriptParser:
    """A pipe or a file: every line is said as it stands, one that is too long is refused by its number.

    ``written``: how text is written on the wire. Cleaning and writing can make a line longer, and what
    counts is what the peer receives.
    """

    def __init__(self, max_line: int, written: Callable[[str], bytes]) -> None:
        self._max_line, self._written = max_line, written
        self._number = 0

    def lines(self, block: bytes) -> list[Read]:
        """Return what is to be said of ``block``, and what is refused."""
        text = sanitize_bytes(normalise_line_ends(block))
        first = self._number + 1
        self._number += text.count("\n") + 1
        if first_overlong(block + LF, (self._max_line - 1) // _GROWTH) < 0:
            return [PlainMessage(text)]
        return list(self._sifted(first, text.split("\n")))

    def overlong(self) -> Refused:
        """The next line of the input is too long."""
        self._number += 1
        return self._refused(self._number)

    def _sifted(self, first: int, lines: list[str]) -> Iterator[Read]:
        for number, line in enumerate(lines, first):
            if len(self._written(line)) > self._max_line:
                yield self._refused(number)
            else:
                yield PlainMessage(line)

    def _refused(self, number: int) -> Refused:
        return Refused(f"line {number} was not sent: more than {self._max_line} bytes", counts=True)
