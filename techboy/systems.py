"""Features of the operating system that the programs use; Windows lacks some of them.

A ``platform`` is a value of `sys.platform`.
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
    """Return whether Twisted supports UNIX sockets: not on Windows."""
    return platform != WINDOWS


def has_manager(platform: str) -> bool:
    """Return whether the platform has SIGHUP, and may have a service manager such as systemd."""
    return platform != WINDOWS


def of_manager(environ: Mapping[str, str], platform: str) -> Mapping[str, str]:
    """Return ``environ`` if the platform may have a service manager, which sets variables, else nothing."""
    return environ if has_manager(platform) else {}


def unused(environ: Mapping[str, str], platform: str) -> list[str]:
    """Return, for people, the features that ``platform`` lacks; variables only if they are set."""
    if has_manager(platform):
        return []
    return ["the reload at SIGHUP", *(f"${name}" for name in _VARIABLES if environ.get(name))]
