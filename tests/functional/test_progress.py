"""How far long work is, on a real terminal, whose screen is emulated."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT

import pytest
from pyte import ByteStream, Screen

from techboy.exit_status import UNAVAILABLE
from tests.functional.programs import (
    DEADLINE,
    NULL,
    PIPE,
    NativePeer,
    Program,
    Programs,
    kept,
    wait_until,
)
from tests.screen import rows_of

LINES = 50_000
SILENCE = 2.0  # seconds after which Juliet asks, in which lines wait long enough to be told of
WELCOME = {
    "type": "welcome", "version": 1, "name": "juliet", "session": "token", "next_seq": 1,
    "log_epoch": "log", "after_id": 0, "last_id": 0, "server": "romeo",
    "limits": {"line": 4096, "frame": 262144},
}  # fmt: skip


class Watched:
    """A terminal that a person only looks at. ``device`` is what a program writes to."""

    def __init__(self) -> None:
        self._seen, self.device = os.openpty()
        self._screen = Screen(80, 24)
        self._stream = ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        """What is to be seen now, without the empty lines below."""
        return rows_of(self._screen)

    def until(self, last: str) -> None:
        """Wait until the last line is as the pattern ``last`` has it, from its beginning to its end."""
        deadline = time.monotonic() + DEADLINE
        while not (self.lines and re.fullmatch(last, self.lines[-1])):
            ready, _, _ = select.select([self._seen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{last!r} did not come: {self.lines}"
            self._stream.feed(os.read(self._seen, 4096))

    def close(self) -> None:
        """Switch it off."""
        os.close(self.device)
        os.close(self._seen)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Return a terminal."""
    terminal = Watched()
    yield terminal
    terminal.close()


@pytest.fixture
def script(programs: Programs) -> Path:
    """Return a file of many lines."""
    return programs.file("script", "".join(f"line {number} of many\n" for number in range(1, LINES + 1)))


def calls(programs: Programs, script: Path, stdout: int, stderr: int) -> tuple[Program, NativePeer]:
    """Start a Juliet who says ``script``, and welcome her."""
    listener = programs.listener()
    juliet = programs.juliet(
        listener.port, "--ping-interval", str(SILENCE), stdin=script, stdout=stdout, stderr=stderr
    )
    romeo = programs.answer_natively(listener)
    romeo.told("hello")
    romeo.tells(WELCOME)
    return juliet, romeo


def ends(juliet: Program, romeo: NativePeer) -> int:
    """Let everything be stored, and the conversation end; return the exit status."""
    romeo.tells({"type": "ack", "next_seq": LINES + 1, "last_id": LINES})
    romeo.told("bye")
    romeo.tells({"type": "bye", "reason": "closed"})
    romeo.close()
    return juliet.ends()


class ProgressTests:
    """A file that is sent, and takes its time."""

    @pytest.mark.parametrize("together", [True, False])
    def test_terminal(self, together: bool, programs: Programs, script: Path, watched: Watched) -> None:
        """On a terminal a bar is shown under lines that are whole, and at the end nothing is left of it."""
        juliet, romeo = calls(programs, script, watched.device if together else NULL, watched.device)
        watched.until(rf"  0%\|\s*\| 0 lines sent, 0/s, {LINES} waiting \[00:\d\d<\?\]")
        romeo.tells({"type": "notice", "text": "juliet is heard"})
        romeo.tells({"type": "ack", "next_seq": LINES // 2 + 1, "last_id": LINES // 2})
        watched.until(rf" 50%\|█.*\| {LINES // 2} lines sent, \d+/s, {LINES // 2} waiting \[.*\]")
        calling, connected, notice, _ = watched.lines
        assert re.fullmatch(r"Calling 127\.0\.0\.1:\d+\.\.\.", calling)
        assert re.fullmatch(r"Connected to romeo \('127\.0\.0\.1', \d+\)", connected)
        assert notice == "* juliet is heard"
        assert ends(juliet, romeo) == 0
        watched.until("Connection closed\\.")
        assert watched.lines == [calling, connected, notice, "Connection closed."]

    def test_throttled(self, programs: Programs, script: Path, watched: Watched) -> None:
        """It is told once that the server throttles, and shown; Ctrl-C answers at once, and soon ends it."""
        romeo = programs.romeo("--rate", "20", stdin=NULL)
        juliet = programs.juliet(romeo.port, "--state", "juliet", stdin=script, stdout=NULL, stderr=PIPE)
        juliet.states("* romeo accepts 20 lines a second from this client; the rest waits here")
        wait_until(lambda: kept(programs.folder / "juliet") == LINES - 310)
        wait_until(lambda: kept(programs.folder / "juliet") == LINES - 350)
        began = time.monotonic()
        juliet.signal(SIGINT)
        juliet.states("* leaving; ")
        answered = time.monotonic()
        assert juliet.ends() == UNAVAILABLE
        assert answered - began < 0.5
        assert time.monotonic() - began < 3
        errors = juliet.errors.everything().decode()
        assert errors.count("accepts 20 lines a second") == 1
        left = kept(programs.folder / "juliet")
        assert f"* {left} lines are kept for the next time" in errors
        assert LINES - 500 < left <= LINES - 350

    def test_part_of_a_file(self, programs: Programs) -> None:
        """Who leaves in the middle of a file is told how much of it was not even read."""
        script = programs.file("large", "x" * 99 + "\n" + ("y" * 99 + "\n") * 200_000)
        romeo = programs.romeo("--rate", "20", stdin=NULL)
        juliet = programs.juliet(romeo.port, stdin=script, stdout=NULL)
        juliet.states("* romeo accepts 20 lines a second")
        juliet.signal(SIGINT)
        assert juliet.ends() == UNAVAILABLE
        juliet.errors.until(r"lost; \d+ bytes of the input were not read")

    def test_pipe(self, programs: Programs, script: Path) -> None:
        """Where standard error is no terminal, only the conversation is told of, however long it takes."""
        juliet, romeo = calls(programs, script, PIPE, PIPE)
        romeo.told("ping")
        assert ends(juliet, romeo) == 0
        assert b"waiting" not in juliet.errors.everything()
        assert b"\x1b" not in juliet.errors.everything()
