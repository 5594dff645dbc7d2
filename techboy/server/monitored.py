"""What is told of a house to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from techboy.chat.server import House
from techboy.server.broker import Hall
from techboy.server.detect import Spoken


@dataclass(frozen=True)
class Watched:
    """A house and its hall.

    ``connections``: how each that is open speaks. ``trouble``: why nobody should count on the house, one
    line, None where all is well.
    """

    house: House
    hall: Hall
    connections: Callable[[], Iterable[Spoken]]
    trouble: Callable[[], str | None]
