"""Connections that end without a goodbye, on real sockets: the server notices at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.programs import LOOPBACK, NULL, NativePeer, Peer, Program, Programs, wait_until
from tests.functional.test_native_peers import HELLO, come

# nothing here waits for a ping to be unanswered: that would take twice as long as DEADLINE

CLOSE = pytest.mark.parametrize("close", [Peer.finish, Peer.close], ids=["half", "whole"])


def answer(peer: Peer, command: str) -> str:
    """Return the notice that ``peer`` is answered to ``command``."""
    peer.says(f"{command}\n")
    return peer.heard.until(r"\* .*\n")[0].decode()


def is_away(guest: Peer, name: str) -> bool:
    """Whether the member called ``name`` is away, as ``guest`` is told."""
    return f"{name} (away)" in answer(guest, "/who")


def is_let_in(programs: Programs, port: int) -> bool:
    """Whether somebody who calls ``port`` now is let in."""
    caller = programs.native_caller(port)
    caller.tells(HELLO)
    welcome = b"welcome" in caller.heard.until(r".*\n")[0]
    if not welcome:
        caller.close()
    return welcome


class ManyTests:
    """A server of many."""

    @CLOSE
    def test_native(self, programs: Programs, close: Callable[[Peer], None]) -> None:
        """A native client is away, and a message to it is not delivered, and not said to be."""
        port = programs.romeo(stdin=NULL, stdout=NULL).port
        juliet, _ = come(programs, port)
        nurse = programs.caller(port)
        nurse.hears("2 here")
        close(juliet)
        wait_until(lambda: is_away(nurse, "juliet"))
        assert "your message was not delivered" in answer(nurse, "/msg juliet psst")
        if close is Peer.finish:
            juliet.hears_all()

    @CLOSE
    def test_plain(self, programs: Programs, close: Callable[[Peer], None]) -> None:
        """A plain client has left."""
        port = programs.romeo(stdin=NULL, stdout=NULL).port
        nurse = programs.caller(port)
        nurse.hears("1 here")
        other = programs.caller(port)
        nurse.hears("* guest2 joined\n")
        close(other)
        nurse.hears("* guest2 left\n")
        if close is Peer.finish:
            other.hears_all()

    def test_killed(self, programs: Programs) -> None:
        """A client that is killed is away."""
        port = programs.romeo(stdin=NULL, stdout=NULL).port
        nurse = programs.caller(port)
        nurse.hears("1 here")
        juliet = programs.juliet(port)
        nurse.hears("* juliet joined\n")
        juliet.kill()
        wait_until(lambda: is_away(nurse, "juliet"))

    @CLOSE
    def test_unwelcome(self, programs: Programs, close: Callable[[Peer], None]) -> None:
        """A client that closes in the middle of its hello is not waited for."""
        port = programs.romeo("--guests", "1", stdin=NULL, stdout=NULL).port
        caller = programs.native_caller(port)
        caller.says('{"type": "hello", "version": 1, ')
        close(caller)
        if close is Peer.finish:
            assert caller.hears_all() == ""
        wait_until(lambda: is_let_in(programs, port))


class OwnDoorTests:
    """The admin socket."""

    @pytest.fixture
    def handler(self, root: Path) -> Path:
        return root / "own"

    @pytest.fixture
    def guest(self, programs: Programs, handler: Path) -> Peer:
        """Return a client of a server that has an admin socket."""
        guest = programs.caller(programs.romeo("--socket", str(handler), stdin=NULL, stdout=NULL).port)
        guest.hears("1 here")
        return guest

    @CLOSE
    def test_closed(
        self, programs: Programs, handler: Path, guest: Peer, close: Callable[[Peer], None]
    ) -> None:
        """An operator whose connection is closed has left."""
        operator = programs.own_caller(handler)
        operator.tells(HELLO)
        guest.hears("* romeo joined\n")
        close(operator)
        guest.hears("* romeo left\n")

    def test_killed(self, programs: Programs, handler: Path, guest: Peer) -> None:
        """An operator whose program is killed has left."""
        operator = programs.terminal("juliet", "--socket", str(handler))
        guest.hears("* romeo joined\n")
        operator.kill()
        guest.hears("* romeo left\n")


def talks(romeo: Program, caller: Peer) -> None:
    """Let ``caller`` say something that is shown."""
    if isinstance(caller, NativePeer):
        caller.tells(HELLO)
        caller.told("welcome")
        caller.tells({"type": "message", "kind": "text", "text": "here I am", "seq": 1})
    else:
        caller.says("here I am\n")
    romeo.shows("here I am\n")


class TwoTests:
    """A conversation of two."""

    def romeo(self, programs: Programs) -> Program:
        """Return a server that waits for the next client when one is gone."""
        return programs.twist("--log-file", "log", "romeo", "--host", LOOPBACK, "--port", "0", "--keep-open")

    @CLOSE
    @pytest.mark.parametrize("native", [True, False], ids=["native", "plain"])
    def test_closed(self, programs: Programs, native: bool, close: Callable[[Peer], None]) -> None:
        """The next caller is let in as soon as the connection is closed."""
        romeo = self.romeo(programs)
        port = romeo.port
        caller = programs.native_caller if native else programs.caller
        first = caller(port)
        talks(romeo, first)
        close(first)
        romeo.errors.until(r"Connection (closed by juliet|to juliet lost)\.\n")
        wait_until(lambda: is_let_in(programs, port))

    def test_killed(self, programs: Programs) -> None:
        """So it is when the client is killed."""
        romeo = self.romeo(programs)
        port = romeo.port
        juliet = programs.juliet(port)
        romeo.states("Connected to juliet")
        juliet.kill()
        romeo.states("Connection to juliet lost.\n")
        talks(romeo, programs.caller(port))
