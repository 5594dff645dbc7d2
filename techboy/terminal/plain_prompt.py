"""A prompt on a terminal that can do no more than show text."""

from __future__ import annotations

import sys

from techboy import systems


class PlainPrompt:
    """The words that invite to type, taken away before something is shown and put back after.

    Each method returns what is to be written. ``name``: who types; ``erase``: what clears the line that the
    cursor is on.
    """

    def __init__(self, name: str, erase: bytes) -> None:
        self.name, self._erase = name, erase
        self._invites = False

    @property
    def _words(self) -> bytes:
        return f"{self.name}: ".encode()

    def show_prompt(self) -> bytes:
        """Invite from now on."""
        self._invites = True
        return self._words

    def hide_prompt(self) -> bytes:
        """Invite no more."""
        erase = self._erase if self._invites else b""
        self._invites = False
        return erase

    def typed(self) -> bytes:
        """Invite again after a line was typed."""
        return self._words if self._invites else b""

    def around(self, shown: bytes) -> bytes:
        """Show whole lines above the invitation."""
        return self._erase + shown + self._words if self._invites else shown


def erasing(term: str | None, columns: int, platform: str = sys.platform) -> bytes:
    """Return what clears the cursor's line on a terminal of so many columns.

    Its type ``term`` (``$TERM``) tells whether it obeys sequences; a Windows console has none.
    """
    if platform == systems.WINDOWS:
        return b"\r" + b" " * (columns - 1) + b"\r"
    return b"\n" if term in (None, "", "dumb") else b"\r\x1b[K"
