"""The stdio bridge: standard input and output as one end of a conversation.

It is half-close aware: the end of input ends what is said, and not what is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorFDSet
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.conversation import Message
from techboy.exit_status import DATA_ERROR, IO_ERROR, OK
from techboy.net import graceful_close
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.flow_control import DrainProducer
from techboy.terminal.formats import Output, Shown
from techboy.terminal.input_parser import Enter, InputParser, Refused
from techboy.terminal.plain_prompt import PlainPrompt
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT, UNWRITTEN_LIMIT, not_shown
from techboy.terminal.stdio import LetGo, Opens, opened
from techboy.wire.lines import LF
from techboy.wire.plain import Command, Goodbye, PlainMessage
from techboy.wire.sanitize import encode_safe


class StatusOutput(Protocol):
    """Where lines about the conversation itself go: ``on_screen``, among what is said, or to `write`."""

    on_screen: bool

    def write(self, text: str) -> object: ...


class InputHandler(Protocol):
    """The conversation, as the bridge sees it."""

    def said(self, text: str, kind: str = ...) -> None: ...
    def commanded(self, line: str, word: str) -> None: ...
    def enter(self) -> None: ...
    def leave(self) -> None: ...
    def input_ended(self) -> None: ...
    def output_full(self) -> None: ...
    def output_ready(self) -> None: ...
    def output_written(self) -> None: ...
    def output_lost(self) -> None: ...


class OutputState(Enum):
    """What can be shown."""

    CLOSED = auto()  # not open yet, or not any more
    OPEN = auto()
    LOST = auto()  # nobody reads standard output any more, or its disk is full


@implementer(IHalfCloseableProtocol)
class StdioBridge(BatchReceiver):
    """Keyboard and screen of a conversation, which is to be set as ``conversation`` before `open`.

    ``status`` tells at the end whether all could be said and shown. ``above``: returns what is to be written
    instead of whole lines where something stands on the terminal's last one.
    """

    conversation: InputHandler

    def __init__(
        self,
        reader: InputParser,
        output: Shown,
        states: StatusOutput,
        max_line: int,
        prompt: PlainPrompt | None = None,
        opened: Opens = opened,
    ) -> None:
        self.MAX_LENGTH = max_line
        self.status = OK
        self._reader, self._shown, self._states, self._prompt = reader, output, states, prompt
        self._output: Output = output.of_two
        self._unwritten, self._full, self._unseen = 0, False, False
        self._not_shown = 0  # notices that were dropped because the screen was full
        self._screen = OutputState.CLOSED
        self.above: Callable[[bytes], bytes] = bytes if prompt is None else prompt.around
        self._closed: Deferred[None] = Deferred()
        self._opened = opened
        self._close_streams: LetGo = _nothing_to_do

    def open(self, reactor: IReactorFDSet, stdin: int | None, stdout: int | None) -> None:
        """Begin to read and show; each descriptor is None where there is none."""
        self._unseen = stdout is None
        self._close_streams = self._opened(self, stdin, stdout, reactor)

    def close(self) -> Deferred[None]:
        """Write all that is to be shown, then let go of both streams; fires when that is done."""
        if self._screen is not OutputState.CLOSED:
            graceful_close.close(self.transport)
        if self._screen is not OutputState.OPEN:
            self._let_go()  # StandardIO says that it has closed only after writing what is left
        return self._closed

    def abandon(self) -> None:
        """Let go of both streams, whatever was not written."""
        opened, self._screen = self._screen is not OutputState.CLOSED, OutputState.CLOSED
        if opened:  # or Twisted would write on to a stream that is waited for again
            self.transport.connectionLost(Failure(ConnectionAborted()))
        self._let_go()

    # what Twisted calls

    def connectionMade(self) -> None:
        """Both streams are open."""
        self._screen = OutputState.OPEN
        self.transport.registerProducer(DrainProducer(self._all_written), False)

    def linesReceived(self, block: bytes) -> None:
        """Lines were typed or read."""
        if self._prompt is not None:
            self._write(self._prompt.typed())
        self._read(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long: it is left out."""
        self._refuse(self._reader.overlong())
        self.setRawMode()
        self.dataReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """The rest of a line that is too long was read."""
        end = data.find(LF)
        if end >= 0:
            self.setLineMode(data[end + 1 :])

    def readConnectionLost(self) -> None:
        """The input is at its end; a last line without an end is a line."""
        rest = self.clearLineBuffer()
        if rest:
            self._read(rest)
        self.conversation.input_ended()

    def writeConnectionLost(self) -> None:
        """Nobody sees the screen any more."""
        self._screen = OutputState.LOST
        self.status = IO_ERROR
        self.conversation.output_lost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Both streams are let go of, after all was written."""
        if self._screen is OutputState.OPEN and self._unwritten:
            self._unwritten = 0
            self.conversation.output_written()
        self._let_go()

    # what the conversation calls

    def show(self, author: str, text: str) -> None:
        """Show what ``author`` said, lines joined by LF."""
        self.show_message(Message(author, text))

    def show_signed(self, author: str, text: str) -> None:
        """Show lines of ``author`` that say themselves who spoke."""
        self._show_message(self._shown.signed(Message(author, text)))

    def show_message(self, words: Message) -> None:
        """Show what somebody said."""
        self._show_message(self._output(words))

    def show_names(self) -> None:
        """Show from now on who speaks, unless asked for something else."""
        self._output = self._shown.of_many

    def refuse(self, text: str) -> None:
        """Show why a line was not taken, and end with a status that tells of it."""
        self.status = DATA_ERROR
        self.state(text)

    def state(self, text: str) -> bool:
        """Show one line about the conversation itself; return False if the screen is too full."""
        if self._screen is not OutputState.OPEN or not self._states.on_screen or self._unseen:
            self._states.write(f"{text}\n")
            return True
        data = self.above(encode_safe(f"{text}\n"))
        if self._unwritten and self._unwritten + len(data) > NOTICE_LIMIT:
            self._not_shown += 1
            return False
        self._write(data)
        return True

    def show_prompt(self) -> None:
        """Show that somebody is there to talk to."""
        if self._prompt is not None:
            self._write(self._prompt.show_prompt())

    def dismiss(self) -> None:
        """Nobody is there to talk to."""
        if self._prompt is not None:
            self._write(self._prompt.dismiss())

    def show_sent(self, text: str, kind: str) -> None:
        """Whoever typed it sees it already."""

    def unstored(self, lines: int) -> None:
        """What was typed stays as it is, stored or not."""

    def unsaid(self) -> None:
        """What was typed stays as it is."""

    def set_nick(self, name: str) -> None:
        """Invite by that name."""
        if self._prompt is not None:
            self._prompt.name = name

    @property
    def ready(self) -> bool:
        """Whether the screen has shown all that it was given."""
        return self._screen is OutputState.OPEN and not self._unwritten

    def draw(self, data: bytes) -> None:
        """Write ``data`` to the screen as it stands."""
        self._write(data)

    def pause(self) -> None:
        """Stop reading what is said here."""
        if self._screen is not OutputState.CLOSED:
            self.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._screen is not OutputState.CLOSED:
            self.resumeProducing()

    def _read(self, block: bytes) -> None:
        for event in self._reader.lines(block):
            match event:
                case PlainMessage(text, kind):
                    self.conversation.said(text, kind)
                case Command(line):
                    self.conversation.commanded(line, event.word)
                case Goodbye():
                    self.conversation.leave()
                case Enter():
                    self.conversation.enter()
                case Refused():
                    self._refuse(event)

    def _refuse(self, refused: Refused) -> None:
        if refused.counts:
            self.status = DATA_ERROR
        self.state(f"* {refused.why}")

    def _show_message(self, lines: str) -> None:
        if self._unseen and self.status != IO_ERROR:
            self.status = IO_ERROR
            self.state("* messages cannot be shown: standard output is closed")
        self._show(lines)

    def _show(self, lines: str) -> None:
        self._write(self.above(encode_safe(lines)))

    def _write(self, data: bytes) -> None:
        if self._screen is not OutputState.OPEN:
            return
        self.transport.write(data)
        self._unwritten += len(data)
        if self._unwritten > UNWRITTEN_LIMIT and not self._full:
            self._full = True
            self.conversation.output_full()

    def _all_written(self) -> None:
        if not self._unwritten:
            return
        self._unwritten = 0
        if self._not_shown:
            dropped, self._not_shown = self._not_shown, 0
            self.state(not_shown(dropped))
        self.conversation.output_written()
        if self._full:
            self._full = False
            self.conversation.output_ready()

    def _let_go(self) -> None:
        self._screen = OutputState.CLOSED
        close, self._close_streams = self._close_streams, _nothing_to_do
        close()
        if not self._closed.called:
            self._closed.callback(None)


def _nothing_to_do() -> None:
    """Neither stream is open."""
