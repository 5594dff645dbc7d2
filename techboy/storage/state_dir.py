"""The state directory of a program."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from techboy.storage.interface import StorageError
from techboy.systems import ON_WINDOWS

_LOCK = "lock"


class StateDirectory:
    """The directory ``path``, locked for this program until `close` or the end of the process.

    A missing directory is created, accessible to its owner only; an existing one keeps its permissions.
    Raises StorageError if it cannot be created, or another program has locked it.
    """

    def __init__(self, path: str | os.PathLike[str], windows: bool = ON_WINDOWS) -> None:
        self.path, self._windows = Path(path), windows
        try:
            _make(self.path)
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{shown(path)}: {error.strerror}") from error
        try:
            self._acquire_lock()
        except StorageError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Release the directory."""
        os.close(self._lock)

    def _acquire_lock(self) -> None:
        # imported here because it is large and not always needed
        from portalocker import AlreadyLocked, LockException, LockFlags, portalocker

        # flock(2) or LockFileEx: under Wine, portalocker's default for Windows does not report that the file
        # is locked. LockFileEx takes pywin32, as Twisted does
        kind = "Win32Locker" if self._windows else "PosixLocker"
        try:
            (self.path / _LOCK).chmod(0o600)
            getattr(portalocker, kind)().lock(self._lock, LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING)
        except AlreadyLocked as error:
            raise StorageError(f"{shown(self.path)} is in use by another program") from error
        except LockException as error:
            raise StorageError(f"{shown(self.path)}: {_reason(error)}") from error
        except OSError as error:
            raise StorageError(f"{shown(self.path)}: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Create an empty file ``path`` that only its owner may read and write, whatever the umask is.

    Raises OSError if it cannot be created, or exists.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)  # the umask may have removed rights of the owner


def shown(path: str | os.PathLike[str]) -> str:
    """Return ``path`` as text on one line, whatever characters it has."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def _reason(error: Exception) -> str:
    """Return the reason of ``error``: the message of the system if there is one."""
    return getattr(error.__cause__, "strerror", None) or str(error)


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(0o700)
    except FileExistsError:
        if path.is_file() or path.parent.is_file():  # Windows has another error for a file as a directory
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        return
    path.chmod(0o700)  # whatever the umask is
