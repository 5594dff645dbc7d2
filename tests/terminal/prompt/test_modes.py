"""Tests of `techboy.terminal.prompt.modes`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from techboy.terminal.prompt.modes import TerminalSignals, modes_of, set_modes
from tests.marks import posix

pty = posix("pty")
termios = posix("termios")


@pytest.fixture
def terminal() -> Iterator[int]:
    """Return the descriptor of a terminal."""
    keyboard, device = pty.openpty()
    yield device
    os.close(device)
    os.close(keyboard)


class ModesTests:
    """What a terminal does with what is typed."""

    def test_put_back(self, terminal: int) -> None:
        """Modes that were changed can be put back."""
        before = modes_of(terminal)
        other = modes_of(terminal)
        other[3] &= ~termios.ECHO
        set_modes(terminal, other)
        assert modes_of(terminal) == other != before
        set_modes(terminal, before)
        assert modes_of(terminal) == before

    def test_no_terminal(self) -> None:
        """A pipe has none, and is given none."""
        reading, writing = os.pipe()
        assert modes_of(reading) is None
        set_modes(reading, None)
        os.close(reading)
        os.close(writing)

    def test_gone(self, terminal: int) -> None:
        """A terminal that is gone is let be."""
        modes = modes_of(terminal)
        keyboard, device = pty.openpty()
        os.close(keyboard)
        set_modes(device, modes)
        assert modes_of(device) is None
        os.close(device)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the signals' handlers back after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGCONT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
class AttendingTests:
    """The signals of a terminal."""

    def test_told(self) -> None:
        """Both are told of, being hung up only once; what shells send after that does no harm."""
        told: list[str] = []
        attending = TerminalSignals(lambda: told.append("hung up"), lambda: told.append("goes on"))
        for number in (signal.SIGCONT, signal.SIGHUP, signal.SIGHUP, signal.SIGCONT):
            signal.raise_signal(number)
        assert told == ["goes on", "hung up", "goes on"]
        attending.close()
        signal.raise_signal(signal.SIGHUP)

    def test_put_back(self) -> None:
        """Who heard of them before does so after."""
        told: list[int] = []
        signal.signal(signal.SIGHUP, lambda number, _: told.append(number))
        attending = TerminalSignals(lambda: None, lambda: None)
        attending.close()
        signal.raise_signal(signal.SIGHUP)
        assert told == [signal.SIGHUP]
        assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL
