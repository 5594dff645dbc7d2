"""The terminal of the prompt: its keyboard and its screen.

On POSIX output goes through a `NonBlockingWriter`; for a Windows console see
`techboy.terminal.prompt.console`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.vt100 import Vt100_Output

from techboy import systems
from techboy.terminal.prompt.output_writer import NonBlockingWriter

DEFAULT_SIZE = Size(rows=24, columns=80)
"""The size of a terminal that does not report it."""

Callback: TypeAlias = Callable[[], None]


class OutputWriter(Protocol):
    """Writes to the screen, in order with ``TerminalIO.output``."""

    @property
    def is_blocked(self) -> bool:
        """Whether no more output should be produced for now."""

    @property
    def unwritten(self) -> int:
        """The number of pending bytes."""

    def put(self, data: bytes) -> None:
        """Write ``data`` in the background."""

    def close(self) -> None:
        """Discard the pending output, and ignore later writes."""


class TerminalIO(NamedTuple):
    """The input and the output of a terminal; ``close`` releases both."""

    input: Input
    output: Output
    writer: OutputWriter
    close: Callback


OpenTerminal: TypeAlias = Callable[[int, int, Callback, Callback], TerminalIO]
"""Opens a terminal by the descriptors of its keyboard and its screen.

The other arguments are called when all output is written, and when the terminal is gone.
"""


def open_terminal(stdin: int, stdout: int, written: Callback, lost: Callback) -> TerminalIO:
    """Open the terminal: a console on Windows, else a POSIX terminal."""
    if systems.ON_WINDOWS:
        from techboy.terminal.prompt.console import open_console

        return open_console(stdin, stdout, written, lost)
    return open_posix_terminal(stdin, stdout, written, lost)


def open_posix_terminal(stdin: int, stdout: int, written: Callback, lost: Callback) -> TerminalIO:
    """Open a POSIX terminal."""
    with ExitStack() as files:
        keyboard = files.enter_context(open(stdin, encoding="utf-8", closefd=False))
        writer = NonBlockingWriter(stdout, written, lost)
        files.callback(writer.close)
        output = Vt100_Output(
            cast(Any, writer),
            lambda: size_of(stdout),
            term=os.environ.get("TERM"),
            default_color_depth=ColorDepth.from_env(),
            enable_cpr=False,  # the position of the prompt on the screen is not needed
        )
        return TerminalIO(create_input(keyboard), output, writer, files.pop_all().close)


def size_of(descriptor: int) -> Size:
    """Return the size of the terminal ``descriptor``."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        return DEFAULT_SIZE
    return Size(rows=rows or DEFAULT_SIZE.rows, columns=columns or DEFAULT_SIZE.columns)
