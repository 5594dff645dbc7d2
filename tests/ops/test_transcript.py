"""Tests of `techboy.ops.transcript`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.background_writer import FULL
from techboy.chat.messages import Message
from techboy.chat.room import PresenceEvents, Room
from techboy.net.rendering import Delivery
from techboy.ops.transcript import BUFFER_LIMIT, Transcript, TranscriptTee, local_iso
from techboy.storage.interface import MessageBatch
from techboy.storage.memory import MemoryLogStore
from tests.chat.fakes import Events, FakeHere
from tests.houses import Verona
from tests.journals import written
from tests.marks import needs_permissions, needs_renaming, needs_time_zones
from tests.ops.test_background_file import FullDisk, HangingDisk, disk

__all__ = ["disk"]


class Paper:
    """A transcript that is written at noon, and what is in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "transcript"
        self.transcript = Transcript(self.path, lambda at: f"T{at:g}", lambda: 12.0)

    @property
    def lines(self) -> list[str]:
        """What is in it, when all is written."""
        assert self.transcript.settle(5)
        return self.path.read_text().splitlines()


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    """Return a new one."""
    made = Paper(tmp_path)
    yield made
    made.transcript.close()


class WordsTests:
    """A conversation without rooms."""

    def test_lines(self, paper: Paper) -> None:
        """Each line has its time, its id and its author, as far as they are known."""
        paper.transcript.write_message(Message("romeo", "one\ntwo", "text", 7, 3.0))
        paper.transcript.write_message(Message("juliet", "three"))
        paper.transcript.write_message(Message("juliet", "bows", "action", 9, 4.0))
        paper.transcript.write_notice("Connection lost.")
        paper.transcript.write_prefixed_lines("** mercutio bows\nguest1: hello")
        assert paper.lines == [
            "T3 7 romeo: one",
            "T3 8 romeo: two",
            "T12 - juliet: three",
            "T4 9 ** juliet bows",
            "T12 - * Connection lost.",
            "T12 - ** mercutio bows",
            "T12 - guest1: hello",
        ]

    @needs_permissions
    def test_private(self, paper: Paper) -> None:
        """Nobody but its owner reads it."""
        assert paper.path.stat().st_mode & 0o777 == 0o600

    @given(author=st.text(), text=st.text(), note=st.text())
    def test_no_forgery(
        self, tmp_path_factory: pytest.TempPathFactory, author: str, text: str, note: str
    ) -> None:
        """Whatever is said or called, there is one line for each that was said, and nothing unsafe in it."""
        paper = Paper(tmp_path_factory.mktemp("paper"))
        paper.transcript.write_message(Message(author, text, "text", 1, 1.0))
        paper.transcript.write_notice(note)
        assert paper.transcript.settle(5)
        paper.transcript.close()
        data = paper.path.read_bytes()
        assert data.count(b"\n") == text.count("\n") + 2
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data)
        *said, noted = data.decode().removesuffix("\n").split("\n")
        for number, line in enumerate(said, 1):
            assert line.startswith(f"T1 {number} ")
        assert noted.startswith("T12 - * ")

    @needs_time_zones
    def test_local_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The time is the local one, and says by how much it differs from others'."""
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        try:
            text = local_iso(1795349686.158)
        finally:
            monkeypatch.undo()
            time.tzset()
        assert text.endswith("+05:30")
        assert datetime.fromisoformat(text) == datetime.fromtimestamp(1795349686, timezone.utc)


class FailureTests:
    """Where it can't be written."""

    def test_no_folder(self, tmp_path: Path) -> None:
        """It is known at once where it can't be opened."""
        with pytest.raises(FileNotFoundError):
            Transcript(tmp_path / "none" / "transcript", str, lambda: 0.0)

    def test_full_disk(self, paper: Paper, disk: FullDisk) -> None:
        """What is missing is counted; the log has one line when it begins and one when it is over."""
        with written() as log:
            paper.transcript.write_message(Message("romeo", "one"))
            assert paper.transcript.settle(5)
            disk.room = len("T12 - romeo: two\nT12 - ro")
            paper.transcript.write_message(Message("romeo", "two\nthree\nfour"))
            assert paper.transcript.settle(5)
            paper.transcript.write_message(Message("romeo", "five"))
            assert paper.transcript.settle(5)
            disk.room = 1000
            paper.transcript.write_message(Message("romeo", "six"))
            paper.transcript.write_message(Message("romeo", "seven"))
            assert paper.transcript.settle(5)
        assert log.texts == [
            "cannot write the transcript, 2 lines so far: No space left on device",
            "writing the transcript works again; 3 lines are missing",
        ]
        assert [line.split(" ")[-1] for line in paper.lines] == ["one", "two", "ro", "six", "seven"]

    @needs_renaming
    def test_reopen(self, paper: Paper) -> None:
        """Where it was moved away it goes on in a new file."""
        paper.transcript.write_message(Message("romeo", "one"))
        moved = paper.path.rename(paper.path.with_suffix(".1"))
        paper.transcript.reopen()
        paper.transcript.write_message(Message("romeo", "two"))
        assert paper.lines == ["T12 - romeo: two"]
        assert moved.read_text() == "T12 - romeo: one\n"

    def test_hanging_disk(self, paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk that does not answer stops nobody; what finds no room is missing, and counted."""
        disk = HangingDisk(monkeypatch)
        line = "x" * (BUFFER_LIMIT // 4)
        paper.transcript.report_by(lambda call: None)
        with written() as log:
            paper.transcript.write_message(Message("romeo", "one"))
            disk.hangs.wait(5)
            for _ in range(6):
                paper.transcript.write_message(Message("romeo", line))
            paper.transcript.finish(time.monotonic())
            assert log.texts == [f"cannot write the transcript, 3 lines so far: {FULL}"]
            disk.answers.set()
        assert [len(text) for text in paper.lines] == [len("T12 - romeo: one"), *[len(line) + 13] * 3]


class HouseTests:
    """A house with rooms."""

    def test_all_rooms(self, paper: Paper) -> None:
        """What is stored in any room is written with its id, in its log's order, and who came and left."""
        verona = Verona()
        verona.broker.subscribe_all(paper.transcript)
        one, two = verona.roster(2)
        one.says(b"/join balcony\n")
        verona.settle()
        one.says(b"a\nb\n")
        two.says(b"c\n/msg guest1 a secret\n")
        verona.turn()
        one.says(b"/me bows\n")
        verona.turn()
        said = [line.split(" ", 1)[1] for line in paper.lines]
        assert [line for line in said if " - " not in line] == [
            "balcony 1 guest1: a",
            "balcony 2 guest1: b",
            "lobby 1 guest2: c",
            "balcony 3 ** guest1 bows",
        ]
        assert [line for line in said if " - " in line] == [
            "lobby - * guest1 joined",
            "lobby - * guest2 joined",
            "lobby - * guest1 left",
            "balcony - * guest1 joined",
        ]

    def test_one_write(self, paper: Paper, disk: FullDisk, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is brought together is written at once; where nothing is new nothing is written."""
        writes: list[bytes] = []

        def write(descriptor: int, data: bytes) -> int:
            writes.append(data)
            return len(data)

        monkeypatch.setattr("os.write", write)
        room = Room("lobby", MemoryLogStore(1000).open("lobby"), Verona().broker)
        news = PresenceEvents()
        news.lines.append("guest1 joined")
        batches = [
            MessageBatch(1, 2, 5.0, 1, "guest1", "text", "a\nb"),
            MessageBatch(3, 3, 5.0, 2, "guest2", "text", "c"),
        ]
        paper.transcript.on_delivery(room, Delivery(news, batches))
        paper.transcript.on_delivery(room, Delivery(PresenceEvents(), []))
        assert paper.transcript.settle(5)
        assert writes == [
            b"T12 lobby - * guest1 joined\nT5 lobby 1 guest1: a\nT5 lobby 2 guest1: b\nT5 lobby 3 guest2: c\n"
        ]


class RecordedTests:
    """A conversation of two."""

    def test_both(self, paper: Paper) -> None:
        """What both say is written, in its order, under the names that they have, as are notices."""
        ui = TranscriptTee(FakeHere([]), paper.transcript, "juliet")
        ui.show_status("Connected to romeo ('127.0.0.1', 4444)")
        ui.show_sent("one\ntwo", "text")
        ui.show_lines("romeo", "three")
        ui.show_message(Message("romeo", "before", "text", 1, 5.0, past=True))
        ui.show_message(Message("romeo", "four", "text", 2, 6.0))
        ui.set_nick("rosaline")
        ui.show_sent("five", "text")
        ui.show_prefixed_lines("romeo", "guest1: six")
        ui.show_rejection("* a line was not taken")
        assert paper.lines == [
            "T12 - * Connected to romeo ('127.0.0.1', 4444)",
            "T12 - juliet: one",
            "T12 - juliet: two",
            "T12 - romeo: three",
            "T6 2 romeo: four",
            "T12 - rosaline: five",
            "T12 - guest1: six",
            "T12 - * a line was not taken",
        ]

    def test_nothing_is_kept_back(self, paper: Paper) -> None:
        """Keyboard and screen are told all that they would be told without it."""
        events: Events = []
        plain = FakeHere(events)
        ui = TranscriptTee(plain, paper.transcript, "juliet")
        ui.show_lines("romeo", "a")
        ui.show_prefixed_lines("romeo", "b")
        ui.show_message(words := Message("romeo", "c"))
        ui.enable_author_names()
        ui.show_rejection("d")
        ui.show_status("e")
        ui.show_prompt()
        ui.hide_prompt()
        ui.pause()
        ui.resume()
        ui.show_sent("f", "text")
        ui.set_pending_lines(3)
        ui.set_nick("rosaline")
        assert events == [
            ("here.show_lines", "romeo", "a"),
            ("here.show_prefixed_lines", "romeo", "b"),
            ("here.show_words", words),
            ("here.enable_author_names",),
            ("here.show_rejection", "d"),
            ("here.show_status", "e"),
            ("here.invite",),
            ("here.hide_prompt",),
            ("here.pause",),
            ("here.resume",),
        ]
        assert (plain.own, plain.waits, plain.name) == (["f"], 3, "rosaline")
