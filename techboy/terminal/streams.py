"""The three standard streams: what they are, and writing to one that may be non-blocking.

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
from typing import TextIO

from techboy.chat.conversation import Keyboard


def keyboard(stdin: TextIO | None) -> Keyboard:
    """Return where words come from: a terminal, a pipe or file, or nowhere (``/dev/null``, closed)."""
    if stdin is None:
        return Keyboard.NONE
    if stdin.isatty():
        return Keyboard.PERSON
    return Keyboard.NONE if _is_null(stdin) else Keyboard.SCRIPT


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether ``stream`` is open and a terminal."""
    return stream is not None and stream.isatty()


def same_place(one: TextIO | None, other: TextIO | None) -> bool:
    """Tell whether both streams go to one terminal, pipe or file, as after ``2>&1``."""
    if one is None or other is None:
        return False
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _is_null(stream: TextIO) -> bool:
    status = os.fstat(stream.fileno())
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev


class StandardError:
    """Standard error as a text stream that waits where it is full.

    The stdio bridge makes standard output non-blocking, and with it standard error where both are one
    pipe or terminal; Python's own stream then raises BlockingIOError and loses what it was given.
    Without a stream, or where nobody reads any more, what is written is dropped.
    ``on_screen``: it is the same terminal, pipe or file as standard output. ``above``: returns what is to be
    written instead of whole lines where something stands on the terminal's last line, which `draw` put there.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO | None, screen: TextIO | None) -> None:
        self._stream = stream
        self.on_screen = same_place(stream, screen)
        self.above: Callable[[bytes], bytes] = bytes
        self._other_way: Callable[[str], bool] = lambda text: False

    def divert(self, other_way: Callable[[str], bool]) -> None:
        """Give what is written to ``other_way``, which says whether it takes it, as somebody draws there."""
        self._other_way = other_way

    def write(self, text: str) -> int:
        """Write all of ``text``."""
        if not self._other_way(text):
            self.draw(self.above(text.encode("utf-8", "replace")))
        return len(text)

    def draw(self, data: bytes) -> None:
        """Write all of ``data`` as it stands."""
        if self._stream is not None:
            self._write_all(self._stream.fileno(), data)

    @property
    def ready(self) -> bool:
        """Whether something can be written without waiting, as it can't on a terminal that was halted."""
        if self._stream is None:
            return False
        return bool(select.select([], [self._stream.fileno()], [], 0)[1])

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """Tell whether a person reads along."""
        return is_terminal(self._stream)

    def _write_all(self, descriptor: int, data: bytes) -> None:
        try:
            while data:
                try:
                    data = data[os.write(descriptor, data) :]
                except BlockingIOError:
                    select.select([], [descriptor], [])
        except OSError:
            self._stream = None


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
    def keyboard(self) -> Keyboard:
        """Where words come from."""
        return keyboard(self.stdin)

    @property
    def states(self) -> StandardError:
        """Where lines about the conversation go."""
        return StandardError(self.stderr, self.stdout)


def descriptor(stream: TextIO | None) -> int | None:
    """Return the descriptor of ``stream``, None where there is none."""
    return None if stream is None else stream.fileno()
