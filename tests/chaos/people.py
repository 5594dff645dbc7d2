"""Romeo and the Juliets: programs that are killed, and started again each time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random

from tests.chaos.check import Transcript
from tests.chaos.kept import Progress, is_known, outbox
from tests.chaos.lines import Part
from tests.children import start

TICK = 0.01
"""Seconds after which one looks again."""

_KILLED = -getattr(signal, "SIGKILL", 9)  # which Windows lacks
_TERMINATED = -signal.SIGTERM  # when all is done, `twist` ends by the signal that it was told to end by
_RESTART = 0.3  # seconds: so long a program is gone at most
_BLOCKS = (1, 4, 20, 500)  # lines that are given at once
_TAIL = 65536  # bytes that hold the last line shown


class Person:
    """A program: ``command``, with its files in ``folder``.

    ``kills``: how often it was killed; ``status``: its exit status, once it has ended by itself, as it
    may where ``may_end`` is set.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, rng: Random) -> None:
        self.name, self.folder, self.kills = name, folder, 0
        self.status: int | None = None
        self.may_end = False
        self._command, self._rng = command, rng
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    async def live(self) -> None:
        """Run until it ends by itself; after a kill it is started again, soon or at once."""
        while (status := await self._run()) == _KILLED:
            await asyncio.sleep(self._rng.uniform(0, _RESTART))
        self.status = 0 if status == _TERMINATED else status

    def kill(self) -> bool:
        """Kill it; return False where it does not run."""
        running = self._signal(signal.SIGKILL)
        self.kills += running
        return running

    def terminate(self) -> None:
        """Tell it to end."""
        self.may_end = True
        self._signal(signal.SIGTERM)

    @property
    def complaints(self) -> str:
        """The last that it wrote to standard error."""
        with suppress(OSError):
            return self._errors.read_text("utf-8", "replace")[-1000:]
        return ""

    @property
    def _errors(self) -> Path:
        return self.folder / "stderr"

    def _signal(self, number: int) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.send_signal(number)
        return True

    async def _run(self) -> int:
        with self._started(subprocess.DEVNULL, self.folder / "stdout") as process:
            return await _ended(process)

    @contextmanager
    def _started(self, stdin: int, stdout: Path) -> Iterator[subprocess.Popen[bytes]]:
        with stdout.open("ab") as output, self._errors.open("ab") as errors:
            process = self._process = start(
                self._command, stdin=stdin, stdout=output, stderr=errors, bufsize=0, start_new_session=True
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()  # after the kill, so that she does not see an end of input


class Juliet(Person):
    """A Juliet, who is given the lines of ``part`` on standard input, as many of them as are ``allowed``.

    When she was killed she is given those that are not stored, once her outbox is empty. When all was
    given, her input ends if she may. ``kept``: how many lines waited in her outbox when she was killed, in
    all; ``wrong``: what became of them that should not.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, rng: Random, part: Part, progress: Progress
    ) -> None:
        super().__init__(part.author, command, folder, rng)
        self.allowed, self.kept = 0, 0
        self.wrong: list[str] = []
        self._part, self._progress, self._given = part, progress, 0
        self._runs: list[Path] = []

    def allow(self, share: float, but: int) -> None:
        """Let her be given this share of her lines, not counting the last ``but``."""
        self.allowed = max(self.allowed, round(share * max(0, self._part.count - but)))

    @property
    def is_known(self) -> bool:
        """Whether she has a session."""
        return is_known(self.folder)

    @property
    def left_lines(self) -> bool:
        """Whether she ended in good order and lines wait all the same."""
        return self.status == 0 and bool(outbox(self.folder))

    @property
    def transcript(self) -> Transcript:
        """What was shown to her."""
        return Transcript(self.name, self._runs)

    @property
    def shown(self) -> int:
        """The last id that was shown to her."""
        return next((line for run in reversed(self._runs) if (line := _last_id(run))), 0)

    async def _run(self) -> int:
        promised = self._promised()
        self._runs.append(self.folder / f"transcript.{len(self._runs)}")
        with self._started(subprocess.PIPE, self._runs[-1]) as process:
            async with _beside(self._feed(process, promised)):
                return await _ended(process)

    def _promised(self) -> int:
        """Return how many of her lines are not to be lost: those that are stored or wait in her outbox."""
        kept = outbox(self.folder)
        self._progress.look()
        stored = self._progress.stored[self.name]
        self.kept += len(kept)
        for first in range(max(0, stored - len(kept)), stored + 1):
            if all(self._part.holds(number, line) for number, line in enumerate(kept, first)):
                return first + len(kept)
        self.wrong.append(f"{self.name}: {stored} lines were stored, and others waited than what comes then")
        return stored

    async def _feed(self, process: subprocess.Popen[bytes], promised: int) -> None:
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        if len(self._runs) > 1:
            await self._catch_up(promised)
        while self._given < self._part.count or not self.may_end:
            end = min(self.allowed, self._given + self._rng.choice(_BLOCKS))
            await _give(process.stdin.fileno(), self._part.block(self._given, end))
            self._given = end
            await asyncio.sleep(0 if end < self.allowed else TICK)
        process.stdin.close()

    async def _catch_up(self, promised: int) -> None:
        while outbox(self.folder):
            await asyncio.sleep(5 * TICK)
        self._progress.look()
        self._given = self._progress.stored[self.name]
        if self._given < promised:
            self.wrong.append(
                f"{self.name}: {promised - self._given} lines that waited when she was killed are lost"
            )


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do ``work`` meanwhile. That nobody reads any more is no error."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, BrokenPipeError):
            await task


async def _ended(process: subprocess.Popen[bytes]) -> int:
    while (status := process.poll()) is None:
        await asyncio.sleep(TICK)
    return status


async def _give(pipe: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(pipe, data) :]
        except BlockingIOError:
            await asyncio.sleep(TICK)


def _last_id(run: Path) -> int:
    with run.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().split(b"\n")[:-1]
    return int(json.loads(lines[-1])["id"]) if lines else 0
