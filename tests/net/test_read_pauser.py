"""Tests of `techboy.net.read_pauser`."""

from __future__ import annotations

from techboy.net.read_pauser import PauseReason, ReadPauser


class PausesTests:
    """Reading stops for as long as there is a reason to."""

    def setup_method(self) -> None:
        """Nothing is paused."""
        self.events: list[str] = []
        self.pauses = ReadPauser(lambda: self.events.append("pause"), lambda: self.events.append("resume"))

    def test_one(self) -> None:
        """A reason begins and ends."""
        self.pauses.begin(PauseReason.RATE)
        assert self.events == ["pause"]
        self.pauses.end(PauseReason.RATE)
        assert self.events == ["pause", "resume"]

    def test_two(self) -> None:
        """With two reasons reading goes on when both have ended."""
        self.pauses.begin(PauseReason.RATE)
        self.pauses.begin(PauseReason.STORE)
        self.pauses.end(PauseReason.RATE)
        assert self.events == ["pause"]
        self.pauses.end(PauseReason.STORE)
        assert self.events == ["pause", "resume"]

    def test_twice(self) -> None:
        """A reason that began twice ends once, and one that never began does not end."""
        self.pauses.begin(PauseReason.RATE)
        self.pauses.begin(PauseReason.RATE)
        self.pauses.end(PauseReason.SCREEN)
        assert self.events == ["pause"]
        self.pauses.end(PauseReason.RATE)
        self.pauses.end(PauseReason.RATE)
        assert self.events == ["pause", "resume"]

    def test_forget(self) -> None:
        """All reasons can be forgotten at once."""
        self.pauses.clear()
        assert self.events == []
        self.pauses.begin(PauseReason.RATE)
        self.pauses.begin(PauseReason.STORE)
        self.pauses.clear()
        self.pauses.end(PauseReason.STORE)
        assert self.events == ["pause", "resume"]
