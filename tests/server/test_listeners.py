"""Tests of `techboy.server.listeners`."""

from __future__ import annotations

import gc
import os
import socket
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from techboy import exit_status
from techboy.config import endpoints
from techboy.server.listeners import BACKLOG, ListenerService, PrivateSocket, listen_addresses
from tests.marks import needs_unix_sockets
from tests.programs import FakeReactor
from tests.real_reactor import ensure_deferred, reactor


class Ear:
    """Something that listens, and what it says."""

    def __init__(self, *endpoints: str, host: str = "0.0.0.0", port: int = 4444) -> None:
        self.reactor, self.factory = FakeReactor(), ServerFactory()
        self.announced: list[str] = []
        self.refused: list[str] = []
        options: Any = {"host": host, "port": port, "listen": list(endpoints)}
        self.service = ListenerService(
            lambda: listen_addresses(self.reactor, options),
            self.factory,
            self.announced.append,
            self.refused.append,
        )

    def start(self) -> Ear:
        """Listen, and say where."""
        self.service.startService()
        self.service.announced()
        return self


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[Deferred[Any]], None]:
    """Return what makes any endpoint listen with a result of the test's own."""

    def set_result(result: Deferred[Any]) -> None:
        @implementer(IStreamServerEndpoint)
        class Endpoint:
            def listen(self, factory: object) -> Deferred[Any]:
                return result

        monkeypatch.setattr(endpoints, "serverFromString", lambda *_: Endpoint())

    return set_result


class ListeningTests:
    """Where Romeo listens."""

    def test_host_and_port(self) -> None:
        """He listens where he was told, and says so; many may call at once."""
        ear = Ear().start()
        assert ear.reactor.tcpServers == [(4444, ear.factory, BACKLOG, "0.0.0.0")]
        assert ear.announced == ["0.0.0.0:4444"]

    def test_ipv6(self) -> None:
        """An IPv6 address can be listened on too."""
        ear = Ear(host="::1", port=5000).start()
        assert ear.reactor.tcpServers[0][3] == "::1"
        assert ear.announced == ["[::1]:5000"]

    def test_endpoints(self) -> None:
        """He listens on as many endpoints as he is given."""
        ear = Ear("tcp:5000", "unix:/run/romeo").start()
        assert len(ear.reactor.tcpServers) == 1
        assert ear.announced[1] == "/run/romeo"

    def test_nothing_before_the_start(self) -> None:
        """Until he is started, no port is open."""
        assert Ear().reactor.tcpServers == []

    def test_announced_later(self, endpoint: Callable[[Deferred[Any]], None]) -> None:
        """A port that is open only later is announced then."""
        later: Deferred[Any] = Deferred()
        endpoint(later)
        ear = Ear("later").start()
        assert ear.announced == []
        later.callback(FakeReactor().listenTCP(5000, ServerFactory()))
        assert ear.announced == ["0.0.0.0:5000"]

    def test_stopped(self, endpoint: Callable[[Deferred[Any]], None]) -> None:
        """When he is stopped all ports are closed, one that is slow to close is waited for."""
        closed: Deferred[None] = Deferred()
        result: Deferred[Any] = Deferred()
        endpoint(result)
        ear = Ear("slow").start()
        port: Any = FakeReactor().listenTCP(5000, ServerFactory())
        port.stopListening = lambda: closed
        result.callback(port)
        done = ear.service.stopService()
        assert not done.called
        closed.callback(None)
        assert done.called


class RefusedTests:
    """Where he can't listen."""

    @pytest.mark.parametrize("text", ["nonsense:1", "tcp:abc", "tcp", ""])
    def test_bad_endpoint(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """An endpoint that is none is one line on standard error."""
        with pytest.raises(SystemExit) as ended:
            Ear(text).start()
        assert ended.value.code == exit_status.USAGE
        listen_addresses = capsys.readouterr().err
        assert listen_addresses.startswith(f"romeo: --listen {text}: ")
        assert listen_addresses.count("\n") == 1

    def test_no_port(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """A port that can't be had is one line on standard error."""
        ear = Ear()

        def refuse(*_: object, **__: object) -> None:
            raise CannotListenError("0.0.0.0", 4444, OSError(98, "Address already in use"))

        monkeypatch.setattr(ear.reactor, "listenTCP", refuse)
        with pytest.raises(SystemExit) as ended:
            ear.start()
        assert ended.value.code == exit_status.CANNOT_LISTEN
        assert capsys.readouterr().err == "romeo: can't listen on 0.0.0.0:4444: Address already in use\n"

    def test_removed(self, endpoint: Callable[[Deferred[Any]], None]) -> None:
        """Where closing a port fails, as of a socket that was removed, the rest ends in good order."""

        class Port:
            def getHost(self) -> UNIXAddress:
                return UNIXAddress(b"/run/romeo")

            def stopListening(self) -> None:
                raise FileNotFoundError(2, "No such file or directory")

        endpoint(succeed(Port()))
        assert Ear("unix:/run/romeo").start().service.stopService().called

    def test_failed_at_once(
        self, endpoint: Callable[[Deferred[Any]], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An endpoint that fails without raising ends the program too."""
        endpoint(fail(RuntimeError("no such thing")))
        with pytest.raises(SystemExit):
            Ear("never").start()
        assert "romeo: can't listen on never: no such thing\n" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (RuntimeError("no such thing\nat all"), "no such thing"),
            (KeyError(), "KeyError"),
            (OSError(13, "Permission denied"), "Permission denied"),
        ],
    )
    def test_refused_later(
        self, error: Exception, why: str, endpoint: Callable[[Deferred[Any]], None]
    ) -> None:
        """Where that is known only later, it is told in one line, and stopping does not fail of it."""
        later: Deferred[Any] = Deferred()
        endpoint(later)
        ear = Ear("later").start()
        later.errback(error)
        assert ear.refused == [f"romeo: can't listen on later: {why}"]
        assert ear.announced == []
        assert ear.service.stopService().called


@contextmanager
def left_open() -> Iterator[None]:
    """Close what Twisted leaves open where a socket can't be listened on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@needs_unix_sockets
class PrivateSocketTests:
    """A socket that is its owner's alone."""

    @pytest.fixture
    def path(self) -> Iterator[str]:
        """Give a path that is short enough for a socket."""
        with TemporaryDirectory() as folder:
            yield f"{folder}/romeo"

    @staticmethod
    async def listening(path: str) -> IListeningPort:
        """Listen at ``path``."""
        port: IListeningPort = await PrivateSocket(reactor, path).listen(ServerFactory())
        return port

    @ensure_deferred
    async def test_mode(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody else may use it, from its first moment on, and other files are made as before."""
        modes: list[int] = []
        change = os.chmod

        def chmod(name: bytes, mode: int) -> None:
            modes.append(stat.S_IMODE(os.stat(name).st_mode))
            change(name, mode)

        monkeypatch.setattr(os, "chmod", chmod)
        before = os.umask(0o022)
        try:
            port = await self.listening(path)
            assert os.umask(0o022) == 0o022
        finally:
            os.umask(before)
        modes.append(stat.S_IMODE(os.stat(path).st_mode))
        assert modes == [0o600, 0o600]
        await maybeDeferred(port.stopListening)
        assert os.listdir(os.path.dirname(path)) == []

    @ensure_deferred
    async def test_abandoned(self, path: str) -> None:
        """One that was left behind is replaced."""
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(path)
        port = await self.listening(path)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(path)
        await maybeDeferred(port.stopListening)

    @ensure_deferred
    async def test_in_use(self, path: str) -> None:
        """One in use is not, and who has it goes on."""
        port = await self.listening(path)
        with left_open(), pytest.raises(CannotListenError, match="Address already in use"):
            await self.listening(path)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(path)
        await maybeDeferred(port.stopListening)

    @ensure_deferred
    async def test_other_file(self, path: str) -> None:
        """A file that is no socket is left as it is, whatever the name was meant for."""
        with open(path, "w") as file:
            file.write("precious")
        with left_open(), pytest.raises(CannotListenError, match="Address already in use"):
            await self.listening(path)
        with open(path) as file:
            assert file.read() == "precious"

    @pytest.mark.parametrize(
        ("name", "why"), [("none/romeo", "No such file or directory"), ("x" * 150, "path too long")]
    )
    def test_impossible(self, path: str, name: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A folder that is missing, or a name that is too long, is one line on standard error."""
        place = f"{os.path.dirname(path)}/{name}"
        service = ListenerService(
            lambda: [(place, PrivateSocket(reactor, place))], ServerFactory(), print, print
        )
        with left_open(), pytest.raises(SystemExit, match=str(exit_status.CANNOT_LISTEN)):
            service.startService()
        listen_addresses = capsys.readouterr().err
        assert listen_addresses.startswith(f"romeo: can't listen on {place}: ")
        assert why in listen_addresses
        assert listen_addresses.count("\n") == 1
