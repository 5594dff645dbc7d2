"""Programs that a test or a benchmark starts, and that end with it, also if it is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None

# the kernel takes the end of the thread that started a program for the end of its parent, so it is one that
# ends with the process
_STARTER = ThreadPoolExecutor(1, "starter")


def start(command: Sequence[str | Path], **how: Any) -> subprocess.Popen[Any]:
    """Start ``command``, as `subprocess.Popen` does; on Linux it is killed when this process ends."""
    if sys.platform != "win32":  # where nothing is called in a child
        how["preexec_fn"] = ending_with(os.getpid())
    popen: Callable[..., subprocess.Popen[Any]] = subprocess.Popen
    return _STARTER.submit(popen, command, **how).result()


def run(
    command: Sequence[str | Path],
    *,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **how: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run ``command``, as `subprocess.run` does; on Linux it is killed when this process ends."""
    if capture_output:
        how |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(command, **how) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


def ending_with(parent: int) -> Callable[[], None]:
    """Return what a child of the process ``parent`` calls before it becomes the program."""

    def prepare() -> None:
        if _LIBRARY is not None:
            _LIBRARY.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:  # it has ended already
                os.kill(os.getpid(), signal.SIGKILL)

    return prepare
