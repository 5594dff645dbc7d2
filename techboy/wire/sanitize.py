"""Making text safe for a raw terminal.

Unsafe are: bytes that are not UTF-8; the C0 controls except tab and the newline between lines; DEL; the C1
controls; U+2028 and U+2029, at which some terminals break a line; the bidirectional controls of Unicode UAX
#9, which can make text look different; and lone surrogates, which an escape in JSON can produce. Each is
replaced by U+FFFD, so that a reader sees that something was replaced.
"""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"

# parts of the UTF-8 encodings of all unsafe characters beyond ASCII, and of few others
_MARKS = (b"\xc2", b"\xd8\x9c", b"\xe2\x80", b"\xe2\x81")
_ASCII_CONTROLS = bytes(code for code in [*range(0x20), 0x7F] if code not in b"\t\n")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def sanitize_bytes(data: bytes) -> str:
    """Return ``data``, UTF-8 lines joined by LF, as sanitized text."""
    text = data.decode("utf-8", "replace")
    return text if _is_harmless(data) else _UNSAFE.sub(REPLACEMENT, text)


def sanitize(text: str) -> str:
    """Return ``text``, lines joined by LF, sanitized; the number of characters stays the same."""
    try:
        harmless = _is_harmless(text.encode())
    except UnicodeEncodeError:
        harmless = False
    return text if harmless else _UNSAFE.sub(REPLACEMENT, text)


def sanitize_line(text: str) -> str:
    """Return ``text``, one line, sanitized; an LF is unsafe too."""
    return sanitize(text).replace("\n", REPLACEMENT)


def encode_safe(text: str) -> bytes:
    """Return ``text`` as UTF-8 for a terminal, a log or a file, sanitized once more."""
    data = text.encode("utf-8", "replace")
    return data if _is_harmless(data) else _UNSAFE.sub(REPLACEMENT, data.decode()).encode()


def _is_harmless(data: bytes) -> bool:
    # checking the bytes is several times as fast as searching the text, which is rarely necessary
    if len(data.translate(None, _ASCII_CONTROLS)) != len(data):
        return False
    return data.isascii() or not any(mark in data for mark in _MARKS)
