"""What is said, as a person at a prompt sees it: when it was, and by whom, in a colour of their own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol
from zlib import crc32

from techboy.chat.conversation import Message
from techboy.chat.nicknames import MAX_LENGTH
from techboy.storage.interface import ACTION, TEXT
from techboy.terminal.formats import Shown
from techboy.wire.plain import signature, signed_lines
from techboy.wire.sanitize import sanitize, sanitize_line

PALETTE = (27, 28, 30, 31, 63, 64, 97, 129, 130, 131, 133, 161, 164)
"""Colours of the 256 that terminals have of which each is as readable on black as on white.

Their contrast is at least 4 with both, as Web Content Accessibility Guidelines 2.2 compute it.
"""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DUMB = re.compile(r"|dumb|unknown")
_COLOURLESS = re.compile(r"|dumb|unknown|vt[0-9]+.*|.*-m(ono)?")  # $TERM of terminals without colours

# a line that says itself who spoke, perhaps with the time when that was
_NAME = rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}"
_WHEN = r"\[(?:\d{4}-\d\d-\d\d )?\d\d:\d\d\] "
_SIGNED = re.compile(rf"(?P<when>{_WHEN})?(?:(?P<author>{_NAME}): |\*\* (?P<actor>{_NAME}) )")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def colours(environ: Mapping[str, str]) -> bool:
    """Tell whether names may be shown in colours.

    They may not where ``NO_COLOR`` is set and not empty (no-color.org), nor on a terminal whose type,
    ``TERM``, has none. Windows has no ``TERM``, and has colours.
    """
    return not environ.get("NO_COLOR") and not _COLOURLESS.fullmatch(_terminal(environ))


def bold(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal may be asked for bold letters, which are no colour."""
    return not _DUMB.fullmatch(_terminal(environ))


def _terminal(environ: Mapping[str, str]) -> str:
    return environ.get("TERM", "windows" if environ.get("OS") == "Windows_NT" else "")


class StyledText(NamedTuple):
    """Whole lines for a terminal, each with its LF, safe but for colours and bold letters of ours.

    ``mentions``: somebody else said the name of whoever is here.
    """

    text: str
    mentions: bool


class Formatter(Protocol):
    """Makes lines for a terminal of what is said. ``name``: what whoever is here is called.

    ``now``: the time, in seconds since 1970, for what does not say when it was.
    """

    name: str

    def words(self, words: Message, now: float) -> StyledText:
        """Paint what somebody said."""

    def signed(self, text: str, now: float) -> StyledText:
        """Paint lines that say themselves who spoke."""

    def own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Paint lines that were said here."""

    def state(self, text: str, now: float) -> StyledText:
        """Paint lines about the conversation itself."""


class MentionMatcher:
    """Finds where somebody is called by ``name``: as a word of its own, in any case.

    A name may have a dot or a hyphen in it, so that ``romeo`` is not meant by ``romeo-2``, but by ``romeo.``.
    """

    def __init__(self, name: str) -> None:
        self._lowered = name.lower()
        self._word = re.compile(rf"(?<!\w)(?<!\w[.-]){re.escape(name)}(?!\w|[.-]\w)", re.IGNORECASE)

    def by(self, author: str) -> bool:
        """Tell whether ``author`` is the one so called."""
        return author.lower() == self._lowered

    def within(self, text: str) -> bool:
        """Tell whether the name is anywhere in ``text``, which may be many lines."""
        # looking for letters is many times as fast as looking for a word, and rarely finds any
        return bool(self._lowered) and self._lowered in text.lower() and bool(self._word.search(text))


class _Named:
    """Somebody who has a name, and may be called by it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def name(self) -> str:
        """What whoever is here is called."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name, self._called = name, MentionMatcher(name)

    def _is_called(self, author: str, text: str) -> bool:
        return not self._called.by(author) and self._called.within(text)

    def _is_called_in(self, signed: str) -> bool:
        """Tell so of lines that say themselves who spoke; notices call nobody."""
        return self._called.within(signed) and any(
            self._is_called(found["author"] or found["actor"], line[found.end() :])
            for line in signed.split("\n")
            if (found := _SIGNED.match(line))
        )


class MessageFormatter(_Named):
    """Begins each line with its time, ``HH:MM``, and who said it; where the day changes, a line says so.

    ``localtime`` is `time.localtime`, or the like of it. With ``colours`` each name has its own, the same in
    every run. ``bold``: names, and lines that call whoever is here, are in bold letters.
    """

    def __init__(
        self, name: str, localtime: Callable[[float], time.struct_time], *, colours: bool, bold: bool = True
    ) -> None:
        super().__init__(name)
        self._localtime, self._colours, self._bold = localtime, colours, bold
        self._day: tuple[int, int, int] | None = None

    def words(self, words: Message, now: float) -> StyledText:
        """Paint what somebody said, at the time when that was, if it is known."""
        author, text = sanitize_line(words.author), sanitize(words.text)
        day, when = self._when(words.at or now, now)
        before = self._before(when, author, words.kind)
        if not self._is_called(author, text):
            return StyledText(day + _each(before, text), mentions=False)
        loud = self._before(when, author, words.kind, loud=True)
        lines = [
            self._aloud(loud + line) if self._called.within(line) else f"{before}{line}\n"
            for line in text.split("\n")
        ]
        return StyledText(day + "".join(lines), mentions=True)

    def signed(self, text: str, now: float) -> StyledText:
        """Paint lines of a plain host, each of which may be somebody else's."""
        text = sanitize(text)
        day, when = self._when(now, now)
        mentions = self._is_called_in(text)
        lines = [
            self._aloud(when + self._signed(line, loud=True))
            if mentions and self._is_called_in(line)
            else f"{when}{self._signed(line)}\n"
            for line in text.split("\n")
        ]
        return StyledText(day + "".join(lines), mentions)

    def own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Paint what was said here."""
        day, when = self._when(now, now)
        return StyledText(
            day + _each(self._before(when, sanitize_line(self.name), kind), sanitize(text)), mentions=False
        )

    def state(self, text: str, now: float) -> StyledText:
        """Paint lines about the conversation itself, which call nobody."""
        day, when = self._when(now, now)
        return StyledText(day + _each(when, sanitize(text)), mentions=False)

    def _when(self, at: float, now: float) -> tuple[str, str]:
        """Return a line that tells the day of ``at``, where that is another than before, and the time."""
        today = self._local(now, now)
        local = self._local(at, now)
        day, self._day = self._day or _date(today), _date(local)
        told = "" if day == self._day else _told(local)
        return told, f"{local.tm_hour:02}:{local.tm_min:02} "

    def _local(self, at: float, now: float) -> time.struct_time:
        try:
            return self._localtime(at)
        except (OverflowError, ValueError, OSError):  # what another computer said was no time of this world
            return self._localtime(now)

    def _before(self, when: str, author: str, kind: str, *, loud: bool = False) -> str:
        return when + signature(self._painted(author, loud), kind)

    def _signed(self, line: str, *, loud: bool = False) -> str:
        found = _SIGNED.match(line)
        if found is None:
            return line
        kind = ACTION if found["actor"] else TEXT
        before = self._before(found["when"] or "", found["author"] or found["actor"], kind, loud=loud)
        return before + line[found.end() :]

    def _painted(self, name: str, loud: bool) -> str:
        return _painted(name, self._colours, self._bold, loud)

    def _aloud(self, line: str) -> str:
        return f"{_BOLD}{line}{_PLAIN}\n" if self._bold else f"{line}\n"


class PlainFormatter(_Named):
    """Shows what was chosen with ``--output``, without times and colours.

    ``host``: who is said to have spoken where lines say it themselves.
    """

    def __init__(self, shown: Shown, name: str, host: str = "romeo") -> None:
        super().__init__(name)
        self._shown, self._host = shown, host

    def words(self, words: Message, now: float) -> StyledText:
        """Show what somebody said."""
        return StyledText(sanitize(self._shown.of_many(words)), self._is_called(words.author, words.text))

    def signed(self, text: str, now: float) -> StyledText:
        """Show lines that say themselves who spoke."""
        lines = self._shown.signed(Message(self._host, text))
        return StyledText(sanitize(lines), self._is_called_in(text))

    def own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Show what was said here as it was typed, after the name, whatever was chosen."""
        return StyledText(sanitize(signed_lines(self.name, kind, text) + "\n"), mentions=False)

    def state(self, text: str, now: float) -> StyledText:
        """Show lines about the conversation itself."""
        return StyledText(sanitize(f"{text}\n"), mentions=False)


@lru_cache(maxsize=1024)
def _painted(name: str, coloured: bool, bold: bool, loud: bool) -> str:
    """Return ``name`` in its colour, and bold; after it goes on what was before it, ``loud`` or not."""
    colour = f"38;5;{PALETTE[crc32(name.lower().encode()) % len(PALETTE)]}" if coloured else ""
    codes = ";".join(filter(None, ["1" * bold, colour]))
    if not codes:
        return name
    return f"\x1b[{codes}m{name}{_PLAIN}{_BOLD * (loud and bold)}"


def _each(before: str, text: str) -> str:
    """Return the lines of ``text``, each after ``before``."""
    return before + text.replace("\n", f"\n{before}") + "\n"


def _date(local: time.struct_time) -> tuple[int, int, int]:
    return local.tm_year, local.tm_mon, local.tm_mday


def _told(local: time.struct_time) -> str:
    return f"* {_DAYS[local.tm_wday]}, {local.tm_mday} {_MONTHS[local.tm_mon - 1]} {local.tm_year}\n"
