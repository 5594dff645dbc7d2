"""Tests of the directory that a program keeps for itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from portalocker import AlreadyLocked, LockException, LockFlags

from techboy.storage.interface import StorageError
from techboy.storage.state_dir import StateDirectory, make_private, shown
from tests.children import start
from tests.marks import needs_flock, needs_permissions

HOLDER = """
import sys
from techboy.storage.state_dir import StateDirectory
folder = StateDirectory(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    """Return who may do what with ``path``."""
    return path.stat().st_mode & 0o7777


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run with one umask and another."""
    before = os.umask(request.param)
    yield
    os.umask(before)


class StateFolderTests:
    """A directory is one program's."""

    @needs_permissions
    @pytest.mark.usefixtures("umask")
    def test_made(self, tmp_path: Path) -> None:
        """Where it is missing it is made, and nobody else gets in."""
        folder = StateDirectory(tmp_path / "state")
        assert mode(folder.path) == 0o700
        assert mode(folder.path / "lock") == 0o600
        folder.close()

    def test_parents(self, tmp_path: Path) -> None:
        """What it lies in is made as anything else is."""
        (tmp_path / "usual").mkdir()
        StateDirectory(tmp_path / "a" / "b" / "state").close()
        assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == mode(tmp_path / "usual")

    def test_there(self, tmp_path: Path) -> None:
        """Where it is there it is left as it is."""
        tmp_path.chmod(0o750)
        before = mode(tmp_path)
        (tmp_path / "poem").write_text("a rose")
        StateDirectory(str(tmp_path)).close()
        assert mode(tmp_path) == before
        assert (tmp_path / "poem").read_text() == "a rose"

    def test_held(self, tmp_path: Path) -> None:
        """Nobody else gets it before it is let go."""
        folder = StateDirectory(tmp_path)
        with pytest.raises(StorageError) as refused:
            StateDirectory(tmp_path)
        assert str(refused.value) == f"{tmp_path} is in use by another program"
        folder.close()
        StateDirectory(tmp_path).close()

    def test_killed(self, tmp_path: Path) -> None:
        """A program that is killed holds nothing any more."""
        command = [sys.executable, "-c", HOLDER, str(tmp_path)]
        with start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline().rstrip() == b"held"
            with pytest.raises(StorageError, match="in use by another program"):
                StateDirectory(tmp_path)
            holder.kill()
        StateDirectory(tmp_path).close()

    def test_no_directory(self, tmp_path: Path) -> None:
        """What is a file, or lies in one, is no directory."""
        file = tmp_path / "file"
        file.write_text("a rose")
        for path in (file, file / "state"):
            with pytest.raises(StorageError) as refused:
                StateDirectory(path)
            assert str(refused.value) == f"{path}: Not a directory"
        assert file.read_text() == "a rose"

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What may not be made is said in one line."""

        def refuse(*args: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(StorageError) as refused:
            StateDirectory(tmp_path)
        assert str(refused.value) == f"{tmp_path}: Permission denied"

    @needs_flock
    def test_no_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where files can't be locked, none is believed to be."""

        def refuse(*args: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("portalocker.portalocker.LOCKER", refuse)
        with pytest.raises(StorageError) as refused:
            StateDirectory(tmp_path)
        assert str(refused.value) == f"{tmp_path}: No locks available"

    @pytest.mark.parametrize(
        ("kind", "why"),
        [(AlreadyLocked, " is in use by another program"), (LockException, ": The handle is invalid.")],
    )
    def test_windows(
        self, kind: type[LockException], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Windows it is locked by its own means, whose errors are no OSError."""

        class RefusedError(Exception):
            strerror = "The handle is invalid."

        class Locker:
            def lock(self, descriptor: int, flags: LockFlags) -> None:
                assert flags == LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING
                raise kind from RefusedError()

        monkeypatch.setattr("portalocker.portalocker.Win32Locker", Locker, raising=False)
        with pytest.raises(StorageError) as refused:
            StateDirectory(tmp_path, windows=True)
        assert str(refused.value) == f"{tmp_path}{why}"


class PrivateFileTests:
    """A file is its owner's."""

    @needs_permissions
    @pytest.mark.usefixtures("umask")
    def test_private(self, tmp_path: Path) -> None:
        """Nobody else may read or write it."""
        make_private(tmp_path / "file")
        assert mode(tmp_path / "file") == 0o600

    def test_there(self, tmp_path: Path) -> None:
        """One that is there is not touched."""
        (tmp_path / "file").write_text("a rose")
        with pytest.raises(FileExistsError):
            make_private(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "a rose"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (Path("a b é"), "a b é"),
        ("a\nb", r"'a\nb'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        ("\udcff", r"'\udcff'"),
    ],
)
def test_shown(path: str | Path, text: str) -> None:
    """A path is one line, and nothing in it does anything to a terminal."""
    assert shown(path) == text
