"""Tests of logs in an SQLite file."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage import schema
from techboy.storage.interface import (
    CommitGroup,
    LogStore,
    MessageBatch,
    MessageDraft,
    MessageLog,
    StorageError,
)
from techboy.storage.sqlite import RECENT_MEMORY, SqliteLogStore, Sync
from tests.children import run, start
from tests.marks import needs_limits, needs_permissions, needs_renaming, needs_speed
from tests.storage.contract import (
    EVERYTHING,
    ROOM,
    LogsContract,
    append,
    draft,
    forget,
    lines_of,
    session,
    store,
    texts_of,
)
from tests.wire.texts import quick

PAGE = 4096
PIECE = "x" * 10_000


class _Contract(LogsContract):
    """Logs in a file are logs, however much of them is in memory."""

    keep_memory = RECENT_MEMORY

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self._paths = (tmp_path / str(number) for number in count())
        self._opened: dict[LogStore, Path] = {}
        yield
        for logs in self._opened:
            logs.close()

    def new_logs(self) -> LogStore:
        """Return logs in a new file."""
        return self._open(next(self._paths))

    def reopened(self, logs: LogStore) -> LogStore:
        """Return ``logs`` after they were closed and opened again."""
        path = self._opened.pop(logs)
        logs.close()
        return self._open(path)

    def _open(self, path: Path) -> LogStore:
        logs = SqliteLogStore(path, "normal", self.keep_memory)
        self._opened[logs] = path
        return logs


class SqliteLogsContractTests(_Contract):
    """With all in memory."""


class UncachedSqliteLogsContractTests(_Contract):
    """With no more in memory than the last batch."""

    keep_memory = 0


class HalfCachedSqliteLogsContractTests(_Contract):
    """With a few batches in memory."""

    keep_memory = 1500


class ReopenedSqliteLogsContractTests(_Contract):
    """With nothing in memory, after the logs were closed."""

    def again(self, logs: LogStore) -> LogStore:
        """Close them and open them again."""
        return self.reopened(logs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there."""
    return tmp_path / "house.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., SqliteLogStore]]:
    """Give a way to open logs that are closed after the test."""
    logs: list[SqliteLogStore] = []

    def open_(sync: Sync = "normal", keep_memory: int = 0) -> SqliteLogStore:
        logs.append(SqliteLogStore(path, sync, keep_memory))
        return logs[-1]

    yield open_
    for each in logs:
        each.close()


def read_all(log: MessageLog) -> list[str]:
    """Return all lines that are kept."""
    return [line.text for line in lines_of(log.read(0, EVERYTHING))]


def kill(path: Path, to: Path) -> Path:
    """Return a copy of the file ``path``, which is open, as it would be if the program were killed now."""
    shutil.copy(path, to)
    shutil.copy(path.with_name(path.name + "-wal"), to.with_name(to.name + "-wal"))
    return to


class FileTests:
    """One file keeps everything."""

    def test_id(self, path: Path) -> None:
        """The id is made with the file, and stays."""
        ids = []
        for _ in range(2):
            with closing(SqliteLogStore(path)) as logs:
                ids.append(logs.id)
        assert ids[0] == ids[1]
        assert len(bytes.fromhex(ids[0])) == 8

    def test_many_sessions(self, path: Path) -> None:
        """Of too many sessions the oldest go that are not in use, as soon as another is stored."""
        names = [bytes([name]) for name in b"abcdef"]
        with closing(SqliteLogStore(path, "normal", max_sessions=3)) as logs:
            assert logs.hold(b"a")
            for heard, name in enumerate(names[:4]):
                store(logs, [], 7.0, [session(name, heard=float(heard))])
            assert [name for name in names if logs.session(name)] == [b"a", b"c", b"d"]
            store(logs, [], 7.0, [session(b"d", line=2), session(b"c", heard=9.0)])
            assert logs.session(b"d") == session(b"d", line=2)
        with closing(SqliteLogStore(path, "normal", max_sessions=3)) as logs:
            store(logs, [], 7.0, [session(b"c", line=3, heard=9.0), session(b"e", heard=8.0)])
            assert [name for name in names if logs.session(name)] == [b"c", b"d", b"e"]
            forget(logs, None, 8.0)
            store(logs, [], 7.0, [session(b"f", heard=9.0)])
            assert [name for name in names if logs.session(name)] == [b"c", b"e", b"f"]

    def test_many_sessions_in_use(self, path: Path) -> None:
        """Where all are in use none goes; else room is made for a twentieth at once."""
        names = [bytes([name]) for name in range(41)]
        with closing(SqliteLogStore(path, "normal", max_sessions=40)) as logs:
            for name in names[:20]:
                assert logs.hold(name)
            store(logs, [], 7.0, [session(name, heard=float(name[0])) for name in names])
            kept = [name for name in names if logs.session(name)]
            assert kept == [*names[:20], *names[23:]]
            for name in kept:
                logs.hold(name)
            store(logs, [], 7.0, [session(b"new", heard=99.0), *map(session, (b"x", b"y", b"z"))])
            assert all(map(logs.session, kept))

    def test_clock_was_set_back(self, path: Path) -> None:
        """A file in which times decrease continues from the latest time of the last batches of its rooms."""
        with closing(SqliteLogStore(path)) as logs:
            append(logs, logs.open("a"), [draft("a")], 9.0)
            append(logs, logs.open("b"), [draft("b")], 9.0)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE batch SET at = 3.0 WHERE author = 'juliet' AND text = 'b'")
        with closing(SqliteLogStore(path)) as logs:
            (batch,) = append(logs, logs.open("a"), [draft("c")], 4.0)
            assert batch.at == 9.0

    @needs_permissions
    def test_private(self, path: Path) -> None:
        """Nobody but the owner may read it."""
        with closing(SqliteLogStore(path)) as logs:
            append(logs, logs.open(ROOM), [draft("a")])
            files = list(path.parent.iterdir())
            assert len(files) == 3
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_closed(self, path: Path) -> None:
        """All is in the one file when it is closed."""
        with closing(SqliteLogStore(path)) as logs:
            append(logs, logs.open(ROOM), [draft("a")])
        assert list(path.parent.iterdir()) == [path]

    def test_nothing_said(self, opened: Callable[..., SqliteLogStore], path: Path) -> None:
        """A room in which nothing was said is not in it."""
        logs = opened()
        store(logs, [(logs.open("quiet"), [])])
        append(logs, logs.open("loud"), [draft("a")])
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT key FROM room").fetchall() == [("loud",)]

    def test_refused(self, path: Path) -> None:
        """What is no file of this kind is not opened."""
        path.write_text("a rose by any other name")
        with pytest.raises(StorageError):
            SqliteLogStore(path)
        assert path.read_text() == "a rose by any other name"

    def test_emptied(self, path: Path) -> None:
        """One from which somebody has taken the most needed row is refused in one line, too."""
        SqliteLogStore(path).close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM store")
        with pytest.raises(StorageError, match="it is damaged"):
            SqliteLogStore(path)

    @pytest.mark.parametrize(("sync", "number"), [("full", 2), ("normal", 1)])
    def test_sync(self, opened: Callable[..., SqliteLogStore], sync: str, number: int) -> None:
        """It is waited for the disk after each group, or not."""
        logs = opened(sync)
        assert logs._writing.execute("PRAGMA synchronous").fetchone() == (number,)

    @needs_speed
    def test_bounded_beside(self, opened: Callable[..., SqliteLogStore], path: Path) -> None:
        """What SQLite writes beside it first does not grow for ever, also while it is read."""
        logs = opened()
        log = logs.open(ROOM)
        append(logs, log, [draft("x" * 20 * 1024 * 1024)])
        for _ in range(2000):
            append(logs, log, [draft(PIECE)])
            log.read(1, 1)
        assert path.with_name("house.sqlite-wal").stat().st_size < 6 * 1024 * 1024


class KilledTests:
    """A program that is killed leaves all that was written, and nothing else."""

    @pytest.mark.parametrize("keep_memory", [0, RECENT_MEMORY])
    def test_written(self, opened: Callable[..., SqliteLogStore], path: Path, keep_memory: int) -> None:
        """Lines, sessions, numbers, and the id."""
        logs = opened()
        number = logs.new_number()
        store(logs, [(logs.open(ROOM), [draft("a\nb", by=number)])], 7.0, [session(number=number)])
        logs.group([(logs.open(ROOM), [draft("c")])], [session(b"e")], 8.0)
        with closing(SqliteLogStore(kill(path, path.with_name("copy")), "full", keep_memory)) as left:
            assert left.id == logs.id
            assert read_all(left.open(ROOM)) == ["a", "b"]
            assert left.session(b"d") == session(number=number)
            assert left.session(b"e") is None
            assert left.new_number() > number

    def test_written_unsettled(self, opened: Callable[..., SqliteLogStore], path: Path) -> None:
        """Also what was written and not settled yet."""
        logs = opened()
        logs.write(logs.group([(logs.open(ROOM), [draft("a")])], [], 7.0))
        with closing(SqliteLogStore(kill(path, path.with_name("copy")))) as left:
            assert read_all(left.open(ROOM)) == ["a"]

    @pytest.mark.parametrize("sync", ["full", "normal"])
    @pytest.mark.parametrize("groups", [1, 7, 300])
    def test_kill(self, path: Path, sync: str, groups: int) -> None:
        """[P8] In the middle of writing: whole groups are there, at least all known to be written."""
        command = [sys.executable, "-c", WRITER, str(path), sync]
        with start(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for number in range(groups):
                assert int(writer.stdout.readline()) == number
            writer.kill()
            known = groups + len(writer.stdout.read().splitlines(keepends=False))
        with closing(SqliteLogStore(path)) as logs:
            lines = read_all(logs.open("first"))
            written = len(lines) // 2
            assert written >= known - 1  # the last line may be torn
            assert lines == [text for number in range(written) for text in (f"{number}", "b")]
            assert read_all(logs.open("second")) == [f"{number}" for number in range(written)]
            kept = logs.session(b"d")
            assert kept is not None
            assert kept.next == written


WRITER = """
import sys
from itertools import count
from pathlib import Path
from techboy.storage.interface import MessageDraft, SessionRecord
from techboy.storage.sqlite import SqliteLogStore

logs = SqliteLogStore(Path(sys.argv[1]), sys.argv[2])
first, second = logs.open("first"), logs.open("second")
for number in count():
    draft = MessageDraft(1, "juliet", "text", str(number))
    drafts = [(first, [MessageDraft(1, "juliet", "text", f"{number}\\nb")]), (second, [draft])]
    group = logs.group(drafts, [SessionRecord(1, b"d", "juliet", number + 1, "first", 0, 7.0)], 7.0)
    logs.write(group)
    logs.publish(group)
    print(number, flush=True)
"""


class FailureTests:
    """What can't be written is not there, and all goes on when it can be."""

    @needs_renaming
    def test_away(self, opened: Callable[..., SqliteLogStore], path: Path) -> None:
        """While the file is away nothing is written or forgotten; the same ids are given when it is back."""
        logs, elsewhere = opened(), path.with_name("elsewhere")
        append(logs, logs.open(ROOM), [draft("a")])
        path.rename(elsewhere)
        for room in (ROOM, "new"):
            group = logs.group([(logs.open(room), [draft("b")])], [session(b"new")], 8.0)
            with pytest.raises(StorageError, match="removed or replaced"):
                logs.write(group)
        with pytest.raises(StorageError, match="removed or replaced"):
            logs.prune(9.0, 9.0)
        elsewhere.rename(path)
        log, new = logs.open(ROOM), logs.open("new")
        store(logs, [(log, [draft("c")]), (new, [draft("d")])], 8.0, [])
        del log, new
        for now in (logs, opened()):
            assert read_all(now.open(ROOM)) == ["a", "c"]
            assert read_all(now.open("new")) == ["d"]
            assert now.session(b"new") is None

    def fail(self, logs: SqliteLogStore, text: str = PIECE) -> None:
        """Try to store something for which there is no room."""
        drafts = [(logs.open(ROOM), [draft("b"), draft(text)]), (logs.open("new"), [draft(text)])]
        group = logs.group(drafts, [session(b"new", logs.new_number())], 8.0)
        with pytest.raises(StorageError) as error:
            logs.write(group)
        assert str(error.value).endswith(": database or disk is full")
        assert len(str(error.value).splitlines()) == 1

    def test_full(self, opened: Callable[..., SqliteLogStore]) -> None:
        """Nothing of the group is kept, in no room, nor of its sessions; the same group is stored later."""
        logs = opened()
        append(logs, logs.open(ROOM), [draft("a")])
        [pages] = logs._writing.execute("PRAGMA page_count").fetchone()
        logs._writing.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(3):
            self.fail(logs, PIECE * 10)
        assert read_all(logs.open(ROOM)) == ["a"]
        assert read_all(logs.open("new")) == []
        assert logs.session(b"new") is None
        store(logs, [], 8.0, [session()])  # which needs no page more
        logs._writing.execute("PRAGMA max_page_count = 100000")
        log, new = logs.open(ROOM), logs.open("new")
        store(logs, [(log, [draft("b")]), (new, [draft("c")])], 8.0, [session(b"new")])
        del log, new
        for now in (logs, opened()):
            assert read_all(now.open(ROOM)) == ["a", "b"]
            assert read_all(now.open("new")) == ["c"]
            assert now.session(b"new") == session(b"new")

    @needs_limits
    @pytest.mark.parametrize("sync", ["full", "normal"])
    def test_no_room(self, path: Path, sync: str) -> None:
        """The system may have no room for the file."""
        command = [sys.executable, "-c", LIMITED, str(path), sync]
        ran = run(command, capture_output=True, text=True, check=False)
        assert (ran.stderr, ran.returncode) == ("", 0)
        failed, after = ran.stdout.splitlines()
        assert failed.startswith(f"{path}: ")
        with closing(SqliteLogStore(path)) as logs:
            lines = read_all(logs.open(ROOM))
            assert str(len(lines)) == after
            assert lines[-1] == "last"
            assert set(lines[:-1]) == {PIECE}

    def test_bad_values(self, opened: Callable[..., SqliteLogStore]) -> None:
        """What the file can't hold is not written, and harms nothing."""
        logs = opened()
        log = logs.open(ROOM)
        for bad in (session(line=2**63), session(number=-(2**80))):
            with pytest.raises(StorageError):
                logs.write(logs.group([(log, [draft("a")])], [bad], 7.0))
        with pytest.raises(StorageError):
            logs.write(logs.group([(log, [draft("a"), draft("\udcff")])], [], 7.0))
        assert read_all(log) == []
        append(logs, log, [draft("b")])
        assert read_all(log) == ["b"]

    def test_gone(self, path: Path) -> None:
        """Where nothing works any more, each thing that is tried says so."""
        logs = SqliteLogStore(path, recent_memory=0)
        log = logs.open(ROOM)
        append(logs, log, [draft("a"), draft("b")])
        group = logs.group([(log, [draft("c")])], [], 7.0)
        logs.close()
        tries: list[Callable[[], object]] = [
            partial(logs.write, group),
            partial(log.read, 0, 1),
            partial(log.read_last, 2),
            partial(logs.open, "other"),
            partial(logs.session, b"d"),
            partial(logs.prune, 9.0, 9.0),
        ]
        for each in tries:
            with pytest.raises(StorageError, match="closed database"):
                each()
        assert texts_of(log.read_last(1)) == ["b"]  # which is in memory

    def test_prune_fails(self, opened: Callable[..., SqliteLogStore]) -> None:
        """Where what is old can't be forgotten, all of it is kept."""
        logs = opened()
        log = logs.open(ROOM)
        store(logs, [(log, [draft("a")])], 1.0, [session(heard=1.0)])
        logs._writing.execute(
            "CREATE TEMP TRIGGER fail BEFORE DELETE ON main.batch BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(StorageError, match=r": no$"):
            logs.prune(9.0, 9.0)
        assert read_all(log) == ["a"]
        assert logs.session(b"d") == session(heard=1.0)
        assert (log.last, log.deleted_through) == (1, 0)


LIMITED = """
import resource
import sys
from pathlib import Path
from techboy.storage.interface import MessageDraft, StorageError
from techboy.storage.sqlite import SqliteLogStore

logs = SqliteLogStore(Path(sys.argv[1]), sys.argv[2], 0)
log = logs.open("lobby")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))

def store(text):
    group = logs.group([(log, [MessageDraft(1, "juliet", "text", text)])], [], 7.0)
    logs.write(group)
    logs.publish(group)

failed = []
while len(failed) < 3:
    try:
        store("x" * 10_000)
    except StorageError as error:
        failed.append(error)
print(failed[0])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store("last")
print(log.last)
logs.close()
"""


class DamageTests:
    """Damage that was not found at opening is said when it is met."""

    def test_met(
        self, path: Path, opened: Callable[..., SqliteLogStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading there fails with one line, and elsewhere does not."""
        with closing(SqliteLogStore(path)) as logs:
            append(logs, logs.open(ROOM), [draft(f"{line:0500}") for line in range(1000)])
        content = path.read_bytes()
        place = content.index(f"{100:0500}".encode()) // PAGE * PAGE
        path.write_bytes(content[:place] + b"\xaa" * PAGE + content[place + PAGE :])
        monkeypatch.setattr(schema, "CHECKED_WHOLE", 0)
        log = opened().open(ROOM)
        with pytest.raises(StorageError) as error:
            log.read(0, EVERYTHING)
        assert str(error.value) == f"{path}: it is damaged"
        assert [line.text for line in lines_of(log.read_last(3))] == [
            f"{line:0500}" for line in (997, 998, 999)
        ]


class ReadingTests:
    """The file is read no more than is needed."""

    @pytest.fixture
    def rows(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Give the number of each row that is read from the file as a batch."""
        rows: list[int] = []

        def batch(first: int, *rest: Any) -> MessageBatch:
            rows.append(first)
            return MessageBatch(first, *rest)

        monkeypatch.setattr("techboy.storage.sqlite.MessageBatch", batch)
        return rows

    @pytest.fixture
    def log(self, opened: Callable[..., SqliteLogStore]) -> MessageLog:
        """Give a log of a thousand batches, the last five of which are in memory."""
        logs = opened("normal", 5 * 600)
        log = logs.open(ROOM)
        append(logs, log, [draft("x" * 100) for _ in range(1000)])
        self.logs = logs  # which are held while the log is used
        return log

    def test_recent(self, log: MessageLog, rows: list[int]) -> None:
        """What was stored last is not read from it."""
        assert len(log.read_last(5)) == len(log.read(995, EVERYTHING)) == 5
        assert rows == []

    def test_no_more(self, log: MessageLog, rows: list[int]) -> None:
        """No more rows are read than are asked for."""
        assert len(log.read(500, 300)) == 3
        assert rows == [501, 502, 503]
        rows.clear()
        assert len(log.read_last(7)) == 7
        assert rows == list(range(1000, 993, -1))

    def test_indexed(self, opened: Callable[..., SqliteLogStore]) -> None:
        """Rows are found, not looked for: however many there are, the work is the same."""
        logs = opened()
        for room in ("other", ROOM, "another"):
            append(logs, logs.open(room), [draft("x") for _ in range(5000)])
        gc.collect()
        log = logs.open(ROOM)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        logs._reader._connection.set_progress_handler(step, 1)
        assert len(log.read(2500, 1)) == 1
        assert len(log.read_last(10)) == 10
        append(logs, logs.open("loud"), [draft("y")])
        assert logs.open("quiet").last == 0
        assert steps < 1000

    def test_pruned_meanwhile(self, opened: Callable[..., SqliteLogStore]) -> None:
        """Where all between was forgotten and it is not known yet, what comes next is read."""
        logs = opened()
        log = logs.open(ROOM)
        append(logs, log, [draft("a")], 1.0)
        append(logs, log, [draft("b")], 2.0)
        forgotten = logs.prune(2.0, 0.0)
        assert texts_of(log.read(0, EVERYTHING)) == texts_of(log.read_last(5)) == ["b"]
        forgotten = {**forgotten, **logs.prune(3.0, 0.0)}
        assert texts_of(log.read(0, EVERYTHING)) == ["b"]
        logs.apply_pruning(forgotten)
        assert log.read(0, EVERYTHING) == log.read_last(5) == []
        assert (log.last, log.deleted_through) == (2, 2)

    def test_opened_while_pruned(self, opened: Callable[..., SqliteLogStore]) -> None:
        """A log that is opened when lines are forgotten and not yet known to be goes on with its ids."""
        logs = opened()
        append(logs, logs.open(ROOM), [draft("a\nb")], 1.0)
        gc.collect()
        forgotten = logs.prune(9.0, 0.0)
        log = logs.open(ROOM)
        logs.apply_pruning(forgotten)
        assert (log.last, log.deleted_through) == (2, 2)
        [batch] = append(logs, log, [draft("c")])
        assert batch.first == 3


class ThreadTests:
    """Another thread writes while this one reads."""

    def test_write_elsewhere(self, opened: Callable[..., SqliteLogStore]) -> None:
        """What it writes is there, and what it can't is raised there."""
        logs = opened()
        log = logs.open(ROOM)
        for number in range(20):
            group = logs.group([(log, [draft(str(number))])], [session(line=number)], float(number))
            self.run(partial(logs.write, group))
            assert read_all(log) == list(map(str, range(number)))
            logs.publish(group)
        forgotten: list[dict[str, int]] = []
        self.run(lambda: forgotten.append(dict(logs.prune(10.0, 0.0))))
        logs.apply_pruning(forgotten[0])
        assert read_all(log) == list(map(str, range(10, 20)))
        assert logs.session(b"d") == session(line=19)

    def test_at_once(self, opened: Callable[..., SqliteLogStore]) -> None:
        """Reading all the while, one reads whole groups in order."""
        logs = opened()
        log = logs.open(ROOM)
        append(logs, log, [draft("0"), draft("0")])
        done = threading.Event()

        def write(group: CommitGroup) -> None:
            logs.write(group)
            done.set()

        for number in range(1, 50):
            done.clear()
            group = logs.group([(log, [draft(str(number)), draft(str(number))])], [], 7.0)
            thread = threading.Thread(target=write, args=[group])
            thread.start()
            while not done.is_set():
                assert read_all(log) == [str(line // 2) for line in range(2 * number)]
            thread.join()
            logs.publish(group)

    def run(self, work: Callable[[], object]) -> None:
        """Do ``work`` in another thread."""
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


class CloseOverTests:
    """However often the logs are closed, killed and opened: what was written is there."""

    def test_property(self, tmp_path: Path) -> None:
        """In the order in which it was written, with ids and numbers that go on."""
        numbers = count()
        steps = st.sampled_from(["say", "other", "close", "kill", "fail"])

        @quick
        @given(st.lists(steps, max_size=25))
        def check(done: list[str]) -> None:
            path = tmp_path / str(next(numbers))
            logs = SqliteLogStore(path, "normal", 1000)
            said: dict[str, list[str]] = {ROOM: [], "other": []}
            highest = 0
            for step in done:
                if step == "close":
                    logs.close()
                    logs = SqliteLogStore(path, "normal", 1000)
                elif step == "kill":
                    killed = kill(path, tmp_path / str(next(numbers)))
                    logs.close()
                    path, logs = killed, SqliteLogStore(killed, "normal", 1000)
                elif step == "fail":
                    logs.group([(logs.open(ROOM), [draft("lost")])], [], 7.0)
                else:
                    room = ROOM if step == "say" else "other"
                    number = logs.new_number()
                    assert number > highest
                    highest = number
                    text = f"{number}\n" + "x" * 100
                    append(logs, logs.open(room), [MessageDraft(number, "juliet", "text", text)])
                    said[room] += text.split("\n")
                for each, lines in said.items():
                    assert read_all(logs.open(each)) == lines
                    assert [line.text for line in lines_of(logs.open(each).read_last(3))] == lines[-3:]
            logs.close()

        check()


def test_prune_keeps_bounds(opened: Callable[..., SqliteLogStore]) -> None:
    """What is forgotten in time leaves its place in the file to others."""
    logs = opened()
    log = logs.open(ROOM)
    sizes = set()
    for at in range(40):
        append(logs, log, [draft(PIECE)] * 10, float(at))
        forget(logs, at - 4.0)
        if at > 10:
            sizes.add(logs._writing.execute("PRAGMA page_count").fetchone()[0])
    assert max(sizes) < 250
    assert (log.last, log.deleted_through) == (400, 350)
