"""What somebody, or a room, may be called, and who is called what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

MAX_LENGTH = 32

RESERVED = frozenset(
    {"root", "admin", "server", "system", "all", "everyone", "me"}
    | {"you", "there", "nobody", "welcome", "topic", "usage"}  # what notices begin with
)
"""Names that would mislead, and that nobody gets."""

# letters of other scripts can look the same as these, and two names that look the same are one too many
_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_GUEST = re.compile(r"guest[0-9]+")

T = TypeVar("T")


def checked_nickname(name: str) -> str:
    """Return ``name`` if it is 1 to 32 of ``A-Z a-z 0-9 _ . -``; raise ValueError if not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"invalid name {name!r}: expected 1-{MAX_LENGTH} letters (a to z), digits, _ . or -")
    return name


class NicknameRegistry(Generic[T]):
    """Who is called what. Names are compared without case; ``reserved`` ones are given to nobody who asks."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._reserved = RESERVED | {name.lower() for name in reserved}
        self._holders: dict[str, T] = {}
        self._guests = 0

    def get(self, name: str) -> T | None:
        """Return who is called ``name``."""
        return self._holders.get(name.lower())

    def __len__(self) -> int:
        """Return how many names are in use."""
        return len(self._holders)

    def take(self, name: str, holder: T) -> None:
        """Give ``name``, which may be reserved, to ``holder``; raise ValueError if somebody else has it."""
        if self._holders.setdefault(name.lower(), holder) is not holder:
            raise ValueError(f"{name} is taken")

    def check(self, wanted: str) -> None:
        """Raise ValueError where ``wanted`` is no name, or one that is not given away."""
        if self._is_kept(checked_nickname(wanted)):
            raise ValueError(f"{wanted} is reserved")

    def claim(self, wanted: str, holder: T) -> str:
        """Give ``holder`` the name ``wanted``, with a number where it is taken, and return it.

        Raise ValueError as `check` does.
        """
        self.check(wanted)
        name = self._free(wanted, holder)
        self.take(name, holder)
        return name

    def default_name(self, holder: T) -> str:
        """Give ``holder`` the next name of a guest, and return it."""
        self._guests += 1
        while self.get(f"guest{self._guests}") is not None:
            self._guests += 1
        name = f"guest{self._guests}"
        self.take(name, holder)
        return name

    def release(self, name: str, holder: T) -> None:
        """Take ``name`` back, if it is ``holder``'s."""
        if self._holders.get(name.lower()) is holder:
            del self._holders[name.lower()]

    def _is_kept(self, name: str) -> bool:
        """Return whether ``name`` is reserved, or one that only guests get."""
        return name.lower() in self._reserved or bool(_GUEST.fullmatch(name.lower()))

    def _free(self, wanted: str, holder: T) -> str:
        """Return ``wanted``, or the first name derived from it that is neither kept nor somebody else's."""
        name, number = wanted, 1
        while self._is_kept(name) or self._holders.get(name.lower(), holder) is not holder:
            number += 1
            name = _numbered(wanted, number)
        return name


def _numbered(name: str, number: int) -> str:
    """Return ``name`` with ``number`` after it, cut to `MAX_LENGTH`; never a name that only guests get."""
    numbered = name[: MAX_LENGTH - len(str(number))] + str(number)
    if not _GUEST.fullmatch(numbered.lower()):
        return numbered
    return f"{name[: MAX_LENGTH - len(str(number)) - 1]}_{number}"
