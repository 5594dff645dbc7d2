"""Tests of `techboy.net.inherited_socket`, with real UNIX sockets."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from techboy.net.inherited_socket import BATCH, REST, InheritedEndpoint, InheritedPort
from techboy.net.reactor import IReactor
from tests.marks import needs_unix_sockets


class Reactor(MemoryReactorClock):
    """A reactor that takes connections, unless there is no room for more."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []
        self.full = False

    def adoptStreamConnection(self, descriptor: int, family: Any, factory: Any) -> None:
        if self.full:
            raise OSError(errno.EMFILE, "Too many open files")
        assert not os.get_blocking(descriptor)
        self.taken.append((socket.fromfd(descriptor, family, socket.SOCK_STREAM), factory))


def endpoint(reactor: Reactor, descriptor: int) -> InheritedEndpoint:
    """Return the endpoint of a socket that was passed."""
    return InheritedEndpoint(cast(IReactor, reactor), descriptor)


class Factory(ServerFactory):
    """Counts whether it is in use."""

    noisy = False
    uses = 0

    def startFactory(self) -> None:
        self.uses += 1

    def stopFactory(self) -> None:
        self.uses -= 1


class Ear:
    """A socket as a service manager makes it, and a port that has it."""

    def __init__(self, path: Path, closing: ExitStack) -> None:
        self.path, self._closing = path, closing
        self._passed = closing.enter_context(socket.socket(socket.AF_UNIX))
        self._passed.bind(str(path))
        path.chmod(0o600)
        self._passed.listen(2 * BATCH)
        self.reactor, self.factory = Reactor(), Factory()
        closing.callback(lambda: [taken.close() for taken, _ in self.reactor.taken])
        fired: list[Any] = []
        endpoint(self.reactor, self._passed.dup().detach()).listen(self.factory).addCallback(fired.append)
        self.port: InheritedPort = fired[0]

    def called(self) -> socket.socket:
        """Call."""
        caller = self._closing.enter_context(socket.socket(socket.AF_UNIX))
        caller.settimeout(10)
        caller.connect(str(self.path))
        return caller


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    """Give what is closed after the test."""
    with ExitStack() as closing:
        ear = Ear(tmp_path / "socket", closing)
        yield ear
        if ear.factory.uses:
            ear.port.stopListening()


@needs_unix_sockets
class PassedPortTests:
    """A UNIX socket that is not ours."""

    def test_let_in(self, ear: Ear) -> None:
        """Who calls is let in, on a connection that nobody is kept waiting by."""
        callers = [ear.called(), ear.called()]
        ear.port.doRead()
        assert [factory for _, factory in ear.reactor.taken] == [ear.factory] * 2
        callers[0].sendall(b"hello")
        assert ear.reactor.taken[0][0].recv(10) == b"hello"

    def test_nobody(self, ear: Ear) -> None:
        """Where nobody calls after all, nothing happens."""
        ear.port.doRead()
        assert ear.reactor.taken == []
        assert ear.port in ear.reactor.getReaders()

    def test_crowd(self, ear: Ear) -> None:
        """However many call, others have their turn."""
        for _ in range(BATCH + 1):
            ear.called()
        ear.port.doRead()
        assert len(ear.reactor.taken) == BATCH
        ear.port.doRead()
        assert len(ear.reactor.taken) == BATCH + 1

    def test_full(self, ear: Ear) -> None:
        """Where nobody more can be let in, it is tried again after a while, not all the time."""
        ear.reactor.full = True
        turned_away = ear.called()
        ear.port.doRead()
        assert turned_away.recv(1) == b""
        assert ear.reactor.getReaders() == []
        ear.reactor.full = False
        ear.called()
        ear.reactor.advance(REST)
        assert ear.reactor.getReaders() == [ear.port]
        ear.port.doRead()
        assert len(ear.reactor.taken) == 1

    def test_stopped_while_full(self, ear: Ear) -> None:
        """Stopped meanwhile, it does not begin again."""
        ear.reactor.full = True
        ear.called()
        ear.port.doRead()
        ear.port.stopListening()
        assert ear.reactor.getDelayedCalls() == []

    def test_left_as_it_was(self, ear: Ear) -> None:
        """Neither its mode nor its name is touched, and who calls after the end is not refused."""
        assert ear.path.stat().st_mode & 0o777 == 0o600
        ear.port.connectionLost(Failure(ConnectionDone()))
        ear.port.stopListening()
        assert ear.path.stat().st_mode & 0o777 == 0o600
        ear.called()
        assert ear.reactor.getReaders() == []
        assert ear.factory.uses == 0

    def test_described(self, ear: Ear) -> None:
        """It is known where it is, and what it is for."""
        assert ear.port.getHost().name == bytes(ear.path)
        assert ear.port.logPrefix() == "Factory"
        assert ear.port.fileno() > 2
        assert ear.factory.uses == 1

    def test_refused(self, tmp_path: Path) -> None:
        """What is no socket is an error of the endpoint's."""
        failures: list[Any] = []
        with open(tmp_path / "file", "w") as file:
            endpoint(Reactor(), file.fileno()).listen(Factory()).addErrback(failures.append)
        assert failures[0].check(OSError)
