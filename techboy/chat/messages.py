"""Messages, as they are shown."""

from __future__ import annotations

from typing import NamedTuple

from techboy.storage.interface import TEXT


class Message(NamedTuple):
    """Lines that were said: ``text``, joined by LF.

    Their ids are those from ``first`` on, 0 where that is not known. ``at``: when, in seconds since 1970, 0
    where that is not known. ``past``: before this end came in.
    """

    author: str
    text: str
    kind: str = TEXT
    first: int = 0
    at: float = 0.0
    past: bool = False
