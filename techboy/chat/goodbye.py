"""How long a goodbye may take."""

from __future__ import annotations

LAST_WORDS = 5.0
"""Seconds that the other has for what it still says, once all was said here."""

PROMPTLY = 1.0
"""Seconds of silence after which nothing more is expected, once a goodbye was said."""
