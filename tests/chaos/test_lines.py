"""What is said in the torture."""

from __future__ import annotations

from techboy.net.plain_receiver import MAX_LINE
from techboy.wire.sanitize import sanitize_bytes
from tests.chaos.lines import Part

SEED = 1597


class LinesTests:
    """What is said."""

    def test_taken_as_they_are(self) -> None:
        """Nothing in them is cleaned, none is too long, and the seed makes a difference."""
        part = Part("juliet", 5000, SEED)
        lines = [part.line(number) for number in range(part.count)]
        block = part.block(0, part.count)
        assert block.decode() == sanitize_bytes(block) == "".join(f"{line}\n" for line in lines)
        assert max(len(line.encode()) for line in lines) <= MAX_LINE
        assert lines != [Part("juliet", 5000, SEED + 1).line(number) for number in range(part.count)]
        assert {"", "exit", "{}", "/shutdown"} < set(lines)
