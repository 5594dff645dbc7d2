"""The load: one process that connects receivers and senders to a chat server, and counts what arrives.

Each line that is sent holds one `MARK`, and nothing else that a server sends does.
"""

from __future__ import annotations

import select
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from techboy.wire.frames import Hello
from techboy.wire.native import encode, message_frame

MARK = b"|"
WINDOW = 2000
"""Lines that may be sent and not yet arrived everywhere."""

BURST = 64
"""Lines that are sent at a time."""

_PATIENCE = 60.0


@dataclass(eq=False)
class Connection:
    """One connection: how many marks arrived, and what is still to be sent."""

    socket: socket.socket
    got: int = 0
    said: int = 0
    unsent: bytearray = field(default_factory=bytearray)
    seen: bytes = b""


def as_lines(line: bytes, before: int, count: int) -> bytes:
    """Return ``count`` times ``line``, as they are."""
    return line * count


def as_frame(line: bytes, before: int, count: int) -> bytes:
    """Return ``count`` times ``line`` as one frame of the native dialect, ``before`` having been said."""
    return message_frame(before + 1, "\n".join([line.decode().rstrip("\n")] * count))


@dataclass(frozen=True)
class Protocol:
    """How one talks to a server: what is said first, until what comes, and what is around a line.

    ``say`` writes a line so many times, given how many were said before.
    """

    hello: Callable[[int], bytes] = lambda number: b""
    joined: bytes = b""
    then: tuple[bytes, bytes] = (b"", b"")
    before: bytes = b""
    end: bytes = b"\n"
    say: Callable[[bytes, int, int], bytes] = as_lines


PLAIN = Protocol()
IRC = Protocol(
    hello=lambda number: f"NICK b{number}\r\nUSER b{number} 0 * :b\r\n".encode(),
    then=(b" 001 ", b"JOIN #bench\r\n"),
    joined=b" 366 ",
    before=b"PRIVMSG #bench :",
    end=b"\r\n",
)
NATIVE = Protocol(hello=lambda number: encode(Hello(f"b{number}")), joined=b'"welcome"', say=as_frame)


class Load:
    """Receivers and senders that are connected to ``port`` of this machine."""

    def __init__(
        self, port: int, receivers: int, senders: int, protocol: Protocol = PLAIN, size: int = 64
    ) -> None:
        self._poll = select.epoll()
        self._buffer = bytearray(1 << 20)
        self._by_descriptor: dict[int, Connection] = {}
        connections = [self._connect(port, number, protocol) for number in range(receivers + senders)]
        self.receivers, self.senders = connections[:receivers], connections[receivers:]
        self._join(protocol)
        self._protocol = protocol
        self._line = protocol.before + MARK + b"x" * (size - len(MARK)) + protocol.end
        self._settle()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._by_descriptor.values():
            connection.socket.close()
        self._poll.close()

    def flood(self, lines: int) -> float:
        """Send ``lines`` lines from the senders in turn; return deliveries a second."""
        began, sent, arrived = time.perf_counter(), 0, 0
        while arrived < lines:
            while sent < lines and sent - arrived < WINDOW:
                burst = min(BURST, lines - sent)
                self._say(burst)
                sent += burst
            for sender in self.senders:
                self._send(sender)
            self._turn(_PATIENCE)
            arrived = min(receiver.got for receiver in self.receivers)
        return lines * len(self.receivers) / (time.perf_counter() - began)

    def ping(self, rounds: int, before: int = 0) -> float:
        """Send one line at a time; return the median time in seconds until every receiver has it.

        ``before``: how many were sent so before.
        """
        return statistics.median(self._round(before + number) for number in range(1, rounds + 1))

    def _round(self, number: int) -> float:
        began = time.perf_counter()
        self._say(1)
        self._send(self.senders[0])
        while any(receiver.got < number for receiver in self.receivers):
            self._turn(_PATIENCE)
        return time.perf_counter() - began

    def _say(self, lines: int) -> None:
        """Have ``lines`` lines said, by as many of the senders as possible."""
        senders = self.senders[:lines]
        for number, sender in enumerate(senders):
            count = lines // len(senders) + (number < lines % len(senders))
            sender.unsent += self._protocol.say(self._line, sender.said, count)
            sender.said += count

    def _connect(self, port: int, number: int, protocol: Protocol) -> Connection:
        connection = Connection(socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.sendall(protocol.hello(number))
        connection.socket.setblocking(False)
        self._by_descriptor[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        return connection

    def _join(self, protocol: Protocol) -> None:
        if not protocol.joined:
            return
        waiting = set(self._by_descriptor.values())
        while waiting:
            for connection in self._readable(_PATIENCE):
                connection.seen += connection.socket.recv(65536)
                if protocol.then[1] and protocol.then[0] in connection.seen:
                    connection.socket.sendall(protocol.then[1])
                    connection.seen = connection.seen.partition(protocol.then[0])[2]
                if protocol.joined in connection.seen:
                    waiting.discard(connection)

    def _settle(self) -> None:
        """Wait until nothing has come for a while: greetings and who has joined."""
        while self._turn(0.5):
            pass
        for connection in self._by_descriptor.values():
            connection.got = 0

    def _send(self, connection: Connection) -> None:
        if not connection.unsent:
            return
        try:
            del connection.unsent[: connection.socket.send(connection.unsent)]
        except BlockingIOError:
            return

    def _turn(self, seconds: float) -> bool:
        """Take what has come; return whether anything came within ``seconds``."""
        came = False
        for connection in self._readable(seconds):
            length = connection.socket.recv_into(self._buffer)
            if not length:
                raise SystemExit("the server closed a connection")
            connection.got += self._buffer.count(MARK, 0, length)
            came = True
        if not came and seconds == _PATIENCE:
            raise SystemExit("nothing came any more: lines were lost")
        return came

    def _readable(self, seconds: float) -> list[Connection]:
        return [self._by_descriptor[descriptor] for descriptor, _ in self._poll.poll(seconds)]
