"""Tests of `techboy.net.connection_log`."""

from __future__ import annotations

import ast
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import Logger

from techboy.chat.commands import FAREWELL
from techboy.net.connection_log import (
    EVENT_LIMIT,
    TEXT_LIMIT,
    CloseReason,
    ConnectionLog,
    ConnectionLogEntry,
    MissingEntries,
    OutageLogger,
    escaped,
    null_log_entry,
    short_ids,
)
from tests.journals import written

# surrogates too, as an escape in JSON may bring them
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=2 * TEXT_LIMIT)


class EscapedTests:
    """`escaped`."""

    @given(ANY_TEXT)
    def test_one_printable_line(self, text: str) -> None:
        """Whatever it is, it is one line of printable ASCII, of bounded length."""
        line = escaped(text)
        assert line.isascii()
        assert line.isprintable()
        assert len(line) <= 10 * TEXT_LIMIT + len("...")

    @given(ANY_TEXT)
    def test_nothing_is_taken_for_something_else(self, text: str) -> None:
        """What was there can be read back, as far as it is written."""
        line = escaped(text).removesuffix("..." if len(text) > TEXT_LIMIT else "")
        quoted = line.replace("'", "\\'")
        assert ast.literal_eval(f"'{quoted}'") == text[:TEXT_LIMIT]

    def test_examples(self) -> None:
        """Plain words stay as they are."""
        assert escaped("('127.0.0.1', 33770)") == "('127.0.0.1', 33770)"
        assert escaped("a\x1b[31m\nb\u202e\\é💌") == r"a\x1b[31m\nb\u202e\\\xe9\U0001f48c"
        assert escaped("x" * (TEXT_LIMIT + 1)) == "x" * TEXT_LIMIT + "..."


class ShortIdsTests:
    """`short_ids`."""

    def test_count(self) -> None:
        """They are short, and none comes twice."""
        ids = list(islice(short_ids(), 2000))
        assert ids[:3] == ["1", "2", "3"]
        assert (ids[8], ids[9], ids[34], ids[35], ids[36]) == ("9", "a", "z", "10", "11")
        assert len(set(ids)) == len(ids)
        assert max(map(len, ids)) == 3


class Watched:
    """A journal, on a clock of the test's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connection_log = ConnectionLog(self.clock.seconds)

    def came(self) -> ConnectionLogEntry:
        """Return the record of a new connection."""
        return self.connection_log.opened("127.0.0.1:33770")


class RecordTests:
    """What is written about one connection."""

    def test_visit(self) -> None:
        """A whole visit is two lines, which tell who, how, where, how long and why it ended."""
        watched = Watched()
        with written() as log:
            record = watched.came()
            record.protocol_detected("plain")
            record.joined("guest1", "lobby")
            record.lines += 3
            watched.clock.advance(2.25)
            record.closing(CloseReason.PEER_CLOSED)
            record.closed(clean=True)
        assert log.texts == [
            "connection 1 with 127.0.0.1:33770: guest1 joined lobby (plain)",
            "connection 1 of guest1 closed after 2.2 s, 3 lines received: peer_closed",
        ]
        fields = {
            name: log.last[name]
            for name in (
                "connection_id",
                "address",
                "name",
                "close_reason",
                "duration_seconds",
                "lines_received",
            )
        }
        assert fields == {
            "connection_id": "1",
            "address": "127.0.0.1:33770",
            "name": "guest1",
            "close_reason": "peer_closed",
            "duration_seconds": 2.2,
            "lines_received": 3,
        }

    def test_debugging(self) -> None:
        """Who wants to know more is told when it came and which dialect is spoken."""
        with written() as log:
            Watched().came().protocol_detected("native")
        assert [event["event"] for event in log.events] == ["connection_opened", "protocol_detected"]
        assert log.texts == []

    def test_ids(self) -> None:
        """Each connection has an id of its own, from the source that was given."""
        connection_log = ConnectionLog(lambda: 0.0, iter(["red", "blue"]))
        assert [connection_log.opened("").connection, connection_log.opened("").connection] == ["red", "blue"]
        assert Watched().came().connection == "1"

    def test_back(self) -> None:
        """Who comes back is told from who comes for the first time; two have no rooms."""
        with written() as log:
            record = Watched().came()
            record.protocol_detected("native")
            record.joined("juliet", None, resumed=True)
        assert log.texts == ["connection 1 with 127.0.0.1:33770: juliet resumed (native)"]
        assert (log.last["event"], log.last["room"]) == ("resumed", None)

    def test_turned_away(self) -> None:
        """Who is turned away is one line, which says why."""
        with written() as log:
            record = Watched().came()
            record.rejected("romeo is busy")
            record.closed(clean=True)
        assert log.texts == ["connection 1 with 127.0.0.1:33770 was rejected: romeo is busy"]

    @pytest.mark.parametrize(("clean", "end"), [(True, "peer_closed"), (False, "connection_lost")])
    def test_nobody(self, clean: bool, end: str) -> None:
        """Who goes before coming in is one line, however often the end is told."""
        with written() as log:
            record = Watched().came()
            record.closed(clean=clean)
            record.closed(clean=clean)
        assert log.texts == [f"connection 1 closed after 0.0 s, 0 lines received: {end}"]

    def test_first_reason(self) -> None:
        """The first reason for the end is the true one."""
        with written() as log:
            record = Watched().came()
            record.closing(CloseReason.SEND_TIMEOUT)
            record.closes("romeo is leaving")
            record.closed(clean=False)
        assert (log.last["close_reason"], log.last["reason"]) == ("send_timeout", "")

    @pytest.mark.parametrize(
        ("why", "close_reason", "reason"),
        [
            (FAREWELL, "peer_closed", ""),
            ("", "closed", ""),
            ("you were kicked by romeo", "closed", "you were kicked by romeo"),
        ],
    )
    def test_closes(self, why: str, close_reason: str, reason: str) -> None:
        """What is said at the end tells who wanted it; the answer to a goodbye is none of its own."""
        with written() as log:
            record = Watched().came()
            record.closes(why)
            record.closed(clean=True)
        assert (log.last["close_reason"], log.last["reason"]) == (close_reason, reason)

    def test_renamed(self) -> None:
        """A new name is written once, and is the one that is written at the end."""
        with written() as log:
            record = Watched().came()
            record.joined("guest1", "lobby")
            for name in ("guest1", "rosaline", "rosaline"):
                record.nick_changed(name)
            record.closed(clean=True)
        assert log.texts[1] == "connection 1: guest1 is now rosaline"
        assert log.texts[2].startswith("connection 1 of rosaline closed")

    def test_unreadable(self) -> None:
        """That the log can't be read is an error, and ends the connection."""
        with written() as log:
            record = Watched().came()
            record.storage_read_failed("the disk is gone")
            record.closed(clean=False)
        error, end = log.events[-2:]
        assert (error["log_level"].name, error["reason"]) == ("error", "the disk is gone")
        assert (end["close_reason"], end["reason"]) == ("closed", "the disk is gone")

    def test_failed(self) -> None:
        """An error that nobody foresaw is written with what led to it, and ends the connection."""
        with written() as log:
            record = Watched().came()
            try:
                raise RuntimeError("odd")
            except RuntimeError:
                record.failed()
            record.closed(clean=False)
        error, end = log.events[-2:]
        assert (error["event"], error["connection_id"]) == ("internal_error", "1")
        assert error["log_failure"].check(RuntimeError)
        assert (end["close_reason"], end["reason"]) == ("closed", "an internal error")

    def test_flood(self) -> None:
        """Who does odd things all the time fills no log; at the end it is known how many they were."""
        with written() as log:
            record = Watched().came()
            for number in range(1000):
                record.invalid_frame("this is not JSON")
                record.line_too_long(4096)
                record.nick_changed(f"guest{number}")
            record.closed(clean=True)
        assert len(log.texts) == EVENT_LIMIT + 1
        assert log.texts[EVENT_LIMIT - 1].endswith("; further events of this kind are suppressed")
        assert log.last["suppressed"] == 3000 - EVENT_LIMIT

    @given(ANY_TEXT)
    def test_hostile(self, text: str) -> None:
        """Whatever the other end sends as address, name or reason, each event stays one printable line."""
        with written() as log:
            record = ConnectionLog(lambda: 0.0).opened(text)
            record.joined(text, text)
            record.nick_changed(text + "!")
            record.invalid_frame(text)
            record.rejected(text)
            record.closing(CloseReason.CLOSED, text)
            record.storage_read_failed(text)
            record.closed(clean=True)
        for line in log.texts:
            assert line.isascii()
            assert line.isprintable()

    def test_unrecorded(self) -> None:
        """Where nobody asked for a record nothing is written."""
        with written() as log:
            record = null_log_entry(lambda: 0.0)
            record.joined("juliet", None)
            record.closed(clean=True)
        assert log.events == []


class TroubleTests:
    """`OutageLogger`."""

    def test_told_once(self) -> None:
        """It is told when it begins and when it is over, with all that is missing, and not in between."""
        with written() as log:
            trouble = OutageLogger(Logger("techboy.x"), "failing: {lines}: {reason}", "over: {lines}")
            trouble.worked()
            trouble.failed("the disk is\nfull", 2)
            trouble.failed("the disk is full", 3)
            trouble.worked()
            trouble.worked()
            trouble.failed("again", 1)
        assert log.texts == ["failing: 2: the disk is\\nfull", "over: 5", "failing: 1: again"]
        assert [event["log_level"].name for event in log.events] == ["error", "warn", "error"]


class MissingEntriesTests:
    """`MissingEntries`."""

    def test_told_afterwards(self) -> None:
        """While a log takes nothing, nothing is written to it; then it has how much is missing, once."""
        with written() as log:
            missing = MissingEntries(Logger("techboy.x"), "log file")
            missing.failed("no space", 2)
            missing.failed("no space", 3)
            assert log.texts == []
            missing.worked()
            missing.failed("no space", 1)
            missing.worked()
        assert log.texts == [f"log file: {count} entries were dropped" for count in (5, 1)]
        assert log.last["event"] == "log_entries_dropped"
        assert log.last["log_level"].name == "warn"
