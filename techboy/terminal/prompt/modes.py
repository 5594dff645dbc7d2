"""What a terminal does with what is typed, and the signals that it sends beside Ctrl-C.

Where there is no such thing, as on Windows, there is nothing to do.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any, TypeAlias

Modes: TypeAlias = Any
"""What termios(3) knows of a terminal, None where it knows nothing."""


CAN_STOP = hasattr(signal, "SIGTSTP")
"""Whether a program can be stopped for a while."""


def modes_of(descriptor: int) -> Modes:
    """Return the modes of the terminal ``descriptor``."""
    try:
        import termios
    except ImportError:
        return None
    try:
        return termios.tcgetattr(descriptor)
    except termios.error:  # it is no terminal, or gone
        return None


def set_modes(descriptor: int, modes: Modes) -> None:
    """Give the terminal ``descriptor`` its ``modes``; from the background that stops the program."""
    if modes is None:
        return
    import termios

    with suppress(termios.error):  # it may be gone
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def stop() -> None:
    """Stop this program and those it was started with, as Ctrl-Z does; return when they go on."""
    if CAN_STOP:
        os.kill(0, signal.SIGTSTP)


class TerminalSignals:
    """Who hears of the terminal's signals: it was hung up, or the program goes on after it was stopped.

    A terminal can be hung up more than once, by the system and by a shell; only the first time is told, and
    the others do no harm any more.
    """

    def __init__(self, hung_up: Callable[[], object], goes_on: Callable[[], object]) -> None:
        self._hung_up, self._goes_on = hung_up, goes_on
        self._before = ExitStack()
        self._attend("SIGHUP", self._hear_hangup)
        self._attend("SIGCONT", lambda *_: self._goes_on())

    def close(self) -> None:
        """Hear nothing any more."""
        self._before.close()

    def _hear_hangup(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        self._hung_up()

    def _attend(self, name: str, told: Callable[[int, FrameType | None], object]) -> None:
        number = getattr(signal, name, None)
        if number is not None:
            self._before.callback(_put_back, number, signal.signal(number, told))


def _put_back(number: int, handler: Any) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)
