"""Tests of `techboy.chat.isolation`."""

from __future__ import annotations

import sys

from techboy.chat.isolation import isolated


class Connection:
    """A connection that remembers why it failed."""

    def __init__(self) -> None:
        self.failures: list[object] = []

    def on_error(self) -> None:
        self.failures.append(sys.exc_info()[1])


class IsolatedTests:
    """What concerns one connection."""

    def test_returned(self) -> None:
        """What is done returns what it returns."""
        one = Connection()
        assert isolated(one, lambda: 5) == 5
        assert one.failures == []

    def test_raised(self) -> None:
        """An exception ends the connection that it concerns, and is not raised."""
        one, error = Connection(), RuntimeError("odd")

        def act() -> int:
            raise error

        assert isolated(one, act) is None
        assert one.failures == [error]
