"""SQLite files of this project: creation, validation and schema updates."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import Any

from techboy.storage.interface import StorageError
from techboy.storage.state_dir import make_private, shown

CHECKED_WHOLE = 16 * 1024 * 1024
"""Size in bytes up to which the whole file is checked when it is opened."""

_WAL_LIMIT = 4 * 1024 * 1024  # bytes that the write-ahead log may keep after a checkpoint
_NEW = ".new"
_DAMAGED = "database disk image is malformed"  # the message of SQLite
_REASONS = {"file is not a database": "it is not a Techboy file", _DAMAGED: "it is damaged"}


@dataclass(frozen=True)
class Schema:
    """The schema of one kind of file.

    ``application``: the application id in its header, which identifies the kind. ``steps``: the statements
    that create the schema; the version of a file is the number of steps applied to it. A released step is
    never changed: a change of the schema is a further step. ``probes``: queries that read the last rows of
    each table and index.
    """

    application: int
    steps: tuple[tuple[str, ...], ...]
    probes: tuple[str, ...]

    def at_version(self, version: int) -> Schema:
        """Return the schema of a file of ``version``; an older one has no probes, as they may not apply."""
        probes = self.probes if version == len(self.steps) else ()
        return Schema(self.application, self.steps[:version], probes)


def connect(path: Path, schema: Schema) -> sqlite3.Connection:
    """Return a connection to the file ``path``, which is created if it is missing and updated to ``schema``.

    Before anything is written, the file is checked together with the write-ahead log that a killed program
    may have left beside it (``-wal``): it must be an SQLite file of this application, not of a newer version,
    not truncated, and have the tables and indexes of its version. A file of up to `CHECKED_WHOLE` bytes also
    has to pass SQLite's ``quick_check``. That would take long on a larger file, of which only the last rows
    are read; damage elsewhere is an error when it is read. A file that fails is not changed. Raises
    StorageError.

    The connection begins no transactions by itself, and may be used in any thread, one at a time.
    """
    with storage_errors(path):
        if not path.exists():
            _create(path, schema)
        version = _check(path, schema)
        connection = _connection(path)
        try:
            _apply_steps(connection, schema, version)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a read-only connection to the file ``path``, which `connect` has opened already."""
    return _connection(path, "ro")


def only_row(connection: sqlite3.Connection, query: str) -> tuple[Any, ...]:
    """Return the row that ``query`` finds in a valid file; raise sqlite3.DatabaseError if there is none."""
    row: tuple[Any, ...] | None = connection.execute(query).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(_DAMAGED)
    return row


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the system into a StorageError of one line that begins with ``path``."""
    try:
        yield
    except (
        sqlite3.Error,
        OverflowError,
        UnicodeError,
    ) as error:  # the latter two: invalid values
        reason = str(error)
        raise StorageError(f"{shown(path)}: {_REASONS.get(reason, reason)}") from error
    except OSError as error:
        raise StorageError(f"{shown(path)}: {error.strerror}") from error


class FilePresence:
    """Checks that the file ``path``, and its write-ahead log, are still those that a connection has open.

    SQLite goes on writing to a file that was removed or replaced, and that data is lost when the program
    ends. A file that is put back is valid again, unless it was missing during a commit: then its content is
    uncertain until it is opened anew.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM sqlite_master").fetchall()  # so that both files exist
        self._paths = (path, _wal_of(path))
        self._identities = [_identity(each) for each in self._paths]
        self._uncertain: StorageError | None = None

    def check(self) -> None:
        """Raise StorageError if a commit would not reach the file."""
        if self._uncertain is not None:
            raise self._uncertain
        for path, identity in zip(self._paths, self._identities, strict=True):
            if _identity(path) != identity:
                raise StorageError(f"{shown(path)}: it was removed or replaced while it was in use")

    def committed(self) -> None:
        """Raise StorageError, now and at every `check`, if the last commit may not have reached the file."""
        try:
            self.check()
        except StorageError as error:
            self._uncertain = StorageError(f"{error}; restart the program")
            raise


@contextmanager
def transaction(connection: sqlite3.Connection, presence: FilePresence | None = None) -> Iterator[None]:
    """Commit what is done inside, or roll it back if an exception is raised.

    With ``presence``, raise StorageError if the commit does not reach the file.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        if presence is not None:
            presence.check()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite may have rolled it back already
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    if presence is not None:
        presence.committed()


def _connection(path: Path, mode: str = "rw") -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _wal_of(path: Path) -> Path:
    """Return the write-ahead log of the file ``path``."""
    return path.with_name(path.name + "-wal")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file ``path``, None if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _has_wal(path: Path) -> bool:
    """Return whether the file ``path`` has a write-ahead log that is not empty."""
    wal = _wal_of(path)
    return wal.exists() and wal.stat().st_size > 0


def _create(path: Path, schema: Schema) -> None:
    """Create the file ``path`` atomically: if the process is killed, it is complete or missing."""
    if _has_wal(path):  # SQLite would apply it to the new file
        raise StorageError(f"{shown(path)}: it is missing, but the file that ends in -wal is there")
    new = path.with_name(path.name + _NEW)
    for suffix in ("", "-journal", "-wal", "-shm"):  # left by a process that was killed
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    make_private(new)
    with closing(_connection(new)) as connection:
        connection.execute(f"PRAGMA application_id = {schema.application}")
        _apply_steps(connection, schema, 0)
        connection.execute("PRAGMA journal_mode = WAL")
    os.replace(new, path)


def _apply_steps(connection: sqlite3.Connection, schema: Schema, version: int) -> None:
    """Apply the steps that a file of ``version`` lacks, each in a transaction."""
    for number, step in enumerate(schema.steps[version:], version + 1):
        with transaction(connection):
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _check(path: Path, schema: Schema) -> int:
    """Return the version of the file ``path``, which is not changed; raise StorageError if invalid."""
    # not by opening it, which would release the locks of another connection in this process
    if not path.is_file():
        raise StorageError(f"{shown(path)}: it is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(f"{shown(path)}: {os.strerror(EACCES)}")
    # a writable connection would apply the write-ahead log when it is closed. Without one, "immutable" keeps
    # SQLite from creating it
    has_wal = _has_wal(path)
    with closing(_connection(path, "ro" if has_wal else "ro&immutable=1")) as connection:
        version = _version(connection, path, schema)
        # pages that are missing in the file may be in its write-ahead log
        is_complete = has_wal or path.stat().st_size >= _size(connection)
        if not (is_complete and _is_sound(connection, path, schema.at_version(version))):
            raise StorageError(f"{shown(path)}: it is damaged")
    return version


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.application or version < 1:
        raise StorageError(f"{shown(path)}: it is not a Techboy file, or not of this kind")
    if version > len(schema.steps):
        raise StorageError(f"{shown(path)}: it is of a newer version of techboy")
    return int(version)


def _size(connection: sqlite3.Connection) -> int:
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    [size] = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _is_sound(connection: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    if not _tables(connection) >= _tables_of(schema):
        return False
    if path.stat().st_size <= CHECKED_WHOLE:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    for probe in schema.probes:
        connection.execute(probe).fetchall()
    return True


def _tables(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _tables_of(schema: Schema) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _apply_steps(connection, schema, 0)
        return _tables(connection)
