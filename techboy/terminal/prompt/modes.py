"""The modes of a terminal, and the signals that it sends besides SIGINT.

On systems without them, for example Windows, the functions do nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any, TypeAlias

Modes: TypeAlias = Any
"""The attributes of a terminal by termios(3), None if there are none."""


CAN_STOP = hasattr(signal, "SIGTSTP")
"""Whether the system can stop a program and continue it later."""


def modes_of(descriptor: int) -> Modes:
    """Return the modes of the terminal ``descriptor``, None if they are unknown."""
    try:
        import termios
    except ImportError:
        return None
    try:
        return termios.tcgetattr(descriptor)
    except termios.error:  # not a terminal, or gone
        return None


def set_modes(descriptor: int, modes: Modes) -> None:
    """Set the ``modes`` of the terminal ``descriptor``; ignore None. A background process is stopped."""
    if modes is None:
        return
    import termios

    with suppress(termios.error):  # it may be gone
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def stop() -> None:
    """Stop the process group, as Ctrl-Z does; return when it continues."""
    if CAN_STOP:
        os.kill(0, signal.SIGTSTP)


class TerminalSignals:
    """Handles SIGHUP and SIGCONT, until `close`.

    A terminal can be hung up more than once, by the system and by a shell; only the first SIGHUP is reported,
    later ones are ignored.
    """

    def __init__(self, on_hangup: Callable[[], object], on_continue: Callable[[], object]) -> None:
        self._report_hangup, self._report_continue = on_hangup, on_continue
        self._previous_handlers = ExitStack()
        self._handle("SIGHUP", self._on_hangup)
        self._handle("SIGCONT", lambda *_: self._report_continue())

    def close(self) -> None:
        """Restore the previous handlers."""
        self._previous_handlers.close()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        self._report_hangup()

    def _handle(self, name: str, handler: Callable[[int, FrameType | None], object]) -> None:
        number = getattr(signal, name, None)
        if number is not None:
            self._previous_handlers.callback(_restore_handler, number, signal.signal(number, handler))


def _restore_handler(number: int, handler: Any) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)
