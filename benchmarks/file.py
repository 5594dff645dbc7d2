"""A file through ``twist juliet < file`` into ``twist romeo > out``: time, memory, and is it whole.

Usage: ``python -m benchmarks.file [MEGABYTES]`` (100).
"""

from __future__ import annotations

import filecmp
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.children import start

TWIST = Path(sys.executable).with_name("twist")
WORDS = [
    "wherefore",
    "art",
    "thou",
    "Romeo",
    "deny",
    "thy",
    "father",
    "and",
    "refuse",
    "O",
    "be",
    "some",
    "other",
]
FOREIGN = ["café", "愛", "😀"]


def text(rng: random.Random, lines: int) -> bytes:
    """Return lines of about fifty bytes, one in six of them with a word that is not ASCII."""
    return b"".join(_line(rng) for _ in range(lines))


def _line(rng: random.Random) -> bytes:
    words = rng.choices(WORDS, k=rng.randint(4, 16))
    if rng.random() < 1 / 6:
        words[rng.randrange(len(words))] = rng.choice(FOREIGN)
    return (" ".join(words) + "\n").encode()


def write_file(path: Path, size: int) -> None:
    """Write a file of at least ``size`` bytes to ``path``."""
    block = text(random.Random(4444), 20_000)  # the same file each time
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)


def start_romeo(out: Path, keyboard: int) -> tuple[subprocess.Popen[str], str]:
    """Start Romeo, ``keyboard`` his standard input; return him and his port."""
    with out.open("wb") as output:
        romeo = start(
            [TWIST, "romeo", "--port", "0", "--host", "127.0.0.1"],
            stdin=keyboard,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert romeo.stderr is not None
    for line in romeo.stderr:
        if line.startswith("Listening"):
            return romeo, line.strip().strip(".").rpartition(":")[2]
    raise SystemExit("romeo does not listen")


def ended(program: subprocess.Popen[str]) -> float:
    """Wait for ``program``; return the most memory that it used, in MB."""
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


def main(megabytes: int) -> None:
    """Measure, and print one line."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "file"), Path(folder, "out")
        write_file(source, megabytes * 1_000_000)
        listening, typing = os.pipe()
        romeo, port = start_romeo(out, listening)
        began = time.perf_counter()
        with source.open("rb") as file:
            juliet = start(
                [TWIST, "juliet", "--port", port], stdin=file, stderr=subprocess.DEVNULL, text=True
            )
        juliet_memory = ended(juliet)
        os.close(typing)
        romeo_memory = ended(romeo)
        seconds = time.perf_counter() - began
        whole = filecmp.cmp(source, out, shallow=False)
    print(
        f"megabytes={megabytes} seconds={seconds:.1f} "
        f"juliet_mb={juliet_memory:.0f} romeo_mb={romeo_memory:.0f} "
        f"whole={whole} statuses={juliet.returncode},{romeo.returncode}"
    )
    if not whole:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
