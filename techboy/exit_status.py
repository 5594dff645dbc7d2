"""How the program ends: the exit statuses, and the one place that sets them.

The numbers are those of BSD's sysexits.h. `twist` has no hook for an exit status: its ``main`` returns
nothing, and a SystemExit raised while the reactor runs or shuts down is swallowed by it. So the status is
set when the interpreter ends: the reactor is through, all streams are flushed and nothing is left to do.
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
DATA_ERROR = 65  # some lines of the input were too long, the rest was said
UNAVAILABLE = 69  # nobody answered in time, or it is not sure that everything arrived
CANNOT_LISTEN = 71  # a port or address can't be had
IO_ERROR = 74  # standard output can't be written to, or what is to be kept can't be
CONFIG = 78  # what the environment or the configuration file says is wrong

CLOSED_WITHIN = 10.0
"""Seconds for which Windows is kept from ending the process: it waits for five of them, or for some more."""

_CLOSING = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT

Register: TypeAlias = Callable[[Callable[[int], bool], bool], object]
"""SetConsoleCtrlHandler: adds what is called with a number when something becomes of the console."""


def fail(status: int, message: str) -> NoReturn:
    """End before the reactor runs: one line on standard error, if it can be written, and the exit status."""
    _write(sys.stderr, message)
    raise SystemExit(status)


def answer(program: str, text: str) -> NoReturn:
    """End ``program`` before the reactor runs, with ``text``, which was asked for, on standard output.

    The status is 0, also if whoever reads it has read enough and closed the pipe, or `IO_ERROR` with one
    line if it cannot be written.
    """
    why = _write(sys.stdout, text)
    if why is not None:
        fail(IO_ERROR, f"{program}: standard output: {why}")
    raise SystemExit(OK)


def set_exit_status(status: int) -> None:
    """Let the process end with ``status`` where it would else have ended with 0."""
    if status != OK:
        atexit.register(_end_now, status)


def force_exit_status(reactor: IReactorCore, status: int) -> None:
    """Let the process end with ``status`` as soon as ``reactor`` is through, also where a signal ended it.

    With that `twist` would end the process once more, and `set_exit_status` would come too late.
    """
    reactor.addSystemEventTrigger("after", "shutdown", _end_now, status)


def handle_sigint(leave: Callable[[], None]) -> None:
    """Call ``leave`` at the first Ctrl-C; a second one ends the process at once.

    To be called before the reactor runs, which leaves a handler alone that is not Python's own.
    """

    def interrupted(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        leave()

    signal.signal(signal.SIGINT, interrupted)


def handle_sigterm(act: Callable[[], None]) -> None:
    """Call ``act`` at SIGTERM from now on: a reactor that stops already would take it for a mistake."""
    signal.signal(signal.SIGTERM, lambda number, frame: act())


def on_console_closed(
    act: Callable[[], None], wait: float = CLOSED_WITHIN, register: Register | None = None
) -> None:
    """Call ``act``, in another thread, when the console's window is closed or the session of Windows ends.

    Windows ends the process when it was told of that, or after some seconds; so it is told after ``wait``
    seconds, in which the program can end by itself. On other systems nothing happens.
    """
    register = register or _register()

    def told(event: int) -> bool:
        if event not in _CLOSING:
            return False
        act()
        sleep(wait)
        return True

    register(told, True)


def _register() -> Register:
    if sys.platform != "win32":
        return lambda told, add: None
    from win32api import SetConsoleCtrlHandler  # type: ignore[import-untyped]

    register: Register = SetConsoleCtrlHandler
    return register


def _write(stream: TextIO | None, text: str) -> str | None:
    """Write ``text`` as a line; return why it cannot be written, None if it was or nobody reads any more."""
    if stream is None:
        return os.strerror(errno.EBADF)
    try:
        print(text, file=stream, flush=True)
    except OSError as refused:
        with open(os.devnull, "wb") as nowhere:  # or the interpreter would fail once more in the end
            os.dup2(nowhere.fileno(), stream.fileno())
        return None if _tells_of_closed_pipe(refused) else refused.strerror
    return None


def _tells_of_closed_pipe(error: OSError) -> bool:
    """Tell whether nobody reads any more; of that Windows says in part that an argument is invalid."""
    return isinstance(error, BrokenPipeError) or (systems.ON_WINDOWS and error.errno == errno.EINVAL)


def _end_now(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # it may be None, broken or closed
            stream.flush()
    os._exit(status)
