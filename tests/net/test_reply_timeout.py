"""Tests of waiting for a word."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.net.reply_timeout import ReplyTimeout


class Waiting:
    """Somebody who waits ten seconds at most."""

    def __init__(self) -> None:
        self.clock, self.awaits, self.given_up = Clock(), True, 0
        self.reply_timeout = ReplyTimeout(self.clock, 10, lambda: self.awaits, self._give_up)
        self.reply_timeout.start()

    def _give_up(self) -> None:
        self.given_up += 1

    def passes(self, seconds: int) -> int:
        """Let time pass; return how often was given up."""
        self.clock.pump([0.25] * 4 * seconds)
        return self.given_up


class PatienceTests:
    """How long is waited."""

    def test_in_vain(self) -> None:
        """Without a word it is given up when the time is over, once."""
        waiting = Waiting()
        assert waiting.passes(9) == 0
        assert waiting.passes(1) == 1
        assert waiting.passes(60) == 1

    def test_word(self) -> None:
        """After a word the time begins anew."""
        waiting = Waiting()
        waiting.passes(6)
        waiting.reply_timeout.on_received()
        assert waiting.passes(9) == 0
        assert waiting.passes(1) == 1

    def test_nothing_awaited(self) -> None:
        """As long as nothing is awaited there is no end; from then on there is the whole time, or nearly."""
        waiting = Waiting()
        waiting.awaits = False
        assert waiting.passes(100) == 0
        waiting.awaits = True
        assert waiting.passes(9) == 0
        assert waiting.passes(1) == 1

    def test_stop(self) -> None:
        """After its end nothing happens."""
        waiting = Waiting()
        waiting.reply_timeout.stop()
        assert waiting.passes(100) == 0
        assert waiting.clock.getDelayedCalls() == []
