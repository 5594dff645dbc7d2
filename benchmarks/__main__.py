"""Measure Techboy beside what one would use instead; print one table, and how cost grows.

Usage: ``python -m benchmarks [TIMES]`` (5). Every figure is taken that often, the servers in turn, and the
medians are compared. The server runs on one processor and the load on another, where there are two.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.load import Load
from benchmarks.memory import idle_guest, stuck_reader
from benchmarks.servers import ASYNCIO_LINES, BARE, NCAT, NGIRCD, TECHBOY, TWISTED_LINES, Server, started

SERVERS = [TECHBOY, BARE, TWISTED_LINES, ASYNCIO_LINES, NCAT, NGIRCD]


@dataclass(frozen=True)
class Figure:
    """Something measured: ``lines_slow`` are sent to servers that take a line at a time."""

    name: str
    receivers: int
    senders: int
    lines: int
    lines_slow: int
    measure: Callable[[Load, int], float]
    unit: str


FIGURES = [
    Figure("1 sender, 100 receivers", 100, 1, 300_000, 10_000, Load.flood, "deliveries/s"),
    Figure("10 senders, 1000 receivers", 1000, 10, 30_000, 1_000, Load.flood, "deliveries/s"),
    Figure("until 100 receivers have a line, p50", 100, 1, 1_000, 300, Load.ping, "s"),
]


def taken(server: Server, figure: Figure) -> float:
    """Return ``figure`` of ``server``, measured once."""
    lines = figure.lines if server in (TECHBOY, BARE) else figure.lines_slow
    with started(server, _cpu(0)) as (port, _):
        load = Load(port, figure.receivers, figure.senders, server.protocol)
        value = figure.measure(load, lines)
        load.close()
    return value


def compare(figure: Figure, times: int) -> None:
    """Measure all servers in turn, and print a line for each."""
    servers = [server for server in SERVERS if server.installed and server.most_guests > figure.receivers]
    values: dict[Server, list[float]] = {server: [] for server in servers}
    for _ in range(times):
        for server in servers:
            values[server].append(taken(server, figure))
    own = statistics.median(values[TECHBOY])
    for server in servers:
        value = statistics.median(values[server])
        print(
            f"| {figure.name} | {server.name} | {_shown(value, figure.unit)} | {own / value:.2f} |",
            flush=True,
        )


def growth() -> None:
    """Print how the time for a line and receiver changes with receivers and with lines."""
    for receivers in (50, 100, 200, 400, 800):
        with started(TECHBOY, _cpu(0)) as (port, _):
            load = Load(port, receivers, 1)
            rate = load.flood(20_000)
            load.close()
        print(
            f"| 1 sender, {receivers} receivers, 20,000 lines | techboy | {1e9 / rate:.0f} ns a delivery | |",
            flush=True,
        )
    for lines in (20_000, 80_000, 320_000):
        with started(TECHBOY, _cpu(0)) as (port, _):
            load = Load(port, 100, 1)
            rate = load.flood(lines)
            load.close()
        print(
            f"| 1 sender, 100 receivers, {lines:,} lines | techboy | {1e9 / rate:.0f} ns a delivery | |",
            flush=True,
        )


def main(times: int) -> None:
    """Print the table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cpu = _cpu(1)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors"
    print(f"{machine}; {times} times each")
    print("| figure | server | median | techboy's share |")
    print("|---|---|---|---|")
    for figure in FIGURES:
        compare(figure, times)
    growth()
    guests = min(10_000, most - 100)
    print(
        f"| memory for each of {guests:,} idle guests | techboy | {idle_guest(guests) / 1024:.1f} KiB | |",
        flush=True,
    )
    print(
        f"| memory gained, 1 GB said, one reads nothing | techboy | {stuck_reader(1000) / 2**20:.1f} MiB | |",
        flush=True,
    )


def _cpu(number: int) -> int | None:
    return _CPUS[number] if len(_CPUS) > 1 else None


def _shown(value: float, unit: str) -> str:
    return f"{value * 1e6:.0f} µs" if unit == "s" else f"{value:,.0f} {unit}"


_CPUS = sorted(os.sched_getaffinity(0))

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
