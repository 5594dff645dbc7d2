"""How much memory Romeo takes for idle guests, and for one who reads nothing while much is said."""

from __future__ import annotations

import socket

from benchmarks.load import Load
from benchmarks.servers import TECHBOY, resident, started


def idle_guest(guests: int) -> float:
    """Return the bytes of memory for each of so many guests who say nothing."""
    with started(TECHBOY) as (port, process):
        before = resident(process)
        load = Load(port, guests, 0)
        after = resident(process)
        load.close()
    return (after - before) / guests


def stuck_reader(megabytes: int) -> float:
    """Return the bytes of memory that are gained while one guest reads nothing of so much that is said."""
    with started(TECHBOY) as (port, process):
        before = resident(process)
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            greeting = b""
            while b" here: " not in greeting:
                greeting += stuck.recv(65536)
            load = Load(port, 1, 1, size=4000)
            load.flood(megabytes * 1_000_000 // 4000)
            after = resident(process)
            load.close()
    return after - before
