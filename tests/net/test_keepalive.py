"""Tests of `techboy.net.keepalive`."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.net.keepalive import Keepalive


class PulseTests:
    """Silence, with a ping after 25 seconds and an end after 60."""

    def setup_method(self) -> None:
        """Begin to listen."""
        self.clock, self.deaf = Clock(), False
        self.events: list[tuple[str, float]] = []
        self.keepalive = Keepalive(
            self.clock, 25, 60, lambda: self.tell("ask"), lambda: self.tell("dead"), lambda: self.deaf
        )
        self.keepalive.start()

    def test_silence(self) -> None:
        """Who is silent is asked, once, and then dead."""
        self.clock.pump([1] * 70)
        assert self.events == [("ask", 25.0), ("dead", 60.0)]
        assert self.clock.getDelayedCalls() == []

    def test_answer(self) -> None:
        """Who answers is asked again when it is silent again."""
        self.clock.pump([1] * 30)
        self.keepalive.on_received()
        assert self.keepalive.idle_seconds == 0
        self.clock.pump([1] * 34)
        self.keepalive.on_received()
        self.clock.pump([1] * 30)
        assert [event for event, _ in self.events] == ["ask", "ask", "ask"]

    def test_deaf(self) -> None:
        """While nothing is read nobody dies, and the other end hears that somebody is here."""
        self.deaf = True
        self.clock.pump([1] * 200)
        assert [event for event, _ in self.events] == ["ask"] * 8
        self.events.clear()
        self.deaf = False
        self.clock.pump([1] * 55)
        assert [event for event, _ in self.events] == ["ask"]
        self.clock.pump([1] * 10)
        assert [event for event, _ in self.events] == ["ask", "dead"]

    def test_stop(self) -> None:
        """Once it is stopped nothing happens."""
        self.keepalive.stop()
        self.clock.pump([1] * 100)
        assert self.events == []
        assert self.clock.getDelayedCalls() == []

    def test_short(self) -> None:
        """Where the end comes before the ping, there is an end."""
        keepalive = Keepalive(self.clock, 25, 5, lambda: self.tell("ask"), lambda: self.tell("short"))
        keepalive.start()
        self.clock.pump([1] * 6)
        assert self.events == [("short", 5.0)]

    def test_rounding(self) -> None:
        """Each silence is asked about once, though sums of seconds are not exact."""
        for heard_at in range(1, 60):
            self.setup_method()
            self.clock.advance(heard_at / 10)
            self.keepalive.on_received()
            self.clock.advance(25 - heard_at / 10)
            self.clock.advance(heard_at / 10)
            self.clock.advance(35)
            self.clock.advance(1)
            assert [event for event, _ in self.events] == ["ask", "dead"]

    def tell(self, event: str) -> None:
        self.events.append((event, self.clock.seconds()))
        assert len(self.events) < 20, "it asks for ever"
