"""The Windows console as a terminal of the prompt.

A console interprets escape sequences only in a certain mode, which is set until the prompt is closed. If a
console refuses that mode, or shows the sequences as text, as Wine's does, it is drawn on synchronously with
the calls of its API, and text is printed without colours.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, cast

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output import Output as AnyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from techboy.background_writer import WriteError
from techboy.terminal.handles import console_mode, set_console_mode
from techboy.terminal.prompt.output_writer import WriterState
from techboy.terminal.prompt.scrollback import without_colours
from techboy.terminal.prompt.terminal_stream import TerminalStream
from techboy.terminal.prompt.tty import Callback, TerminalIO, size_of
from techboy.terminal.streams import open_raw, write_all
from techboy.terminal.threaded import ThreadedOutput, pieces

ANSI_MODE = 0x1 | 0x2 | 0x4 | 0x8
"""The mode in which a console interprets escape sequences, and wraps a line only when a character follows
the last column: ENABLE_PROCESSED_OUTPUT, ENABLE_WRAP_AT_EOL_OUTPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING and
DISABLE_NEWLINE_AUTO_RETURN of SetConsoleMode.
"""

_NO_CHANGE = b"\x1b[m"  # a sequence without a visible effect


class DirectScreen(TerminalStream):
    """Writes to the console ``descriptor`` synchronously, and removes colours from what `put` prints.

    ``written`` is called after each `put`, ``lost`` once if the console is gone.
    """

    is_blocked = False
    unwritten = 0

    def __init__(self, descriptor: int, written: Callback, lost: Callback) -> None:
        super().__init__(descriptor)
        self._written, self._lost = written, lost
        self._stream = open_raw(descriptor, "wb")
        self._is_closed = False

    def put(self, data: bytes) -> None:
        """Write ``data`` without colours."""
        self.write_bytes(without_colours(data))
        asyncio.get_running_loop().call_soon(self._written)

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` unchanged."""
        if self._is_closed:
            return
        try:
            for piece in pieces(data):
                write_all(self._stream, piece)
        except WriteError:
            self._is_closed = True
            asyncio.get_running_loop().call_soon(self._lost)

    def close(self) -> None:
        """Ignore later writes."""
        self._is_closed = True


class ThreadedScreen(TerminalStream):
    """Writes to the console ``descriptor`` in a thread, which may block.

    A console blocks writes while text is selected in its window. The output of one turn of the asyncio loop
    is written at once; the output of later turns is gathered until that is done. ``written`` is called when
    no output is pending, ``lost`` once if the console is gone.
    """

    def __init__(self, descriptor: int, written: Callback, lost: Callback) -> None:
        super().__init__(descriptor)
        self._written, self._lost = written, lost
        self._loop = asyncio.get_running_loop()
        self._output = ThreadedOutput(descriptor, LoopReactor(self._loop), self._all_written, self._failed)
        self._data, self._in_flight = bytearray(), 0
        self._state = WriterState.FREE
        self._turn: asyncio.Handle | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether output of an earlier turn is still being written."""
        return self._state is WriterState.BLOCKED

    @property
    def unwritten(self) -> int:
        """The number of pending bytes."""
        return len(self._data) + self._in_flight

    def put(self, data: bytes) -> None:
        """Write ``data`` in the background."""
        self.write_bytes(data)

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` in the background."""
        if self._state is WriterState.CLOSED:
            return
        if not self._data and self._state is WriterState.FREE:
            self._turn = self._loop.call_soon(self._start_write)
        self._data += data

    def close(self) -> None:
        """Discard the pending output, except the piece that is being written."""
        self._stop()
        self._output.abandon()

    def _start_write(self) -> None:
        data = bytes(self._data)
        self._data.clear()
        self._state, self._in_flight = WriterState.BLOCKED, len(data)
        self._output.write(data)

    def _all_written(self) -> None:
        if self._state is WriterState.CLOSED:
            return
        self._state, self._in_flight = WriterState.FREE, 0
        if self._data:
            self._start_write()
        else:
            self._written()

    def _failed(self) -> None:
        if self._state is not WriterState.CLOSED:
            self._stop()
            self._lost()

    def _stop(self) -> None:
        self._state, self._in_flight = WriterState.CLOSED, 0
        self._data.clear()
        if self._turn is not None:
            self._turn.cancel()


class LoopReactor:
    """The reactor's methods that threads need, on an asyncio ``loop``; they do nothing once it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def callFromThread(self, call: Callable[[], object]) -> None:
        """Call ``call`` in the loop's thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def callLater(self, seconds: float, call: Callable[[], object]) -> None:
        """Call ``call`` after so many ``seconds``."""
        self._loop.call_later(seconds, call)


def open_console(stdin: int, stdout: int, written: Callback, lost: Callback) -> TerminalIO:
    """Open a console; closing it restores its mode."""
    with ExitStack() as files:
        keyboard = files.enter_context(open(stdin, encoding="utf-8", closefd=False))
        files.callback(set_console_mode, stdout, console_mode(stdout))
        direct = DirectScreen(stdout, written, lost)
        files.callback(direct.close)
        output = _open_api_output(direct)
        if output is not None:
            return TerminalIO(_open_input(keyboard), output, direct, files.pop_all().close)
        screen = ThreadedScreen(stdout, written, lost)
        files.callback(screen.close)
        return TerminalIO(_open_input(keyboard), _ansi_output(screen), screen, files.pop_all().close)


def _size_without_margin(descriptor: int) -> Size:
    """Return the size to draw on: some consoles wrap a line as soon as the last column is filled."""
    size = size_of(descriptor)
    return Size(rows=size.rows, columns=max(1, size.columns - 1))


class _AnsiOutput(Vt100_Output):
    """A console that interprets escape sequences; it marks no pasted text."""

    def enable_bracketed_paste(self) -> None:
        """Do nothing: the console does not support it."""

    def disable_bracketed_paste(self) -> None:
        """Do nothing: the console does not support it."""


def _ansi_output(screen: ThreadedScreen) -> AnyOutput:
    return _AnsiOutput(
        cast(Any, screen),
        lambda: _size_without_margin(screen.fileno()),
        term="xterm",
        default_color_depth=ColorDepth.from_env(),
        enable_cpr=False,
    )


if sys.platform == "win32":
    from prompt_toolkit.input.win32 import ConsoleInputReader, Win32Input
    from prompt_toolkit.key_binding import KeyPress
    from prompt_toolkit.keys import Keys
    from prompt_toolkit.output.win32 import Win32Output

    class ApiOutput(Win32Output):
        """A console that is drawn on with the calls of its API."""

        def __init__(self, screen: DirectScreen) -> None:
            super().__init__(cast(Any, screen), default_color_depth=ColorDepth.from_env())
            self._screen = screen

        def flush(self) -> None:
            """Write all at once: writing single characters would split those beyond U+FFFF."""
            data, self._buffer = "".join(self._buffer), []
            if data:
                self._screen.write(data)

        def get_rows_below_cursor_position(self) -> int:
            """Raise NotImplementedError, otherwise the application would use all rows."""
            raise NotImplementedError

        def supports_ansi(self) -> bool:
            """Return whether escape sequences leave the cursor in place; erase one that is shown as text."""
            before = self.get_win32_screen_buffer_info().dwCursorPosition
            self._screen.write_bytes(_NO_CHANGE)
            after = self.get_win32_screen_buffer_info().dwCursorPosition
            if (before.X, before.Y) == (after.X, after.Y):
                return True
            for text in (" " * len(_NO_CHANGE), ""):
                self.cursor_goto(before.Y, before.X)
                self._screen.write(text)
            return False

    class Keyboard(ConsoleInputReader):
        """Reads key events instead of escape sequences, which not every console sends."""

        @staticmethod
        def _is_paste(keys: list[KeyPress]) -> bool:
            """Return whether text follows a line end; a single line may have been typed ahead."""
            ends = [place for place, key in enumerate(keys) if key.key == Keys.ControlM]
            return bool(ends) and any(not isinstance(key.key, Keys) for key in keys[ends[0] :])

    def _open_input(keyboard: Any) -> Input:
        keys = Win32Input(keyboard)
        keys.console_input_reader.close()
        keys.console_input_reader, keys._use_virtual_terminal_input = Keyboard(), False
        return keys

    def _open_api_output(screen: DirectScreen) -> AnyOutput | None:
        output = ApiOutput(screen)
        if set_console_mode(screen.fileno(), ANSI_MODE) and output.supports_ansi():
            return None
        set_console_mode(screen.fileno(), ANSI_MODE & 0x3)
        return output

else:

    def _open_input(keyboard: Any) -> Input:
        return create_input(keyboard)

    def _open_api_output(screen: DirectScreen) -> AnyOutput | None:
        return None
