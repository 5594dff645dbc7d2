"""What every test starts from: programs under test have the signals' default actions."""

from __future__ import annotations

import signal
from types import FrameType

from hypothesis import settings

# how long an example takes is a matter of how busy the machine is
settings.register_profile("techboy", deadline=None)
settings.load_profile("techboy")


def _go_on(number: int, frame: FrameType | None) -> None:
    """Take no notice of a signal."""


def pytest_configure() -> None:
    """Catch the signals that nohup(1), or a shell for what it runs in the background, has ignored.

    Tests and programs would inherit that. The run itself takes no notice of them, as before. Windows has no
    SIGHUP.
    """
    for number in signal.valid_signals() & {signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _go_on)
