"""One run: Romeo, a bad network, Juliets who all talk at once, and what comes of it."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.chaos import kept
from tests.chaos.check import check
from tests.chaos.lines import Part, chance, parts
from tests.chaos.people import Juliet, Person
from tests.chaos.proxy import LOOPBACK, Cut, Proxy

_TICK = 0.05  # seconds after which one looks again
_HOLD = 1.0  # seconds that the log may stand still before more is said all the same
_AHEAD = 1000  # lines that may be said and not stored, at least
_SOON = 0.05  # seconds until harm is done, at most, after something was said before it
_AWAY = (0.1, 0.4)  # seconds in which something is said, and he is hardly back
_LAST_WORDS = 20  # lines of each Juliet after which she leaves at once

Harm: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    """What is to be done: ``kills`` of Romeo, and as many of Juliets.

    ``pace``: seconds from one harm to the next, on the average and at least. ``deadline``: seconds that
    anything awaited may take. ``ping`` and ``dead`` are options of the programs; ``twist`` starts them.
    """

    lines: int = 20_000
    juliets: int = 5
    cuts: int = 100
    kills: int = 10
    seed: int = 0
    pace: float = 0.25
    deadline: float = 120.0
    ping: float = 0.5
    dead: float = 1.5
    twist: Sequence[str] = (str(Path(sys.executable).with_name("twist")),)


@dataclass
class Report:
    """What was done, and what is ``wrong``, a line for each difference."""

    plan: Plan
    connections: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    kills: int = 0
    kills_of_romeo: int = 0
    kept: int = 0
    repeated: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        plan, rate = self.plan, self.plan.lines / self.seconds if self.seconds else 0
        connections = "; ".join(f"{count} {what}" for what, count in sorted(self.connections.items()))
        lines = [
            f"{plan.lines:,} lines of {plan.juliets} Juliets in {self.seconds:.1f} s, {rate:,.0f} a second",
            f"connections: {self.calls} calls; {connections}",
            f"kills: {self.kills_of_romeo} of Romeo, {self.kills} of Juliets, in whose outboxes "
            f"{self.kept} lines waited; at most {self.repeated} lines were shown again after one",
            *(self.wrong or ["nothing lost, nothing doubled, one order"]),
        ]
        return "\n".join(lines)


class StuckError(Exception):
    """It can't go on: a program ended that should not, or nothing moves any more."""


async def run(plan: Plan, folder: Path) -> Report:
    """Carry ``plan`` out, with all files in ``folder``; return what became of it."""
    port, report = free_port(), Report(plan)
    async with Proxy(port, chance(plan.seed), plan.dead) as proxy:
        stage = Stage(plan, folder, port, proxy)
        try:
            await stage.play()
        except StuckError as failure:
            report.wrong.append(str(failure))
        finally:
            await stage.clear()
    report.connections, report.calls = proxy.done, proxy.calls
    report.kills_of_romeo, report.kills = stage.romeo.kills, sum(juliet.kills for juliet in stage.juliets)
    report.seconds = stage.seconds
    transcripts = {juliet.name: juliet.transcript for juliet in stage.juliets}
    try:
        report.wrong += check(kept.log(stage.romeo.folder), stage.parts, transcripts, stage.settled)
    except sqlite3.Error as error:
        report.wrong.append(f"the log can't be read: {error}")
    report.wrong += [f"{juliet.name} left, and lines wait" for juliet in stage.juliets if juliet.left_lines]
    report.wrong += [wrong for juliet in stage.juliets for wrong in juliet.wrong]
    report.kept = sum(juliet.kept for juliet in stage.juliets)
    report.repeated = max(transcript.repeated for transcript in transcripts.values())
    return report


class Stage:
    """Romeo, who listens on ``port``, and the Juliets, who call ``proxy``.

    ``settled``: the id up to which every Juliet was shown everything before they left.
    ``seconds``: how long it took to get there.
    """

    def __init__(self, plan: Plan, folder: Path, port: int, proxy: Proxy) -> None:
        self.settled, self.seconds = 0, 0.0
        self._plan, self._folder, self._proxy, self._rng = plan, folder, proxy, chance(plan.seed)
        self._progress = kept.Progress(folder / "romeo")
        self.parts = parts(plan.juliets, plan.lines, plan.seed)
        self.romeo = Person("romeo", self._command("romeo", "romeo", port), folder / "romeo", self._rng)
        self.juliets = [self._juliet(part) for part in self.parts.values()]
        self._lives: list[asyncio.Future[None]] = []
        self._harm: list[asyncio.Future[None]] = []

    async def play(self) -> None:
        """All come, talk, and leave."""
        self._lives = [asyncio.ensure_future(person.live()) for person in self._everybody]
        await self._until(lambda: all(juliet.is_known for juliet in self.juliets), "all have a session")
        began = time.monotonic()
        await self._talk()
        await self._until(lambda: all(harm.done() for harm in self._harm), "all harm is done")
        await self._until(self._is_settled, "all is stored and shown")
        self.seconds = time.monotonic() - began
        self.settled = self._progress.end
        await self._leave()

    async def clear(self) -> None:
        """End whatever is left."""
        for future in [*self._harm, *self._lives]:
            future.cancel()
        await asyncio.gather(*self._harm, *self._lives, return_exceptions=True)

    @property
    def _everybody(self) -> list[Person]:
        return [self.romeo, *self.juliets]

    async def _talk(self) -> None:
        """Let all be said but the last words, and do harm at moments that chance spreads over it."""
        harms = self._harms()
        moments = sorted((self._rng.random() for _ in harms), reverse=True)
        many, time_gone = max(1, len(harms)), 0.0
        while time_gone < 1:
            time_gone = min(1.0, time_gone + _TICK / (self._plan.pace * many))
            while moments and moments[-1] <= time_gone:
                moments.pop()
                self._harm.append(asyncio.ensure_future(self._soon(harms.pop())))
            # half of it is said evenly, and half at once before each harm, so that something is under way
            share = (time_gone + len(self._harm) / many) / 2 if harms else time_gone
            for juliet in self.juliets:
                juliet.allow(share, _LAST_WORDS)
            await self._keep_up()

    async def _soon(self, harm: Harm) -> None:
        await asyncio.sleep(self._rng.uniform(0, _SOON))
        await harm()

    async def _keep_up(self) -> None:
        """Wait, for as long as the log is behind and moves."""
        moved = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            self._all_is_well()
            before = self._progress.end
            self._progress.look()
            behind = sum(juliet.allowed for juliet in self.juliets) - self._progress.end
            if self._progress.end > before:
                moved = time.monotonic()
            if behind < max(_AHEAD, self._plan.lines // 50) or time.monotonic() > moved + _HOLD:
                return

    async def _leave(self) -> None:
        """All say their last words and leave at once, while one of them is killed and one cut off."""
        for juliet in self.juliets:
            juliet.allow(1.0, 0)
            juliet.may_end = True
        if self._plan.kills:
            self._rng.choice(self.juliets).kill()
        if self._plan.cuts:
            await self._proxy.cut(Cut.RESET)
        await self._until(lambda: all(juliet.status is not None for juliet in self.juliets), "all have left")
        self.romeo.terminate()
        await self._until(lambda: self.romeo.status is not None, "Romeo has ended")

    def _harms(self) -> list[Harm]:
        """Return all that is to be done, in an order that chance makes."""
        kinds, both = list(Cut), self._plan.kills // 2
        harms: list[Harm] = [self._kill_both] * both
        harms += [partial(self._cut, kinds[number % len(kinds)]) for number in range(self._plan.cuts - 1)]
        harms += [partial(self._kill, [self.romeo])] * (self._plan.kills - both)
        harms += [partial(self._kill, self.juliets)] * (self._plan.kills - both - 1)
        self._rng.shuffle(harms)
        return harms

    async def _cut(self, kind: Cut) -> None:
        while not await self._proxy.cut(kind):
            await asyncio.sleep(_TICK)

    async def _kill(self, people: Sequence[Person]) -> None:
        while not self._rng.choice(people).kill():
            await asyncio.sleep(_TICK)

    async def _kill_both(self) -> None:
        """Kill Romeo, and a Juliet while he is away and lines wait for him."""
        await self._kill([self.romeo])
        await asyncio.sleep(self._rng.uniform(*_AWAY))
        await self._kill(self.juliets)

    def _is_settled(self) -> bool:
        self._progress.look()
        return self._progress.end == sum(juliet.allowed for juliet in self.juliets) and all(
            juliet.shown == self._progress.end_without(juliet.name) for juliet in self.juliets
        )

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._plan.deadline
        while self._all_is_well() and not condition():
            if time.monotonic() > deadline:
                raise StuckError(f"{self._plan.deadline:g} s went by, and not yet: {what}")
            await asyncio.sleep(_TICK)

    def _all_is_well(self) -> bool:
        """Raise StuckError where somebody ended in another way than they should."""
        for person, life in zip(self._everybody, self._lives, strict=True):
            if life.done():
                life.result()
            if person.status is not None and (person.status or not person.may_end):
                raise StuckError(f"{person.name} ended with status {person.status}: {person.complaints}")
        return True

    def _juliet(self, part: Part) -> Juliet:
        command = self._command("juliet", part.author, self._proxy.port)
        folder, rng = self._folder / part.author, chance(f"{self._plan.seed}/{part.author}")
        return Juliet(command, folder, rng, part, self._progress)

    def _command(self, program: str, name: str, port: int) -> list[str]:
        plan = self._plan
        common = {
            "host": LOOPBACK,
            "port": port,
            "state": self._folder / name,
            "ping-interval": plan.ping,
            "ping-timeout": plan.dead,
        }
        own = {"rate": 0} if program == "romeo" else {"name": name, "output": "json"}
        options = [
            word for option, value in {**common, **own}.items() for word in (f"--{option}", str(value))
        ]
        return [*plan.twist, program, *options]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
