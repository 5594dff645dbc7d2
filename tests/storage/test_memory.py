"""Tests of logs in memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.interface import LogStore, MessageBatch
from techboy.storage.memory import HISTORY_MEMORY, MAX_SESSIONS, MemoryLog, MemoryLogStore, page_of
from tests.storage.contract import (
    EVERYTHING,
    ROOM,
    ForgetfulLogsContract,
    LogsContract,
    append,
    draft,
    forget,
    lines_of,
    session,
    store,
    texts_of,
)
from tests.wire.texts import quick

KEEP = 100_000
PIECE = "x" * 30_000  # three of these are kept, and a fourth is too much


class MemoryLogsContractTests(LogsContract):
    """Logs in memory are logs."""

    def new_logs(self) -> LogStore:
        """Return logs with as much room as they have usually."""
        return MemoryLogStore()


class FullMemoryLogsContractTests(ForgetfulLogsContract):
    """Logs in memory that have forgotten the beginning are logs of the rest."""

    def new_logs(self) -> LogStore:
        """Return logs that keep a few batches."""
        return MemoryLogStore(1500)


def kept(logs: Iterable[MemoryLog]) -> list[MessageBatch]:
    """Return all that ``logs`` keep, in the order of time."""
    return sorted((batch for log in logs for batch in log.read(0, EVERYTHING)), key=lambda batch: batch.at)


class MemoryLogsTests:
    """The logs of all rooms take no more memory together than they may."""

    def test_usual_bound(self) -> None:
        """Nothing is forgotten before 16 MiB are full."""
        logs = MemoryLogStore()
        log = logs.open(ROOM)
        megabyte = [draft("x" * 1_000_000)]
        for _ in range(16):
            append(logs, log, megabyte, 7.0)
        assert (HISTORY_MEMORY, log.deleted_through) == (16 * 1024 * 1024, 0)
        append(logs, log, megabyte, 7.0)
        assert log.deleted_through == 1

    def test_forgotten(self) -> None:
        """What was stored first is forgotten first, with all its lines, and it is known how many."""
        logs = MemoryLogStore(KEEP)
        log = logs.open(ROOM)
        for text in ("a\nb\n" + PIECE, "c\n" + PIECE, PIECE):
            append(logs, log, [draft(text)], 7.0)
        assert log.deleted_through == 0
        append(logs, log, [draft(PIECE)], 8.0)
        assert (log.deleted_through, log.last) == (3, 7)
        append(logs, log, [draft(PIECE)], 9.0)
        assert (log.deleted_through, log.last) == (5, 8)
        assert [line.id for line in lines_of(log.read(0, EVERYTHING))] == [6, 7, 8]

    def test_read_forgotten(self) -> None:
        """Who is behind reads on from what is kept, and the last lines are those that are."""
        logs = MemoryLogStore(KEEP)
        log = logs.open(ROOM)
        for text in (PIECE, PIECE, PIECE, f"{PIECE}\nb"):
            append(logs, log, [draft(text)], 7.0)
        assert log.deleted_through == 1
        for after in (0, 1):
            assert log.read(after, 1)[0].first == 2
        assert [line.id for line in lines_of(log.read_last(100))] == [2, 3, 4, 5]
        assert texts_of(log.read_last(1)) == ["b"]

    def test_other_room(self) -> None:
        """What is said in one room makes another forget, if it was said there before; ids go on there."""
        logs = MemoryLogStore(KEEP)
        quiet, loud = logs.open("quiet"), logs.open("loud")
        append(logs, quiet, [draft("a\nb")], 1.0)
        for at in (2.0, 3.0, 4.0, 5.0):
            append(logs, loud, [draft(PIECE)], at)
        assert (quiet.deleted_through, quiet.last) == (2, 2)
        assert (loud.deleted_through, loud.last) == (1, 4)
        assert quiet.read(0, EVERYTHING) == quiet.read_last(10) == []
        append(logs, quiet, [draft("c")], 6.0)
        assert [(line.id, line.text) for line in lines_of(quiet.read(0, EVERYTHING))] == [(3, "c")]

    def test_other_room_keeps(self) -> None:
        """What was said in another room after that is kept."""
        logs = MemoryLogStore(KEEP)
        loud, quiet = logs.open("loud"), logs.open("quiet")
        append(logs, loud, [draft(PIECE)], 1.0)
        append(logs, quiet, [draft("a")], 2.0)
        for at in (3.0, 4.0, 5.0):
            append(logs, loud, [draft(PIECE)], at)
        assert (loud.deleted_through, quiet.deleted_through) == (1, 0)

    def test_too_large(self) -> None:
        """What is larger than all that may be kept is kept alone, as long as it is the last."""
        logs = MemoryLogStore(KEEP)
        first, second = logs.open("first"), logs.open("second")
        append(logs, first, [draft("a")], 1.0)
        append(logs, second, [draft("x" * 2 * KEEP)], 2.0)
        assert (first.deleted_through, second.deleted_through) == (1, 0)
        append(logs, first, [draft("b")], 3.0)
        assert (second.deleted_through, texts_of(kept([first, second]))) == (1, ["b"])

    def test_apart(self) -> None:
        """Logs that were not opened together do not share a bound."""
        logs, others = MemoryLogStore(KEEP), MemoryLogStore(KEEP)
        one, other = logs.open(ROOM), others.open(ROOM)
        append(logs, one, [draft(PIECE)], 1.0)
        for at in range(4):
            append(others, other, [draft(PIECE)], float(at))
        assert one.deleted_through == 0

    @pytest.mark.parametrize("text", ["x" * 100, "\U0001f339" * 100, ""])
    def test_bytes(self, text: str) -> None:
        """The bound counts bytes, and what is kept besides the text."""
        logs = MemoryLogStore(KEEP)
        log = logs.open(ROOM)
        for _ in range(2000):
            append(logs, log, [draft(text)], 7.0)
        count = len(log.read(0, EVERYTHING))
        assert count * len(text.encode()) <= KEEP
        assert count <= KEEP // 300

    @quick
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4000)), max_size=40))
    def test_bound(self, said: list[tuple[int, int, int]]) -> None:
        """In whatever rooms it is said: what is kept is the last that was said, and as much as may be."""
        logs = MemoryLogStore(10_000)
        rooms = [logs.open(str(room)) for room in range(3)]
        sizes: list[int] = []
        for at, (room, breaks, size) in enumerate(said):
            append(logs, rooms[room], [draft("\n" * breaks + "x" * size)], float(at))
            sizes.append(breaks + size)
            batches = kept(rooms)
            first = at + 1 - len(batches)
            assert [batch.at for batch in batches] == list(range(first, at + 1))
            assert len(batches) == 1 or sum(sizes[first:]) <= 10_000
            # half a kilobyte a batch is more than is kept besides its text
            assert not first or sum(sizes[first - 1 :]) + 512 * (len(batches) + 1) > 10_000
            for number, log in enumerate(rooms):
                gone = [breaks + 1 for in_room, breaks, _ in said[:first] if in_room == number]
                assert log.deleted_through == sum(gone)


class ForgottenRoomsTests:
    """A room of which nothing is kept any more costs nothing, and its ids do not begin anew."""

    def test_held(self) -> None:
        """A log is the same while somebody holds it, or something is kept of it."""
        logs = MemoryLogStore()
        held = logs.open("empty")
        assert logs.open("empty") is held
        append(logs, logs.open("kept"), [draft("a")])
        assert texts_of(logs.open("kept").read_last(5)) == ["a"]

    def test_last_remembered(self) -> None:
        """Ids go on where a log was forgotten with all that was in it."""
        logs = MemoryLogStore(KEEP)
        append(logs, logs.open("quiet"), [draft("a\nb")])
        for _ in range(4):
            append(logs, logs.open("loud"), [draft(PIECE)])
        quiet = logs.open("quiet")
        assert (quiet.last, quiet.deleted_through, quiet.read_last(5)) == (2, 2, [])
        [batch] = append(logs, quiet, [draft("c")])
        assert (batch.first, logs.open("other").last) == (3, 0)

    def test_many_rooms(self) -> None:
        """Of very many rooms the last ids are not remembered, and yet no id is given twice."""
        logs = MemoryLogStore(1, max_rooms=3)
        append(logs, logs.open("first"), [draft("a\nb\nc\nd")])
        for number in range(3):
            append(logs, logs.open(str(number)), [draft("a\nb")])
        assert logs.open("0").last == 2
        for room in ("first", "new"):
            log = logs.open(room)
            assert (log.last, log.deleted_through, log.read(0, EVERYTHING), log.read_last(5)) == (
                4,
                4,
                [],
                [],
            )
        [batch] = append(logs, logs.open("new"), [draft("b")])
        assert (batch.first, texts_of(logs.open("new").read(0, EVERYTHING))) == (5, ["b"])

    @quick
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=60))
    def test_never_twice(self, said: list[tuple[int, int]]) -> None:
        """However many rooms there are: in none is an id given twice."""
        logs = MemoryLogStore(1, max_rooms=2)
        lasts: dict[int, int] = {}
        for room, breaks in said:
            [batch] = append(logs, logs.open(str(room)), [draft("\n" * breaks)])
            assert batch.first > lasts.get(room, 0)
            lasts[room] = batch.last

    def test_nothing_said(self) -> None:
        """A room in which nothing was said is not remembered at all."""
        logs = MemoryLogStore(max_rooms=1)
        append(logs, logs.open("said"), [draft("a")])
        for room in range(5):
            assert append(logs, logs.open(str(room)), []) == []
        assert logs.open("other").last == 0

    def test_topics(self) -> None:
        """Topics of so many rooms are remembered, those that were changed last."""
        logs = MemoryLogStore(max_rooms=2)
        for room in ("a", "b", "a", "c"):
            logs.publish(logs.group([], [], 7.0, [(logs.open(room), f"of {room}")]))
        assert [logs.open(room).topic for room in "abc"] == ["of a", "", "of c"]


class MemorySessionsTests:
    """So many sessions are kept in memory, those that were stored last."""

    def test_bound(self) -> None:
        """The one that was stored longest ago is forgotten first, wherever it began."""
        logs = MemoryLogStore(max_sessions=2)
        for digest in (b"a", b"b", b"a", b"c"):
            store(logs, [], 7.0, [session(digest)])
        assert [logs.session(digest) for digest in (b"a", b"b", b"c")] == [session(b"a"), None, session(b"c")]

    def test_usual_bound(self) -> None:
        """Ten thousand are kept."""
        logs = MemoryLogStore()
        store(logs, [], 7.0, [session(str(number).encode()) for number in range(10_001)])
        assert (MAX_SESSIONS, logs.session(b"0")) == (10_000, None)
        assert logs.session(b"1")

    def test_in_use(self) -> None:
        """Sessions in use stay however many others come; of those not in use the oldest goes first."""
        logs = MemoryLogStore(max_sessions=3)
        assert logs.hold(b"a")
        store(logs, [], 7.0, [session(bytes([name])) for name in b"abcde"])
        assert [bytes([name]) for name in b"abcde" if logs.session(bytes([name]))] == [b"a", b"d", b"e"]
        assert logs.hold(b"d")
        logs.release(b"a")
        store(logs, [], 7.0, [session(b"f"), session(b"g")])
        assert [bytes([name]) for name in b"abcdefg" if logs.session(bytes([name]))] == [b"d", b"f", b"g"]

    def test_all_in_use(self) -> None:
        """No more of them can be in use than are kept, stored or not yet."""
        logs = MemoryLogStore(max_sessions=2)
        store(logs, [], 7.0, [session(b"old")])
        assert [logs.hold(digest) for digest in (b"a", b"b", b"c", b"a", b"old")] == [
            True, True, False, True, False,
        ]  # fmt: skip
        store(logs, [], 7.0, [session(b"a"), session(b"b")])
        assert [logs.session(digest) is None for digest in (b"old", b"a", b"b")] == [True, False, False]
        logs.release(b"a")
        assert logs.hold(b"c")


class MemoryLogsIdTests:
    """The id is made by chance, or given."""

    def test_id(self) -> None:
        """Sixteen hexadecimal digits, or what was given."""
        assert len(bytes.fromhex(MemoryLogStore().id)) == 8
        assert MemoryLogStore(id="verona").id == "verona"


class MemoryPruneTests:
    """What is forgotten because it is old leaves its memory to others."""

    def test_room_for_others(self) -> None:
        """After that, nothing else is forgotten for a while."""
        logs = MemoryLogStore(KEEP)
        old, new = logs.open("old"), logs.open("new")
        for at in (1.0, 2.0, 3.0):
            append(logs, old, [draft(PIECE)], at)
        assert forget(logs, 3.0) == {"old": 2}
        for at in (4.0, 5.0):
            append(logs, new, [draft(PIECE)], at)
        assert (old.deleted_through, new.deleted_through) == (2, 0)
        append(logs, new, [draft(PIECE)], 6.0)
        assert (old.deleted_through, new.deleted_through) == (3, 0)

    def test_forgotten_meanwhile(self) -> None:
        """What was forgotten for lack of memory meanwhile, or is held by nobody, is no harm."""
        logs = MemoryLogStore(KEEP)
        append(logs, logs.open("old"), [draft("a")], 1.0)
        forgotten = logs.prune(2.0, 0.0)
        for at in (3.0, 4.0, 5.0, 6.0):
            append(logs, logs.open("new"), [draft(PIECE)], at)
        logs.apply_pruning(forgotten)
        assert (logs.open("old").last, logs.open("new").deleted_through) == (1, 1)

    def test_settled_meanwhile(self) -> None:
        """What is stored while old lines are looked for is kept."""
        logs = MemoryLogStore()
        log = logs.open(ROOM)
        append(logs, log, [draft("a")], 1.0)
        forgotten = logs.prune(2.0, 0.0)
        append(logs, log, [draft("b")], 1.5)
        logs.apply_pruning(forgotten)
        assert texts_of(log.read(0, EVERYTHING)) == ["b"]


class PortionTests:
    """No more batches are taken than are needed."""

    @pytest.mark.parametrize(("size", "taken"), [(1, 1), (3, 1), (4, 1), (5, 2), (6, 2), (9, 3)])
    def test_taken(self, size: int, taken: int) -> None:
        """Of any number there may be."""
        numbers = count(1)
        batches = (MessageBatch(line, line, 7.0, 1, "juliet", "text", "xxx") for line in numbers)
        assert len(page_of(batches, 0, size)) == taken
        assert next(numbers) == taken + 1
