"""Parsing of input lines from a keyboard, a pipe or a file into events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from techboy.storage.interface import ACTION
from techboy.wire.lines import LF, first_overlong, normalise_line_ends
from techboy.wire.plain import SERVER, Command, Event, PlainMessage
from techboy.wire.sanitize import sanitize_bytes

_GROWTH = 3  # times: a byte can become U+FFFD; at most a slash or a space is added to the line


@dataclass(frozen=True)
class Enter:
    """A person pressed Enter on an empty line."""


@dataclass(frozen=True)
class RejectedLine:
    """A line was too long and is not sent; ``reason`` is a notice for the user.

    ``is_error``: the program has to end with an error status too, because the input is not typed by a person.
    """

    reason: str
    is_error: bool


InputEvent: TypeAlias = Event | Enter | RejectedLine


class InputParser(Protocol):
    """Parses input into events."""

    def parse(self, block: bytes) -> list[InputEvent]:
        """Return the events of ``block``: whole lines, joined by LF, none longer than allowed."""

    def overlong_line(self) -> RejectedLine:
        """Return the event for a line that is too long, and is skipped."""


class PersonParser:
    """Parses typed input: blank lines are not sent; ``exit`` and ``/word`` are commands."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line

    def parse(self, block: bytes) -> list[InputEvent]:
        """Return the events of the typed lines."""
        events: list[InputEvent] = []
        for event in SERVER.parse(block):
            events += self._parse_typed(event)
        return events

    def overlong_line(self) -> RejectedLine:
        """Return the event for a typed line that is too long."""
        return RejectedLine(f"not sent: more than {self._max_line} bytes in a line", is_error=False)

    def _parse_typed(self, event: Event) -> list[InputEvent]:
        match event:
            case PlainMessage(text):
                lines = [line for line in text.split("\n") if line.strip()]
                return [PlainMessage("\n".join(lines))] if lines else [Enter()]
            case Command() if event.word.lower() == "me" and event.arguments:
                return [PlainMessage(event.arguments, ACTION)]
        return [event]


class ScriptParser:
    """Parses a pipe or a file: every line is a message; a line that is too long is rejected by its number.

    ``encode`` encodes text for the wire. Sanitizing and encoding can make a line longer; the limit is on
    what the peer receives.
    """

    def __init__(self, max_line: int, encode: Callable[[str], bytes]) -> None:
        self._max_line, self._encode = max_line, encode
        self._line_number = 0

    def parse(self, block: bytes) -> list[InputEvent]:
        """Return the messages of ``block``, and the lines that are rejected."""
        text = sanitize_bytes(normalise_line_ends(block))
        first = self._line_number + 1
        self._line_number += text.count("\n") + 1
        if first_overlong(block + LF, (self._max_line - 1) // _GROWTH) < 0:
            return [PlainMessage(text)]
        return list(self._check_each(first, text.split("\n")))

    def overlong_line(self) -> RejectedLine:
        """Return the event for the next line of the input, which is too long."""
        self._line_number += 1
        return self._rejected(self._line_number)

    def _check_each(self, first: int, lines: list[str]) -> Iterator[InputEvent]:
        for number, line in enumerate(lines, first):
            if len(self._encode(line)) > self._max_line:
                yield self._rejected(number)
            else:
                yield PlainMessage(line)

    def _rejected(self, number: int) -> RejectedLine:
        return RejectedLine(f"line {number} was not sent: more than {self._max_line} bytes", is_error=True)
