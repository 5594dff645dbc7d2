"""Tests of logs in memory."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.logs.contract import Batch, Log
from techboy.logs.memory import KEEP_MEMORY, MemoryLog, MemoryLogs
from tests.logs.contract import EVERYTHING, ForgetfulLogContract, LogContract, draft, lines_of, texts_of
from tests.wire.texts import quick

KEEP = 100_000
PIECE = "x" * 30_000  # three of these are kept, and a fourth is too much


class MemoryLogTests(LogContract):
    """A log in memory is a log."""

    def new_log(self) -> Log:
        """Return a log with as much room as it has usually."""
        return MemoryLogs().open()


class FullMemoryLogTests(ForgetfulLogContract):
    """A log in memory that has forgotten the beginning is a log of the rest."""

    def new_log(self) -> Log:
        """Return a log that keeps a few batches."""
        return MemoryLogs(1500).open()


def kept(logs: Iterable[MemoryLog]) -> list[Batch]:
    """Return all that ``logs`` keep, in the order of time."""
    return sorted((batch for log in logs for batch in log.read(0, EVERYTHING)), key=lambda batch: batch.at)


class MemoryLogsTests:
    """The logs of all rooms take no more memory together than they may."""

    def test_usual_bound(self) -> None:
        """Nothing is forgotten before 16 MiB are full."""
        log = MemoryLogs().open()
        megabyte = [draft("x" * 1_000_000)]
        for _ in range(16):
            log.append(megabyte, 7.0)
        assert (KEEP_MEMORY, log.forgotten) == (16 * 1024 * 1024, 0)
        log.append(megabyte, 7.0)
        assert log.forgotten == 1

    def test_forgotten(self) -> None:
        """What was stored first is forgotten first, with all its lines, and it is known how many."""
        log = MemoryLogs(KEEP).open()
        for text in ("a\nb\n" + PIECE, "c\n" + PIECE, PIECE):
            log.append([draft(text)], 7.0)
        assert log.forgotten == 0
        log.append([draft(PIECE)], 8.0)
        assert (log.forgotten, log.last) == (3, 7)
        log.append([draft(PIECE)], 9.0)
        assert (log.forgotten, log.last) == (5, 8)
        assert [line.id for line in lines_of(log.read(0, EVERYTHING))] == [6, 7, 8]

    def test_read_forgotten(self) -> None:
        """Who is behind reads on from what is kept, and the last lines are those that are."""
        log = MemoryLogs(KEEP).open()
        for text in (PIECE, PIECE, PIECE, f"{PIECE}\nb"):
            log.append([draft(text)], 7.0)
        assert log.forgotten == 1
        for after in (0, 1):
            assert log.read(after, 1)[0].first == 2
        assert [line.id for line in lines_of(log.tail(100))] == [2, 3, 4, 5]
        assert texts_of(log.tail(1)) == ["b"]

    def test_other_room(self) -> None:
        """What is said in one room makes another forget, if it was said there before; ids go on there."""
        logs = MemoryLogs(KEEP)
        quiet, loud = logs.open(), logs.open()
        quiet.append([draft("a\nb")], 1.0)
        for at in (2.0, 3.0, 4.0, 5.0):
            loud.append([draft(PIECE)], at)
        assert (quiet.forgotten, quiet.last) == (2, 2)
        assert (loud.forgotten, loud.last) == (1, 4)
        assert quiet.read(0, EVERYTHING) == quiet.tail(10) == []
        quiet.append([draft("c")], 6.0)
        assert [(line.id, line.text) for line in lines_of(quiet.read(0, EVERYTHING))] == [(3, "c")]

    def test_other_room_keeps(self) -> None:
        """What was said in another room after that is kept."""
        logs = MemoryLogs(KEEP)
        loud, quiet = logs.open(), logs.open()
        loud.append([draft(PIECE)], 1.0)
        quiet.append([draft("a")], 2.0)
        for at in (3.0, 4.0, 5.0):
            loud.append([draft(PIECE)], at)
        assert (loud.forgotten, quiet.forgotten) == (1, 0)

    def test_too_large(self) -> None:
        """What is larger than all that may be kept is kept alone, as long as it is the last."""
        logs = MemoryLogs(KEEP)
        first, second = logs.open(), logs.open()
        first.append([draft("a")], 1.0)
        second.append([draft("x" * 2 * KEEP)], 2.0)
        assert (first.forgotten, second.forgotten) == (1, 0)
        first.append([draft("b")], 3.0)
        assert (second.forgotten, texts_of(kept([first, second]))) == (1, ["b"])

    def test_apart(self) -> None:
        """Logs that were not opened together do not share a bound."""
        one, other = MemoryLogs(KEEP).open(), MemoryLogs(KEEP).open()
        one.append([draft(PIECE)], 1.0)
        for at in range(4):
            other.append([draft(PIECE)], float(at))
        assert one.forgotten == 0

    @pytest.mark.parametrize("text", ["x" * 100, "\U0001f339" * 100, ""])
    def test_bytes(self, text: str) -> None:
        """The bound counts bytes, and what is kept besides the text."""
        log = MemoryLogs(KEEP).open()
        for _ in range(2000):
            log.append([draft(text)], 7.0)
        count = len(log.read(0, EVERYTHING))
        assert count * len(text.encode()) <= KEEP
        assert count <= KEEP // 300

    @quick
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4000)), max_size=40))
    def test_bound(self, said: list[tuple[int, int, int]]) -> None:
        """In whatever rooms it is said: what is kept is the last that was said, and as much as may be."""
        logs = MemoryLogs(10_000)
        rooms = [logs.open() for _ in range(3)]
        sizes: list[int] = []
        for at, (room, breaks, size) in enumerate(said):
            rooms[room].append([draft("\n" * breaks + "x" * size)], float(at))
            sizes.append(breaks + size)
            batches = kept(rooms)
            first = at + 1 - len(batches)
            assert [batch.at for batch in batches] == list(range(first, at + 1))
            assert len(batches) == 1 or sum(sizes[first:]) <= 10_000
            # half a kilobyte a batch is more than is kept besides its text
            assert not first or sum(sizes[first - 1 :]) + 512 * (len(batches) + 1) > 10_000
            for number, log in enumerate(rooms):
                gone = [breaks + 1 for in_room, breaks, _ in said[:first] if in_room == number]
                assert log.forgotten == sum(gone)
