"""Romeo as a service, and how any Romeo ends."""

from __future__ import annotations

import json
import time
from signal import SIGINT, SIGTERM

import pytest

from tests.functional.programs import DEADLINE, NULL, Peer, Program, Programs

TERMINATED = (0, -SIGTERM, 128 + SIGTERM)
"""The statuses that `twist` may have after SIGTERM."""

RECORD = b"\x1e"
"""What stands before each JSON object of twist's log (RFC 7464)."""


def let_in(programs: Programs, port: int) -> Peer:
    """Return a guest that is in, as soon as the one before is quite gone."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        guest = programs.caller(port)
        guest.says("/knock\n")
        if b"unknown command" in guest.heard.until("\\* .*(unknown command|busy).*\n")[0]:
            return guest
        guest.close()
    raise AssertionError("Romeo stayed busy")


def visit(programs: Programs, port: int, text: str) -> None:
    """Call ``port``, say ``text``, hear all that there is to hear and leave."""
    guest = let_in(programs, port)
    guest.says(text)
    guest.finish()
    guest.hears_all()
    guest.close()


class DaemonTests:
    """Romeo without a keyboard."""

    def test_takes_one_guest_after_the_other(self, programs: Programs) -> None:
        """He stays when a guest leaves, however it leaves, and takes the next one."""
        romeo = programs.romeo(stdin=NULL)
        port = romeo.port
        visit(programs, port, "one ½\n")
        visit(programs, port, "two\nexit\n")
        let_in(programs, port).reset()
        visit(programs, port, "three\n")
        romeo.signal(SIGTERM)
        assert romeo.ends() in TERMINATED
        output = romeo.output.everything()
        for record in output.split(RECORD)[1:]:
            assert json.loads(record)["log_level"]["name"] == "info"
        for said in (b"one", b"two", b"three"):
            assert said not in output + romeo.errors.everything()

    def test_wrong_word(self, programs: Programs) -> None:
        """A guest who asks for a command that there is not, or says too much, is told and stays."""
        romeo = programs.romeo("--output", "bare", "--max-line", "100", stdin=NULL)
        guest = programs.caller(romeo.port)
        guest.says("/nosuch thing\n")
        guest.hears("* unknown command /nosuch: ")
        guest.says("x" * 101 + "\n")
        guest.hears("* a line of more than 100 bytes was discarded\n")
        guest.says(b"still \xff here\x1b[31m\n")
        romeo.shows("still \ufffd here\ufffd[31m\n")

    def test_once(self, programs: Programs) -> None:
        """With `--once` he ends when the first guest has left."""
        romeo = programs.romeo("--once", stdin=NULL)
        visit(programs, romeo.port, "hello\n")
        assert romeo.ends() == 0

    def test_endpoints(self, programs: Programs) -> None:
        """With `--listen` he listens on every endpoint named, and tells where."""
        romeo = programs.twist(
            "romeo",
            "--listen",
            "tcp:0:interface=127.0.0.1",
            "--listen",
            "tcp:0:interface=localhost",
            stdin=NULL,
        )
        for port in (romeo.port, romeo.port):
            visit(programs, port, "hello\n")


class StayTests:
    """Romeo with a keyboard who was told to stay."""

    def test_takes_the_next_guest(self, programs: Programs) -> None:
        """He says what he has to say to whoever is there, and goes on after the end of his input."""
        romeo = programs.romeo("--keep-open")
        port = romeo.port
        for text in ("one\n", "two\n"):
            guest = let_in(programs, port)
            romeo.writes(text)
            guest.hears(text)
            guest.says(f"heard {text}exit\n")
            assert guest.hears_all().endswith(f"\n{text}")
            guest.close()
            romeo.states("Connection closed by juliet.\n")
        romeo.end_input()
        visit(programs, port, "three\n")
        romeo.shows("heard one\nheard two\nthree\n")
        romeo.signal(SIGTERM)
        assert romeo.ends() in TERMINATED


class SignalTests:
    """What happens at a signal."""

    @pytest.mark.parametrize(
        ("keyboard", "number", "statuses"),
        [("daemon", SIGTERM, TERMINATED), ("script", SIGTERM, TERMINATED), ("daemon", SIGINT, (0,))],
    )
    def test_romeo(self, programs: Programs, keyboard: str, number: int, statuses: tuple[int, ...]) -> None:
        """His guest gets all that was said and an orderly goodbye, and he ends well."""
        romeo = programs.romeo(stdin=NULL) if keyboard == "daemon" else programs.romeo()
        guest = let_in(programs, romeo.port)
        guest.says("hello\n")
        if keyboard == "script":
            romeo.shows("hello\n")
            romeo.writes("a last word ½")
            romeo.writes("\n")
            guest.hears("a last word ½\n")
        self.ends_well(romeo, guest, number, statuses)

    @pytest.mark.parametrize(("number", "statuses"), [(SIGTERM, TERMINATED), (SIGINT, (0,))])
    def test_juliet(self, programs: Programs, number: int, statuses: tuple[int, ...]) -> None:
        """So does Romeo, and she ends well."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--plain", stdin=NULL)
        romeo = programs.answer(listener)
        romeo.says("hello ½\n")
        juliet.shows("hello ½\n")
        self.ends_well(juliet, romeo, number, statuses)
        assert juliet.output.everything() == "hello ½\n".encode()

    def test_nobody_there(self, programs: Programs) -> None:
        """Who waits or calls in vain ends as well."""
        romeo = programs.romeo(stdin=NULL)
        romeo.states("Listening")
        listener = programs.listener()
        listener.close()
        juliet = programs.juliet(listener.port)
        juliet.states("no answer")
        for program in (romeo, juliet):
            program.signal(SIGTERM)
            assert program.ends() in TERMINATED

    def ends_well(self, program: Program, peer: Peer, number: int, statuses: tuple[int, ...]) -> None:
        """Send the signal, and see both ends of it."""
        program.signal(number)
        peer.hears_all()
        peer.close()
        assert program.ends() in statuses
        assert "Traceback" not in program.errors.everything().decode()


class BusyTests:
    """A second caller."""

    def test_is_turned_away(self, programs: Programs) -> None:
        """It gets one line that says so and is closed, and the conversation does not notice."""
        romeo = programs.romeo()
        port = romeo.port
        guest = programs.caller(port)
        romeo.states("Connected to juliet (")
        second = programs.caller(port)
        second.says("let me in\n")
        answer = second.hears_all()
        assert answer.startswith("* ")
        assert "busy" in answer
        assert answer.index("\n") == len(answer) - 1
        second.close()
        guest.says("as if nothing had happened\n")
        romeo.shows("as if nothing had happened\n")
        romeo.writes("so it is\n")
        romeo.end_input()
        assert guest.hears_all() == "so it is\n"
        guest.close()
        assert romeo.ends() == 0
        assert romeo.output.everything() == b"as if nothing had happened\n"
