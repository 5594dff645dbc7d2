"""What is said: each line follows from the seed, its author and its number, whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from zlib import crc32

# each of these means something somewhere, and here nothing but itself
_ODD = [
    "",
    " ",
    "\t",
    "  blanks around  ",
    "exit",
    "EXIT",
    "exit ",
    "/",
    "//",
    "//x",
    "/me",
    "/shutdown",
    "/nick x",
    "{",
    "{}",
    "}",
    "[]",
    "null",
    "0",
    '"',
    "\\",
    "\\n",
    "\\u0000",
    "%s",
    "* romeo is leaving",
    "romeo: no",
    '{"type": "bye"}',
    '{"type": "hello", "version": 1, "name": "juliet"}',
    '{"type": "message", "kind": "text", "seq": 1, "text": "a\\nb"}',
    '{"type": "ack", "next_seq": 9, "last_id": 9}',
    "é",
    "e\u0301",
    "愛",
    "😀",
    "\ufeff",
    "\ufffd",
    "\xa0",
    "\U0010ffff",
]
_PROSE = (
    "O Romeo, Romeo! wherefore art thou Romeo? Deny thy father and refuse thy name; "
    "Ô Roméo, Roméo ! pourquoi es-tu Roméo ? Renie ton père et abdique ton nom ; "
    "ロミオ、ロミオ、どうしてあなたはロミオなの？ О Ромео, Ромео, зачем же ты Ромео? 😀💔 "
) * 2
_LONG = "x" * 3800


@dataclass(frozen=True)
class Part:
    """All lines of one author: ``count`` of them, numbered from 0."""

    author: str
    count: int
    seed: int

    def line(self, number: int) -> str:
        """Return the line with this number. Most lines hold it; some are odd, and a few are long."""
        chance = crc32(f"{self.author}/{number}/{self.seed}".encode())
        kind, chance = chance % 512, chance // 512
        if kind < 32:
            return _ODD[chance % len(_ODD)]
        if kind < 64:
            return f"{_ODD[chance % len(_ODD)]}{self.author} {number}"
        if kind == 64:
            return f"{self.author} {number} {_LONG[: chance % len(_LONG)]}"
        start, length = chance & 0x7F, chance >> 7 & 0x7F
        return f"{self.author} {number} {_PROSE[start : start + length]}"

    def holds(self, number: int, line: str) -> bool:
        """Tell whether ``line`` is the one with this number."""
        return number < self.count and self.line(number) == line

    def block(self, first: int, end: int) -> bytes:
        """Return the lines from ``first`` to before ``end``, as they are given to a program."""
        return "".join(f"{self.line(number)}\n" for number in range(first, end)).encode()


def parts(authors: int, lines: int, seed: int) -> dict[str, Part]:
    """Return what each of so many authors says, ``lines`` in all, by their names."""
    each, more = divmod(lines, authors)
    names = [f"juliet{number}" for number in range(1, authors + 1)]
    return {name: Part(name, each + (at < more), seed) for at, name in enumerate(names)}


def chance(seed: int | str) -> Random:
    """Return chance that is the same for the same seed."""
    return Random(seed)  # noqa: S311 - a test's chance keeps no secret
