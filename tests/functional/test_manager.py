"""Tests of the stand-in for a service manager, with small programs of which it is known what they do."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.manager import Manager, StartError, State, socket_of
from tests.functional.programs import LOOPBACK, wait_until
from tests.functional.units import SHIPPED, Places, Unit

SERVICE = SHIPPED / "system" / "techboy-romeo.service"

PROGRAM = """#!{python}
import json, os, signal, socket, sys, time
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def tell(text):
    manager.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
def told(text):
    print(text, flush=True)
{body}
"""

STEADY = """
def reload(*_):
    tell("RELOADING=1\\nMONOTONIC_USEC=1")
    told("reloaded")
    tell("READY=1")
signal.signal(signal.SIGHUP, reload)
told("here")
tell("READY=1\\nSTATUS=all is well")
while True:
    time.sleep(0.05)  # a sign of life in good time, for any watchdog of these tests
    tell("WATCHDOG=1")
"""


class Stage:
    """A tree, and programs that are services in it."""

    def __init__(self, folder: Path, ended: ExitStack) -> None:
        self.folder, self._ended = folder, ended
        self.places = Places.of_system(folder / "tree")
        self.places.root.mkdir()

    def service(
        self,
        body: str,
        watchdog: float | None = 0,
        listeners: tuple[socket.socket, ...] = (),
        unit: Path = SERVICE,
    ) -> Manager:
        """Return the service whose program does what ``body`` says."""
        program = self.folder / "program"
        program.write_text(PROGRAM.format(python=sys.executable, body=body))
        program.chmod(0o700)
        manager = Manager(
            unit,
            self.places,
            ["--port", "0"],
            watchdog,
            restart_after=0.05,
            twist=program,
            listeners=listeners,
        )
        self._ended.callback(manager.close)
        return manager


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return where services run, all of which are ended."""
    with ExitStack() as ended:
        yield Stage(tmp_path, ended)


class ServiceTests:
    """A program that does what a service should."""

    def test_start_and_stop(self, stage: Stage) -> None:
        """It is started when it says so, and ends at SIGTERM."""
        manager = stage.service(STEADY)
        assert manager.state is State.INACTIVE
        manager.start()
        assert (manager.state, manager.status, manager.said) == (State.ACTIVE, "all is well", "here\n")
        manager.stop()
        assert (manager.state, manager.result, manager.statuses) == (State.INACTIVE, "success", [-15])

    def test_environment(self, stage: Stage) -> None:
        """It has what systemd.exec(5) promises, nothing of ours, and its directories for itself."""
        (stage.places.root / "etc" / "techboy").mkdir(parents=True)
        (stage.places.root / "etc" / "techboy" / "romeo.env").write_text('# a comment\nNAME="a b"\n\n')
        told = "told(json.dumps([sys.argv[1:], dict(os.environ), os.umask(0)]))"
        body = f'{told}; tell("READY=1"); time.sleep(99)  # until the manager stops it'
        manager = stage.service(body, watchdog=2.5)
        manager.start()
        arguments, environment, umask = json.loads(manager.said)
        assert arguments == ["--log-format", "text", "romeo", "--port", "0"]
        assert umask == 0o077
        runtime, state = stage.places.root / "run/techboy-romeo", stage.places.root / "var/lib/techboy-romeo"
        del environment["NOTIFY_SOCKET"], environment["PATH"]
        environment.pop("LC_CTYPE", None)  # which Python sets
        assert environment == {
            "HOME": str(stage.places.root / "root"),
            "LANG": "C.UTF-8",
            "NAME": "a b",
            "RUNTIME_DIRECTORY": str(runtime),
            "STATE_DIRECTORY": str(state),
            "WATCHDOG_PID": str(manager.pid),
            "WATCHDOG_USEC": "2500000",
        }
        assert [path.stat().st_mode & 0o777 for path in (runtime, state)] == [0o700, 0o700]
        manager.stop()
        assert not runtime.exists()
        assert state.exists()

    def test_reload(self, stage: Stage) -> None:
        """It gets SIGHUP, and has reloaded when it says so."""
        manager = stage.service(STEADY)
        manager.start()
        manager.told("READY")
        manager.reload()
        assert manager.told("RELOADING") == manager.told("READY") == "1"
        assert (manager.state, manager.said) == (State.ACTIVE, "here\nreloaded\n")

    def test_alive(self, stage: Stage) -> None:
        """Who gives signs of life is left alone."""
        manager = stage.service(STEADY, watchdog=5)
        manager.start()
        for _ in range(10):
            manager.told("WATCHDOG")
        assert manager.statuses == []

    def test_socket(self, stage: Stage) -> None:
        """It has the socket that its socket unit opened, as sd_listen_fds(3) says."""
        body = """
assert (os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"]) == (str(os.getpid()), "1")
assert os.environ["LISTEN_FDNAMES"] == "techboy-romeo.socket"
tell("READY=1")
with socket.socket(fileno=3) as listener:
    listener.accept()[0].sendall(b"hello")
"""
        with socket_of(SHIPPED / "system" / "techboy-romeo.socket", stage.places, 0) as listener:
            manager = stage.service(body, listeners=(listener,))
            manager.start()
            with socket.create_connection((LOOPBACK, listener.getsockname()[1])) as caller:
                assert caller.recv(5) == b"hello"
            manager.until(State.INACTIVE)


class TroubleTests:
    """Programs that do not do what they should."""

    def test_fails(self, stage: Stage) -> None:
        """One that fails is started again, until it is told to stop."""
        manager = stage.service('tell("READY=1"); told("here"); sys.exit(3)')
        manager.start()
        wait_until(lambda: len(manager.statuses) >= 2)
        manager.stop()
        assert set(manager.statuses) <= {3, -signal.SIGTERM}
        assert manager.state in (State.INACTIVE, State.FAILED)
        assert manager.journal.read_text().count("here\n") >= 2

    @pytest.mark.parametrize("status", [64, 78])
    def test_is_wrong(self, stage: Stage, status: int) -> None:
        """One that can't be helped by starting it again is not, and whoever starts it is told."""
        manager = stage.service(f'told("romeo: no such thing"); sys.exit({status})')
        with pytest.raises(StartError, match=f"(?s)exit-code {status}.*no such thing"):
            manager.start()
        assert (manager.state, manager.statuses) == (State.FAILED, [status])

    def test_ends(self, stage: Stage) -> None:
        """One that ends in good order is not started again."""
        manager = stage.service('tell("READY=1"); tell("STOPPING=1")')
        manager.start()
        manager.until(State.INACTIVE)
        assert (manager.result, manager.statuses) == ("success", [0])

    def test_never_ready(self, stage: Stage) -> None:
        """One that ends before it was ready has broken the protocol."""
        manager = stage.service("")
        with pytest.raises(StartError, match="protocol"):
            manager.start()

    @pytest.mark.parametrize(
        ("hangs", "status"),
        [
            ("time.sleep(99)", -signal.SIGABRT),
            ("os.kill(os.getpid(), signal.SIGSTOP)", -signal.SIGABRT),
            ("signal.signal(signal.SIGABRT, signal.SIG_IGN); time.sleep(99)", -signal.SIGKILL),
        ],
    )
    def test_hangs(self, stage: Stage, hangs: str, status: int) -> None:
        """One that gives no sign of life is ended, in the end as nobody can refuse, and started again."""
        manager = stage.service(f'tell("READY=1"); told("here"); {hangs}', watchdog=0.3)
        manager._reply_timeout = 0.3
        manager.start()
        wait_until(lambda: bool(manager.statuses))
        assert manager.statuses[0] == status
        wait_until(lambda: manager.journal.read_text().count("here\n") >= 2)

    def test_deaf(self, stage: Stage) -> None:
        """One that does not end when it is told to is killed."""
        manager = stage.service(
            'signal.signal(signal.SIGTERM, signal.SIG_IGN); tell("READY=1"); time.sleep(99)'
        )
        manager._reply_timeout = 0.3
        manager.start()
        manager.stop()
        assert (manager.state, manager.result, manager.statuses) == (State.FAILED, "timeout", [-9])

    def test_others(self, stage: Stage) -> None:
        """Only the program itself is heard, not what it starts; and that ends with it."""
        body = """
reading, writing = os.pipe()
if os.fork() == 0:
    tell("READY=1\\nSTATUS=from a child")
    told(os.getpid())
    os.write(writing, b"told")
    time.sleep(99)
os.read(reading, 4)
tell("READY=1\\nSTATUS=from the program")
time.sleep(99)
"""
        manager = stage.service(body)
        manager.start()
        assert manager.notifications == [{"READY": "1", "STATUS": "from the program"}]
        child = int(manager.said)
        manager.stop()
        wait_until(lambda: not _runs(child))


class UnitTests:
    """How a unit file is read."""

    @pytest.mark.parametrize("places", [Places.of_system, Places.of_user])
    def test_specifiers(self, tmp_path: Path, places: Callable[[Path], Places]) -> None:
        """Specifiers are places in the tree; a value that is empty takes back those before."""
        path = tmp_path / "x.service"
        path.write_text("[Service]\nA=%h%% \\\n %t\nA=\nA=%E:%S\n# A=1\n[X]\nA=2\nWait=2min\n")
        where = places(tmp_path)
        unit = Unit(path, where)
        assert unit.all("Service", "A") == [f"{where.configuration}:{where.state}"]
        assert (unit.get("X", "A"), unit.get("X", "B", "3")) == ("2", "3")
        assert (unit.seconds("X", "Wait"), unit.seconds("X", "B")) == (120, None)

    def test_variables(self, tmp_path: Path) -> None:
        """A command's variables are replaced word by word."""
        path = tmp_path / "x.service"
        path.write_text("[Service]\nExecStart=/bin/x ${A}b '$B c'\nEnvironment=A=1 'B=2 3'\n")
        unit = Unit(path, Places.of_system(tmp_path))
        assert unit.command("ExecStart", unit.environment()) == ["/bin/x", "1b", "2 3 c"]


def _runs(process: int) -> bool:
    """Tell whether ``process`` is there, and not waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return os.getpid() == process
