"""How the line of a command is split into words."""

from __future__ import annotations

import re

_BLANK = re.compile(r"[ \t]")


def first_word(line: str) -> tuple[str, str]:
    """Return the first word of ``line``, and what follows the one space or tab after it."""
    word, *rest = _BLANK.split(line, maxsplit=1)
    return word, rest[0] if rest else ""
