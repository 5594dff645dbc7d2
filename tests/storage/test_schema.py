"""Tests of how files of ours are made, known, checked and brought up to date."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from techboy.storage import schema as schema_module
from techboy.storage.client_store import SCHEMA as KEEPSAKE
from techboy.storage.interface import StorageError
from techboy.storage.schema import FilePresence, Schema, connect, connect_reader, storage_errors, transaction
from techboy.storage.sqlite import SCHEMA as LOGS
from techboy.systems import ON_WINDOWS
from tests.marks import needs_permissions, needs_renaming

SCHEMA = Schema(
    application=0x1234_5678,
    steps=(
        ("CREATE TABLE rose (name TEXT NOT NULL)", "INSERT INTO rose VALUES ('first')"),
        ("ALTER TABLE rose ADD COLUMN smell TEXT", "UPDATE rose SET smell = 'sweet'"),
        ("CREATE INDEX rose_by_name ON rose (name)",),
    ),
    probes=("SELECT * FROM rose ORDER BY rowid DESC LIMIT 10", "SELECT smell FROM rose LIMIT 1"),
)


def make(path: Path, schema: Schema = SCHEMA) -> None:
    """Make a file, and close it."""
    connect(path, schema).close()


def fill(path: Path, rows: int = 3000) -> None:
    """Make a file of many pages."""
    with closing(connect(path, SCHEMA)) as connection, transaction(connection):
        connection.executemany(
            "INSERT INTO rose VALUES (?, 'sweet')", [(f"{row:0100}",) for row in range(rows)]
        )


def leave_waiting(path: Path, *statements: str) -> None:
    """Make ``statements`` on the file ``path`` as a program does that is killed after it."""
    before = path.with_name("before")
    path.rename(before)
    with closing(sqlite3.connect(before, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)
        shutil.copy(before, path)
        shutil.copy(before.with_name("before-wal"), path.with_name(path.name + "-wal"))
    before.unlink()


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files in ``folder`` but those that hold nothing of their own."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


def refused(path: Path) -> str:
    """Return why ``path`` can't be opened, which leaves everything as it is."""
    before = contents(path.parent)
    with pytest.raises(StorageError) as error:
        connect(path, SCHEMA)
    assert contents(path.parent) == before
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert len(text.splitlines()) == 1
    return text.removeprefix(f"{path}: ")


def described(path: Path) -> list[object]:
    """Return all that the steps make of a file."""
    with closing(sqlite3.connect(path)) as connection:
        queries = [
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name",
            "PRAGMA application_id",
            "PRAGMA user_version",
            "PRAGMA journal_mode",
            "PRAGMA page_size",
            "PRAGMA integrity_check",
        ]
        return [connection.execute(query).fetchall() for query in queries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there."""
    return tmp_path / ("a file#%20.sqlite" if ON_WINDOWS else "a file?#%20.sqlite")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be too large to be checked whole."""
    monkeypatch.setattr(schema_module, "CHECKED_WHOLE", 0)


class NewFileTests:
    """A file is made where it is missing."""

    def test_made(self, path: Path) -> None:
        """It has all that the steps make, and what they put there."""
        with closing(connect(path, SCHEMA)) as connection:
            assert connection.execute("SELECT * FROM rose").fetchall() == [("first", "sweet")]
            assert connection.execute("PRAGMA user_version").fetchone() == (3,)
            assert connection.execute("PRAGMA application_id").fetchone() == (0x1234_5678,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert not connection.in_transaction

    def test_kept(self, path: Path) -> None:
        """What is put there is there when it is opened again, by a reader too."""
        with closing(connect(path, SCHEMA)) as connection:
            connection.execute("INSERT INTO rose VALUES ('second', 'none')")
        with closing(connect(path, SCHEMA)), closing(connect_reader(path)) as reader:
            assert reader.execute("SELECT count(*) FROM rose").fetchone() == (2,)
            with pytest.raises(sqlite3.OperationalError):
                reader.execute("DELETE FROM rose")

    @needs_permissions
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
    def test_private(self, path: Path, umask: int) -> None:
        """Nobody but the owner may read it, nor what SQLite puts beside it."""
        before = os.umask(umask)
        try:
            with closing(connect(path, SCHEMA)) as connection:
                connection.execute("INSERT INTO rose VALUES ('second', 'none')")
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        finally:
            os.umask(before)
        assert modes == dict.fromkeys([path.name, path.name + "-wal", path.name + "-shm"], 0o600)

    @needs_permissions
    def test_mode_left(self, path: Path) -> None:
        """A file that is there keeps its mode."""
        make(path)
        path.chmod(0o640)
        make(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_begun(self, path: Path) -> None:
        """What a program left that was killed while it made the file is made anew."""
        for left in (".new", ".new-journal", ".new-wal", ".new-shm"):
            path.with_name(path.name + left).write_text("a rose")
        make(path)
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_fails(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where it can't be made as a whole it is not there."""
        broken = Schema(1, (*SCHEMA.steps, ("CREATE TABLE rose (name)",)), ())
        with pytest.raises(StorageError, match="table rose already exists"):
            connect(path, broken)
        assert not path.exists()
        make(path)

    def test_no_directory(self, path: Path) -> None:
        """It can't be made in nothing, nor be a directory."""
        with pytest.raises(StorageError) as error:
            connect(path / "file", SCHEMA)
        assert str(error.value) == f"{path / 'file'}: No such file or directory"
        path.mkdir()
        with pytest.raises(StorageError) as error:
            connect(path, SCHEMA)
        assert str(error.value) == f"{path}: it is not a file"

    def test_no_permission(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that may not be written can't be opened."""
        make(path)
        monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
        assert refused(path) == "Permission denied"

    def test_belongs_to_another(self, path: Path) -> None:
        """What was beside a file that is gone is not taken for the new one's."""
        make(path)
        leave_waiting(path, "INSERT INTO rose VALUES ('second', 'none')")
        path.unlink()
        assert refused(path) == "it is missing, but the file that ends in -wal is there"


class OlderFileTests:
    """An older file gets the steps that it lacks."""

    @pytest.mark.parametrize("schema", [SCHEMA, LOGS, KEEPSAKE], ids=["test", "logs", "keepsake"])
    def test_as_new(self, path: Path, schema: Schema) -> None:
        """It is like a new one then, whichever version it was."""
        new = path.with_name("new")
        make(new, schema)
        for version in range(1, len(schema.steps) + 1):
            make(path, schema.at_version(version))
            make(path, schema)
            assert described(path) == described(new)
            path.unlink()

    @pytest.mark.usefixtures("unchecked")
    def test_not_looked_at(self, path: Path) -> None:
        """What it lacks is not looked for."""
        make(path, SCHEMA.at_version(1))
        make(path)
        with closing(connect(path, SCHEMA)) as connection:
            assert connection.execute("SELECT smell FROM rose").fetchall() == [("sweet",)]

    def test_with_waiting(self, path: Path) -> None:
        """What waited beside it is not lost with that."""
        make(path, SCHEMA.at_version(1))
        leave_waiting(path, "INSERT INTO rose VALUES ('second')")
        with closing(connect(path, SCHEMA)) as connection:
            assert connection.execute("SELECT * FROM rose").fetchall() == [
                ("first", "sweet"),
                ("second", "sweet"),
            ]

    def test_step_fails(self, path: Path) -> None:
        """A step that fails is not made at all, those before it are, and it is made when it can be."""
        steps = (
            SCHEMA.steps[0],
            SCHEMA.steps[1],
            ("CREATE TABLE thorn (length)", "INSERT INTO thorn VALUES (1, 2)"),
        )
        make(path, SCHEMA.at_version(1))
        with pytest.raises(StorageError, match="thorn has 1 column"):
            connect(path, Schema(SCHEMA.application, steps, ()))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        make(path)
        new = path.with_name("new")
        make(new)
        assert described(path) == described(new)


class RefusedFileTests:
    """A file that is not right is left as it is, with what lies beside it."""

    def test_newer(self, path: Path) -> None:
        """It may be of a newer version."""
        make(path, Schema(SCHEMA.application, (*SCHEMA.steps, ("CREATE TABLE thorn (length)",)), ()))
        assert refused(path) == "it is of a newer version of techboy"

    def test_newer_waiting(self, path: Path) -> None:
        """Also where what makes it newer still waits beside it."""
        make(path)
        leave_waiting(path, "PRAGMA user_version = 4")
        assert refused(path) == "it is of a newer version of techboy"

    def test_other_kind(self, path: Path) -> None:
        """It may be ours, and keep something else."""
        make(path, KEEPSAKE)
        assert refused(path) == "it is not a Techboy file, or not of this kind"

    @pytest.mark.parametrize("journal", ["WAL", "DELETE"])
    def test_foreign(self, path: Path, journal: str) -> None:
        """It may be another program's."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}")
            connection.execute("CREATE TABLE rose (name)")
        assert refused(path) == "it is not a Techboy file, or not of this kind"

    def test_foreign_waiting(self, path: Path) -> None:
        """Also where it is in use."""
        sqlite3.connect(path).close()
        leave_waiting(path, "CREATE TABLE rose (name)")
        assert refused(path) == "it is not a Techboy file, or not of this kind"

    @pytest.mark.parametrize("content", [b"a rose by any other name\n" * 500, b"a", b"\0" * 4096])
    def test_no_database(self, path: Path, content: bytes) -> None:
        """It may be anything."""
        path.write_bytes(content)
        assert refused(path).startswith("it is not a Techboy file")

    def test_empty(self, path: Path) -> None:
        """It may be empty, which ours never are."""
        path.touch()
        assert refused(path) == "it is not a Techboy file, or not of this kind"

    @pytest.mark.parametrize("kept", [1, 20, 99, 100, 1000, 4095, 4096, 4097, 8192, 50_000, -4096, -1])
    @pytest.mark.parametrize("whole", [True, False])
    def test_cut(self, path: Path, kept: int, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its end may be missing, wherever that begins."""
        fill(path)
        content = path.read_bytes()
        path.write_bytes(content[:kept])
        monkeypatch.setattr(schema_module, "CHECKED_WHOLE", 10**9 if whole else 0)
        assert refused(path).startswith("it is ")

    def test_damaged(self, path: Path) -> None:
        """A page of it may be damaged."""
        fill(path)
        content = bytearray(path.read_bytes())
        content[40 * 4096 : 41 * 4096] = b"\xaa" * 4096
        path.write_bytes(content)
        assert refused(path) == "it is damaged"

    def test_damaged_waiting(self, path: Path) -> None:
        """Also where something still waits beside it."""
        fill(path)
        leave_waiting(path, "INSERT INTO rose VALUES ('last', 'none')")
        content = bytearray(path.read_bytes())
        content[40 * 4096 : 41 * 4096] = b"\xaa" * 4096
        path.write_bytes(content)
        assert refused(path) == "it is damaged"

    @pytest.mark.usefixtures("unchecked")
    def test_last_page_damaged(self, path: Path) -> None:
        """Of a large file the last rows are read."""
        fill(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP INDEX rose_by_name")
            connection.execute("VACUUM")
            connection.execute(SCHEMA.steps[2][0])
        make(path)
        content = path.read_bytes()
        place = content.index(f"{2999:0100}".encode()) // 4096 * 4096
        path.write_bytes(content[:place] + b"\xaa" * 4096 + content[place + 4096 :])
        assert refused(path) == "it is damaged"

    def test_lacks(self, path: Path) -> None:
        """Something that its version has may be missing."""
        make(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP INDEX rose_by_name")
        assert refused(path) == "it is damaged"

    def test_has_more(self, path: Path) -> None:
        """What somebody has added is no harm."""
        make(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE thorn (length)")
        make(path)


class KilledTests:
    """What a killed program left beside a file is in it."""

    @pytest.mark.parametrize("whole", [True, False])
    def test_recovered(self, path: Path, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing that was committed is lost."""
        monkeypatch.setattr(schema_module, "CHECKED_WHOLE", 10**9 if whole else 0)
        fill(path)
        leave_waiting(path, "INSERT INTO rose VALUES ('last', 'none')")
        with closing(connect(path, SCHEMA)) as connection:
            assert connection.execute("SELECT count(*) FROM rose WHERE name = 'last'").fetchone() == (1,)
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_torn(self, path: Path) -> None:
        """What was not committed as a whole is not there, all that was before it is."""
        make(path)
        leave_waiting(path, "INSERT INTO rose VALUES ('second', '')", "INSERT INTO rose VALUES ('third', '')")
        waiting = path.with_name(path.name + "-wal")
        waiting.write_bytes(waiting.read_bytes()[:-100])
        with closing(connect(path, SCHEMA)) as connection:
            assert connection.execute("SELECT name FROM rose").fetchall() == [("first",), ("second",)]


class TransactionTests:
    """What is done together is kept together."""

    @pytest.fixture
    def connection(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Give a connection to a new file."""
        with closing(connect(path, SCHEMA)) as connection:
            yield connection

    @pytest.mark.parametrize("rolled_back", [False, True])
    def test_fails(self, connection: sqlite3.Connection, rolled_back: bool) -> None:
        """Where something fails nothing is kept, whoever sees to that, and the next one works."""

        def fail() -> None:
            with transaction(connection):
                connection.execute("DELETE FROM rose")
                if rolled_back:
                    connection.execute("ROLLBACK")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert connection.execute("SELECT count(*) FROM rose").fetchone() == (1,)
        with transaction(connection):
            connection.execute("DELETE FROM rose")
        assert connection.execute("SELECT count(*) FROM rose").fetchone() == (0,)


class PresenceTests:
    """`FilePresence`: the file is the one that has the name."""

    @pytest.fixture
    def connection(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Give a connection to a new file."""
        with closing(connect(path, SCHEMA)) as connection:
            yield connection

    def delete(self, connection: sqlite3.Connection, presence: FilePresence) -> None:
        """Delete everything."""
        with transaction(connection, presence):
            connection.execute("DELETE FROM rose")

    def rows(self, connection: sqlite3.Connection) -> int:
        """Return how many rows there are."""
        return int(connection.execute("SELECT count(*) FROM rose").fetchone()[0])

    @needs_renaming
    @pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
    @pytest.mark.parametrize("end", ["", "-wal"], ids=["file", "wal"])
    def test_away(self, connection: sqlite3.Connection, path: Path, end: str, replaced: bool) -> None:
        """While either file is not there, or is another, nothing is kept; when it is back, all is as ever."""
        presence = FilePresence(path, connection)
        gone, elsewhere = path.with_name(path.name + end), path.with_name("elsewhere")
        gone.rename(elsewhere)
        if replaced:
            shutil.copy(elsewhere, gone)
        for _ in range(2):
            with pytest.raises(StorageError, match="it was removed or replaced while it was in use") as error:
                self.delete(connection, presence)
            assert str(error.value).startswith(f"{gone}: ")
        assert self.rows(connection) == 1
        elsewhere.rename(gone)
        self.delete(connection, presence)
        assert self.rows(connection) == 0

    @needs_renaming
    def test_away_meanwhile(self, connection: sqlite3.Connection, path: Path) -> None:
        """What is committed while the file goes is not kept for sure, nor is anything after it."""
        presence, elsewhere = FilePresence(path, connection), path.with_name("elsewhere")

        def goes(statement: str) -> None:
            if statement == "COMMIT":
                path.rename(elsewhere)

        connection.set_trace_callback(goes)
        with pytest.raises(StorageError, match="removed or replaced"):
            self.delete(connection, presence)
        connection.set_trace_callback(None)
        elsewhere.rename(path)
        with pytest.raises(StorageError, match="restart the program"):
            self.delete(connection, presence)

    @needs_renaming
    def test_new(self, path: Path) -> None:
        """A file that nothing was written to since it was opened is known from any other, too."""
        make(path)
        with closing(connect(path, SCHEMA)) as connection:
            presence = FilePresence(path, connection)
            path.with_name(path.name + "-wal").unlink()
            with pytest.raises(StorageError, match="-wal: it was removed"):
                self.delete(connection, presence)

    def test_in_use(self, connection: sqlite3.Connection, path: Path) -> None:
        """However much is written and read, also by others, the files stay those that they are."""
        presence = FilePresence(path, connection)
        for round_ in range(3):
            with transaction(connection, presence):
                rows = [(f"{round_} {row:0200}",) for row in range(10_000)]
                connection.executemany("INSERT INTO rose VALUES (?, 'sweet')", rows)
            with closing(sqlite3.connect(path)) as other:
                assert other.execute("SELECT count(*) FROM rose").fetchone() == (1 + (round_ + 1) * 10_000,)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (sqlite3.OperationalError("database or disk is full"), "database or disk is full"),
        (sqlite3.DatabaseError("database disk image is malformed"), "it is damaged"),
        (OverflowError("too large"), "too large"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_told(error: Exception, text: str) -> None:
    """What failed is said in one line."""
    path = Path("/a\nb")
    with pytest.raises(StorageError) as raised, storage_errors(path):
        raise error
    assert str(raised.value) == f"{str(path)!r}: {text}"
