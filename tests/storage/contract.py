"""Tests of what any logs promise, to be inherited by their own tests.

`LogsContract` is for logs that keep all of a few lines, `ForgetfulLogsContract` also for such as do not.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.interface import (
    CommitGroup,
    Drafts,
    LogStore,
    MessageBatch,
    MessageDraft,
    MessageLog,
    SessionRecord,
)
from tests.wire.texts import quick

EVERYTHING = 10**9
ROOM = "lobby"

_moments = count(100.0)  # times that are later than all before, whichever logs they are for


class Line(NamedTuple):
    """One line, and all that is known of it."""

    id: int
    at: float
    by: int
    author: str
    kind: str
    text: str


def characters(lines: Sequence[Line]) -> int:
    """Return how many characters ``lines`` have, joined by LF."""
    return sum(len(line.text) + 1 for line in lines) - 1


def lines_of(batches: Sequence[MessageBatch]) -> list[Line]:
    """Return the lines of ``batches``, whose ids have to count them."""
    lines: list[Line] = []
    for batch in batches:
        texts = batch.text.split("\n")
        assert batch.last - batch.first + 1 == len(texts)
        for place, text in enumerate(texts):
            lines.append(Line(batch.first + place, batch.at, batch.by, batch.author, batch.kind, text))
    return lines


def texts_of(batches: Sequence[MessageBatch]) -> list[str]:
    """Return the text of each batch."""
    return [batch.text for batch in batches]


def draft(text: str, author: str = "juliet", kind: str = "text", by: int = 1) -> MessageDraft:
    """Return what ``author`` says."""
    return MessageDraft(by, author, kind, text)


def texts() -> st.SearchStrategy[str]:
    """Some lines, blank ones and others, joined by LF."""
    return st.lists(st.text("ab \u00e9\U0001f339", max_size=6), min_size=1, max_size=5).map("\n".join)


def appended() -> st.SearchStrategy[list[list[MessageDraft]]]:
    """What is appended to a log, group by group."""
    drafts = st.builds(
        MessageDraft,
        st.integers(1, 3),
        st.sampled_from(["juliet", "nurse"]),
        st.sampled_from(["text", "action"]),
        texts(),
    )
    return st.lists(st.lists(drafts, max_size=4), max_size=5)


def session(digest: bytes = b"d", number: int = 1, line: int = 1, heard: float = 7.0) -> SessionRecord:
    """Return a session of Juliet's in the lobby."""
    return SessionRecord(number, digest, "juliet", line, ROOM, 0, heard)


def store(
    logs: LogStore, drafts: Drafts, at: float = 7.0, sessions: Sequence[SessionRecord] = ()
) -> CommitGroup:
    """Store a group in ``logs``, in all the steps that it takes."""
    group = logs.group(drafts, sessions, at)
    logs.write(group)
    logs.publish(group)
    return group


def append(
    logs: LogStore, log: MessageLog, drafts: Sequence[MessageDraft], at: float = 7.0
) -> list[MessageBatch]:
    """Store ``drafts`` in one log."""
    [(_, batches)] = store(logs, [(log, drafts)], at).batches
    return batches


def forget(logs: LogStore, lines_before: float | None, sessions_before: float = 0.0) -> dict[str, int]:
    """Forget what is old, in all the steps that it takes."""
    forgotten = logs.prune(lines_before, sessions_before)
    logs.apply_pruning(forgotten)
    return dict(forgotten)


def filled(logs: LogStore, log: MessageLog, groups: list[list[MessageDraft]]) -> list[Line]:
    """Store ``groups`` in ``log`` one after the other, and return the lines that ought to be in it."""
    lines: list[Line] = []
    for drafts in groups:
        at = next(_moments)
        append(logs, log, drafts, at)
        for given_ in drafts:
            for text in given_.text.split("\n"):
                lines.append(Line(len(lines) + 1, at, given_.by, given_.author, given_.kind, text))
    return lines


class ForgetfulLogsContract:
    """Logs keep what was said last, in its order."""

    def new_logs(self) -> LogStore:
        """Return logs that are empty."""
        raise NotImplementedError

    def again(self, logs: LogStore) -> LogStore:
        """Return what ``logs`` are to be read from: they themselves, or what was closed and opened again."""
        return logs

    # a property within a test, as pytest-twisted can't run an inherited property for two classes; each
    # example has a room of its own

    def test_read_as_a_list(self) -> None:
        """Wherever reading begins and however much is asked for: what comes next, one line more at most."""
        logs, rooms = self.new_logs(), map(str, count())

        @quick
        @given(appended(), st.integers(0, 80), st.integers(1, 60))
        def check(groups: list[list[MessageDraft]], after: int, size: int) -> None:
            nonlocal logs
            room = next(rooms)
            lines = filled(logs, logs.open(room), groups)
            logs = self.again(logs)
            log = logs.open(room)
            rest = lines[max(after, log.deleted_through) :]
            read = lines_of(log.read(after, size))
            assert read == rest[: len(read)]
            assert bool(read) == bool(rest)
            assert sum(len(line.text) + 1 for line in read[:-1]) <= size

        check()

    def test_read_on(self) -> None:
        """Who reads on from the last line read gets all that is kept, each line once."""
        logs, rooms = self.new_logs(), map(str, count())

        @quick
        @given(appended(), st.integers(1, 30))
        def check(groups: list[list[MessageDraft]], size: int) -> None:
            nonlocal logs
            room = next(rooms)
            lines = filled(logs, logs.open(room), groups)
            logs = self.again(logs)
            log = logs.open(room)
            read: list[Line] = []
            while batches := log.read(read[-1].id if read else 0, size):
                read += lines_of(batches)
            assert read == lines[log.deleted_through :]
            assert log.last == len(lines)

        check()

    def test_tail_as_a_list(self) -> None:
        """The last lines are those that were stored last."""
        logs, rooms = self.new_logs(), map(str, count())

        @quick
        @given(appended(), st.integers(0, 80))
        def check(groups: list[list[MessageDraft]], lines: int) -> None:
            nonlocal logs
            room = next(rooms)
            stored = filled(logs, logs.open(room), groups)
            logs = self.again(logs)
            log = logs.open(room)
            kept = stored[log.deleted_through :]
            assert lines_of(log.read_last(lines)) == kept[max(len(kept) - lines, 0) :]

        check()


class LogsContract(ForgetfulLogsContract):
    """Logs keep all that was said, where that is not much."""

    @pytest.fixture
    def logs(self) -> LogStore:
        """Give empty logs."""
        return self.new_logs()

    @pytest.fixture
    def log(self, logs: LogStore) -> MessageLog:
        """Give an empty log of theirs."""
        return logs.open(ROOM)

    # one room

    def test_empty(self, log: MessageLog) -> None:
        """At first nothing is in it."""
        assert (log.last, log.deleted_through) == (0, 0)
        assert log.read(0, EVERYTHING) == []
        assert log.read_last(10) == []

    def test_nothing(self, logs: LogStore, log: MessageLog) -> None:
        """Where nothing is stored nothing changes."""
        assert append(logs, log, []) == []
        assert store(logs, []).batches == []
        assert log.last == 0

    def test_append(self, logs: LogStore, log: MessageLog) -> None:
        """What is stored is returned as it is: ids count lines, from 1 on and without holes."""
        batches = append(logs, log, [draft("a\nb"), draft("", "nurse", "action", 2)])
        assert lines_of(batches) == [
            Line(1, 7.0, 1, "juliet", "text", "a"),
            Line(2, 7.0, 1, "juliet", "text", "b"),
            Line(3, 7.0, 2, "nurse", "action", ""),
        ]
        assert len(batches) == 2
        assert self.again(logs).open(ROOM).last == 3

    def test_ids_go_on(self, logs: LogStore, log: MessageLog) -> None:
        """The next one goes on where the last one ended."""
        append(logs, log, [draft("a\n\nb")])
        logs = self.again(logs)
        log = logs.open(ROOM)
        [batch] = append(logs, log, [draft("c\nd")], 8.0)
        assert (batch.first, batch.last, batch.at) == (4, 5, 8.0)
        assert (log.last, log.deleted_through) == (5, 0)

    def test_read_all(self, logs: LogStore, log: MessageLog) -> None:
        """All that was stored can be read, from the beginning, as it was."""
        stored = append(logs, log, [draft("a\nb"), draft("c", "nurse", "action", 2)], 7.5)
        stored += append(logs, log, [draft("\u00e9\t\U0001f339")], 1795349686.158)
        assert lines_of(self.again(logs).open(ROOM).read(0, EVERYTHING)) == lines_of(stored)

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
    def test_read_after(self, logs: LogStore, log: MessageLog, after: int, rest: list[str]) -> None:
        """It can be read from any line on, in the middle of what was stored together too."""
        append(logs, log, [draft("a\nb\nc"), draft("d\ne")])
        batches = self.again(logs).open(ROOM).read(after, EVERYTHING)
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
    def test_read_size(self, logs: LogStore, log: MessageLog, size: int, read: list[str]) -> None:
        """As much is read as is asked for, and the line that is begun to its end."""
        append(logs, log, [draft("aaaa\nbbbb"), draft("cccc\n\ndddd")])
        assert texts_of(self.again(logs).open(ROOM).read(0, size)) == read

    def test_long_line(self, logs: LogStore, log: MessageLog) -> None:
        """One line is read however long it is, so that whoever reads gets on."""
        append(logs, log, [draft("a" * 5000), draft("b")])
        assert texts_of(self.again(logs).open(ROOM).read(0, 1)) == ["a" * 5000]

    def test_blank_lines(self, logs: LogStore, log: MessageLog) -> None:
        """Blank lines are lines."""
        append(logs, log, [draft("\n\n"), draft("")])
        log = self.again(logs).open(ROOM)
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
    def test_tail(self, logs: LogStore, log: MessageLog, lines: int, tail: list[str]) -> None:
        """The last lines are had, in their order, in the middle of what was stored together too."""
        append(logs, log, [draft("a\nb\nc"), draft("d\ne")])
        batches = self.again(logs).open(ROOM).read_last(lines)
        assert texts_of(batches) == tail
        assert [line.id for line in lines_of(batches)] == list(range(max(6 - lines, 1), 6))

    def test_kept_as_it_was(self, logs: LogStore, log: MessageLog) -> None:
        """Reading a part takes nothing away from the rest."""
        append(logs, log, [draft("a\nb\nc")])
        log = self.again(logs).open(ROOM)
        log.read(1, 1)
        log.read_last(1)
        assert texts_of(log.read(0, EVERYTHING)) == ["a\nb\nc"]

    # groups

    def test_group_order(self, logs: LogStore, log: MessageLog) -> None:
        """A log that stands twice in a group goes on with its ids; what is returned is in the order given."""
        other = logs.open("garden")
        drafts = [(log, [draft("a\nb")]), (other, [draft("c")]), (log, [draft("d")]), (other, [])]
        group = store(logs, drafts)
        assert [stored_in for stored_in, _ in group.batches] == [log, other, log, other]
        assert [
            [(batch.first, batch.last, batch.text) for batch in batches] for _, batches in group.batches
        ] == [
            [(1, 2, "a\nb")],
            [(1, 1, "c")],
            [(3, 3, "d")],
            [],
        ]
        logs = self.again(logs)
        assert texts_of(logs.open(ROOM).read(0, EVERYTHING)) == ["a\nb", "d"]
        assert texts_of(logs.open("garden").read(0, EVERYTHING)) == ["c"]

    def test_rooms(self, logs: LogStore) -> None:
        """Each room has lines and ids of its own, and its key is taken as it stands."""
        rooms = ["garden", "Garden", "garden ", "", "caf\u00e9", "cafe\u0301"]
        for at, room in enumerate(rooms):
            append(logs, logs.open(room), [draft(f"{room}\n{room}")], float(at))
        logs = self.again(logs)
        for at, room in enumerate(rooms):
            assert [
                (line.id, line.at, line.text) for line in lines_of(logs.open(room).read(0, EVERYTHING))
            ] == [
                (1, float(at), room),
                (2, float(at), room),
            ]

    def test_unsettled(self, logs: LogStore, log: MessageLog) -> None:
        """What is not settled can't be read, though it may be written."""
        append(logs, log, [draft("a")])
        group = logs.group([(log, [draft("b")])], [], 8.0)
        for step in (logs.write, logs.publish):
            assert (log.last, texts_of(log.read(0, EVERYTHING)), log.read(1, 1)) == (1, ["a"], [])
            assert texts_of(log.read_last(5)) == ["a"]
            step(group)
        assert texts_of(log.read(0, EVERYTHING)) == ["a", "b"]

    def test_unwritten(self, logs: LogStore, log: MessageLog) -> None:
        """A group that was not written leaves no trace: its ids are those of the next."""
        logs.group([(log, [draft("a\nb")])], [session(b"lost")], 7.0)
        [batch] = append(logs, log, [draft("c")])
        assert (batch.first, batch.last) == (1, 1)
        logs = self.again(logs)
        assert texts_of(logs.open(ROOM).read(0, EVERYTHING)) == ["c"]
        assert logs.session(b"lost") is None

    def test_open_again(self, logs: LogStore) -> None:
        """A room that is opened again has its lines, whether somebody holds its log or not."""
        log = logs.open(ROOM)
        append(logs, log, [draft("a")])
        again = logs.open(ROOM)
        append(logs, again, [draft("b")])
        assert texts_of(log.read(0, EVERYTHING)) == texts_of(again.read(0, EVERYTHING)) == ["a", "b"]
        del log, again
        assert texts_of(logs.open(ROOM).read(0, EVERYTHING)) == ["a", "b"]

    # sessions and numbers

    def test_session(self, logs: LogStore, log: MessageLog) -> None:
        """A session is stored with what it said, and found by its digest."""
        stored = SessionRecord(
            3,
            bytes(range(32)),
            "juliet",
            17,
            "garden",
            12,
            1795349686.158,
            "go away",
            "bob",
            frozenset({4, 10}),
        )
        store(logs, [(log, [draft("a")])], 7.0, [stored, session()])
        logs = self.again(logs)
        assert logs.session(bytes(range(32))) == stored
        assert logs.session(b"d") == session()
        assert logs.session(b"") is None

    def test_session_alone(self, logs: LogStore) -> None:
        """A session may be stored where nothing was said."""
        store(logs, [], 7.0, [session()])
        assert self.again(logs).session(b"d") == session()

    def test_session_replaced(self, logs: LogStore) -> None:
        """A session is as it was stored last."""
        store(logs, [], 7.0, [session(line=1), session(line=2)])
        assert logs.session(b"d") == session(line=2)
        store(logs, [], 8.0, [session(line=3, heard=8.0)])
        assert self.again(logs).session(b"d") == session(line=3, heard=8.0)

    def test_topic(self, logs: LogStore, log: MessageLog) -> None:
        """A topic is stored with its room, whether anything was said there or not; the last one counts."""
        garden = logs.open("garden")
        assert (log.topic, garden.topic) == ("", "")
        group = logs.group([(log, [draft("a")])], [], 7.0, [(log, "one"), (garden, "caf\u00e9")])
        logs.write(group)
        assert log.topic == ""
        logs.publish(group)
        assert (log.topic, garden.topic) == ("one", "caf\u00e9")
        group = logs.group([], [], 8.0, [(log, "two")])
        logs.write(group)
        logs.publish(group)
        append(logs, garden, [draft("b")])
        assert log.topic == "two"
        logs = self.again(logs)
        assert [logs.open(room).topic for room in (ROOM, "garden", "quiet")] == ["two", "caf\u00e9", ""]
        assert [logs.open(room).last for room in (ROOM, "garden", "quiet")] == [1, 1, 0]

    def test_topic_of_a_room_left(self, logs: LogStore) -> None:
        """It stays where nobody holds the log of the room."""
        group = logs.group([], [], 7.0, [(logs.open("garden"), "roses")])
        logs.write(group)
        logs.publish(group)
        del group
        gc.collect()
        assert logs.open("garden").topic == "roses"

    def test_in_use(self, logs: LogStore) -> None:
        """A session in use is not forgotten, however old it is, until it is out of use again."""
        store(logs, [], 7.0, [session(b"used", heard=1.0), session(b"left", heard=1.0)])
        assert [logs.hold(digest) for digest in (b"used", b"left", b"used")] == [True, True, True]
        logs.release(b"left")
        logs.release(b"nobody's")
        forget(logs, None, 2.0)
        assert logs.session(b"used") == session(b"used", heard=1.0)
        assert logs.session(b"left") is None
        logs.release(b"used")
        assert logs.session(b"used") is not None
        forget(logs, None, 2.0)
        assert logs.session(b"used") is None

    def test_numbers(self, logs: LogStore, log: MessageLog) -> None:
        """No number is returned twice that stands anywhere, whatever was said in between."""
        numbers = [logs.new_number() for _ in range(3)]
        store(logs, [(log, [draft("a", by=numbers[1])])], 7.0, [session(number=numbers[2])])
        logs = self.again(logs)
        numbers += [logs.new_number() for _ in range(3)]
        assert len(set(numbers)) == 6
        assert min(numbers) > 0

    def test_number_without_words(self, logs: LogStore) -> None:
        """So with one that stands with a session only."""
        number = logs.new_number()
        store(logs, [], 7.0, [session(number=number)])
        assert self.again(logs).new_number() > number

    def test_id(self, logs: LogStore) -> None:
        """The logs have a name, and others have another."""
        assert logs.id
        assert logs.id == logs.id
        assert self.new_logs().id != logs.id

    def test_tail_of_a_size(self) -> None:
        """The last lines of a size are as many whole lines as it has room for, and one at least."""
        logs, rooms = self.new_logs(), map(str, count())

        @quick
        @given(appended(), st.integers(1, 30), st.integers(1, 40))
        def check(groups: list[list[MessageDraft]], wanted: int, size: int) -> None:
            nonlocal logs
            room = next(rooms)
            lines = filled(logs, logs.open(room), groups)
            logs = self.again(logs)
            log = logs.open(room)
            kept = lines[log.deleted_through :][-wanted:]
            tail = lines_of(log.read_last(wanted, size))
            assert tail == kept[len(kept) - len(tail) :]
            assert bool(tail) == bool(kept)
            assert len(tail) <= 1 or characters(tail) <= size
            assert len(tail) == len(kept) or characters(kept[-len(tail) - 1 :]) >= size

        check()

    # when it was stored

    def test_clock_set_back(self, logs: LogStore, log: MessageLog) -> None:
        """Times never decrease, in whichever room: what would be earlier gets the time of the last."""
        append(logs, logs.open("garden"), [draft("a")], 9.0)
        (batch,) = append(logs, log, [draft("b")], 3.0)
        assert batch.at == 9.0
        logs = self.again(logs)
        for given_, expected in ((5.0, 9.0), (8.0, 9.0), (10.0, 10.0), (9.5, 10.0)):
            (batch,) = append(logs, logs.open(ROOM), [draft("c")], given_)
            assert batch.at == expected

    def test_clock_set_back_and_all_dropped(self, logs: LogStore, log: MessageLog) -> None:
        """That holds also for a time of which nothing is kept any more."""
        append(logs, log, [draft("a")], 9.0)
        forget(logs, 10.0)
        logs = self.again(logs)
        (batch,) = append(logs, logs.open(ROOM), [draft("b")], 3.0)
        assert batch.at == 9.0

    # what is old

    def test_prune_lines(self, logs: LogStore, log: MessageLog) -> None:
        """Lines stored before a time are forgotten in all rooms; ids go on."""
        garden, quiet = logs.open("garden"), logs.open("quiet")
        append(logs, log, [draft("a\nb")], 1.0)
        append(logs, garden, [draft("c")], 2.0)
        append(logs, log, [draft("d")], 3.0)
        append(logs, quiet, [draft("e")], 3.0)
        assert forget(logs, 3.0) == {ROOM: 2, "garden": 1}
        for _ in range(2):
            assert (log.last, log.deleted_through) == (3, 2)
            assert texts_of(log.read(0, EVERYTHING)) == texts_of(log.read_last(10)) == ["d"]
            assert (garden.last, garden.deleted_through) == (1, 1)
            assert garden.read(0, EVERYTHING) == garden.read_last(10) == []
            assert texts_of(quiet.read(0, EVERYTHING)) == ["e"]
            logs = self.again(logs)
            log, garden, quiet = logs.open(ROOM), logs.open("garden"), logs.open("quiet")
        [batch] = append(logs, garden, [draft("f")], 4.0)
        assert (batch.first, batch.last) == (2, 2)

    def test_prune_all(self, logs: LogStore) -> None:
        """Where all is old all is forgotten, and ids go on, also where nobody holds the log meanwhile."""
        append(logs, logs.open(ROOM), [draft("a\nb")], 1.0)
        assert forget(logs, 9.0) == {ROOM: 2}
        assert forget(logs, 9.0) == {}
        logs = self.again(logs)
        log = logs.open(ROOM)
        assert (log.last, log.deleted_through, log.read(0, EVERYTHING)) == (2, 2, [])
        [batch] = append(logs, log, [draft("c")], 9.0)
        assert batch.first == 3

    def test_prune_no_lines(self, logs: LogStore, log: MessageLog) -> None:
        """Lines are kept where none are old, or where they are kept for ever."""
        append(logs, log, [draft("a")], 1.0)
        assert forget(logs, 1.0) == forget(logs, None) == {}
        assert texts_of(self.again(logs).open(ROOM).read(0, EVERYTHING)) == ["a"]

    def test_prune_sessions(self, logs: LogStore) -> None:
        """Sessions last heard of before a time are forgotten, and nothing else."""
        store(logs, [], 7.0, [session(b"old", heard=1.0), session(b"new", heard=2.0)])
        forget(logs, None, 2.0)
        logs = self.again(logs)
        assert logs.session(b"old") is None
        assert logs.session(b"new") == session(b"new", heard=2.0)
