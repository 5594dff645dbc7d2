"""Tests of `techboy.terminal.stdio`; the bridge's own tests use both ways."""

from __future__ import annotations

import os

import pytest

from techboy.terminal import stdio


class OpenedTests:
    """Which way is taken."""

    @pytest.mark.parametrize(("system", "way"), [("nt", "by_threads"), ("posix", "by_readiness")])
    def test_system(self, monkeypatch: pytest.MonkeyPatch, system: str, way: str) -> None:
        """On Windows threads read and write, elsewhere Twisted's StandardIO."""
        monkeypatch.setattr(stdio, way, lambda *given: given)
        monkeypatch.setattr(os, "name", system)
        given = (object(), 0, None, object())
        opened = stdio.opened(*given)
        monkeypatch.undo()
        assert opened == given
