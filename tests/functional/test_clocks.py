"""Programs whose wall clock is set while they run."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.children import run
from tests.functional.manager import Manager, State
from tests.functional.programs import LOOPBACK, NULL, TWIST, NativePeer, Programs, free_port, wait_until
from tests.functional.screens import Screens
from tests.functional.units import SHIPPED, Places

HOUR = 3600
WATCHDOG = 1.0
SOURCE = Path(__file__).with_name("wallclock.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"),
    reason="a C compiler makes the library that shifts the clock, and Linux loads it by LD_PRELOAD",
)


class ShiftedWall:
    """A wall clock that a test sets; ``environment`` has programs take it for theirs."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._file, self._shift = folder / "shift", 0
        self.step(0)
        self.environment = {"LD_PRELOAD": str(library), "WALL_SHIFT": str(self._file)}

    def step(self, seconds: int) -> None:
        """Set it forward by ``seconds``, or back if they are negative."""
        self._shift += seconds
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", self._shift))


@pytest.fixture(scope="module")
def library() -> Iterator[Path]:
    """Return what shifts the wall clock of a program."""
    with TemporaryDirectory(prefix="techboy-") as folder:
        path = Path(folder, "wallclock.so")
        run([str(COMPILER), "-shared", "-fPIC", "-O2", "-o", path, SOURCE], check=True)
        yield path


@pytest.fixture
def wall(library: Path, root: Path) -> ShiftedWall:
    """Return a wall clock that has not been set yet."""
    return ShiftedWall(library, root)


@pytest.fixture
def manager(wall: ShiftedWall, root: Path) -> Iterator[Manager]:
    """Return a server with a watchdog, under a service manager, which has clocks of its own."""
    unit, options = SHIPPED / "system" / "techboy-romeo.service", ["--host", LOOPBACK, "--port", "0"]
    places = Places.of_system(root / "tree")
    places.root.mkdir()
    with Manager(unit, places, options, WATCHDOG, environment=wall.environment) as it:
        it.start()
        yield it


def alive(manager: Manager) -> None:
    """Wait for three signs of life more."""
    heard = len(manager.notifications)
    wait_until(lambda: sum("WATCHDOG" in told for told in manager.notifications[heard:]) >= 3)
    assert (manager.state, manager.statuses) == (State.ACTIVE, [])


def welcomed(programs: Programs, manager: Manager, name: str) -> NativePeer:
    """Return a client that is in."""
    client = programs.native_caller(manager.port)
    client.tells({"type": "hello", "version": 1, "name": name})
    client.told("welcome")
    return client


def heard(client: NativePeer, count: int) -> tuple[list[str], list[float]]:
    """Return the next ``count`` lines that a client is sent, and their stamps."""
    texts: list[str] = []
    stamps: list[float] = []
    while len(texts) < count:
        told = client.told("message")
        lines = told["text"].split("\n")
        texts += lines
        stamps += [told["at"] / 1000] * len(lines)
    return texts, stamps


class ServerTests:
    """A server whose wall clock is set."""

    def test_shifted(self, wall: ShiftedWall) -> None:
        """What the tests do has the effect that they want: the wall clock is shifted, and no other."""
        shown = [sys.executable, "-c", "import time; print(int(time.time()), time.monotonic())"]
        first = run(shown, env=wall.environment, capture_output=True, text=True, check=True).stdout
        wall.step(-HOUR)
        then = run(shown, env=wall.environment, capture_output=True, text=True, check=True).stdout
        (wall_before, before), (wall_after, after) = first.split(), then.split()
        assert HOUR - 60 < int(wall_before) - int(wall_after) <= HOUR
        assert float(before) < float(after) < float(before) + 60

    def test_set_back_and_forward(self, wall: ShiftedWall, manager: Manager, programs: Programs) -> None:
        """Signs of life, connections and the rate limit are as before, and stamps do not decrease."""
        author, reader = (welcomed(programs, manager, name) for name in ("author", "reader"))
        plain = programs.caller(manager.port)
        plain.hears("3 here")
        stamps: list[float] = []
        for place, seconds in enumerate((0, -HOUR, HOUR, HOUR, -HOUR, -HOUR)):
            wall.step(seconds)
            alive(manager)
            numbers = range(place * 50 + 1, place * 50 + 51)
            for number in numbers:
                author.tells({"type": "message", "kind": "text", "text": f"native {number}", "seq": number})
            plain.says(f"plain {place}\n")
            texts, times = heard(reader, 51)
            stamps += times
            assert sorted(texts) == sorted([*(f"native {number}" for number in numbers), f"plain {place}"])
        assert stamps == sorted(stamps)
        assert HOUR <= stamps[-1] - stamps[0] < HOUR + 600

    def test_restart(self, wall: ShiftedWall, manager: Manager, programs: Programs) -> None:
        """Stamps do not decrease across a restart after which the clock is an hour behind."""
        for said, seconds in enumerate((0, -HOUR, HOUR)):
            wall.step(seconds)
            manager.restart()
            reader, author = (welcomed(programs, manager, name) for name in ("reader", "author"))
            author.tells({"type": "message", "kind": "text", "text": "hello", "seq": 1})
            _, stamps = heard(reader, said + 1)
            assert stamps == sorted(stamps)


def juliet_on(wall: ShiftedWall, port: int) -> list[str]:
    """Return the command of a Juliet who calls ``port`` and takes the time from ``wall``."""
    shifted = [f"{name}={value}" for name, value in wall.environment.items()]
    return ["/usr/bin/env", *shifted, str(TWIST), "juliet", "--host", LOOPBACK, "--port", str(port)]


class ClientTests:
    """A client whose wall clock is set."""

    @pytest.mark.parametrize("seconds", [-HOUR, HOUR])
    def test_retries(self, wall: ShiftedWall, programs: Programs, seconds: int) -> None:
        """It calls on, as often as before."""
        port = free_port()
        juliet = programs.start(*juliet_on(wall, port))
        juliet.states("no answer")
        wall.step(seconds)
        romeo = programs.romeo("--output", "bare", port=port, stdin=NULL)
        juliet.states("Connected")
        juliet.writes("hello\n")
        juliet.end_input()
        romeo.shows("hello\n")
        assert juliet.ends() == 0

    @pytest.mark.parametrize("seconds", [-HOUR, HOUR])
    def test_at_prompt(self, wall: ShiftedWall, screens: Screens, seconds: int) -> None:
        """At a prompt, which runs on another reactor, it does so too, and stays connected."""
        port = free_port()
        juliet = screens.on_screen(*juliet_on(wall, port))
        juliet.shows("no answer")
        wall.step(seconds)
        romeo = screens.romeo("--output", "bare", port=port, stdin=NULL)
        juliet.shows("Connected")
        wall.step(-2 * seconds)
        juliet.writes("hello\r")
        romeo.shows("hello\n")
        juliet.writes("exit\r")
        assert juliet.ends() == 0
        assert not any("lost" in line for line in juliet.said)
