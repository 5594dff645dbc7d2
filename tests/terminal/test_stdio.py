"""Tests of `techboy.terminal.stdio`; the bridge's own tests use both ways."""

from __future__ import annotations

from typing import Any

import pytest

from techboy import systems
from techboy.terminal import stdio


class OpenedTests:
    """Which way is taken."""

    @pytest.mark.parametrize(("windows", "way"), [(True, "by_threads"), (False, "by_readiness")])
    def test_system(self, monkeypatch: pytest.MonkeyPatch, windows: bool, way: str) -> None:
        """On Windows threads read and write, elsewhere Twisted's StandardIO."""
        monkeypatch.setattr(stdio, way, lambda *given: given)
        monkeypatch.setattr(systems, "ON_WINDOWS", windows)
        given: Any = (object(), 0, None, object())
        opened: object = stdio.opened(*given)
        assert opened == given
