"""What a system has of what our programs use: Windows lacks some of it.

A ``platform`` is what `sys.platform` says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

WINDOWS = "win32"

ON_WINDOWS = sys.platform == WINDOWS
"""Whether this is Windows."""

# of sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3) and systemd.exec(5)
_VARIABLES = ("LISTEN_FDS", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "WATCHDOG_USEC")


def has_unix_sockets(platform: str) -> bool:
    """Tell whether Twisted can use UNIX sockets: on Windows it can't."""
    return platform != WINDOWS


def has_manager(platform: str) -> bool:
    """Tell whether there may be a service manager as systemd, and SIGHUP."""
    return platform != WINDOWS


def of_manager(environ: Mapping[str, str], platform: str) -> Mapping[str, str]:
    """Return ``environ``, in which a service manager may have said something, or nothing without one."""
    return environ if has_manager(platform) else {}


def unused(environ: Mapping[str, str], platform: str) -> list[str]:
    """Return, for people, what is used elsewhere and not here; of variables those that are set."""
    if has_manager(platform):
        return []
    return ["the reload at SIGHUP", *(f"${name}" for name in _VARIABLES if environ.get(name))]
