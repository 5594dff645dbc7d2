"""Where lines begin and end in a stream of bytes.

A line ends with its delimiter. Where that is LF, a CR right before it belongs to the line's end too,
so that what Windows and telnet send (CRLF) reads the same and does not count towards a limit.
"""

from __future__ import annotations

LF = b"\n"
CRLF = b"\r\n"


def first_overlong(block: bytes, limit: int, delimiter: bytes = LF) -> int:
    """Return where the first line of more than ``limit`` bytes begins in ``block``, or -1.

    ``block`` holds whole lines, each with its delimiter. The work is one search for every ``limit``
    bytes, however many lines they hold.
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


def outgrown(rest: bytes, limit: int, delimiter: bytes = LF) -> bool:
    """Tell whether ``rest``, the beginning of a line, is past ``limit`` bytes whatever follows.

    A delimiter of which only a part has arrived is not counted.
    """
    if len(rest) <= limit:
        return False
    tail = rest[limit:]
    expected = [delimiter, CRLF] if delimiter == LF else [delimiter]
    return not any(end.startswith(tail) for end in expected)


def unix_ends(block: bytes) -> bytes:
    """Return ``block``, LF-joined lines without the last LF, with each CRLF made LF."""
    if b"\r" not in block:
        return block
    return block.replace(CRLF, LF).removesuffix(b"\r")


def ends_inside_character(data: bytes) -> bool:
    """Tell whether ``data`` ends with the beginning of a UTF-8 character (RFC 3629) that is not whole."""
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
