"""Making text safe for a raw terminal.

What is cleaned: bytes that are no UTF-8; the C0 controls but tab and the newline between lines; DEL; the
C1 controls; U+2028 and U+2029, which some screens break a line at; the bidirectional controls of
Unicode UAX #9, which make text look like something else; and surrogates, half characters that an escape in
JSON can bring. Each becomes U+FFFD, so that a reader sees that something was there.
"""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"

# what each unsafe character beyond ASCII has in it as UTF-8, and not many others
_MARKS = (b"\xc2", b"\xd8\x9c", b"\xe2\x80", b"\xe2\x81")
_ASCII_CONTROLS = bytes(code for code in [*range(0x20), 0x7F] if code not in b"\t\n")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def clean(data: bytes) -> str:
    """Return the text of ``data``, lines joined by LF, without anything unsafe."""
    text = data.decode("utf-8", "replace")
    return text if _is_harmless(data) else _UNSAFE.sub(REPLACEMENT, text)


def cleaned(text: str) -> str:
    """Return ``text``, lines joined by LF, without anything unsafe; it has as many characters as before."""
    try:
        harmless = _is_harmless(text.encode())
    except UnicodeEncodeError:
        harmless = False
    return text if harmless else _UNSAFE.sub(REPLACEMENT, text)


def cleaned_line(text: str) -> str:
    """Return ``text``, one line, without anything unsafe, as an LF in it is."""
    return cleaned(text).replace("\n", REPLACEMENT)


def shown(text: str) -> bytes:
    """Return ``text`` as the bytes that a screen, a log or a file may be given, cleaned once more."""
    data = text.encode("utf-8", "replace")
    return data if _is_harmless(data) else _UNSAFE.sub(REPLACEMENT, data.decode()).encode()


def _is_harmless(data: bytes) -> bool:
    # looking at the bytes is several times as fast as searching the text, and rarely finds a reason to
    if len(data.translate(None, _ASCII_CONTROLS)) != len(data):
        return False
    return data.isascii() or not any(mark in data for mark in _MARKS)
