"""Tests of `techboy.terminal.prompt.pending`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from techboy.client.outbox import Outbox
from techboy.storage.interface import ACTION, TEXT
from techboy.terminal.prompt.pending import PendingLine, PendingLines


def texts(lines: list[PendingLine]) -> list[str]:
    """Return the texts of ``lines``."""
    return [line.text for line in lines]


class PendingTests:
    """Own lines until they are stored."""

    def test_rows(self) -> None:
        """Five are shown, marked, and of more it is told how many."""
        pending = PendingLines()
        assert pending.rows() == []
        pending.add("1\n2\n3\n4\n5")
        assert pending.rows() == ["… 1", "… 2", "… 3", "… 4", "… 5"]
        pending.add("6")
        assert pending.rows()[4:] == ["… 5", "… 1 more line waits"]
        pending.add("7")
        assert pending.rows()[4:] == ["… 5", "… 2 more lines wait"]

    def test_stored(self) -> None:
        """The oldest are stored first."""
        pending = PendingLines()
        pending.add("1\n2")
        pending.add("3")
        assert pending.take_stored(3) == []
        assert texts(pending.take_stored(1)) == ["1", "2"]
        assert pending.rows() == ["… 3"]
        assert texts(pending.take_stored(0)) == ["3"]

    def test_action(self) -> None:
        """An action waits as it was typed."""
        pending = PendingLines()
        pending.add("hello")
        pending.add("waves", ACTION)
        assert pending.rows() == ["… hello", "… /me waves"]
        assert pending.take_stored(0) == [("hello", TEXT), ("waves", ACTION)]

    def test_others_before(self) -> None:
        """Lines of an earlier run, which wait too, are not taken for those said here."""
        pending = PendingLines()
        assert pending.take_stored(2) == []
        pending.add("mine")
        assert pending.take_stored(3) == []
        assert pending.take_stored(1) == []
        assert texts(pending.take_stored(0)) == ["mine"]

    @given(
        kept=st.integers(0, 3),
        steps=st.lists(st.one_of(st.integers(1, 4).map(lambda n: ("said", n)), st.just(("stored", 1)))),
    )
    def test_exactly_once(self, kept: int, steps: list[tuple[str, int]]) -> None:
        """Whatever is said and stored whenever, each line is printed once, in order, and not too soon."""
        outbox = Outbox(None, [(1 + number, f"kept {number}", TEXT) for number in range(kept)])
        pending, stored = PendingLines(), 0
        printed: list[str] = []
        said: list[str] = []
        printed += texts(pending.take_stored(outbox.lines))
        for step, lines in steps:
            if step == "said":
                new = [f"line {len(said) + number}" for number in range(lines)]
                said += new
                outbox.add("\n".join(new))
                pending.add("\n".join(new))
            elif outbox.lines:
                stored += 1
                outbox.stored(stored + 1)
            printed += texts(pending.take_stored(outbox.lines))
            assert printed == said[: max(stored - kept, 0)]
        assert printed + texts(pending.take_stored(0)) == said
