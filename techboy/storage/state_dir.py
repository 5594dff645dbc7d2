"""The directory in which a program keeps what is to survive it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from techboy.storage.interface import StorageError
from techboy.systems import ON_WINDOWS

_LOCK = "lock"


class StateDirectory:
    """The directory ``path``, for this program alone until it is closed, or the process ends somehow.

    Where it is missing it is made, for nobody but its owner; where it is there it is left as it is. Raises
    StorageError where that can't be done, or another program has it.
    """

    def __init__(self, path: str | os.PathLike[str], windows: bool = ON_WINDOWS) -> None:
        self.path, self._windows = Path(path), windows
        try:
            _make(self.path)
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{shown(path)}: {error.strerror}") from error
        try:
            self._take()
        except StorageError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let other programs have it."""
        os.close(self._lock)

    def _take(self) -> None:
        # imported here, as it is large, and not always needed
        from portalocker import AlreadyLocked, LockException, LockFlags, portalocker

        # flock(2) or LockFileEx: what is usual on Windows does not say under Wine that somebody else has it.
        # It takes pywin32, as Twisted does
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
    """Make an empty file ``path``, which nobody but its owner may read or write, whatever the umask.

    Raises OSError where that can't be done, or it is there.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)  # a umask may have taken the owner's rights, too; never were there more


def shown(path: str | os.PathLike[str]) -> str:
    """Return ``path`` for people, on one line whatever is in it."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def _reason(refused: Exception) -> str:
    """Return why something was refused, as the system says it where it does."""
    return getattr(refused.__cause__, "strerror", None) or str(refused)


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(0o700)
    except FileExistsError:
        if path.is_file() or path.parent.is_file():  # Windows says that nothing can be found in a file
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        return
    path.chmod(0o700)  # whatever the umask
