"""What a configuration file and the environment say, as options of the command line.

A layer is what one of them says. Nothing is known here of what an option means: ``kinds`` says which there
are, and what each takes.
"""

from __future__ import annotations

import os
import stat
import sys
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

from techboy.wire.sanitize import cleaned_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROGRAMS = ("romeo", "juliet")
_TABLES = " or ".join(f"[{program}]" for program in PROGRAMS)
LONGEST_FILE = 64 * 1024
_HEAD, _TAIL = 300, 100
# a pipe that nobody writes to must not be waited for
_READING = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
)
_FLAGS = dict.fromkeys(["yes", "true", "1", "on"], True) | dict.fromkeys(["no", "false", "0", "off"], False)


class ConfigError(ValueError):
    """What a file or the environment says is wrong; the message begins with where it is said."""


class Kind(Enum):
    """What an option takes."""

    TEXT = auto()
    FLAG = auto()  # nothing on the command line, yes or no elsewhere
    LIST = auto()  # any number of texts


Kinds: TypeAlias = Mapping[str, Kind]
Sides: TypeAlias = Sequence[frozenset[str]]


@dataclass(frozen=True)
class Setting:
    """What is said about an option: ``where``, for people, and its texts, or whether the flag is ``on``."""

    where: str
    texts: tuple[str, ...] = ()
    on: bool = False

    def words(self, name: str) -> list[str]:
        """Return what says the same about the option ``name`` on a command line."""
        return [f"--{name}"] * self.on + [f"--{name}={text}" for text in self.texts]


Layer: TypeAlias = dict[str, Setting]


def from_environment(program: str, kinds: Kinds, environ: Mapping[str, str]) -> Layer:
    """Return what variables as ``TECHBOY_ROMEO_MAX_LINE`` say; a list is split at its blanks.

    Raise ConfigError for a variable of ``program`` that is no option, or has a wrong value.
    """
    prefix = f"TECHBOY_{program.upper()}_"
    names = {prefix + name.upper().replace("-", "_"): name for name in kinds}
    layer: Layer = {}
    for variable, text in environ.items():
        if variable.startswith(prefix):
            name = names.get(variable, "")
            kind = kinds.get(name)
            layer[name] = _setting(f"${variable}", kind, text.split() if kind is Kind.LIST else text)
    return layer


def from_file(path: str, program: str, kinds: Kinds) -> Layer:
    """Return what the table of ``program`` in the TOML file ``path`` says.

    Raise ConfigError for a file that can't be read or is no TOML, and for anything in it that has no
    meaning; what the other program's table says is left to that.
    """
    tables = _parsed(path)
    for name, table in tables.items():
        if name not in PROGRAMS or not isinstance(table, dict):
            raise ConfigError(f"{path}: {_meaningless(name, table)}")
    return {
        name: _setting(f"{path}: [{program}] {name}", kinds.get(name), value)
        for name, value in tables.get(program, {}).items()
    }


def refuse_both(layer: Layer, sides: Sides) -> None:
    """Raise ConfigError where ``layer`` says more than one of ``sides``, which are one choice."""
    said = [sorted(side & layer.keys()) for side in sides if side & layer.keys()]
    if len(said) > 1:
        raise ConfigError(f"{layer[said[1][0]].where}: cannot be combined with {' or '.join(said[0])}")


def merged(said: Collection[str], layers: Iterable[Layer], sides: Sides) -> Layer:
    """Return what holds of ``layers``, the highest first, under what is ``said`` on the command line.

    The highest that says something about an option, or about one of the ``sides``, decides it.
    """
    held: Layer = {}
    for layer in layers:
        decided = {*said, *held}
        chosen = [side for side in sides if side & decided]
        closed = decided.union(*(side for side in sides if chosen and side not in chosen))
        held |= {name: setting for name, setting in layer.items() if name not in closed}
    return held


def one_line(message: str) -> str:
    """Return ``message`` as one line that is safe to show, without its middle where it is very long."""
    line = cleaned_line(message)
    return line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]}…{line[-_TAIL:]}"


def read_file(path: str) -> bytes:
    """Return what the file ``path`` has, without the byte order mark of UTF-8 that some editors write.

    Raise OSError if it cannot be read. Raise ValueError if it is neither a regular file nor the null device,
    as a pipe or a terminal may never have anything in it, or is longer than LONGEST_FILE bytes.
    """
    descriptor = os.open(path, _READING)
    try:
        if _may_never_end(os.fstat(descriptor)):
            raise ValueError("expected a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(LONGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST_FILE:
        raise ValueError(f"the file is longer than {LONGEST_FILE} bytes")
    return data.removeprefix(BOM_UTF8)


def _may_never_end(status: os.stat_result) -> bool:
    """Return whether reading may have to wait; a directory is refused when it is read."""
    known = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return not (known or os.path.samestat(status, os.stat(os.devnull)))


def _parsed(path: str) -> dict[str, Any]:
    try:
        tables: dict[str, Any] = tomllib.loads(read_file(path).decode())
    except OSError as refused:
        raise ConfigError(f"{path}: {refused.strerror}") from None
    except (ValueError, RecursionError) as broken:
        raise ConfigError(f"{path}: {broken}") from None
    return tables


def _meaningless(name: str, value: object) -> str:
    """Return what is wrong with ``name``, which is at the top of a file."""
    if name in PROGRAMS:
        return f"{name}: expected a table"
    if isinstance(value, dict):
        return f"unknown table [{name}]: expected {_TABLES}"
    return f"{name}: expected in a table, {_TABLES}"


def _setting(where: str, kind: Kind | None, value: object) -> Setting:
    if kind is None:
        raise ConfigError(f"{where}: unknown option")
    try:
        if kind is Kind.FLAG:
            return Setting(where, on=_flag(value))
        return Setting(where, _texts(value) if kind is Kind.LIST else (_text(value),))
    except ValueError as refused:
        raise ConfigError(f"{where}: {refused}") from None


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"invalid value {value!r}: expected a string or a number")
    text = str(value)
    if "\0" in text:
        raise ValueError(f"invalid value {text!r}: expected a string without the character NUL")
    return text


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value)
    if text.lower() not in _FLAGS:
        raise ValueError(f"invalid value {text!r}: expected yes or no")
    return _FLAGS[text.lower()]


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"invalid value {value!r}: expected a list of strings")
    return tuple(_text(each) for each in value)
