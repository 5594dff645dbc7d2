"""How things stand, in one line for people: at a prompt, and for a service manager."""

from __future__ import annotations

from dataclasses import dataclass

QUIET = 5.0
"""Seconds without a word from which on it is said for how long nothing was heard."""

_UNITS = (("day", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Disconnected:
    """Nobody is at the other end.

    ``doing``: what is done about it, for so many ``seconds``. ``why``: what came of the last attempt, if that
    is known. ``waiting``: how many lines wait to be sent.
    """

    doing: str
    seconds: float
    why: str = ""
    waiting: int = 0

    def __str__(self) -> str:
        """Return it as a line; the reason, which may be long, is what is cut on a narrow screen."""
        line = _with(f"{self.doing} for {duration(self.seconds)}", waiting=self.waiting)
        return f"{line}: {self.why}" if self.why else line


@dataclass(frozen=True)
class Connected:
    """Somebody, ``name``, is at the other end, of whom nothing was heard for ``idle_seconds`` seconds.

    ``waiting``: how many lines are not stored there. ``missing``: how many that were said before are still to
    come.
    """

    name: str
    idle_seconds: float
    waiting: int = 0
    missing: int = 0

    def __str__(self) -> str:
        """Return it as a line."""
        heard = f", last heard {duration(self.idle_seconds)} ago" if self.idle_seconds >= QUIET else ""
        coming = f", catching up: {in_lines(self.missing)} to come" if self.missing else ""
        return _with(f"connected to {self.name}{heard}{coming}", waiting=self.waiting)


@dataclass(frozen=True)
class ServerStatus:
    """A host of many: how many guests are here, lines were said, and wait to be stored."""

    guests: int
    lines: int
    waiting: int

    def __str__(self) -> str:
        """Return it as a line."""
        guests = "1 guest" if self.guests == 1 else f"{self.guests} guests"
        return f"{guests}, {in_lines(self.lines)}, {self.waiting} waiting"


def duration(seconds: float) -> str:
    """Return so many seconds in the largest unit of which there are two, roughly, or in seconds."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            count = int(seconds // size)
            return f"{count} {unit}s" if unit == "day" else f"{count} {unit}"
    return f"{seconds:.0f} s"


def in_lines(count: int) -> str:
    """Return so many lines, for people."""
    return "1 line" if count == 1 else f"{count} lines"


def unsaid(lines: int) -> str:
    """Return what has become of what was said here if so many lines were not sent, or it is not known."""
    if lines:
        return f"{lines} line{' was' if lines == 1 else 's were'} not sent"
    return "the connection ended too soon: the last lines may not have arrived"


def _with(line: str, waiting: int) -> str:
    return f"{line}, {lines_wait(waiting)}" if waiting else line


def last_heard(name: str, silence: float) -> str:
    """Return when ``name`` was heard last, that having been so many seconds ago."""
    return f"{name} was last heard {silence:.0f} s ago"


def lines_wait(lines: int) -> str:
    """Return how many lines wait, for people."""
    return f"{lines} line{' waits' if lines == 1 else 's wait'}"
