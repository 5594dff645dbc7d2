"""Programs whose log, states or messages nobody takes: full pipes, and a disk that does not answer."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from techboy.exit_status import IO_ERROR
from tests.functional.programs import LOOPBACK, NULL, Heard, Program, Programs, free_port, wait_until
from tests.functional.test_daemon import TERMINATED

ENDED_WITHIN = 5.0
"""Seconds after SIGTERM in which a server has ended, whatever others do."""

GUESTS = 12

HANGING = """
import os, threading

write, hang = os.write, threading.Event()

def hanging(descriptor, data):
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        path = ""
    if os.path.basename(path) == "hanging":
        hang.wait()
    return write(descriptor, data)

os.write = hanging
"""
"""What Python runs first for a program on whose disk the file ``hanging`` is written to for ever."""


class Pipe:
    """A pipe that is full, which nobody reads until the test does."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        self._filled = 0
        try:
            while True:
                self._filled += os.write(self.writing, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)
        self._heard = Heard(self.reading)

    def until(self, pattern: str) -> None:
        """Read it until ``pattern`` comes."""
        self._heard.until(pattern)

    def everything(self) -> bytes:
        """Return what the program wrote, when it has ended."""
        os.close(self.writing)
        self.writing = os.open(os.devnull, os.O_WRONLY)
        return self._heard.everything()[self._filled :]

    def close(self) -> None:
        """Close both ends."""
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def full() -> Iterator[Pipe]:
    """Return a full pipe."""
    pipe = Pipe()
    yield pipe
    pipe.close()


def serves(programs: Programs, port: int) -> None:
    """See that one guest after the other is let in, and hears what is said."""
    first = programs.patient_caller(port)
    first.hears(" here: ")
    for number in range(GUESTS):
        guest = programs.caller(port)
        guest.says(f"line {number}\n")
        first.hears(f": line {number}\n")
        guest.close()


def ends(program: Program, statuses: tuple[int, ...]) -> None:
    """Send SIGTERM, and see that the program ends in time."""
    before = time.monotonic()
    program.signal(SIGTERM)
    assert program.ends() in statuses
    assert time.monotonic() - before < ENDED_WITHIN


class ServerTests:
    """A server of many, without a keyboard."""

    @pytest.mark.parametrize(
        ("streams", "log"),
        [
            ("stdout", []),
            ("stderr", []),
            ("both", []),
            ("stderr", ["--log-file", "+"]),
            ("both", ["--log-file", "log"]),
        ],
    )
    def test_full_pipe(self, programs: Programs, full: Pipe, streams: str, log: list[str]) -> None:
        """Whichever stream is full, it serves its guests, and SIGTERM ends it with its own status."""
        port = free_port()
        stdout = NULL if streams == "stderr" else full.writing
        stderr = NULL if streams == "stdout" else full.writing
        romeo = programs.twist(
            *log, "romeo", "--host", LOOPBACK, "--port", str(port), stdin=NULL, stdout=stdout, stderr=stderr
        )
        serves(programs, port)
        ends(romeo, TERMINATED)

    def test_shown(self, programs: Programs, full: Pipe) -> None:
        """So does one whose messages nobody reads; its status tells that not all was shown."""
        port = free_port()
        romeo = programs.romeo("--output", "names", port=port, stdin=NULL, stdout=full.writing)
        serves(programs, port)
        ends(romeo, (IO_ERROR,))
        romeo.states("romeo: some messages could not be shown\n")

    def test_nothing_read(self, programs: Programs, full: Pipe) -> None:
        """The same where its standard error is as full."""
        port = free_port()
        romeo = programs.romeo(
            "--output", "names", port=port, stdin=NULL, stdout=full.writing, stderr=full.writing
        )
        serves(programs, port)
        ends(romeo, (IO_ERROR,))

    def test_counted(self, programs: Programs, full: Pipe) -> None:
        """What was dropped is counted, and the log says so when it is read again; its order is kept."""
        port = free_port()
        romeo = programs.twist(
            "--log-format", "text", "romeo", "--host", LOOPBACK, "--port", str(port), "--rate", "0",
            stdin=NULL, stdout=full.writing,
        )  # fmt: skip
        serves(programs, port)
        for _ in range(1500):
            programs.caller(port).close()
        serves(programs, port)
        full.until(r"standard output: [1-9]\d* entries were dropped\n")
        ends(romeo, TERMINATED)
        entries = full.everything().decode()
        ids = [int(id_, 36) for id_ in re.findall(r"connection (\w+) with .*: \w+ entered", entries)]
        assert ids == sorted(ids)
        assert entries.endswith("Main loop terminated.\n")


class DiskTests:
    """A disk that does not answer."""

    def romeo(self, programs: Programs, port: int, *options: str, **streams: int) -> Program:
        """Start a Romeo on whose disk nothing is ever written to a file called ``hanging``."""
        (programs.folder / "sitecustomize.py").write_text(HANGING)
        (programs.folder / "hanging").touch()
        path = f"PYTHONPATH={programs.folder}"
        twist = Path(sys.executable).with_name("twist")
        return programs.start("/usr/bin/env", path, twist, *options, stdin=NULL, **streams)

    @pytest.mark.parametrize("which", ["log", "transcript"])
    def test_hangs(self, programs: Programs, which: str) -> None:
        """It serves its guests, is asked in vain to open the file again, and SIGTERM ends it."""
        port = free_port()
        log, transcript = ("hanging", "said") if which == "log" else ("log", "hanging")
        romeo = self.romeo(
            programs, port, "--log-file", log, "--log-format", "text",
            "romeo", "--host", LOOPBACK, "--port", str(port), "--transcript", transcript,
        )  # fmt: skip
        serves(programs, port)
        romeo.signal(SIGHUP)
        serves(programs, port)
        if which == "transcript":
            path = programs.folder / "log"
            wait_until(lambda: "the transcript was not reloaded: no answer" in path.read_text())
        else:
            wait_until(lambda: f": line {GUESTS - 1}\n" in (programs.folder / "said").read_text())
        ends(romeo, TERMINATED)

    def test_both(self, programs: Programs, full: Pipe) -> None:
        """Where nothing at all is taken, it does so too."""
        port = free_port()
        romeo = self.romeo(
            programs, port, "--log-file", "hanging",
            "romeo", "--host", LOOPBACK, "--port", str(port), "--transcript", "hanging", "--output", "names",
            stdout=full.writing, stderr=full.writing,
        )  # fmt: skip
        serves(programs, port)
        ends(romeo, (IO_ERROR,))


class TwoTests:
    """A conversation of two, and its client."""

    def test_script(self, programs: Programs, full: Pipe) -> None:
        """A script is said to its end, although nobody reads what the client tells of itself."""
        romeo = programs.romeo(stdout=programs.folder / "heard")
        text = "".join(f"line {number}\n" for number in range(10_000))
        juliet = programs.juliet(
            romeo.port, stdin=programs.file("script", text), stdout=NULL, stderr=full.writing
        )
        assert juliet.ends() == 0
        assert romeo.ends() == 0
        assert (programs.folder / "heard").read_text() == text

    def test_client(self, programs: Programs, full: Pipe) -> None:
        """A client whose messages nobody reads ends at SIGTERM, with a status that tells."""
        romeo = programs.romeo()
        juliet = programs.juliet(romeo.port, stdin=NULL, stdout=full.writing)
        romeo.writes("hello\n")
        romeo.states("Connected to juliet")
        juliet.states("Connected to romeo")
        time.sleep(0.2)  # for the message to get stuck, of which nothing can be seen
        ends(juliet, (IO_ERROR,))

    @pytest.mark.parametrize("name", ["romeo", "juliet"])
    def test_ending(self, programs: Programs, full: Pipe, name: str) -> None:
        """One that ends by itself waits for who reads it, until SIGTERM."""
        listener = programs.listener()
        if name == "romeo":
            program = programs.romeo(stdout=full.writing)
            peer = programs.caller(program.port)
        else:
            program = programs.juliet(listener.port, "--plain", stdout=full.writing)
            peer = programs.answer(listener)
        peer.says("hello\nexit\n")
        peer.hears_all()
        peer.close()
        program.states("stops")
        time.sleep(0.2)  # a program that did not wait would be gone
        assert program.process.poll() is None
        ends(program, (IO_ERROR,))

    def test_read_at_last(self, programs: Programs, full: Pipe) -> None:
        """Where it is read after all, all of it is there."""
        romeo = programs.romeo(stdout=full.writing)
        peer = programs.caller(romeo.port)
        peer.says("hello\nexit\n")
        peer.hears_all()
        peer.close()
        romeo.states("stops")
        assert full.everything() == b"hello\n"
        assert romeo.ends() == 0
