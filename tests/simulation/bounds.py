"""The bounds of the program, made so small that a run reaches them, and how each is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from techboy.net import plain_receiver
from techboy.server import admin_sessions, broker, delivery, native_input, plain, storage_service

PAGE = 512
UNREAD = 2048
UNSTORED = 2000
SESSIONS = 20
PRUNE_INTERVAL = 20.0

_SMALL: tuple[tuple[Any, str, object], ...] = (
    (broker, "PAGE_SIZE", PAGE),
    (admin_sessions, "PAGE_SIZE", PAGE),
    (delivery, "UNREAD_LIMIT", UNREAD),
    (delivery, "UNSTORED_LIMIT", UNSTORED),
    (plain, "UNSTORED_LIMIT", UNSTORED),
    (native_input, "UNSTORED_LIMIT", UNSTORED),
    (plain_receiver, "UNENDED_LIMIT", 4096),
    (storage_service, "PRUNE_INTERVAL", PRUNE_INTERVAL),
    (storage_service, "MAX_SESSIONS", SESSIONS),
    (storage_service, "SESSIONS_PER_CLIENT", 1),
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
