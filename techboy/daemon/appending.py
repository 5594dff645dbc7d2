"""A file that only grows, and may be moved away and begun anew while it is written to."""

from __future__ import annotations

import os

_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody reads must not stop the program
)

_CLOSED = -1


class AppendError(Exception):
    """Not all could be written, for a reason of one line: no more than the first ``written`` bytes."""

    def __init__(self, why: str, written: int) -> None:
        super().__init__(why)
        self.written = written


class AppendedFile:
    """The file ``path``, at whose end bytes are written at once; it gets the rights ``mode`` when it is made.

    Nothing is held back, so nothing is lost where the process is killed. Raises OSError where it can't be
    opened.
    """

    def __init__(self, path: str | os.PathLike[str], mode: int) -> None:
        self._path, self._mode = os.path.abspath(path), mode
        self._descriptor = self._opened()
        self._torn = False

    def append(self, data: bytes) -> None:
        """Write ``data``, which are whole lines.

        Raises AppendError where not all of it can be written; what comes next begins on a line of its own.
        """
        before = b"\n" if self._torn else b""
        data, written = before + data, 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
                self._torn = not data[:written].endswith(b"\n")
        except OSError as error:
            raise AppendError(error.strerror or str(error), max(0, written - len(before))) from error

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
        return os.open(self._path, _FLAGS, self._mode)
