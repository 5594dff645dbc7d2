"""Valid names of members and rooms, and the registry of nicknames in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

MAX_LENGTH = 32

RESERVED = frozenset(
    {"root", "admin", "server", "system", "all", "everyone", "me"}
    | {"you", "there", "nobody", "welcome", "topic", "usage"}  # first words of notices
)
"""Names that are not allowed, as they would mislead."""

# letters of other scripts are not allowed, as they can look the same as these
_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_DEFAULT_NAME = re.compile(r"guest[0-9]+")

T = TypeVar("T")


def checked_nickname(name: str) -> str:
    """Return ``name`` if it is 1 to 32 characters of ``A-Z a-z 0-9 _ . -``; raise ValueError if not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"invalid name {name!r}: expected 1-{MAX_LENGTH} letters (a to z), digits, _ . or -")
    return name


class NicknameRegistry(Generic[T]):
    """The nicknames in use and their holders. Names are compared without case.

    A name of ``reserved`` cannot be claimed, only taken.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._reserved = RESERVED | {name.lower() for name in reserved}
        self._holders: dict[str, T] = {}
        self._last_default = 0

    def get(self, name: str) -> T | None:
        """Return the holder of ``name``, None if it is not in use."""
        return self._holders.get(name.lower())

    def __len__(self) -> int:
        """Return the number of names in use."""
        return len(self._holders)

    def take(self, name: str, holder: T) -> None:
        """Assign ``name``, also a reserved one, to ``holder``; raise ValueError if another holder has it."""
        if self._holders.setdefault(name.lower(), holder) is not holder:
            raise ValueError(f"{name} is taken")

    def check(self, wanted: str) -> None:
        """Raise ValueError if ``wanted`` is not a valid name, or is reserved."""
        if self._is_reserved(checked_nickname(wanted)):
            raise ValueError(f"{wanted} is reserved")

    def claim(self, wanted: str, holder: T) -> str:
        """Assign the name ``wanted`` to ``holder``, with a number appended if it is taken; return the name.

        Raise ValueError as `check` does.
        """
        self.check(wanted)
        name = self._first_free(wanted, holder)
        self.take(name, holder)
        return name

    def default_name(self, holder: T) -> str:
        """Assign the next free name of the form ``guest1`` to ``holder``, and return it."""
        self._last_default += 1
        while self.get(f"guest{self._last_default}") is not None:
            self._last_default += 1
        name = f"guest{self._last_default}"
        self.take(name, holder)
        return name

    def release(self, name: str, holder: T) -> None:
        """Release ``name``, if ``holder`` has it."""
        if self._holders.get(name.lower()) is holder:
            del self._holders[name.lower()]

    def _is_reserved(self, name: str) -> bool:
        """Return whether ``name`` is reserved, or has the form of a default name."""
        return name.lower() in self._reserved or bool(_DEFAULT_NAME.fullmatch(name.lower()))

    def _first_free(self, wanted: str, holder: T) -> str:
        """Return ``wanted``, or the first name derived from it that is neither reserved nor taken."""
        name, number = wanted, 1
        while self._is_reserved(name) or self._holders.get(name.lower(), holder) is not holder:
            number += 1
            name = _numbered(wanted, number)
        return name


def _numbered(name: str, number: int) -> str:
    """Return ``name`` with ``number`` appended, cut to `MAX_LENGTH`; never of the form of a default name."""
    numbered = name[: MAX_LENGTH - len(str(number))] + str(number)
    if not _DEFAULT_NAME.fullmatch(numbered.lower()):
        return numbered
    return f"{name[: MAX_LENGTH - len(str(number)) - 1]}_{number}"
