"""Streams as they are on a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO, cast

from techboy.terminal.streams import Streams


class Typed(io.StringIO):
    """A terminal's input: what a person types, line by line; its end is that of the input."""

    def fileno(self) -> int:
        """Return what is no descriptor."""
        return -1

    def isatty(self) -> bool:
        """Tell that it is a terminal."""
        return True


class Interrupted(Typed):
    """A terminal's input where a person presses Ctrl-C."""

    def readline(self, size: int | None = -1) -> str:  # type: ignore[override]  # as StringIO does, too
        """Answer nothing."""
        raise KeyboardInterrupt


class OnTerminal:
    """A terminal's output: writes into ``file``."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Tell that it is a terminal."""
        return True


def on_terminal(file: TextIO) -> TextIO:
    """Return an `OnTerminal` as the stream that it stands for: no more of it is used."""
    return cast(TextIO, OnTerminal(file))


def at_terminal(stdin: TextIO, screen: TextIO) -> Streams:
    """Return the streams of a person that types ``stdin``; what is shown goes into the file ``screen``."""
    return Streams(stdin, on_terminal(screen), on_terminal(screen))


def written(file: TextIO) -> str:
    """Return all that was written into ``file``."""
    return Path(file.name).read_text()
