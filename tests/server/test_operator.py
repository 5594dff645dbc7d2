"""Tests of `techboy.server.operator`."""

from __future__ import annotations

from typing import Any

import pytest

from techboy.chat.messages import Message
from techboy.server.delivery import UNSTORED_LIMIT
from techboy.server.operator import LocalOperator
from techboy.storage.executor import StorageExecutor
from techboy.storage.interface import MessageBatch, StorageError
from techboy.storage.memory import HISTORY_MEMORY
from techboy.terminal.formats import OutputFormats
from techboy.terminal.input_parser import PersonParser, ScriptParser
from techboy.terminal.interface import InputSource
from techboy.terminal.plain_prompt import PlainPrompt
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT
from techboy.terminal.stdio_bridge import StdioBridge
from techboy.wire.plain import SERVER
from tests.houses import Verona, Visitor
from tests.native import HeldCommitter
from tests.programs import RecordedStates
from tests.transports import connected

FILLING = "#" * 64 * 1024

PERSON, SCRIPT, NONE = InputSource.PERSON, InputSource.SCRIPT, InputSource.NONE


def shown_by_name() -> OutputFormats:
    """Return the choice of names; past lines were said at noon."""
    return OutputFormats("names", False, lambda: 0.0, lambda at: "12:00")


class Home:
    """The host's seat, with keyboard and screen, in a house."""

    def __init__(
        self,
        keyboard: InputSource = PERSON,
        keep: int = HISTORY_MEMORY,
        apart: bool = False,
        executor: StorageExecutor | None = None,
    ) -> None:
        self.verona, self.states, self.left = Verona(keep=keep, executor=executor), RecordedStates(), 0
        self.states.on_screen = not apart
        reader = PersonParser(4096) if keyboard is PERSON else ScriptParser(4096, SERVER.encode)
        self.bridge = StdioBridge(reader, shown_by_name(), self.states, 4096)
        self.operator = LocalOperator(self.verona.chat, self.verona.broker, self.bridge, self._leave)
        self.bridge.conversation = self.operator
        self.terminal = connected(self.bridge)
        if keyboard is NONE:
            self.operator.listen()
        else:
            self.operator.join()
            self.verona.settle()
        self.seen()

    def _leave(self) -> None:
        self.left += 1

    def types(self, data: bytes) -> None:
        self.terminal.receive(data)
        self.verona.turn()

    def seen(self) -> str:
        """Return what was shown since the last time."""
        return self.terminal.flush().decode()

    def full(self) -> None:
        """Fill the screen, which takes nothing before it is `ready`."""
        self.bridge.show_status(FILLING)

    def ready(self) -> str:
        """Let all be seen, and return it; what is shown because there is room again comes after it."""
        return self.seen().replace(f"{FILLING}\n", "")

    def connection(self) -> Visitor:
        """Return a guest who has come and been announced."""
        (connection,) = self.verona.roster(1)
        self.seen()
        return connection


class HostTests:
    """The person who is the host."""

    def test_invited(self) -> None:
        """The host is prompted at once, whoever is there."""
        bridge = StdioBridge(
            PersonParser(64), shown_by_name(), RecordedStates(), 64, PlainPrompt("romeo", b"<")
        )
        terminal, verona = connected(bridge), Verona()
        bridge.conversation = operator = LocalOperator(verona.chat, verona.broker, bridge, lambda: None)
        operator.join()
        assert terminal.flush() == b"romeo: "
        operator_member = verona.chat.names.get("romeo")
        assert operator_member is not None
        assert operator_member.is_operator

    def test_said_before(self) -> None:
        """What the log has from an earlier run does not wait for the host, nor is shown on a busy screen."""
        verona, bridge = Verona(), StdioBridge(PersonParser(64), shown_by_name(), RecordedStates(), 64)
        (connection,) = verona.roster(1)
        connection.says(b"hello\n")
        verona.turn()
        terminal = connected(bridge)
        bridge.conversation = operator = LocalOperator(verona.chat, verona.broker, bridge, lambda: None)
        operator.join()
        assert (operator.backlog, verona.chat.lagging_members) == (0, 0)
        operator.output_full()
        operator.output_ready()
        assert terminal.flush() == b""

    def test_said(self) -> None:
        """What the host types is said to all, and not shown again."""
        home = Home()
        connection = home.connection()
        home.types(b"hello\n\nthere\n")
        assert connection.reads() == "romeo: hello\nromeo: there\n"
        assert home.seen() == ""

    def test_heard(self) -> None:
        """What guests say and do is shown with their names, safe for a terminal."""
        home = Home()
        home.connection().says(b"hello\n/me waves\n\x1b[2J\n")
        home.verona.turn()
        assert home.seen() == "guest1: hello\n** guest1 waves\nguest1: \ufffd[2J\n"

    def test_news(self) -> None:
        """The host hears who comes and goes, but not of coming in."""
        home = Home()
        home.verona.visit()
        home.verona.settle()
        assert home.seen() == "* guest1 joined\n"

    def test_commands(self) -> None:
        """A command is obeyed, and answered here alone."""
        home = Home()
        connection = home.connection()
        home.types(b"/who\n")
        assert home.seen() == "* 2 here: romeo, guest1\n"
        home.types(b"/kick guest1 too loud\n")
        assert connection.reads() == "* you were kicked by romeo: too loud\n"

    def test_private_message(self) -> None:
        """A guest can tell the host something alone."""
        home = Home()
        home.connection().says(b"/msg romeo psst\n")
        assert home.seen() == "* guest1 says to you: psst\n"

    def test_last(self) -> None:
        """What was said before is shown with its time."""
        home = Home()
        home.types(b"/last\n")
        assert home.seen() == "* there are no messages yet\n"
        home.connection().says(b"hello\n/me waves\n")
        home.types(b"again\n")
        home.seen()
        home.types(b"/last 3\n")
        assert home.seen() == "[12:00] guest1: hello\n[12:00] ** guest1 waves\n[12:00] romeo: again\n"

    def test_other_room(self) -> None:
        """In another room the host hears what is said there, from then on."""
        home = Home()
        connection = home.connection()
        home.types(b"/join garden\n")
        assert home.seen() == "* welcome to garden, romeo; /help lists what you can do\n* 1 here: romeo\n"
        home.verona.settle()
        connection.says(b"in the lobby\n/join garden\n")
        home.verona.settle()
        connection.says(b"hello\n")
        home.verona.turn()
        assert home.seen() == "* guest1 joined\nguest1: hello\n"

    def test_ignoring(self) -> None:
        """Whom the host ignores is not shown."""
        home = Home()
        one, two = home.connection(), home.connection()
        home.types(b"/ignore guest1\n")
        home.seen()
        one.says(b"hello\n")
        two.says(b"hi\n")
        home.verona.turn()
        assert home.seen() == "guest2: hi\n"

    @pytest.mark.parametrize("line", [b"exit\n", b"/quit\n", b"/exit\n"])
    def test_goodbye(self, line: bytes) -> None:
        """The host's goodbye ends the program."""
        home = Home()
        home.types(line)
        assert home.left == 1

    def test_shutdown(self) -> None:
        """So does /shutdown, by way of the house."""
        home = Home()
        home.types(b"/shutdown\n")
        assert home.verona.shut_down == 1

    def test_empty_line(self) -> None:
        """Enter says nothing."""
        home = Home()
        connection = home.connection()
        home.types(b"\n")
        assert (connection.reads(), home.seen(), home.left) == ("", "", 0)

    def test_end_of_input(self) -> None:
        """What a script says is said as it stands, and its end is the end."""
        home = Home(SCRIPT)
        connection = home.connection()
        home.types(b"/who\n\nlast")
        home.terminal.peer_closes()
        home.verona.turn()
        assert connection.reads() == "romeo: /who\nromeo: \nromeo: last\n"
        assert home.left == 1

    def test_never_stalled(self) -> None:
        """A screen that takes nothing is waited for."""
        home = Home()
        home.full()
        home.connection().says(b"hello\n")
        home.operator.on_send_timeout()
        home.verona.turn(60)
        assert home.left == 0
        assert home.terminal.events == []


class FullScreenTests:
    """A screen that is slow, or gone."""

    def test_catching_up(self) -> None:
        """What is said while the screen is full is shown when there is room, once and in order."""
        home = Home()
        connection = home.connection()
        connection.says(b"before\n")
        home.verona.turn()
        home.full()
        connection.says(b"one\ntwo\n")
        home.types(b"mine\n")
        connection.says(b"three\n")
        home.verona.turn()
        assert home.ready() == "guest1: before\n"
        connection.says(b"four\n")
        home.verona.turn()
        assert home.seen() == "guest1: one\nguest1: two\nguest1: three\nguest1: four\n"

    def test_pages(self) -> None:
        """However much that is, and wherever the screen is full again."""
        home = Home()
        connection = home.connection()
        home.full()
        lines = [f"{number:04}" + "x" * 1000 for number in range(200)]
        connection.says("".join(f"{line}\n" for line in lines).encode())
        home.verona.turn()
        assert home.ready() == ""
        parts = []
        while part := home.seen():
            parts.append(part)
        assert len(parts) > 1
        assert "".join(parts).splitlines() == [f"guest1: {line}" for line in lines]

    def test_news(self) -> None:
        """Who comes and goes is told although the screen is full: it is not in the log."""
        home = Home()
        home.full()
        home.verona.visit()
        home.verona.settle()
        assert home.ready() == "* guest1 joined\n"

    def test_stuck(self) -> None:
        """A screen that takes nothing holds a bounded number of messages; senders are told of the others."""
        home = Home()
        connection = home.connection()
        home.full()
        message = b"/msg romeo " + b"x" * 4000 + b"\n"
        for _ in range(100):
            connection.says(message)
        assert len(home.terminal.written) <= NOTICE_LIMIT
        *_, last = connection.reads().splitlines()
        assert last == "* romeo is not reading at the moment; your message was not delivered"
        for number in range(1000):
            connection.says(f"/topic {number}\n".encode())
        home.verona.settle()
        assert len(home.terminal.written) <= NOTICE_LIMIT
        shown = home.ready().splitlines()
        assert 0 < len([line for line in shown if "says to you" in line]) < 100
        dropped = 100 + 1000 - len(shown)
        assert home.seen() == f"* {dropped} notices were not shown: the screen was full\n"
        connection.reads()
        connection.says(message)
        assert home.seen().startswith("* guest1 says to you: xxx")
        assert connection.reads().startswith("* you say to romeo: xxx")

    def test_history(self) -> None:
        """A screen that takes nothing holds no more history, whichever command asks for it."""
        home = Home()
        connection = home.connection()
        for _ in range(5):
            connection.says((b"x" * 4000 + b"\n") * 10)
            home.verona.turn()
        home.full()
        held = len(home.terminal.written)
        home.types(b"/last 1000\n" * 100)
        home.types(b"/join garden\n/part\n" * 100)
        assert len(home.terminal.written) <= held + NOTICE_LIMIT
        assert home.ready()
        home.seen()
        home.types(b"/last\n")
        assert home.seen().startswith("[12:00] guest1: xxx")

    def test_gone(self) -> None:
        """What is not kept any more is counted, exactly."""
        home = Home(keep=2000)
        connection = home.connection()
        home.full()
        for number in range(20):
            connection.says(b"%d\n" % number)
            home.verona.turn()
        home.ready()
        gone = home.verona.chat.lobby.log.deleted_through
        kept = [f"guest1: {number}" for number in range(gone, 20)]
        assert kept
        assert home.seen().splitlines() == [f"* {gone} lines are gone", *kept]

    def test_all_gone(self) -> None:
        """Where nothing of what was missed is kept, the host is told once, and then hears on."""
        home = Home()
        connection = home.connection()
        home.full()
        connection.says(b"one\ntwo\n")
        home.verona.turn()
        home.verona.broker.prune(home.verona.wall() + 1, 0)
        assert home.ready() == ""
        assert home.seen() == "* 2 lines are gone\n"
        connection.says(b"three\n")
        home.verona.turn()
        assert home.seen() == "guest1: three\n"

    def test_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where what was missed cannot be read, the host is told why, and hears on."""
        home = Home()
        connection = home.connection()
        home.full()
        connection.says(b"one\n")
        home.verona.turn()

        def read(after: int, size: int) -> list[MessageBatch]:
            raise StorageError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr(
                type(home.verona.chat.lobby.log), "read", lambda log, after, size: read(after, size)
            )
            assert home.ready() == ""
        assert home.seen() == "* 1 lines cannot be read: the disk is gone\n"
        connection.says(b"two\n")
        home.verona.turn()
        assert home.seen() == "guest1: two\n"

    def test_listener(self) -> None:
        """A listener is not shown what was said before it came, nor loses what follows."""
        verona, bridge = Verona(), StdioBridge(PersonParser(64), shown_by_name(), RecordedStates(), 64)
        (connection,) = verona.roster(1)
        connection.says(b"before\n")
        verona.turn()
        terminal = connected(bridge)
        bridge.conversation = operator = LocalOperator(verona.chat, verona.broker, bridge, lambda: None)
        operator.listen()
        connection.says(b"after\n")
        verona.turn()
        assert terminal.flush() == b"guest1: after\n"

    def test_one_gone(self) -> None:
        """One line is one line."""
        home = Home(keep=1)
        connection = home.connection()
        home.full()
        for text in (b"one\n", b"two\n"):
            connection.says(text)
            home.verona.turn()
        home.ready()
        assert home.seen() == "* 1 line is gone\nguest1: two\n"

    def test_lost(self) -> None:
        """A host without a screen speaks on."""
        home = Home()
        connection = home.connection()
        home.terminal.protocol.writeConnectionLost()
        home.types(b"hello\n")
        assert connection.reads() == "romeo: hello\n"
        assert home.left == 0


class Recording:
    """A screen that remembers what it is told about own lines, and the rest as the bridge does."""

    def __init__(self, bridge: StdioBridge) -> None:
        self._bridge = bridge
        self.told: list[Any] = []

    def show_sent(self, text: str, kind: str) -> None:
        self.told.append(("said", text))

    def set_pending_lines(self, lines: int) -> None:
        self.told.append(("set_pending_lines", lines))

    def abandon_pending_lines(self) -> None:
        self.told.append("abandon_pending_lines")

    def show_message(self, words: Message) -> None:
        self.told.append(("heard", words.text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bridge, name)

    def since(self) -> list[Any]:
        """Return what it was told since the last time."""
        told, self.told = self.told, []
        return told


class OwnLinesTests:
    """What the host says, until it is stored."""

    def home(self, **how: Any) -> tuple[Home, Recording]:
        """Return a home whose screen is recorded."""
        home = Home(**how)
        recording = home.operator._ui = Recording(home.bridge)
        return home, recording

    def test_in_order(self) -> None:
        """They are known to be stored where everybody hears them, and so is what the host does."""
        home, screen = self.home(executor=(executor := HeldCommitter()))
        connection = home.connection()
        connection.says(b"before\n")
        home.types(b"one\ntwo\n/me waves\n")
        connection.says(b"after\n")
        home.verona.turn()
        committed = screen.since()
        assert committed == [
            ("said", "one\ntwo"),
            ("set_pending_lines", 2),
            ("said", "waves"),
            ("set_pending_lines", 3),
        ]
        while not screen.told or screen.told[-1] != ("heard", "after"):
            executor.answer()
            home.verona.turn()
        assert screen.since() == [
            ("heard", "before"),
            ("set_pending_lines", 1),
            ("set_pending_lines", 0),
            ("heard", "after"),
        ]

    def test_refused(self) -> None:
        """Those that will not be stored wait no longer."""
        home, screen = self.home(executor=(executor := HeldCommitter()))
        home.types(b"one\n")
        executor.refuse()
        assert screen.since() == [("said", "one"), ("set_pending_lines", 1), "abandon_pending_lines"]
        home.types(b"two\n")
        executor.answer()
        assert screen.since() == [("said", "two"), ("set_pending_lines", 1), ("set_pending_lines", 0)]

    def test_full_screen(self) -> None:
        """While the screen is full they wait like the others; those that are forgotten wait no longer."""
        home, screen = self.home(keep=2000)
        connection = home.connection()
        home.full()
        home.types(b"one\n")
        assert screen.since() == [("said", "one"), ("set_pending_lines", 1)]
        for number in range(20):
            connection.says(b"%d\n" % number)
            home.verona.turn()
        home.ready()
        assert screen.since()[-1] == ("set_pending_lines", 0)

    def test_other_room(self) -> None:
        """Those said in a room that was left are not waited for."""
        home, screen = self.home()
        home.types(b"one\n/join garden\n")
        assert ("set_pending_lines", 0) in screen.since()
        home.types(b"two\n")
        assert screen.since() == [("said", "two"), ("set_pending_lines", 1), ("set_pending_lines", 0)]


class StoringTests:
    """What the host says while the disk takes its time."""

    def test_not_before(self) -> None:
        """Guests read it when it is stored."""
        home = Home(executor=(executor := HeldCommitter()))
        connection = home.connection()
        home.types(b"hello\n")
        assert connection.reads() == ""
        executor.answer()
        assert connection.reads() == "romeo: hello\n"

    def test_too_much(self) -> None:
        """A script that says more than can be stored is not read until it is."""
        home = Home(SCRIPT, executor=(executor := HeldCommitter()))
        for _ in range(UNSTORED_LIMIT // 1024 + 1):
            assert home.terminal.reading
            home.terminal.receive(b"x" * 1024 + b"\n")
        assert not home.terminal.reading
        home.verona.turn()
        assert not home.terminal.reading
        executor.answer()
        assert home.terminal.reading

    def test_refused(self) -> None:
        """The host is told what was not stored, and is read from again."""
        home = Home(SCRIPT, executor=(executor := HeldCommitter()))
        home.types(b"x\n" * (UNSTORED_LIMIT // 2 + 2))
        assert not home.terminal.reading
        executor.refuse()
        assert home.seen() == "* message not sent: the disk is full. Try again later.\n"
        assert home.terminal.reading


class ListenerTests:
    """A daemon that shows what is said."""

    def test_shown(self) -> None:
        """All that is said in the lobby is shown; who comes and goes is a state."""
        home = Home(NONE, apart=True)
        connection = home.verona.visit()
        home.verona.settle()
        connection.says(b"hello\n")
        home.verona.turn()
        assert home.seen() == "guest1: hello\n"
        assert home.states.written == "* guest1 joined\n"

    def test_nobody(self) -> None:
        """It is nobody in the house."""
        home = Home(NONE)
        home.verona.visit().says(b"/who\n")
        assert list(home.verona.chat.members) == [1]

    def test_catching_up(self) -> None:
        """What is said while it can't be shown is shown later."""
        home = Home(NONE)
        connection = home.connection()
        home.full()
        connection.says(b"hello\n")
        home.verona.turn()
        assert home.ready() == ""
        assert home.seen() == "guest1: hello\n"

    def test_other_rooms(self) -> None:
        """What is said in other rooms is not shown."""
        home = Home(NONE)
        connection = home.connection()
        connection.says(b"/join garden\n")
        home.verona.settle()
        home.seen()
        connection.says(b"a secret\n")
        home.verona.turn()
        assert home.seen() == ""

    def test_nothing_is_left_out(self) -> None:
        """Whatever is said in other rooms, nothing of the lobby is left out or shown twice."""
        home = Home(NONE)
        here, there = home.connection(), home.connection()
        there.says(b"/join garden\n")
        there.says(b"1\n2\n3\n4\n")
        home.verona.turn()
        home.full()
        here.says(b"hello\n")
        home.verona.turn()
        home.ready()
        assert home.seen() == "guest1: hello\n"

    def test_screen_lost(self) -> None:
        """Where nobody looks any more, it ends."""
        home = Home(NONE)
        home.terminal.protocol.writeConnectionLost()
        assert home.left == 1
