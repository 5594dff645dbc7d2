"""Tests of where lines begin and end."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.wire.lines import (
    CRLF,
    LF,
    ends_inside_character,
    exceeds_limit,
    first_overlong,
    normalise_line_ends,
)
from tests.wire.texts import any_bytes, any_texts, quick

NUL = b"\0"

delimiters = st.sampled_from([LF, CRLF, NUL])
scraps = st.lists(st.sampled_from([b"a", b"bcd", b"\r", b"\n", b"\r\n", b"\0"])).map(b"".join)


def naive_first_overlong(block: bytes, limit: int, delimiter: bytes) -> int:
    start = 0
    for line in block.split(delimiter)[:-1]:
        counted = line.removesuffix(b"\r") if delimiter == LF else line
        if len(counted) > limit:
            return start
        start += len(line) + len(delimiter)
    return -1


class FirstOverlongTests:
    """The first line that is too long is found."""

    @pytest.mark.parametrize(
        ("block", "start"),
        [
            (b"", -1),
            (b"\n", -1),
            (b"1234\n", -1),
            (b"12345\n", 0),
            (b"1234\n1234\n", -1),
            (b"1234\n12345\n", 5),
            (b"1234\n12345\n123456\n", 5),
            (b"\n\n\n12345\n\n", 3),
        ],
    )
    def test_limit(self, block: bytes, start: int) -> None:
        """A line may be as long as the limit, and no longer."""
        assert first_overlong(block, 4) == start

    @pytest.mark.parametrize(
        ("block", "start"),
        [(b"1234\r\n", -1), (b"12345\r\n", 0), (b"1234\r\r\n", 0), (b"1234\r\n1234\r\n12345\r\n", 12)],
    )
    def test_crlf(self, block: bytes, start: int) -> None:
        """A line's end does not count, also where it is that of Windows."""
        assert first_overlong(block, 4) == start

    def test_other_delimiter(self) -> None:
        """A CR counts where lines do not end with LF."""
        assert first_overlong(b"123\r\x001234\r\x00", 4, NUL) == 5

    @quick
    @given(scraps, st.integers(0, 9), delimiters)
    def test_naive(self, scraps: bytes, limit: int, delimiter: bytes) -> None:
        """It finds what looking at each line would find."""
        block = scraps + delimiter
        assert first_overlong(block, limit, delimiter) == naive_first_overlong(block, limit, delimiter)


class OutgrownTests:
    """A line that is too long already is known before its end arrives."""

    @pytest.mark.parametrize("rest", [b"", b"1234", b"1234\r", b"123\r\r"])
    def test_hope(self, rest: bytes) -> None:
        """A line is not refused as long as it may still end in time."""
        assert not exceeds_limit(rest, 4)

    @pytest.mark.parametrize("rest", [b"12345", b"1234\r\r", b"1234\ra", b"12345\r"])
    def test_no_hope(self, rest: bytes) -> None:
        """A line is refused as soon as it is too long."""
        assert exceeds_limit(rest, 4)

    @pytest.mark.parametrize(("rest", "past"), [(b"1234\r", False), (b"1234\r\r", True), (b"12345", True)])
    def test_crlf(self, rest: bytes, past: bool) -> None:
        """The first part of a line's end is no part of the line."""
        assert exceeds_limit(rest, 4, CRLF) is past

    def test_other_delimiter(self) -> None:
        """A CR counts where lines do not end with LF."""
        assert exceeds_limit(b"1234\r", 4, NUL)

    @quick
    @given(scraps, st.integers(0, 9), delimiters)
    def test_naive(self, scraps: bytes, limit: int, delimiter: bytes) -> None:
        """A line is past the limit if no end that could follow makes it a line within the limit."""
        rest = scraps.split(delimiter)[-1]
        ends = [end[cut:] for end in (delimiter, LF, CRLF) for cut in range(len(end))]
        wholes = [rest + end for end in ends if (rest + end).endswith(delimiter)]
        within = any(naive_first_overlong(whole, limit, delimiter) < 0 for whole in wholes)
        assert exceeds_limit(rest, limit, delimiter) is not within


class UnixEndsTests:
    """Lines read the same whatever system ends them."""

    @pytest.mark.parametrize(
        ("block", "lines"),
        [
            (b"", b""),
            (b"\r", b""),
            (b"a\nb", b"a\nb"),
            (b"a\r\nb\r", b"a\nb"),
            (b"a\r\n\r\n", b"a\n\n"),
            (b"a\rb\r\r", b"a\rb\r"),
        ],
    )
    def test_ends(self, block: bytes, lines: bytes) -> None:
        """One CR belongs to a line's end, and any other to the line."""
        assert normalise_line_ends(block) == lines

    @quick
    @given(any_bytes())
    def test_naive(self, block: bytes) -> None:
        """Lines together are read as each alone."""
        assert normalise_line_ends(block) == LF.join(line.removesuffix(b"\r") for line in block.split(LF))


class EndsInsideCharacterTests:
    """A character of which a part is missing is recognised."""

    @pytest.mark.parametrize(
        "data", ["é".encode()[:1], "€".encode()[:2], b"hi \xf0", b"hi \xf0\x9f", b"\xf0\x9f\x8c"]
    )
    def test_inside(self, data: bytes) -> None:
        assert ends_inside_character(data)

    @pytest.mark.parametrize(
        "data", [b"", b"a", "é".encode(), "€".encode(), "\U0001f339".encode(), "éa".encode(), b"\x80" * 5]
    )
    def test_whole(self, data: bytes) -> None:
        assert not ends_inside_character(data)

    @pytest.mark.parametrize("char", "\x80\u07ff\u0800\uffff\U00010000\U0010ffff")
    def test_each_length(self, char: str) -> None:
        """The first and the last character of each length are whole with their last byte."""
        data = char.encode()
        assert all(ends_inside_character(data[:end]) for end in range(1, len(data)))
        assert not ends_inside_character(data)

    @quick
    @given(any_texts())
    def test_naive(self, text: str) -> None:
        """Wherever a text is cut, it is what a decoder that waits for the rest finds."""
        data = text.encode()
        for end in range(len(data) + 1):
            decoder = codecs.getincrementaldecoder("utf-8")()
            decoder.decode(data[:end])
            held_back, _ = decoder.getstate()
            assert ends_inside_character(data[:end]) is bool(held_back)
