"""What an emulated terminal shows, and what the keys of a keyboard send."""

from __future__ import annotations

from typing import Any

CTRL_C, CTRL_D, CTRL_L, CTRL_R, CTRL_S, CTRL_Z = "\x03", "\x04", "\x0c", "\x12", "\x13", "\x1a"
ENTER, TAB, UP, ESCAPE = "\r", "\t", "\x1b[A", "\x1b"


def rows_of(emulator: Any) -> list[str]:
    """Return what is to be seen on a screen of pyte's, without blanks at the ends, and blank rows below."""
    rows = [row.rstrip() for row in emulator.display]
    while rows and not rows[-1]:
        rows.pop()
    return rows
