"""Kill and cut Romeo and Juliets who talk all the while; look if anything was lost, doubled or reordered.

Usage: ``python -m benchmarks.chaos [--lines N] [--juliets N] [--cuts N] [--kills N] [--seed N] …``.
What is said and what is done follow from the seed, but not the exact moments when programs and connections
are hit. Where anything is wrong, the exit status is 1 and all files are kept.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from tests.chaos.run import Plan, run


def plan_of(arguments: list[str]) -> Plan:
    """Return what the command line says."""
    parser = ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    for name in ("lines", "juliets", "cuts", "kills"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan, name))
    for name in ("pace", "deadline", "ping", "dead"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Plan, name), metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    return Plan(**vars(parser.parse_args(arguments)))


def main(arguments: list[str]) -> int:
    """Print the seed, then do it, then print what came of it; return the exit status."""
    plan = plan_of(arguments)
    print(f"seed {plan.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos"))
    report = asyncio.run(run(plan, folder))
    print(report)
    if report.wrong:
        print(f"all files are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
