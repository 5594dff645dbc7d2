"""What was typed at a prompt, remembered from one run to the next."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import History

from techboy.places import state_home
from techboy.systems import ON_WINDOWS

LIMIT = 1024 * 1024
"""Bytes from which on, when a program starts, the older half of its file is forgotten."""


# opening a pipe is not to wait for the other end of it, and Windows is to leave LF as it is
_FLAGS: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def history_file(program: str, windows: bool = ON_WINDOWS) -> Path | None:
    """Return where ``program`` remembers what was typed, None where there is no place for it."""
    home = state_home(windows)
    return None if home is None else home / f"{program}.history"


class FileHistory(History):
    """Remembers in the file ``path``, or for this run alone where there is none, or it can't be used.

    The file is ASCII: a JSON string for each entry, after an LF, so that what was written in part, as on a
    full disk, spoils nothing but itself. Several programs may use it at once. File and folder are for their
    owner alone, if they are made here.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """Return what was typed in earlier runs, the newest first."""
        data = b""
        if self._path is not None:
            with suppress(OSError):
                data = _read_back(self._path)
        return [entry for line in reversed(data.split(b"\n")) if (entry := _read(line)) is not None]

    def store_string(self, string: str) -> None:
        """Remember ``string``, which may be of many lines."""
        if self._path is not None:
            with suppress(OSError):
                _append(self._path, f"\n{json.dumps(string)}".encode())


def _read(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, str) else None


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
    try:
        os.write(file, data)  # in one piece, so that nobody else's comes between
    finally:
        os.close(file)


def _read_back(path: Path) -> bytes:
    """Return the content of the file ``path``, of which only the newer half is left where it is too long."""
    with os.fdopen(os.open(path, os.O_RDONLY | _FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b""
        size = file.seek(0, os.SEEK_END)
        if size <= LIMIT:
            file.seek(0)
            return file.read(size)
        file.seek(size - LIMIT // 2)
        newer = b"".join(file.read(LIMIT // 2).partition(b"\n")[1:])
    with suppress(OSError):
        _replace(path.resolve(), size, newer)
    return newer


def _replace(path: Path, size: int, data: bytes) -> None:
    """Put ``data`` into the place of the file ``path``, unless it has grown beyond ``size`` meanwhile."""
    file, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(file, "wb") as written:
            written.write(data)
        if path.stat().st_size == size:
            os.replace(new, path)
    finally:
        with suppress(OSError):  # it is not there where all went well
            os.unlink(new)
