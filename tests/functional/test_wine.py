"""Programs of a Windows Python, as Wine runs it, and their conversations with those of this system.

They run where ``TECHBOY_WINE`` names the folder in which ``.ci/wine`` has set Wine up. A console is a window
of tmux, where Wine shows no characters beyond U+FFFF.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from techboy import exit_status
from tests.functional import programs as programs_module
from tests.functional import tmux as tmux_module
from tests.functional.programs import LOOPBACK, Program, Programs, free_port
from tests.functional.tmux import Tmux, Window

WINE = Path(__file__).parents[2] / ".ci" / "wine"
PYTHON = (str(WINE), "python", "-m", "techboy")

pytestmark = pytest.mark.skipif("TECHBOY_WINE" not in os.environ, reason="TECHBOY_WINE is not set")

ORIGINAL = Path(__file__).with_name("original")
"""The scripts that were there before Techboy."""

# runs children with the files and the null device of Windows, one after the other; prints their exit statuses
PARENT = """
import json, subprocess, sys
for words, *paths in json.loads(sys.argv[1]):
    streams = dict(zip(("stdin", "stdout", "stderr"), map(open, paths, ("rb", "wb", "wb"))))
    print(subprocess.call([sys.executable, "-m", "techboy", *words], **streams), flush=True)
"""

# the console tells its programs that its window is closed as soon as the file exists
CLOSED = """
import ctypes, os, runpy, sys, threading, time
def close(path):
    while not os.path.exists(path):
        time.sleep(0.05)  # nobody says when the file is there
    ctypes.WinDLL("kernelbase").CtrlRoutine(ctypes.c_void_p(2))
threading.Thread(target=close, args=(sys.argv.pop(1),), daemon=True).start()
sys.argv[0] = "techboy"
runpy.run_module("techboy", run_name="__main__", alter_sys=True)
"""

ROWS, COLUMNS = 12, 70
CTRL_C, CTRL_L, CTRL_Z = "\x03", "\x0c", "\x1a"

PATIENCE = 120.0
"""Seconds that anything awaited may take: on a busy machine Python starts slowly under Wine."""

LINES = 10_000


@pytest.fixture(autouse=True)
def longer_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for programs than other tests do."""
    for module in (programs_module, tmux_module):
        monkeypatch.setattr(module, "DEADLINE", PATIENCE)


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


def windows_path(path: Path) -> str:
    """Return ``path`` as Windows programs know it."""
    return "Z:" + str(path).replace("/", "\\")


def at_console(tmux: Tmux, *words: str) -> Window:
    """Start ``words`` with the Windows Python at a console, to which Ctrl-Z goes, not to Wine."""
    line = 'stty susp undef; exec "$0" python "$@"'
    return tmux.in_window("/bin/sh", "-c", line, str(WINE), *words, columns=COLUMNS, rows=ROWS)


def answers(console: Window, question: str, answer: str) -> None:
    """Answer ``question`` when it is the last on the screen."""
    console.until(lambda rows: rows[-1].startswith(question))
    console.writes(f"{answer}\r")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
class ConsoleTests:
    """A person at a console."""

    def test_prompt(self, tmux: Tmux) -> None:
        """What is typed stays whole while lines come in, in any letters, and Ctrl-C says goodbye."""
        romeo = tmux.romeo("--output", "bare")
        port = romeo.port
        words = ("-m", "techboy", "juliet", "--host", LOOPBACK, "--port", str(port))
        juliet = at_console(tmux, *words)
        juliet.until(lambda rows: rows[-2:] == ["juliet:", "connected to romeo"])
        romeo.writes("hello ½\n")
        juliet.shows("romeo: hello ½")
        juliet.writes("Wo bist")
        juliet.until(lambda rows: rows[-2] == "juliet: Wo bist")
        said = [f"line {number} é我" for number in range(30)]
        for line in said:
            romeo.writes(f"{line}\n")
        juliet.shows(said[-1])
        juliet.writes(" du? é我")
        juliet.until(lambda rows: rows[-2] == "juliet: Wo bist du? é我")
        assert [re.sub(r"^\S+ romeo: ", "", row) for row in juliet.rows[:-2]] == said[-(ROWS - 2) :]
        juliet.writes("\r")
        romeo.shows("Wo bist du? é我\n")
        juliet.until(lambda rows: rows[-3].endswith("juliet: Wo bist du? é我") and rows[-2] == "juliet:")
        juliet.writes("\x1b[A\x1b[D 💌")  # the line before, with a character beyond U+FFFF before the last
        juliet.until(lambda rows: rows[-2].startswith("juliet: Wo bist du? é "))
        juliet.writes("\r")
        romeo.shows("Wo bist du? é 💌我\n")
        juliet.writes("typed ahead\r")  # comes all at once, and is no paste
        romeo.shows("typed ahead\n")
        juliet.writes("two\rlines")
        juliet.until(lambda rows: rows[-2] == "send these 2 lines? y/n")
        juliet.writes("y")
        romeo.shows("two\nlines\n")
        juliet.until(lambda rows: rows[-3].endswith("juliet: lines") and rows[-2] == "juliet:")
        juliet.writes(CTRL_L)
        juliet.until(lambda rows: rows[-3].endswith("juliet: lines") and rows[-2] == "juliet:")
        juliet.writes(CTRL_C)
        romeo.states("Connection closed by juliet")
        assert (juliet.ends(), romeo.ends()) == (0, 0)
        assert "Connection closed." in "\n".join(juliet.rows)
        assert not any("\x1b" in row or "[?" in row for row in juliet.everything)

    def test_questions(self, tmux: Tmux) -> None:
        """A program that is told nothing asks, as where its file is opened; Ctrl-Z and Enter are the end."""
        port = free_port()
        romeo = at_console(tmux, "-m", "twisted", "romeo")
        answers(romeo, "Enter Romeo IP address ex : 0.0.0.0 :", LOOPBACK)
        answers(romeo, "Enter Romeo port number ex : 4444 :", "é")
        romeo.shows("invalid port 'é'")
        answers(romeo, "Enter Romeo port number ex : 4444 :", str(port))
        romeo.shows("Listening for connection")
        juliet = tmux.juliet(port)
        romeo.until(lambda rows: rows[-1] == "connected to juliet")
        romeo.writes(CTRL_Z)
        romeo.until(lambda rows: rows[-2] == "romeo: ^Z")
        romeo.writes("\r")
        juliet.states("Connection closed by romeo")
        assert (romeo.ends(), juliet.ends()) == (0, 0)

    def test_plain_prompt(self, tmux: Tmux) -> None:
        """On another reactor all stands below what was there before; Ctrl-Z and Enter are the end."""
        romeo = tmux.romeo()
        words = ("juliet", "--host", LOOPBACK, "--port", str(romeo.port))
        juliet = at_console(tmux, "-m", "techboy", "--reactor", "select", *words)
        juliet.until(lambda rows: rows[-1] == "juliet:")
        romeo.writes("hello ½\n")
        juliet.until(lambda rows: rows[-2:] == ["romeo: hello ½", "juliet:"])
        juliet.writes("é我\r")
        romeo.shows("é我\n")
        rows = [f"Calling {words[2]}:{words[4]}...", f"Connected to romeo ('{words[2]}', {words[4]})"]
        rows += ["romeo: hello ½", "juliet: é我", "juliet:"]
        juliet.until(lambda seen: seen == rows)
        juliet.writes(f"{CTRL_Z}\r")
        romeo.states("Connection closed by juliet")
        assert (juliet.ends(), romeo.ends()) == (0, 0)

    def test_closed(self, programs: Programs) -> None:
        """The window is closed: what waits is said, then goodbye, before Windows ends the process."""
        romeo = programs.romeo("--output", "bare")
        closed = programs.folder / "closed"
        words = ("juliet", "--host", LOOPBACK, "--port", str(romeo.port))
        juliet = programs.start(str(WINE), "python", "-c", CLOSED, windows_path(closed), *words)
        romeo.states("Connected")
        juliet.writes("hello\n")
        romeo.shows("hello\n")
        closed.touch()
        romeo.states("Connection closed by juliet")
        assert romeo.ends() == 0
        assert "Traceback" not in juliet.errors.everything().decode()


class WindowsParentTests:
    """Programs that are started with the files and the null device of Windows."""

    def statuses(
        self, programs: Programs, children: Sequence[tuple[Sequence[str], str, str, str]]
    ) -> list[int]:
        """Run ``children``, each with words and three streams; return how they end."""
        parent = programs.start(str(WINE), "python", "-c", PARENT, json.dumps(children))
        statuses = [int(parent.output.until(r"(\d+)\r?\n")[1]) for _ in children]
        assert parent.ends() == 0
        return statuses

    def test_streams(self, programs: Programs) -> None:
        """A file is said, and one is written, byte for byte; the null device says and shows nothing."""
        said = "".join(f"{number} é我💌\n" for number in range(1000))
        file, heard = programs.file("said", f"{said}no end"), programs.folder / "é"
        heard_here = [programs.folder / f"heard {place}" for place in range(2)]
        errors = [programs.folder / f"errors {place}" for place in range(2)]
        romeos = [programs.romeo("--output", "bare", stdout=path) for path in heard_here]
        streams = [(windows_path(file), "NUL"), ("NUL", windows_path(heard))]
        children = [
            (
                ["juliet", "--host", LOOPBACK, "--port", str(romeo.port), "--output", "bare"],
                *both,
                windows_path(error),
            )
            for romeo, both, error in zip(romeos, streams, errors, strict=True)
        ]
        for romeo in romeos:
            romeo.writes(said)
            romeo.end_input()
        assert self.statuses(programs, children) == [0, 0], [path.read_text() for path in errors]
        assert [romeo.ends() for romeo in romeos] == [0, 0]
        assert heard.read_text() == said
        assert [path.read_text() for path in heard_here] == [f"{said}no end\n", ""]

    def test_statuses(self, programs: Programs) -> None:
        """What goes wrong is told in one line, and by the exit status that it has everywhere."""
        taken = programs.listener()
        calling = ["juliet", "--host", LOOPBACK, "--port"]
        wrong = {
            exit_status.USAGE: ["juliet", "--wibble"],
            exit_status.CONFIG: ["romeo", "--config", "Z:\\no\\such.toml"],
            exit_status.CANNOT_LISTEN: ["romeo", "--host", LOOPBACK, "--port", str(taken.port)],
            exit_status.UNAVAILABLE: [*calling, str(free_port()), "--timeout", "1"],
        }
        errors = [programs.folder / f"errors {status}" for status in wrong]
        children = [
            (words, "NUL", "NUL", windows_path(path))
            for words, path in zip(wrong.values(), errors, strict=True)
        ]
        assert self.statuses(programs, children) == list(wrong)
        for path in errors:
            assert "Traceback" not in path.read_text()


class OriginalScriptTests:
    """The original scripts, here or on Windows, and Techboy on the other system."""

    @pytest.mark.parametrize("techboy_here", [True, False], ids=["here", "windows"])
    @pytest.mark.parametrize("name", ["romeo", "juliet"])
    def test_conversation(self, programs: Programs, name: str, techboy_here: bool) -> None:
        """They talk in any letters, and the original's `exit` ends both; ``name`` is that of the original."""
        port = free_port()
        here, windows = [sys.executable], [str(WINE), "python"]
        words = ["juliet", "--plain"] if name == "romeo" else ["romeo"]
        run_techboy = here if techboy_here else windows
        run_original = windows if techboy_here else here
        script = ORIGINAL / f"{name}.py"
        path = windows_path(script) if techboy_here else str(script)
        original_command = [*run_original, "-u", "-X", "utf8", path]
        techboy_command = [*run_techboy, "-m", "techboy", *words, "--host", LOOPBACK, "--port", str(port)]
        if name == "romeo":
            original = programs.start(*original_command)
            original.writes(f"{LOOPBACK}\n{port}\n")
            original.shows("Listening")
            techboy = programs.start(*techboy_command)
        else:
            techboy = programs.start(*techboy_command)
            techboy.states("Listening")
            original = programs.start(*original_command)
            original.writes(f"{LOOPBACK}\n{port}\n")
        techboy.states("Connected to ")
        original.shows("Connected to ")
        original.writes("hello ½ 我 💌\n")
        techboy.shows("hello ½ 我 💌\n")
        techboy.writes("a reply ½ 我 💌\n")
        original.output.until("a reply ½ 我 💌\r?\n")
        original.writes("exit\n")
        techboy.states("Connection closed by ")
        assert (original.ends(), techboy.ends()) == (0, 0)
