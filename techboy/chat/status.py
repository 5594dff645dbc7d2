"""The status of a program in one line of text: for the prompt, and for a service manager."""

from __future__ import annotations

from dataclasses import dataclass

QUIET = 5.0
"""Seconds of inactivity from which on the status shows how long ago the peer was last heard."""

_UNITS = (("day", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Disconnected:
    """The status without a connection.

    ``doing``: what the program does about it, for ``seconds`` seconds. ``why``: why the last attempt failed,
    empty if that is not known. ``waiting``: the number of lines that wait to be sent.
    """

    doing: str
    seconds: float
    why: str = ""
    waiting: int = 0

    def __str__(self) -> str:
        """Return the status as a line, with the reason, which may be long, at the end."""
        line = _with(f"{self.doing} for {duration(self.seconds)}", waiting=self.waiting)
        return f"{line}: {self.why}" if self.why else line


@dataclass(frozen=True)
class Connected:
    """The status with a connection to the peer ``name``, last heard ``idle_seconds`` seconds ago.

    ``waiting``: the number of lines that the peer has not stored. ``missing``: the number of earlier lines
    that are still to be received.
    """

    name: str
    idle_seconds: float
    waiting: int = 0
    missing: int = 0

    def __str__(self) -> str:
        """Return the status as a line."""
        idle = f", last heard {duration(self.idle_seconds)} ago" if self.idle_seconds >= QUIET else ""
        progress = f", catching up: {in_lines(self.missing)} to come" if self.missing else ""
        return _with(f"connected to {self.name}{idle}{progress}", waiting=self.waiting)


@dataclass(frozen=True)
class ServerStatus:
    """The status of a server: how many clients it has, lines it stored, and lines wait to be stored."""

    guests: int
    lines: int
    waiting: int

    def __str__(self) -> str:
        """Return the status as a line."""
        guests = "1 guest" if self.guests == 1 else f"{self.guests} guests"
        return f"{guests}, {in_lines(self.lines)}, {self.waiting} waiting"


def duration(seconds: float) -> str:
    """Return ``seconds`` as text, in the largest unit of which there are at least two, or in seconds."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            count = int(seconds // size)
            return f"{count} {unit}s" if unit == "day" else f"{count} {unit}"
    return f"{seconds:.0f} s"


def in_lines(count: int) -> str:
    """Return the number of lines as text."""
    return "1 line" if count == 1 else f"{count} lines"


def unsent_notice(lines: int) -> str:
    """Return the notice that ``lines`` lines were not sent, or, for 0, that some may not have arrived."""
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
