"""A house whose guests speak the native dialect, played by the test: frames in, frames out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer, ServerConfig
from techboy.server.broker import Broker
from techboy.server.native import NativeServerProtocol
from techboy.server.native_input import ConnectionLimits
from techboy.server.send_timeouts import SEND_TIMEOUT
from techboy.server.sessions import RESUME_TIMEOUT, SessionManager
from techboy.storage.executor import InlineExecutor, StorageExecutor
from techboy.storage.interface import StorageError
from techboy.storage.memory import HISTORY_MEMORY, MemoryLogStore
from tests.houses import Verona
from tests.transports import FakeTransport, SocketTransport

PING, DEAD = 25.0, 60.0


class HeldCommitter:
    """Does nothing of its work until `answer` or `refuse`, unless it is ``prompt``."""

    def __init__(self, *, prompt: bool = False) -> None:
        self.prompt = prompt
        self._waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def commit(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        if self.prompt:
            then(work())
        else:
            self._waiting.append((work, then))

    @property
    def waiting(self) -> int:
        """How much work there is."""
        return len(self._waiting)

    def answer(self) -> None:
        """Do what was asked for first."""
        work, then = self._waiting.pop(0)
        then(work())

    def refuse(self, why: str = "the disk is full") -> None:
        """Do it not, and say so."""
        self._waiting.pop(0)[1](StorageError(why))

    def answer_all(self) -> None:
        """Do all there is, and from now on at once."""
        self.prompt = True
        while self._waiting:
            self.answer()


def tokens(first: int = 1) -> Callable[[], str]:
    """Return what makes tokens that a test can tell from each other, numbered from ``first`` on."""
    numbers: Iterator[int] = count(first)
    return lambda: f"token{next(numbers)}"


class Caller:
    """A guest who speaks the native dialect, seen from the other end of its connection."""

    def __init__(self, handler: NativeServerProtocol, transport: FakeTransport) -> None:
        self.handler, self.transport = handler, transport
        self._unread = b""

    @property
    def socket(self) -> SocketTransport:
        """The transport, of whose socket the test is in control."""
        assert isinstance(self.transport, SocketTransport)
        return self.transport

    @property
    def events(self) -> list[str]:
        """What the transport was asked for."""
        return self.transport.events

    def sends(self, *frames: dict[str, Any]) -> None:
        """Send ``frames``, together."""
        self.transport.receive(b"".join(json.dumps(frame).encode() + b"\n" for frame in frames))

    def says(self, text: str, seq: int) -> None:
        """Say ``text``, whose lines are numbered from ``seq`` on."""
        self.sends({"type": "message", "kind": "text", "text": text, "seq": seq})

    def reads(self) -> list[dict[str, Any]]:
        """Return the whole frames that have arrived since the last time."""
        *lines, self._unread = (self._unread + self.transport.flush()).split(b"\n")
        return [json.loads(line) for line in lines]

    def hears(self) -> list[dict[str, Any]]:
        """Return the same without notices."""
        return [frame for frame in self.reads() if frame["type"] != "notice"]

    def hears_said(self) -> list[str]:
        """Return the lines among them that others said."""
        return [
            line for frame in self.reads() if frame["type"] == "message" for line in frame["text"].split("\n")
        ]


class NativeVerona(Verona):
    """A house with lodging, for guests of both dialects."""

    def __init__(
        self,
        *,
        executor: StorageExecutor | None = None,
        grace: float = RESUME_TIMEOUT,
        places: int = 1000,
        keep: int = HISTORY_MEMORY,
        stall: float = SEND_TIMEOUT,
        history: int = 20,
        logs: MemoryLogStore | None = None,
        name: str = "romeo",
        first_token: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(keep=keep, stall=stall, history=history, **options)
        self.logs = logs or self.logs
        self.broker = Broker(self.clock, self.wall, self.logs, executor or InlineExecutor(), stall)
        self.chat = ChatServer(ServerConfig(name, 1000, history), self.broker, self.logs, lambda at: "12:00")
        self.session_manager = SessionManager(self.chat, self.broker, tokens(first_token), grace, places)
        self.callers: list[Caller] = []

    def call(self, kind: type[FakeTransport] = SocketTransport) -> Caller:
        """Let somebody connect, by a transport of that ``kind``."""
        bucket, terms = TokenBucket(self._rate, self._burst), ConnectionLimits(self._max_line, PING, DEAD)
        handler = NativeServerProtocol(self.session_manager, self.broker, bucket, terms)
        caller = Caller(handler, kind(handler))
        handler.makeConnection(caller.transport)
        self.callers.append(caller)
        return caller

    def hello(self, name: str = "juliet", **known: Any) -> Caller:
        """Let somebody connect and say hello; what is answered was not read yet."""
        caller = self.call()
        caller.sends({"type": "hello", "version": 1, "name": name, **known})
        self.turn()
        return caller

    def company_of(self, *names: str) -> list[Caller]:
        """Let callers come in, who have read all there was to read."""
        callers = [self.hello(name) for name in names]
        self.settle()
        for caller in callers:
            caller.reads()
        return callers

    def turn(self, seconds: float = 0) -> None:
        """Let ``seconds`` pass, and what was written be sent where there is room."""
        self.clock.advance(seconds)
        for caller in self.callers:
            if isinstance(caller.transport, SocketTransport):
                caller.transport.drain()
        super().turn()
