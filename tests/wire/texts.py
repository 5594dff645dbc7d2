"""Texts and bytes that are hard on whoever takes them, for properties."""

from __future__ import annotations

import unicodedata

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

quick = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

_BIDI_CLASSES = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
_BIDI_MARKS = "\u061c\u200e\u200f"
_PIECES = ["exit", "Exit", "EXIT", "ex", "/", "//", "/exit", "* ", " ", "\t", "\n", "\n\n", "é", "\U0001f339"]
_SCRAPS = [
    b"\r",
    b"\r\n",
    b"\xff",
    b"\xc2",
    b"\xc2\x85",
    b"\xe2\x80",
    b"\xa8",
    b"\x1b[2J",
    b"\x00",
    b"\xf0\x9f",
]


def is_unsafe(char: str) -> bool:
    """Tell whether a terminal must not be given ``char``, as Unicode's own tables have it."""
    if unicodedata.category(char) == "Cc":
        return char not in "\t\n"
    return char in _BIDI_MARKS + "\u2028\u2029" or unicodedata.bidirectional(char) in _BIDI_CLASSES


def clean_texts() -> st.SearchStrategy[str]:
    """Text without anything unsafe, full of what has a meaning in a dialect."""
    safe = st.characters(exclude_categories=["Cs"]).filter(lambda char: not is_unsafe(char))
    return st.lists(st.sampled_from(_PIECES) | st.text(safe, max_size=5)).map("".join)


def any_texts() -> st.SearchStrategy[str]:
    """Text of any characters but surrogates, which no text that was decoded has."""
    unsafe = st.sampled_from(["\x1b", "\x00", "\r", "\x85", "\x9b", "\u061c", "\u2028", "\u202e", "\u2066"])
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    return st.lists(st.sampled_from(_PIECES) | unsafe | anything).map("".join)


def any_bytes() -> st.SearchStrategy[bytes]:
    """Bytes as any peer may send them."""
    pieces = st.sampled_from([*_SCRAPS, *(piece.encode() for piece in _PIECES)])
    return st.lists(pieces | st.binary(max_size=5)).map(b"".join)
