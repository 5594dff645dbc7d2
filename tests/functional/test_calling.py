"""Juliet on her way to Romeo: calling, calling again, and giving up."""

from __future__ import annotations

from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from techboy.exit_status import UNAVAILABLE
from tests.functional.programs import NULL, Programs, free_port, has_ipv6, wait_until

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")

TCP_TABLE = Path("/proc/net/tcp")
SYN_SENT = "02"


class GivingUpTests:
    """Calls that nobody answers."""

    def test_timeout(self, programs: Programs) -> None:
        """With `--timeout` she gives up, says so and ends with a status of its own."""
        juliet = programs.juliet(free_port(), "--timeout", "1", stdin=programs.file("script", "hello\n"))
        assert juliet.ends() == UNAVAILABLE
        states = juliet.errors.everything().decode()
        assert states.count("* no answer: connection refused") == 1
        assert "juliet: no answer from 127.0.0.1:" in states
        assert "Traceback" not in states


class AddressTests:
    """Where she can call."""

    def test_name(self, programs: Programs) -> None:
        """A name does as well as an address."""
        romeo = programs.romeo()
        juliet = programs.twist("juliet", "--host", "localhost", "--port", str(romeo.port))
        romeo.states("Connected to juliet ('127.0.0.1', ")
        romeo.writes("hello\n")
        juliet.shows("hello\n")
        juliet.end_input()
        romeo.end_input()
        assert (juliet.ends(), romeo.ends()) == (0, 0)

    @needs_ipv6
    @pytest.mark.parametrize("host", ["::1", "localhost"])
    def test_ipv6(self, programs: Programs, host: str) -> None:
        """IPv6 addresses do, and so does a name that has one among its addresses."""
        if host == "localhost" and not has_ipv6(host):
            pytest.skip("here, localhost has no IPv6 address")
        romeo = programs.twist("romeo", "--host", "::1", "--port", "0")
        juliet = programs.twist("juliet", "--host", host, "--port", str(romeo.port))
        romeo.states("Connected to juliet ('::1', ")
        juliet.writes("hello\n")
        romeo.shows("hello\n")
        juliet.end_input()
        romeo.end_input()
        assert (juliet.ends(), romeo.ends()) == (0, 0)

    def test_with_port(self, programs: Programs) -> None:
        """Host and port may be said together, on either side."""
        romeo = programs.twist("romeo", "--host", "127.0.0.1:0")
        juliet = programs.twist("juliet", "--host", f"localhost:{romeo.port}")
        romeo.states("Connected to juliet ('127.0.0.1', ")
        juliet.end_input()
        romeo.end_input()
        assert (juliet.ends(), romeo.ends()) == (0, 0)


class TypingTests:
    """What is typed while she calls."""

    @pytest.mark.skipif(not TCP_TABLE.exists(), reason="Linux tells in /proc what a connection's state is")
    def test_call_under_way(self, programs: Programs) -> None:
        """A line that is typed at the moment when Romeo answers does not cost the connection."""
        listener = programs.listener(backlog=0)
        in_the_way = programs.caller(listener.port)
        juliet = programs.juliet_in_terminal(listener.port, "--plain")
        juliet.shows("Calling")
        wait_until(lambda: f":{listener.port:04X} {SYN_SENT} " in TCP_TABLE.read_text())
        juliet.signal(SIGSTOP)
        juliet.writes("hello\n")
        programs.answer(listener)
        in_the_way.close()
        romeo = programs.answer(listener)  # the kernel's doing: she can't notice yet
        juliet.signal(SIGCONT)
        romeo.hears("hello\n")


class EndTests:
    """How a connection of hers ends."""

    def test_orderly_close(self, programs: Programs) -> None:
        """When Romeo closes, all that he said is shown and she ends well."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--plain")
        romeo = programs.answer(listener)
        romeo.says("one\ntwo, without an end ½")
        romeo.close()
        assert juliet.ends() == 0
        assert juliet.output.everything().decode() == "one\ntwo, without an end ½\n"

    def test_end_of_input(self, programs: Programs) -> None:
        """At the end of her input she closes her half, shows what still comes, and ends with Romeo."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--plain", stdin=programs.file("script", "all that I say\n"))
        romeo = programs.answer(listener)
        assert romeo.hears_all() == "all that I say\n"
        for text in ("one\n", "two\n"):
            romeo.says(text)
            juliet.shows(text)
        romeo.close()
        assert juliet.ends() == 0

    def test_reset(self, programs: Programs) -> None:
        """When the connection breaks she calls again, and says then what was typed meanwhile."""
        listener = programs.listener()
        juliet = programs.juliet_in_terminal(listener.port, "--plain")
        romeo = programs.answer(listener)
        juliet.shows("Connected to romeo")
        juliet.writes("before\n")
        romeo.hears("before\n")
        listener.close()
        romeo.reset()
        juliet.shows("Connection to romeo lost.")
        juliet.shows("no answer: connection refused")
        juliet.writes("one ½\n")
        juliet.writes("two\n")
        juliet.shows("two")
        listener = programs.listener(listener.port)
        romeo = programs.answer(listener)
        romeo.hears("one ½\ntwo\n")
        romeo.says("welcome back\n")
        juliet.shows("romeo: welcome back")
        juliet.writes("exit\n")
        assert romeo.hears_all() == "one ½\ntwo\n"
        romeo.close()
        assert juliet.ends() == 0
        assert juliet.as_before

    def test_service_calls_again(self, programs: Programs) -> None:
        """Without a keyboard she listens, also after a break, until Romeo closes."""
        listener = programs.listener()
        juliet = programs.juliet(listener.port, "--plain", stdin=NULL)
        first = programs.answer(listener)
        first.says("one\n")
        juliet.shows("one\n")
        first.reset()
        second = programs.answer(listener)
        second.says("two\n")
        second.close()
        assert juliet.ends() == 0
        assert juliet.output.everything() == b"one\ntwo\n"
