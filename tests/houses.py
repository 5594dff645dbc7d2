"""A house whose guests, their sockets and the time are played by the test."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer, ServerConfig
from techboy.server.broker import PRESENCE_DELAY, Broker
from techboy.server.plain import PlainServerProtocol
from techboy.server.send_timeouts import SEND_TIMEOUT
from techboy.storage.executor import InlineExecutor, StorageExecutor
from techboy.storage.memory import HISTORY_MEMORY, MemoryLogStore
from tests.clocks import Wall
from tests.transports import ANY, FakeTransport, SocketTransport


class Visitor:
    """A guest, seen from the other end of its connection."""

    def __init__(self, handler: PlainServerProtocol, transport: FakeTransport) -> None:
        self.handler, self.transport = handler, transport

    @property
    def name(self) -> str:
        """What the guest is called."""
        return self.handler.member.name

    @property
    def socket(self) -> SocketTransport:
        """The transport, of whose socket the test is in control."""
        assert isinstance(self.transport, SocketTransport)
        return self.transport

    def says(self, data: bytes) -> None:
        """Send ``data``."""
        self.transport.receive(data)

    def reads(self) -> str:
        """Return what has arrived since the last time."""
        return self.transport.flush().decode()

    def stops_reading(self, room: int = 0) -> None:
        """Take no more than ``room`` bytes from now on."""
        self.socket.room = room


class Verona:
    """A house, its hall and the guests that a test lets in. The time of day is always noon."""

    def __init__(
        self,
        *,
        keep: int = HISTORY_MEMORY,
        stall: float = SEND_TIMEOUT,
        rate: int = 0,
        burst: int = 0,
        history: int = 20,
        max_line: int = 4096,
        motd: tuple[str, ...] = (),
        executor: StorageExecutor | None = None,
    ) -> None:
        self.clock, self.shut_down = Clock(), 0
        self.wall = Wall(self.clock)
        self.logs = MemoryLogStore(keep)
        self.broker = Broker(self.clock, self.wall, self.logs, executor or InlineExecutor(), stall)
        config = ServerConfig("romeo", 1000, history)
        self.chat = ChatServer(
            config, self.broker, self.logs, lambda at: "12:00", self._shut_down, list(motd)
        )
        self._rate, self._burst, self._max_line = rate, burst, max_line
        self.visitors: list[Visitor] = []

    def _shut_down(self) -> None:
        self.shut_down += 1

    def visit(self, kind: type[FakeTransport] = SocketTransport) -> Visitor:
        """Let a guest in, by a transport of that ``kind``."""
        handler = PlainServerProtocol(
            self.chat, self.broker, TokenBucket(self._rate, self._burst), self._max_line
        )
        visitor = Visitor(handler, kind(handler))
        handler.makeConnection(visitor.transport)
        self.visitors.append(visitor)
        return visitor

    def turn(self, seconds: float = 0) -> None:
        """Let ``seconds`` pass, and what was written be sent where there is room."""
        self.clock.advance(seconds)
        for visitor in self.visitors:
            if isinstance(visitor.transport, SocketTransport):
                visitor.transport.drain()
        self.clock.advance(0)

    def settle(self) -> None:
        """Let comings and goings be announced."""
        self.turn(PRESENCE_DELAY)

    def roster(self, count: int) -> list[Visitor]:
        """Let ``count`` guests in, one after the other, who have read all there was to read."""
        for _ in range(count):
            self.visit()
            self.settle()
        visitors = self.visitors[-count:]
        for visitor in self.visitors:
            visitor.reads()
        return visitors

    def reading_again(self, visitor: Visitor, room: int = ANY) -> str:
        """Let ``visitor`` take ``room`` bytes more, and return what arrives."""
        visitor.socket.make_room(room)
        self.turn()
        return visitor.reads()
