"""Programs of a Windows Python, as Wine runs it, and their conversations with those of this system.

They run where ``TECHBOY_WINE`` names the folder in which ``.ci/wine`` has set Wine up.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from techboy import exit_status
from tests.functional.programs import LOOPBACK, Program, Programs, free_port

WINE = Path(__file__).parents[2] / ".ci" / "wine"
PYTHON = (str(WINE), "python", "-m", "techboy")

pytestmark = pytest.mark.skipif("TECHBOY_WINE" not in os.environ, reason="TECHBOY_WINE is not set")

LINES = 10_000


def lines(author: str) -> str:
    """Return many lines, each another one, of all kinds of characters."""
    return "".join(f"{author} {number} {'é我💌x' * (number % 12)}\n" for number in range(LINES))


def on_windows(programs: Programs, program: str, port: int, *options: str, output: Path) -> Program:
    """Start ``program`` on Windows, with pipes; what it shows goes into the file ``output``."""
    words = (program, "--host", LOOPBACK, "--port", str(port), *options)
    return programs.start(*PYTHON, *words, stdout=output)


class ConversationTests:
    """One end on Windows, and one here."""

    @pytest.mark.parametrize("there", ["juliet", "romeo"])
    def test_both_ways(self, programs: Programs, there: str) -> None:
        """All that is said arrives, byte for byte and in its order; both end with 0."""
        port, outputs = free_port(), [programs.folder / "windows", programs.folder / "here"]
        if there == "juliet":
            romeo = programs.romeo("--output", "bare", port=port, stdout=outputs[1])
            romeo.states("Listening")
            juliet = on_windows(programs, "juliet", port, "--output", "bare", output=outputs[0])
            ends = [juliet, romeo]
        else:
            romeo = on_windows(programs, "romeo", port, "--output", "bare", output=outputs[0])
            romeo.states("Listening")
            juliet = programs.juliet(port, "--output", "bare", stdout=outputs[1])
            ends = [romeo, juliet]
        romeo.states("Connected")
        for end, name in zip(ends, ("windows", "here"), strict=True):
            end.writes(lines(name))
        for end in ends:
            end.end_input()
        assert [end.ends() for end in ends] == [exit_status.OK, exit_status.OK]
        assert outputs[0].read_text() == lines("here")
        assert outputs[1].read_text() == lines("windows")

    def test_killed(self, programs: Programs) -> None:
        """A server that is killed and started again has all that was said in its state directory, once."""
        port, state = free_port(), programs.folder / "state"
        output = programs.folder / "windows"
        options = ["--state", "Z:" + str(state).replace("/", "\\"), "--keep-open"]
        romeo = on_windows(programs, "romeo", port, *options, output=output)
        romeo.states("Listening")
        juliet = programs.juliet(port, "--state", str(programs.folder / "mine"))
        romeo.states("Connected")
        juliet.writes(lines("here"))
        juliet.states("Connected")
        os.killpg(romeo.process.pid, signal.SIGKILL)
        romeo = on_windows(programs, "romeo", port, *options, output=programs.folder / "again")
        romeo.states("Connected")
        juliet.end_input()
        assert juliet.ends() == exit_status.OK
        os.killpg(romeo.process.pid, signal.SIGKILL)
        romeo.process.wait()
        with closing(sqlite3.connect(state / "romeo.sqlite")) as database:
            texts = [text for (text,) in database.execute("SELECT text FROM batch ORDER BY first")]
        assert "\n".join(texts) + "\n" == lines("here")
