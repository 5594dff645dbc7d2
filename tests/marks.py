"""Marks of tests that need what Windows lacks, or Wine does another way, and are skipped there."""

from __future__ import annotations

import os
from typing import Any

import pytest

from techboy.systems import ON_WINDOWS


def _needs(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(ON_WINDOWS, reason=reason)


_NO_TERMINAL = "Windows has no terminals of POSIX, as termios and pty know them"

needs_posix_terminal = _needs(_NO_TERMINAL)
needs_unix_sockets = _needs("Twisted has no UNIX sockets on Windows")
needs_signals = _needs("Windows has no SIGHUP, SIGKILL, SIGCONT, SIGWINCH and SIGALRM, and another SIGINT")
needs_readiness = _needs("Windows does not tell when a pipe is ready, and has none that does not block")
needs_permissions = _needs("Windows has no permission bits: who may read a file is inherited from its folder")
needs_renaming = _needs("Windows does not rename a file that is open")
needs_inheritance = _needs("on Windows a program inherits no descriptors but the standard ones")
needs_shell = _needs("Windows has no sh, and no /dev/full")
needs_links = _needs("on Windows not everybody may make a symbolic link")
needs_directories = _needs("the directories of XDG are not used on Windows")
needs_sysexits = _needs("Windows has no sysexits.h")
needs_flock = _needs("Windows has no flock")
needs_limits = _needs("Windows has no setrlimit")
needs_time_zones = _needs("Windows does not take the time zone from $TZ")
needs_named_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")

needs_speed = _needs("it writes so much that it takes half a minute under Wine")
needs_resets = _needs("under Wine a connection that was reset ends as one that was closed")


def open_terminal() -> tuple[int, int]:
    """Return the descriptors of a terminal's two ends, a person's first; skip the test if there are none."""
    if ON_WINDOWS:
        pytest.skip(_NO_TERMINAL)
    return os.openpty()


def posix(module: str) -> Any:
    """Return a module of the standard library; skip all tests of the file if the system has none."""
    return pytest.importorskip(module, reason=f"this system has no {module}")
