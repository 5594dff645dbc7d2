"""Tests of `techboy.terminal.prompt.screen`, and of all that it is made of, on a screen in memory."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from twisted.logger import capturedLogs

from techboy import exit_status
from techboy.chat.messages import Message
from techboy.storage.interface import TEXT
from techboy.terminal.bell import Bell
from techboy.terminal.formats import OutputFormats
from techboy.terminal.formatting import PlainFormatter
from techboy.terminal.input_parser import PersonParser, RejectedLine
from techboy.terminal.prompt import session
from techboy.terminal.prompt.screen import PASTED_LIMIT, STATUS_INTERVAL, PromptScreen
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT, UNWRITTEN_LIMIT
from techboy.terminal.prompt.session import DRAW_TIMEOUT, RESIZE_DELAY
from techboy.terminal.roster import Roster
from tests.marks import needs_posix_terminal, needs_signals
from tests.programs import RecordedStates
from tests.screen import CTRL_C, CTRL_D, CTRL_L, CTRL_R, CTRL_Z, ENTER
from tests.terminal.screens import FakeTerminal, LoopReactor, idle, run, settle, until

MAX_LINE = 40


class Conversation:
    """Takes what is said, until it is full, and remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.waiting, self.takes, self.full, self.shown = 0, True, False, False
        self.screen: PromptScreen

    def said(self, text: str, kind: str = TEXT) -> None:
        self.events.append(("said", text))
        if self.takes:
            self.waiting += text.count("\n") + 1
            self.screen.show_sent(text, kind)
            self.screen.set_pending_lines(self.waiting)

    def stores(self, lines: int) -> None:
        """Let so many lines be stored."""
        self.waiting -= lines
        self.screen.set_pending_lines(self.waiting)

    def commanded(self, line: str, word: str) -> None:
        self.events.append(("commanded", line, word))

    def output_written(self) -> None:
        self.shown = True
        if self.full:
            self.events.append("shown")

    def output_full(self) -> None:
        self.full = True
        self.events.append("full")

    def __getattr__(self, name: str) -> Callable[[], None]:
        return lambda: self.events.append(name)


class At:
    """A person at a terminal with a prompt."""

    descriptors: tuple[int, int]
    patch = pytest.MonkeyPatch()  # for what is gone after the test, so that nothing is put back

    def __init__(self, terminal: FakeTerminal) -> None:
        self.terminal, self.reactor, self.states = terminal, LoopReactor(), RecordedStates()
        self.states.on_screen = True
        self.roster, self.status = Roster("juliet"), "alone"
        self.conversation = Conversation()
        self.history = InMemoryHistory(["earlier"])
        painter = PlainFormatter(OutputFormats("names", True, lambda: 0.0, lambda at: "12:00"), "juliet")
        self.screen = PromptScreen(
            PersonParser(MAX_LINE),
            painter,
            self.roster,
            Bell(),
            self.states,
            MAX_LINE,
            self._how,
            lambda: 0.0,
            self.history,
            WordCompleter(["romeo", "rosaline"]),
            terminal.opened,
        )
        self.screen.conversation = self.conversation
        self.conversation.screen = self.screen

    def _how(self) -> str:
        if not self.status:
            raise ZeroDivisionError
        return self.status

    @property
    def events(self) -> list[Any]:
        return self.conversation.events

    @property
    def drawn(self) -> int:
        """How often the prompt was drawn."""
        return self.screen._session._app.render_counter

    async def open(self) -> None:
        """Open the screen; the prompt stands when it is done."""
        self.screen.open(self.reactor, *self.descriptors)
        await self.sees("juliet:", "alone")

    async def sees(self, *rows: str) -> None:
        """Wait until ``rows`` are all that is to be seen."""
        try:
            await until(lambda: self.terminal.rows == list(rows))
        except AssertionError:
            raise AssertionError(f"{self.terminal.rows} are not {rows}; {self.events}") from None

    async def resizes(self, columns: int, rows: int | None = None) -> None:
        """Make the screen so large, and tell the program."""
        self.terminal.emulator.resize(rows, columns)
        signal.raise_signal(signal.SIGWINCH)
        await settle()

    async def types(self, text: str) -> None:
        """Type ``text``, and let all come of it that does so at once."""
        self.terminal.types(text)
        await settle()

    async def closes(self) -> None:
        """Close the screen, and wait until that is done."""
        closed = self.screen.close()
        await until(lambda: closed.called)
        assert self.terminal.closed == 1
        assert not self.reactor.getDelayedCalls()
        assert not self.terminal.emulator.cursor.hidden
        if not self.terminal.is_blocked:
            assert 2004 << 5 not in self.terminal.emulator.mode  # pasted text is not marked any more


def at_prompt(
    test: Callable[[Any, At], Coroutine[Any, Any, None]], drawn: bool = True
) -> Callable[[Any], None]:
    """Run ``test`` with somebody at a prompt, that is ``drawn`` before."""

    async def whole(tests: Any) -> None:
        reading, writing = os.pipe()
        try:
            with create_pipe_input() as keyboard:
                at = At(FakeTerminal(keyboard))
                at.descriptors = (reading, writing)
                if drawn:
                    await at.open()
                await test(tests, at)
                await at.closes()
        finally:
            os.close(reading)
            os.close(writing)

    @functools.wraps(test)
    def wrapper(self: Any) -> None:
        run(whole(self))

    del wrapper.__wrapped__  # by which pytest would ask for a fixture
    return wrapper


def before_prompt(test: Callable[[Any, At], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    """Run ``test`` with somebody at a terminal on which no prompt stands yet."""
    return at_prompt(test, drawn=False)


class ShowingTests:
    """What is to be seen."""

    @at_prompt
    async def test_above(self, at: At) -> None:
        """What comes in stands above the prompt, and what is typed stands as it was."""
        await at.types("half a l")
        at.screen.show_lines("romeo", "hello\nyou\x1b[2J")
        at.screen.show_message(Message("nurse", "sighs", "action"))
        at.screen.show_prefixed_lines("romeo", "tybalt: ho")
        at.screen.show_status("* guest1 joined")
        rows = ["romeo: hello", "romeo: you\ufffd[2J", "** nurse sighs", "tybalt: ho", "* guest1 joined"]
        await at.sees(*rows, "juliet: half a l", "alone")
        await at.types("ine")
        await at.sees(*rows, "juliet: half a line", "alone")

    @at_prompt
    async def test_more_than_a_screen(self, at: At) -> None:
        """However much comes in, its end is to be seen above the prompt."""
        at.screen.show_lines("romeo", "\n".join(map(str, range(100))))
        await at.sees(*[f"romeo: {number}" for number in range(92, 100)], "juliet:", "alone")

    @at_prompt
    async def test_status(self, at: At) -> None:
        """The status is looked at each second, cut at the screen's width, and can't disturb the screen."""
        at.status = "connected to \x1b[31mromeo; " + "x" * 100
        at.reactor.advance(STATUS_INTERVAL)
        await at.sees("juliet:", ("connected to \ufffd[31mromeo; " + "x" * 100)[:50])
        at.status = "alone"
        at.screen.show_prompt()
        await at.sees("juliet:", "alone")

    @at_prompt
    async def test_idle(self, at: At) -> None:
        """Where nothing happens nothing is drawn, however often the status is looked at."""
        await at.types("half")
        at.screen.show_lines("romeo", "hello")
        at.conversation.said("one")
        await at.sees("romeo: hello", "… one", "juliet: half", "alone")
        await idle()
        drawn = at.drawn
        for _ in range(3):
            at.reactor.advance(STATUS_INTERVAL)
            await idle()
        assert at.drawn == drawn
        at.status = "connected"
        at.reactor.advance(STATUS_INTERVAL)
        await until(lambda: at.drawn > drawn)

    @at_prompt
    async def test_alone(self, at: At) -> None:
        """As long as nobody is there to talk to the prompt is faint."""
        drawn = at.terminal.emulator.buffer
        assert at.screen.is_disconnected()
        at.screen.show_prompt()
        assert not at.screen.is_disconnected()
        at.screen.hide_prompt()
        assert at.screen.is_disconnected()
        assert drawn[0][0].data == "j"

    @at_prompt
    async def test_called(self, at: At) -> None:
        """The prompt has the name that whoever is here is called by, whoever changed it."""
        at.screen.set_nick("rosaline")
        await at.sees("rosaline:", "alone")
        at.screen.show_status("* you are mercutio")
        await at.sees("* you are mercutio", "mercutio:", "alone")
        at.conversation.said("hello")
        at.conversation.stores(1)
        await at.sees("* you are mercutio", "mercutio: hello", "mercutio:", "alone")

    @at_prompt
    async def test_bell(self, at: At) -> None:
        """The bell rings once for all that was said together, if it is to, and never for the past."""
        at.screen.show_lines("romeo", "juliet")
        at.screen.show_lines("romeo", "juliet!")
        await settle()
        assert at.terminal.emulator.bells == 1
        at.screen.show_lines("romeo", "rosaline")
        at.screen.show_message(Message("romeo", "juliet", past=True))
        await settle()
        assert at.terminal.emulator.bells == 1
        await at.types(f"/bell all{ENTER}")
        assert at.events == []
        at.screen.show_lines("romeo", "rosaline")
        await settle()
        assert at.terminal.emulator.bells == 2

    @at_prompt
    async def test_states_apart(self, at: At) -> None:
        """States go to standard error where that is another place."""
        at.states.on_screen = False
        at.screen.show_status("Connection closed.")
        assert at.states.written == "Connection closed.\n"
        await at.sees("juliet:", "alone")

    @at_prompt
    async def test_log(self, at: At) -> None:
        """The program's log tears nothing either."""
        await at.types("half")
        assert at.screen.log("a warning\n")
        await at.sees("a warning", "juliet: half", "alone")
        await at.closes()
        assert not at.screen.log("too late\n")

    @at_prompt
    async def test_refused(self, at: At) -> None:
        """A line that the other end did not take is told of, by the status too."""
        at.screen.show_rejection("* too long")
        await at.sees("* too long", "juliet:", "alone")
        assert at.screen.status == exit_status.DATA_ERROR

    @at_prompt
    async def test_many(self, at: At) -> None:
        """It is known when there are more than two."""
        assert not at.screen.is_multi_user
        at.screen.enable_author_names()
        assert at.screen.is_multi_user

    @at_prompt
    async def test_redrawn(self, at: At) -> None:
        """Ctrl-L clears what something else has written, and shows what was there before."""
        at.screen.show_lines("romeo", "hello")
        await at.types("half")
        await at.sees("romeo: hello", "juliet: half", "alone")
        at.terminal.put(b"\r\n\n\nrubbish")
        await until(lambda: "rubbish" in at.terminal.rows)
        await at.types(CTRL_L)
        await at.sees("romeo: hello", "juliet: half", "alone")

    @at_prompt
    async def test_long(self, at: At) -> None:
        """However long a line is that is typed, half of the screen is for what comes in, and for the rest."""
        at.screen.show_lines("romeo", "hello")
        await at.types("x" * 600)
        await at.sees("romeo: hello", *["x" * 50] * 4, "x" * (608 % 50), "alone")

    @at_prompt
    async def test_small(self, at: At) -> None:
        """On a screen of two rows there is room for what is typed."""
        at.terminal.emulator.resize(2, 12)
        at.conversation.said("one\ntwo")
        await at.types(CTRL_L + "x")
        await until(lambda: any(row.endswith("x") for row in at.terminal.rows))


@needs_signals
class ResizedTests:
    """A screen that becomes narrower or wider."""

    @at_prompt
    async def test_narrower(self, at: At) -> None:
        """Nothing is drawn or printed before the size has stayed for a while; then all of the screen is."""
        at.screen.show_lines("romeo", "hello")
        await at.types("half")
        await at.sees("romeo: hello", "juliet: half", "alone")
        for columns in (40, 12, 20):
            await at.resizes(columns)
            at.reactor.advance(RESIZE_DELAY / 2)
            at.screen.show_lines("romeo", f"now {columns}")
            await at.types(".")
            assert at.terminal.unwritten == 0
        at.terminal.emulator.erase_in_display(2)  # whatever is on it
        at.reactor.advance(RESIZE_DELAY / 2)
        said = [f"romeo: {text}" for text in ("hello", "now 40", "now 12", "now 20")]
        await at.sees(*said, "juliet: half...", "alone")

    @at_prompt
    async def test_wider(self, at: At) -> None:
        """A wider screen may have been a narrower one in between, or have joined rows."""
        await at.types("half")
        await at.sees("juliet: half", "alone")
        at.terminal.emulator.erase_in_display(2)
        await at.resizes(70)
        at.reactor.advance(RESIZE_DELAY)
        await at.sees("juliet: half", "alone")

    @at_prompt
    async def test_taller(self, at: At) -> None:
        """All that stands is drawn at once for a taller screen, and no more is cleared than the prompt."""
        at.terminal.put(b"\r\nsomething else\r\n")
        await at.types("half")
        await at.resizes(50, 20)
        await until(lambda: at.terminal.rows[-1] == "alone")
        assert "something else" in at.terminal.rows
        assert not [call for call in at.reactor.getDelayedCalls() if call.getTime() <= RESIZE_DELAY]

    @at_prompt
    async def test_narrow_and_wide(self, at: At) -> None:
        """A series of sizes that ends as it began is a change too, also where the first is never seen."""
        await at.types("half")
        await at.sees("juliet: half", "alone")
        for widths in ((20, 50), (50,)):
            at.terminal.emulator.erase_in_display(2)
            for columns in widths:
                await at.resizes(columns)
            at.reactor.advance(RESIZE_DELAY)
            await at.sees("juliet: half", "alone")

    @at_prompt
    async def test_closed(self, at: At) -> None:
        """At the end nothing is left of the prompt, and all that was said is there."""
        at.screen.show_lines("romeo", "hello")
        await at.types("half")
        await at.sees("romeo: hello", "juliet: half", "alone")
        await at.resizes(20)
        at.screen.show_lines("romeo", "last")
        await at.closes()
        assert at.terminal.rows == ["romeo: hello", "romeo: last"]

    @at_prompt
    async def test_while_full(self, at: At) -> None:
        """A terminal that takes nothing is drawn on when it takes something, and no more is kept for it."""
        at.terminal.halts()
        at.screen.show_lines("romeo", "hello")
        await settle()
        before = at.terminal.unwritten
        for columns in (40, 30, 20):
            await at.resizes(columns)
            at.reactor.advance(RESIZE_DELAY)
            await at.types(CTRL_L)
        assert at.terminal.unwritten == before
        at.terminal.goes_on()
        await at.sees("romeo: hello", "juliet:", "alone")

    @needs_signals
    def test_suspended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-Z leaves nothing of the prompt either."""

        @at_prompt
        async def test(_: None, at: At) -> None:
            stopped = []
            monkeypatch.setattr(session, "stop", lambda: stopped.append(at.terminal.rows))
            at.screen.show_lines("romeo", "hello")
            await at.sees("romeo: hello", "juliet:", "alone")
            await at.resizes(20)
            await at.types(f"half{CTRL_Z}")
            await at.sees("romeo: hello", "juliet: half", "alone")
            assert stopped == [["romeo: hello"]]
            at.reactor.advance(RESIZE_DELAY)
            await at.sees("romeo: hello", "juliet: half", "alone")

        test(None)


class SayingTests:
    """What is typed and entered."""

    @at_prompt
    async def test_end_while_searching(self, at: At) -> None:
        """Ctrl-D is no goodbye while an earlier line is looked for; Ctrl-C is one."""
        await at.types(f"half{CTRL_R}{CTRL_D}")
        assert at.events == []
        await at.types(CTRL_C)
        assert at.events == ["leave"]

    @at_prompt
    async def test_own(self, at: At) -> None:
        """A line waits above the prompt, marked, and is printed when it is stored, in its order."""
        await at.types(f"one{ENTER}two{ENTER}three")
        assert at.events == [("said", "one"), ("said", "two")]
        await at.sees("… one", "… two", "juliet: three", "alone")
        at.screen.show_lines("romeo", "meanwhile")
        await at.sees("romeo: meanwhile", "… one", "… two", "juliet: three", "alone")
        at.conversation.stores(1)
        await at.sees("romeo: meanwhile", "juliet: one", "… two", "juliet: three", "alone")
        at.conversation.stores(1)
        await at.sees("romeo: meanwhile", "juliet: one", "juliet: two", "juliet: three", "alone")

    @at_prompt
    async def test_own_action(self, at: At) -> None:
        """An action waits as it was typed, and is printed as the others see it, in its place."""
        await at.types(f"one{ENTER}/me waves{ENTER}two{ENTER}")
        assert at.events == [("said", "one"), ("said", "waves"), ("said", "two")]
        await at.sees("… one", "… /me waves", "… two", "juliet:", "alone")
        at.conversation.stores(3)
        await at.sees("juliet: one", "** juliet waves", "juliet: two", "juliet:", "alone")

    @at_prompt
    async def test_not_taken(self, at: At) -> None:
        """A line that the conversation does not take stays in the prompt."""
        at.conversation.takes = False
        await at.types(f"one{ENTER}")
        await at.sees("juliet: one", "alone")
        at.conversation.takes = True
        await at.types(ENTER)
        await at.sees("… one", "juliet:", "alone")

    @at_prompt
    async def test_not_stored(self, at: At) -> None:
        """Lines that will not be stored are shown to be not."""
        at.conversation.said("one\ntwo")
        at.screen.abandon_pending_lines()
        at.screen.set_pending_lines(0)
        await at.sees("… one", "… two", "juliet:", "alone")
        assert at.screen.pending_rows() == []

    @at_prompt
    async def test_commands(self, at: At) -> None:
        """A command is shown as it was typed, and obeyed; two slashes say one."""
        await at.types(f"/who is{ENTER}//etc{ENTER}/bell off{ENTER}/BELL loud{ENTER}")
        assert at.events == [("commanded", "who is", "who"), ("said", "/etc")]
        shown = [
            "/who is",
            "/bell off",
            "* the bell is off",
            "/BELL loud",
            "* usage: /bell [off|mention|all]",
        ]
        await at.sees(*shown, "… /etc", "juliet:", "alone")

    @at_prompt
    async def test_command_with_tabs(self, at: At) -> None:
        """A line that was pasted may have tabs between the words of a command."""
        for line in ("/bell\toff", "/who\tis"):
            at.terminal.pastes(line)
            await at.types(ENTER)
        assert at.events == [("commanded", "who\tis", "who")]
        await at.sees("/bell   off", "* the bell is off", "/who    is", "juliet:", "alone")

    @at_prompt
    async def test_enter(self, at: At) -> None:
        """Enter alone says nothing, and hurries."""
        await at.types(f"{ENTER}  {ENTER}")
        assert at.events == ["enter", "enter"]
        await at.sees("juliet:", "alone")

    @at_prompt
    async def test_too_long(self, at: At) -> None:
        """A line that is too long stays, to be shortened; bytes count."""
        await at.types("é" * 21 + ENTER)
        told = "* not sent: more than 40 bytes in a line"
        await at.sees(told, "juliet: " + "é" * 21, "alone")
        await at.types("\x7f" + ENTER)
        assert at.events == [("said", "é" * 20)]
        assert at.screen.status == exit_status.OK

    @needs_posix_terminal
    @at_prompt
    async def test_no_text(self, at: At) -> None:
        """Bytes that are no UTF-8, and controls, are said as U+FFFD."""
        at.terminal.keyboard.send_bytes(b"a\xffb\x11\x07\r")
        await until(lambda: at.events)
        assert at.events == [("said", "a\ufffdb\ufffd")]

    @at_prompt
    async def test_halves(self, at: At) -> None:
        """Halves of a character, as a Windows console may give them, are joined; a lone one is lost."""
        at.screen._buffer.text = "a\ud83d\udc8cb\ud83d"
        at.terminal.types(ENTER)
        await until(lambda: at.events)
        assert at.events == [("said", "a💌b\ufffd")]

    @at_prompt
    async def test_history(self, at: At) -> None:
        """What was said can be had again; so can what was said before this run."""
        await at.types(f"one{ENTER}")
        await at.sees("… one", "juliet:", "alone")
        await settle()
        await at.types("\x1b[A")
        await at.sees("… one", "juliet: one", "alone")
        await at.types("\x1b[A")
        await at.sees("… one", "juliet: earlier", "alone")
        assert list(at.history.get_strings()) == ["earlier", "one"]

    @at_prompt
    async def test_completion(self, at: At) -> None:
        """Tab completes, and shows what there is to choose from."""
        await at.types("ro\t")
        await until(lambda: any("romeo rosaline" in row for row in at.terminal.rows))
        await at.types("\t\t")
        await until(lambda: at.terminal.rows[0] == "juliet: rosaline")

    @at_prompt
    async def test_paused(self, at: At) -> None:
        """While nothing can be taken what is entered waits in the prompt, and is said then."""
        at.screen.pause()
        await at.types(f"one{ENTER}")
        assert at.events == []
        await at.sees("juliet: one", "alone")
        at.screen.resume()
        await at.sees("… one", "juliet:", "alone")
        assert at.events == [("said", "one")]
        at.screen.resume()
        assert at.events == [("said", "one")]

    @at_prompt
    async def test_paused_and_changed(self, at: At) -> None:
        """A line that is changed meanwhile is not said before it is entered again."""
        at.screen.pause()
        await at.types(f"one{ENTER} and two")
        at.screen.resume()
        assert at.events == []
        await at.types(ENTER)
        assert at.events == [("said", "one and two")]

    @at_prompt
    async def test_reader_refuses(self, at: At) -> None:
        """What the reader refuses is told, by the status too where it counts."""
        at.patch.setattr(at.screen._parser, "parse", lambda block: [RejectedLine("no", is_error=True)])
        await at.types(f"one{ENTER}")
        await at.sees("* no", "juliet:", "alone")
        assert at.screen.status == exit_status.DATA_ERROR


class PastingTests:
    """Text that comes from elsewhere."""

    @at_prompt
    async def test_line(self, at: At) -> None:
        """One line is inserted where the cursor is, and not said."""
        await at.types("a b\x1b[D")
        at.terminal.pastes("one\r\n")
        await at.sees("juliet: a oneb", "alone")
        assert at.events == []

    @at_prompt
    async def test_lines(self, at: At) -> None:
        """Many are said after yes, as they stand; what was typed stays."""
        await at.types("half")
        at.terminal.pastes("exit\r\n\r\n/who\n  x\r")
        await at.sees("juliet: half", "send these 4 lines? y/n", "alone")
        await at.types(f"{ENTER}{CTRL_D}{CTRL_Z}{CTRL_L}x")
        assert at.events == []
        await at.types("y")
        assert at.events == [("said", "exit\n\n/who\n  x")]
        await at.sees("… exit", "…", "… /who", "…   x", "juliet: half", "alone")

    @at_prompt
    async def test_more(self, at: At) -> None:
        """What is pasted while it is asked about the first is asked about with it, and is no answer."""
        for text, count in (("one\ntwo", 2), ("three\nfour\n", 4), ("y", 5)):
            at.terminal.pastes(text)
            await at.sees("juliet:", f"send these {count} lines? y/n", "alone")
        assert at.events == []
        await at.types("y")
        assert at.events == [("said", "one\ntwo\nthree\nfour\ny")]

    @at_prompt
    async def test_too_much(self, at: At) -> None:
        """What is beyond the limit is refused; what was pasted before is still asked about."""
        at.terminal.pastes("one\ntwo")
        await at.sees("juliet:", "send these 2 lines? y/n", "alone")
        at.screen.on_paste(("x" * 39 + "\n") * (PASTED_LIMIT // 40 + 1))
        refusal = f"* not sent: more than {PASTED_LIMIT} characters"
        await at.sees(refusal, "juliet:", "send these 2 lines? y/n", "alone")

    @pytest.mark.parametrize("answer", ["n", "N", CTRL_C])
    def test_declined(self, answer: str) -> None:
        """After no nothing is said."""

        @at_prompt
        async def test(_: None, at: At) -> None:
            at.terminal.pastes("one\ntwo")
            await at.sees("juliet:", "send these 2 lines? y/n", "alone")
            await at.types(answer)
            await at.sees("juliet:", "alone")
            assert at.events == []

        test(None)

    @at_prompt
    async def test_too_long(self, at: At) -> None:
        """Where one of them is too long, none is said."""
        at.terminal.pastes("one\n" + "x" * 41)
        await at.sees("* not sent: more than 40 bytes in a line", "juliet:", "alone")
        await at.types("y")
        assert at.events == []

    @at_prompt
    async def test_paused(self, at: At) -> None:
        """While nothing can be taken the answer waits, and can be changed."""
        for answers, said in (("y", [("said", "one\ntwo")]), ("yn", [])):
            at.screen.pause()
            at.terminal.pastes("one\ntwo")
            await at.types(answers)
            assert at.events == []
            at.screen.resume()
            assert at.events == said
            at.events.clear()
            assert not at.screen.has_question()

    @at_prompt
    async def test_paused_and_pasted(self, at: At) -> None:
        """A yes that waits is no answer to lines that were pasted after it."""
        at.screen.pause()
        at.terminal.pastes("one\ntwo")
        await at.types("y")
        at.terminal.pastes("three\nfour")
        await settle()
        at.screen.resume()
        await at.sees("juliet:", "send these 4 lines? y/n", "alone")
        assert at.events == []


class LeavingTests:
    """Goodbyes."""

    @pytest.mark.parametrize("typed", [CTRL_C, f"half{CTRL_C}", CTRL_D, f"EXIT{ENTER}", f"\x12x{CTRL_C}"])
    def test_goodbye(self, typed: str) -> None:
        """One key says goodbye, whatever is under way."""

        @at_prompt
        async def test(_: None, at: At) -> None:
            await at.types(typed)
            await until(lambda: at.events == ["leave"])

        test(None)

    @at_prompt
    async def test_delete(self, at: At) -> None:
        """Within a line Ctrl-D deletes."""
        await at.types(f"ab\x01{CTRL_D}")
        await at.sees("juliet: b", "alone")
        assert at.events == []

    @needs_signals
    def test_suspended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-Z takes the prompt away before the program is stopped, and after that it stands as before."""

        @at_prompt
        async def test(_: None, at: At) -> None:
            stopped = []
            monkeypatch.setattr(session, "stop", lambda: stopped.append(at.terminal.rows))
            at.screen.show_lines("romeo", "hello")
            await at.types(f"half{CTRL_Z} a line")
            await at.sees("romeo: hello", "juliet: half a line", "alone")
            assert stopped == [["romeo: hello"]]

        test(None)

    @needs_signals
    @at_prompt
    async def test_goes_on(self, at: At) -> None:
        """After it was stopped by a signal the prompt is drawn anew."""
        await at.types("half")
        await at.sees("juliet: half", "alone")
        at.terminal.put(b"\r\nby a shell\r\n")
        await at.sees("juliet: half", "by a shell")
        signal.raise_signal(signal.SIGCONT)
        await at.sees("juliet: half", "by a shell", "juliet: half", "alone")


class FullTests:
    """A terminal that takes its time."""

    @at_prompt
    async def test_full(self, at: At) -> None:
        """The conversation hears when too much waits, and when nothing does any more, and not before."""
        at.terminal.halts()
        at.screen.show_lines("romeo", "x" * 30)
        await settle()
        assert at.events == []
        at.screen.show_lines("romeo", "y" * UNWRITTEN_LIMIT)
        assert at.events == ["full"]
        assert not at.conversation.shown
        await at.types("typed")
        assert at.terminal.rows == ["juliet:", "alone"]
        at.terminal.goes_on()
        await until(lambda: "output_ready" in at.events)
        assert at.events == ["full", "shown", "output_ready"]
        await until(lambda: at.terminal.rows[-2:] == ["juliet: typed", "alone"])

    @at_prompt
    async def test_nothing_piles_up(self, at: At) -> None:
        """However long it takes nothing, no more is drawn for it."""
        at.terminal.halts()
        at.screen.show_lines("romeo", "hello")
        await settle()
        before = at.terminal.unwritten
        for number in range(100):
            at.status = f"for {number} s"
            at.reactor.advance(STATUS_INTERVAL)
            await settle()
        assert at.terminal.unwritten == before
        at.terminal.goes_on()
        await at.sees("romeo: hello", "juliet:", "for 99 s")

    @at_prompt
    async def test_stuck(self, at: At) -> None:
        """A bounded number of states and log lines waits for it; the rest is counted and dropped."""
        at.terminal.halts()
        at.screen.show_status("first")
        await settle()
        line = "x" * 1023
        taken = [at.screen.show_status(line) for _ in range(1000)]
        assert NOTICE_LIMIT - 2048 < at.terminal.unwritten + 1024 * taken.count(True) <= NOTICE_LIMIT
        assert taken == sorted(taken, reverse=True)
        assert at.screen.log("y" * 2048 + "\n")
        at.reactor.advance(STATUS_INTERVAL)
        await settle()
        assert at.terminal.unwritten <= NOTICE_LIMIT
        at.terminal.goes_on()
        await until(lambda: "output_ready" in at.events)
        at.reactor.advance(STATUS_INTERVAL)
        told = f"* {taken.count(False) + 1} notices were not shown:"
        await until(lambda: any(row.startswith(told) for row in at.terminal.rows))
        at.reactor.advance(STATUS_INTERVAL)
        await settle()
        assert "".join(at.terminal.rows).count("were not shown") == 1

    @at_prompt
    async def test_closed(self, at: At) -> None:
        """At the end it has so long to take what is left, and no longer."""
        at.terminal.halts()
        at.screen.show_lines("romeo", "hello")
        closed = at.screen.close()
        await settle()
        assert not closed.called
        at.reactor.advance(DRAW_TIMEOUT)
        assert closed.called
        await settle()


class LostTests:
    """A terminal that is gone, and a prompt that fails."""

    @at_prompt
    async def test_keyboard(self, at: At) -> None:
        """A keyboard that is gone is told of once; nothing more is shown or asked."""
        at.terminal.keyboard.close()
        await until(lambda: at.events)
        at.terminal.loses()
        at.screen.show_lines("romeo", "x" * 2 * UNWRITTEN_LIMIT)
        at.screen.show_status("Connection closed.")
        await settle()
        assert at.events == ["output_lost", "input_ended"]
        assert at.states.written == "Connection closed.\n"
        assert at.screen.status == exit_status.IO_ERROR

    @at_prompt
    async def test_screen(self, at: At) -> None:
        """So is a screen that is gone, also where something is to be shown."""
        at.screen.show_lines("romeo", "hello")
        at.terminal.loses()
        await settle()
        assert at.events == ["output_lost", "input_ended"]

    @needs_signals
    @at_prompt
    async def test_hung_up(self, at: At) -> None:
        """So is the system's word that the terminal was hung up; what is still there of it is left tidy."""
        before = signal.getsignal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)
        await until(lambda: at.events == ["output_lost", "input_ended"])
        await at.closes()
        assert at.terminal.rows == []

    @at_prompt
    async def test_drawing_fails(self, at: At) -> None:
        """What goes wrong in drawing is logged, and the program ends in good order, showing what there is."""
        with capturedLogs() as logged:
            at.status = ""
            at.screen.show_lines("romeo", "hello")
            await until(lambda: at.events == ["leave"])
        assert any(issubclass(event["log_failure"].type, ZeroDivisionError) for event in logged)
        assert at.screen.status == exit_status.IO_ERROR
        at.screen.show_status("Connection closed.")
        await at.sees("romeo: hello", "Connection closed.")

    @at_prompt
    async def test_key_fails(self, at: At) -> None:
        """So is what goes wrong because of a key."""

        def said(text: str, kind: str) -> None:
            raise ZeroDivisionError

        at.patch.setattr(at.conversation, "said", said)
        with capturedLogs() as logged:
            await at.types(f"one{ENTER}")
            await until(lambda: at.events == ["leave"])
        assert any(issubclass(event["log_failure"].type, ZeroDivisionError) for event in logged)

    @before_prompt
    async def test_first_drawing_fails(self, at: At) -> None:
        """So is a prompt that never stood."""
        at.status = ""
        with capturedLogs() as logged:
            at.screen.open(at.reactor, *at.descriptors)
            await until(lambda: at.events == ["leave"])
        assert logged


class EndTests:
    """Opening and closing."""

    @before_prompt
    async def test_shown_before(self, at: At) -> None:
        """What is shown before the prompt stands is shown above it then."""
        at.screen.open(at.reactor, *at.descriptors)
        at.screen.show_status("Calling")
        at.screen.show_rejection("* no")
        await at.sees("Calling", "* no", "juliet:", "alone")

    @before_prompt
    async def test_keyboard_first(self, at: At) -> None:
        """When anything is to be seen, a key is already what it is at the prompt, Ctrl-C and Ctrl-D too."""
        seen: list[bool] = []

        @contextmanager
        def raw_mode() -> Iterator[None]:
            seen.append(bool(at.terminal.rows))
            yield

        at.patch.setattr(at.terminal.keyboard, "raw_mode", raw_mode)
        at.screen.open(at.reactor, *at.descriptors)
        at.screen.show_status("Calling")
        await at.sees("Calling", "juliet:", "alone")
        assert seen[0] is False

    @before_prompt
    async def test_closed_before(self, at: At) -> None:
        """It may end before the prompt stands; what was shown is shown, and nothing else."""
        at.screen.open(at.reactor, *at.descriptors)
        at.screen.show_status("can't listen")
        await at.closes()
        assert at.terminal.rows == ["can't listen"]

    @before_prompt
    async def test_never_opened(self, at: At) -> None:
        """It may never be opened; what it has to tell goes to standard error."""
        at.screen.show_status("can't listen")
        assert at.screen.close().called
        assert at.states.written == "can't listen\n"
        await at.open()

    @at_prompt
    async def test_closed(self, at: At) -> None:
        """All is shown, with own lines that still wait, the prompt is gone, and the cursor on a new line."""
        await at.types(f"one{ENTER}half")
        at.terminal.pastes("a\nb")
        await settle()
        at.screen.show_lines("romeo", "bye")
        await at.closes()
        assert at.terminal.rows == ["romeo: bye", "… one"]
        cursor = at.terminal.emulator.cursor
        assert (cursor.x, cursor.y) == (0, 2)
        assert at.screen.close().called

    @before_prompt
    async def test_closed_while_drawn(self, at: At) -> None:
        """It may end at the very moment when the prompt is about to stand."""
        at.screen.open(at.reactor, *at.descriptors)
        while at.screen._session._task is None:
            await asyncio.sleep(0)
        await at.closes()
        assert at.terminal.rows == []
