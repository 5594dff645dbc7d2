"""Tests of how option values are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.config.settings import LONGEST_FILE
from techboy.config.values import (
    DAY,
    MAX_DURATION,
    MIN_DURATION,
    Bare,
    describe_duration,
    duration,
    lines_of,
    port_number,
    size,
    whole_number,
)
from tests.marks import needs_named_pipes


class WholeNumberTests:
    """A whole number is read strictly."""

    @pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("65535", 65535), ("007", 7)])
    def test_taken(self, text: str, number: int) -> None:
        assert whole_number(1, 65535)(text) == number

    @pytest.mark.parametrize(
        "text", ["", "0", "65536", "-1", "+1", "1.0", "1e3", " 7", "7 ", "1_000", "0x10", "٣", "²", "many"]
    )
    def test_refused(self, text: str) -> None:
        """What is no whole number of the range is refused, and it is said what is wanted."""
        with pytest.raises(ValueError, match=r"^invalid number .*: expected 1-65535$") as refused:
            whole_number(1, 65535)(text)
        assert repr(text) in str(refused.value)

    @pytest.mark.parametrize("port", ["0", "65535"])
    def test_port(self, port: str) -> None:
        """Any port may be listened on, and 0 for one that is free."""
        assert port_number(port) == int(port)


class DurationTests:
    """A duration has a unit, or is a number of seconds."""

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1", 1.0),
            ("0.25", 0.25),
            ("30s", 30.0),
            ("10m", 600.0),
            ("1.5h", 5400.0),
            ("7d", 7 * DAY),
            ("0.5d", DAY / 2),
            ("007", 7.0),
            ("0.001", 0.001),
            ("36500d", 36500 * DAY),
        ],
    )
    def test_accepted(self, text: str, number: float) -> None:
        assert duration()(text) == number

    @pytest.mark.parametrize(
        "text",
        ["", "-1", "nan", "inf", "1e3", "1 s", "1s ", "10M", "1w", "1h30m", ".5", "5.", "1_000", "²", "soon"],
    )
    def test_invalid(self, text: str) -> None:
        """Anything else is refused, with the text and what is expected."""
        for bare in Bare:
            with pytest.raises(ValueError, match=r"^invalid duration ") as refused:
                duration(bare)(text)
            assert (
                str(refused.value) == f"invalid duration {text!r}: expected for example 30s, 10m, 12h or 7d"
            )

    @pytest.mark.parametrize("text", ["0", "0d", "0.0009", "0.0000009m", "36501d", "9" * 12 + "d"])
    def test_bounds(self, text: str) -> None:
        """A duration that is no time at all, or longer than a century, is refused."""
        with pytest.raises(ValueError, match=r"^invalid duration ") as refused:
            duration()(text)
        assert str(refused.value) == f"invalid duration {text!r}: expected 0.001s to 36500d"

    def test_unit_required(self) -> None:
        """A bare number is refused if it could mean days, and the message shows one that would do."""
        assert duration(Bare.REFUSED)("30d") == 30 * DAY
        with pytest.raises(ValueError, match=r"^invalid duration '30': expected a unit, for example 30d$"):
            duration(Bare.REFUSED)("30")

    @given(st.text(alphabet="0123456789.smhdSMHD -+e_\n", max_size=20) | st.text(max_size=20))
    def test_any_text(self, text: str) -> None:
        """Any text is a duration within the bounds, or is refused with a message that shows it."""
        seconds, refusal = MIN_DURATION, f"invalid duration {text!r}: expected "
        try:
            seconds = duration()(text)
        except ValueError as refused:
            refusal = str(refused)
        assert MIN_DURATION <= seconds <= MAX_DURATION
        assert refusal.startswith(f"invalid duration {text!r}: expected ")

    @given(st.integers(1, int(MAX_DURATION)))
    def test_described(self, seconds: int) -> None:
        """A description is read as the same duration, and has a unit."""
        assert duration(Bare.REFUSED)(describe_duration(seconds)) == seconds

    @pytest.mark.parametrize(
        ("seconds", "text"), [(25, "25s"), (60, "1m"), (600, "10m"), (90, "90s"), (86400, "1d")]
    )
    def test_description(self, seconds: float, text: str) -> None:
        """A description uses the largest unit that has no fraction."""
        assert describe_duration(seconds) == text


class SizeTests:
    """A size is a number of bytes, or of a thousand times as many."""

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1", 1),
            ("500000", 500_000),
            ("512K", 512 * 1024),
            ("16m", 16 * 1024**2),
            ("1G", 1024**3),
            ("9" * 12, 10**12 - 1),
        ],
    )
    def test_taken(self, text: str, number: int) -> None:
        assert size(text) == number

    @pytest.mark.parametrize(
        "text", ["", "0", "0K", "K", "-1", "1.5M", "16 M", "16MB", "1T", "1_000", "²", "9" * 13, "much"]
    )
    def test_refused(self, text: str) -> None:
        """What is no size, or nothing, or more than anybody has, is refused."""
        with pytest.raises(
            ValueError, match=r"^invalid size .*: expected for example 500000, 512K, 16M or 1G$"
        ) as refused:
            size(text)
        assert repr(text) in str(refused.value)


class LinesOfTests:
    """A file's lines can be shown."""

    @pytest.mark.parametrize(
        ("data", "lines"),
        [
            (b"one", ["one"]),
            (b"one\ntwo\n", ["one", "two"]),
            (b"one\r\n\r\ntwo\r\n", ["one", "", "two"]),
            (b"one\n\n", ["one", ""]),
            ("wherefore\tart thou \u2014 \U0001f339".encode(), ["wherefore\tart thou \u2014 \U0001f339"]),
        ],
    )
    def test_lines(self, tmp_path: Path, data: bytes, lines: list[str]) -> None:
        """They are its lines, whatever their ends."""
        path = tmp_path / "motd"
        path.write_bytes(data)
        assert lines_of(str(path)) == lines

    def test_cleaned(self, tmp_path: Path) -> None:
        """What is unsafe for a terminal is not in them."""
        path = tmp_path / "motd"
        path.write_bytes(b"a\x1b[2J\xff\n")
        assert lines_of(str(path)) == ["a\ufffd[2J\ufffd"]

    def test_long(self, tmp_path: Path) -> None:
        """A file that is too long for this is refused, not cut."""
        path = tmp_path / "motd"
        path.write_bytes(b"x" * LONGEST_FILE)
        assert lines_of(str(path)) == ["x" * LONGEST_FILE]
        path.write_bytes(b"x" * LONGEST_FILE + b"y")
        with pytest.raises(ValueError, match=r"motd: the file is longer than 65536 bytes$"):
            lines_of(str(path))

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        """What some editors write before the first line is not shown."""
        path = tmp_path / "motd"
        path.write_bytes(b"\xef\xbb\xbfbe kind\n")
        assert lines_of(str(path)) == ["be kind"]

    @needs_named_pipes
    def test_pipe(self, tmp_path: Path) -> None:
        """A pipe is refused at once: there may never be anything in it."""
        path = tmp_path / "motd"
        os.mkfifo(path)
        with pytest.raises(ValueError, match=r"motd: expected a regular file$"):
            lines_of(str(path))

    def test_refused(self, tmp_path: Path) -> None:
        """A file that can't be read is refused, and it is said why."""
        with pytest.raises(ValueError, match=r"missing: No such file or directory$"):
            lines_of(str(tmp_path / "missing"))
        with pytest.raises(ValueError, match=r": (Is a directory|Permission denied)$"):
            lines_of(str(tmp_path))
