"""Tests of `techboy.reactors`: what decides on which reactor a program runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from techboy.reactors import REACTOR, TOOLKIT, can_prompt, current, runs_on_asyncio
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
            assert not can_prompt(at_terminal(Typed(), screen), terminal_type)

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
        assert current() is reactor is sys.modules[REACTOR]
