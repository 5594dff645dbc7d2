"""Tests of `techboy.home`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from techboy import exits
from techboy.chat.house import Rules
from techboy.home import LOG_FILE, Home, new_token, state_directory
from techboy.logs.memory import MemoryLogs
from techboy.logs.sqlite import SqliteLogs
from tests.programs import FakeReactor


class FakeOptions(dict[str, Any]):
    """Options that were given, and defaults."""

    program = "romeo"

    def __init__(self, **given: Any) -> None:
        defaults = {"state": None, "keep-memory": 100_000, "sync": "full", "stall": 30.0, "keep": None}
        super().__init__({**defaults, "remember": 86400.0, **given})


def home(**options: Any) -> Home:
    """Return a home with ``options``."""
    return Home(FakeReactor(), FakeOptions(**options), Rules())  # type: ignore[arg-type]


class HomeTests:
    """Where a Romeo is at home."""

    def test_in_memory(self) -> None:
        """Without a directory all is in memory, and nothing is waited for in the end."""
        it = home()
        assert isinstance(it.logs, MemoryLogs)
        it.startService()
        it.stopService()
        assert it.hall.clock.getDelayedCalls() == []  # type: ignore[attr-defined]

    def test_in_directory(self, tmp_path: Path) -> None:
        """With one it is in a file there, which the next one opens again."""
        for _ in range(2):
            it = home(state=tmp_path / "state")
            assert isinstance(it.logs, SqliteLogs)
            it.startService()
            it.stopService()
        assert (tmp_path / "state" / LOG_FILE).exists()

    def test_unusable(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A directory that can't be used ends the process, with one line and a status."""
        (tmp_path / "file").write_text("")
        with pytest.raises(SystemExit) as ended:
            home(state=tmp_path / "file")
        assert ended.value.code == exits.IO_FAILED
        assert capsys.readouterr().err.startswith("romeo: ")


class DetailsTests:
    """The rest."""

    def test_token(self) -> None:
        """A token is long, and another each time."""
        assert len(new_token()) >= 43
        assert new_token() != new_token()

    @pytest.mark.parametrize(("value", "first"), [("/a:/b", "/a"), ("/a", "/a"), ("", None)])
    def test_state_directory(self, monkeypatch: pytest.MonkeyPatch, value: str, first: str | None) -> None:
        """The first directory that a service manager gives is taken."""
        monkeypatch.setenv("STATE_DIRECTORY", value)
        assert state_directory() == first
