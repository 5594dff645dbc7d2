"""Parsers of option values: each returns the value of a text, or raises ValueError with one line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from techboy.config import settings
from techboy.net.addresses import LONGEST_PATH, host_in
from techboy.wire.lines import normalise_line_ends
from techboy.wire.sanitize import sanitize_bytes

DAY = 86400.0
MIN_DURATION, MAX_DURATION = 0.001, 36500 * DAY
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)([smhd]?)", re.ASCII)
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


def whole_number(lowest: int, highest: int, what: str = "number") -> Callable[[str], int]:
    """Return a parser of whole numbers from ``lowest`` to ``highest``; errors call the number ``what``."""

    def read(text: str) -> int:
        # isdecimal, as int() also accepts "1_000" and " 7"
        if not (text.isascii() and text.isdecimal() and lowest <= int(text) <= highest):
            raise ValueError(f"invalid {what} {text!r}: expected {lowest}-{highest}")
        return int(text)

    return read


class Bare(Enum):
    """The meaning of a duration without a unit."""

    SECONDS = auto()
    REFUSED = auto()


def duration(bare: Bare = Bare.SECONDS) -> Callable[[str], float]:
    """Return a parser of durations such as ``30s``, ``10m``, ``12h`` or ``7d``.

    It returns seconds, from MIN_DURATION to MAX_DURATION, and raises ValueError for anything else.
    """

    def read(text: str) -> float:
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"invalid duration {text!r}: expected for example 30s, 10m, 12h or 7d")
        number, unit = match.groups()
        if not unit and bare is Bare.REFUSED:
            raise ValueError(f"invalid duration {text!r}: expected a unit, for example {number}d")
        seconds = float(number) * _SECONDS[unit or "s"]
        if not MIN_DURATION <= seconds <= MAX_DURATION:
            limits = f"{MIN_DURATION:g}s to {describe_duration(MAX_DURATION)}"
            raise ValueError(f"invalid duration {text!r}: expected {limits}")
        return seconds

    return read


def describe_duration(seconds: float) -> str:
    """Return a whole number of ``seconds`` as text for `duration`, in the largest unit without a fraction."""
    unit = next(unit for unit, length in reversed(_SECONDS.items()) if seconds % length == 0)
    return f"{seconds / _SECONDS[unit]:.0f}{unit}"


def size(text: str) -> int:
    """Return the bytes of a size such as ``500000``, ``512K`` or ``16M``, or raise ValueError."""
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].upper() in _UNITS else (text, "")
    if not (number.isascii() and number.isdecimal() and len(number) <= 12 and int(number)):
        raise ValueError(f"invalid size {text!r}: expected for example 500000, 512K, 16M or 1G")
    return int(number) * _UNITS.get(unit, 1)


def lines_of(path: str) -> list[str]:
    """Return the sanitized lines of the file ``path``; raise ValueError if it cannot be read."""
    try:
        text = sanitize_bytes(normalise_line_ends(settings.read_file(path)))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return text.removesuffix("\n").split("\n") if text else []


class Place(NamedTuple):
    """An address to listen on or connect to; ``port`` is None if only the host is given."""

    host: str
    port: int | None


def place(lowest_port: int) -> Callable[[str], Place]:
    """Return a parser of a host with an optional port from ``lowest_port`` on; it raises ValueError."""
    read_port = whole_number(lowest_port, 65535, "port")

    def read(text: str) -> Place:
        host, port = host_in(text)
        return Place(host, None if port is None else read_port(port))

    return read


port_number = whole_number(0, 65535, "port")


def directory(text: str) -> str:
    """Return ``text``, the path of a directory; raise ValueError if it is empty."""
    if not text:
        raise ValueError("invalid directory '': expected a path")
    return text


def file_name(text: str) -> str:
    """Return ``text``, the path of a file; raise ValueError if it is empty."""
    if not text:
        raise ValueError("invalid file name '': expected a path")
    return text


def socket_path(text: str) -> str:
    """Return ``text``, the path of a UNIX socket; raise ValueError if it is empty or too long."""
    if not 0 < len(os.fsencode(text)) <= LONGEST_PATH:
        raise ValueError(f"invalid socket path {text!r}: expected 1-{LONGEST_PATH} bytes")
    return text


def choice(what: str, *choices: str) -> Callable[[str], str]:
    """Return a parser that accepts one of ``choices`` and raises ValueError for anything else."""
    *others, last = choices

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"invalid {what} {text!r}: expected {', '.join(others)} or {last}")
        return text

    return read
