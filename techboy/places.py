"""Where a program keeps files of its own accord: the directories of a person, as each system has them.

A directory that was asked for, as by ``--state``, and those of a service manager are no matter of this.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs.unix import Unix
from platformdirs.windows import Windows

from techboy.systems import ON_WINDOWS

_NAME = "techboy"


def state_home(windows: bool = ON_WINDOWS) -> Path | None:
    """Return the directory for what is to outlive a program and is of this machine; None where there is none.

    That is ``techboy`` in ``$XDG_STATE_HOME`` or else in ``~/.local/state``, on macOS too, as the XDG Base
    Directory Specification has it, which ignores what is no absolute path. On Windows it is in
    ``%LOCALAPPDATA%``. It is not made.
    """
    if not windows and not _is_at_home():
        return None
    try:
        return (Windows if windows else Unix)(_NAME, appauthor=False).user_state_path
    except (OSError, RuntimeError, ValueError):  # Windows does not say
        return None


def _is_at_home() -> bool:
    """Tell whether the environment says where home is: without it the user database would be asked."""
    return any(os.path.isabs(os.environ.get(variable, "")) for variable in ("XDG_STATE_HOME", "HOME"))
