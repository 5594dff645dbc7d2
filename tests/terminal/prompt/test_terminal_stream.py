"""Tests of `techboy.terminal.prompt.terminal_stream`."""

from __future__ import annotations

from techboy.terminal.prompt.terminal_stream import TerminalStream


class Terminal(TerminalStream):
    """A terminal that remembers what was written."""

    written = b""

    def write_bytes(self, data: bytes) -> None:
        self.written += data


class TerminalStreamTests:
    """The methods of a text stream."""

    def test_write(self) -> None:
        """Text is written as UTF-8, half a character as a question mark."""
        terminal = Terminal(7)
        assert (terminal.write("é💌"), terminal.write("a\ud83d")) == (2, 2)
        terminal.flush()
        assert terminal.written == "é💌a?".encode(terminal.encoding)

    def test_terminal(self) -> None:
        """It is the terminal with that descriptor."""
        terminal = Terminal(7)
        assert (terminal.fileno(), terminal.isatty()) == (7, True)
