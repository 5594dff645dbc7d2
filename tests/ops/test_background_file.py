"""Tests of `techboy.ops.background_file`."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from twisted.python.failure import Failure

from techboy.background_writer import WriteError
from techboy.ops.background_file import AppendedFile, FileWriter
from tests.marks import needs_named_pipes, needs_permissions, needs_renaming


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


class HangingDisk:
    """`os.write`, on a disk that does not answer until ``answers`` is set; ``hangs``: somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs, self.answers = Event(), Event()
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.hangs.set()
        assert self.answers.wait(30)
        return self._write(descriptor, data)


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

    @needs_permissions
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

    @needs_named_pipes
    def test_pipe_without_reader(self, tmp_path: Path) -> None:
        """A pipe that nobody reads is refused, not waited for."""
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="No such device"):
            AppendedFile(tmp_path / "pipe", 0o600)

    @needs_renaming
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
        with pytest.raises(WriteError, match="No space left on device") as refused:
            file.append(b"one\ntwo\n")
        assert refused.value.written == 6
        with pytest.raises(WriteError) as refused:
            file.append(b"three\n")
        assert refused.value.written == 0
        disk.room = 3
        with pytest.raises(WriteError) as refused:
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
        with open(tmp_path / "other", "wb"), pytest.raises(WriteError, match="Bad file descriptor"):
            file.append(b"late\n")
        assert (tmp_path / "other").read_bytes() == b""


class Told:
    """What is told of losses."""

    def __init__(self) -> None:
        self.losses: list[tuple[str, int]] = []

    def failed(self, why: str, count: int) -> None:
        """So much is lost."""
        self.losses.append((why, count))

    def worked(self) -> None:
        """All that came since is written."""
        self.losses.append(("", 0))


class FileWriterTests:
    """`FileWriter`."""

    def test_write(self, tmp_path: Path) -> None:
        """Lines are written in their order, in the background, and the file is let go of at the end."""
        path = tmp_path / "file"
        file = FileWriter(path, 0o600, Told(), len, 100)
        file.write(b"one\n")
        file.write(b"two\n")
        file.close()
        file.write(b"three\n")
        assert _content(path, 8) == b"one\ntwo\n"

    @needs_permissions
    def test_mode(self, tmp_path: Path) -> None:
        """The file has the rights that were asked for."""
        FileWriter(tmp_path / "file", 0o600, Told(), len, 100).close()
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600

    def test_lost(self, tmp_path: Path, disk: FullDisk) -> None:
        """What can't be written is counted, and that it can be again is told."""
        told = Told()
        file = FileWriter(tmp_path / "file", 0o600, told, len, 100)
        disk.room = 2
        file.write(b"one\n")
        assert file.settle(5)
        disk.room = 1000
        file.write(b"two\n")
        assert file.settle(5)
        file.close()
        assert told.losses == [("No space left on device", 2), ("", 0)]

    @needs_renaming
    def test_reopen(self, tmp_path: Path) -> None:
        """What was given before it is opened again is in the old file, what comes later in the new one."""
        path, moved = tmp_path / "file", tmp_path / "file.1"
        file = FileWriter(path, 0o600, Told(), len, 100)
        calls: list[Callable[[], None]] = []
        file.report_by(calls.append)
        file.write(b"one\n")
        assert file.settle(5)
        path.rename(moved)
        file.write(b"two\n")
        reopened = file.reopen()
        file.write(b"three\n")
        assert file.settle(5)
        assert not reopened.called
        for call in calls:
            call()
        assert reopened.called
        file.close()
        assert moved.read_bytes() == b"one\ntwo\n"
        assert path.read_bytes() == b"three\n"

    def test_reopen_in_vain(self, tmp_path: Path) -> None:
        """Where it can't be opened it goes on in the old one, and whoever asked is told why."""
        folder = tmp_path / "folder"
        folder.mkdir()
        file = FileWriter(folder / "file", 0o600, Told(), len, 100)
        folder.rename(tmp_path / "moved")
        failures: list[Failure] = []
        calls: list[Callable[[], None]] = []
        file.report_by(calls.append)
        file.reopen().addErrback(failures.append)
        file.write(b"one\n")
        assert file.settle(5)
        for call in calls:
            call()
        assert [type(failure.value) for failure in failures] == [FileNotFoundError]
        file.close()
        assert (tmp_path / "moved" / "file").read_bytes() == b"one\n"

    def test_hanging_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing waits for a disk that does not answer, also to open the file again and at the end."""
        path = tmp_path / "file"
        file = FileWriter(path, 0o600, Told(), len, 100)
        disk = HangingDisk(monkeypatch)
        file.write(b"one\n")
        assert disk.hangs.wait(5)
        reopened = file.reopen()
        file.finish(time.monotonic())
        file.close()
        assert not reopened.called
        disk.answers.set()
        assert _content(path, 4) == b"one\n"

    @needs_named_pipes
    def test_unread_pipe(self, tmp_path: Path) -> None:
        """A pipe that somebody has opened and does not read is written to when that one does."""
        os.mkfifo(tmp_path / "pipe")
        reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        told = Told()
        file = FileWriter(tmp_path / "pipe", 0o600, told, len, 1 << 22)
        line = b"x" * 999_999 + b"\n"
        file.write(line)
        file.write(line)
        assert not file.settle(0.01)
        os.set_blocking(reading, True)
        data = b""
        while len(data) < 2 * len(line):
            data += os.read(reading, 1 << 16)
        assert data == line * 2
        file.close()
        os.close(reading)
        assert told.losses == []


def _content(path: Path, size: int) -> bytes:
    """Return what is in the file as soon as it is so large, which takes a moment after it was closed."""
    deadline = time.monotonic() + 5
    while path.stat().st_size < size and time.monotonic() < deadline:
        time.sleep(0.001)  # before the file is looked at again: its thread does not say when it has written
    return path.read_bytes()
