"""Tests of `techboy.endpoints`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory

from techboy import endpoints
from techboy.doors.passed import PassedSocket
from techboy.endpoints import is_passed, on_loopback, passed, reason_for, server
from tests.programs import FakeReactor


class Passed:
    """Sockets as a service manager passes them, in the hands of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[Any] = []
        self.environ = {"LISTEN_FDNAMES": "some"}
        monkeypatch.setattr(endpoints, "serverFromString", self._endpoint)

    def add(self, opened: Any) -> None:
        """Pass ``opened`` too."""
        self.opened.append(opened)

    def _endpoint(self, reactor: object, text: str) -> AdoptedStreamServerEndpoint:
        kind, domain, index = text.split(":")
        assert kind == "systemd"
        family = socket.AddressFamily["AF_" + domain.removeprefix("domain=")]
        descriptor = self.opened[int(index.removeprefix("index="))].fileno()
        return AdoptedStreamServerEndpoint(reactor, descriptor, family)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Passed]:
    """Give what passes sockets, all closed in the end."""
    passing = Passed(monkeypatch)
    yield passing
    for opened in passing.opened:
        opened.close()


class ServerTests:
    """What a description makes."""

    def test_listens(self) -> None:
        """It is Twisted's endpoint, with the reactor that was given."""
        reactor = FakeReactor()
        server(reactor, "tcp:5000:interface=127.0.0.1").listen(ServerFactory())
        assert [(port, host) for port, _, _, host in reactor.tcpServers] == [(5000, "127.0.0.1")]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("nosuch:1", "nosuch:1: Unknown endpoint type: 'nosuch'"),
            ("tcp:many", "tcp:many: invalid literal for int() with base 10: 'many'"),
            ("systemd:domain=INET:index=5000", "systemd:domain=INET:index=5000: list index out of range"),
            ("", ": Unknown endpoint type: ''"),
        ],
    )
    def test_refused(self, text: str, why: str) -> None:
        """A text that describes nothing is refused in one line, with the reason."""
        with pytest.raises(ValueError, match=":") as refused:
            server(FakeReactor(), text)
        assert str(refused.value) == why

    def test_passed(self, manager: Passed, tmp_path: Path) -> None:
        """A UNIX socket that was passed is not treated as the program's own."""
        manager.add(socket.socket(socket.AF_UNIX))
        assert isinstance(server(FakeReactor(), "systemd:domain=UNIX:index=0"), PassedSocket)
        assert not isinstance(server(FakeReactor(), "systemd:domain=INET:index=0"), PassedSocket)

    def test_is_passed(self) -> None:
        """It can be told what has to be passed from what can be opened."""
        assert is_passed("systemd:domain=INET:index=0")
        assert not is_passed("unix:/run/systemd:mode=600")


class OnLoopbackTests:
    """Where figures are shown that are not for everybody."""

    @pytest.mark.parametrize(
        ("text", "described"),
        [
            ("tcp:9100", "tcp:9100:interface=127.0.0.1"),
            ("tcp:port=9100", "tcp:port=9100:interface=127.0.0.1"),
            ("tcp:9100:backlog=5", "tcp:9100:backlog=5:interface=127.0.0.1"),
            ("tcp6:9100", r"tcp6:9100:interface=\:\:1"),
            ("ssl:9100:privateKey=a", "ssl:9100:privateKey=a:interface=127.0.0.1"),
        ],
    )
    def test_unless_told(self, text: str, described: str) -> None:
        """A port without an address is one of this machine alone."""
        assert on_loopback(text) == described

    @pytest.mark.parametrize(
        "text",
        [
            "tcp:9100:interface=0.0.0.0",
            "tcp:9100:10.0.0.1",
            r"tcp6:9100:interface=\:\:",
            r"tcp6:9100:\:\:",
            "ssl:9100:a:b:SSLv23_METHOD:10.0.0.1",
            "unix:/run/metrics",
            "systemd:domain=INET:index=0",
            "nosuch",
            "",
        ],
    )
    def test_told(self, text: str) -> None:
        """What says where, or needs no address, stays as it is."""
        assert on_loopback(text) == text

    def test_listens_there(self) -> None:
        """The address is one that can be listened on."""
        reactor = FakeReactor()
        for text in ("tcp:9100", "tcp6:9100"):
            server(reactor, on_loopback(text)).listen(ServerFactory())
        assert [host for _, _, _, host in reactor.tcpServers] == ["127.0.0.1", "::1"]

    def test_number(self) -> None:
        """A number alone is not guessed at."""
        with pytest.raises(ValueError, match=r"^an endpoint as tcp:9100 is wanted, not '9100'$"):
            on_loopback("9100")


class PassedTests:
    """What a service manager passes."""

    def test_nothing(self, manager: Passed) -> None:
        """Mostly it is nothing."""
        assert passed({}) == []
        assert passed(manager.environ) == []

    def test_families(self, manager: Passed) -> None:
        """Each socket is described as what it is."""
        for family in (socket.AF_UNIX, socket.AF_INET):
            manager.add(listener := socket.socket(family))
            listener.bind("" if family is socket.AF_UNIX else ("127.0.0.1", 0))
            listener.listen()
        assert passed(manager.environ) == ["systemd:domain=UNIX:index=0", "systemd:domain=INET:index=1"]

    def test_no_ear(self, manager: Passed) -> None:
        """A socket that nobody can call is refused by its number."""
        manager.add(socket.socket())
        number = manager.opened[0].fileno()
        with pytest.raises(ValueError, match=f"^descriptor {number} is no socket that can be called$"):
            passed(manager.environ)

    def test_no_socket(self, manager: Passed, tmp_path: Path) -> None:
        """So is what is no socket."""
        (tmp_path / "file").touch()
        number = os.open(tmp_path / "file", os.O_RDONLY)
        manager.add(os.fdopen(number))
        with pytest.raises(ValueError, match=f"^descriptor {number}: Socket operation on non-socket$"):
            passed(manager.environ)


class ReasonForTests:
    """Why something can't be listened on."""

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (CannotListenError("a", 1, OSError(98, "Address already in use")), "Address already in use"),
            (OSError(13, os.strerror(13)), "Permission denied"),
            (ValueError("one\ntwo"), "one"),
            (KeyError(), "KeyError"),
        ],
    )
    def test_reason(self, error: Exception, why: str) -> None:
        """It is one line, and what the system says."""
        assert reason_for(error) == why
