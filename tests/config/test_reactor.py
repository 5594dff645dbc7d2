"""Tests of `techboy.config.reactor`: what decides on which reactor a program runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.task import LoopingCall

from techboy.config.reactor import REACTOR, TOOLKIT, can_prompt, current, runs_on_asyncio, steady
from techboy.terminal.streams import Streams
from tests.terminal.fakes import Typed, at_terminal


class CanPromptTests:
    """Whether there can be a prompt."""

    def test_person(self, tmp_path: Path) -> None:
        """A person at a terminal is prompted."""
        with open(tmp_path / "screen", "w") as screen:
            assert can_prompt(at_terminal(Typed(), screen), "xterm")

    @pytest.mark.parametrize("terminal_type", [None, "", "dumb"])
    def test_dumb(self, tmp_path: Path, terminal_type: str | None) -> None:
        """On a terminal that can only show text nobody is."""
        with open(tmp_path / "screen", "w") as screen:
            assert not can_prompt(at_terminal(Typed(), screen), terminal_type, platform="linux")

    @pytest.mark.parametrize(("terminal_type", "can"), [(None, True), ("", True), ("dumb", False)])
    def test_console(self, tmp_path: Path, terminal_type: str | None, can: bool) -> None:
        """The console of Windows says nothing of itself, and can."""
        with open(tmp_path / "screen", "w") as screen:
            streams = at_terminal(Typed(), screen)
            assert can_prompt(streams, terminal_type, platform="win32") is can

    def test_no_terminal(self, tmp_path: Path) -> None:
        """Both keyboard and screen have to be a terminal."""
        with open(tmp_path / "file", "w+") as file:
            terminal = at_terminal(Typed(), file)
            for streams in (
                Streams(file, terminal.stdout, terminal.stderr),
                Streams(None, terminal.stdout, terminal.stderr),
                Streams(terminal.stdin, file, terminal.stderr),
                Streams(terminal.stdin, None, terminal.stderr),
            ):
                assert not can_prompt(streams, "xterm")

    def test_no_toolkit(self, tmp_path: Path) -> None:
        """Nor is there a prompt where what it is made with is not installed."""
        looked_for: list[str] = []
        with open(tmp_path / "screen", "w") as screen:
            assert not can_prompt(at_terminal(Typed(), screen), "xterm", looked_for.append)
        assert looked_for == [TOOLKIT]


class RunsOnAsyncioTests:
    """Which reactor is taken."""

    def setup_method(self) -> None:
        self.modules: dict[str, object] = {}
        self.installed = 0

    def install(self) -> None:
        """Take asyncio's."""
        self.installed += 1
        self.modules[REACTOR] = object.__new__(AsyncioSelectorReactor)

    def test_none_yet(self) -> None:
        """Where nobody chose one, asyncio's is installed."""
        assert runs_on_asyncio(self.modules, self.install)
        assert self.installed == 1

    def test_another(self) -> None:
        """One that was chosen stays, and it is told that it is another."""
        self.modules[REACTOR] = object()
        assert not runs_on_asyncio(self.modules, self.install)
        assert self.installed == 0

    def test_the_same(self) -> None:
        """Where asyncio's was chosen already there is nothing to do."""
        self.install()
        assert runs_on_asyncio(self.modules, self.install)
        assert self.installed == 1


class CurrentTests:
    """`current`."""

    def test_current(self) -> None:
        """It is the one that everybody else has."""
        in_use, imported = current(), reactor
        assert in_use is cast(object, imported)
        assert in_use is cast(object, sys.modules[REACTOR])


class Bare(ReactorBase):
    """As much of Twisted's reactors as keeps time; ``wall`` is what it measures that with at first."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        super().__init__()
        # replaced, as `steady` replaces it in a reactor
        self.seconds: Any = lambda: self.wall

    def installWaker(self) -> None:
        """Nothing wakes it."""


class SteadyTests:
    """`steady`."""

    def setup_method(self) -> None:
        self.reactor, self.monotonic = Bare(), 50.0
        self.called: list[str] = []

    def turn(self, seconds: float) -> list[str]:
        """Let ``seconds`` pass, and return what was called."""
        self.reactor.wall += seconds
        self.monotonic += seconds
        self.reactor.runUntilCurrent()
        called = [*self.called]
        self.called.clear()
        return called

    def steady(self) -> None:
        """Have the reactor measure time by a clock that nobody sets."""
        assert steady(self.reactor, lambda: self.monotonic) is self.reactor

    @pytest.mark.parametrize("step", [-3600.0, 3600.0])
    def test_timer(self, step: float) -> None:
        """A call comes when it is due, whatever the wall clock is set to."""
        self.steady()
        self.reactor.callLater(5, self.called.append, "due")
        self.reactor.wall += step
        assert self.turn(4) == []
        assert self.reactor.timeout() == 1
        assert self.turn(1) == ["due"]

    @pytest.mark.parametrize("step", [-3600.0, 3600.0])
    def test_loop(self, step: float) -> None:
        """What is called again and again is called as often as before."""
        self.steady()
        loop = LoopingCall(self.called.append, "again")
        loop.clock = self.reactor
        loop.start(1, now=False)
        assert self.turn(1) == ["again"]
        self.reactor.wall += step
        assert [self.turn(1) for _ in range(3)] == [["again"]] * 3

    def test_scheduled_before(self) -> None:
        """A call that was scheduled already keeps the delay that it has left, and can be moved."""
        self.reactor.callLater(5, self.called.append, "first")
        moved = self.reactor.callLater(6, self.called.append, "moved")
        self.turn(2)
        self.steady()
        assert self.turn(2) == []
        moved.reset(10)
        assert self.turn(1) == ["first"]
        assert self.turn(8) == []
        assert self.turn(1) == ["moved"]
