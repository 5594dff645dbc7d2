"""The three standard streams: what they are, and writing to them without waiting for who reads them.

Python has None where a stream was closed when it started; the descriptor's number is then free, and may
by now belong to something else, so a stream is never looked at by its number alone.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from typing import Literal, TextIO

from twisted.logger import Logger

from techboy.background_writer import BoundedWriter, Call, WriteError
from techboy.net.connection_log import MissingEntries
from techboy.systems import ON_WINDOWS
from techboy.terminal.handles import is_console, same_object
from techboy.terminal.interface import InputSource

_log = Logger()


def keyboard(stdin: TextIO | None) -> InputSource:
    """Return where words come from: a terminal, a pipe or file, or nowhere (``/dev/null``, closed)."""
    if stdin is None:
        return InputSource.NONE
    if is_terminal(stdin):
        return InputSource.PERSON
    return InputSource.NONE if _is_null(stdin) else InputSource.SCRIPT


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether ``stream`` is open and a terminal."""
    return stream is not None and stream.isatty() and (not ON_WINDOWS or is_console(stream.fileno()))


def same_place(one: TextIO | None, other: TextIO | None) -> bool:
    """Tell whether both streams go to one terminal, pipe or file, as after ``2>&1``."""
    if one is None or other is None:
        return False
    status = os.fstat(one.fileno())
    if not ON_WINDOWS or stat.S_ISREG(status.st_mode):
        return os.path.samestat(status, os.fstat(other.fileno()))
    return same_object(one.fileno(), other.fileno())  # all others have the same number on Windows


def _is_null(stream: TextIO) -> bool:
    """Tell whether ``stream``, which is no terminal, is the null device: on Windows any device is."""
    status = os.fstat(stream.fileno())
    if ON_WINDOWS:
        return stat.S_ISCHR(status.st_mode)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev


def writer_to(stream: TextIO | None, name: str) -> BoundedWriter | None:
    """Return what writes to ``stream``, which the log calls ``name``; None where there is no stream."""
    if stream is None:
        return None
    opened = raw(stream.fileno(), "wb")
    return BoundedWriter(lambda data: write_all(opened, data), MissingEntries(_log, name))


def raw(descriptor: int, mode: Literal["rb", "wb"]) -> FileIO:
    """Return a stream of bytes that keeps nothing back; ``descriptor`` stays open when it is gone.

    A Windows console reads and writes UTF-8 that way, and its own code page by `os.read` and `os.write`.
    """
    return open(descriptor, mode, buffering=0, closefd=False)


def write_all(stream: FileIO, data: bytes) -> None:
    """Write all of ``data``, or raise WriteError.

    The stdio bridge makes standard output non-blocking, and with it standard error where both are one pipe or
    terminal.
    """
    written = 0
    try:
        while written < len(data):
            count: int | None = stream.write(data[written:])
            if count is None:
                select.select([], [stream], [])
            else:
                written += count
    except OSError as error:
        raise WriteError(error.strerror or str(error), written) from error


class StandardStream:
    """Standard output or error as a text stream that is written to in the background, by ``writer``.

    Without a stream, or where nobody reads any more, what is written is dropped.
    ``on_screen``: it is the same terminal, pipe or file as standard output. ``above``: returns what is to be
    written instead of whole lines where something stands on the terminal's last line, which `draw` put there.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO | None, screen: TextIO | None, writer: BoundedWriter | None) -> None:
        self._stream, self._writer = stream, writer
        self.on_screen = same_place(stream, screen)
        self.above: Callable[[bytes], bytes] = bytes
        self._other_way: Callable[[str], bool] = lambda text: False

    def divert(self, other_way: Callable[[str], bool]) -> None:
        """Give what is written to ``other_way``, which says whether it takes it, as somebody draws there."""
        self._other_way = other_way

    def write(self, text: str) -> int:
        """Write ``text`` soon."""
        if not self._other_way(text):
            self.draw(self.above(text.encode("utf-8", "replace")))
        return len(text)

    def draw(self, data: bytes) -> None:
        """Write ``data`` soon, as it stands."""
        if self._writer is not None:
            self._writer.write(data)

    @property
    def ready(self) -> bool:
        """Whether all is written that was to be, as it is not on a terminal that was halted."""
        return self._writer is not None and self._writer.idle

    def report_by(self, call: Call) -> None:
        """Let ``call`` decide in which thread it is told what could not be written."""
        if self._writer is not None:
            self._writer.report_by(call)

    def settle(self, seconds: float) -> bool:
        """Wait until all is written, for so many seconds at most; return whether it is."""
        return self._writer is None or self._writer.settle(seconds)

    def finish(self, deadline: float) -> None:
        """Wait until all is written, now and after whatever comes, no longer than ``deadline``."""
        if self._writer is not None:
            self._writer.finish(deadline)

    def flush(self) -> None:
        """Nothing can be hurried."""

    def isatty(self) -> bool:
        """Tell whether a person reads along."""
        return is_terminal(self._stream)


@dataclass(frozen=True)
class Streams:
    """Standard input, output and error, each None where it was closed when the program started."""

    stdin: TextIO | None
    stdout: TextIO | None
    stderr: TextIO | None

    @classmethod
    def standard(cls) -> Streams:
        """Return those of this process."""
        return cls(sys.stdin, sys.stdout, sys.stderr)

    @property
    def keyboard(self) -> InputSource:
        """Where words come from."""
        return keyboard(self.stdin)

    @property
    def states(self) -> StandardStream:
        """Standard error, where lines about the conversation go, as does the log: each has one of its own."""
        return StandardStream(self.stderr, self.stdout, self._errors)

    @property
    def output(self) -> StandardStream:
        """Standard output, where it is not the conversation's."""
        return StandardStream(self.stdout, self.stdout, self._output)

    @cached_property
    def _errors(self) -> BoundedWriter | None:
        return writer_to(self.stderr, "standard error")

    @cached_property
    def _output(self) -> BoundedWriter | None:
        if same_place(self.stderr, self.stdout):  # one writer for both, or their lines could be torn
            return self._errors
        return writer_to(self.stdout, "standard output")


def descriptor(stream: TextIO | None) -> int | None:
    """Return the descriptor of ``stream``, None where there is none."""
    return None if stream is None else stream.fileno()
