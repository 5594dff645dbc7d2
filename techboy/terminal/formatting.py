"""Messages as the prompt shows them: with the time and the author's name in a colour of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol
from zlib import crc32

from techboy.chat.messages import Message
from techboy.chat.nicknames import MAX_LENGTH
from techboy.storage.interface import ACTION, TEXT
from techboy.terminal.formats import OutputFormats
from techboy.wire.plain import signature, signed_lines
from techboy.wire.sanitize import sanitize, sanitize_line

PALETTE = (27, 28, 30, 31, 63, 64, 97, 129, 130, 131, 133, 161, 164)
"""Colours of the 256-colour palette that are readable on black and on white.

Their contrast with both is at least 4, as defined by the Web Content Accessibility Guidelines 2.2.
"""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DUMB = re.compile(r"|dumb|unknown")
_COLOURLESS = re.compile(r"|dumb|unknown|vt[0-9]+.*|.*-m(ono)?")  # $TERM of terminals without colours

# a line that begins with its author's name, perhaps after a time
_NAME = rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}"
_WHEN = r"\[(?:\d{4}-\d\d-\d\d )?\d\d:\d\d\] "
_PREFIXED = re.compile(rf"(?P<when>{_WHEN})?(?:(?P<author>{_NAME}): |\*\* (?P<actor>{_NAME}) )")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def supports_colours(environ: Mapping[str, str]) -> bool:
    """Return whether names may be shown in colours.

    They may not if ``NO_COLOR`` is set and not empty (no-color.org), or if the terminal type ``TERM`` has no
    colours. Windows has no ``TERM``, but has colours.
    """
    return not environ.get("NO_COLOR") and not _COLOURLESS.fullmatch(_terminal(environ))


def supports_bold(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal supports bold text, which ``NO_COLOR`` does not turn off."""
    return not _DUMB.fullmatch(_terminal(environ))


def _terminal(environ: Mapping[str, str]) -> str:
    return environ.get("TERM", "windows" if environ.get("OS") == "Windows_NT" else "")


class StyledText(NamedTuple):
    """Whole sanitized lines for a terminal, each with its LF; only our own sequences for styles are in it.

    ``mentions``: a message of another member contains the user's name.
    """

    text: str
    mentions: bool


class Formatter(Protocol):
    """Formats lines for a terminal. ``name``: the user's nickname.

    ``now``: the current time in seconds since 1970, for messages that have no time.
    """

    name: str

    def format_message(self, message: Message, now: float) -> StyledText:
        """Format a message."""

    def format_prefixed(self, text: str, now: float) -> StyledText:
        """Format lines that begin with their author's name themselves."""

    def format_own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Format lines of the user."""

    def format_status(self, text: str, now: float) -> StyledText:
        """Format notices and status lines."""


class MentionMatcher:
    """Finds mentions of ``name``: as a word of its own, regardless of case.

    Names may contain dots and hyphens: ``romeo-2`` does not mention ``romeo``, but ``romeo.`` does.
    """

    def __init__(self, name: str) -> None:
        self._lower_name = name.lower()
        self._word = re.compile(rf"(?<!\w)(?<!\w[.-]){re.escape(name)}(?!\w|[.-]\w)", re.IGNORECASE)

    def is_name(self, author: str) -> bool:
        """Return whether ``author`` is that name."""
        return author.lower() == self._lower_name

    def is_in(self, text: str) -> bool:
        """Return whether ``text``, one or more lines, mentions the name."""
        # the substring search is many times as fast as the regular expression, and rarely finds anything
        return bool(self._lower_name) and self._lower_name in text.lower() and bool(self._word.search(text))


class _MentionChecker:
    """Knows the user's nickname, and checks whether messages mention it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def name(self) -> str:
        """The user's nickname."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name, self._mention = name, MentionMatcher(name)

    def _is_mentioned(self, author: str, text: str) -> bool:
        return not self._mention.is_name(author) and self._mention.is_in(text)

    def _is_mentioned_in_prefixed(self, lines: str) -> bool:
        """Return whether lines that begin with their author's name mention the user; notices never do."""
        return self._mention.is_in(lines) and any(
            self._is_mentioned(found["author"] or found["actor"], line[found.end() :])
            for line in lines.split("\n")
            if (found := _PREFIXED.match(line))
        )


class MessageFormatter(_MentionChecker):
    """Begins each line with its time, ``HH:MM``, and its author; a line with the date precedes a new day.

    ``localtime`` is `time.localtime` or a substitute. With ``colours`` each name has its own colour, the same
    in every run. With ``bold`` names, and lines that mention the user, are in bold text.
    """

    def __init__(
        self, name: str, localtime: Callable[[float], time.struct_time], *, colours: bool, bold: bool = True
    ) -> None:
        super().__init__(name)
        self._localtime, self._colours, self._bold = localtime, colours, bold
        self._day: tuple[int, int, int] | None = None

    def format_message(self, message: Message, now: float) -> StyledText:
        """Format ``message`` with its time, or with ``now`` if it has none."""
        author, text = sanitize_line(message.author), sanitize(message.text)
        day, when = self._day_and_time(message.at or now, now)
        prefix = self._prefix(when, author, message.kind)
        if not self._is_mentioned(author, text):
            return StyledText(day + _prefix_lines(prefix, text), mentions=False)
        emphasized = self._prefix(when, author, message.kind, emphasized=True)
        lines = [
            self._emphasize(emphasized + line) if self._mention.is_in(line) else f"{prefix}{line}\n"
            for line in text.split("\n")
        ]
        return StyledText(day + "".join(lines), mentions=True)

    def format_prefixed(self, text: str, now: float) -> StyledText:
        """Format lines of a server's plain protocol, each of which may have another author."""
        text = sanitize(text)
        day, when = self._day_and_time(now, now)
        mentions = self._is_mentioned_in_prefixed(text)
        lines = [
            self._emphasize(when + self._style_prefixed(line, emphasized=True))
            if mentions and self._is_mentioned_in_prefixed(line)
            else f"{when}{self._style_prefixed(line)}\n"
            for line in text.split("\n")
        ]
        return StyledText(day + "".join(lines), mentions)

    def format_own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Format lines of the user."""
        day, when = self._day_and_time(now, now)
        return StyledText(
            day + _prefix_lines(self._prefix(when, sanitize_line(self.name), kind), sanitize(text)),
            mentions=False,
        )

    def format_status(self, text: str, now: float) -> StyledText:
        """Format notices and status lines; they never count as mentions."""
        day, when = self._day_and_time(now, now)
        return StyledText(day + _prefix_lines(when, sanitize(text)), mentions=False)

    def _day_and_time(self, at: float, now: float) -> tuple[str, str]:
        """Return a line with the date of ``at`` if it differs from the last one, and the time ``HH:MM``."""
        today = self._local(now, now)
        local = self._local(at, now)
        day, self._day = self._day or _date(today), _date(local)
        day_line = "" if day == self._day else _day_line(local)
        return day_line, f"{local.tm_hour:02}:{local.tm_min:02} "

    def _local(self, at: float, now: float) -> time.struct_time:
        try:
            return self._localtime(at)
        except (OverflowError, ValueError, OSError):  # the peer sent a time that is out of range
            return self._localtime(now)

    def _prefix(self, when: str, author: str, kind: str, *, emphasized: bool = False) -> str:
        return when + signature(self._styled_name(author, emphasized), kind)

    def _style_prefixed(self, line: str, *, emphasized: bool = False) -> str:
        found = _PREFIXED.match(line)
        if found is None:
            return line
        kind = ACTION if found["actor"] else TEXT
        prefix = self._prefix(
            found["when"] or "", found["author"] or found["actor"], kind, emphasized=emphasized
        )
        return prefix + line[found.end() :]

    def _styled_name(self, name: str, emphasized: bool) -> str:
        return _styled_name(name, self._colours, self._bold, emphasized)

    def _emphasize(self, line: str) -> str:
        return f"{_BOLD}{line}{_PLAIN}\n" if self._bold else f"{line}\n"


class PlainFormatter(_MentionChecker):
    """Formats messages as chosen with ``--output``, without times and colours.

    ``server``: the author that JSON lines name if a line begins with its author's name itself.
    """

    def __init__(self, formats: OutputFormats, name: str, server: str = "romeo") -> None:
        super().__init__(name)
        self._formats, self._server = formats, server

    def format_message(self, message: Message, now: float) -> StyledText:
        """Format a message."""
        return StyledText(
            sanitize(self._formats.multi_user(message)), self._is_mentioned(message.author, message.text)
        )

    def format_prefixed(self, text: str, now: float) -> StyledText:
        """Format lines that begin with their author's name themselves."""
        lines = self._formats.prefixed(Message(self._server, text))
        return StyledText(sanitize(lines), self._is_mentioned_in_prefixed(text))

    def format_own(self, text: str, now: float, kind: str = TEXT) -> StyledText:
        """Format lines of the user as typed, after the nickname, regardless of ``--output``."""
        return StyledText(sanitize(signed_lines(self.name, kind, text) + "\n"), mentions=False)

    def format_status(self, text: str, now: float) -> StyledText:
        """Format notices and status lines."""
        return StyledText(sanitize(f"{text}\n"), mentions=False)


@lru_cache(maxsize=1024)
def _styled_name(name: str, coloured: bool, bold: bool, emphasized: bool) -> str:
    """Return ``name`` bold and in its colour; the text after it is bold only if ``emphasized``."""
    colour = f"38;5;{PALETTE[crc32(name.lower().encode()) % len(PALETTE)]}" if coloured else ""
    codes = ";".join(filter(None, ["1" * bold, colour]))
    if not codes:
        return name
    return f"\x1b[{codes}m{name}{_PLAIN}{_BOLD * (emphasized and bold)}"


def _prefix_lines(prefix: str, text: str) -> str:
    """Return the lines of ``text``, each after ``prefix`` and with its LF."""
    return prefix + text.replace("\n", f"\n{prefix}") + "\n"


def _date(local: time.struct_time) -> tuple[int, int, int]:
    return local.tm_year, local.tm_mon, local.tm_mday


def _day_line(local: time.struct_time) -> str:
    return f"* {_DAYS[local.tm_wday]}, {local.tm_mday} {_MONTHS[local.tm_mon - 1]} {local.tm_year}\n"
