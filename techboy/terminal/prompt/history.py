"""The input history, kept from one run to the next."""

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
"""Bytes of a history file; the older half of a larger one is removed when a program starts."""


# do not block when opening a pipe; write LF unchanged on Windows
_FLAGS: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def history_file(program: str, windows: bool = ON_WINDOWS) -> Path | None:
    """Return the path of the history file of ``program``, None if there is no place for it."""
    home = state_home(windows)
    return None if home is None else home / f"{program}.history"


class FileHistory(History):
    """Keeps the history in the file ``path``; only for this run if that is None or cannot be used.

    The file is ASCII: an LF and a JSON string for each entry, so that a partly written entry, for example on
    a full disk, damages no other. Several programs may use it at once. File and directory are created with
    access for their owner only.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries of earlier runs, the newest first."""
        data = b""
        if self._path is not None:
            with suppress(OSError):
                data = _read_back(self._path)
        return [entry for line in reversed(data.split(b"\n")) if (entry := _read(line)) is not None]

    def store_string(self, string: str) -> None:
        """Append an entry, which may have several lines."""
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
        os.write(file, data)  # one write, so that entries of other programs do not mix with it
    finally:
        os.close(file)


def _read_back(path: Path) -> bytes:
    """Return the content of the file ``path``; if it is too long, remove its older half first."""
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
    """Replace the content of the file ``path`` by ``data``, unless its size is no longer ``size``."""
    file, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(file, "wb") as written:
            written.write(data)
        if path.stat().st_size == size:
            os.replace(new, path)
    finally:
        with suppress(OSError):  # it does not exist after a successful replacement
            os.unlink(new)
