"""The two ends of a terminal as the prompt uses them: what is typed, and what is shown.

On POSIX it is written to by way of an `NonBlockingWriter`, which never waits; for a Windows console see
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

USUAL = Size(rows=24, columns=80)
"""How large a terminal is taken to be that does not say so."""

Told: TypeAlias = Callable[[], None]


class OutputWriter(Protocol):
    """Where text for the screen goes, in order with what ``Ends.output`` writes."""

    @property
    def stuck(self) -> bool:
        """Whether nothing more should be written for now."""

    @property
    def unwritten(self) -> int:
        """How many bytes wait."""

    def put(self, data: bytes) -> None:
        """Write ``data`` soon."""

    def close(self) -> None:
        """Write nothing any more."""


class TerminalIO(NamedTuple):
    """Both ends, to be closed with ``close`` when the prompt is through with them."""

    input: Input
    output: Output
    way: OutputWriter
    close: Told


Opened: TypeAlias = Callable[[int, int, Told, Told], TerminalIO]
"""Opens a terminal by the descriptors of its keyboard and screen.

Then come two to be called: when all is written that was to be, and when the terminal is gone.
"""


def opened(stdin: int, stdout: int, written: Told, lost: Told) -> TerminalIO:
    """Open the terminal in the way of this system."""
    if systems.ON_WINDOWS:
        from techboy.terminal.prompt.console import console

        return console(stdin, stdout, written, lost)
    return terminal(stdin, stdout, written, lost)


def terminal(stdin: int, stdout: int, written: Told, lost: Told) -> TerminalIO:
    """Open a terminal of POSIX."""
    with ExitStack() as files:
        keyboard = files.enter_context(open(stdin, encoding="utf-8", closefd=False))
        writer = NonBlockingWriter(stdout, written, lost)
        files.callback(writer.close)
        output = Vt100_Output(
            cast(Any, writer),
            lambda: size_of(stdout),
            term=os.environ.get("TERM"),
            default_color_depth=ColorDepth.from_env(),
            enable_cpr=False,  # nothing here depends on where on the screen the prompt stands
        )
        return TerminalIO(create_input(keyboard), output, writer, files.pop_all().close)


def size_of(descriptor: int) -> Size:
    """Return how large the terminal is."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        return USUAL
    return Size(rows=rows or USUAL.rows, columns=columns or USUAL.columns)
