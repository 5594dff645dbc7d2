"""Tests of what lines from a keyboard, a pipe or a file mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.interface import ACTION
from techboy.terminal.input_parser import Enter, PersonParser, RejectedLine, ScriptParser
from techboy.wire.plain import CLIENT, SERVER, Command, Goodbye, PlainMessage, PlainProtocol
from tests.wire.texts import any_bytes, quick

LIMIT = 20


def refused(number: int) -> RejectedLine:
    return RejectedLine(f"line {number} was not sent: more than {LIMIT} bytes", is_error=True)


class PersonTests:
    """Somebody types."""

    def test_said(self) -> None:
        """What is typed is said."""
        assert PersonParser(LIMIT).parse(b"hello") == [PlainMessage("hello")]

    @pytest.mark.parametrize("block", [b"", b" ", b"\t", b"\r", b"\n\n \n"])
    def test_enter(self, block: bytes) -> None:
        """Blank lines are nothing said."""
        assert PersonParser(LIMIT).parse(block) == [Enter()]

    def test_blank_lines_between(self) -> None:
        """Of what is pasted only the blank lines are left out."""
        assert PersonParser(LIMIT).parse(b"\n  one\n\n \ntwo \n") == [PlainMessage("  one\ntwo ")]

    @pytest.mark.parametrize("line", [b"exit", b"Exit", b"exit\r"])
    def test_exit(self, line: bytes) -> None:
        """Who types `exit` leaves."""
        assert PersonParser(LIMIT).parse(line) == [Goodbye()]

    @pytest.mark.parametrize("line", [b"/me waves", b"/ME   waves "])
    def test_action(self, line: bytes) -> None:
        """What a person does is a message of its own kind."""
        assert PersonParser(LIMIT).parse(b"a\n" + line) == [PlainMessage("a"), PlainMessage("waves", ACTION)]

    def test_no_action(self) -> None:
        """Without a text it is a command, which is answered with its usage; so is another word."""
        assert PersonParser(LIMIT).parse(b"/me \n/mean it") == [Command("me "), Command("mean it")]

    def test_command(self) -> None:
        """A line that begins with a slash is a command, with two it is said."""
        assert PersonParser(LIMIT).parse(b"/nick rosaline\n//nick") == [
            Command("nick rosaline"),
            PlainMessage("/nick"),
        ]

    def test_order(self) -> None:
        """All happens in the order in which it was typed."""
        assert PersonParser(LIMIT).parse(b"a\n/b\n\n/c\nd\nexit\ne") == [
            PlainMessage("a"),
            Command("b"),
            Enter(),
            Command("c"),
            PlainMessage("d"),
            Goodbye(),
        ]

    def test_cleaned(self) -> None:
        """An arrow key in a line moves nobody's cursor."""
        assert PersonParser(LIMIT).parse(b"a\x1b[Db") == [PlainMessage("a\ufffd[Db")]

    def test_overlong(self) -> None:
        """Who types too much is told so; it is no reason for the program to fail."""
        assert PersonParser(LIMIT).overlong_line() == RejectedLine(
            "not sent: more than 20 bytes in a line", is_error=False
        )


class ScriptTests:
    """A pipe or a file is read."""

    @pytest.mark.parametrize("line", ["", " ", "exit", "EXIT", "/quit", "//", "hello", "* note"])
    def test_as_it_stands(self, line: str) -> None:
        """Every line is said, and nothing in it is obeyed."""
        assert ScriptParser(LIMIT, CLIENT.encode).parse(line.encode()) == [PlainMessage(line)]

    def test_together(self) -> None:
        """Lines that are read together are said together, blank ones too."""
        assert ScriptParser(LIMIT, CLIENT.encode).parse(b"one\r\n\r\ntwo\n") == [PlainMessage("one\n\ntwo\n")]

    def test_cleaned(self) -> None:
        """A file is cleaned like anything else."""
        assert ScriptParser(LIMIT, CLIENT.encode).parse(b"a\x1b\xff") == [PlainMessage("a\ufffd\ufffd")]

    def test_longest(self) -> None:
        """A line may be as long as the limit."""
        line = "x" * LIMIT
        assert ScriptParser(LIMIT, CLIENT.encode).parse(f"a\n{line}\nb".encode()) == [
            PlainMessage("a"),
            PlainMessage(line),
            PlainMessage("b"),
        ]

    def test_slash_counts(self) -> None:
        """What the other end receives counts: a caller's slash is doubled."""
        line = "/" + "x" * (LIMIT - 1)
        assert ScriptParser(LIMIT, CLIENT.encode).parse(line.encode()) == [refused(1)]
        assert ScriptParser(LIMIT, SERVER.encode).parse(line.encode()) == [PlainMessage(line)]

    def test_cleaning_counts(self) -> None:
        """What the other end receives counts: cleaning makes three bytes of one."""
        assert ScriptParser(LIMIT, CLIENT.encode).parse(b"one\n" + b"\xff" * 7 + b"\nthree") == [
            PlainMessage("one"),
            refused(2),
            PlainMessage("three"),
        ]

    def test_numbers(self) -> None:
        """A line that is refused is known by its number in the whole file."""
        script = ScriptParser(LIMIT, CLIENT.encode)
        script.parse(b"one\ntwo\n")
        assert script.overlong_line() == refused(4)
        assert script.parse(b"five\n" + b"\xff" * LIMIT) == [PlainMessage("five"), refused(6)]
        assert script.overlong_line() == refused(7)

    @quick
    @given(any_bytes(), st.sampled_from([SERVER, CLIENT]))
    def test_within_limit(self, block: bytes, end: PlainProtocol) -> None:
        """Whatever the file, no line goes out over the limit, and none is left out in silence."""
        events = ScriptParser(LIMIT, end.encode).parse(block)
        said = [
            line for event in events if isinstance(event, PlainMessage) for line in event.text.split("\n")
        ]
        assert all(len(end.encode(line)) <= LIMIT for line in said)
        assert len(said) + sum(isinstance(event, RejectedLine) for event in events) == block.count(b"\n") + 1
