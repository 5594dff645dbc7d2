"""The three standard streams: their kind, and writing to them without blocking on their readers.

Python sets a stream to None if it was closed at the start. Its descriptor number is then free, and may be in
use for something else, so a stream is never accessed by its number alone.
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
    """Return the kind of input: a terminal, a pipe or file, or none (``/dev/null``, closed)."""
    if stdin is None:
        return InputSource.NONE
    if is_terminal(stdin):
        return InputSource.PERSON
    return InputSource.NONE if _is_null(stdin) else InputSource.SCRIPT


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether ``stream`` is open and a terminal."""
    return stream is not None and stream.isatty() and (not ON_WINDOWS or is_console(stream.fileno()))


def same_file(one: TextIO | None, other: TextIO | None) -> bool:
    """Return whether both streams are the same terminal, pipe or file, for example after ``2>&1``."""
    if one is None or other is None:
        return False
    status = os.fstat(one.fileno())
    if not ON_WINDOWS or stat.S_ISREG(status.st_mode):
        return os.path.samestat(status, os.fstat(other.fileno()))
    return same_object(one.fileno(), other.fileno())  # Windows gives all others the same inode number


def _is_null(stream: TextIO) -> bool:
    """Return whether ``stream``, which is not a terminal, is the null device; on Windows any device."""
    status = os.fstat(stream.fileno())
    if ON_WINDOWS:
        return stat.S_ISCHR(status.st_mode)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev


def writer_to(stream: TextIO | None, name: str) -> BoundedWriter | None:
    """Return a background writer to ``stream``, or None if that is None; ``name`` is for log messages."""
    if stream is None:
        return None
    opened = open_raw(stream.fileno(), "wb")
    return BoundedWriter(lambda data: write_all(opened, data), MissingEntries(_log, name))


def open_raw(descriptor: int, mode: Literal["rb", "wb"]) -> FileIO:
    """Return an unbuffered binary stream; closing it leaves ``descriptor`` open.

    It reads and writes a Windows console in UTF-8; `os.read` and `os.write` use the console's code page.
    """
    return open(descriptor, mode, buffering=0, closefd=False)


def write_all(stream: FileIO, data: bytes) -> None:
    """Write all of ``data``, or raise WriteError.

    The stdio bridge makes standard output non-blocking, and thereby standard error if both are the same pipe
    or terminal.
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
    """Standard output or error as a text stream, written in the background by ``writer``.

    Output is dropped if there is no stream, or if it has no reader any more. ``on_screen``: it is the same
    terminal, pipe or file as standard output. ``above``: converts whole lines into the bytes that print them
    above the text that `draw` has put on the terminal's last line.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO | None, screen: TextIO | None, writer: BoundedWriter | None) -> None:
        self._stream, self._writer = stream, writer
        self.on_screen = same_file(stream, screen)
        self.above: Callable[[bytes], bytes] = bytes
        self._handler: Callable[[str], bool] = lambda text: False

    def redirect(self, handler: Callable[[str], bool]) -> None:
        """Pass text to ``handler`` from now on; it is written here only if ``handler`` returns False."""
        self._handler = handler

    def write(self, text: str) -> int:
        """Write ``text`` in the background; return its length."""
        if not self._handler(text):
            self.draw(self.above(text.encode("utf-8", "replace")))
        return len(text)

    def draw(self, data: bytes) -> None:
        """Write ``data`` in the background, unchanged."""
        if self._writer is not None:
            self._writer.write(data)

    @property
    def ready(self) -> bool:
        """Whether all output is written; it is not if a terminal is stopped, for example with Ctrl-S."""
        return self._writer is not None and self._writer.idle

    def report_by(self, call: Call) -> None:
        """Report write errors through ``call``, for example in the reactor's thread."""
        if self._writer is not None:
            self._writer.report_by(call)

    def settle(self, seconds: float) -> bool:
        """Block until all output is written, at most so many ``seconds``; return whether it is."""
        return self._writer is None or self._writer.settle(seconds)

    def finish(self, deadline: float) -> None:
        """Block until all output is written, now and after each later write, but not beyond ``deadline``."""
        if self._writer is not None:
            self._writer.finish(deadline)

    def flush(self) -> None:
        """Do nothing: output is written in the background as soon as possible."""

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return is_terminal(self._stream)


@dataclass(frozen=True)
class Streams:
    """Standard input, output and error, each None if it was closed when the program started."""

    stdin: TextIO | None
    stdout: TextIO | None
    stderr: TextIO | None

    @classmethod
    def standard(cls) -> Streams:
        """Return the streams of this process."""
        return cls(sys.stdin, sys.stdout, sys.stderr)

    @property
    def keyboard(self) -> InputSource:
        """The kind of standard input."""
        return keyboard(self.stdin)

    @property
    def status_output(self) -> StandardStream:
        """A new stream that writes to standard error; status lines and the log each use their own."""
        return StandardStream(self.stderr, self.stdout, self._errors)

    @property
    def output(self) -> StandardStream:
        """A new stream that writes to standard output, for programs that show no messages there."""
        return StandardStream(self.stdout, self.stdout, self._output)

    @cached_property
    def _errors(self) -> BoundedWriter | None:
        return writer_to(self.stderr, "standard error")

    @cached_property
    def _output(self) -> BoundedWriter | None:
        if same_file(self.stderr, self.stdout):  # one writer for both, so that lines do not mix
            return self._errors
        return writer_to(self.stdout, "standard output")


def descriptor(stream: TextIO | None) -> int | None:
    """Return the descriptor of ``stream``, or None if that is None."""
    return None if stream is None else stream.fileno()
