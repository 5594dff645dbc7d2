"""A user interface with a full-screen prompt, which incoming messages do not disturb.

It replaces the stdio bridge on terminals that support it.
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
from techboy.chat.messages import Message
from techboy.exit_status import DATA_ERROR, IO_ERROR, OK
from techboy.terminal.bell import Bell
from techboy.terminal.formatting import Formatter, StyledText
from techboy.terminal.input_parser import Enter, InputParser, RejectedLine
from techboy.terminal.prompt.app import PromptApp
from techboy.terminal.prompt.key_bindings import key_bindings
from techboy.terminal.prompt.pending import PendingLines
from techboy.terminal.prompt.scrollback import dropped_notices
from techboy.terminal.prompt.session import Reactor, TerminalSession
from techboy.terminal.prompt.tty import OpenTerminal, open_terminal
from techboy.terminal.roster import Roster
from techboy.terminal.stdio_bridge import InputHandler, StatusOutput
from techboy.wire.plain import Command, Goodbye, PlainMessage
from techboy.wire.sanitize import sanitize, sanitize_bytes, sanitize_line

STATUS_INTERVAL = 1.0
"""Seconds between two checks of the status."""

BELL = "bell"
"""The command that is executed here and not sent to the server."""


PASTED_LIMIT = 1024 * 1024
"""Characters of pasted text that may wait for the answer whether to send them."""


class PromptScreen:
    """The user interface of ``conversation``, which must be set before `open`.

    ``status``: the exit status, an error if a line could not be sent or shown. ``status_line`` returns the
    text of the status bar, ``seconds`` the time since 1970. ``is_multi_user``: the server said that there may
    be more than two members.
    """

    conversation: InputHandler

    def __init__(
        self,
        parser: InputParser,
        formatter: Formatter,
        roster: Roster,
        bell: Bell,
        status_output: StatusOutput,
        max_line: int,
        status_line: Callable[[], str],
        seconds: Callable[[], float],
        history: History,
        completer: Completer,
        open_terminal: OpenTerminal = open_terminal,
    ) -> None:
        self.status, self.is_multi_user = OK, False
        self._parser, self._formatter, self._roster, self._bell = parser, formatter, roster, bell
        self._status_output, self._max_line = status_output, max_line
        self._status_line, self._seconds = status_line, seconds
        self._session = TerminalSession(self, open_terminal)
        self._pending = PendingLines()
        self._was_received = self._was_mentioned = False  # from others, since the last print
        self._pasted: list[str] = []
        self._paused, self._is_disconnected, self._is_lost, self._accepted = False, True, False, False
        self._deferred: Callable[[], object] | None = None  # what was entered while paused
        self._dropped = 0  # notices, because the screen was full
        self._last_status = ""
        self._status_check: IDelayedCall | None = None
        self._buffer = Buffer(
            completer=completer,
            history=history,
            multiline=False,
            accept_handler=self._on_enter,
            on_text_changed=lambda _: self._defer(None),
        )

    def open(self, reactor: Reactor, stdin: int | None, stdout: int | None) -> None:
        """Start reading and showing as soon as the reactor runs."""
        assert stdin is not None
        assert stdout is not None
        self._reactor = reactor
        self._session.open(reactor, stdin, stdout, self._make_app)
        self._schedule_status_check()

    def close(self) -> Deferred[None]:
        """Show the remaining output, then restore the terminal; fires when that is done.

        Pending lines are shown as such.
        """
        if self._status_check is not None:
            self._status_check.cancel()
            self._status_check = None
        self._show_pending()
        return self._session.close()

    def abandon(self) -> None:
        """Restore the terminal at once, and discard the remaining output."""
        self._session.abandon()

    # UserInterface

    def show_lines(self, author: str, text: str) -> None:
        """Show lines of ``author``, joined by LF."""
        self.show_message(Message(author, text))

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Show lines from ``author`` that begin with their author's name themselves."""
        self._show_received(self._formatter.format_prefixed(text, self._seconds()))

    def show_message(self, message: Message) -> None:
        """Show a message."""
        self._roster.message_received(message.author)
        styled = self._formatter.format_message(message, self._seconds())
        if message.past:
            self._session.show(styled.text)
        else:
            self._show_received(styled)

    def enable_author_names(self) -> None:
        """Offer the commands of a room; authors are shown in any case."""
        self.is_multi_user = True

    def show_rejection(self, text: str) -> None:
        """Show why the server rejected a line, and set an error status."""
        self.status = DATA_ERROR
        self.show_status(text)

    def show_status(self, text: str) -> bool:
        """Show one status line; return False if it was dropped because the screen is full."""
        self._roster.notice_received(text)
        self._update_name()
        if self._session.is_open and self._status_output.on_screen:
            shown = self._notice(self._formatter.format_status(text, self._seconds()).text)
        else:
            self._status_output.write(f"{text}\n")
            shown = True
        self._session.refresh()
        return shown

    def log(self, text: str) -> bool:
        """Show lines of the program's log, each with its LF; return False if nothing can be shown."""
        if not self._session.is_open:
            return False
        self._notice(sanitize(text))
        return True

    def show_prompt(self) -> None:
        """Show that the peer is connected."""
        self._is_disconnected = False
        self._session.refresh()

    def hide_prompt(self) -> None:
        """Show that the peer is not connected."""
        self._is_disconnected = True
        self._session.refresh()

    def show_sent(self, text: str, kind: str) -> None:
        """Show ``text``, lines of one ``kind`` joined by LF, as pending."""
        self._accepted = True
        self._pending.add(sanitize(text), kind)
        self._session.refresh()

    def set_pending_lines(self, lines: int) -> None:
        """Print the acknowledged lines: all but the last ``lines``."""
        for kind, stored in groupby(self._pending.take_stored(lines), attrgetter("kind")):
            text = "\n".join(line.text for line in stored)
            self._session.show(self._formatter.format_own(text, self._seconds(), kind).text)
        self._session.refresh()

    def abandon_pending_lines(self) -> None:
        """Print the pending lines, which will not be stored, as pending."""
        self._show_pending()
        self._session.refresh()

    def set_nick(self, name: str) -> None:
        """Use ``name`` in the prompt."""
        self._roster.set_own_name(name)
        self._update_name()

    def pause(self) -> None:
        """Accept no input; it can be edited, and entering it takes effect after `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Accept input again, and first what was entered meanwhile."""
        self._paused = False
        held = self._deferred
        if held is not None:
            self._defer(None)
            held()

    # SessionOwner

    def should_ring(self) -> bool:
        """Return whether the bell rings for the messages since the last call."""
        mentioned, received = self._was_mentioned, self._was_received
        self._was_mentioned = self._was_received = False
        return self._bell.should_ring(mentioned, received)

    def terminal_lost(self) -> None:
        """Handle the loss of the terminal: neither output nor input is possible any more."""
        if not self._is_lost:
            self._is_lost = True
            self.status = IO_ERROR
            self.conversation.output_lost()
            self.conversation.input_ended()

    def prompt_failed(self) -> None:
        """Leave the conversation, because there is no prompt any more."""
        self.status = IO_ERROR
        self.conversation.leave()

    # PromptContent

    def pending_rows(self) -> list[str]:
        """Return the rows of the pending lines."""
        return self._pending.rows()

    def prompt(self) -> str:
        """Return the text before the input."""
        return f"{sanitize_line(self._roster.own_name)}: "

    def is_disconnected(self) -> bool:
        """Return whether the peer is not connected."""
        return self._is_disconnected

    def question(self) -> str:
        """Return the question whether to send the pasted lines."""
        return f"send these {len(self._pasted)} lines? y/n" if self._pasted else ""

    def status_line(self) -> str:
        """Return the text of the status bar."""
        self._last_status = self._status_line()
        return sanitize_line(self._last_status)

    # KeyHandlers

    def has_question(self) -> bool:
        """Return whether pasted lines wait for an answer."""
        return bool(self._pasted)

    def on_paste(self, text: str) -> None:
        """Insert a single line; ask whether to send several."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
        if len(lines) == 1 and not self._pasted:
            self._buffer.insert_text(lines[0])
        elif any(map(self._is_too_long, lines)):
            self._reject(self._parser.overlong_line())
        elif sum(map(len, self._pasted)) + len(text) > PASTED_LIMIT:
            self.show_status(f"* not sent: more than {PASTED_LIMIT} characters")
        else:
            self._pasted += lines
            self._defer(None)  # a deferred yes was the answer to fewer lines

    def on_yes(self) -> None:
        """Send the pasted lines."""
        if self._paused:
            self._defer(self.on_yes)
            return
        lines, self._pasted = self._pasted, []
        self.conversation.said(sanitize_bytes(_bytes("\n".join(lines))))

    def on_no(self) -> None:
        """Discard the pasted lines."""
        self._pasted = []
        self._defer(None)

    def on_quit(self) -> None:
        """Leave the conversation, and discard the input."""
        self.conversation.leave()

    def on_suspend(self) -> None:
        """Suspend the program."""
        self._session.suspend()

    def on_redraw(self) -> None:
        """Redraw the screen."""
        self._session.redraw()

    def _on_enter(self, buffer: Buffer) -> bool:
        """Accept the entered line, or leave it in the input."""
        if self._paused:
            self._defer(lambda: self._on_enter(buffer))
        elif self._is_too_long(buffer.text):
            self._reject(self._parser.overlong_line())
        elif self._accept(buffer.text):
            buffer.reset(append_to_history=True)
        return True  # otherwise prompt_toolkit would clear the input

    def _accept(self, text: str) -> bool:
        self._accepted = True
        for event in self._parser.parse(_bytes(text)):
            match event:
                case PlainMessage(said, kind):
                    self._accepted = False
                    self.conversation.said(said, kind)
                case Command(line):
                    self._echo(text)
                    self._run_command(line, event.word)
                case Goodbye():
                    self._echo(text)
                    self.conversation.leave()
                case Enter():
                    self.conversation.enter()
                case RejectedLine():
                    self._reject(event)
        return self._accepted

    def _run_command(self, line: str, word: str) -> None:
        if word.lower() == BELL:
            self.show_status(self._bell.set(first_word(line)[1]))
        else:
            self.conversation.commanded(line, word)

    def _reject(self, rejected: RejectedLine) -> None:
        if rejected.is_error:
            self.status = DATA_ERROR
        self.show_status(f"* {rejected.reason}")

    def _is_too_long(self, line: str) -> bool:
        return len(_bytes(line)) > self._max_line

    def _defer(self, call: Callable[[], object] | None) -> None:
        self._deferred = call

    def _echo(self, line: str) -> None:
        self._session.show(_dim(sanitize_line(line)))

    def _show_pending(self) -> None:
        for line in self._pending.take_stored(0):
            self._session.show(_dim(str(line)))

    def _show_received(self, styled: StyledText) -> None:
        self._was_received = True
        self._was_mentioned = self._was_mentioned or styled.mentions
        self._session.show(styled.text)

    def _update_name(self) -> None:
        if self._formatter.name != self._roster.own_name:
            self._formatter.name = self._roster.own_name
            self._session.refresh()

    def _schedule_status_check(self) -> None:
        self._status_check = self._reactor.callLater(STATUS_INTERVAL, self._check_status)

    def _notice(self, lines: str) -> bool:
        shown = self._session.notice(lines)
        if not shown:
            self._dropped += lines.count("\n")
        return shown

    def _check_status(self) -> None:
        self._schedule_status_check()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            if not self.show_status(dropped_notices(dropped)):
                self._dropped = dropped
        if self._status_line() != self._last_status:
            self._session.refresh()

    def _make_app(
        self, may_draw: Callable[[], bool], resized: Callable[[], None], keyboard: Input, screen: Output
    ) -> PromptApp:
        return PromptApp(self, self._buffer, key_bindings(self), may_draw, resized, keyboard, screen)


def _bytes(typed: str) -> bytes:
    try:
        return typed.encode("utf-8", "surrogateescape")  # prompt_toolkit decodes invalid UTF-8 so
    except UnicodeEncodeError:  # a Windows console may deliver a character beyond U+FFFF as two surrogates
        return typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _dim(line: str) -> str:
    return f"\x1b[2m{line}\x1b[0m\n"
