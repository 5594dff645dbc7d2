"""Reading JSON objects and checking their fields.

JSON is read as I-JSON (RFC 7493): UTF-8, no duplicate names in an object, finite numbers only. A lone
surrogate, which an escape can produce, is not an error: it is replaced like other unsafe characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

from techboy.wire.frames import LARGEST
from techboy.wire.sanitize import sanitize, sanitize_line

# the time of int() grows with the square of the number of digits; no valid number is nearly as long
_MAX_DIGITS = 400

T = TypeVar("T")


class FieldError(ValueError):
    """A field is missing or invalid; the text is one line that names it."""


class Fields:
    """The fields of an object. A null field counts as missing; fields that are not read are ignored."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def required(self, name: str, check: Callable[[object], T]) -> T:
        """Return the field ``name`` as ``check`` returns it; raise FieldError if it is missing or invalid."""
        value = self._values.get(name)
        if value is None:
            raise FieldError(f"{name} is missing")
        try:
            return check(value)
        except FieldError as error:
            raise FieldError(f"{name}: {error}") from None

    def optional(self, name: str, check: Callable[[object], T]) -> T | None:
        """Return the field ``name`` as `required` does, None if it is missing."""
        return None if self._values.get(name) is None else self.required(name, check)


def read_object(line: bytes) -> Fields:
    """Return the fields of the JSON object in ``line``; raise ValueError, with one line, if it is invalid."""
    try:
        return fields(_JSON.decode(line.decode()))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fields(value: object) -> Fields:
    """Return the fields of the object ``value``; raise FieldError, like all checks here, if it is not one."""
    if not isinstance(value, dict):
        raise FieldError("expected an object")
    return Fields(value)


def number(value: object) -> int:
    """Return ``value``, a whole number from 0 to LARGEST."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise FieldError(f"expected a whole number from 0 to {LARGEST}")
    return value


def boolean(value: object) -> bool:
    """Return ``value``, true or false."""
    if not isinstance(value, bool):
        raise FieldError("expected true or false")
    return value


def one_line(value: object) -> str:
    """Return ``value``, a string of one line, sanitized."""
    return sanitize_line(string(value))


def several_lines(value: object) -> str:
    """Return ``value``, a string of lines joined by LF or CRLF, sanitized and joined by LF."""
    text = string(value)
    return sanitize(text.replace("\r\n", "\n") if "\r" in text else text)


def string_list(value: object) -> tuple[str, ...]:
    """Return ``value``, an array of strings of one line, sanitized."""
    if not isinstance(value, list):
        raise FieldError("expected an array")
    return tuple(map(one_line, value))


def string(value: object) -> str:
    """Return ``value``, a string, unchanged."""
    if not isinstance(value, str):
        raise FieldError("expected a string")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is used twice")
    return values


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"not JSON: {word}")


_JSON = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_whole, parse_float=_finite, parse_constant=_refuse_constant
)
