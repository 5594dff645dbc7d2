"""The bounds of the program, made so small that a run reaches them, and how each is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from techboy import home
from techboy.doors import desk, flowing, guest, hall, native_guest
from techboy.net import plain_receiver

PAGE = 512
UNREAD = 2048
UNSTORED = 2000
SESSIONS = 20
PRUNED_EVERY = 20.0

_SMALL: tuple[tuple[Any, str, object], ...] = (
    (hall, "PAGE", PAGE),
    (desk, "PAGE", PAGE),
    (flowing, "UNREAD_LIMIT", UNREAD),
    (flowing, "UNSTORED_LIMIT", UNSTORED),
    (guest, "UNSTORED_LIMIT", UNSTORED),
    (native_guest, "UNSTORED_LIMIT", UNSTORED),
    (plain_receiver, "LONGEST_UNENDED", 4096),
    (home, "PRUNED_EVERY", PRUNED_EVERY),
    (home, "KEEP_SESSIONS", SESSIONS),
    (home, "SESSIONS_A_GUEST", 1),
)


@contextmanager
def small() -> Iterator[None]:
    """Make the bounds small for a while."""
    before = [(place, name, getattr(place, name)) for place, name, _ in _SMALL]
    for place, name, value in _SMALL:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)
