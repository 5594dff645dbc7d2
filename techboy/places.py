"""The default directories for files of a program, per user, according to the conventions of each system.

The directories of ``--state`` and of a service manager are handled elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs.unix import Unix
from platformdirs.windows import Windows

from techboy.systems import ON_WINDOWS

_NAME = "techboy"


def state_home(windows: bool = ON_WINDOWS) -> Path | None:
    """Return the directory for the state of programs on this machine, None if there is none.

    It is ``techboy`` in ``$XDG_STATE_HOME``, or else in ``~/.local/state``, on macOS too; following the XDG
    Base Directory Specification, a relative path is ignored. On Windows it is in ``%LOCALAPPDATA%``. The
    directory is not created.
    """
    if not windows and not _has_home():
        return None
    try:
        return (Windows if windows else Unix)(_NAME, appauthor=False).user_state_path
    except (OSError, RuntimeError, ValueError):  # Windows does not know it
        return None


def _has_home() -> bool:
    """Return whether the environment names the home directory; otherwise the user database would be read."""
    return any(os.path.isabs(os.environ.get(variable, "")) for variable in ("XDG_STATE_HOME", "HOME"))
