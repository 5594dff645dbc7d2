"""Tests of `techboy.server.send_timeouts`."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.net.rendering import Delivery
from techboy.server.send_timeouts import SendTimeouts


class Reader:
    """A subscriber that notes when its send timeout expires, and then raises if it is to."""

    def __init__(self, *, raises: bool = False) -> None:
        self.expired, self.errors, self._raises = 0, 0, raises

    def deliver(self, delivery: Delivery) -> None:
        """Do nothing."""

    def on_send_timeout(self) -> None:
        """Count the timeout."""
        self.expired += 1
        if self._raises:
            raise RuntimeError

    def on_error(self) -> None:
        """Count the error."""
        self.errors += 1


class SendTimeoutsTests:
    """`SendTimeouts`."""

    def test_blocked(self) -> None:
        """A subscriber that makes no progress expires once, and one that does expires later."""
        clock, slow, slower = Clock(), Reader(), Reader()
        timeouts = SendTimeouts(clock, 30)
        timeouts.mark_blocked(slow)
        timeouts.mark_blocked(slower)
        clock.advance(20)
        timeouts.mark_blocked(slow)
        clock.advance(10)
        assert (slow.expired, slower.expired) == (0, 1)
        clock.advance(20)
        assert (slow.expired, slower.expired) == (1, 1)
        assert clock.getDelayedCalls() == []

    def test_unblocked(self) -> None:
        """A subscriber without unsent data does not expire."""
        clock, reader = Clock(), Reader()
        timeouts = SendTimeouts(clock, 30)
        timeouts.mark_blocked(reader)
        timeouts.mark_unblocked(reader)
        clock.advance(30)
        assert reader.expired == 0

    def test_error(self) -> None:
        """An exception concerns the subscriber that raises it alone."""
        clock, failing, other = Clock(), Reader(raises=True), Reader()
        timeouts = SendTimeouts(clock, 30)
        timeouts.mark_blocked(failing)
        timeouts.mark_blocked(other)
        clock.advance(30)
        assert (failing.errors, other.expired, other.errors) == (1, 1, 0)

    def test_closed(self) -> None:
        """Nothing expires after `close`."""
        clock, reader = Clock(), Reader()
        timeouts = SendTimeouts(clock, 30)
        timeouts.mark_blocked(reader)
        timeouts.close()
        assert clock.getDelayedCalls() == []
