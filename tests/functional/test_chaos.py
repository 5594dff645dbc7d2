"""Nothing is lost, doubled or reordered while programs are killed and connections cut."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.chaos.run import Plan, run

SEED = 1597


class ChaosTests:
    """The whole, small."""

    def test_nothing_is_lost(self, tmp_path: Path) -> None:
        """Programs are killed and connections cut in all ways, and everybody is shown everything once."""
        plan = Plan(lines=20_000, juliets=5, cuts=100, kills=10, seed=SEED, deadline=150)
        report = asyncio.run(run(plan, tmp_path))
        print(report)
        assert report.wrong == []
        assert report.kills_of_romeo == 10
        assert report.kills >= 9
        assert report.kept > 0

    def test_a_program_that_ends(self, tmp_path: Path) -> None:
        """It is told when a program does not run."""
        report = asyncio.run(run(Plan(lines=10, juliets=1, twist=["false"]), tmp_path))
        assert "romeo ended with status 1" in report.wrong[0]
