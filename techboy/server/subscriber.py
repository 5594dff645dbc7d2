"""What the broker delivers to, and calls whose errors stay with the one that caused them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

from techboy.chat.isolation import Fallible
from techboy.chat.room import Room
from techboy.net.rendering import Delivery

_log = Logger()


class Subscriber(Fallible, Protocol):
    """A reader of one room: a member's connection, or an observer."""

    def deliver(self, delivery: Delivery) -> None:
        """Send ``delivery``, or leave it in the log and read it later."""

    def on_send_timeout(self) -> None:
        """Handle that nothing was read for the send timeout."""


class RoomsObserver(Protocol):
    """An observer of all rooms."""

    def on_delivery(self, room: Room, delivery: Delivery) -> None:
        """Handle ``delivery``, which is new in ``room``; a room's deliveries come in the order of its log."""


def guarded(act: Callable[..., object], *arguments: object) -> None:
    """Call ``act`` with ``arguments``; log an exception instead of raising it."""
    try:
        act(*arguments)
    except Exception:
        _log.failure("an error concerning one connection or observer", event="internal_error")
