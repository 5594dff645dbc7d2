"""The terminal's bell, and the command ``/bell`` that configures it."""

from __future__ import annotations

from enum import Enum

HELP = "when the bell rings"
ARGUMENTS = "[off|mention|all]"


class BellMode(Enum):
    """When the bell rings; the value is the argument of ``/bell``."""

    OFF = "off"
    MENTION = "mention"
    ALL = "all"


_DESCRIPTIONS = {
    BellMode.OFF: "the bell is off",
    BellMode.MENTION: "the bell rings when your name is mentioned",
    BellMode.ALL: "the bell rings for every message",
}


class Bell:
    """Decides whether to ring, as set by ``/bell``; initially only if the user is mentioned."""

    def __init__(self) -> None:
        self.mode = BellMode.MENTION

    def should_ring(self, mentioned: bool, received: bool) -> bool:
        """Return whether to ring for the messages of one reactor turn.

        ``mentioned``: a message of another member contains the user's name. ``received``: there was a message
        at all.
        """
        if self.mode is BellMode.OFF:
            return False
        return mentioned or (received and self.mode is BellMode.ALL)

    def set(self, word: str) -> str:
        """Execute ``/bell word``, and return the notice to show; an empty ``word`` changes nothing."""
        try:
            self.mode = BellMode(word.strip().lower() or self.mode)
        except ValueError:
            return f"* usage: /bell {ARGUMENTS}"
        return f"* {_DESCRIPTIONS[self.mode]}"
