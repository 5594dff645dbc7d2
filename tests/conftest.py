"""What every test starts from: programs under test have the signals' default actions."""

from __future__ import annotations

import os
import signal
import stat
from types import FrameType

import pytest
from hypothesis import settings

from techboy.systems import ON_WINDOWS

# how long an example takes is a matter of how busy the machine is; under Wine most take ten times as long
settings.register_profile("techboy", deadline=None, max_examples=20 if ON_WINDOWS else 100)
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


if ON_WINDOWS:
    from techboy.terminal import handles, streams

    @pytest.fixture(autouse=True)
    def fake_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
        """Let fake terminals be consoles, as they are no device: ``isatty`` alone is not enough."""

        def is_console(descriptor: int) -> bool:
            return descriptor == -1 or not stat.S_ISCHR(os.fstat(descriptor).st_mode) or real(descriptor)

        real = handles.is_console
        monkeypatch.setattr(streams, "is_console", is_console)
