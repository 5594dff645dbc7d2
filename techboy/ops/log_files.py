"""The log of `twist` in a file that can be moved away: it is written to a new one when that is asked for."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from techboy.background_writer import LIMIT
from techboy.net.connection_log import MissingEntries
from techboy.ops.background_file import FileWriter

_MODE = 0o666  # but for the umask, as twist makes it
_log = Logger()


class ReopeningFile:
    """The file ``path`` as the text stream that twist's log observer writes to, in the background.

    What can't be written, as the disk is full or does not answer, is counted, and the log says so when it
    can be again. Raises OSError where the file can't be opened.
    """

    encoding = "utf-8"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = file = FileWriter(path, _MODE, MissingEntries(_log, "log file"), _one, LIMIT)
        self.report_by, self.settle = file.report_by, file.settle
        self.finish, self.close = file.finish, file.close

    def write(self, text: str) -> int:
        """Write ``text``, an entry of the log."""
        self._file.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Nothing can be hurried."""

    def isatty(self) -> bool:
        """It is a file."""
        return False

    def reopen(self) -> Deferred[None]:
        """Go on in a new file, where the old one was moved away.

        Fires when that is done; fails with OSError, and goes on in the old one.
        """
        return self._file.reopen()


def _one(entry: bytes) -> int:
    return 1


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
