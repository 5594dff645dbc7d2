"""Tests of what any log promises, to be inherited by a log's own tests.

`LogContract` is for a log that keeps all of a few lines, `ForgetfulLogContract` also for one that does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.logs.contract import Batch, Draft, Log
from tests.wire.texts import quick

EVERYTHING = 10**9


class Line(NamedTuple):
    """One line, and all that is known of it."""

    id: int
    at: float
    by: int
    author: str
    kind: str
    text: str


def lines_of(batches: Sequence[Batch]) -> list[Line]:
    """Return the lines of ``batches``, whose ids have to count them."""
    lines: list[Line] = []
    for batch in batches:
        texts = batch.text.split("\n")
        assert batch.last - batch.first + 1 == len(texts)
        for place, text in enumerate(texts):
            lines.append(Line(batch.first + place, batch.at, batch.by, batch.author, batch.kind, text))
    return lines


def texts_of(batches: Sequence[Batch]) -> list[str]:
    """Return the text of each batch."""
    return [batch.text for batch in batches]


def draft(text: str, author: str = "juliet", kind: str = "say", by: int = 1) -> Draft:
    """Return what ``author`` says."""
    return Draft(by, author, kind, text)


def texts() -> st.SearchStrategy[str]:
    """Some lines, blank ones and others, joined by LF."""
    return st.lists(st.text("ab \u00e9\U0001f339", max_size=6), min_size=1, max_size=5).map("\n".join)


def appended() -> st.SearchStrategy[list[list[Draft]]]:
    """What is appended to a log, group by group."""
    drafts = st.builds(
        Draft,
        st.integers(1, 3),
        st.sampled_from(["juliet", "nurse"]),
        st.sampled_from(["say", "me"]),
        texts(),
    )
    return st.lists(st.lists(drafts, max_size=4), max_size=5)


def filled(log: Log, groups: list[list[Draft]]) -> list[Line]:
    """Append ``groups`` to ``log`` one after the other, and return the lines that ought to be in it."""
    lines: list[Line] = []
    for at, drafts in enumerate(groups):
        log.append(drafts, float(at))
        for given_ in drafts:
            for text in given_.text.split("\n"):
                lines.append(Line(len(lines) + 1, float(at), given_.by, given_.author, given_.kind, text))
    return lines


class ForgetfulLogContract:
    """A log keeps what was said last, in its order."""

    def new_log(self) -> Log:
        """Return an empty log."""
        raise NotImplementedError

    # a property within a test, as pytest-twisted can't run an inherited property for two classes

    def test_read_as_a_list(self) -> None:
        """Wherever reading begins and however much is asked for: what comes next, one line more at most."""

        @quick
        @given(appended(), st.integers(0, 80), st.integers(1, 60))
        def check(groups: list[list[Draft]], after: int, size: int) -> None:
            log = self.new_log()
            lines = filled(log, groups)
            rest = lines[max(after, log.forgotten) :]
            read = lines_of(log.read(after, size))
            assert read == rest[: len(read)]
            assert bool(read) == bool(rest)
            assert sum(len(line.text) + 1 for line in read[:-1]) <= size

        check()

    def test_read_on(self) -> None:
        """Who reads on from the last line read gets all that is kept, each line once."""

        @quick
        @given(appended(), st.integers(1, 30))
        def check(groups: list[list[Draft]], size: int) -> None:
            log = self.new_log()
            lines = filled(log, groups)
            read: list[Line] = []
            while batches := log.read(read[-1].id if read else 0, size):
                read += lines_of(batches)
            assert read == lines[log.forgotten :]
            assert log.last == len(lines)

        check()

    def test_tail_as_a_list(self) -> None:
        """The last lines are those that were stored last."""

        @quick
        @given(appended(), st.integers(0, 80))
        def check(groups: list[list[Draft]], count: int) -> None:
            log = self.new_log()
            lines = filled(log, groups)
            kept = lines[log.forgotten :]
            assert lines_of(log.tail(count)) == kept[max(len(kept) - count, 0) :]

        check()


class LogContract(ForgetfulLogContract):
    """A log keeps all that was said, where that is not much."""

    @pytest.fixture
    def log(self) -> Log:
        """Give an empty log."""
        return self.new_log()

    def test_empty(self, log: Log) -> None:
        """At first nothing is in it."""
        assert (log.last, log.forgotten) == (0, 0)
        assert log.read(0, EVERYTHING) == []
        assert log.tail(10) == []

    def test_nothing(self, log: Log) -> None:
        """Where nothing is stored nothing changes."""
        assert log.append([], 7.0) == []
        assert log.last == 0

    def test_append(self, log: Log) -> None:
        """What is stored is returned as it is: ids count lines, from 1 on and without holes."""
        batches = log.append([draft("a\nb"), draft("", "nurse", "me", 2)], 7.0)
        assert lines_of(batches) == [
            Line(1, 7.0, 1, "juliet", "say", "a"),
            Line(2, 7.0, 1, "juliet", "say", "b"),
            Line(3, 7.0, 2, "nurse", "me", ""),
        ]
        assert len(batches) == 2
        assert log.last == 3

    def test_ids_go_on(self, log: Log) -> None:
        """The next one goes on where the last one ended."""
        log.append([draft("a\n\nb")], 7.0)
        [batch] = log.append([draft("c\nd")], 8.0)
        assert (batch.first, batch.last, batch.at) == (4, 5, 8.0)
        assert (log.last, log.forgotten) == (5, 0)

    def test_read_all(self, log: Log) -> None:
        """All that was stored can be read, from the beginning."""
        stored = [*log.append([draft("a\nb"), draft("c")], 7.0), *log.append([draft("d")], 8.0)]
        assert lines_of(log.read(0, EVERYTHING)) == lines_of(stored)

    @pytest.mark.parametrize(
        ("after", "rest"),
        [
            (0, ["a\nb\nc", "d\ne"]),
            (1, ["b\nc", "d\ne"]),
            (2, ["c", "d\ne"]),
            (3, ["d\ne"]),
            (4, ["e"]),
            (5, []),
            (6, []),
        ],
    )
    def test_read_after(self, log: Log, after: int, rest: list[str]) -> None:
        """It can be read from any line on, in the middle of what was stored together too."""
        log.append([draft("a\nb\nc"), draft("d\ne")], 7.0)
        batches = log.read(after, EVERYTHING)
        assert texts_of(batches) == rest
        assert [line.id for line in lines_of(batches)] == list(range(after + 1, 6))

    @pytest.mark.parametrize(
        ("size", "read"),
        [
            (1, ["aaaa"]),
            (4, ["aaaa"]),
            (6, ["aaaa\nbbbb"]),
            (9, ["aaaa\nbbbb"]),
            (11, ["aaaa\nbbbb", "cccc"]),
            (15, ["aaaa\nbbbb", "cccc\n"]),
            (17, ["aaaa\nbbbb", "cccc\n\ndddd"]),
        ],
    )
    def test_read_size(self, log: Log, size: int, read: list[str]) -> None:
        """As much is read as is asked for, and the line that is begun to its end."""
        log.append([draft("aaaa\nbbbb"), draft("cccc\n\ndddd")], 7.0)
        assert texts_of(log.read(0, size)) == read

    def test_long_line(self, log: Log) -> None:
        """One line is read however long it is, so that whoever reads gets on."""
        log.append([draft("a" * 5000), draft("b")], 7.0)
        assert texts_of(log.read(0, 1)) == ["a" * 5000]

    def test_blank_lines(self, log: Log) -> None:
        """Blank lines are lines."""
        log.append([draft("\n\n"), draft("")], 7.0)
        assert [line.id for line in lines_of(log.read(1, EVERYTHING))] == [2, 3, 4]
        assert texts_of(log.read(1, 1)) == ["\n"]

    @pytest.mark.parametrize(
        ("lines", "tail"),
        [
            (0, []),
            (1, ["e"]),
            (2, ["d\ne"]),
            (3, ["c", "d\ne"]),
            (5, ["a\nb\nc", "d\ne"]),
            (6, ["a\nb\nc", "d\ne"]),
        ],
    )
    def test_tail(self, log: Log, lines: int, tail: list[str]) -> None:
        """The last lines are had, in their order, in the middle of what was stored together too."""
        log.append([draft("a\nb\nc"), draft("d\ne")], 7.0)
        batches = log.tail(lines)
        assert texts_of(batches) == tail
        assert [line.id for line in lines_of(batches)] == list(range(max(6 - lines, 1), 6))

    def test_kept_as_it_was(self, log: Log) -> None:
        """Reading a part takes nothing away from the rest."""
        log.append([draft("a\nb\nc")], 7.0)
        log.read(1, 1)
        log.tail(1)
        assert texts_of(log.read(0, EVERYTHING)) == ["a\nb\nc"]
