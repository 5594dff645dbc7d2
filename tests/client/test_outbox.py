"""Tests of `techboy.chat.outbox`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techboy.client import outbox
from techboy.client.outbox import FIRST, Chunk, Outbox
from techboy.storage.interface import ACTION, TEXT


class DictShelf:
    """A shelf that is a list of lines, by number; ``full``: it can note nothing more."""

    def __init__(self, lines: dict[int, str] | None = None, following: int = 1, tried: int = 1) -> None:
        self.lines = dict(lines or {})
        self.next, self.tried, self.full = following, tried, False

    def save(self, first: int, text: str, kind: str) -> None:
        for number, line in enumerate(text.split("\n"), first):
            assert number not in self.lines
            self.lines[number] = line

    def forget(self, before: int) -> None:
        self.lines = {number: line for number, line in self.lines.items() if number >= before}
        self.next = max(self.next, before)

    def replace(self, first: int) -> None:
        self.lines = dict(enumerate(self.lines.values(), first))
        self.next = self.tried = first

    def sending(self, before: int) -> bool:
        if not self.full:
            self.tried = max(self.tried, before)
        return not self.full

    def copy(self) -> DictShelf:
        """Return a backup."""
        return DictShelf(self.lines, self.next, self.tried)

    def opened(self) -> Outbox:
        """Return the outbox of a program that is started on it."""
        kept = [(number, line, TEXT) for number, line in self.lines.items()]
        return Outbox(self, kept, self.next, self.tried)


def holding(*texts: str) -> Outbox:
    """Return an outbox in which ``texts`` wait."""
    box = Outbox()
    for text in texts:
        assert box.add(text)
    return box


class KindTests:
    """Text and actions, in one order."""

    def test_sent(self) -> None:
        """What is sent together is of one kind, in the order in which it was said."""
        box = Outbox()
        for text, kind in [("a", TEXT), ("b", TEXT), ("waves", ACTION), ("bows\nnods", ACTION), ("c", TEXT)]:
            box.add(text, kind)
        expected = [
            Chunk(1, 3, "a\nb", TEXT), Chunk(3, 6, "waves\nbows\nnods", ACTION), Chunk(6, 7, "c", TEXT),
        ]  # fmt: skip
        assert [box.take(), box.take(), box.take()] == expected
        assert box.take_all() == expected

    def test_again(self) -> None:
        """An action that is cut, or gets another number, stays one."""
        box = Outbox()
        box.add("waves\nbows", ACTION)
        box.take()
        assert box.resume(2)
        assert box.take() == Chunk(2, 3, "bows", ACTION)
        box.renumber(7)
        assert box.take() == Chunk(7, 8, "bows", ACTION)


class TakingTests:
    """What is sent next."""

    def test_nothing(self) -> None:
        """An empty outbox has nothing to send, and counts no lines."""
        box = Outbox()
        assert (box.take(), box.lines, box.full, box.take_all()) == (None, 0, False, [])

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
        assert [chunk.text for chunk in box.take_all()] == ["a\nb"]
        assert box.lines == 0
        box.add("c")
        assert box.take() == Chunk(3, 4, "c")

    def test_kept(self) -> None:
        """What an earlier run left is sent first, with its numbers."""
        box = Outbox(kept=[(5, "a\nb", TEXT), (7, "c", TEXT)])
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

    def test_plain_numbers(self) -> None:
        """Numbers that were not used to send a line are used for the next, so that both ends agree later."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("a\nb")
        assert [chunk.text for chunk in box.take_all()] == ["a\nb"]
        box.add("c")
        assert outbox_store.lines == {1: "c"}
        assert box.resume(1)
        assert box.take() == Chunk(1, 2, "c")


class DisagreementTests:
    """One of both ends was put back to an earlier copy of what it keeps."""

    @pytest.mark.parametrize("restarted", [True, False])
    def test_client_went_back(self, restarted: bool) -> None:
        """Lines that were added after that are sent, though the other end has others of their numbers."""
        outbox_store = DictShelf()
        backup = outbox_store.copy()
        box = outbox_store.opened()
        box.add("1\n2\n3\n4\n5")
        box.take()
        box.stored(6)
        box = backup.opened()
        box.add("a\nb\nc")
        if restarted:
            box = backup.opened()
        assert not box.resume(6)
        assert (box.take(), box.delivered) == (Chunk(6, 9, "a\nb\nc"), 0)
        assert backup.lines == {6: "a", 7: "b", 8: "c"}
        assert backup.tried == 9

    def test_client_went_back_with_lines(self) -> None:
        """Lines of the copy that may have been sent are sent again, too: they may be doubled, never lost."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1\n2")
        box.take()
        box = outbox_store.copy().opened()
        box.add("a")
        assert not box.resume(9)
        assert box.take() == Chunk(9, 12, "1\n2\na")

    def test_other_end_went_back(self) -> None:
        """What the other end has lost and is still here is sent again, as all else."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1\n2\n3")
        box.take()
        box.stored(3)
        assert not box.resume(2)
        assert box.take() == Chunk(2, 3, "3")
        assert outbox_store.lines == {2: "3"}

    def test_agreement(self) -> None:
        """Where both agree nothing is sent twice, after the end of the program neither."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1\n2\n3")
        box.take()
        box = outbox_store.opened()
        box.add("4")
        assert box.resume(4)
        assert box.take() == Chunk(4, 5, "4")

    def test_all_stored(self) -> None:
        """They agree about a client that keeps nothing, as all of it is stored."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1")
        box.take()
        box.stored(2)
        assert outbox_store.opened().resume(2)
        assert not outbox_store.opened().resume(3)

    def test_new_numbers(self) -> None:
        """Under new numbers nothing was sent yet."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1\n2")
        box.take()
        box.renumber(1)
        assert outbox_store.tried == 1
        assert not outbox_store.opened().resume(2)

    def test_not_noted(self) -> None:
        """Where it can't be noted what is sent, nothing is."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1")
        outbox_store.full = True
        assert box.take() is None
        assert box.lines == 1
        outbox_store.full = False
        assert box.take() == Chunk(1, 2, "1")

    def test_noted_once(self) -> None:
        """What waits is noted in one step, before the first of it is sent."""
        outbox_store = DictShelf()
        box = outbox_store.opened()
        box.add("1\n2\n3")
        assert box.take(1) == Chunk(1, 2, "1")
        outbox_store.full = True
        assert [box.take(1), box.take(1)] == [Chunk(2, 3, "2"), Chunk(3, 4, "3")]


def taken(box: Outbox) -> int:
    """Take all that may be sent, and return how many lines that is."""
    lines = 0
    while (chunk := box.take()) is not None:
        lines += chunk.end - chunk.first
    return lines


class PaceTests:
    """How much is on its way."""

    def test_few_at_first(self) -> None:
        """Few lines are sent before the first is stored, then ever more."""
        box = holding("\n".join("x" * 1000), "last")
        assert (taken(box), box.on_the_way, box.unsent) == (FIRST, FIRST, 1001 - FIRST)
        sent = FIRST
        while sent < 1001:
            box.stored(sent + 1)
            more = taken(box)
            assert more == min(sent + FIRST, 1001 - sent)
            sent += more
        assert box.unsent == 0

    def test_throttled(self) -> None:
        """To an end that throttles, no more is on its way than it takes in a second."""
        box = holding("\n".join("x" * 1000))
        box.take()
        box.stored(FIRST + 1)
        assert box.rate is None
        box.throttled(7)
        assert box.rate == 7
        assert box.take() == Chunk(11, 18, "\n".join("x" * 7))
        assert box.take() is None
        box.stored(14)
        assert box.take() == Chunk(18, 21, "x\nx\nx")

    def test_throttled_to_nothing(self) -> None:
        """A rate that makes no sense stops nothing for good."""
        box = holding("a\nb")
        box.throttled(0)
        assert taken(box) == 1

    def test_connected(self) -> None:
        """In a new connection that is found out anew; what was sent again is on its way again."""
        box = holding("\n".join("x" * 100))
        taken(box)
        box.throttled(3)
        box.connected()
        assert box.resume(1)
        assert (box.rate, box.on_the_way, box.unsent) == (None, 0, 100)
        assert taken(box) == FIRST

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("add"), st.integers(1, 50)),
                st.tuples(st.just("stored"), st.integers(0, 30)),
                st.tuples(st.just("throttled"), st.integers(0, 30)),
            ),
            max_size=30,
        )
    )
    def test_any(self, steps: list[tuple[str, int]]) -> None:
        """No more is on its way than that, and all of it is counted; nothing stands still for good."""
        box, added, stored, sent = Outbox(), 0, 0, 0
        for step, number in [*steps, ("stored", 10_000)]:
            match step:
                case "add":
                    box.add("\n".join("x" * number))
                    added += number
                case "stored":
                    stored = min(stored + number, sent)
                    box.stored(stored + 1)
                case "throttled":
                    box.throttled(number)
            before = box.on_the_way
            assert before == sent - stored
            sent += taken(box)
            if sent != stored + before:
                assert box.on_the_way <= (2 * stored + FIRST if box.rate is None else box.rate)
            assert (box.unsent, box.on_the_way) == (added - sent, sent - stored)
        assert box.on_the_way > 0 or sent == added


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
        outbox_store = DictShelf()
        box, said, stored, sent = Outbox(outbox_store), [""], 1, 1
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
            assert outbox_store.lines == {number: said[number] for number in range(stored, len(said))}
            assert sent <= outbox_store.tried <= len(said)
        box.rewind()
        assert "\n".join(chunk.text for chunk in box.take_all()).split("\n") == (said[stored:] or [""])
        assert outbox_store.lines == {}


class Ends:
    """Both ends of a session, each of which may be started anew, or put back to its last backup.

    Every line is another. ``ever``: the lines that were ever stored. ``went_back``: whether an end was put
    back. The other end stores what is sent in the order of its numbers, as it promises: [P6] and [P7].
    """

    def __init__(self) -> None:
        self.outbox_store, self.stored, self.ever = DictShelf(), [""], {""}
        self.backups: tuple[DictShelf, list[str]] = self.outbox_store.copy(), [""]
        self.here = self.outbox_store.opened()
        self.lines, self.went_back, self.connected = 0, False, False
        self.kept: set[str] = set()  # lines that this end has taken, and did not lose by being put back

    def add(self, lines: int) -> None:
        texts = [str(self.lines + number) for number in range(1, lines + 1)]
        self.lines += lines
        self.kept.update(texts)
        self.here.add("\n".join(texts))

    def connect(self, _: int = 0) -> None:
        agreed = self.here.resume(len(self.stored))
        assert agreed or self.went_back
        self.connected = True

    def send(self, size: int) -> None:
        if not self.connected:
            self.connect()
        chunk = self.here.take(size)
        if chunk is not None:
            assert chunk.first <= len(self.stored)
            texts = chunk.text.split("\n")[len(self.stored) - chunk.first :]
            self.stored += texts
            self.ever.update(texts)

    def lose(self, size: int) -> None:
        """Send something that does not arrive, as the connection breaks."""
        if not self.connected:
            self.connect()
        self.here.take(size)
        self.connected = False

    def acknowledge(self, _: int) -> None:
        if self.connected:
            self.here.stored(len(self.stored))

    def restart(self, _: int) -> None:
        self.here, self.connected = self.outbox_store.opened(), False

    def back_up_here(self, _: int) -> None:
        self.backups = self.outbox_store.copy(), self.backups[1]

    def back_up_there(self, _: int) -> None:
        self.backups = self.backups[0], self.stored.copy()

    def put_back_here(self, _: int) -> None:
        self.outbox_store, self.went_back = self.backups[0].copy(), True
        self.restart(0)
        self.kept = set(self.outbox_store.lines.values())

    def put_back_there(self, _: int) -> None:
        self.stored, self.went_back, self.connected = self.backups[1].copy(), True, False

    def check(self) -> None:
        """See that nothing left the outbox that was never stored."""
        assert self.kept - set(self.outbox_store.lines.values()) <= self.ever

    def exchange(self, _: int) -> None:
        """Send all that waits, and hear that it is stored."""
        while self.here.lines:
            self.send(9)
            self.acknowledge(0)

    def settle(self) -> None:
        """Let all that waits be stored."""
        self.connect()
        waiting = list(self.outbox_store.lines.values())
        self.exchange(0)
        assert self.stored[len(self.stored) - len(waiting) :] == waiting
        if not self.went_back:
            assert self.stored == ["", *map(str, range(1, self.lines + 1))]


STEPS = [
    Ends.add, Ends.add, Ends.connect, Ends.send, Ends.lose, Ends.acknowledge, Ends.exchange, Ends.exchange,
    Ends.restart, Ends.back_up_here, Ends.back_up_there, Ends.put_back_here, Ends.put_back_there,
]  # fmt: skip


class PutBackTests:
    """Whatever is put back, and when."""

    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 4)), min_size=10, max_size=40))
    def test_any(self, steps: list[tuple[Callable[[Ends, int], None], int]]) -> None:
        """No line leaves the outbox that was never stored; where nothing is put back, each is stored once."""
        ends = Ends()
        for step, size in steps:
            step(ends, size)
            ends.check()
        ends.settle()
        ends.check()
