"""What somebody may be called."""

from __future__ import annotations

import re

LONGEST = 32

_NAME = re.compile(rf"[\w.-]{{1,{LONGEST}}}")


def checked_name(name: str) -> str:
    """Return ``name`` if it is 1 to 32 letters, digits, ``_``, ``.`` or ``-``; raise ValueError if not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name is 1 to {LONGEST} letters, digits, _ . or -, not {name!r}")
    return name
