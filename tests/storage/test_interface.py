"""Tests of a batch, of which a part may be taken."""

from __future__ import annotations

import pytest

from techboy.storage.interface import MessageBatch
from tests.storage.contract import Line, lines_of


def batch() -> MessageBatch:
    """Return three lines of Juliet's."""
    return MessageBatch(5, 7, 7.0, 1, "juliet", "action", "a\n\nc")


LINES = [
    Line(5, 7.0, 1, "juliet", "action", "a"),
    Line(6, 7.0, 1, "juliet", "action", ""),
    Line(7, 7.0, 1, "juliet", "action", "c"),
]


class BatchTests:
    """A part of a batch is a batch."""

    @pytest.mark.parametrize(("line", "left_out"), [(0, 0), (4, 0), (5, 1), (6, 2)])
    def test_after(self, line: int, left_out: int) -> None:
        """Lines up to an id may be left out; the others keep theirs."""
        assert lines_of([batch().after(line)]) == LINES[left_out:]

    @pytest.mark.parametrize(("line", "kept"), [(5, 1), (6, 2), (7, 3), (99, 3)])
    def test_upto(self, line: int, kept: int) -> None:
        """Lines after an id may be left out; the others keep theirs."""
        assert lines_of([batch().through(line)]) == LINES[:kept]

    def test_both(self) -> None:
        """A line may be taken out of the middle."""
        assert lines_of([batch().after(5).through(6)]) == LINES[1:2]
