"""Tests of `techboy.config.endpoints`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory

from techboy.config.endpoints import (
    descriptors,
    inherited_sockets,
    initial_environment,
    is_passed,
    on_loopback,
    reason_for,
    server,
)
from techboy.net.inherited_socket import InheritedEndpoint
from tests.marks import needs_inheritance, needs_unix_sockets
from tests.programs import FakeReactor

PASSED_FROM = 500
"""The first descriptor of those that the test passes."""


class Passed:
    """Sockets as a service manager passes them, in the hands of the test."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, opened: Any) -> int:
        """Pass ``opened``, which is closed here; return the number of its descriptor."""
        with opened:
            descriptor = os.dup2(opened.fileno(), PASSED_FROM + self._count)
        self._count += 1
        return descriptor

    def descriptors(self) -> range:
        """Return the descriptors, of which nothing says any names."""
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(self._count)}
        return descriptors(environ, PASSED_FROM)

    def close(self) -> None:
        """Close them."""
        os.closerange(PASSED_FROM, PASSED_FROM + self._count)


@pytest.fixture
def manager() -> Iterator[Passed]:
    """Give what passes sockets, all closed in the end."""
    with closing(Passed()) as passing:
        yield passing


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
            (
                "systemd:domain=INET:index=0",
                "systemd:domain=INET:index=0: no such socket was passed: expected an index below 0",
            ),
            ("systemd:domain=NOSUCH:index=0", "systemd:domain=NOSUCH:index=0: list index out of range"),
            ("systemd:domain=INET:name=nosuch", "systemd:domain=INET:name=nosuch: 'nosuch'"),
            ("", ": Unknown endpoint type: ''"),
        ],
    )
    def test_refused(self, text: str, why: str) -> None:
        """A text that describes nothing is refused in one line, with the reason."""
        with pytest.raises(ValueError, match=":") as refused:
            server(FakeReactor(), text)
        assert str(refused.value) == why

    @needs_unix_sockets
    def test_passed(self, manager: Passed, tmp_path: Path) -> None:
        """A UNIX socket that was passed is not treated as the program's own."""
        number = manager.add(socket.socket(socket.AF_UNIX))
        unix = server(FakeReactor(), "systemd:domain=UNIX:index=0", manager.descriptors)
        assert isinstance(unix, InheritedEndpoint)
        for domain in ("INET", "INET6"):
            tcp = server(FakeReactor(), f"systemd:domain={domain}:index=0", manager.descriptors)
            assert isinstance(tcp, AdoptedStreamServerEndpoint)
            assert (tcp.fileno, tcp.addressFamily.name) == (number, f"AF_{domain}")

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
        with pytest.raises(ValueError, match=r"^invalid endpoint '9100': expected for example tcp:9100$"):
            on_loopback("9100")


class DescriptorsTests:
    """Which descriptors a service manager passes."""

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"LISTEN_FDS": "2"},
            {"LISTEN_FDS": "2", "LISTEN_PID": "1"},
            {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
        ],
    )
    def test_none(self, environ: dict[str, str]) -> None:
        """Mostly there are none, or they are another process'."""
        assert list(descriptors(environ)) == []

    @pytest.mark.parametrize("names", [{}, {"LISTEN_FDNAMES": "a"}, {"LISTEN_FDNAMES": "a:b"}])
    def test_some(self, names: dict[str, str]) -> None:
        """They are counted from 3; they need no names, nor as many of them."""
        assert list(descriptors({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid()), **names})) == [3, 4]

    @pytest.mark.parametrize("count", ["", "-1", "two", "1.0", "\u0662"])
    def test_invalid(self, count: str) -> None:
        """A number that is none is refused: what was passed must not be left unanswered."""
        with pytest.raises(ValueError, match=r"^invalid number '.*': expected how many"):
            descriptors({"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid())})

    @needs_inheritance
    def test_started_with(self, tmp_path: Path) -> None:
        """The environment is that with which the process was started."""
        (tmp_path / "environ").write_bytes(b"LISTEN_PID=7\0EMPTY=\0A=b=c\0NAME=\xff\0")
        assert initial_environment(tmp_path / "environ") == {
            "LISTEN_PID": "7",
            "EMPTY": "",
            "A": "b=c",
            "NAME": "\udcff",
        }

    def test_nowhere_to_be_read(self, tmp_path: Path) -> None:
        """Where the system does not tell it, it is the present one."""
        assert initial_environment(tmp_path / "environ") is os.environ


class PassedTests:
    """What a service manager passes."""

    def test_nothing(self, manager: Passed) -> None:
        """Mostly it is nothing."""
        assert inherited_sockets() == []
        assert inherited_sockets(manager.descriptors) == []

    @needs_unix_sockets
    def test_families(self, manager: Passed) -> None:
        """Each socket is described as what it is."""
        for family in (socket.AF_UNIX, socket.AF_INET):
            listener = socket.socket(family)
            listener.bind("" if family is socket.AF_UNIX else ("127.0.0.1", 0))
            listener.listen()
            manager.add(listener)
        assert inherited_sockets(manager.descriptors) == [
            "systemd:domain=UNIX:index=0",
            "systemd:domain=INET:index=1",
        ]

    @needs_inheritance
    def test_no_ear(self, manager: Passed) -> None:
        """A socket that nobody can call is refused by its number."""
        number = manager.add(socket.socket())
        with pytest.raises(ValueError, match=f"^descriptor {number} is not a listening socket$"):
            inherited_sockets(manager.descriptors)

    @needs_inheritance
    def test_no_socket(self, manager: Passed, tmp_path: Path) -> None:
        """So is what is no socket."""
        number = manager.add((tmp_path / "file").open("wb"))
        with pytest.raises(ValueError, match=f"^descriptor {number}: Socket operation on non-socket$"):
            inherited_sockets(manager.descriptors)


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
