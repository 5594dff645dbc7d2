"""Tests of `techboy.terminal.prompt.scrollback`."""

from __future__ import annotations

from typing import Any

from techboy.terminal.prompt.scrollback import UNWRITTEN_LIMIT, ScrollbackPrinter, without_colours


class Screen:
    """Prints what it is told to, and remembers what the conversation is told."""

    def __init__(self) -> None:
        self.printed, self.turns = b"", 0
        self.events: list[Any] = []
        self.above = ScrollbackPrinter(self._soon, self._print)

    def _soon(self) -> None:
        self.turns += 1

    def _print(self, data: bytes) -> None:
        self.printed += data

    def add(self, lines: str, unwritten: int = 0) -> None:
        self.above.add(lines, self, unwritten)

    def output_full(self) -> None:
        self.events.append("full")

    def output_ready(self) -> None:
        self.events.append("ready")

    def output_written(self) -> None:
        self.events.append("shown")


class AboveTests:
    """What is printed above a prompt."""

    def test_gathered(self) -> None:
        """What comes in one turn is printed in one go, with the line ends of a terminal."""
        screen = Screen()
        screen.add("one\n")
        screen.add("two\nthree\n")
        assert (screen.turns, screen.printed) == (1, b"")
        assert screen.above.print()
        assert screen.printed == b"one\r\ntwo\r\nthree\r\n"
        assert not screen.above.print()

    def test_shown(self) -> None:
        """It is told to have been shown when it is written, once."""
        screen = Screen()
        screen.above.written(screen)
        screen.add("one\n")
        screen.above.print()
        assert screen.events == []
        screen.above.written(screen)
        screen.above.written(screen)
        assert screen.events == ["shown"]

    def test_gathered_meanwhile(self) -> None:
        """What came meanwhile is printed first, so that nothing is told to have been shown that was not."""
        screen = Screen()
        screen.add("one\n")
        screen.above.print()
        screen.add("two\n")
        screen.above.written(screen)
        assert (screen.printed, screen.events) == (b"one\r\ntwo\r\n", [])
        screen.above.written(screen)
        assert screen.events == ["shown"]

    def test_full(self) -> None:
        """Beyond 64 KiB that are not written nothing more should come, until all is written."""
        screen = Screen()
        screen.add("é" * (UNWRITTEN_LIMIT // 2 - 1) + "\n", unwritten=1)
        assert screen.events == []
        screen.add("x\n", unwritten=1)
        screen.add("x\n", unwritten=1)
        assert screen.events == ["full"]
        screen.above.print()
        screen.above.written(screen)
        assert screen.events == ["full", "shown", "ready"]
        screen.add("x\n", unwritten=UNWRITTEN_LIMIT)
        assert screen.events[3:] == ["full"]

    def test_forgotten(self) -> None:
        """A terminal that is gone is printed nothing, and nothing is told to have been shown."""
        screen = Screen()
        screen.add("one\n")
        screen.above.discard()
        assert not screen.above.print()
        screen.above.written(screen)
        assert screen.events == []

    def test_last(self) -> None:
        """The last lines that fit can be printed again, as far as they are kept."""
        screen = Screen()
        for number in range(5000):
            screen.add(f"line {number}\n")
            screen.above.print()
        assert screen.above.last_lines(2, 80) == b"line 4998\r\nline 4999\r\n"
        assert screen.above.last_lines(5, 5) == b"line 4998\r\nline 4999\r\n"
        assert screen.above.last_lines(0, 80) == b"line 4999\r\n"
        assert screen.above.last_lines(5000, 80).startswith(b"line ")
        assert 1000 < len(screen.above.last_lines(5000, 80)) < 20 * 1024

    def test_last_rows(self) -> None:
        """A line takes the rows that its text needs: colours need none, some characters two columns."""
        screen = Screen()
        screen.add("first\n\x1b[1;32m0123456789\x1b[0m\n\n\u6211\u5728\u9019\u88e1!\n")
        screen.above.print()
        assert screen.above.last_lines(4, 10).startswith(b"first")
        assert screen.above.last_lines(3, 10).startswith(b"\x1b[1;32m0123456789")
        assert screen.above.last_lines(4, 8).startswith(b"\r\n")

    def test_nothing_last(self) -> None:
        """Where nothing was printed there is nothing to print again."""
        assert Screen().above.last_lines(10, 80) == b""


class ColoursTests:
    """What is printed where no colours can be."""

    def test_without(self) -> None:
        """Nothing but the sequences is left out."""
        assert without_colours("\x1b[2m½ [0m\x1b[0m\n".encode()) == "½ [0m\n".encode()
