"""Tests of `techboy.net.plain_receiver`, for what a door of a conversation of two does not show."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from techboy.net.plain_receiver import MAX_LINE, PlainReceiver
from tests.transports import connected


class Silent(PlainReceiver):
    """A receiver that hears nobody."""

    def on_connected(self) -> None:
        """Somebody is there."""

    def on_closed(self, clean: bool) -> None:
        """Nobody is there any more."""


class PlainReceiverTests:
    """`PlainReceiver`."""

    def test_abstract(self) -> None:
        """What a subclass has to define is nobody's guess."""
        receiver = PlainReceiver(Clock(), MAX_LINE)
        for call in (
            receiver.on_connected,
            receiver.on_peer_closed,
            lambda: receiver.on_lines(b"hello"),
            lambda: receiver.on_closed(True),
        ):
            with pytest.raises(NotImplementedError):
                call()

    def test_ends_lines(self) -> None:
        """A peer is taken for one that ends its lines until it shows that it does not."""

        class Hearing(Silent):
            def on_lines(self, block: bytes) -> None:
                """Nothing is said."""

        clock = Clock()
        receiver = Hearing(clock, MAX_LINE)
        transport = connected(receiver)
        assert receiver.ends_lines
        transport.receive(b"hello")
        clock.advance(1)
        assert not receiver.ends_lines
        transport.receive(b"there\n")
        assert receiver.ends_lines

    def test_hears_no_more(self) -> None:
        """What comes after the goodbye is not heard, not even a beginning."""
        receiver = Silent(Clock(), MAX_LINE)
        transport = connected(receiver)
        receiver.ignore_input()
        transport.receive(b"hello\nthe")
        assert receiver.unfinished == b""
        assert receiver.clock.getDelayedCalls() == []

    def test_error_in_a_timer(self) -> None:
        """An exception while data without a line end is handled is logged, and closes the connection."""

        class Failing(Silent):
            def on_lines(self, block: bytes) -> None:
                raise RuntimeError(block)

        clock = Clock()
        receiver = Failing(clock, MAX_LINE)
        transport = connected(receiver)
        transport.receive(b"hello")
        clock.advance(1)
        assert transport.events[-1] == "abort"
