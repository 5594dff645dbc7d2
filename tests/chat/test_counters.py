"""Tests of `techboy.chat.counters`."""

from __future__ import annotations

import re

from techboy.chat.counters import Refusal, Rejected, Tally


class TallyTests:
    """What is counted."""

    def test_nothing_yet(self) -> None:
        """Everything begins at 0, each reason for a refusal too, so that programs see it from the start."""
        tally = Tally()
        assert {getattr(tally, name) for name in Tally.__slots__ if name != "refused"} == {0}
        assert tally.refused == dict.fromkeys(Refusal, 0)

    def test_refused(self) -> None:
        """Refusals are counted by their reason, one or many at a time."""
        tally = Tally()
        tally.refuse(Refusal.LINE)
        tally.refuse(Refusal.LINE, 2)
        tally.refuse(Refusal.FULL)
        assert (tally.refused[Refusal.LINE], tally.refused[Refusal.FULL]) == (3, 1)
        assert sum(tally.refused.values()) == 4

    def test_names(self) -> None:
        """Reasons have names in snake case, which programs can rely on, and say what was not accepted."""
        assert all(re.fullmatch("[a-z]+(_[a-z]+)*", why.value) for why in Refusal)
        assert Refusal("kicked") is Refusal.KICKED
        assert {why.what for why in Refusal} == set(Rejected)
