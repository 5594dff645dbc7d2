"""Tests of `techboy.terminal.prompt.history`."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techboy.systems import ON_WINDOWS
from techboy.terminal.prompt.history import LIMIT, FileHistory, history_file
from tests.marks import needs_links, needs_named_pipes, needs_permissions


def recalled(path: Path | None) -> list[str]:
    """Return what a program that starts now recalls, the oldest first."""
    return [*FileHistory(path).load_history_strings()][::-1]


def mode(path: Path) -> int:
    """Return who may do what with ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


class HistoryFileTests:
    """Where what was typed is remembered."""

    def test_state_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is among what outlives a program."""
        monkeypatch.setenv("XDG_STATE_HOME", "/state")
        assert history_file("juliet", windows=False) == Path("/state/techboy/juliet.history")

    def test_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no place for that there is none for it."""
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.delenv("HOME", raising=False)
        assert history_file("juliet", windows=False) is None


class RememberedTests:
    """What is remembered from one run to the next."""

    def test_runs(self, tmp_path: Path) -> None:
        """What was typed in one run is there in the next, the newest first, as prompt_toolkit wants it."""
        path = tmp_path / "techboy" / "juliet.history"
        first = FileHistory(path)
        assert [*first.load_history_strings()] == []
        first.append_string("one")
        first.append_string("two")
        assert first.get_strings() == ["one", "two"]
        second = FileHistory(path)
        assert [*second.load_history_strings()] == ["two", "one"]

    @given(st.lists(st.text()))
    @example(["two\nlines", "\r", "\x00\x1b[31m\x85\u2028", "né 💌", '"\\', "\udcff"])
    def test_any_text(self, entries: list[str]) -> None:
        """Whatever was typed comes back as it was, each entry by itself, and the file is ASCII."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "history")
            history = FileHistory(path)
            for entry in entries:
                history.store_string(entry)
            assert recalled(path) == entries
            assert not entries or path.read_bytes().isascii()

    @needs_permissions
    def test_private(self, tmp_path: Path) -> None:
        """Folder and file are made for nobody but their owner; a folder that is there stays as it is."""
        path = tmp_path / "techboy" / "juliet.history"
        FileHistory(path).store_string("hello")
        assert (mode(path.parent), mode(path)) == (0o700, 0o600)
        path.parent.chmod(0o755)
        FileHistory(path).store_string("hello")
        assert mode(path.parent) == 0o755

    def test_two_programs(self, tmp_path: Path) -> None:
        """Two programs that remember in turns lose nothing of each other's."""
        path = tmp_path / "history"
        one, other = FileHistory(path), FileHistory(path)
        for number in range(10):
            one.store_string(f"one {number}")
            other.store_string(f"other {number}")
        assert recalled(path) == [f"{who} {number}" for number in range(10) for who in ("one", "other")]

    def test_damaged(self, tmp_path: Path) -> None:
        """What is no entry, or only part of one, is passed over, and spoils nothing after it."""
        path = tmp_path / "history"
        FileHistory(path).store_string("before")
        with path.open("ab") as file:
            file.write(b'\n\xff\xfe\n17\n\n{"a": 1}\n' + b"[" * 100_000 + b'\n"torn')
        FileHistory(path).store_string("after")
        assert recalled(path) == ["before", "after"]

    def test_too_long(self, tmp_path: Path) -> None:
        """Of a file that has become too long the newer half is kept, in whole entries."""
        path = tmp_path / "history"
        entries = [f"{number:06} {'x' * 90}" for number in range(12_000)]
        path.write_text("".join(f'\n"{entry}"' for entry in entries))
        path.chmod(0o600)
        assert path.stat().st_size > LIMIT
        kept = recalled(path)
        assert kept == entries[-len(kept) :]
        assert LIMIT // 2 - 200 < path.stat().st_size <= LIMIT // 2
        assert recalled(path) == kept
        assert ON_WINDOWS or mode(path) == 0o600
        assert os.listdir(tmp_path) == ["history"]

    def test_not_too_long(self, tmp_path: Path) -> None:
        """A file that is as long as it may be is left alone."""
        path = tmp_path / "history"
        path.write_bytes(b'\n"' + b"x" * (LIMIT - 3) + b'"')
        assert recalled(path) == ["x" * (LIMIT - 3)]
        assert path.stat().st_size == LIMIT

    def test_one_entry_too_long(self, tmp_path: Path) -> None:
        """An entry that is longer than all that is kept is forgotten."""
        path = tmp_path / "history"
        path.write_text('\n"' + "x" * LIMIT + '"')
        assert recalled(path) == []
        assert path.read_bytes() == b""

    @needs_links
    def test_link(self, tmp_path: Path) -> None:
        """A file that is kept elsewhere, with a link to it, stays there when it is shortened."""
        path, elsewhere = tmp_path / "history", tmp_path / "elsewhere"
        elsewhere.write_text('\n"old"' * (LIMIT // 6) + '\n"new"')
        path.symlink_to(elsewhere)
        assert recalled(path)[-1] == "new"
        assert path.is_symlink()
        assert elsewhere.stat().st_size <= LIMIT // 2

    def test_not_replaceable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a file can't be shortened it is read all the same, and stays as it was."""

        def refuse(*_: object) -> None:
            raise PermissionError

        path = tmp_path / "history"
        path.write_text('\n"old"' * (LIMIT // 6) + '\n"new"')
        size = path.stat().st_size
        monkeypatch.setattr(os, "replace", refuse)
        assert recalled(path)[-1] == "new"
        assert (path.stat().st_size, os.listdir(tmp_path)) == (size, ["history"])

    def test_grown_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What another program remembers while the file is being shortened is not lost."""
        path = tmp_path / "history"
        path.write_text('\n"old"' * (LIMIT // 6) + '\n"new"')
        resolve = Path.resolve

        def resolved(self: Path, strict: bool = False) -> Path:
            FileHistory(path).store_string("newest")
            return resolve(self, strict)

        monkeypatch.setattr(Path, "resolve", resolved)
        recalled(path)
        monkeypatch.undo()
        assert recalled(path)[-2:] == ["new", "newest"]

    @pytest.mark.parametrize(
        "obstacle", ["nowhere", "a folder", "below a file", pytest.param("a pipe", marks=needs_named_pipes)]
    )
    def test_unusable(self, obstacle: str, tmp_path: Path) -> None:
        """Where nothing can be kept it is remembered for this run, and nobody has to wait or is told."""
        path: Path | None = tmp_path / "history"
        assert path is not None
        if obstacle == "nowhere":
            path = None
        elif obstacle == "a folder":
            path.mkdir()
        elif obstacle == "below a file":
            path.write_text("")
            path /= "history"
        else:
            os.mkfifo(path)
        history = FileHistory(path)
        assert [*history.load_history_strings()] == []
        history.append_string("hello")
        assert history.get_strings() == ["hello"]
        assert recalled(path) == []
