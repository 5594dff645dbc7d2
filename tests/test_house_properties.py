"""Whatever guests send, and however it is cut: what a house full of them promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.net.rendering import Delivery
from techboy.server import broker
from techboy.storage.interface import MessageBatch
from techboy.storage.memory import HISTORY_MEMORY
from tests.houses import Verona, Visitor
from tests.transports import ANY

AUTHORS = 3


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """Let the log be read in small pages, so that a reader is soon many of them behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "PAGE_SIZE", 40)
        yield


@dataclass(frozen=True)
class Sends:
    """The next ``size`` bytes of what the author has to say arrive."""

    author: int
    size: int


@dataclass(frozen=True)
class Takes:
    """The reader's kernel has room for ``size`` bytes more."""

    reader: int
    size: int


@dataclass(frozen=True)
class Turn:
    """A turn of the reactor is over."""


MEMBERS = st.integers(0, AUTHORS - 1)
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=12).filter(
    lambda text: text.lower() != "exit" and not text.startswith("/")
)
STEP = st.one_of(
    st.builds(Sends, MEMBERS, st.integers(1, 40)),
    st.builds(Takes, MEMBERS, st.integers(1, 60)),
    st.just(Turn()),
)


class Recorder:
    """Hears all that is said, at once."""

    def __init__(self, verona: Verona) -> None:
        self.batches: list[MessageBatch] = []
        verona.broker.subscribe(verona.chat.lobby, self)

    def deliver(self, delivery: Delivery) -> None:
        self.batches += delivery.batches

    def on_send_timeout(self) -> None:
        """It takes everything."""

    def on_error(self) -> None:
        raise

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Author and text of each line, in the log's order."""
        return [(batch.author, line) for batch in self.batches for line in batch.text.split("\n")]


class Room:
    """Authors with something to say, all of whom read as fast as the test lets them."""

    def __init__(self, texts: list[list[str]], keep: int = HISTORY_MEMORY) -> None:
        self.verona = Verona(keep=keep)
        self.recorder = Recorder(self.verona)
        self.guests = self.verona.roster(AUTHORS)
        self.unsent = ["".join(f"{line}\n" for line in lines).encode() for lines in texts]
        self.read = [""] * AUTHORS
        for guest in self.guests:
            guest.stops_reading()

    def play(self, steps: list[Sends | Takes | Turn]) -> None:
        """Let happen what ``steps`` say, in their order."""
        for step in steps:
            match step:
                case Sends(author, size):
                    self.send(author, size)
                case Takes(reader, size):
                    self.guests[reader].socket.make_room(size)
                case Turn():
                    self.verona.turn()

    def send(self, author: int, size: int = ANY) -> None:
        data, self.unsent[author] = self.unsent[author][:size], self.unsent[author][size:]
        if data:
            self.guests[author].says(data)

    def finish(self) -> None:
        """Let all be sent, and be read."""
        for author in range(AUTHORS):
            self.send(author)
        self.verona.turn()
        for number, guest in enumerate(self.guests):
            self.read[number] = self.verona.reading_again(guest)

    def others(self, reader: Visitor) -> list[str]:
        """Return what ``reader`` is to hear, if nothing is forgotten."""
        return [f"{author}: {line}" for author, line in self.recorder.lines if author != reader.name]


class OneOrderTests:
    """A conversation of many."""

    @given(
        st.lists(st.lists(TEXT, max_size=8), min_size=AUTHORS, max_size=AUTHORS), st.lists(STEP, max_size=40)
    )
    def test_everything_arrives(self, texts: list[list[str]], steps: list[Sends | Takes | Turn]) -> None:
        """However bytes are cut, everybody gets all others' lines, whole, once, in the log's order."""
        room = Room(texts)
        room.play(steps)
        room.finish()
        for guest, lines in zip(room.guests, texts, strict=True):
            assert [line for author, line in room.recorder.lines if author == guest.name] == lines
        for guest, read in zip(room.guests, room.read, strict=True):
            assert read.split("\n") == [*room.others(guest), ""]

    @given(
        st.lists(st.lists(TEXT, max_size=8), min_size=AUTHORS, max_size=AUTHORS), st.lists(STEP, max_size=40)
    )
    def test_counted(self, texts: list[list[str]], steps: list[Sends | Takes | Turn]) -> None:
        """However they come, lines count once as said and stored, and once for each who is sent them."""
        room = Room(texts)
        room.play(steps)
        room.finish()
        lines, counters = sum(map(len, texts)), room.verona.broker.counters
        assert (counters.lines_received, counters.lines_stored, room.verona.broker.pending_lines) == (
            lines,
            lines,
            0,
        )
        assert counters.lines_sent == sum(read.count("\n") for read in room.read)
        assert room.verona.chat.lagging_members == 0

    @given(
        st.lists(st.lists(TEXT, max_size=8), min_size=AUTHORS, max_size=AUTHORS),
        st.lists(STEP, max_size=40),
        st.integers(1, 3000),
    )
    def test_forgotten(self, texts: list[list[str]], steps: list[Sends | Takes | Turn], keep: int) -> None:
        """Where not all is kept, everybody is told how many lines are gone, and reads on right after them."""
        room = Room(texts, keep)
        room.play(steps)
        room.finish()
        for guest, read in zip(room.guests, room.read, strict=True):
            expected = iter(room.recorder.lines)
            for line in read.split("\n")[:-1]:
                gone = GONE.fullmatch(line)
                if gone:
                    assert len(list(islice(expected, int(gone[1])))) == int(gone[1])
                else:
                    assert line == next(
                        f"{author}: {text}" for author, text in expected if author != guest.name
                    )
            assert all(author == guest.name for author, _ in expected)


UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
GONE = re.compile(r"\* ([0-9]+) lines? (?:is|are) gone")
NOTICE = re.compile(
    r"\* (?:"
    r"NAME(?:, NAME)* (?:joined|left)"
    r"|NAME is now NAME"
    r"|NAME changed the topic: .*"
    r"|NAME says to you: .*"
    r")".replace("NAME", r"[A-Za-z0-9_.-]{1,32}")
)
CONTROLS = [b"\r", b"\x00", b"\x1b[2J", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xc2\x85", b"\xf0\x9f"]
PRETENCE = [
    b"guest1: ",
    b"romeo: ",
    b"* guest1 left",
    b"left",
    b"juliet",
    b"guest1",
    b"//",
    b"exit",
    b"x" * 70,
    b" ",
]
COMMANDS = [b"me", b"nick", b"topic", b"msg guest1", b"join", b"part", b"last 9", b"away", b"kick guest1"]
WORDS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\n", b"\r\n", *CONTROLS, *PRETENCE]),
    st.builds(b"\n/%b %b\n".__mod__, st.tuples(st.sampled_from(COMMANDS), st.sampled_from(PRETENCE))),
)


class ForgeryTests:
    """One guest sends anything; the others read on."""

    @given(st.lists(WORDS, max_size=30), st.integers(1, 50), st.booleans(), st.booleans())
    def test_any_bytes(self, words: list[bytes], size: int, bare: bool, behind: bool) -> None:
        """The others' streams have no control characters, and no line in them is another's than it says."""
        verona = Verona(max_line=64)
        reader, other, noisy = verona.roster(3)
        if behind:
            reader.stops_reading(7)
        recorder, data = Recorder(verona), b"".join(words)
        for at in range(0, len(data), size):
            if noisy.transport.events:
                break
            noisy.says(data[at : at + size])
            verona.turn(0.3 if bare else 0)
        verona.settle()
        names = {batch.author for batch in recorder.batches}
        assert not names & {reader.name, other.name, "romeo"}
        ours = tuple(start for name in names for start in (f"{name}: ", f"** {name} "))
        for read in (verona.reading_again(reader), other.reads()):
            assert not UNSAFE.search(read)
            for line in read.split("\n")[:-1]:
                assert line.startswith(ours) or NOTICE.fullmatch(line)
