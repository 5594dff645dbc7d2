"""Tests of `techboy.chat.status`."""

from __future__ import annotations

import pytest

from techboy.chat.status import Connected, Disconnected, ServerStatus, duration


class StandingTests:
    """What people are told of how things stand."""

    @pytest.mark.parametrize(
        ("standing", "line"),
        [
            (Disconnected("calling verona:4444", 42.4), "calling verona:4444 for 42 s"),
            (
                Disconnected("calling verona:4444", 200, "connection refused", 3),
                "calling verona:4444 for 3 min, 3 lines wait: connection refused",
            ),
            (Connected("romeo", 0.5), "connected to romeo"),
            (Connected("romeo", 42, 1), "connected to romeo, last heard 42 s ago, 1 line waits"),
            (Connected("romeo", 1, 0, 120), "connected to romeo, catching up: 120 lines to come"),
            (ServerStatus(3, 120, 2), "3 guests, 120 lines, 2 waiting"),
            (ServerStatus(1, 1, 0), "1 guest, 1 line, 0 waiting"),
        ],
    )
    def test_line(self, standing: object, line: str) -> None:
        """It is one line, and says nothing that goes without saying."""
        assert str(standing) == line

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 days")],
    )
    def test_duration(self, seconds: float, text: str) -> None:
        """A duration is as exact as it needs to be."""
        assert duration(seconds) == text
