"""Scripts: standard input and output as pipes and files, in every combination."""

from __future__ import annotations

import json
import select
import time

import pytest

from techboy.exit_status import DATA_ERROR, IO_ERROR
from tests.functional.programs import DEADLINE, NULL, PIPE, SHELL, TWIST, Program, Programs, free_port

LOG_LINE = "Main loop terminated."  # of twist, as every program ends

SCRIPT = """hello
there ½ 我 🌹

  indented, and with a blank at its end \n/nick rosaline
//two slashes
exit
EXIT
exit, pursued by a bear
the last line has no end"""


def long_text(line: str, size: int) -> bytes:
    """Return at least ``size`` bytes of numbered lines."""
    block = "".join(f"{number:07} {line}\n" for number in range(1000)).encode()
    return block * (size // len(block) + 1)


class ScriptTests:
    """Juliet who is given a script."""

    def test_hello(self, programs: Programs) -> None:
        """Two lines of `printf` arrive, and both programs end well."""
        romeo = programs.romeo("--once", "--output", "bare", stdin=NULL)
        command = 'printf "hello\\nthere\\n" | "$0" juliet --host 127.0.0.1 --port "$1"'
        juliet = programs.start(SHELL, "-c", command, TWIST, str(romeo.port), stdin=NULL)
        assert juliet.ends() == 0
        assert romeo.ends() == 0
        assert romeo.output.everything() == b"hello\nthere\n"

    def test_byte_for_byte(self, programs: Programs) -> None:
        """Every line arrives as it stands and none is obeyed."""
        assert self.heard(programs) == f"{SCRIPT}\n"

    def test_plain_lines(self, programs: Programs) -> None:
        """So does every plain line; only a bare `exit` gets a blank after it."""
        assert self.heard(programs, "--plain") == SCRIPT.replace("\nexit\nEXIT\n", "\nexit \nEXIT \n") + "\n"

    def heard(self, programs: Programs, *options: str) -> str:
        """Return what Romeo shows of the script of a Juliet with ``options``."""
        romeo = programs.romeo(stdout=programs.folder / "heard")
        juliet = programs.juliet(romeo.port, *options, stdin=programs.file("script", SCRIPT))
        assert juliet.ends() == 0
        assert romeo.ends() == 0
        return (programs.folder / "heard").read_text()

    def test_both_ways_at_once(self, programs: Programs) -> None:
        """Two files cross each other, and each arrives whole though they are of different length."""
        longer = long_text("Ce que tu dis, ¿quién lo diría? 愛", 700_000)
        shorter = long_text("a rose", 50_000)
        romeo = programs.romeo(stdin=programs.file("a", longer), stdout=programs.folder / "b")
        juliet = programs.juliet(romeo.port, stdin=programs.file("c", shorter), stdout=programs.folder / "d")
        assert juliet.ends() == 0
        assert romeo.ends() == 0
        assert (programs.folder / "b").read_bytes() == shorter
        assert (programs.folder / "d").read_bytes() == longer

    def test_overlong_line(self, programs: Programs) -> None:
        """A line over the limit is refused by its number, the rest is said, and the status tells."""
        listener = programs.listener()
        script = programs.file("script", f"one\n{'½' * 2049}\nthree\n")
        juliet = programs.juliet(listener.port, "--plain", stdin=script)
        romeo = programs.answer(listener)
        assert romeo.hears_all() == "one\nthree\n"
        romeo.close()
        assert juliet.ends() == DATA_ERROR
        juliet.states("* line 2 was not sent: more than 4096 bytes\n")


class BackPressureTests:
    """Much of it at once."""

    def test_large_file(self, programs: Programs) -> None:
        """A large file arrives byte for byte."""
        text = long_text("Wherefore art thou Roméo? 為什麼 🌹 " + "x" * 60, 20_000_000)
        romeo = programs.romeo(stdout=programs.folder / "heard")
        juliet = programs.juliet(romeo.port, stdin=programs.file("script", text))
        assert juliet.ends() == 0
        assert romeo.ends() == 0
        assert (programs.folder / "heard").read_bytes() == text

    def test_reader_that_stalls(self, programs: Programs) -> None:
        """While nobody reads Romeo's standard output nothing is taken from the guest, and nothing is lost."""
        romeo = programs.romeo()
        guest = programs.caller(romeo.port)
        block = long_text("Good night, good night! Parting is such sweet sorrow ½", 60_000)
        sent, most = bytearray(), 64 << 20
        while len(sent) < most and select.select([], [guest.connection], [], 0.5)[1]:
            done = guest.connection.send(block[len(sent) % len(block) :])
            sent += block[len(sent) % len(block) :][:done]
        assert len(sent) < most
        guest.finish()
        assert romeo.output.everything() == bytes(sent).removesuffix(b"\n") + b"\n"
        assert romeo.ends() == 0


class ReaderGoneTests:
    """Programs whose standard output nobody reads any more, as with `| head -1`."""

    def test_listener(self, programs: Programs) -> None:
        """Who only listens leaves in good order, with a status that tells."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--plain", stdin=NULL)
        romeo = programs.answer(listener)
        romeo.says("one\n")
        juliet.shows("one\n")
        assert juliet.process.stdout is not None
        juliet.process.stdout.close()
        deadline = time.monotonic() + DEADLINE
        while not select.select([romeo.connection], [], [], 0.01)[0]:
            assert time.monotonic() < deadline
            romeo.says("more\n")
        assert romeo.hears_all() == ""
        romeo.close()
        assert juliet.ends() == IO_ERROR

    def test_script(self, programs: Programs) -> None:
        """A script is said to its end all the same."""
        text = long_text("the rest is not silence", 300_000)
        listener = programs.listener()
        command = '{ "$0" juliet --plain --port "$1" <script; echo $? >status; } | head -1'
        programs.file("script", text)
        juliet = programs.start(SHELL, "-c", command, TWIST, str(listener.port), stdin=NULL)
        romeo = programs.answer(listener)
        romeo.says("one\n" * 5)
        juliet.shows("one\n")
        assert romeo.hears_all() == text.decode()
        romeo.says("two\n")
        romeo.close()
        assert juliet.ends() == 0
        assert juliet.output.everything() == b"one\n"
        assert (programs.folder / "status").read_text() in ("0\n", f"{IO_ERROR}\n")


class Redirected:
    """A program whose standard input and output a shell redirected, and its peer."""

    SOURCES = {
        "file": ("", "<script"),
        "pipe": ("cat script |", ""),
        "null": ("", "</dev/null"),
        "closed": ("", "<&-"),
    }
    SCREENS = {
        "file": (">heard", ""),
        "pipe": ("2>&1", "| cat >heard-through-pipe"),
        "closed": (">&-", ""),
    }

    def __init__(self, programs: Programs, name: str, source: str, screen: str) -> None:
        self._programs, self._name, self._screen = programs, name, screen
        self._has_script = source in ("file", "pipe")
        self._listener = programs.listener() if name == "juliet" else None
        self._port = free_port() if self._listener is None else self._listener.port
        options = ["--plain"] if name == "juliet" else [] if self._has_script else ["--once"]
        feed, stdin = self.SOURCES[source]
        stdout, drain = self.SCREENS[screen]
        command = f'{feed} {{ "$0" "$@" {stdin} {stdout}; echo $? >status-{screen}; }} {drain}'
        self._program = programs.start(
            SHELL, "-c", command, TWIST, name, "--port", str(self._port), *options, stdin=NULL
        )

    def talks(self) -> None:
        """Let both say what they have to say, and end."""
        if self._listener is None:
            peer = self._programs.patient_caller(self._port)
        else:
            peer = self._programs.answer(self._listener)
        if self._has_script:
            peer.hears("from here ½\n")
        peer.says("from the peer ½\n")
        peer.finish()
        if self._has_script:
            assert peer.hears_all() == "from here ½\n"
        else:
            assert peer.hears_notices_alone()
        peer.close()
        assert self._program.ends() == 0
        assert (self._programs.folder / f"status-{self._screen}").read_text() == f"{self._status}\n"

    @property
    def _status(self) -> int:
        """The exit status: a failure if what the peer said could not be shown."""
        is_daemon = self._name == "romeo" and not self._has_script
        return 74 if self._screen == "closed" and not is_daemon else 0

    def heard(self, name: str) -> str:
        """Return what is in the file that standard output went to."""
        return (self._programs.folder / name).read_text()


class RedirectionTests:
    """Standard input and output in every combination."""

    @pytest.mark.parametrize("source", Redirected.SOURCES)
    @pytest.mark.parametrize("name", ["romeo", "juliet"])
    def test_combinations(self, programs: Programs, name: str, source: str) -> None:
        """A script is said, a service says nothing; what the peer says is shown, but not by a daemon."""
        programs.file("script", "from here ½\n")
        redirected = {screen: Redirected(programs, name, source, screen) for screen in Redirected.SCREENS}
        for program in redirected.values():
            program.talks()
        to_file = redirected["file"].heard("heard")
        through_pipe = redirected["pipe"].heard("heard-through-pipe")
        if name == "romeo" and source in ("null", "closed"):
            assert LOG_LINE in to_file
            assert "from the peer" not in to_file + through_pipe
        else:
            assert to_file == "from the peer ½\n"
            assert "from the peer ½\n" in through_pipe
        assert LOG_LINE in through_pipe


class LogTests:
    """What twist logs."""

    def ended(self, programs: Programs, *arguments: str) -> Program:
        """Return a Romeo with a pipe as keyboard, after a guest who said something."""
        romeo = programs.twist(*arguments, "--host", "127.0.0.1", "--port", "0")
        guest = programs.caller(romeo.port)
        guest.says("something said\nexit\n")
        assert guest.hears_all() == ""
        guest.close()
        assert romeo.ends() == 0
        return romeo

    def test_apart_from_the_conversation(self, programs: Programs) -> None:
        """Standard output is the conversation's alone, states and the log are on standard error."""
        romeo = self.ended(programs, "romeo")
        assert romeo.output.everything() == b"something said\n"
        errors = romeo.errors.everything().decode()
        for state in ("Connected to juliet (", "Connection closed by juliet.\n", LOG_LINE):
            assert state in errors
        assert "something" not in errors

    def test_log_file(self, programs: Programs) -> None:
        """`--log-file` takes the log, and leaves the states on standard error."""
        romeo = self.ended(programs, "--log-file", "log", "romeo")
        assert romeo.output.everything() == b"something said\n"
        states = romeo.errors.everything().decode()
        assert "Connection closed by juliet.\n" in states
        assert LOG_LINE not in states
        log = (programs.folder / "log").read_text()
        assert LOG_LINE in log
        assert "something" not in log


class OutputTests:
    """What ``--output`` does."""

    @pytest.mark.parametrize(
        ("output", "stdin", "expected"),
        [("names", PIPE, "juliet: one\njuliet: two ½\n"), ("bare", NULL, "one\ntwo ½\n")],
    )
    def test_text(self, programs: Programs, output: str, stdin: int, expected: str) -> None:
        """With and without names, also from a daemon, whose log then goes elsewhere."""
        romeo = programs.romeo("--output", output, stdin=stdin)
        guest = programs.caller(romeo.port)
        guest.says("one\ntwo ½\n")
        romeo.shows(expected)
        romeo.process.terminate()
        assert guest.hears_notices_alone()
        guest.close()
        assert romeo.output.everything().decode() == expected

    def test_json(self, programs: Programs) -> None:
        """One object a line, numbered, with its author and when it was said."""
        before = time.time()
        romeo = programs.romeo("--output", "json")
        guest = programs.caller(romeo.port)
        guest.says("one\ntwo ½\nexit\n")
        assert guest.hears_all() == ""
        guest.close()
        assert romeo.ends() == 0
        said = [json.loads(line) for line in romeo.output.everything().splitlines()]
        assert [(line["id"], line["from"], line["text"]) for line in said] == [
            (1, "juliet", "one"),
            (2, "juliet", "two ½"),
        ]
        assert all(before - 1 <= line["at"] / 1000 <= time.time() + 1 for line in said)
