"""People at prompts in windows of tmux, which are made narrower and wider."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.functional.screens import JULIET
from tests.functional.tmux import Tmux, Window

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

ROWS, COLUMNS = 16, 80
TYPED = "half a line that takes more rows when the window is narrower"
SERIES = (70, 41, 60, 33, 30, 90, 25, 31)


def in_window(tmux: Tmux, port: int, *options: str) -> Window:
    """Return Juliet in a window, connected."""
    command: list[str | Path] = [*JULIET, "--port", str(port), *options]
    juliet = tmux.in_window(*command, columns=COLUMNS, rows=ROWS)
    juliet.shows("connected to romeo")
    return juliet


def types(juliet: Window) -> None:
    """Type what is not said yet."""
    juliet.writes(TYPED)
    juliet.until(lambda rows: rows[-2] == f"juliet: {TYPED}")


def prompts(rows: list[str]) -> int:
    """Return how many prompts and status lines are to be seen, of which there should be one each."""
    return max(sum(row.startswith(start) for row in rows) for start in ("juliet: half", "connected to romeo"))


def wait_for_prompt(juliet: Window, prompt: str, columns: int) -> None:
    """Wait until ``prompt`` is to be seen on a screen of so many columns, once."""
    juliet.until(lambda rows: prompt in "".join(row.ljust(columns) for row in rows) and prompts(rows) == 1)


class ResizedTests:
    """A window that changes its size."""

    def test_one_prompt(self, tmux: Tmux) -> None:
        """After any series of sizes one prompt is to be seen, and all that was said, in its order."""
        romeo = tmux.romeo()
        juliet = in_window(tmux, romeo.port)
        said = [f"line {number} of what romeo said, and {'x' * number}" for number in range(40)]
        for line in said[:20]:
            romeo.writes(f"{line}\n")
        juliet.shows(said[19])
        types(juliet)
        for columns, line in zip((*SERIES, COLUMNS), said[20:], strict=False):
            juliet.resizes(columns, ROWS)
            romeo.writes(f"{line}\n")
        juliet.until(lambda rows: said[28] in "\n".join(rows) and prompts(rows) == 1)
        juliet.writes("!")
        juliet.until(lambda rows: rows[-2] == f"juliet: {TYPED}!" and prompts(rows) == 1)
        lines = [f"romeo: {line}" for line in said[:29]]  # some come again, or are cut where they scroll away
        assert [line for line in dict.fromkeys(juliet.said) if line in lines] == lines

    @pytest.mark.parametrize("columns", SERIES)
    def test_each(self, tmux: Tmux, columns: int) -> None:
        """One prompt is to be seen after each change, with what is typed as it was, to be gone on with."""
        romeo = tmux.romeo()
        juliet = in_window(tmux, romeo.port)
        romeo.writes("hello\n")
        juliet.shows("hello")
        types(juliet)
        juliet.resizes(columns, ROWS)
        juliet.writes("!")
        wait_for_prompt(juliet, f"juliet: {TYPED}!", columns)
        assert sum("hello" in row for row in juliet.rows) == 1
        juliet.writes("\r")
        romeo.shows(f"{TYPED}!")

    def test_end(self, tmux: Tmux) -> None:
        """Nothing is left of the prompt at the end."""
        romeo = tmux.romeo()
        juliet = in_window(tmux, romeo.port)
        romeo.writes("hello\n")
        juliet.shows("hello")
        types(juliet)
        juliet.resizes(30, ROWS)
        juliet.writes("!")
        wait_for_prompt(juliet, f"juliet: {TYPED}!", 30)
        romeo.end_input()
        assert juliet.ends() == 0
        assert prompts(juliet.rows) == 0
        assert sum("hello" in row for row in juliet.rows) == 1
