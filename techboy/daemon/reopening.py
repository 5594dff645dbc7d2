"""The log of `twist` in a file that can be moved away: it is written to a new one when that is asked for."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.logger import Logger

from techboy.daemon.appending import AppendedFile, AppendError

_MODE = 0o666  # but for the umask, as twist makes it


class ReopeningFile:
    """The file ``path`` as the text stream that twist's log observer writes to.

    What can't be written, as the disk is full, is counted, and the log says so when it can be again. Raises
    OSError where the file can't be opened.
    """

    encoding = "utf-8"
    _log = Logger()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file, self._missing = AppendedFile(path, _MODE), 0

    def write(self, text: str) -> int:
        """Write ``text``, an entry of the log."""
        try:
            self._file.append(text.encode("utf-8", "backslashreplace"))
        except AppendError:
            self._missing += 1
        else:
            self._tell_of_missing()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """It is a file."""
        return False

    def reopen(self) -> None:
        """Go on in a new file, where the old one was moved away; raise OSError, and go on in the old one."""
        self._file.reopen()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _tell_of_missing(self) -> None:
        missing, self._missing = self._missing, 0
        if missing:
            self._log.warn("{entries} entries of this log could not be written", entries=missing)


def reopening(twist: dict[str, Any]) -> ReopeningFile | None:
    """Replace twist's log file by one that can be opened again; return it, None where there is no file.

    Raises OSError where it can't be opened.
    """
    file = twist["logFile"]
    path = getattr(file, "name", None)
    if file in (sys.stdout, sys.stderr) or not isinstance(path, str):
        return None
    log = twist["logFile"] = ReopeningFile(path)
    file.close()
    return log
