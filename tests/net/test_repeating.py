"""Tests of `techboy.net.repeating`."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.net.repeating import repeated


class RepeatedTests:
    """Work that is done again and again."""

    def test_repeated(self) -> None:
        """It is done at once, and after each interval."""
        clock, done = Clock(), []
        repeated(clock, lambda: done.append(clock.seconds())).start(5)
        clock.pump([5, 5])
        assert done == [0, 5, 10]

    def test_error(self) -> None:
        """An error does not end it."""
        clock, tries = Clock(), []

        def fails() -> None:
            tries.append(clock.seconds())
            raise RuntimeError("odd")

        repeated(clock, fails).start(5)
        clock.pump([5, 5])
        assert tries == [0, 5, 10]
