"""Tests of `techboy.chat.counters`."""

from __future__ import annotations

import re

from techboy.chat.counters import Counters, Rejected, RejectReason


class TallyTests:
    """What is counted."""

    def test_nothing_yet(self) -> None:
        """Everything begins at 0, each reason for a refusal too, so that programs see it from the start."""
        counters = Counters()
        assert {getattr(counters, name) for name in Counters.__slots__ if name != "rejected"} == {0}
        assert counters.rejected == dict.fromkeys(RejectReason, 0)

    def test_refused(self) -> None:
        """Refusals are counted by their reason, one or many at a time."""
        counters = Counters()
        counters.reject(RejectReason.LINE)
        counters.reject(RejectReason.LINE, 2)
        counters.reject(RejectReason.FULL)
        assert (counters.rejected[RejectReason.LINE], counters.rejected[RejectReason.FULL]) == (3, 1)
        assert sum(counters.rejected.values()) == 4

    def test_names(self) -> None:
        """Reasons have names in snake case, which programs can rely on, and say what was not accepted."""
        assert all(re.fullmatch("[a-z]+(_[a-z]+)*", why.value) for why in RejectReason)
        assert RejectReason.KICKED.value == "kicked"
        assert {why.what for why in RejectReason} == set(Rejected)
