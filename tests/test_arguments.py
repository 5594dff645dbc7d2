"""Tests of `techboy.arguments`."""

from __future__ import annotations

import pytest

from techboy.arguments import first_word


@pytest.mark.parametrize(
    ("line", "word", "rest"),
    [
        ("", "", ""),
        ("who", "who", ""),
        ("who ", "who", ""),
        ("nick rosaline", "nick", "rosaline"),
        ("nick\trosaline", "nick", "rosaline"),
        ("msg\tnurse come\there", "msg", "nurse come\there"),
        ("me  sighs", "me", " sighs"),
        (" ping", "", "ping"),
        ("me\xa0sighs", "me\xa0sighs", ""),
    ],
)
def test_first_word(line: str, word: str, rest: str) -> None:
    """A space or a tab ends it; what follows stands as it was written."""
    assert first_word(line) == (word, rest)
