"""A small stand-in for a service manager: what systemd does with a service of Type=notify.

It starts the command line of a unit file in a clean environment, hears on a real socket what the program
tells it, and starts it again, kills it and stops it as systemd.service(5) and sd_notify(3) say. What the
unit says of users, sandboxes and ordering is not for it: `systemd-analyze` checks that.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from threading import RLock, Thread

from tests.children import run, start
from tests.functional.programs import DEADLINE, NULL, SHELL, TWIST, EndedAtLast, wait_until
from tests.functional.units import Places, Unit

_TICK = 0.02
"""Seconds after which it is looked again whether a program has ended."""

_CLEAN = {0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE}
_CREDENTIALS = struct.Struct("3i")
_LISTENING = re.compile(r"Listening for connection on \S+:(\d+)\.\.\.")

# what only the process itself can do before it becomes the program: it learns its number, takes the umask,
# and has the sockets that it is given from descriptor 3 on
_LAUNCHER = """
import fcntl, os, sys
umask, sockets, command = sys.argv[1], sys.argv[2], sys.argv[3:]
os.umask(int(umask, 8))
for variable in ("WATCHDOG", "LISTEN"):
    if variable + "_USEC" in os.environ or variable + "_FDS" in os.environ:
        os.environ[variable + "_PID"] = str(os.getpid())
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sockets.split()]
for place, descriptor in enumerate(given, 3):
    os.dup2(descriptor, place, inheritable=True)
    os.close(descriptor)
os.execv(command[0], command)
"""


class State(Enum):
    """What a service does."""

    INACTIVE = auto()
    STARTING = auto()  # it did not say READY yet
    ACTIVE = auto()
    RELOADING = auto()
    STOPPING = auto()
    ABORTING = auto()  # it gave no sign of life, or did not become ready, and is being ended
    RESTARTING = auto()  # it has failed, and is started again in a moment
    FAILED = auto()


class Wanted(Enum):
    """What was asked for last."""

    RUNNING = auto()
    STOPPED = auto()


class StartError(Exception):
    """A service did not become ready."""


class Manager(EndedAtLast):
    """Runs the service that ``unit`` describes, in a tree of its own.

    ``options`` are added to the command line. ``watchdog`` and ``restart_after`` replace the unit's seconds,
    which are made for people. ``environment`` is what systemd's own would be. ``twist`` replaces the program.
    ``listeners`` are the sockets that its socket unit has opened.
    """

    def __init__(
        self,
        unit: Path,
        places: Places,
        options: Sequence[str] = (),
        watchdog: float | None = None,
        restart_after: float | None = None,
        environment: Mapping[str, str] | None = None,
        twist: Path = TWIST,
        listeners: Sequence[socket.socket] = (),
    ) -> None:
        self.unit, self.places = Unit(unit, places), places
        assert self.unit.get("Service", "Type") == "notify"
        assert self.unit.get("Service", "NotifyAccess") == "main"
        self.options, self.twist, self.listeners = options, twist, listeners
        self.environment = dict(environment or {})
        self._watchdog = self._span("WatchdogSec") if watchdog is None else watchdog
        self._restart_after = (self._span("RestartSec") or 0.1) if restart_after is None else restart_after
        self._reply_timeout = self._span("TimeoutStopSec") or DEADLINE
        self.state, self.result, self.notifications = State.INACTIVE, "", list[dict[str, str]]()
        self.statuses: list[int] = []
        self._ready_after = set[int]()  # the numbers of ends after which it became ready
        self._wanted = Wanted.STOPPED
        self._process: subprocess.Popen[bytes] | None = None
        self._seen, self._journal_from, self._deadline = 0, 0, float("inf")
        self._folder = Path(tempfile.mkdtemp(prefix="techboy-"))  # whose path fits into an address
        self.journal = self._folder / "journal"
        self.journal.touch()
        self._socket = _notify_socket(self._folder / "notify")
        self._closing, self._lock = False, RLock()
        self._thread = Thread(target=self._supervise, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def said(self) -> str:
        """What it has written since it was started last, on both streams."""
        return self.journal.read_text(errors="replace")[self._journal_from :]

    @property
    def port(self) -> int:
        """Where Romeo says that he listens."""
        wait_until(lambda: _LISTENING.search(self.said) is not None)
        found = _LISTENING.search(self.said)
        assert found is not None
        return int(found[1])

    @property
    def status(self) -> str:
        """What it said of itself last."""
        said = [heard["STATUS"] for heard in list(self.notifications) if "STATUS" in heard]
        return said[-1] if said else ""

    def start(self) -> None:
        """Start it, and return when it is ready; raise StartError where it does not become so."""
        with self._lock:
            assert self._process is None, "it runs already"
            self._wanted, ended = Wanted.RUNNING, len(self.statuses)
            self._spawn()
        self._wait(lambda: ended in self._ready_after or len(self.statuses) > ended)
        if ended not in self._ready_after:
            raise StartError(f"{self.unit.name}: {self.result}\n{self.said}")

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL where that does not help in time."""
        with self._lock:
            self._wanted = Wanted.STOPPED
            if self._process is None:
                if self.state is State.RESTARTING:
                    self.state = State.INACTIVE
                return
            self._end(State.STOPPING, signal.SIGTERM)
        self.until(State.INACTIVE, State.FAILED)

    def restart(self) -> None:
        """Stop it if it runs, and start it."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Have its changes take effect, as the unit's ExecReload says; return when it says so."""
        heard = len(self.notifications)
        name, *words = self.unit.command("ExecReload", {"MAINPID": str(self.pid)})
        # the shell's own kill, as not every system has /bin/kill
        run([SHELL, "-c", '"$0" "$@"', Path(name).name, *words], check=True)
        wait_until(lambda: any("RELOADING" in told for told in self.notifications[heard:]))
        self.until(State.ACTIVE)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def until(self, *states: State) -> None:
        """Return as soon as it is in one of ``states``."""
        self._wait(lambda: self.state in states)

    def told(self, key: str) -> str:
        """Return what it says of ``key`` after what was asked for last, as soon as it is there."""
        found: list[str] = []

        def heard() -> bool:
            while self._seen < len(self.notifications) and not found:
                notification = self.notifications[self._seen]
                self._seen += 1
                if key in notification:
                    found.append(notification[key])
            return bool(found)

        wait_until(heard)
        return found[0]

    def close(self) -> None:
        """End everything at once."""
        self._closing = True
        self._thread.join(DEADLINE)
        if self._process is not None:
            self._kill(signal.SIGKILL)
            self._process.wait(DEADLINE)
        self._socket.close()
        print(
            f"{self.unit.name}: {self.state.name} {self.result}\n{self.journal.read_text(errors='replace')}"
        )
        shutil.rmtree(self._folder)

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Return as soon as ``condition`` is true, and nothing is half done."""

        def is_true() -> bool:
            with self._lock:
                return condition()

        wait_until(is_true)

    # what goes on in the thread, or before it

    def _supervise(self) -> None:
        while not self._closing:
            select.select([self._socket], [], [], _TICK)
            with self._lock:
                self._hear()
                self._look()

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
                [(_, _, credentials)] = ancillary
                sender, _, _ = _CREDENTIALS.unpack(credentials)
                if self._process is not None and sender == self._process.pid:  # NotifyAccess=main
                    self._heard(dict(line.split("=", 1) for line in data.decode().splitlines()))

    def _heard(self, told: dict[str, str]) -> None:
        self.notifications.append(told)
        if "WATCHDOG" in told:
            self._sign_of_life()
        if "RELOADING" in told and self.state is State.ACTIVE:
            self.state = State.RELOADING
        if "READY" in told and self.state in (State.STARTING, State.RELOADING):
            starting, self.state = self.state is State.STARTING, State.ACTIVE
            if starting:
                self._ready_after.add(len(self.statuses))
                self._sign_of_life()
        if "STOPPING" in told and self.state in (State.ACTIVE, State.RELOADING):
            self.state, self._deadline = State.STOPPING, time.monotonic() + self._reply_timeout

    def _sign_of_life(self) -> None:
        if self.state in (State.ACTIVE, State.RELOADING):
            self._deadline = float("inf") if not self._watchdog else time.monotonic() + self._watchdog

    def _look(self) -> None:
        late = time.monotonic() >= self._deadline
        if self._process is None:
            if late and self.state is State.RESTARTING:
                self._spawn()
        elif self._process.poll() is not None:
            self._hear()  # its last words
            self._ended(self._process.returncode)
        elif not late:
            return
        elif self.state is State.STARTING:
            self.result = "timeout"
            self._end(State.ABORTING, signal.SIGTERM)
        elif self.state in (State.ACTIVE, State.RELOADING):
            self.result = "watchdog"
            self._end(State.ABORTING, signal.SIGABRT)
        else:
            self.result = self.result or "timeout"
            self._kill(signal.SIGKILL)
            self._deadline = float("inf")

    def _ended(self, status: int) -> None:
        ready = self.state is not State.STARTING
        self._kill(signal.SIGKILL)  # whatever it started
        self._process = None
        clean = status in _CLEAN
        if not self.result:
            kind = "signal" if status < 0 else "exit-code"
            self.result = ("success" if ready else "protocol") if clean else f"{kind} {abs(status)}"
        failed = self.result != "success"
        for directory in self._directories("RuntimeDirectory").values():
            shutil.rmtree(directory)
        if failed and self._wanted is Wanted.RUNNING and self._is_restarted_after(status):
            self.state, self._deadline = State.RESTARTING, time.monotonic() + self._restart_after
        else:
            self.state = State.FAILED if failed else State.INACTIVE
        self.statuses.append(status)

    def _is_restarted_after(self, status: int) -> bool:
        prevented = self.unit.get("Service", "RestartPreventExitStatus").split()
        return self.unit.get("Service", "Restart") == "on-failure" and str(status) not in prevented

    def _end(self, state: State, number: int) -> None:
        self.state, self._deadline = state, time.monotonic() + self._reply_timeout
        self._kill(number)
        self._kill(signal.SIGCONT)  # as systemd does, so that who is stopped gets it

    def _kill(self, number: int) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(self._process.pid, number)

    def _spawn(self) -> None:
        self.result, self.state = "", State.STARTING
        self._deadline = time.monotonic() + DEADLINE
        self._journal_from = len(self.journal.read_text(errors="replace"))
        environment = self._environment_of_program()
        _, *words = self.unit.command("ExecStart", environment)
        umask = self.unit.get("Service", "UMask", "0022")
        numbers = [listener.fileno() for listener in self.listeners]
        launcher = [sys.executable, "-c", _LAUNCHER, umask, " ".join(map(str, numbers))]
        with self.journal.open("ab") as journal:
            for directory in self._directories("RuntimeDirectory", "StateDirectory").values():
                directory.mkdir(parents=True, exist_ok=True)
                directory.chmod(0o700)
            self._process = start(
                [*launcher, self.twist, *words, *self.options],
                cwd=self.places.root,
                env=environment,
                stdin=NULL,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
                pass_fds=numbers,
            )

    def _environment_of_program(self) -> dict[str, str]:
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(self.places.home),
            "NOTIFY_SOCKET": str(self._folder / "notify"),
            **self.environment,
        }
        if self._watchdog:
            environment["WATCHDOG_USEC"] = str(int(self._watchdog * 1_000_000))
        if self.listeners:
            environment["LISTEN_FDS"] = str(len(self.listeners))
            environment["LISTEN_FDNAMES"] = ":".join(
                [f"{Path(self.unit.name).stem}.socket"] * len(self.listeners)
            )
        environment |= {
            f"{key.removesuffix('Directory').upper()}_DIRECTORY": str(path)
            for key, path in self._directories("RuntimeDirectory", "StateDirectory").items()
        }
        return environment | self.unit.environment()

    def _directories(self, *keys: str) -> dict[str, Path]:
        places = {"RuntimeDirectory": self.places.runtime, "StateDirectory": self.places.state}
        named = {key: self.unit.get("Service", key) for key in keys}
        return {key: places[key] / name for key, name in named.items() if name}

    def _span(self, key: str) -> float | None:
        return self.unit.seconds("Service", key)


def socket_of(unit: Path, places: Places, port: int | None = None) -> socket.socket:
    """Return the socket that the socket unit ``unit`` describes, listening; on ``port`` instead, if given."""
    described = Unit(unit, places)
    assert described.get("Socket", "BindIPv6Only") == "both"
    number = int(described.get("Socket", "ListenStream")) if port is None else port
    backlog = int(described.get("Socket", "Backlog"))
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("::", number), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True
        )
    return socket.create_server(("0.0.0.0", number), backlog=backlog)


def _notify_socket(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    opened.bind(str(path))
    opened.setblocking(False)
    return opened
