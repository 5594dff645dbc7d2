"""Tests of a program under a service manager."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from techboy.ops.notify import Notifier
from techboy.ops.systemd import SystemdService, monotonic_usec
from tests.marks import needs_unix_sockets
from tests.ops.managers import ServiceManager


class Scene:
    """A program, its clock, and the service manager that it is under."""

    def __init__(self, path: Path, watchdog: float | None) -> None:
        self.manager, self.clock, self.guests, self.looks = ServiceManager(path), Clock(), 0, 0
        self.notifier = Notifier(self.manager.environment)
        self.supervised = SystemdService(self.clock, self.notifier, watchdog, self.status, lambda: 1234)
        self.supervised.startService()

    def status(self) -> str:
        """Return how it is."""
        self.looks += 1
        return f"{self.guests} guests"

    def pass_by(self, seconds: int) -> list[str]:
        """Let time pass in steps of an eighth of a second, and return what was told."""
        self.clock.pump([1 / 8] * seconds * 8)
        return self.manager.told()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a program that has to give a sign of life within 10 seconds."""
    playing = Scene(tmp_path / "notify", 10.0)
    yield playing
    if playing.supervised.running:
        playing.supervised.stopService()
    assert playing.clock.getDelayedCalls() == []
    playing.manager.close()


@needs_unix_sockets
class SupervisedTests:
    """From the beginning to the end."""

    def test_ready(self, scene: Scene) -> None:
        """It is ready when everything is open, not before, and then alive."""
        assert scene.pass_by(20) == []
        scene.supervised.started()
        assert scene.manager.told() == ["READY=1\nSTATUS=0 guests", "WATCHDOG=1"]
        scene.supervised.started()
        assert scene.manager.told() == []

    def test_watchdog(self, scene: Scene) -> None:
        """It gives a sign of life twice in the time that it has."""
        scene.supervised.started()
        scene.manager.told()
        assert scene.pass_by(31) == ["WATCHDOG=1"] * 6

    def test_blocked(self, scene: Scene) -> None:
        """A reactor that is blocked gives no sign of life, and one when it is not any more."""
        scene.supervised.started()
        scene.manager.told()
        scene.clock.advance(29)
        assert scene.manager.told() == ["WATCHDOG=1"]

    def test_no_watchdog(self, tmp_path: Path) -> None:
        """Where nobody waits for a sign of life there is none."""
        scene = Scene(tmp_path / "notify", None)
        scene.supervised.started()
        assert scene.pass_by(60) == ["READY=1\nSTATUS=0 guests"]
        scene.supervised.stopService()
        scene.manager.close()

    def test_status(self, scene: Scene) -> None:
        """However often it changes, it is said once a second at most, and only when it is another."""
        scene.supervised.started()
        scene.manager.told()
        scene.looks = 0
        for scene.guests in range(1, 25):
            scene.clock.advance(1 / 8)
        assert scene.manager.told() == ["STATUS=8 guests", "STATUS=16 guests", "STATUS=24 guests"]
        assert scene.looks == 3
        assert scene.pass_by(1) == []

    def test_reload(self, scene: Scene) -> None:
        """What is reloaded takes effect between two words."""
        scene.supervised.started()
        scene.manager.told()
        told_before_work: list[str] = []

        def work() -> None:
            told_before_work.extend(scene.manager.told())
            scene.guests = 7

        scene.supervised.reload(work)
        assert told_before_work == ["RELOADING=1\nMONOTONIC_USEC=1234"]
        assert scene.manager.told() == ["READY=1\nSTATUS=7 guests"]
        assert scene.pass_by(1) == []

    def test_reload_fails(self, scene: Scene) -> None:
        """What can't be reloaded is told to whoever asked, and the program is ready all the same."""
        scene.supervised.started()
        scene.manager.told()

        def fail() -> None:
            raise OSError("no such file")

        failures: list[Failure] = []
        scene.supervised.reload(fail).addErrback(failures.append)
        assert [str(failure.value) for failure in failures] == ["no such file"]
        assert [message.partition("\n")[0] for message in scene.manager.told()] == ["RELOADING=1", "READY=1"]

    def test_reload_later(self, scene: Scene) -> None:
        """What takes a while has taken effect when it is done, and goes unsaid if the program stops first."""
        scene.supervised.started()
        scene.manager.told()
        one, other = Deferred[None](), Deferred[None]()
        scene.supervised.reload(lambda: one)
        assert scene.manager.told() == ["RELOADING=1\nMONOTONIC_USEC=1234"]
        one.callback(None)
        assert scene.manager.told() == ["READY=1\nSTATUS=0 guests"]
        scene.supervised.reload(lambda: other)
        scene.supervised.stopService()
        other.callback(None)
        assert [message.partition("\n")[0] for message in scene.manager.told()] == [
            "RELOADING=1",
            "STOPPING=1",
        ]

    def test_reload_before_ready(self, scene: Scene) -> None:
        """To reload does not make a program ready whose ports are not open yet."""
        worked: list[bool] = []
        scene.supervised.reload(lambda: worked.append(True))
        assert worked == [True]
        assert scene.manager.told() == []

    def test_stop(self, scene: Scene) -> None:
        """The last word is that it stops."""
        scene.supervised.started()
        scene.manager.told()
        scene.supervised.stopService()
        assert not scene.supervised.running
        assert scene.pass_by(60) == ["STOPPING=1\nSTATUS=0 guests"]

    def test_stop_before_ready(self, scene: Scene) -> None:
        """A program may end without ever being ready."""
        scene.supervised.stopService()
        assert scene.pass_by(60) == ["STOPPING=1\nSTATUS=0 guests"]


class UnheardTests:
    """Service managers that hear nothing, now or ever."""

    def test_nobody(self) -> None:
        """Where there is no service manager nothing runs, and what is to be reloaded is."""
        clock = Clock()
        looks: list[str] = []
        worked: list[bool] = []

        def look() -> str:
            looks.append("look")
            return ""

        supervised = SystemdService(clock, Notifier({}), 10.0, look)
        supervised.startService()
        supervised.started()
        supervised.reload(lambda: worked.append(True))
        assert clock.getDelayedCalls() == []
        assert (looks, worked) == ([], [True])
        supervised.stopService()

    @needs_unix_sockets
    def test_later(self, tmp_path: Path) -> None:
        """That it is ready is said again until it was heard, or the program would be taken for stuck."""
        scene = Scene(tmp_path / "notify", None)
        scene.manager.close()
        scene.supervised.started()
        scene.clock.pump([1] * 3)
        (tmp_path / "notify").unlink()
        scene.manager = ServiceManager(tmp_path / "notify")
        scene.guests = 5
        assert scene.pass_by(3) == ["READY=1\nSTATUS=5 guests"]
        scene.supervised.stopService()
        scene.manager.close()


def test_monotonic() -> None:
    """The time of a reload is that of the system's clock which nobody sets, in microseconds."""
    before = time.monotonic_ns() // 1000
    assert before <= monotonic_usec() <= time.monotonic_ns() // 1000
