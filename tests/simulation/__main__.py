"""Run the simulation: ``python -m tests.simulation --seed N --steps M`` replays a run exactly."""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import randbelow

from tests.simulation.play import finish, step
from tests.simulation.world import opened

STEPS = 1500


@dataclass(frozen=True)
class Failed:
    """What went wrong, after how many steps, and what was done last."""

    steps: int
    why: str
    trace: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What went wrong, without numbers and names."""
        return re.sub(r"[0-9]+|'[^']*'", "", self.why.strip().rpartition("\n")[2])[:60]


def run(seed: int, steps: int) -> Failed | None:
    """Play ``steps`` steps of ``seed``, then let everything come to rest; return what went wrong."""
    with opened(seed) as world:
        try:
            for _ in range(steps):
                step(world)
            finish(world)
        except Exception:
            why = world.problems[0] if world.problems else traceback.format_exc(limit=-6)
            return Failed(world.steps, why, tuple(world.trace))
    return None


def shortest(seed: int, failed: Failed) -> Failed:
    """Return the failure of the shortest prefix that fails in the same way, as far as bisection finds it."""
    passing, steps = 0, failed.steps
    while passing + 1 < steps:
        middle = (passing + steps) // 2
        again = run(seed, middle)
        if again is None or again.kind != failed.kind:
            passing = middle
        else:
            failed, steps = again, min(middle, again.steps)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what ``arguments`` ask for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the run to replay [default: fresh seeds]")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps of each run [default: {STEPS}]")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="for how long fresh seeds are tried [default: 60]"
    )
    options = parser.parse_args(arguments)
    first = randbelow(2**31) if options.seed is None else options.seed
    begun, seed = time.monotonic(), first
    while True:
        failed = run(seed, options.steps)
        if failed is not None:
            return _report(seed, shortest(seed, failed))
        seed += 1
        if options.seed is not None or time.monotonic() - begun >= options.seconds:
            break
    count = seed - first
    print(
        f"seeds {first} to {seed - 1}: {count} runs, {count * options.steps} steps in"
        f" {time.monotonic() - begun:.0f} s, no failure"
    )
    return 0


def _report(seed: int, failed: Failed) -> int:
    print(*failed.trace, sep="\n")
    print(failed.why, end="")
    print(f"failed: python -m tests.simulation --seed {seed} --steps {failed.steps}", file=sys.stdout)
    return 1


if __name__ == "__main__":
    sys.exit(main())
