"""The exit statuses, and the only functions that set them.

The numbers are those of BSD's sysexits.h. `twist` has no hook for an exit status: its ``main`` returns
nothing, and the reactor swallows a SystemExit that is raised while it runs or shuts down. So the status is
set at the exit of the interpreter, after the reactor has stopped and all streams are flushed.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from time import sleep
from types import FrameType
from typing import NoReturn, TextIO, TypeAlias

from twisted.internet.interfaces import IReactorCore

from techboy import systems

OK = 0
USAGE = 64  # the command line is wrong
DATA_ERROR = 65  # some lines of the input were too long; the others were sent
UNAVAILABLE = 69  # no answer in time, or some messages may not have arrived
CANNOT_LISTEN = 71  # a port or address is not available
IO_ERROR = 74  # standard output or a file cannot be written
CONFIG = 78  # the environment or the configuration file is invalid

CLOSED_WITHIN = 10.0
"""Seconds for which the console handler blocks on Windows, which ends the process after 5 s or a bit more."""

_CLOSING = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT

Register: TypeAlias = Callable[[Callable[[int], bool], bool], object]
"""SetConsoleCtrlHandler: adds a handler, which is called with the number of a console event."""


def fail(status: int, message: str) -> NoReturn:
    """Exit before the reactor runs, with ``status`` and the line ``message`` on standard error."""
    _write(sys.stderr, message)
    raise SystemExit(status)


def answer(program: str, text: str) -> NoReturn:
    """Exit before the reactor runs, with ``text``, which the user asked for, on standard output.

    The status is 0, also if the reader has closed the pipe. If ``text`` cannot be written, the status is
    `IO_ERROR`, with a line of ``program`` on standard error.
    """
    why = _write(sys.stdout, text)
    if why is not None:
        fail(IO_ERROR, f"{program}: standard output: {why}")
    raise SystemExit(OK)


def set_exit_status(status: int) -> None:
    """Let the process exit with ``status`` instead of 0."""
    if status != OK:
        atexit.register(_exit_now, status)


def force_exit_status(reactor: IReactorCore, status: int) -> None:
    """Let the process exit with ``status`` as soon as ``reactor`` has stopped, even if a signal stopped it.

    After a signal `twist` kills the process with that signal, before `set_exit_status` takes effect.
    """
    reactor.addSystemEventTrigger("after", "shutdown", _exit_now, status)


def handle_sigint(leave: Callable[[], None]) -> None:
    """Call ``leave`` at the first Ctrl-C; a second one kills the process.

    To be called before the reactor runs, which keeps a handler that is not Python's default.
    """

    def interrupted(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        leave()

    signal.signal(signal.SIGINT, interrupted)


def handle_sigterm(act: Callable[[], None]) -> None:
    """Call ``act`` at SIGTERM from now on, as a reactor that is already stopping raises an error."""
    signal.signal(signal.SIGTERM, lambda number, frame: act())


def on_console_closed(
    act: Callable[[], None], wait: float = CLOSED_WITHIN, register: Register | None = None
) -> None:
    """Call ``act``, in another thread, if the console window is closed or the Windows session ends.

    Windows ends the process when the handler returns, or after some seconds. So the handler blocks for
    ``wait`` seconds, in which the program can exit by itself. On other systems this function does nothing.
    """
    register = register or _register()

    def on_event(event: int) -> bool:
        if event not in _CLOSING:
            return False
        act()
        sleep(wait)
        return True

    register(on_event, True)


def _register() -> Register:
    if sys.platform != "win32":
        return lambda handler, add: None
    from win32api import SetConsoleCtrlHandler

    register: Register = SetConsoleCtrlHandler
    return register


def _write(stream: TextIO | None, text: str) -> str | None:
    """Write ``text`` as a line; return why that failed, None if it was written or the pipe is closed."""
    if stream is None:
        return os.strerror(errno.EBADF)
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        with open(os.devnull, "wb") as null:  # else the interpreter fails again when it flushes the stream
            os.dup2(null.fileno(), stream.fileno())
        return None if _is_closed_pipe(error) else error.strerror
    return None


def _is_closed_pipe(error: OSError) -> bool:
    """Return whether the pipe has no reader; on Windows some calls report an invalid argument then."""
    return isinstance(error, BrokenPipeError) or (systems.ON_WINDOWS and error.errno == errno.EINVAL)


def _exit_now(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # the stream may be None, broken or closed
            stream.flush()
    os._exit(status)
