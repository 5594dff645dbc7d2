"""The least that a chat server in Python can do: what one sends goes to all others, as it comes."""

from __future__ import annotations

import contextlib
import select
import socket
import sys


def main(port: int) -> None:
    """Relay for ever."""
    listening = socket.create_server(("127.0.0.1", port), backlog=4096)
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    sockets: dict[int, socket.socket] = {}
    unsent: dict[int, bytes] = {}
    while True:
        for descriptor, event in poll.poll():
            if descriptor == listening.fileno():
                accepted, _ = listening.accept()
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets[accepted.fileno()] = accepted
                poll.register(accepted, select.EPOLLIN)
                continue
            if event & select.EPOLLOUT:
                send(poll, sockets[descriptor], unsent, b"")
            if event & ~select.EPOLLOUT:
                receive(poll, descriptor, sockets, unsent)


def receive(
    poll: select.epoll, descriptor: int, sockets: dict[int, socket.socket], unsent: dict[int, bytes]
) -> None:
    """Take what has come and send it to all others."""
    data = b""
    with contextlib.suppress(OSError):
        data = sockets[descriptor].recv(65536)
    if not data:
        poll.unregister(descriptor)
        sockets.pop(descriptor).close()
        unsent.pop(descriptor, None)
        return
    for number, other in sockets.items():
        if number != descriptor:
            send(poll, other, unsent, data)


def send(poll: select.epoll, other: socket.socket, unsent: dict[int, bytes], data: bytes) -> None:
    """Send what waits, then ``data``; keep what the kernel does not take."""
    number = other.fileno()
    waiting = number in unsent
    data = unsent.pop(number, b"") + data
    with contextlib.suppress(OSError):
        data = data[other.send(data) :]
    if data:
        unsent[number] = data
    if waiting != bool(data):
        poll.modify(number, select.EPOLLIN | (select.EPOLLOUT if data else 0))


if __name__ == "__main__":
    main(int(sys.argv[1]))
