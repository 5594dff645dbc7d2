"""Tests of `techboy.daemon.appending`."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from techboy.daemon.appending import AppendedFile, AppendError


class FullDisk:
    """`os.write`, on a disk with ``room`` for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    """Return a disk with much room, of which the test may take away."""
    disk = FullDisk(1000)
    monkeypatch.setattr(os, "write", disk)
    return disk


class AppendedFileTests:
    """`AppendedFile`."""

    def test_append(self, tmp_path: Path) -> None:
        """What is written stands after what was there, at once."""
        path = tmp_path / "file"
        path.write_bytes(b"before\n")
        file = AppendedFile(path, 0o600)
        file.append(b"one\n")
        assert path.read_bytes() == b"before\none\n"
        file.append(b"two\nthree\n")
        file.close()
        assert path.read_bytes() == b"before\none\ntwo\nthree\n"

    def test_mode(self, tmp_path: Path) -> None:
        """A file that is made has the rights that were asked for, one that is there keeps its own."""
        path = tmp_path / "file"
        AppendedFile(path, 0o600).close()
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        AppendedFile(path, 0o600).close()
        assert path.stat().st_mode & 0o777 == 0o640

    def test_no_such_folder(self, tmp_path: Path) -> None:
        """What can't be opened is an OSError."""
        with pytest.raises(FileNotFoundError):
            AppendedFile(tmp_path / "none" / "file", 0o600)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_pipe_without_reader(self, tmp_path: Path) -> None:
        """A pipe that nobody reads is refused, not waited for."""
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="No such device"):
            AppendedFile(tmp_path / "pipe", 0o600)

    def test_reopen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the file was moved away a new one is made, wherever the program is by now."""
        monkeypatch.chdir(tmp_path)
        file = AppendedFile("file", 0o600)
        file.append(b"one\n")
        (tmp_path / "file").rename(tmp_path / "file.1")
        file.append(b"two\n")
        monkeypatch.chdir("/")
        file.reopen()
        file.append(b"three\n")
        file.close()
        assert (tmp_path / "file.1").read_bytes() == b"one\ntwo\n"
        assert (tmp_path / "file").read_bytes() == b"three\n"

    def test_reopen_in_vain(self, tmp_path: Path) -> None:
        """Where it can't be opened again the old one is kept."""
        folder = tmp_path / "folder"
        folder.mkdir()
        file = AppendedFile(folder / "file", 0o600)
        folder.rename(tmp_path / "moved")
        with pytest.raises(FileNotFoundError):
            file.reopen()
        file.append(b"one\n")
        file.close()
        assert (tmp_path / "moved" / "file").read_bytes() == b"one\n"

    def test_full_disk(self, tmp_path: Path, disk: FullDisk) -> None:
        """What can't be written is an error that tells how much was; then comes a line of its own."""
        file = AppendedFile(tmp_path / "file", 0o600)
        disk.room = 6
        with pytest.raises(AppendError, match="No space left on device") as refused:
            file.append(b"one\ntwo\n")
        assert refused.value.written == 6
        with pytest.raises(AppendError) as refused:
            file.append(b"three\n")
        assert refused.value.written == 0
        disk.room = 3
        with pytest.raises(AppendError) as refused:
            file.append(b"four\n")
        assert refused.value.written == 2
        disk.room = 1000
        file.append(b"five\n")
        file.append(b"six\n")
        assert (tmp_path / "file").read_bytes() == b"one\ntw\nfo\nfive\nsix\n"

    def test_closed(self, tmp_path: Path) -> None:
        """After the end nothing is written to it, nor to what has its number by then."""
        file = AppendedFile(tmp_path / "file", 0o600)
        file.close()
        with open(tmp_path / "other", "wb"), pytest.raises(AppendError, match="Bad file descriptor"):
            file.append(b"late\n")
        assert (tmp_path / "other").read_bytes() == b""
