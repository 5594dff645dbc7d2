"""A Windows console as the prompt uses it.

A console obeys escape sequences, as other terminals do, once it is told to, and for as long as it is told to:
that is until the prompt lets go of it. One that refuses, or that agrees and shows them as text all the same,
as Wine's does, is drawn on by the calls of its API, at once, and what is printed has no colours there.
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
from techboy.terminal.prompt.tty import TerminalIO, Told, size_of
from techboy.terminal.streams import open_raw, write_all
from techboy.terminal.threaded import ThreadedOutput, pieces

OBEYING = 0x1 | 0x2 | 0x4 | 0x8
"""The mode in which a console obeys sequences, and wraps a line only at the character after the last column:
ENABLE_PROCESSED_OUTPUT, ENABLE_WRAP_AT_EOL_OUTPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING and
DISABLE_NEWLINE_AUTO_RETURN of SetConsoleMode."""

_NO_CHANGE = b"\x1b[m"  # a sequence that shows nothing


class Stream:
    """A console as the text stream that `Vt100_Output` and `Win32Output` ask for."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_bytes(self, data: bytes) -> None:
        """Write ``data``."""
        raise NotImplementedError

    def write(self, text: str) -> int:
        """Write ``text``."""
        self.write_bytes(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Nothing can be hurried."""

    def fileno(self) -> int:
        """Return the descriptor of the console."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell that it is a terminal."""
        return True


class DirectScreen(Stream):
    """The console ``descriptor``, and the way of what is printed: nothing waits, and colours are left out.

    ``written`` is called after each `put`, ``lost`` once, when the console turns out to be gone.
    """

    stuck = False
    unwritten = 0

    def __init__(self, descriptor: int, written: Told, lost: Told) -> None:
        super().__init__(descriptor)
        self._written, self._lost = written, lost
        self._stream = open_raw(descriptor, "wb")
        self._gone = False

    def put(self, data: bytes) -> None:
        """Write ``data`` now."""
        self.write_bytes(without_colours(data))
        asyncio.get_running_loop().call_soon(self._written)

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` now, as it stands."""
        if self._gone:
            return
        try:
            for piece in pieces(data):
                write_all(self._stream, piece)
        except WriteError:
            self._gone = True
            asyncio.get_running_loop().call_soon(self._lost)

    def close(self) -> None:
        """Write nothing any more."""
        self._gone = True


class ThreadedScreen(Stream):
    """The console ``descriptor``, and the way of what is printed: a thread writes, which may have to wait.

    A console takes nothing as long as something is selected in its window. What is given in one turn of the
    asyncio loop is written together, and what is given meanwhile when that is done. ``written`` is called
    when nothing is left, ``lost`` once, when the console turns out to be gone.
    """

    def __init__(self, descriptor: int, written: Told, lost: Told) -> None:
        super().__init__(descriptor)
        self._written, self._lost = written, lost
        self._loop = asyncio.get_running_loop()
        self._output = ThreadedOutput(descriptor, Calls(self._loop), self._all_written, self._failed)
        self._data, self._under_way = bytearray(), 0
        self._way = WriterState.FREE
        self._turn: asyncio.Handle | None = None

    @property
    def stuck(self) -> bool:
        """Whether the console has not taken yet what was given to it in an earlier turn."""
        return self._way is WriterState.STUCK

    @property
    def unwritten(self) -> int:
        """How many bytes wait."""
        return len(self._data) + self._under_way

    def put(self, data: bytes) -> None:
        """Write ``data`` soon."""
        self.write_bytes(data)

    def write_bytes(self, data: bytes) -> None:
        """Write ``data`` soon."""
        if self._way is WriterState.GONE:
            return
        if not self._data and self._way is WriterState.FREE:
            self._turn = self._loop.call_soon(self._hand_over)
        self._data += data

    def close(self) -> None:
        """Write nothing any more, but for the piece that is being written."""
        self._leave()
        self._output.abandon()

    def _hand_over(self) -> None:
        data = bytes(self._data)
        self._data.clear()
        self._way, self._under_way = WriterState.STUCK, len(data)
        self._output.write(data)

    def _all_written(self) -> None:
        if self._way is WriterState.GONE:
            return
        self._way, self._under_way = WriterState.FREE, 0
        if self._data:
            self._hand_over()
        else:
            self._written()

    def _failed(self) -> None:
        if self._way is not WriterState.GONE:
            self._leave()
            self._lost()

    def _leave(self) -> None:
        self._way, self._under_way = WriterState.GONE, 0
        self._data.clear()
        if self._turn is not None:
            self._turn.cancel()


class Calls:
    """What a thread asks of a reactor, by an asyncio ``loop``; nothing happens when that is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def callFromThread(self, call: Callable[[], object]) -> None:
        """Call ``call`` in the thread of the loop."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def callLater(self, seconds: float, call: Callable[[], object]) -> None:
        """Call ``call`` after so many ``seconds``."""
        self._loop.call_later(seconds, call)


def console(stdin: int, stdout: int, written: Told, lost: Told) -> TerminalIO:
    """Open a console, which is left in the mode in which it was found."""
    with ExitStack() as files:
        keyboard = files.enter_context(open(stdin, encoding="utf-8", closefd=False))
        files.callback(set_console_mode, stdout, console_mode(stdout))
        direct = DirectScreen(stdout, written, lost)
        files.callback(direct.close)
        output = _by_calls(direct)
        if output is not None:
            return TerminalIO(_keys(keyboard), output, direct, files.pop_all().close)
        screen = ThreadedScreen(stdout, written, lost)
        files.callback(screen.close)
        return TerminalIO(_keys(keyboard), _by_sequences(screen), screen, files.pop_all().close)


def _size_without_margin(descriptor: int) -> Size:
    """Return how much of the console is drawn on: some wrap a line already after the last column."""
    size = size_of(descriptor)
    return Size(rows=size.rows, columns=max(1, size.columns - 1))


class _Sequences(Vt100_Output):
    """A console that is drawn on by sequences; what is pasted comes as keys, without sequences around it."""

    def enable_bracketed_paste(self) -> None:
        """Ask for none."""

    def disable_bracketed_paste(self) -> None:
        """None were asked for."""


def _by_sequences(screen: ThreadedScreen) -> AnyOutput:
    return _Sequences(
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

    class Grid(Win32Output):
        """A console that is drawn on by the calls of its API."""

        def __init__(self, screen: DirectScreen) -> None:
            super().__init__(cast(Any, screen), default_color_depth=ColorDepth.from_env())
            self._screen = screen

        def flush(self) -> None:
            """Write all at once: a character at a time would tear those beyond U+FFFF."""
            data, self._buffer = "".join(self._buffer), []
            if data:
                self._screen.write(data)

        def get_rows_below_cursor_position(self) -> int:
            """Tell nothing, or the region would take all of them."""
            raise NotImplementedError

        def obeys_sequences(self) -> bool:
            """Tell whether a sequence leaves the cursor where it is; what is seen of another is erased."""
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
        """Reads keys, not the sequences for them, which not every console sends that agrees to."""

        @staticmethod
        def _is_paste(keys: list[KeyPress]) -> bool:
            """Take for pasted what goes on after the end of a line; one line was typed ahead."""
            ends = [place for place, key in enumerate(keys) if key.key == Keys.ControlM]
            return bool(ends) and any(not isinstance(key.key, Keys) for key in keys[ends[0] :])

    def _keys(keyboard: Any) -> Input:
        keys = Win32Input(keyboard)
        keys.console_input_reader.close()
        keys.console_input_reader, keys._use_virtual_terminal_input = Keyboard(), False
        return keys

    def _by_calls(screen: DirectScreen) -> AnyOutput | None:
        grid = Grid(screen)
        if set_console_mode(screen.fileno(), OBEYING) and grid.obeys_sequences():
            return None
        set_console_mode(screen.fileno(), OBEYING & 0x3)
        return grid

else:

    def _keys(keyboard: Any) -> Input:
        return create_input(keyboard)

    def _by_calls(screen: DirectScreen) -> AnyOutput | None:
        return None
