"""Tests of making text safe for a raw terminal."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given

from techboy.wire.sanitize import REPLACEMENT, encode_safe, sanitize_bytes
from tests.wire.texts import any_bytes, any_texts, is_unsafe, quick

UNSAFE = [
    pytest.param("\x00", id="NUL"),
    pytest.param("\x07", id="bell"),
    pytest.param("\x08", id="backspace"),
    pytest.param("\x1b", id="escape"),
    pytest.param("\r", id="a lone CR"),
    pytest.param("\x7f", id="DEL"),
    pytest.param("\x85", id="next line"),
    pytest.param("\x9b", id="C1's CSI"),
    pytest.param("\u061c", id="Arabic letter mark"),
    pytest.param("\u200f", id="right-to-left mark"),
    pytest.param("\u2028", id="line separator"),
    pytest.param("\u2029", id="paragraph separator"),
    pytest.param("\u202e", id="right-to-left override"),
    pytest.param("\u2066", id="left-to-right isolate"),
]
NEIGHBOURS = "\t\n ~\xa0¡\u061b\u061d\u200d\u2010\u2027\u202f\u2065\u206a"


def every_character() -> list[str]:
    return [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


class CleanTests:
    """What arrives is made text that is safe to store and to show."""

    @pytest.mark.parametrize("char", UNSAFE)
    def test_unsafe(self, char: str) -> None:
        """What could move the cursor, or disguise a text, is replaced where it stands."""
        assert sanitize_bytes(f"a{char}b".encode()) == f"a{REPLACEMENT}b"

    @pytest.mark.parametrize(
        "text", ["", "hello", "é ü ß", "\U0001f339", "عربي", "a\tb", "a\nb\n\nc", NEIGHBOURS]
    )
    def test_safe(self, text: str) -> None:
        """Text of any language arrives as it was written, tabs and line ends with it."""
        assert sanitize_bytes(text.encode()) == text

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"caf\xe9", f"caf{REPLACEMENT}"),
            (b"\xf0\x9f\x8c!", f"{REPLACEMENT}!"),
            (b"\xc0\xaf", REPLACEMENT * 2),
            (b"\xed\xa0\x80", REPLACEMENT * 3),
            (b"\xc2\nb", f"{REPLACEMENT}\nb"),
        ],
        ids=["Latin-1", "cut", "overlong", "surrogate", "line end"],
    )
    def test_no_utf_8(self, data: bytes, text: str) -> None:
        """Bytes that are no UTF-8 are seen to be missing, and take nothing else with them."""
        assert sanitize_bytes(data) == text

    def test_every_character(self) -> None:
        """Of all of Unicode nothing unsafe passes, and nothing else is touched."""
        everything = every_character()
        expected = "".join(REPLACEMENT if is_unsafe(char) else char for char in everything)
        assert sanitize_bytes("".join(everything).encode()) == expected

    def test_every_character_alone(self) -> None:
        """A character is cleaned as surely alone as among others."""
        for char in every_character()[:0x10000]:
            assert sanitize_bytes(char.encode()) == (REPLACEMENT if is_unsafe(char) else char)

    @quick
    @given(any_bytes())
    def test_any_bytes(self, data: bytes) -> None:
        """Nothing that any peer sends gets an unsafe character through."""
        assert not any(is_unsafe(char) for char in sanitize_bytes(data))

    @quick
    @given(any_bytes())
    def test_lines_stay(self, data: bytes) -> None:
        """Lines cleaned together are as each alone: none is joined, split or changed by another."""
        assert sanitize_bytes(data).split("\n") == [sanitize_bytes(line) for line in data.split(b"\n")]


class ShownTests:
    """What a screen is given was cleaned once more."""

    @pytest.mark.parametrize("char", UNSAFE)
    def test_unsafe(self, char: str) -> None:
        """Nothing unsafe is shown, wherever it came from."""
        assert encode_safe(f"é{char}b\n") == f"é{REPLACEMENT}b\n".encode()

    def test_safe(self) -> None:
        """What is safe is shown as it is."""
        assert encode_safe(NEIGHBOURS) == NEIGHBOURS.encode()

    def test_surrogate(self) -> None:
        """Half a character, which UTF-8 can't express, does not stop the rest from being shown."""
        assert encode_safe("a\ud800b") == b"a?b"

    @quick
    @given(any_texts())
    def test_any_text(self, text: str) -> None:
        """Whatever the text, what is shown is UTF-8 without anything unsafe, and as long as the text."""
        result = encode_safe(text).decode()
        assert not any(is_unsafe(char) for char in result)
        assert len(result) == len(text)

    @quick
    @given(any_texts())
    def test_twice(self, text: str) -> None:
        """Text that was shown before is shown the same again."""
        once = encode_safe(text)
        assert encode_safe(once.decode()) == once
