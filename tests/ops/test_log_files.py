"""Tests of `techboy.ops.log_files`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import pytest
from twisted.logger import Logger, globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure

from techboy.ops.log_files import ReopeningFile, reopenable_log
from tests.marks import needs_renaming
from tests.ops.test_background_file import FullDisk, disk

__all__ = ["disk"]


class ReopeningFileTests:
    """The log in a file."""

    @needs_renaming
    def test_observer(self, tmp_path: Path) -> None:
        """Twisted's observer writes to it as text, and to a new file once the old one was moved away."""
        path = tmp_path / "log"
        file = ReopeningFile(path)
        log = Logger("x", observer=textFileLogObserver(cast(TextIO, file), None))
        log.info("one ½")
        path.rename(tmp_path / "log.1")
        file.reopen()
        log.info("two \udc80")
        assert file.settle(5)
        file.close()
        assert (tmp_path / "log.1").read_bytes() == "- [x#info] one ½\n".encode()
        assert path.read_bytes() == b"- [x#info] two \\udc80\n"
        assert not file.isatty()

    def test_reopen_in_vain(self, tmp_path: Path) -> None:
        """Where there can't be a new file the old one is written to, and whoever asked is told."""
        folder = tmp_path / "folder"
        folder.mkdir()
        file = ReopeningFile(folder / "log")
        folder.rename(tmp_path / "moved")
        failures: list[Failure] = []
        file.reopen().addErrback(failures.append)
        assert file.write("one\n") == 4
        assert file.settle(5)
        file.close()
        assert [type(failure.value) for failure in failures] == [FileNotFoundError]
        assert (tmp_path / "moved" / "log").read_text() == "one\n"

    def test_full_disk(self, tmp_path: Path, disk: FullDisk) -> None:
        """A full disk hurts nobody, and the log says afterwards how much of it is missing."""
        path = tmp_path / "log"
        file = ReopeningFile(path)
        observer = textFileLogObserver(cast(TextIO, file), None)
        globalLogPublisher.addObserver(observer)
        try:
            log = Logger("x")
            disk.room = 0
            log.info("one")
            log.info("two")
            assert file.settle(5)
            disk.room = 1000
            log.info("three")
            assert file.settle(5)
            log.info("four")
            assert file.settle(5)
            file.close()
        finally:
            globalLogPublisher.removeObserver(observer)
        three, missing, four = path.read_text().splitlines()
        assert three.endswith("three")
        assert missing.endswith("#warn] log file: 2 entries were dropped")
        assert four.endswith("four")


class ReplacementTests:
    """`reopenable_log`, for what `twist` was told."""

    def test_file(self, tmp_path: Path) -> None:
        """A file is replaced, and twist's own is closed."""
        path = tmp_path / "log"
        with open(path, "a") as file:
            twist: dict[str, Any] = {"logFile": file}
            log = reopenable_log(twist)
            assert log is not None
            assert twist["logFile"] is log
            assert file.closed
        log.write("a line\n")
        assert log.settle(5)
        log.close()
        assert path.read_text() == "a line\n"

    @pytest.mark.parametrize("stream", [sys.stdout, sys.stderr, None, io.StringIO()])
    def test_no_file(self, stream: object) -> None:
        """What is no file of a name stays as it is."""
        twist: dict[str, Any] = {"logFile": stream}
        assert reopenable_log(twist) is None
        assert twist["logFile"] is stream

    def test_gone(self, tmp_path: Path) -> None:
        """A file that can't be opened a second time is an error."""
        folder = tmp_path / "folder"
        folder.mkdir()
        with open(folder / "log", "a") as file:
            folder.rename(tmp_path / "moved")
            with pytest.raises(FileNotFoundError):
                reopenable_log({"logFile": file})
