"""A person's keyboard and screen: a prompt that what comes in never tears.

It stands where the stdio bridge stands elsewhere, on a terminal that can do more than show text.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from techboy.arguments import first_word
from techboy.chat.conversation import Message
from techboy.exit_status import DATA_ERROR, IO_ERROR, OK
from techboy.terminal.bell import Bell
from techboy.terminal.bridge import InputHandler, StatusOutput
from techboy.terminal.formatting import Formatter, StyledText
from techboy.terminal.input_parser import Enter, InputParser, Refused
from techboy.terminal.prompt.app import PromptApp
from techboy.terminal.prompt.key_bindings import keys
from techboy.terminal.prompt.pending import PendingLines
from techboy.terminal.prompt.scrollback import not_shown
from techboy.terminal.prompt.session import Reactor, TerminalSession
from techboy.terminal.prompt.tty import Opened, opened
from techboy.terminal.roster import Roster
from techboy.wire.plain import Command, Goodbye, PlainMessage
from techboy.wire.sanitize import sanitize, sanitize_bytes, sanitize_line

REFRESH = 1.0
"""Seconds between two looks at the status."""

BELL = "bell"
"""The command that is obeyed here, and passed on to nobody."""


PASTED_LIMIT = 1024 * 1024
"""Characters that may wait for the answer whether to say what was pasted."""


class PromptScreen:
    """Keyboard and screen of a conversation, which is to be set as ``conversation`` before `open`.

    ``status`` tells at the end whether all could be said and shown. ``status_line`` returns how things are,
    in one line; ``seconds`` the time since 1970. ``names_many``: the other end said that there are more than
    two.
    """

    conversation: InputHandler

    def __init__(
        self,
        reader: InputParser,
        painter: Formatter,
        roster: Roster,
        bell: Bell,
        states: StatusOutput,
        max_line: int,
        status_line: Callable[[], str],
        seconds: Callable[[], float],
        history: History,
        completer: Completer,
        opened: Opened = opened,
    ) -> None:
        self.status, self.names_many = OK, False
        self._reader, self._painter, self._roster, self._bell = reader, painter, roster, bell
        self._states, self._max_line = states, max_line
        self._status_line, self._seconds = status_line, seconds
        self._session = TerminalSession(self, opened)
        self._pending = PendingLines()
        self._spoken = self._mentioned = False  # by others, since the screen was last printed to
        self._pasted: list[str] = []
        self._paused, self._alone, self._gone, self._taken = False, True, False, False
        self._held: Callable[[], object] | None = None  # what was asked for while paused
        self._not_shown = 0  # notices that were dropped because the screen was full
        self._last_status = ""
        self._tick: IDelayedCall | None = None
        self._buffer = Buffer(
            completer=completer,
            history=history,
            multiline=False,
            accept_handler=self._entered,
            on_text_changed=lambda _: self._hold(None),
        )

    def open(self, reactor: Reactor, stdin: int | None, stdout: int | None) -> None:
        """Begin to read and show, as soon as the reactor runs."""
        assert stdin is not None
        assert stdout is not None
        self._reactor = reactor
        self._session.open(reactor, stdin, stdout, self._region)
        self._look_later()

    def close(self) -> Deferred[None]:
        """Show all that is to be shown, then let go of the terminal as it was; fires when that is done.

        Own lines that still wait are shown as such.
        """
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._show_unsaid()
        return self._session.close()

    def abandon(self) -> None:
        """Let go of the terminal although it has not taken all that was to be shown."""
        self._session.abandon()

    # what the conversation calls

    def show(self, author: str, text: str) -> None:
        """Show what ``author`` said, lines joined by LF."""
        self.show_message(Message(author, text))

    def show_signed(self, author: str, text: str) -> None:
        """Show lines of ``author`` that say themselves who spoke."""
        self._show_said(self._painter.signed(text, self._seconds()))

    def show_message(self, words: Message) -> None:
        """Show what somebody said."""
        self._roster.heard(words.author)
        painted = self._painter.words(words, self._seconds())
        if words.past:
            self._session.show(painted.text)
        else:
            self._show_said(painted)

    def show_names(self) -> None:
        """Be in a house of many; names are shown anyway."""
        self.names_many = True

    def refuse(self, text: str) -> None:
        """Show why a line was not taken, and end with a status that tells of it."""
        self.status = DATA_ERROR
        self.state(text)

    def state(self, text: str) -> bool:
        """Show one line about the conversation itself; return False if the screen is too full."""
        self._roster.noticed(text)
        self._know_name()
        if self._session.is_open and self._states.on_screen:
            taken = self._notice(self._painter.state(text, self._seconds()).text)
        else:
            self._states.write(f"{text}\n")
            taken = True
        self._session.refresh()
        return taken

    def log(self, text: str) -> bool:
        """Show lines of the program's log, each with its LF; return False where nothing can be shown."""
        if not self._session.is_open:
            return False
        self._notice(sanitize(text))
        return True

    def show_prompt(self) -> None:
        """Show that somebody is there to talk to."""
        self._alone = False
        self._session.refresh()

    def dismiss(self) -> None:
        """Show that nobody is there to talk to."""
        self._alone = True
        self._session.refresh()

    def show_sent(self, text: str, kind: str) -> None:
        """``text``, lines of one ``kind`` joined by LF, was said here: it is marked until it is stored."""
        self._taken = True
        self._pending.said(sanitize(text), kind)
        self._session.refresh()

    def unstored(self, lines: int) -> None:
        """Print what is stored now as own words."""
        for kind, stored in groupby(self._pending.unstored(lines), attrgetter("kind")):
            text = "\n".join(line.text for line in stored)
            self._session.show(self._painter.own(text, self._seconds(), kind).text)
        self._session.refresh()

    def unsaid(self) -> None:
        """What waits to be stored will not be: print it as it is."""
        self._show_unsaid()
        self._session.refresh()

    def set_nick(self, name: str) -> None:
        """Prompt with that name."""
        self._roster.called(name)
        self._know_name()

    def pause(self) -> None:
        """Take nothing that is said here; it can be typed, and waits in the prompt."""
        self._paused = True

    def resume(self) -> None:
        """Take what is said again, and first what was entered meanwhile."""
        self._paused = False
        held = self._held
        if held is not None:
            self._hold(None)
            held()

    # what the stage calls

    def rings(self) -> bool:
        """Whether the bell rings for what was heard since the last time."""
        mentioned, spoken = self._mentioned, self._spoken
        self._mentioned = self._spoken = False
        return self._bell.rings(mentioned, spoken)

    def lost(self) -> None:
        """Nobody sees the screen, or types, any more."""
        if not self._gone:
            self._gone = True
            self.status = IO_ERROR
            self.conversation.output_lost()
            self.conversation.input_ended()

    def broke(self) -> None:
        """There is no prompt any more: end in good order."""
        self.status = IO_ERROR
        self.conversation.leave()

    # what the region shows

    def rows(self) -> list[str]:
        """Lines that wait to be stored."""
        return self._pending.rows()

    def prompt(self) -> str:
        """What stands before what is typed."""
        return f"{sanitize_line(self._roster.own_name)}: "

    def is_alone(self) -> bool:
        """Whether nobody is there to talk to."""
        return self._alone

    def question(self) -> str:
        """Whether what was pasted is to be said."""
        return f"send these {len(self._pasted)} lines? y/n" if self._pasted else ""

    def status_line(self) -> str:
        """How things are."""
        self._last_status = self._status_line()
        return sanitize_line(self._last_status)

    # what the keys do

    def is_asked(self) -> bool:
        """Whether it is asked what to do with what was pasted."""
        return bool(self._pasted)

    def pasted(self, text: str) -> None:
        """A line is inserted; many are asked about, to be said as they stand."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
        if len(lines) == 1 and not self._pasted:
            self._buffer.insert_text(lines[0])
        elif any(map(self._is_too_long, lines)):
            self._refuse(self._reader.overlong())
        elif sum(map(len, self._pasted)) + len(text) > PASTED_LIMIT:
            self.state(f"* not sent: more than {PASTED_LIMIT} characters")
        else:
            self._pasted += lines
            self._hold(None)  # a yes that waits was the answer to fewer lines

    def agreed(self) -> None:
        """Say what was pasted."""
        if self._paused:
            self._hold(self.agreed)
            return
        lines, self._pasted = self._pasted, []
        self.conversation.said(sanitize_bytes(_bytes("\n".join(lines))))

    def declined(self) -> None:
        """Forget what was pasted."""
        self._pasted = []
        self._hold(None)

    def leaves(self) -> None:
        """Say goodbye, whatever was typed."""
        self.conversation.leave()

    def suspends(self) -> None:
        """Give the terminal back for a while."""
        self._session.suspend()

    def redraws(self) -> None:
        """Draw the screen anew."""
        self._session.redraw()

    def _entered(self, buffer: Buffer) -> bool:
        """Take the line that was typed, or leave it where it is."""
        if self._paused:
            self._hold(lambda: self._entered(buffer))
        elif self._is_too_long(buffer.text):
            self._refuse(self._reader.overlong())
        elif self._took(buffer.text):
            buffer.reset(append_to_history=True)
        return True  # or prompt_toolkit would clear it

    def _took(self, text: str) -> bool:
        self._taken = True
        for event in self._reader.lines(_bytes(text)):
            match event:
                case PlainMessage(said, kind):
                    self._taken = False
                    self.conversation.said(said, kind)
                case Command(line):
                    self._echo(text)
                    self._obey(line, event.word)
                case Goodbye():
                    self._echo(text)
                    self.conversation.leave()
                case Enter():
                    self.conversation.enter()
                case Refused():
                    self._refuse(event)
        return self._taken

    def _obey(self, line: str, word: str) -> None:
        if word.lower() == BELL:
            self.state(self._bell.set(first_word(line)[1]))
        else:
            self.conversation.commanded(line, word)

    def _refuse(self, refused: Refused) -> None:
        if refused.counts:
            self.status = DATA_ERROR
        self.state(f"* {refused.why}")

    def _is_too_long(self, line: str) -> bool:
        return len(_bytes(line)) > self._max_line

    def _hold(self, call: Callable[[], object] | None) -> None:
        self._held = call

    def _echo(self, line: str) -> None:
        self._session.show(_dim(sanitize_line(line)))

    def _show_unsaid(self) -> None:
        for line in self._pending.unstored(0):
            self._session.show(_dim(str(line)))

    def _show_said(self, painted: StyledText) -> None:
        self._spoken = True
        self._mentioned = self._mentioned or painted.mentions
        self._session.show(painted.text)

    def _know_name(self) -> None:
        if self._painter.name != self._roster.own_name:
            self._painter.name = self._roster.own_name
            self._session.refresh()

    def _look_later(self) -> None:
        self._tick = self._reactor.callLater(REFRESH, self._look_at_status)

    def _notice(self, lines: str) -> bool:
        taken = self._session.notice(lines)
        if not taken:
            self._not_shown += lines.count("\n")
        return taken

    def _look_at_status(self) -> None:
        self._look_later()
        if self._not_shown:
            dropped, self._not_shown = self._not_shown, 0
            if not self.state(not_shown(dropped)):
                self._not_shown = dropped
        if self._status_line() != self._last_status:
            self._session.refresh()

    def _region(
        self, may_draw: Callable[[], bool], resized: Callable[[], None], keyboard: Input, screen: Output
    ) -> PromptApp:
        return PromptApp(self, self._buffer, keys(self), may_draw, resized, keyboard, screen)


def _bytes(typed: str) -> bytes:
    try:
        return typed.encode("utf-8", "surrogateescape")  # as prompt_toolkit reads bytes that are no UTF-8
    except UnicodeEncodeError:  # a Windows console may give a character beyond U+FFFF by halves
        return typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _dim(line: str) -> str:
    return f"\x1b[2m{line}\x1b[0m\n"
