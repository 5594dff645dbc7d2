"""The stdio bridge: standard input and output as a user interface.

It supports half-close: after the end of input, messages are still shown.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.messages import Message
from techboy.exit_status import DATA_ERROR, IO_ERROR, OK
from techboy.net import graceful_close
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.flow_control import DrainProducer
from techboy.net.reactor import IReactor
from techboy.terminal.formats import MessageFormat, OutputFormats
from techboy.terminal.input_parser import Enter, InputParser, RejectedLine
from techboy.terminal.plain_prompt import PlainPrompt
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT, UNWRITTEN_LIMIT, Capacity, dropped_notices
from techboy.terminal.stdio_transport import Connect, Disconnect, connect_stdio
from techboy.wire.lines import LF
from techboy.wire.plain import Command, Goodbye, PlainMessage
from techboy.wire.sanitize import encode_safe


class StatusOutput(Protocol):
    """The output of status lines: that of the messages if ``on_screen``, else `write`."""

    on_screen: bool

    def write(self, text: str) -> object: ...


class InputHandler(Protocol):
    """The conversation: receives the user's input, and the state of the output."""

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
    """Whether output can be written."""

    CLOSED = auto()  # not opened yet, or closed
    OPEN = auto()
    LOST = auto()  # standard output has no reader any more, or its disk is full


@implementer(IHalfCloseableProtocol)
class StdioBridge(BatchReceiver):
    """The user interface of ``conversation``, which must be set before `open`.

    ``status``: the exit status, an error if a line could not be sent or shown. ``above``: converts whole
    lines into the bytes that print them above the text on the terminal's last line, if there is any.
    """

    conversation: InputHandler

    def __init__(
        self,
        parser: InputParser,
        output: OutputFormats,
        status_output: StatusOutput,
        max_line: int,
        prompt: PlainPrompt | None = None,
        connect_stdio: Connect = connect_stdio,
    ) -> None:
        self.MAX_LENGTH = max_line
        self.status = OK
        self._parser, self._formats, self._status_output, self._prompt = parser, output, status_output, prompt
        self._format: MessageFormat = output.direct
        self._unwritten, self._capacity, self._has_no_output = 0, Capacity.FREE, False
        self._dropped_notices = 0  # because the output was full
        self._output_state = OutputState.CLOSED
        self.above: Callable[[bytes], bytes] = bytes if prompt is None else prompt.print_above
        self._closed: Deferred[None] = Deferred()
        self._connect_stdio = connect_stdio
        self._close_streams: Disconnect = _do_nothing

    def open(self, reactor: IReactor, stdin: int | None, stdout: int | None) -> None:
        """Open both streams; a descriptor is None if the stream is closed."""
        self._has_no_output = stdout is None
        self._close_streams = self._connect_stdio(self, stdin, stdout, reactor)

    def close(self) -> Deferred[None]:
        """Write the remaining output, then close both streams; fires when that is done."""
        if self._output_state is not OutputState.CLOSED:
            graceful_close.close(self.transport)
        if self._output_state is not OutputState.OPEN:
            self._disconnect()  # StandardIO reports that it has closed after writing the remaining output
        return self._closed

    def abandon(self) -> None:
        """Close both streams at once, and discard the remaining output."""
        was_open, self._output_state = self._output_state is not OutputState.CLOSED, OutputState.CLOSED
        if was_open:  # otherwise Twisted would continue to write to a stream that has become blocking again
            self.transport.connectionLost(Failure(ConnectionAborted()))
        self._disconnect()

    # called by Twisted

    def connectionMade(self) -> None:
        """Start writing: both streams are open."""
        self._output_state = OutputState.OPEN
        self.transport.registerProducer(DrainProducer(self._on_drained), False)

    def linesReceived(self, block: bytes) -> None:
        """Parse lines that were typed or read."""
        if self._prompt is not None:
            self._write(self._prompt.show_again())
        self._handle_input(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Reject and skip a line that is too long."""
        self._reject(self._parser.overlong_line())
        self.setRawMode()
        self.dataReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """Skip the rest of a line that is too long."""
        end = data.find(LF)
        if end >= 0:
            self.setLineMode(data[end + 1 :])

    def readConnectionLost(self) -> None:
        """Handle the end of the input; a last line without LF is a line."""
        rest = self.clearLineBuffer()
        if rest:
            self._handle_input(rest)
        self.conversation.input_ended()

    def writeConnectionLost(self) -> None:
        """Handle the loss of the output's reader."""
        self._output_state = OutputState.LOST
        self.status = IO_ERROR
        self.conversation.output_lost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Close both streams after all output was written."""
        if self._output_state is OutputState.OPEN and self._unwritten:
            self._unwritten = 0
            self.conversation.output_written()
        self._disconnect()

    # UserInterface

    def show_lines(self, author: str, text: str) -> None:
        """Show lines of ``author``, joined by LF."""
        self.show_message(Message(author, text))

    def show_prefixed_lines(self, author: str, text: str) -> None:
        """Show lines from ``author`` that begin with their author's name themselves."""
        self._show_message(self._formats.prefixed(Message(author, text)))

    def show_message(self, message: Message) -> None:
        """Show a message."""
        self._show_message(self._format(message))

    def enable_author_names(self) -> None:
        """Show the author of each message from now on, unless ``--output`` says otherwise."""
        self._format = self._formats.multi_user

    def show_rejection(self, text: str) -> None:
        """Show why the server rejected a line, and set an error status."""
        self.status = DATA_ERROR
        self.show_status(text)

    def show_status(self, text: str) -> bool:
        """Show one status line; return False if it was dropped because the output is full."""
        if (
            self._output_state is not OutputState.OPEN
            or not self._status_output.on_screen
            or self._has_no_output
        ):
            self._status_output.write(f"{text}\n")
            return True
        data = self.above(encode_safe(f"{text}\n"))
        if self._unwritten and self._unwritten + len(data) > NOTICE_LIMIT:
            self._dropped_notices += 1
            return False
        self._write(data)
        return True

    def show_prompt(self) -> None:
        """Show the prompt: the peer is connected."""
        if self._prompt is not None:
            self._write(self._prompt.show_prompt())

    def hide_prompt(self) -> None:
        """Hide the prompt: the peer is not connected."""
        if self._prompt is not None:
            self._write(self._prompt.hide_prompt())

    def show_sent(self, text: str, kind: str) -> None:
        """Do nothing: the terminal shows what is typed."""

    def set_pending_lines(self, lines: int) -> None:
        """Do nothing: pending lines are not marked."""

    def abandon_pending_lines(self) -> None:
        """Do nothing: pending lines are not marked."""

    def set_nick(self, name: str) -> None:
        """Use ``name`` in the prompt."""
        if self._prompt is not None:
            self._prompt.name = name

    @property
    def ready(self) -> bool:
        """Whether all output is written."""
        return self._output_state is OutputState.OPEN and not self._unwritten

    def draw(self, data: bytes) -> None:
        """Write ``data`` unchanged."""
        self._write(data)

    def pause(self) -> None:
        """Stop reading the input."""
        if self._output_state is not OutputState.CLOSED:
            self.pauseProducing()

    def resume(self) -> None:
        """Continue reading the input."""
        if self._output_state is not OutputState.CLOSED:
            self.resumeProducing()

    def _handle_input(self, block: bytes) -> None:
        for event in self._parser.parse(block):
            match event:
                case PlainMessage(text, kind):
                    self.conversation.said(text, kind)
                case Command(line):
                    self.conversation.commanded(line, event.word)
                case Goodbye():
                    self.conversation.leave()
                case Enter():
                    self.conversation.enter()
                case RejectedLine():
                    self._reject(event)

    def _reject(self, rejected: RejectedLine) -> None:
        if rejected.is_error:
            self.status = DATA_ERROR
        self.show_status(f"* {rejected.reason}")

    def _show_message(self, lines: str) -> None:
        if self._has_no_output and self.status != IO_ERROR:
            self.status = IO_ERROR
            self.show_status("* messages cannot be shown: standard output is closed")
        self._show(lines)

    def _show(self, lines: str) -> None:
        self._write(self.above(encode_safe(lines)))

    def _write(self, data: bytes) -> None:
        if self._output_state is not OutputState.OPEN:
            return
        self.transport.write(data)
        self._unwritten += len(data)
        if self._unwritten > UNWRITTEN_LIMIT and self._capacity is Capacity.FREE:
            self._capacity = Capacity.FULL
            self.conversation.output_full()

    def _on_drained(self) -> None:
        if not self._unwritten:
            return
        self._unwritten = 0
        if self._dropped_notices:
            dropped, self._dropped_notices = self._dropped_notices, 0
            self.show_status(dropped_notices(dropped))
        self.conversation.output_written()
        if self._capacity is Capacity.FULL:
            self._capacity = Capacity.FREE
            self.conversation.output_ready()

    def _disconnect(self) -> None:
        self._output_state = OutputState.CLOSED
        close, self._close_streams = self._close_streams, _do_nothing
        close()
        if not self._closed.called:
            self._closed.callback(None)


def _do_nothing() -> None:
    """Do nothing: neither stream is open."""
