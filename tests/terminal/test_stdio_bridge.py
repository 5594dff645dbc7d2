"""Tests of `techboy.terminal.stdio_bridge`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from techboy import exit_status
from techboy.chat.messages import Message
from techboy.systems import ON_WINDOWS
from techboy.terminal.formats import OutputFormats
from techboy.terminal.input_parser import InputParser, PersonParser, ScriptParser
from techboy.terminal.plain_prompt import PlainPrompt
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT
from techboy.terminal.stdio_bridge import InputHandler, StdioBridge
from techboy.terminal.stdio_transport import Connect, connect_by_readiness, connect_by_threads, connect_stdio
from techboy.wire.plain import CLIENT
from tests.real_reactor import ensure_deferred, reactor
from tests.terminal.pipes import Pipes, read_exactly, until
from tests.transports import FakeTransport, SocketTransport, connected

FULL = 64 * 1024

NEEDS_READINESS = pytest.mark.skipif(ON_WINDOWS, reason="Windows does not tell when a pipe is ready")


class FakeConversation:
    """Records what the bridge tells."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.ended: Deferred[None] = Deferred()

    def said(self, text: str, kind: str) -> None:
        self.events.append(("said", text))

    def commanded(self, line: str, word: str) -> None:
        self.events.append(("command", line, word))

    def enter(self) -> None:
        self.events.append("enter")

    def leave(self) -> None:
        self.events.append("leave")

    def input_ended(self) -> None:
        self.events.append("ended")
        self.ended.callback(None)

    def output_full(self) -> None:
        self.events.append("full")

    def output_ready(self) -> None:
        self.events.append("ready")

    def output_written(self) -> None:
        self.events.append("shown")

    def output_lost(self) -> None:
        self.events.append("screen lost")


class FakeStates:
    """Records states."""

    def __init__(self, on_screen: bool = False) -> None:
        self.on_screen, self.written = on_screen, ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)


class Bridge:
    """A bridge, with all that it is connected to."""

    def __init__(
        self,
        reader: InputParser | None = None,
        *,
        on_screen: bool = False,
        prompt: bool = False,
        choice: str = "names",
        connect_stdio: Connect = connect_stdio,
    ) -> None:
        self.states, self.conversation = FakeStates(on_screen), FakeConversation()
        self.bridge = StdioBridge(
            reader or ScriptParser(16, CLIENT.encode),
            OutputFormats(choice, False, lambda: 0.0, lambda at: "12:00"),
            self.states,
            16,
            PlainPrompt("romeo", b"<erase>") if prompt else None,
            connect_stdio,
        )
        self.bridge.conversation = cast(InputHandler, self.conversation)

    def connect(self) -> FakeTransport:
        return connected(self.bridge)

    @property
    def events(self) -> list[Any]:
        return self.conversation.events


class ReadingTests:
    """What is read becomes what is said."""

    def test_script(self) -> None:
        """Every line of a script is said as it stands, a last one without an end too."""
        bridge = Bridge()
        transport = bridge.connect()
        transport.receive(b"hello\n\nexit\n/x\nla")
        transport.receive(b"st")
        transport.peer_closes()
        assert bridge.events == [("said", "hello\n\nexit\n/x"), ("said", "last"), "ended"]
        assert bridge.bridge.status == exit_status.OK

    def test_end_after_an_end_of_line(self) -> None:
        """The end of input adds no line."""
        bridge = Bridge()
        transport = bridge.connect()
        transport.receive(b"hello\n")
        transport.peer_closes()
        assert bridge.events == [("said", "hello"), "ended"]

    def test_line_too_long(self) -> None:
        """A script's line that is too long is left out and named, and the status tells of it."""
        bridge = Bridge()
        transport = bridge.connect()
        transport.receive(b"one\n" + b"x" * 20)
        transport.receive(b"x" * 20)
        transport.receive(b"\nthree\n")
        assert bridge.events == [("said", "one"), ("said", "three")]
        assert bridge.states.written == "* line 2 was not sent: more than 16 bytes\n"
        assert bridge.bridge.status == exit_status.DATA_ERROR

    def test_person(self) -> None:
        """A person can leave, give commands, and press Enter to no effect but haste."""
        bridge = Bridge(PersonParser(16))
        bridge.connect().receive(b"hello\n\n/who all\nEXIT\nmore\n")
        assert bridge.events == [("said", "hello"), ("command", "who all", "who"), "leave"]
        bridge = Bridge(PersonParser(16))
        bridge.connect().receive(b"\n")
        assert bridge.events == ["enter"]

    def test_person_types_too_much(self) -> None:
        """A person is told, and that is all."""
        bridge = Bridge(PersonParser(16))
        bridge.connect().receive(b"x" * 20 + b"\n")
        assert bridge.states.written == "* not sent: more than 16 bytes in a line\n"
        assert bridge.bridge.status == exit_status.OK

    def test_paused(self) -> None:
        """Reading can be stopped and gone on with."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.pause()
        assert not transport.reading
        bridge.bridge.resume()
        assert transport.reading


class ShowingTests:
    """What is shown, and where."""

    def test_said(self) -> None:
        """What the other says is shown with its name, safe for a terminal."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_lines("juliet", "hello\n\x1b[31mred")
        assert transport.flush() == "juliet: hello\njuliet: \ufffd[31mred\n".encode()

    def test_states_apart(self) -> None:
        """States go to standard error where that is another place."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_status("Connection closed.")
        assert (bridge.states.written, transport.flush()) == ("Connection closed.\n", b"")

    def test_states_in_order(self) -> None:
        """Where both streams are one, states take their place among what is said."""
        bridge = Bridge(on_screen=True)
        bridge.bridge.show_status("Calling")
        transport = bridge.connect()
        bridge.bridge.show_lines("juliet", "hello")
        bridge.bridge.show_status("Connection closed.")
        assert bridge.states.written == "Calling\n"
        assert transport.flush() == b"juliet: hello\nConnection closed.\n"

    def test_prompt(self) -> None:
        """What is shown while a person may type stands above the prompt."""
        bridge = Bridge(PersonParser(16), on_screen=True, prompt=True)
        transport = bridge.connect()
        bridge.bridge.show_prompt()
        bridge.bridge.show_lines("juliet", "hello")
        transport.receive(b"hi\n")
        bridge.bridge.hide_prompt()
        bridge.bridge.show_status("Connection closed.")
        assert transport.flush() == (
            b"romeo: <erase>juliet: hello\nromeo: romeo: <erase>Connection closed.\n"
        )

    def test_last_line(self) -> None:
        """Whole lines come above what was drawn on the last one; it is known when all of it was shown."""
        bridge = Bridge(on_screen=True)
        assert not bridge.bridge.ready
        transport = bridge.connect()
        assert bridge.bridge.ready
        bridge.bridge.above = lambda data: b"<erase>" + data + b"bar"
        bridge.bridge.draw(b"bar")
        assert not bridge.bridge.ready
        bridge.bridge.show_lines("juliet", "hello")
        bridge.bridge.show_status("Connection closed.")
        assert transport.flush() == b"bar<erase>juliet: hello\nbar<erase>Connection closed.\nbar"
        assert bridge.bridge.ready

    def test_without_prompt(self) -> None:
        """Where nobody types on a terminal, nobody is invited."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_prompt()
        bridge.bridge.hide_prompt()
        assert transport.flush() == b""

    def test_full(self) -> None:
        """The conversation hears when more than 64 KiB wait to be shown, and when none do any more."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_lines("juliet", "x" * (FULL - len("juliet: \n")))
        assert bridge.events == []
        bridge.bridge.show_lines("juliet", "é")
        assert bridge.events == ["full"]
        bridge.bridge.show_lines("juliet", "more")
        assert bridge.events == ["full"]
        transport.flush()
        assert bridge.events == ["full", "shown", "ready"]

    def test_shown_at_the_end(self) -> None:
        """What is written when the screen is closed is shown, too: the next run does not show it again."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_lines("juliet", "goodbye")
        bridge.bridge.close()
        assert bridge.events == []
        transport.flush()
        assert bridge.events == ["shown"]

    def test_full_in_bytes(self) -> None:
        """What waits is counted in bytes, whatever the characters."""
        bridge = Bridge()
        bridge.connect()
        bridge.bridge.show_lines("juliet", "日" * (FULL // 3))
        assert bridge.events == ["full"]

    def test_full_of_states(self) -> None:
        """States on the screen, and the prompt, wait there too."""
        bridge = Bridge(PersonParser(16), on_screen=True, prompt=True)
        bridge.connect()
        bridge.bridge.show_status("x" * FULL)
        assert bridge.events == ["full"]

    def test_stuck(self) -> None:
        """If the screen takes nothing, a bounded number of states waits; the rest is counted and dropped."""
        bridge = Bridge(PersonParser(16), on_screen=True)
        transport = bridge.connect()
        line = "x" * 1023
        taken = [bridge.bridge.show_status(line) for _ in range(1000)]
        assert taken == [True] * (NOTICE_LIMIT // 1024) + [False] * (1000 - NOTICE_LIMIT // 1024)
        assert len(transport.written) == NOTICE_LIMIT
        transport.flush()
        assert transport.flush() == b"* 872 notices were not shown: the screen was full\n"
        assert bridge.bridge.show_status(line)

    def test_long_state(self) -> None:
        """A state of any length is shown on a screen that has shown everything."""
        bridge = Bridge(PersonParser(16), on_screen=True)
        transport = bridge.connect()
        for _ in range(2):
            assert bridge.bridge.show_status("x" * NOTICE_LIMIT)
            assert not bridge.bridge.show_status("x")
            transport.flush()
            assert transport.flush() == b"* 1 notice was not shown: the screen was full\n"

    def test_full_again(self) -> None:
        """A screen that had room again has all of it."""
        bridge = Bridge()
        transport = bridge.connect()
        for _ in range(2):
            bridge.bridge.show_lines("juliet", "x" * FULL)
            transport.flush()
        assert bridge.events == ["full", "shown", "ready"] * 2

    def test_shown(self) -> None:
        """The conversation hears that all was shown when the last byte was written, and not before."""
        bridge = Bridge()
        transport = connected(bridge.bridge, kind=SocketTransport)
        transport.room = len(b"juliet: hello")
        bridge.bridge.show_lines("juliet", "hello")
        transport.drain()
        assert bridge.events == []
        bridge.bridge.show_lines("juliet", "you")
        transport.make_room(len(b"\njuliet: you"))
        assert bridge.events == []
        transport.make_room(1)
        assert bridge.events == ["shown"]

    def test_nothing_shown(self) -> None:
        """Where nothing was to be shown there is nothing to tell."""
        bridge = Bridge()
        bridge.connect().flush()
        assert bridge.events == []

    def test_shown_no_more(self) -> None:
        """What is shown after the screen was lost is not told to have been."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.writeConnectionLost()
        bridge.bridge.show_lines("juliet", "x" * 2 * FULL)
        transport.flush()
        assert bridge.events == ["screen lost"]

    def test_many(self) -> None:
        """From when it is known that there are more than two, it is shown who speaks."""
        bridge = Bridge(choice="auto")
        transport = bridge.connect()
        bridge.bridge.show_message(Message("juliet", "hello"))
        bridge.bridge.enable_author_names()
        bridge.bridge.show_message(Message("nurse", "what noise\nis this"))
        bridge.bridge.show_message(Message("juliet", "sighs", "action", at=1.0, past=True))
        assert transport.flush() == b"hello\nnurse: what noise\nnurse: is this\n[12:00] ** juliet sighs\n"

    def test_signed(self) -> None:
        """Lines that say themselves who spoke are given no other name."""
        bridge = Bridge()
        transport = bridge.connect()
        bridge.bridge.show_prefixed_lines("romeo", "nurse: hello\n\x1b[31m* red")
        assert transport.flush() == "nurse: hello\n\ufffd[31m* red\n".encode()

    def test_refused(self) -> None:
        """A line that the other end did not take is told of, by the status too."""
        bridge = Bridge()
        bridge.connect()
        bridge.bridge.show_rejection("* a line of more than 64 bytes was discarded")
        assert bridge.states.written == "* a line of more than 64 bytes was discarded\n"
        assert bridge.bridge.status == exit_status.DATA_ERROR

    def test_lost(self) -> None:
        """A screen that is lost is told of, and asked for nothing more."""
        bridge = Bridge(on_screen=True)
        transport = bridge.connect()
        bridge.bridge.writeConnectionLost()
        bridge.bridge.show_lines("juliet", "hello")
        bridge.bridge.pause()
        bridge.bridge.resume()
        bridge.bridge.show_status("Connection closed.")
        assert bridge.events == ["screen lost"]
        assert transport.written == b""
        assert bridge.states.written == "Connection closed.\n"
        assert bridge.bridge.status == exit_status.IO_ERROR
        assert bridge.bridge.close().called


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """Return pipes that are closed after the test."""
    made = Pipes()
    yield made
    made.close_all()


@pytest.fixture(params=[pytest.param(connect_by_readiness, marks=NEEDS_READINESS), connect_by_threads])
def opens(request: pytest.FixtureRequest) -> Connect:
    """Return each way in which the streams can be opened here."""
    way: Connect = request.param
    return way


class StandardStreamsTests:
    """The bridge on real descriptors."""

    @ensure_deferred
    async def test_through(self, pipes: Pipes, opens: Connect) -> None:
        """What is read is said; what is shown is written before the streams are let go of, as they were."""
        bridge = Bridge(connect_stdio=opens)
        bridge.bridge.open(reactor, pipes.stdin, pipes.stdout)
        os.write(pipes.typing, b"hello\nthere")
        pipes.close(pipes.typing)
        await bridge.conversation.ended
        assert [event for event in bridge.events if event != "ended"] == [
            ("said", "hello"),
            ("said", "there"),
        ]
        shown = b"juliet: " + b"x" * 9000 + b"\n"
        seen = deferToThread(read_exactly, pipes.seeing, len(shown))  # a pipe of Windows holds less
        bridge.bridge.show_lines("juliet", "x" * 9000)
        await bridge.bridge.close()
        assert await seen == shown
        if opens is connect_by_readiness:
            assert os.get_blocking(pipes.stdin)
            assert os.get_blocking(pipes.stdout)

    @ensure_deferred
    async def test_no_keyboard(self, pipes: Pipes, opens: Connect) -> None:
        """Without a keyboard nothing is read and nothing ends."""
        bridge = Bridge(connect_stdio=opens)
        bridge.bridge.open(reactor, None, pipes.stdout)
        bridge.bridge.show_lines("juliet", "hello")
        await bridge.bridge.close()
        assert os.read(pipes.seeing, 100) == b"juliet: hello\n"
        assert bridge.events == ["shown"]

    @ensure_deferred
    async def test_no_screen(self, pipes: Pipes, opens: Connect) -> None:
        """Without a screen messages go nowhere, which the status tells; if there were none, all is well."""
        told = "* messages cannot be shown: standard output is closed\n"
        for said, status, states in (
            ([], exit_status.OK, ""),
            (["hello", "hello"], exit_status.IO_ERROR, told),
        ):
            bridge = Bridge(connect_stdio=opens)
            bridge.bridge.open(reactor, None, None)
            for text in said:
                bridge.bridge.show_lines("juliet", text)
            await bridge.bridge.close()
            assert (bridge.bridge.status, bridge.states.written) == (status, states)

    @ensure_deferred
    async def test_states_without_screen(self, pipes: Pipes, opens: Connect) -> None:
        """The states are seen nevertheless, where standard error is the screen that is not made use of."""
        bridge = Bridge(on_screen=True, connect_stdio=opens)
        bridge.bridge.open(reactor, pipes.stdin, None)
        bridge.bridge.show_status("Calling...")
        await bridge.bridge.close()
        assert bridge.states.written == "Calling...\n"

    @ensure_deferred
    async def test_abandoned(self, pipes: Pipes, opens: Connect) -> None:
        """Where a reader takes too little it is let go of, and nothing more is written to it."""
        bridge = Bridge(connect_stdio=opens)
        bridge.bridge.open(reactor, pipes.stdin, pipes.stdout)
        bridge.bridge.show_lines("juliet", "x" * 1_000_000)
        bridge.bridge.close()
        await task.deferLater(reactor, 0.1)  # the pipe is full
        bridge.bridge.abandon()
        assert "shown" not in bridge.events
        os.read(pipes.seeing, 8192)  # there is room now, and who wrote on would wait for more
        await task.deferLater(reactor, 0.01)
        pipes.close(pipes.stdout)
        assert sum(map(len, iter(lambda: os.read(pipes.seeing, 1 << 20), b""))) <= 1 << 16

    @ensure_deferred
    async def test_screen_gone(self, pipes: Pipes, opens: Connect) -> None:
        """The bridge notices when nobody reads what it shows, and can be closed all the same."""
        bridge = Bridge(connect_stdio=opens)
        bridge.bridge.open(reactor, pipes.stdin, pipes.stdout)
        pipes.close(pipes.seeing)
        if opens is connect_by_threads:
            bridge.bridge.show_lines("juliet", "is anybody there?")
        await until(lambda: bridge.events)
        assert bridge.events == ["screen lost"]
        await bridge.bridge.close()
