"""Tests of the phases of direct mode."""

from __future__ import annotations

import pytest

from techboy.chat.phase import DirectPhase


@pytest.mark.parametrize(
    ("asked", "phases"),
    [
        ("is_alone", "WAITING WAITING_RESUME"),
        ("says", "TALKING CLIENT_CLOSED"),
        ("hears", "TALKING INPUT_DONE"),
        ("has_said_goodbye", "INPUT_DONE LEAVING CLOSING_AFTER_CLIENT CLOSED_BOTH"),
        ("has_heard_goodbye", "CLIENT_CLOSED CLOSING_AFTER_CLIENT CLOSED_BOTH"),
        ("is_unsure", "INPUT_DONE CLIENT_CLOSED CLOSING_AFTER_CLIENT"),
    ],
)
def test_phases(asked: str, phases: str) -> None:
    """Each question is answered with yes in these phases alone."""
    assert [phase.name for phase in DirectPhase if getattr(phase, asked)] == phases.split()
