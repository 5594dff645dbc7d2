"""Keep an error that concerns one connection from affecting the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Fallible(Protocol):
    """A connection, or the operator's screen, that can fail alone."""

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""


def isolated(target: Fallible, act: Callable[[], T]) -> T | None:
    """Return the result of ``act``, which concerns ``target`` alone.

    If ``act`` raises, call ``target.on_error`` and return None.
    """
    try:
        return act()
    except Exception:
        target.on_error()
        return None
