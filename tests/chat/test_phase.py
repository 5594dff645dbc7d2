"""Tests of the phases of direct mode."""

from __future__ import annotations

import pytest

from techboy.chat.phase import DirectPhase


@pytest.mark.parametrize(
    ("asked", "phases"),
    [
        ("is_alone", "WAITING WAITING_RESUME"),
        ("can_send", "TALKING CLIENT_CLOSED"),
        ("can_receive", "TALKING INPUT_DONE"),
        ("has_sent_goodbye", "INPUT_DONE LEAVING CLOSING_AFTER_CLIENT CLOSED_BOTH"),
        ("has_received_goodbye", "CLIENT_CLOSED CLOSING_AFTER_CLIENT CLOSED_BOTH"),
        ("is_uncertain", "INPUT_DONE CLIENT_CLOSED CLOSING_AFTER_CLIENT"),
    ],
)
def test_phases(asked: str, phases: str) -> None:
    """Each question is answered with yes in these phases alone."""
    assert [phase.name for phase in DirectPhase if getattr(phase, asked)] == phases.split()
