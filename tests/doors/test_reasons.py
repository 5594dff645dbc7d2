"""Tests of `techboy.doors.reasons`."""

from __future__ import annotations

import pytest
from twisted.internet.error import CannotListenError

from techboy.doors.reasons import reason_of

IN_USE = OSError(98, "Address already in use")


class ReasonTests:
    """Why something could not be opened."""

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (IN_USE, "Address already in use"),
            (CannotListenError("", 4444, IN_USE), "Address already in use"),
            (RuntimeError("no such thing\nat all"), "no such thing"),
            (OSError("just so"), "just so"),
            (KeyError(), "KeyError"),
        ],
    )
    def test_one_line(self, error: Exception, why: str) -> None:
        """It is told in one line, in the system's words where the system refused it."""
        assert reason_of(error) == why
