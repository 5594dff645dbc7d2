"""Tests of the simulation itself, and runs that failed once."""

from __future__ import annotations

import re

import pytest

from tests.simulation.__main__ import main, run
from tests.simulation.play import finish, step
from tests.simulation.world import opened

STEPS = 600

FAILED_ONCE = [
    (1, 60),  # a client's connection broke before the protocol was known
    (5, 59),  # a welcome that came after the greeting in plain text
    (31, 32),  # the same in a conversation of two
    (414652078, 741),  # "missed" after lines that are not sent to the member: its own, or of one it ignores
    (141778505, 476),  # an action of somebody who ends no lines
    (1210652532, 1147),  # lines that came again in a new session, as theirs was unused and made room
    (1535691878, 909),  # the same at the host's own door
    (621937049, 996),  # what an earlier session was shown, shown to a new one
]


def digest(seed: int) -> int:
    """Return what happened in a run, as a number."""
    with opened(seed) as world:
        for _ in range(STEPS):
            step(world)
        finish(world)
        return world.digest


class RunTests:
    """Whole runs."""

    @pytest.mark.parametrize("seed", [3, 7])
    def test_same_again(self, seed: int) -> None:
        """A seed replays a run exactly."""
        assert digest(seed) == digest(seed)

    def test_other(self) -> None:
        """Another seed is another run."""
        assert digest(3) != digest(7)

    @pytest.mark.parametrize(("seed", "steps"), FAILED_ONCE)
    def test_failed_once(self, seed: int, steps: int) -> None:
        """What was found and fixed stays fixed."""
        assert run(seed, steps) is None

    @pytest.mark.parametrize("seed", range(100, 120))
    def test_any(self, seed: int) -> None:
        """All promises hold, whatever happens."""
        failed = run(seed, STEPS)
        assert failed is None, failed.why


class CommandTests:
    """The command line."""

    def test_one_seed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A seed is replayed once, and what came of it is said."""
        assert main(["--seed", "3", "--steps", "50"]) == 0
        assert re.fullmatch(r"seeds 3 to 3: 1 runs, 50 steps in \d+ s, no failure\n", capsys.readouterr().out)
