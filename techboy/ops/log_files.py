"""The log file of `twist`, which can be reopened after log rotation."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from techboy.background_writer import LIMIT
from techboy.net.connection_log import MissingEntries
from techboy.ops.background_file import FileWriter

_MODE = 0o666  # less the umask, as twist creates it
_log = Logger()


class ReopeningFile:
    """The file ``path`` as the text stream that twist's log observer writes to, in the background.

    Entries that cannot be written, because the disk is full or does not answer, are counted; the log reports
    their number when writing works again. Raises OSError if the file cannot be opened.
    """

    encoding = "utf-8"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = file = FileWriter(path, _MODE, MissingEntries(_log, "log file"), _count_one, LIMIT)
        self.report_by, self.settle = file.report_by, file.settle
        self.finish, self.close = file.finish, file.close

    def write(self, text: str) -> int:
        """Write ``text``, one log entry, in the background."""
        self._file.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: entries are written in the background as soon as possible."""

    def isatty(self) -> bool:
        """Return False: this is a file."""
        return False

    def reopen(self) -> Deferred[None]:
        """Continue in a new file if the old one was moved away.

        Fires when that is done. Fails with OSError if the file cannot be opened; writing then continues in
        the old one.
        """
        return self._file.reopen()


def _count_one(entry: bytes) -> int:
    return 1


def reopenable_log(twist: dict[str, Any]) -> ReopeningFile | None:
    """Replace the log file in the options of ``twist`` by one that can be reopened, and return it.

    Return None if twist does not log to a file. Raises OSError if the file cannot be opened.
    """
    file = twist["logFile"]
    path = getattr(file, "name", None)
    if file in (sys.stdout, sys.stderr) or not isinstance(path, str):
        return None
    log = twist["logFile"] = ReopeningFile(path)
    file.close()
    return log
