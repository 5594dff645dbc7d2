"""Tests of `techboy.romeo`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from techboy import exits, romeo
from techboy.doors.busy import TurnedAway
from techboy.doors.plain import PlainDoor
from techboy.romeo import Options, Romeo
from tests.programs import Running
from tests.transports import JULIET, FakeTransport, connected


def running(*arguments: str) -> Running:
    """Return a Romeo that was given ``arguments`` and is about to start."""
    return Running(Romeo, Options(), list(arguments))


def call(romeo: Running) -> FakeTransport:
    """Connect a caller."""
    factory = romeo.reactor.tcpServers[0][1]
    return connected(factory.buildProtocol(JULIET))


class ListeningTests:
    """Where Romeo listens."""

    def test_default(self) -> None:
        """He listens on port 4444 of all IPv4 addresses."""
        romeo = running().start()
        assert [(port, interface) for port, _, _, interface in romeo.reactor.tcpServers] == [
            (4444, "0.0.0.0")
        ]
        assert romeo.said == ["Listening for connection on 0.0.0.0:4444..."]

    def test_address(self) -> None:
        """Address and port can be chosen, IPv6 too."""
        romeo = running("--host", "::1", "-p", "5000").start()
        assert romeo.reactor.tcpServers[0][3] == "::1"
        assert romeo.said == ["Listening for connection on [::1]:5000..."]

    def test_endpoints(self) -> None:
        """He listens on as many endpoints as he is given."""
        romeo = running("--listen", "tcp:5000", "--listen", "unix:/run/romeo").start()
        assert len(romeo.reactor.tcpServers) == 1
        assert romeo.said[1] == "Listening for connection on /run/romeo..."

    def test_nothing_before_the_start(self) -> None:
        """Building the service touches nothing."""
        assert running().reactor.tcpServers == []

    @pytest.mark.parametrize("endpoint", ["nonsense:1", "tcp:abc", "tcp", ""])
    def test_bad_endpoint(self, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
        """An endpoint that is none is one line on standard error."""
        with pytest.raises(SystemExit) as ended:
            running("--listen", endpoint).start()
        assert ended.value.code == exits.USAGE
        assert capsys.readouterr().err.startswith(f"romeo: --listen {endpoint}: ")

    def test_no_port(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A port that can't be had is one line on standard error."""
        romeo = running()

        def refuse(*_: object, **__: object) -> None:
            raise CannotListenError("0.0.0.0", 4444, OSError(98, "Address already in use"))

        romeo.reactor.listenTCP = refuse  # type: ignore[assignment]
        with pytest.raises(SystemExit) as ended:
            romeo.start()
        assert ended.value.code == exits.NO_LISTENING
        assert capsys.readouterr().err == "romeo: can't listen on 0.0.0.0:4444: Address already in use\n"

    @pytest.mark.parametrize(
        ("error", "why"), [(RuntimeError("no such thing"), "no such thing"), (KeyError(), "KeyError")]
    )
    def test_refused_later(self, error: Exception, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that fails only later ends the program as well."""
        later: Deferred[Any] = Deferred()

        @implementer(IStreamServerEndpoint)
        class Endpoint:
            def listen(self, factory: object) -> Deferred[Any]:
                return later

        monkeypatch.setattr(romeo, "serverFromString", lambda *_: Endpoint())
        program = running("--listen", "later").start()
        later.errback(error)
        program.stop()
        assert program.said == [f"romeo: can't listen on later: {why}"]
        assert program.status == exits.NO_LISTENING
        assert program.reactor.stops == 1

    def test_failed_at_once(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An endpoint that fails without raising ends the program too."""

        @implementer(IStreamServerEndpoint)
        class Endpoint:
            def listen(self, factory: object) -> Deferred[Any]:
                return fail(RuntimeError("no such thing"))

        monkeypatch.setattr(romeo, "serverFromString", lambda *_: Endpoint())
        with pytest.raises(SystemExit):
            running("--listen", "never").start()
        assert "no such thing" in capsys.readouterr().err


class GuestTests:
    """Who comes, and how it ends."""

    def test_one_guest(self) -> None:
        """One guest is let in; the next caller is told that Romeo is busy, until the first has left."""
        romeo = running("--name", "montague").start()
        guest, caller = call(romeo), call(romeo)
        assert isinstance(guest.protocol, PlainDoor)
        assert isinstance(caller.protocol, TurnedAway)
        assert caller.flush() == b"* montague is busy talking to somebody else; try again later\n"
        guest.peer_closes()
        guest.flush()
        assert isinstance(call(romeo).protocol, PlainDoor)

    def test_daemon_stays(self) -> None:
        """Without a keyboard, he waits for the next guest when one has left."""
        romeo = running().start()
        guest = call(romeo)
        guest.receive(b"hello\nexit\n")
        guest.flush()
        guest.peer_closes()
        assert romeo.said[1:] == ["Connected to juliet ('127.0.0.1', 33770)", "Connection closed by juliet."]
        assert romeo.reactor.stops == 0

    def test_once(self) -> None:
        """With --once, he ends when the first guest has left."""
        romeo = running("--once").start()
        guest = call(romeo)
        guest.peer_closes()
        guest.flush()
        assert romeo.reactor.stops == 1
        romeo.stop()
        assert romeo.status == exits.OK

    def test_line_limit(self) -> None:
        """The longest line that he takes is the one he was told."""
        romeo = running("--max-line", "64").start()
        guest = call(romeo)
        guest.receive(b"x" * 65 + b"\n")
        assert guest.flush() == b"* a line of more than 64 bytes was not taken\n"

    def test_stopped(self) -> None:
        """When he is stopped he says goodbye, and is done when the guest has answered."""
        romeo = running().start()
        guest = call(romeo)
        done = romeo.stop()
        assert guest.events == ["half close"]
        assert not done.called
        guest.flush()
        guest.peer_closes()
        assert done.called
        assert romeo.said[-1] == "Connection closed."
        assert romeo.reactor.stops == 0

    def test_interrupted(self) -> None:
        """Ctrl-C says goodbye and ends him."""
        romeo = running().start()
        guest = call(romeo)
        romeo.interrupt()
        guest.flush()
        guest.peer_closes()
        assert romeo.reactor.stops == 1

    def test_broken_connection(self) -> None:
        """A guest whose connection breaks may come again."""
        romeo = running("--once").start()
        call(romeo).breaks()
        assert romeo.said[-1] == "Connection to juliet lost."
        assert isinstance(call(romeo).protocol, PlainDoor)
