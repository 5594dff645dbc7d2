"""Tests of `techboy.terminal.handles`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from techboy.terminal.handles import is_console, same_object, set_console_mode, wait_for_key

WINDOWS = sys.platform == "win32"


class HandlesTests:
    """What Windows tells."""

    def test_console(self, tmp_path: Path) -> None:
        """Neither the null device nor a file is a console."""
        for path in (os.devnull, tmp_path / "file"):
            with open(path, "w") as file:
                assert not is_console(file.fileno())
                assert not set_console_mode(file.fileno(), 3)

    @pytest.mark.skipif(not WINDOWS, reason="elsewhere descriptors tell")
    def test_same(self) -> None:
        """A pipe is the same by another descriptor, and another one is another."""
        reading, writing = os.pipe()
        again = os.dup(writing)
        assert same_object(writing, again)
        assert not same_object(reading, writing)
        for descriptor in (reading, writing, again):
            os.close(descriptor)

    @pytest.mark.skipif(WINDOWS, reason="it knows")
    def test_elsewhere(self) -> None:
        """Elsewhere nothing is known by handles."""
        assert not same_object(0, 0)
        assert not set_console_mode(0, 3)
        wait_for_key()  # for none
