"""``python -m techboy romeo`` and ``python -m techboy juliet``: ``twist`` with the same words."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Sequence

from techboy import __version__, exit_status
from techboy.config.settings import PROGRAMS

_NAME = "techboy"
_COMMANDS = " or ".join(f"python -m {_NAME} {program}" for program in PROGRAMS)
_HELP = f"""\
Usage: python -m {_NAME} [options of twist] {"|".join(PROGRAMS)} [options]

The same as twist with these words; {_COMMANDS} --help shows the options."""


def run_twist() -> None:
    """Run ``twist`` with the words of this process."""
    runpy.run_module("twisted", run_name="__main__")


def main(words: Sequence[str], run: Callable[[], None] = run_twist) -> None:
    """Call ``run`` if ``words`` name a program; else end the process, and say how one is named."""
    if set(PROGRAMS) & set(words):
        run()
    elif {"-h", "--help"} & set(words):
        exit_status.answer(_NAME, _HELP)
    elif "--version" in words:
        exit_status.answer(_NAME, f"{_NAME} {__version__}")
    else:
        exit_status.fail(exit_status.USAGE, f"{_NAME}: no program is named: expected {_COMMANDS}")


if __name__ == "__main__":
    main(sys.argv[1:])
