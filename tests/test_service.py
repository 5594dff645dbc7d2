"""Tests of `techboy.service`: how keyboard and screen are chosen."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from techboy import exit_status, juliet, romeo
from techboy.client.service import ChatClient
from techboy.server.service import RoomServer
from techboy.service import ChatService, clock_time
from techboy.terminal.input_parser import PersonParser, ScriptParser
from techboy.terminal.null_ui import NullUI
from techboy.terminal.progress import Sample
from techboy.terminal.prompt.screen import PromptScreen
from techboy.terminal.stdio_bridge import StdioBridge
from techboy.terminal.streams import Streams
from techboy.wire.plain import SERVER
from tests.marks import needs_readiness, needs_unix_sockets, open_terminal
from tests.ops.managers import ServiceManager
from tests.programs import FakeReactor


class Ends:
    """Pipes and pseudo-terminals, to be taken for standard streams."""

    def __init__(self) -> None:
        self.opened = ExitStack()

    def pipe(self) -> TextIO:
        """Return what a program may read from a pipe."""
        reading, writing = os.pipe()
        stream = self.opened.enter_context(os.fdopen(reading))
        self.opened.callback(os.close, writing)  # before a thread of Windows reads from what is to be closed
        return stream

    def terminal(self) -> TextIO:
        """Return a terminal."""
        master, slave = open_terminal()
        self.opened.callback(os.close, master)
        return self.opened.enter_context(os.fdopen(slave))


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Return what is closed after the test."""
    made = Ends()
    yield made
    made.opened.close()


def program(tap: Any, streams: Streams, *arguments: str, prompted: bool = False) -> Any:
    """Return the program of ``tap`` with ``streams``, as its options make it."""
    options = tap.Options()
    options.streams = lambda: streams
    options.parseOptions(["--host", "127.0.0.1", *arguments])
    options["prompted"] = prompted
    kind = ChatClient if tap is juliet else RoomServer
    return kind(FakeReactor(), options, streams)


class ChoiceTests:
    """Who sits at this end of the conversation."""

    @pytest.mark.parametrize("tap", [romeo, juliet])
    def test_person(self, tap: Any, ends: Ends) -> None:
        """At a terminal a person reads, types and is prompted."""
        terminal = ends.terminal()
        ui = program(tap, Streams(terminal, terminal, terminal)).ui
        assert isinstance(ui._parser, PersonParser)
        assert ui._prompt is not None

    @pytest.mark.parametrize("tap", [romeo, juliet])
    def test_script(self, tap: Any, ends: Ends) -> None:
        """A pipe is read as a script, and nobody is prompted."""
        ui = program(tap, Streams(ends.pipe(), ends.terminal(), None)).ui
        assert isinstance(ui._parser, ScriptParser)
        assert ui._prompt is None

    @pytest.mark.parametrize("tap", [romeo, juliet])
    @pytest.mark.parametrize(("prompted", "kind"), [(True, PromptScreen), (False, StdioBridge)])
    def test_prompt(self, tap: Any, prompted: bool, kind: type, ends: Ends) -> None:
        """A person has a prompt where the options found that there can be one."""
        terminal = ends.terminal()
        streams = Streams(terminal, terminal, terminal)
        assert isinstance(program(tap, streams, prompted=prompted).ui, kind)

    def test_daemon(self) -> None:
        """A Romeo without keyboard is a host who shows nothing, unless he is told how."""
        host = program(romeo, Streams(None, None, None))
        assert isinstance(host, RoomServer)
        assert isinstance(host.ui, NullUI)
        assert isinstance(program(romeo, Streams(None, None, None), "--output", "auto").ui, StdioBridge)

    def test_listener(self) -> None:
        """A Juliet without keyboard shows what she hears."""
        assert isinstance(program(juliet, Streams(None, None, None)).ui, StdioBridge)

    @pytest.mark.parametrize(
        ("tap", "arguments", "paused"),
        [(romeo, [], True), (juliet, [], False), (juliet, ["--plain"], True)],
    )
    def test_patient(self, tap: Any, arguments: list[str], paused: bool, ends: Ends) -> None:
        """A script is read before anybody is there only where what it says is kept until it is stored."""
        made = program(tap, Streams(ends.pipe(), None, None), *arguments)
        made.on_interrupt = lambda leave: None
        made.on_hangup = lambda act: None
        made.startService()
        assert made.ui.paused is paused
        made.ui._disconnect()

    @needs_readiness
    def test_started(self, ends: Ends) -> None:
        """A script is not read before somebody is there, and the terminal is let go of at the end."""
        romeo_ = program(romeo, Streams(ends.pipe(), None, None))
        romeo_.on_interrupt = lambda leave: None
        romeo_.on_hangup = romeo_.on_terminate = lambda act: None
        romeo_.end_with = lambda status: None
        romeo_.startService()
        assert romeo_.ui.paused
        romeo_.leave()
        assert romeo_.reactor.stops == 1
        done = romeo_.stopService()
        for writer in romeo_.reactor.getWriters():
            writer.connectionLost(writer.doWrite())
        assert done.called

    def test_silent(self) -> None:
        """A Juliet without keyboard is given one that is never typed at."""
        juliet_ = program(juliet, Streams(None, None, None))
        juliet_.on_interrupt = lambda leave: None
        juliet_.on_hangup = lambda act: None
        juliet_.startService()
        juliet_.ui._disconnect()
        assert juliet_.conversation.free


class ProgressTests:
    """Where it is shown how long work goes on."""

    @pytest.fixture(autouse=True)
    def terminal_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let terminals be of a type that can show it."""
        monkeypatch.setenv("TERM", "xterm")

    @pytest.mark.parametrize("tap", [romeo, juliet])
    def test_script(self, tap: Any, ends: Ends) -> None:
        """It is shown of a script, above which all lines come, where standard error is a terminal."""
        terminal = ends.terminal()
        made = program(tap, Streams(ends.pipe(), None, terminal))
        assert made._states.above == made._progress.above
        made = program(tap, Streams(ends.pipe(), terminal, terminal))
        assert made.ui.above == made._progress.above

    @pytest.mark.parametrize("tap", [romeo, juliet])
    def test_nowhere(self, tap: Any, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is not where a person types, nor where standard error is no terminal, or a dumb one."""
        terminal = ends.terminal()
        assert program(tap, Streams(terminal, terminal, terminal))._progress is None
        assert program(tap, Streams(ends.pipe(), terminal, ends.pipe()))._progress is None
        assert program(tap, Streams(ends.pipe(), terminal, None))._progress is None
        monkeypatch.setenv("TERM", "dumb")
        assert program(tap, Streams(ends.pipe(), terminal, terminal))._progress is None

    def test_catching_up(self, ends: Ends) -> None:
        """A Juliet at whose keyboard nobody is shows how far she is with what was said before."""
        assert program(juliet, Streams(None, None, ends.terminal()))._progress is not None

    def test_log(self, ends: Ends) -> None:
        """The log of twist comes above it too."""
        options = juliet.Options()
        streams = Streams(ends.pipe(), None, ends.terminal())
        options.streams = lambda: streams
        twist: Any = {"logFile": streams.status_output, "logLevel": None}
        options.parent = twist
        options.parseOptions(["--host", "127.0.0.1"])
        made: Any = ChatClient(FakeReactor(), options, streams)
        assert twist["logFile"].above == made._progress.above

    def test_end(self, ends: Ends) -> None:
        """It begins with the program and ends with the conversation."""
        made = program(juliet, Streams(ends.pipe(), None, ends.terminal()))
        made.on_interrupt = lambda leave: None
        made.startService()
        assert made._progress._loop.running
        made.conversation.leave()
        assert not made._progress._loop.running
        made.ui._disconnect()

    def test_sample(self, ends: Ends) -> None:
        """It tells how many lines were sent, and how many wait."""
        made = program(juliet, Streams(ends.pipe(), None, ends.terminal()))
        made.outbox.add("a\nb")
        assert made._sample() == Sample(0, 2)
        made.outbox.take_all()
        assert made._sample() == Sample(2, 0)


class WritingTests:
    """What is written in the background."""

    @needs_readiness
    def test_end(self, ends: Ends) -> None:
        """At the end it is waited for, and what comes after that, too."""
        reading, writing = os.pipe()
        ends.opened.callback(os.close, reading)
        made = program(juliet, Streams(None, None, ends.opened.enter_context(os.fdopen(writing, "w"))))
        for number in range(1000):
            made.ui.show_status(f"line {number}")
        for finish, _, _ in made.reactor.triggers["after"]["shutdown"]:
            finish()
        made.ui.show_status("the last line")
        os.set_blocking(reading, False)
        data = os.read(reading, 1 << 16)
        assert data.count(b"\n") == 1001
        assert data.endswith(b"the last line\n")

    def test_screen(self, ends: Ends) -> None:
        """What was stated before stands on the screen when the program begins to draw there."""
        person, device = open_terminal()
        ends.opened.callback(os.close, person)
        terminal = ends.opened.enter_context(os.fdopen(device, "w"))
        made = program(romeo, Streams(ends.pipe(), terminal, terminal))
        made.on_interrupt = made.on_hangup = lambda act: None
        os.set_blocking(person, False)
        drawn: list[bytes] = []
        made.ui.open = lambda *_: drawn.append(os.read(person, 1 << 16))
        made.ui.show_status("before")
        made.startService()
        assert drawn[0].startswith(b"before\r\n")


class ProgramTests:
    """What a program of its own kind has to define."""

    def test_abstract(self) -> None:
        """Who speaks and how it ends is nobody's guess."""
        options = juliet.Options()
        options.streams = lambda: Streams(None, None, None)
        options.parseOptions([])
        bare = ChatService(FakeReactor(), options, Streams(None, None, None), SERVER, lambda: 0.0)
        with pytest.raises(NotImplementedError):
            bare.speaker  # noqa: B018 - asking for it is what is tested
        with pytest.raises(NotImplementedError):
            bare.leave()


class ManagerTests:
    """Who is told what becomes of a program."""

    @needs_unix_sockets
    @pytest.mark.parametrize(("platform", "told"), [("linux", True), ("win32", False)])
    def test_platform(
        self, platform: str, told: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A service manager is told that it is ready, but on Windows, where nobody is."""
        manager = ServiceManager(tmp_path / "notify")
        for name, text in {**manager.environment, "WATCHDOG_USEC": "2000000"}.items():
            monkeypatch.setenv(name, text)
        options = juliet.Options()
        options.platform, options.streams = platform, lambda: Streams(None, None, None)
        options.parseOptions([])
        made = ChatClient(FakeReactor(), options, Streams(None, None, None))
        made.supervised.started()
        assert ("READY=1" in "".join(manager.told())) is told
        made.supervised.stopService()
        manager.close()


class TwistTests:
    """What `twist` finds."""

    def test_plugins(self) -> None:
        """Both subcommands are found, with options and services of their own."""
        found: dict[str, Any] = {plugin.tapname: plugin for plugin in getPlugins(IServiceMaker)}
        assert found["romeo"].options is romeo.Options
        assert found["juliet"].options is juliet.Options

    @pytest.mark.parametrize("tap", [romeo, juliet])
    def test_service(self, tap: Any) -> None:
        """The service is made for the reactor that runs, which it gives a clock that nobody sets."""
        options = tap.Options()
        options.streams = lambda: Streams(None, None, None)
        options.parseOptions([])
        service = tap.makeService(options)
        assert service.running == 0
        assert service.reactor.seconds is time.monotonic
        assert service.wall is time.time

    def test_interrupt_once(self) -> None:
        """The first Ctrl-C says goodbye, the second is the system's own."""
        before, told = signal.getsignal(signal.SIGINT), []
        try:
            exit_status.handle_sigint(lambda: told.append("leave"))
            signal.raise_signal(signal.SIGINT)
            assert told == ["leave"]
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        finally:
            signal.signal(signal.SIGINT, before)


class ClockTimeTests:
    """`clock_time`."""

    def test_minutes(self) -> None:
        """A moment is written as hours and minutes, of this place."""
        now = 1795349686.0
        one, other = clock_time(now, now), clock_time(now + 60, now + 60)
        assert re.fullmatch(r"\d\d:\d\d", one)
        assert one != other

    @pytest.mark.parametrize("days", [-366, -1, 1])
    def test_another_day(self, days: int) -> None:
        """One of another day, or of the same day of another year, is written with its date."""
        now = 1795349686.0
        shown = clock_time(now + days * 86400, now)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", shown)
