"""An append-only file, which can be reopened while it is written to, for example after log rotation."""

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
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe without a reader would block
)

_CLOSED = -1


class AppendedFile:
    """Appends to the file ``path`` synchronously; a new file is created with the permissions ``mode``.

    All methods block on the disk, or on the reader of a pipe. Raises OSError if the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], mode: int) -> None:
        self._path, self._mode = os.path.abspath(path), mode
        self._descriptor = self._opened()
        self._ends_mid_line = False

    def append(self, data: bytes) -> None:
        """Write ``data``, which consists of whole lines.

        Raises WriteError if only part of it can be written; the next write then begins on a new line.
        """
        before = b"\n" if self._ends_mid_line else b""
        data, written = before + data, 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
                self._ends_mid_line = not data[:written].endswith(b"\n")
        except OSError as error:
            raise WriteError(error.strerror or str(error), max(0, written - len(before))) from error

    def reopen(self) -> None:
        """Continue in the file that is at the path now; create it if there is none.

        Raises OSError if it cannot be opened; writing then continues in the old file.
        """
        opened = self._opened()
        os.close(self._descriptor)
        self._descriptor, self._ends_mid_line = opened, False

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
        self._descriptor = _CLOSED

    def _opened(self) -> int:
        opened = os.open(self._path, _FLAGS, self._mode)
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(opened, True)
        return opened


class FileWriter:
    """Appends lines to the file ``path`` in the background, through a `BoundedWriter`.

    The constructor blocks on the disk, and raises OSError if the file cannot be opened. Of the methods only
    `finish` and `settle` block.
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
        """Continue in the file that is at the path, once everything passed to `write` so far is written.

        Fires when that is done. Fails with OSError if the file cannot be opened; writing then continues in
        the old file.
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
        """Close the file once everything is written; later writes are ignored."""
        self._writer.run(self._file.close, _ignore_error)
        self._writer.close()


def _ignore_error(error: OSError | None) -> None:
    """Nothing is done about an error of closing the file."""
