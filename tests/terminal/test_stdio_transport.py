"""Tests of `techboy.terminal.stdio_transport`; the bridge's own tests use both ways."""

from __future__ import annotations

from typing import Any

import pytest

from techboy import systems
from techboy.terminal import stdio_transport


class OpenedTests:
    """Which way is taken."""

    @pytest.mark.parametrize(
        ("windows", "way"), [(True, "connect_by_threads"), (False, "connect_by_readiness")]
    )
    def test_system(self, monkeypatch: pytest.MonkeyPatch, windows: bool, way: str) -> None:
        """On Windows threads read and write, elsewhere Twisted's StandardIO."""
        monkeypatch.setattr(stdio_transport, way, lambda *given: given)
        monkeypatch.setattr(systems, "ON_WINDOWS", windows)
        given: Any = (object(), 0, None, object())
        opened: object = stdio_transport.connect_stdio(*given)
        assert opened == given
