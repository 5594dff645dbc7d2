"""Romeo and Juliet on a reactor in memory, for tests of the programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import get_ident
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamServerEndpoint,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.config import endpoints
from techboy.config.options import ConversationOptions
from techboy.net.reactor import IReactor
from techboy.server.detect import GREETING_DELAY
from techboy.service import ChatService
from techboy.terminal.interface import InputSource
from techboy.terminal.stdio_bridge import StdioBridge
from techboy.terminal.streams import Streams
from tests.clocks import Wall
from tests.transports import JULIET, FakeTransport, SocketTransport, connected


@implementer(IHostResolution)
@dataclass
class LookedUp:
    """A look-up that is over."""

    name: str

    def cancel(self) -> None:
        """There is nothing to cancel."""


@implementer(IHostnameResolver)
class FakeResolver:
    """Has one address for any name, at once: the name itself, as if it were one of IPv4."""

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *_: Any, **__: Any
    ) -> IHostResolution:
        resolution = LookedUp(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactor, IReactorPluggableNameResolver)
class FakeReactor(MemoryReactorClock):
    """A reactor in memory, which remembers that it was stopped.

    It also takes calls from elsewhere: at once, or, from another thread than its own, as time goes on.
    Names are looked up as `FakeResolver` does it: Twisted's own, before 25.5, cannot look up any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0
        self._thread, self._calls = get_ident(), SimpleQueue[Callable[[], Any]]()
        self.nameResolver = FakeResolver()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # noqa: A002
        if get_ident() == self._thread:
            callable(*args, **kwargs)
        else:
            self._calls.put(partial(callable, *args, **kwargs))

    def advance(self, amount: float) -> None:
        while not self._calls.empty():
            self._calls.get()()
        super().advance(amount)

    def stop(self) -> None:
        self.stops += 1


class RecordedStates:
    """Standard error, as far as states go."""

    on_screen = False

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def report_by(self, call: object) -> None:
        """Nothing is lost."""

    def finish(self, deadline: float) -> None:
        """Nothing waits."""


class FakeStreams(Streams):
    """Streams that are not there, of which somebody at a ``keyboard`` may make use; states are recorded."""

    _states: RecordedStates
    _keyboard: InputSource

    def __init__(self, states: RecordedStates, keyboard: InputSource) -> None:
        super().__init__(None, None, None)
        object.__setattr__(self, "_states", states)
        object.__setattr__(self, "_keyboard", keyboard)

    @property
    def keyboard(self) -> InputSource:
        return self._keyboard

    @property
    def status_output(self) -> Any:
        return self._states


class Terminal(FakeTransport):
    """Keyboard and screen: what is received is typed, and all that is written is seen before it is closed.

    One that is ``stuck`` takes nothing more, and is not closed.
    """

    stuck = False

    def loseConnection(self) -> None:
        if not self.stuck:
            super().loseConnection()
            self.flush()

    def connectionLost(self, reason: Failure) -> None:
        self.lost(ConnectionAborted())


class Running:
    """A program that runs on a reactor in memory. What it shows, if it does, goes to ``terminal``."""

    terminal: Terminal

    def __init__(
        self,
        program: Callable[..., ChatService],
        options: ConversationOptions,
        arguments: list[str],
        keyboard: InputSource = InputSource.NONE,
        *,
        reactor: FakeReactor | None = None,
        wall: Callable[[], float] | None = None,
        **extra: Any,
    ) -> None:
        self._states = RecordedStates()
        streams = FakeStreams(self._states, keyboard)
        options.streams = lambda: streams
        options.platform = "linux"  # the reactor in memory has UNIX sockets, wherever it runs
        options.parseOptions(arguments)
        self.reactor = reactor or FakeReactor()
        self.status: int | None = None
        self.wall = Wall(self.reactor)
        made = program(self.reactor, options, streams, wall=wall or self.wall, **extra)
        self.program = cast(Any, made)  # whose methods are replaced
        self.program.on_interrupt = self._on_interrupt
        self.program.on_hangup = self._on_hangup
        self.program.on_terminate = self._on_terminate
        self.program.on_console_closed = self._on_console_closed
        self.program.end_with = self._end_with
        self.program.end_whatever_comes = lambda reactor, status: self._end_with(status)
        shows = isinstance(self.program.ui, StdioBridge)
        if shows:
            self.program.ui.open = self._open

    def _open(self, reactor: object, stdin: None, stdout: None) -> None:
        self.terminal = connected(self.program.ui, kind=Terminal)

    def _on_interrupt(self, leave: Callable[[], None]) -> None:
        self.interrupt = leave

    def _on_hangup(self, act: Callable[[], None]) -> None:
        self.hang_up = act

    def _on_terminate(self, act: Callable[[], None]) -> None:
        self.terminate = act

    def _on_console_closed(self, act: Callable[[], None]) -> None:
        self.close_console = act

    def _end_with(self, status: int) -> None:
        self.status = self.status or status

    def start(self) -> Running:
        """Start the service."""
        self.program.startService()
        return self

    def stop(self) -> Any:
        """Do what the reactor does when it is stopped; return the service's Deferred."""
        return self.program.stopService()

    @property
    def shown(self) -> str:
        """All that was shown so far."""
        return (self.terminal.sent + self.terminal.written).decode()

    @property
    def said(self) -> list[str]:
        """The states shown so far."""
        return self._states.written.splitlines()


WELCOME: dict[str, Any] = {
    "type": "welcome",
    "version": 1,
    "name": "juliet",
    "session": "token",
    "next_seq": 1,
    "log_epoch": "log",
    "room": None,
    "after_id": 0,
    "last_id": 0,
    "server": "romeo",
    "limits": {"line": 4096, "frame": 262144},
}
"""The welcome of a new session in direct mode."""


def frame(**values: Any) -> bytes:
    """Return a frame of the native dialect."""
    return json.dumps(values).encode() + b"\n"


def message(log_id: int, text: str, author: str = "romeo") -> bytes:
    """Return the frame of a server's message, whose first line has the id ``log_id``."""
    values = {"type": "message", "kind": "text", "id": log_id, "at": 7500, "from": author, "text": text}
    return frame(**values)


def frames(transport: FakeTransport) -> list[dict[str, Any]]:
    """Return the frames that were sent since the last time."""
    return [json.loads(line) for line in transport.flush().splitlines()]


def call(program: Running) -> SocketTransport:
    """Connect a caller."""
    return connected(program.reactor.tcpServers[0][1].buildProtocol(JULIET), kind=SocketTransport)


def visit(program: Running) -> SocketTransport:
    """Connect a caller who says nothing for so long that it is taken for one who speaks plain lines."""
    transport = call(program)
    program.reactor.advance(GREETING_DELAY)
    return transport


def native(program: Running, name: str = "juliet", **known: Any) -> SocketTransport:
    """Connect a caller who speaks the native dialect."""
    transport = call(program)
    transport.receive(frame(type="hello", version=1, name=name, **known))
    program.reactor.advance(0)
    return transport


def later_endpoint(monkeypatch: pytest.MonkeyPatch) -> Deferred[Any]:
    """Let what is returned decide whether, and when, the endpoints that Romeo is told can be listened on."""
    later: Deferred[Any] = Deferred()

    @implementer(IStreamServerEndpoint)
    class Endpoint:
        def listen(self, factory: object) -> Deferred[Any]:
            return later

    monkeypatch.setattr(endpoints, "serverFromString", lambda *_: Endpoint())
    return later
