"""JSON objects whose fields are what they have to be.

JSON is read as I-JSON (RFC 7493) has it: UTF-8, no name twice in an object, no number that is none.
Half a character, which an escape can make, is no reason to refuse it: it is cleaned like all that is unsafe.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

from techboy.wire.frames import LARGEST
from techboy.wire.sanitize import cleaned, cleaned_line

# int() takes time that grows with the square of the digits; no number of any use comes near
_MOST_DIGITS = 400

T = TypeVar("T")


class FieldError(ValueError):
    """A field is missing, or not what it has to be; the text is one line that says which."""


class Fields:
    """The fields of an object. One that is null is as good as missing; those not asked for do not matter."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def need(self, name: str, check: Callable[[object], T]) -> T:
        """Return the field ``name`` as ``check`` gives it; raise FieldError if that can't be."""
        value = self._values.get(name)
        if value is None:
            raise FieldError(f"{name} is missing")
        try:
            return check(value)
        except FieldError as error:
            raise FieldError(f"{name}: {error}") from None

    def may(self, name: str, check: Callable[[object], T]) -> T | None:
        """Return the field ``name`` as `need` does, None where it is missing."""
        return None if self._values.get(name) is None else self.need(name, check)


def read_object(line: bytes) -> Fields:
    """Return the fields of the object that ``line`` is; raise ValueError, of one line, where it is none."""
    try:
        return fields(_JSON.decode(line.decode()))
    except UnicodeDecodeError:
        raise ValueError("this is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("this is nested too deeply") from None


def fields(value: object) -> Fields:
    """Return the fields of ``value``, an object; raise FieldError, as all checks here do, if it is none."""
    if not isinstance(value, dict):
        raise FieldError("this is not an object")
    return Fields(value)


def number(value: object) -> int:
    """Return ``value``, a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise FieldError(f"this is not a whole number from 0 to {LARGEST}")
    return value


def moment(value: object) -> float:
    """Return ``value``, seconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
        raise FieldError(f"this is not a number from 0 to {LARGEST}")
    return float(value)


def yes(value: object) -> bool:
    """Return ``value``, which is true."""
    if value is not True:
        raise FieldError("this is not true")
    return True


def yes_or_no(value: object) -> bool:
    """Return ``value``, true or false."""
    if not isinstance(value, bool):
        raise FieldError("this is neither true nor false")
    return value


def one_line(value: object) -> str:
    """Return ``value``, a string of one line, cleaned."""
    return cleaned_line(_string(value))


def several_lines(value: object) -> str:
    """Return ``value``, a string of lines joined by LF or CRLF, cleaned and joined by LF."""
    text = _string(value)
    return cleaned(text.replace("\r\n", "\n") if "\r" in text else text)


def one_line_each(value: object) -> tuple[str, ...]:
    """Return ``value``, an array of strings of one line, cleaned."""
    if not isinstance(value, list):
        raise FieldError("this is not an array")
    return tuple(map(one_line, value))


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise FieldError("this is not a string")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("this has a name twice")
    return values


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("this has a number of too many digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError("this has a number that is too large")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"this is not JSON: {word}")


_JSON = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_whole, parse_float=_finite, parse_constant=_no_number
)
