"""The protocols of a connection."""

from __future__ import annotations

from enum import Enum, auto


class WireProtocol(Enum):
    """How the bytes of a connection are read. `UNKNOWN`: that is still to be found out."""

    UNKNOWN = auto()
    NATIVE = auto()
    PLAIN = auto()
