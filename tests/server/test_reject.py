"""Tests of `techboy.server.reject`."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.server.reject import RejectingProtocol, plainly
from tests.transports import connected


class TurnedAwayTests:
    """`RejectingProtocol`."""

    def test_told_and_closed(self) -> None:
        """A caller is told why, and closed at once; what it sends does not keep it from reading that."""
        clock = Clock()
        protocol = RejectingProtocol(plainly("busy"), clock)
        transport = connected(protocol)
        assert transport.events == ["half close"]
        assert transport.flush() == b"* busy\n"
        transport.receive(b"hello\n")
        transport.peer_closes()
        assert transport.events == ["half close", "close"]
        assert clock.getDelayedCalls() == []

    def test_who_stays(self) -> None:
        """A caller who does not go is closed after a second."""
        clock = Clock()
        transport = connected(RejectingProtocol(plainly("busy"), clock))
        transport.flush()
        clock.advance(1)
        assert transport.events == ["half close", "close"]
