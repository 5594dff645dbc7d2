"""A one-line prompt for a terminal without support for the full-screen prompt."""

from __future__ import annotations

import sys

from techboy import systems


class PlainPrompt:
    """The prompt ``name: ``, erased before lines are printed and shown again after them.

    Each method returns the bytes to write. ``name``: the user's nickname; ``erase``: the sequence that clears
    the line of the cursor.
    """

    def __init__(self, name: str, erase: bytes) -> None:
        self.name, self._erase = name, erase
        self._is_shown = False

    @property
    def _text(self) -> bytes:
        return f"{self.name}: ".encode()

    def show_prompt(self) -> bytes:
        """Show the prompt from now on."""
        self._is_shown = True
        return self._text

    def hide_prompt(self) -> bytes:
        """Show no prompt from now on."""
        erase = self._erase if self._is_shown else b""
        self._is_shown = False
        return erase

    def show_again(self) -> bytes:
        """Show the prompt again after a line was typed."""
        return self._text if self._is_shown else b""

    def print_above(self, lines: bytes) -> bytes:
        """Print whole ``lines`` above the prompt."""
        return self._erase + lines + self._text if self._is_shown else lines


def erase_sequence(term: str | None, columns: int, platform: str = sys.platform) -> bytes:
    """Return the sequence that clears the cursor's line on a terminal of so many columns.

    ``term``: its type ``$TERM``, which tells whether it supports escape sequences; Windows has no ``$TERM``.
    """
    if platform == systems.WINDOWS:
        return b"\r" + b" " * (columns - 1) + b"\r"
    return b"\n" if term in (None, "", "dumb") else b"\r\x1b[K"
