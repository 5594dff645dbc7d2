"""Settings from a configuration file and the environment, as options of the command line.

A layer is the settings of one source. This module does not know what an option means: ``kinds`` lists the
options, with the kind of value that each takes.
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

from techboy.wire.sanitize import sanitize_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROGRAMS = ("romeo", "juliet")
_TABLES = " or ".join(f"[{program}]" for program in PROGRAMS)
LONGEST_FILE = 64 * 1024
_HEAD, _TAIL = 300, 100
# non-blocking, so that opening a pipe without a writer does not wait
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
)
_FLAGS = dict.fromkeys(["yes", "true", "1", "on"], True) | dict.fromkeys(["no", "false", "0", "off"], False)


class ConfigError(ValueError):
    """A setting of a file or the environment is invalid; the message begins with its location."""


class Kind(Enum):
    """The kind of value that an option takes."""

    TEXT = auto()
    FLAG = auto()  # no value on the command line, yes or no elsewhere
    LIST = auto()  # any number of texts


Kinds: TypeAlias = Mapping[str, Kind]
Sides: TypeAlias = Sequence[frozenset[str]]


@dataclass(frozen=True)
class Setting:
    """The setting of an option: its ``location``, for people, and its texts or whether it is ``on``."""

    location: str
    texts: tuple[str, ...] = ()
    on: bool = False

    def words(self, name: str) -> list[str]:
        """Return the words of a command line that set the option ``name`` likewise."""
        return [f"--{name}"] * self.on + [f"--{name}={text}" for text in self.texts]


Layer: TypeAlias = dict[str, Setting]


def from_environment(program: str, kinds: Kinds, environ: Mapping[str, str]) -> Layer:
    """Return the settings of variables such as ``TECHBOY_ROMEO_MAX_LINE``; a list is split at spaces.

    Raise ConfigError for a variable of ``program`` that is not an option, or has an invalid value.
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
    """Return the settings in the table of ``program`` in the TOML file ``path``.

    Raise ConfigError if the file cannot be read or is not TOML, or has an unknown table or option; options in
    the table of the other program are not checked.
    """
    tables = _parsed(path)
    for name, table in tables.items():
        if name not in PROGRAMS or not isinstance(table, dict):
            raise ConfigError(f"{path}: {_describe_unknown(name, table)}")
    return {
        name: _setting(f"{path}: [{program}] {name}", kinds.get(name), value)
        for name, value in tables.get(program, {}).items()
    }


def refuse_both(layer: Layer, sides: Sides) -> None:
    """Raise ConfigError if ``layer`` has options of more than one of ``sides``, which exclude each other."""
    used = [sorted(side & layer.keys()) for side in sides if side & layer.keys()]
    if len(used) > 1:
        raise ConfigError(f"{layer[used[1][0]].location}: cannot be combined with {' or '.join(used[0])}")


def merged(given: Collection[str], layers: Iterable[Layer], sides: Sides) -> Layer:
    """Return the settings of ``layers``, the highest first, that the options ``given`` do not override.

    The highest layer that sets an option, or an option of one of the ``sides``, takes precedence.
    """
    result: Layer = {}
    for layer in layers:
        decided = {*given, *result}
        chosen = [side for side in sides if side & decided]
        closed = decided.union(*(side for side in sides if chosen and side not in chosen))
        result |= {name: setting for name, setting in layer.items() if name not in closed}
    return result


def one_line(message: str) -> str:
    """Return ``message`` as one sanitized line; a very long one without its middle."""
    line = sanitize_line(message)
    return line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]}…{line[-_TAIL:]}"


def read_file(path: str) -> bytes:
    """Return the content of the file ``path``, without a UTF-8 byte order mark, which some editors write.

    Raise OSError if it cannot be read. Raise ValueError if it has more than LONGEST_FILE bytes, or is neither
    a regular file nor the null device: reading a pipe or a terminal may block.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        if _may_block(os.fstat(descriptor)):
            raise ValueError("expected a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(LONGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST_FILE:
        raise ValueError(f"the file is longer than {LONGEST_FILE} bytes")
    return data.removeprefix(BOM_UTF8)


def _may_block(status: os.stat_result) -> bool:
    """Return whether reading may block; not so for a directory, of which reading fails."""
    is_file_or_directory = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return not (is_file_or_directory or os.path.samestat(status, os.stat(os.devnull)))


def _parsed(path: str) -> dict[str, Any]:
    try:
        tables: dict[str, Any] = tomllib.loads(read_file(path).decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return tables


def _describe_unknown(name: str, value: object) -> str:
    """Return what is wrong with the key ``name`` at the top of a file."""
    if name in PROGRAMS:
        return f"{name}: expected a table"
    if isinstance(value, dict):
        return f"unknown table [{name}]: expected {_TABLES}"
    return f"{name}: expected in a table, {_TABLES}"


def _setting(location: str, kind: Kind | None, value: object) -> Setting:
    if kind is None:
        raise ConfigError(f"{location}: unknown option")
    try:
        if kind is Kind.FLAG:
            return Setting(location, on=_flag(value))
        return Setting(location, _texts(value) if kind is Kind.LIST else (_text(value),))
    except ValueError as error:
        raise ConfigError(f"{location}: {error}") from None


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
