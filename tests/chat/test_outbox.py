"""Tests of `techboy.chat.outbox`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.chat import outbox
from techboy.chat.outbox import Chunk, Outbox


class DictShelf:
    """A shelf that is a list of lines, by number."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}

    def keep(self, first: int, text: str) -> None:
        for number, line in enumerate(text.split("\n"), first):
            assert number not in self.lines
            self.lines[number] = line

    def forget(self, before: int) -> None:
        self.lines = {number: line for number, line in self.lines.items() if number >= before}

    def replace(self, first: int) -> None:
        self.lines = dict(enumerate(self.lines.values(), first))


def holding(*texts: str) -> Outbox:
    """Return an outbox in which ``texts`` wait."""
    box = Outbox()
    for text in texts:
        assert box.add(text)
    return box


class TakingTests:
    """What is sent next."""

    def test_nothing(self) -> None:
        """An empty outbox has nothing to send, and counts no lines."""
        box = Outbox()
        assert (box.take(), box.lines, box.full, box.take_all()) == (None, 0, False, None)

    def test_joined(self) -> None:
        """What was said bit by bit is sent together, up to the size that is asked for."""
        box = holding("ab", "cd", "ef")
        assert box.take(6) == Chunk(1, 3, "ab\ncd")
        assert box.take(6) == Chunk(3, 4, "ef")

    def test_cut(self) -> None:
        """What was said together is cut between lines, and a line that is longer is sent alone."""
        box = holding("ab\ncd\nefghijkl\nm")
        assert [box.take(6), box.take(6), box.take(6), box.take(6)] == [
            Chunk(1, 3, "ab\ncd"), Chunk(3, 4, "efghijkl"), Chunk(4, 5, "m"), None,
        ]  # fmt: skip

    def test_blank(self) -> None:
        """A blank line is a line."""
        box = holding("", "")
        assert box.lines == 2
        assert box.take() == Chunk(1, 3, "\n")

    def test_all(self) -> None:
        """Where nothing is acknowledged all is taken, what was sent before too, and numbers go on."""
        box = holding("a", "b")
        box.take(1)
        assert box.take_all() == "a\nb"
        assert box.lines == 0
        box.add("c")
        assert box.take() == Chunk(3, 4, "c")

    def test_kept(self) -> None:
        """What an earlier run left is sent first, with its numbers."""
        box = Outbox(kept=[(5, "a\nb"), (7, "c")])
        assert box.lines == 3
        box.add("d")
        assert box.take() == Chunk(5, 9, "a\nb\nc\nd")


class StoredTests:
    """What the other end says of what it has."""

    def test_some(self) -> None:
        """Lines stored are forgotten, also some of what was sent together; the others are sent again."""
        box = holding("a\nb\nc")
        box.take()
        box.stored(3)
        assert box.lines == 1
        assert box.take() is None
        box.rewind()
        assert box.take() == Chunk(3, 4, "c")

    def test_delivered(self) -> None:
        """It is counted what was stored, or sent where nothing is acknowledged, whatever its numbers were."""
        box = holding("a\nb\nc", "d")
        box.take()
        assert box.delivered == 0
        box.stored(3)
        box.stored(2)
        assert (box.delivered, box.lines) == (2, 2)
        box.renumber(101)
        assert box.delivered == 2
        box.stored(102)
        assert (box.delivered, box.lines) == (3, 1)
        box.stored(200)
        assert (box.delivered, box.lines) == (4, 0)
        box.add("e\nf")
        box.take_all()
        box.take_all()
        assert (box.delivered, box.lines) == (6, 0)

    def test_less_than_before(self) -> None:
        """An acknowledgement that comes late changes nothing."""
        box = holding("a\nb\nc")
        box.stored(3)
        box.stored(2)
        assert box.lines == 1

    def test_more_than_said(self) -> None:
        """Numbers go on where the other end is, even beyond all that was said here."""
        box = holding("a")
        box.stored(9)
        box.add("b")
        assert box.take() == Chunk(9, 10, "b")

    def test_resume(self) -> None:
        """On a new connection, what is not stored is sent again from the line that is expected."""
        box = holding("a\nb\nc")
        box.take()
        box.resume(2)
        assert box.take() == Chunk(2, 4, "b\nc")

    def test_renumbered(self) -> None:
        """To an end that knows nothing of it, all that waits is sent with its numbers."""
        box = holding("a\nb\nc", "d")
        box.stored(3)
        box.take()
        box.renumber(1)
        box.add("e")
        assert box.take() == Chunk(1, 4, "c\nd\ne")


class FullTests:
    """How much waits."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let little be much."""
        monkeypatch.setattr(outbox, "LIMIT", 10)

    def test_refused(self) -> None:
        """Nothing is added to what is too much already, until some is stored."""
        box = holding("0123456789")
        assert box.full
        assert not box.add("a")
        assert box.lines == 1
        box.stored(2)
        assert box.add("a")

    def test_joined(self) -> None:
        """That lines were sent together does not make them more, or less."""
        box = Outbox()
        for number in range(100):
            box.add("a")
            box.add("b")
            box.take()
            box.stored(2 * number + 3)
        box.add("0123456789")
        assert box.full

    def test_cut(self) -> None:
        """Nor does it that they were sent apart."""
        box = Outbox()
        for number in range(100):
            box.add("a\nb")
            box.take(1)
            box.take(1)
            box.stored(2 * number + 3)
        assert not box.full


STEP = st.one_of(
    st.tuples(st.just("add"), st.lists(st.text("ab", max_size=3), min_size=1, max_size=4).map("\n".join)),
    st.tuples(st.just("take"), st.integers(1, 9)),
    st.tuples(st.just("stored"), st.integers(0, 9)),
    st.tuples(st.just("resume"), st.integers(0, 9)),
)


class AnythingTests:
    """Any order of events."""

    @given(st.lists(STEP))
    def test_any(self, steps: list[tuple[str, str | int]]) -> None:
        """Nothing is lost, doubled or reordered, here or on the shelf."""
        shelf = DictShelf()
        box, said, stored, sent = Outbox(shelf), [""], 1, 1
        for step in steps:
            match step:
                case ("add", str(text)):
                    box.add(text)
                    said += text.split("\n")
                case ("take", int(size)):
                    chunk = box.take(size)
                    if chunk is not None:
                        assert chunk.first == sent
                        assert chunk.text.split("\n") == said[chunk.first : chunk.end]
                        sent = chunk.end
                case ("stored", int(lines)):
                    stored = min(stored + lines, sent)
                    box.stored(stored)
                case ("resume", int(lines)):
                    sent = stored = min(stored + lines, sent)
                    box.resume(stored)
            assert box.lines == len(said) - stored
            assert shelf.lines == {number: said[number] for number in range(stored, len(said))}
        box.rewind()
        assert (box.take_all() or "").split("\n") == (said[stored:] or [""])
        assert shelf.lines == {}
