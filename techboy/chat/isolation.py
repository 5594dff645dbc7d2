"""An error in what concerns one connection hinders nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Fallible(Protocol):
    """A connection, or the operator's screen, that an error concerns alone."""

    def on_error(self) -> None:
        """Log the exception that is being handled, and close."""


def isolated(one: Fallible, act: Callable[[], T]) -> T | None:
    """Return what ``act`` returns, which concerns ``one`` alone; if it raises, have ``one`` fail."""
    try:
        return act()
    except Exception:
        one.on_error()
        return None
