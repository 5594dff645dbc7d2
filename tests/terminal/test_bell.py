"""Tests of `techboy.terminal.bell`."""

from __future__ import annotations

import pytest

from techboy.terminal.bell import Bell


class BellTests:
    """When the bell rings."""

    @pytest.mark.parametrize(
        ("word", "quiet", "said", "mentioned"),
        [
            ("off", False, False, False),
            ("mention", False, False, True),
            ("all", False, True, True),
        ],
    )
    def test_rings(self, word: str, quiet: bool, said: bool, mentioned: bool) -> None:
        """It rings as it is told to, and never for nothing."""
        bell = Bell()
        bell.set(word)
        rings = [bell.should_ring(*turn) for turn in ((False, False), (False, True), (True, True))]
        assert rings == [quiet, said, mentioned]

    def test_first(self) -> None:
        """Unless told otherwise it rings for one's own name alone."""
        bell = Bell()
        assert not bell.should_ring(mentioned=False, received=True)
        assert bell.should_ring(mentioned=True, received=True)

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("off", "* the bell is off"),
            ("mention", "* the bell rings when your name is mentioned"),
            (" ALL ", "* the bell rings for every message"),
        ],
    )
    def test_set(self, word: str, told: str) -> None:
        """What was set is told, and told again when asked."""
        bell = Bell()
        assert bell.set(word) == told
        assert bell.set("") == told

    def test_usage(self) -> None:
        """What is none of the three words changes nothing, and is answered with how it is used."""
        bell = Bell()
        bell.set("all")
        for word in ("loud", "off now"):
            assert bell.set(word) == "* usage: /bell [off|mention|all]"
        assert bell.should_ring(mentioned=False, received=True)
