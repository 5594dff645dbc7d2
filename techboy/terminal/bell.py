"""The terminal's bell: when it rings."""

from __future__ import annotations

from enum import Enum

HELP = "when the bell rings"
ARGUMENTS = "[off|mention|all]"


class BellMode(Enum):
    """When the bell rings; the value is the word that says so."""

    OFF = "off"
    MENTION = "mention"
    ALL = "all"


_TOLD = {
    BellMode.OFF: "the bell is off",
    BellMode.MENTION: "the bell rings when somebody says your name",
    BellMode.ALL: "the bell rings when somebody says something",
}


class Bell:
    """Decides whether to ring, as ``/bell`` has set it: when whoever is here is mentioned, at first."""

    def __init__(self) -> None:
        self.state = BellMode.MENTION

    def rings(self, mentions: bool, said: bool) -> bool:
        """Tell whether to ring for what one turn shows.

        ``mentions``: somebody else said the name of whoever is here. ``said``: somebody said something.
        """
        if self.state is BellMode.OFF:
            return False
        return mentions or (said and self.state is BellMode.ALL)

    def set(self, word: str) -> str:
        """Obey ``/bell word``, and return the line to show; without a word it says how the bell is set."""
        try:
            self.state = BellMode(word.strip().lower() or self.state)
        except ValueError:
            return f"* usage: /bell {ARGUMENTS}"
        return f"* {_TOLD[self.state]}"
