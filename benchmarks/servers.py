"""The servers that are measured, each started on a port that the system hands out, and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import IRC, NATIVE, PLAIN, Protocol
from tests.children import start

TWIST = Path(sys.executable).with_name("twist")
MANY_GUESTS = ["--rate", "0", "--guests", "12000"]

_NGIRCD = """[Global]
Name = bench.example
Info = bench
Listen = 127.0.0.1
Ports = {port}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
MaxJoins = 0
[Options]
DNS = no
Ident = no
PAM = no
"""


@dataclass(frozen=True)
class Server:
    """A server that may be measured: ``{port}`` and ``{folder}`` in ``command`` are filled in."""

    name: str
    command: tuple[str, ...]
    protocol: Protocol = PLAIN
    most_guests: int = 20_000

    @property
    def installed(self) -> bool:
        """Whether it can be started here."""
        return shutil.which(self.command[0], path=_PATH) is not None


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

_ROMEO = (str(TWIST), "romeo", "--host", "127.0.0.1", "--port", "{port}", *MANY_GUESTS)
_STATE = ("--state", "{folder}/state")
TECHBOY = Server("techboy", _ROMEO)
TECHBOY_NATIVE = Server("techboy, native", _ROMEO, NATIVE)
TECHBOY_FULL = Server("techboy, SQLite, full", (*_ROMEO, *_STATE))
TECHBOY_NORMAL = Server("techboy, SQLite, normal", (*_ROMEO, *_STATE, "--sync", "normal"))
BARE = Server("bare relay", (sys.executable, "-m", "benchmarks.relays.bare", "{port}"))
TWISTED_LINES = Server(
    "Twisted, a line at a time", (sys.executable, "-m", "benchmarks.relays.twisted_lines", "{port}")
)
ASYNCIO_LINES = Server(
    "asyncio, a line at a time", (sys.executable, "-m", "benchmarks.relays.asyncio_lines", "{port}")
)
NCAT = Server(
    "ncat --broker", ("ncat", "--broker", "-m", "2000", "-l", "127.0.0.1", "{port}"), most_guests=900
)
NGIRCD = Server("ngircd", ("ngircd", "-n", "-f", "{folder}/ngircd.conf"), IRC)


@contextlib.contextmanager
def started(server: Server, cpu: int | None = None) -> Iterator[tuple[int, int]]:
    """Start ``server``, on the processor ``cpu`` if given; yield its port and process id, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ngircd.conf").write_text(_NGIRCD.format(port=port), encoding="ascii")
        process = start(
            [part.format(port=port, folder=folder) for part in server.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": _PATH},
        )
        try:
            if cpu is not None:
                os.sched_setaffinity(process.pid, {cpu})
            _await_port(port, process)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def resident(process: int) -> int:
    """Return the bytes of memory that the process with this id has."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            time.sleep(0.3)  # so that this caller has come and gone before others come
            return
        time.sleep(0.05)  # before the port is tried again: nobody says when it is open
    raise SystemExit("a server did not start")
