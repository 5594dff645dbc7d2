"""A file that only grows, and may be moved away and begun anew while it is written to."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.defer import Deferred

from techboy.background_writer import BoundedWriter, Losses, WriteError

_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # to open a pipe that nobody reads would take for ever
)

_CLOSED = -1


class AppendedFile:
    """The file ``path``, at whose end bytes are written at once; it gets the rights ``mode`` when it is made.

    All methods wait for the disk, or for who reads a pipe. Raises OSError where it can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str], mode: int) -> None:
        self._path, self._mode = os.path.abspath(path), mode
        self._descriptor = self._opened()
        self._torn = False

    def append(self, data: bytes) -> None:
        """Write ``data``, which are whole lines.

        Raises WriteError where not all of it can be written; what comes next begins on a line of its own.
        """
        before = b"\n" if self._torn else b""
        data, written = before + data, 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
                self._torn = not data[:written].endswith(b"\n")
        except OSError as error:
            raise WriteError(error.strerror or str(error), max(0, written - len(before))) from error

    def reopen(self) -> None:
        """Go on in what is at the path now, a new file where there is none.

        Raises OSError where that can't be opened; then it goes on in the file as it was.
        """
        opened = self._opened()
        os.close(self._descriptor)
        self._descriptor, self._torn = opened, False

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
        self._descriptor = _CLOSED

    def _opened(self) -> int:
        opened = os.open(self._path, _FLAGS, self._mode)
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(opened, True)
        return opened


class FileWriter:
    """The file ``path``, at whose end lines are written in the background, by a `BoundedWriter`.

    Making it waits for the disk, and raises OSError where the file can't be opened. After that only `finish`
    and `settle` wait.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: int,
        losses: Losses,
        count: Callable[[bytes], int],
        limit: int,
    ) -> None:
        self._file = AppendedFile(path, mode)
        self._writer = writer = BoundedWriter(self._file.append, losses, count, limit, limit)
        self.write, self.settle, self.finish = writer.write, writer.settle, writer.finish
        self.report_by = writer.report_by

    def reopen(self) -> Deferred[None]:
        """Go on in what is at the path, after what was given to be written so far.

        Fires when that is done; fails with OSError where it can't be, and then it goes on as before.
        """
        reopened = Deferred[None]()

        def done(error: OSError | None) -> None:
            if error is None:
                reopened.callback(None)
            else:
                reopened.errback(error)

        self._writer.run(self._file.reopen, done)
        return reopened

    def close(self) -> None:
        """Let go of the file when all is written; what comes later is ignored."""
        self._writer.run(self._file.close, _nothing)
        self._writer.close()


def _nothing(error: OSError | None) -> None:
    """Whoever closes a file does not look back."""
