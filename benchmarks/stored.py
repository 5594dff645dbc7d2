"""Measure what it costs that nothing is lost; print one table.

Usage: ``python -m benchmarks.stored [TIMES]`` (3). Every figure is taken that often, the servers in turn, and
the medians are compared. The server runs on one processor and the load on another, where there are two.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import MARK, Load
from benchmarks.servers import (
    BARE,
    TECHBOY,
    TECHBOY_FULL,
    TECHBOY_NATIVE,
    TECHBOY_NORMAL,
    TWIST,
    Server,
    started,
)
from techboy.wire.frames import Hello
from techboy.wire.native import encode
from tests.children import start

STORED_LINES = 300_000
FAN_OUT_LINES = 100_000
BACKLOG = 1_000_000
PINGS = 200


def stored_a_second(server: Server) -> float:
    """Return how many lines a second one sender gets through to 10 receivers, who hear what is stored."""
    return _flood(server, 10, STORED_LINES) / 10


def fan_out(server: Server) -> float:
    """Return how many deliveries a second one sender gets through to 100 receivers."""
    return _flood(server, 100, FAN_OUT_LINES)


def _flood(server: Server, receivers: int, lines: int) -> float:
    with started(server, _cpu(0)) as (port, _):
        load = Load(port, receivers, 1, server.protocol)
        rate = load.flood(lines)
        load.close()
    return rate


def compared(name: str, servers: list[Server], measure: Callable[[Server], float], times: int) -> None:
    """Measure ``servers`` in turn, and print a line for each, with its share of the first one's."""
    values: dict[Server, list[float]] = {server: [] for server in servers}
    for _ in range(times):
        for server in servers:
            values[server].append(measure(server))
    first = statistics.median(values[servers[0]])
    for server in servers:
        value = statistics.median(values[server])
        print(f"| {name} | {server.name} | {value:,.0f} a second | {value / first:.2f} |", flush=True)


class Behind:
    """A caller who has a session and was away while much was said."""

    def __init__(self, port: int) -> None:
        self._port, self.lines, self.seconds = port, 0, 0.0
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(encode(Hello("behind")))
            came = b""
            while b'"welcome"' not in came:
                came += caller.recv(65536)
        found = re.search(rb'"session": "([^"]+)".*"log_epoch": "([^"]+)"', came)
        assert found is not None
        self._session, self._log = found[1].decode(), found[2].decode()

    def catch_up(self, lines: int) -> None:
        """Come back, and read until ``lines`` lines have come."""
        buffer = bytearray(1 << 20)
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self._port)) as caller:
            caller.sendall(encode(Hello("behind", self._session, self._log, "lobby", 0)))
            while self.lines < lines:
                length = caller.recv_into(buffer)
                self.lines += buffer.count(MARK, 0, length)
        self.seconds = time.perf_counter() - began


def catching_up() -> None:
    """Print how fast somebody catches up with a million lines, and how long others wait meanwhile."""
    with started(TECHBOY_FULL, _cpu(0)) as (port, _):
        behind = Behind(port)
        load = Load(port, 10, 1)
        live = load.flood(BACKLOG) / 10
        load.close()
        load = Load(port, 10, 1)
        alone = load.ping(PINGS)
        reader = threading.Thread(target=behind.catch_up, args=(BACKLOG,))
        reader.start()
        together: list[float] = []
        while reader.is_alive():
            together.append(load.ping(1, PINGS + len(together)))
        load.close()
    rate = BACKLOG / behind.seconds
    print(f"| said to 10 receivers | {TECHBOY_FULL.name} | {live:,.0f} a second | 1.00 |")
    share = f"{rate:,.0f} a second | {rate / live:.2f}"
    print(f"| a reader {BACKLOG:,} lines behind | {TECHBOY_FULL.name} | {share} |")
    for name, seconds in (
        ("until 10 receivers have a line, p50", alone),
        ("the same while that reader catches up", statistics.median(together)),
    ):
        print(f"| {name} | {TECHBOY_FULL.name} | {seconds * 1e6:.0f} \u00b5s | |", flush=True)


def restarting() -> None:
    """Print how long Romeo takes to listen with a million lines on disk, and with none."""
    with tempfile.TemporaryDirectory() as folder:
        empty = _until_listening(folder, lines=BACKLOG)
        full = _until_listening(folder, lines=0)
    print(f"| started until it listens, nothing on disk | techboy, SQLite, full | {empty:.2f} s | |")
    print(f"| the same with {BACKLOG:,} lines on disk | techboy, SQLite, full | {full:.2f} s | |", flush=True)


def _until_listening(folder: str, lines: int) -> float:
    """Start Romeo, return after how many seconds he listened, and leave so many lines with him."""
    command: list[str | Path] = [TWIST, "romeo", "--host", "127.0.0.1", "--port", "0"]
    command += ["--rate", "0", "--state", folder]
    began = time.perf_counter()
    process = start(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        listening = re.search(r":(\d+)\.\.\.", process.stderr.readline())
        seconds = time.perf_counter() - began
        assert listening is not None
        if lines:
            load = Load(int(listening[1]), 1, 1)
            load.flood(lines)
            load.close()
    finally:
        process.terminate()
        process.communicate()
    return seconds


def main(times: int) -> None:
    """Print the table."""
    cpu = _cpu(1)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    print(f"{times} times each")
    print("| figure | server | median | share of the first |")
    print("|---|---|---|---|")
    compared("stored, 10 receivers", [TECHBOY, TECHBOY_FULL, TECHBOY_NORMAL], stored_a_second, times)
    compared("deliveries to 100 receivers", [BARE, TECHBOY, TECHBOY_NATIVE], fan_out, times)
    catching_up()
    restarting()


def _cpu(number: int) -> int | None:
    return _CPUS[number] if len(_CPUS) > 1 else None


_CPUS = sorted(os.sched_getaffinity(0))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
