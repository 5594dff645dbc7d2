"""Tests of `tests.simulation.network`: its sockets behave as the kernel's do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.marks import needs_resets
from tests.simulation.network import CAPACITY, Link, SimulatedSocket

End = Any
Pair = tuple[End, End, Callable[[], None]]


@pytest.fixture(params=["simulated", "real"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Return two connected sockets, and what brings all that was sent to the other side."""
    if request.param == "simulated":
        link = Link(1, 0.0)
        yield link.near, link.far, lambda: _deliver(link)
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    for end in (near, far):
        end.settimeout(5)
    yield near, far, lambda: None
    for end in (near, far):
        end.close()


def _deliver(link: Link) -> None:
    for pipe in (link.up, link.down):
        link.deliver(pipe, CAPACITY, 0.0)


class SocketTests:
    """The same on simulated sockets and on the kernel's."""

    def test_bytes(self, pair: Pair) -> None:
        """What is sent arrives."""
        near, far, deliver = pair
        assert near.send(b"hello") == 5
        deliver()
        assert far.recv(3) == b"hel"
        assert far.recv(100) == b"lo"

    def test_closed(self, pair: Pair) -> None:
        """After what was sent comes the end."""
        near, far, deliver = pair
        near.send(b"hello")
        near.close()
        deliver()
        assert far.recv(100) == b"hello"
        assert far.recv(100) == b""

    def test_half_closed(self, pair: Pair) -> None:
        """One direction is closed, the other goes on; nothing more can be sent in the closed one."""
        near, far, deliver = pair
        near.shutdown(1)
        deliver()
        assert far.recv(100) == b""
        far.send(b"bye")
        deliver()
        assert near.recv(100) == b"bye"
        with pytest.raises(BrokenPipeError):
            near.send(b"x")

    @needs_resets
    def test_closed_with_something_unread(self, pair: Pair) -> None:
        """A socket that is closed before everything was read resets the connection."""
        near, far, deliver = pair
        near.send(b"hello")
        deliver()
        far.recv(1)
        far.close()
        with pytest.raises(ConnectionResetError):
            near.recv(100)

    @needs_resets
    def test_aborted(self, pair: Pair) -> None:
        """So does one that is closed with a linger time of zero."""
        near, far, _ = pair
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(100)


class SimulatedSocketTests:
    """What only a simulated socket can show."""

    def test_full(self) -> None:
        """No more is taken than there is room for."""
        end: SimulatedSocket = Link(1, 0.0).near
        assert end.send(b"x" * (CAPACITY + 1)) == CAPACITY
        with pytest.raises(BlockingIOError):
            end.send(b"x")

    def test_nothing_there(self) -> None:
        """Reading does not wait."""
        with pytest.raises(BlockingIOError):
            Link(1, 0.0).near.recv(1)

    def test_answered_by_a_reset(self) -> None:
        """What arrives at a closed socket is answered with a reset."""
        link = Link(1, 0.0)
        link.far.close()
        link.near.send(b"x")
        link.deliver(link.up, 1, 0.0)
        with pytest.raises(ConnectionResetError):
            link.near.recv(1)

    def test_stalled(self) -> None:
        """Nothing is delivered on a link that is stalled or broken."""
        link = Link(1, 0.0)
        link.near.send(b"x")
        assert link.deliverable == [link.up]
        link.stall()
        assert link.deliverable == []
        link.stalled = False
        link.break_down()
        assert link.deliverable == []
