"""The host's own door: a daemon, and the host who comes and goes."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.functional.programs import (
    NULL,
    NativePeer,
    Peer,
    Programs,
    Terminal,
    refusal,
    wait_until,
)
from tests.functional.test_daemon import TERMINATED
from tests.screen import CTRL_C, CTRL_D

DOOR = "own"
"""The path of the door, as the programs see it."""


class Daemon:
    """A Romeo without a keyboard, with a door of the host's own."""

    def __init__(self, programs: Programs, *options: str, port: int = 0) -> None:
        self._programs, self._options = programs, options
        self.program = programs.romeo("--socket", DOOR, *options, port=port, stdin=NULL)
        self.port = self.program.port
        self.program.states(f"Listening for connection on {DOOR}...")

    def again(self) -> Daemon:
        """Start it again, at the same places."""
        return Daemon(self._programs, *self._options, port=self.port)

    def guest(self) -> Peer:
        """Return a guest who has been greeted."""
        peer = self._programs.caller(self.port)
        peer.heard.until(r"\* \d+ here: .*\n")
        return peer

    def attach(self, *options: str) -> Terminal:
        """Return a terminal at which the host is, who has been greeted."""
        terminal = self._programs.terminal("juliet", "--socket", DOOR, *options)
        terminal.until(r"\d+ here: [^\n]*\n")
        return terminal


def says(guest: Peer, text: str) -> None:
    """Let ``guest`` say a line, and wait until it is stored."""
    guest.says(f"{text}\n")

    def is_stored() -> bool:
        guest.says("/last 1\n")
        answer = guest.heard.until(r"(\* there are no messages yet|\[\d\d:\d\d\] .*)\n")
        return answer[1].decode().endswith(f": {text}")

    wait_until(is_stored)


def greeted(peer: NativePeer, **known: object) -> dict[str, object]:
    """Let ``peer`` say hello, and return what it is answered."""
    peer.tells({"type": "hello", "version": 1, "name": "nurse", **known})
    return peer.told("welcome")


class AttachTests:
    """The host at a terminal."""

    @pytest.mark.parametrize("goodbye", ["exit\n", "/quit\n", CTRL_D, CTRL_C])
    def test_comes_and_goes(self, programs: Programs, goodbye: str) -> None:
        """The host is shown what was missed, talks and goes, and the daemon stays; later only what is new."""
        daemon = Daemon(programs)
        guest = daemon.guest()
        says(guest, "is anybody there?")
        host = daemon.attach()
        host.until(r"\[\d\d:\d\d\] guest1: is anybody there\?")
        guest.hears("* romeo joined\n")
        host.writes("good day ½\n")
        guest.hears("romeo: good day ½\n")
        says(guest, "hello")
        host.shows("guest1: hello")
        host.writes(goodbye)
        assert host.ends() == 0
        assert host.as_before
        guest.hears("* romeo left\n")
        says(guest, "gone?")
        host = programs.terminal("juliet", "--socket", DOOR)
        assert "guest1: hello" not in host.until(r"\A.*\[\d\d:\d\d\] guest1: gone\?")[0]

    def test_two_terminals(self, programs: Programs) -> None:
        """At two terminals the host is one for the guests; /shutdown at either ends it for everybody."""
        daemon = Daemon(programs)
        guest = daemon.guest()
        one, two = daemon.attach(), daemon.attach()
        guest.hears("* romeo joined\n")
        one.writes("from one\n")
        two.shows("romeo: from one")
        guest.says("/who\n/msg romeo psst\n")
        guest.hears("* 2 here: guest1, romeo\n")
        for host in (one, two):
            host.shows("guest1 says to you: psst")
        one.writes("exit\n")
        assert one.ends() == 0
        two.writes("from two\n/shutdown\n")
        heard = guest.hears_all()
        assert heard.endswith("romeo: from two\n* romeo is leaving\n")
        assert "romeo left" not in heard
        guest.close()
        assert (two.ends(), daemon.program.ends()) == (0, 0)

    def test_killed(self, programs: Programs) -> None:
        """Where her program is killed the host is gone, and what was not surely seen is shown again."""
        daemon = Daemon(programs)
        guest = daemon.guest()
        host = daemon.attach()
        guest.hears("* romeo joined\n")
        says(guest, "hello")
        host.shows("guest1: hello")
        host.kill()
        guest.hears("* romeo left\n")
        daemon.attach().shows("guest1: hello")

    def test_beside_the_keyboard(self, programs: Programs) -> None:
        """A host who sits at Romeo's own terminal is the same, and stays when the other goes."""
        romeo = programs.terminal(
            "romeo", "--host", "127.0.0.1", "--port", "0", "--guests", "5", "--socket", DOOR
        )
        port = romeo.port
        romeo.shows(f"Listening for connection on {DOOR}...")
        guest = programs.caller(port)
        guest.heard.until(r"2 here: romeo, guest1\n")
        host = programs.terminal("juliet", "--socket", DOOR)
        host.shows("2 here: romeo, guest1")
        romeo.writes("at home\n")
        host.shows("romeo: at home")
        host.writes("abroad\n")
        romeo.shows("romeo: abroad")
        host.writes("exit\n")
        assert host.ends() == 0
        romeo.writes("still here\n")
        guest.hears("romeo: still here\n")
        assert b"joined" not in guest.heard.data
        assert b"left" not in guest.heard.data

    def test_full(self, programs: Programs) -> None:
        """However full the house, the host gets in."""
        daemon = Daemon(programs, "--guests", "1")
        daemon.guest()
        daemon.attach().writes("/shutdown\n")
        assert daemon.program.ends() == 0


class PipeTests:
    """A script at the host's own door."""

    def test_line(self, programs: Programs) -> None:
        """It says its lines as the host, and ends; nobody is told that somebody came or went."""
        daemon = Daemon(programs)
        guest = daemon.guest()
        juliet = programs.twist("juliet", "--socket", DOOR)
        juliet.writes("back at nine\n")
        juliet.end_input()
        assert juliet.ends() == 0
        assert juliet.output.everything() == b""
        guest.hears("romeo: back at nine\n")
        guest.says("exit\n")
        heard = guest.hears_all()
        assert "joined" not in heard
        assert "left" not in heard

    def test_nobody(self, programs: Programs) -> None:
        """With nobody behind it she calls until she is to give up, and the status tells."""
        juliet = programs.twist("juliet", "--socket", DOOR, "--timeout", "0.5")
        juliet.writes("back at nine\n")
        juliet.end_input()
        juliet.states("* no answer: no such socket; calling again until there is one\n")
        juliet.states("no answer from own in 0.5 s; 1 line is not stored, and lost\n")
        assert juliet.ends() == 69

    def test_later(self, programs: Programs) -> None:
        """What was said before the daemon is there is said when it is."""
        juliet = programs.twist("juliet", "--socket", DOOR)
        juliet.writes("back at nine\n")
        juliet.end_input()
        juliet.states("no answer")
        daemon = Daemon(programs)
        assert juliet.ends() == 0
        guest = programs.caller(daemon.port)
        guest.hears("romeo: back at nine\n")


class DoorTests:
    """The socket."""

    def test_private(self, programs: Programs) -> None:
        """It is for its owner alone, and removed in the end."""
        daemon = Daemon(programs)
        path = programs.folder / DOOR
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        daemon.guest().close()  # who was let in only when signals are heard, too
        daemon.program.signal(SIGTERM)
        assert daemon.program.ends() in TERMINATED
        assert [*programs.folder.iterdir()] == []

    def test_second_daemon(self, programs: Programs) -> None:
        """Another program can't have it, and leaves it alone."""
        daemon = Daemon(programs)
        second = programs.romeo("--socket", DOOR, stdin=NULL)
        assert refusal(second, 71) == "romeo: can't listen on own: Address already in use\n"
        daemon.attach()

    def test_plain_lines(self, programs: Programs) -> None:
        """Who speaks plain lines there is told what it takes."""
        Daemon(programs)
        peer = programs.own_caller(programs.folder / DOOR)
        peer.says("hello\n")
        assert peer.hears_all() == "* this is the operator's socket: use twist juliet --socket\n"

    def test_tokens(self, programs: Programs) -> None:
        """A token of either door is nobody's at the other."""
        daemon = Daemon(programs)
        host, guest = programs.own_caller(programs.folder / DOOR), programs.native_caller(daemon.port)
        tokens = [greeted(peer)["session"] for peer in (host, guest)]
        as_guest = greeted(programs.native_caller(daemon.port), session=tokens[0])
        as_host = greeted(programs.own_caller(programs.folder / DOOR), session=tokens[1])
        assert (as_guest["name"], as_host["name"]) == ("nurse2", "romeo")
        assert len({*tokens, as_guest["session"], as_host["session"]}) == 4


class RestartTests:
    """A daemon that ends, and is started again, while the host is there."""

    @pytest.mark.parametrize("kept", [True, False])
    def test_terminated(self, programs: Programs, kept: bool) -> None:
        """The host is back as soon as it is, and says and hears all that there is."""
        state = ["--state", "state"] if kept else []
        daemon = Daemon(programs, *state)
        guest = daemon.guest()
        host = daemon.attach()
        guest.says("one\n")
        host.shows("guest1: one")
        daemon.program.signal(SIGTERM)
        assert guest.hears_all().endswith("* romeo is leaving\n")
        guest.close()
        assert daemon.program.ends() in TERMINATED
        host.shows("Connection to romeo lost.")
        host.writes("said meanwhile\n")
        daemon = daemon.again()
        host.shows("Connected to romeo")
        guest = programs.caller(daemon.port)
        guest.hears("romeo: said meanwhile\n")
        says(guest, "two")
        host.shows("guest1: two")
        host.writes("exit\n")
        assert host.ends() == 0

    def test_killed(self, programs: Programs) -> None:
        """Where it was killed the socket it left is replaced; how far the host had read is known."""
        daemon = Daemon(programs, "--state", "state")
        guest = daemon.guest()
        says(guest, "one")
        host = daemon.attach()
        host.shows("guest1: one")
        host.writes("exit\n")
        assert host.ends() == 0
        says(guest, "two")
        daemon.program.kill()
        assert (programs.folder / DOOR).is_socket()
        host = daemon.again().attach()
        assert "one" not in host.until(r"\A.*guest1: two")[0]

    def test_silent_disk(self, programs: Programs) -> None:
        """Where the disk does not answer any more, all are told, and the status tells what was not stored."""
        daemon = Daemon(programs, "--state", "state")
        guest = daemon.guest()
        says(guest, "stored")
        file = programs.folder / "state" / "romeo.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            guest.says("never stored\n")
            daemon.program.signal(SIGTERM)
            assert guest.hears_all().endswith("* romeo is leaving\n")
            guest.close()
            assert daemon.program.ends() == 74
        daemon.program.states("romeo: some messages could not be saved\n")


class DrainTests:
    """A daemon that is ended."""

    def test_nothing_is_lost(self, programs: Programs) -> None:
        """What a guest said and was acknowledged is there when it is started again."""
        daemon = Daemon(programs, "--state", "state", "--rate", "0")
        talker = programs.native_caller(daemon.port)
        greeted(talker)
        for number in range(1, 2001):
            talker.tells({"type": "message", "kind": "text", "text": str(number), "seq": number})
        talker.told("ack")
        daemon.program.signal(SIGTERM)
        last = acknowledged(talker)[-1]
        assert daemon.program.ends() in TERMINATED
        assert said_in(programs.folder / "state") == [str(number) for number in range(1, last)]

    def test_no_new_callers(self, programs: Programs) -> None:
        """While its last guest is waited for nobody else comes in, by either door."""
        daemon = Daemon(programs)
        guest = daemon.guest()
        daemon.program.signal(SIGTERM)
        guest.hears("* romeo is leaving\n")
        wait_until(lambda: not (programs.folder / DOOR).exists())
        with pytest.raises(ConnectionRefusedError):
            programs.caller(daemon.port)
        guest.close()
        assert daemon.program.ends() in TERMINATED


def acknowledged(peer: NativePeer) -> list[int]:
    """Return the numbers before which all is stored, as ``peer`` was told until it was closed."""
    frames = [json.loads(line) for line in peer.hears_all().splitlines()]
    return [frame["next_seq"] for frame in frames if frame["type"] == "ack"]


def said_in(folder: Path) -> list[str]:
    """Return all lines that are kept in ``folder``."""
    with closing(sqlite3.connect(folder / "romeo.sqlite")) as connection:
        texts = connection.execute("SELECT text FROM batch ORDER BY first").fetchall()
    return [line for (text,) in texts for line in text.split("\n")]
