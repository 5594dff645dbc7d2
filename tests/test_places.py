"""Tests of `techboy.places`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from techboy.places import state_home
from tests.marks import needs_directories

HOME = {"HOME": "/home/juliet"}
LOCAL = r"C:\Users\Júlia\AppData\Local"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give an empty environment that is the process's."""
    empty: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", empty)
    return empty


class StateHomeTests:
    """The directory for what is to outlive a program."""

    @pytest.mark.parametrize(
        ("said", "path"),
        [
            (HOME, "/home/juliet/.local/state/techboy"),
            ({**HOME, "XDG_STATE_HOME": "/state"}, "/state/techboy"),
            ({**HOME, "XDG_STATE_HOME": ""}, "/home/juliet/.local/state/techboy"),
            ({**HOME, "XDG_STATE_HOME": "state"}, "/home/juliet/.local/state/techboy"),
            ({"XDG_STATE_HOME": "/state"}, "/state/techboy"),
        ],
    )
    @needs_directories
    def test_base_directory(self, environ: dict[str, str], said: dict[str, str], path: str) -> None:
        """It is where the XDG Base Directory Specification says."""
        environ.update(said)
        assert state_home(windows=False) == Path(path)

    @pytest.mark.parametrize("said", [{}, {"HOME": ""}, {"HOME": "here", "XDG_STATE_HOME": "there"}])
    def test_nowhere(self, environ: dict[str, str], said: dict[str, str]) -> None:
        """Without a home there is no place for it, and none is looked up."""
        environ.update(said)
        assert state_home(windows=False) is None

    def test_windows(self, environ: dict[str, str]) -> None:
        """On Windows it is among the local data of applications, whatever its letters are."""
        environ.update(HOME, WIN_PD_OVERRIDE_LOCAL_APPDATA=LOCAL)
        assert state_home(windows=True) == Path(LOCAL, "techboy")

    def test_windows_nowhere(self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Where Windows does not say where they are, there is no place for it."""

        def refuse(folder: str) -> str:
            raise ValueError(folder)

        monkeypatch.setattr("platformdirs.windows.get_win_folder", refuse)
        assert state_home(windows=True) is None

    @needs_directories
    def test_not_made(self, environ: dict[str, str], tmp_path: Path) -> None:
        """It is not made before something is to be kept there."""
        environ["XDG_STATE_HOME"] = str(tmp_path)
        assert state_home(windows=False) == tmp_path / "techboy"
        assert list(tmp_path.iterdir()) == []
