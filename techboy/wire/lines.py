"""Line ends and line lengths in a stream of bytes.

A line ends with its delimiter. If that is LF, a CR directly before it belongs to the line end too, so that
CRLF, which Windows and telnet send, is read in the same way and does not count towards a limit.
"""

from __future__ import annotations

LF = b"\n"
CRLF = b"\r\n"


def first_overlong(block: bytes, limit: int, delimiter: bytes = LF) -> int:
    """Return the index in ``block`` of the first line of more than ``limit`` bytes, -1 if there is none.

    ``block`` consists of whole lines, each with its delimiter. The work is one search for every ``limit``
    bytes, independent of the number of lines.
    """
    step, start = len(delimiter), 0
    while len(block) - start > limit + step:
        end = block.rfind(delimiter, start, start + limit + step)
        if end < 0:
            if delimiter != LF or not block.startswith(CRLF, start + limit):
                return start
            end = start + limit + 1
        start = end + step
    return -1


def exceeds_limit(rest: bytes, limit: int, delimiter: bytes = LF) -> bool:
    """Return whether the line that begins with ``rest`` has more than ``limit`` bytes, whatever follows.

    A part of a delimiter at the end is not counted.
    """
    if len(rest) <= limit:
        return False
    tail = rest[limit:]
    expected = [delimiter, CRLF] if delimiter == LF else [delimiter]
    return not any(end.startswith(tail) for end in expected)


def normalise_line_ends(block: bytes) -> bytes:
    """Return ``block``, lines joined by LF or CRLF and without the last LF, joined by LF."""
    if b"\r" not in block:
        return block
    return block.replace(CRLF, LF).removesuffix(b"\r")


def ends_inside_character(data: bytes) -> bool:
    """Return whether ``data`` ends with an incomplete UTF-8 character (RFC 3629)."""
    for back, byte in enumerate(reversed(data[-3:]), 1):
        if byte >= 0b1100_0000:
            return back < _sequence_length(byte)
        if byte < 0b1000_0000:
            return False
    return False


def _sequence_length(lead: int) -> int:
    if lead >= 0b1111_0000:
        return 4
    return 3 if lead >= 0b1110_0000 else 2
