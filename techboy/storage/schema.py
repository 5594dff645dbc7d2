"""SQLite files of ours: how they are made, known, checked and brought up to date."""

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
"""Bytes of a file up to which all of it is checked when it is opened."""

_WAL_KEPT = 4 * 1024 * 1024  # bytes that the file beside it may keep after it was emptied
_NEW = ".new"
_DAMAGED = "database disk image is malformed"  # in the words of SQLite
_REASONS = {"file is not a database": "it is not a Techboy file", _DAMAGED: "it is damaged"}


@dataclass(frozen=True)
class Schema:
    """What is in a file of one kind.

    ``application``: the number in its header that says which kind it is. ``steps``: the statements that make
    it; how many steps were made is its version. A step that was ever released stays as it is, and what is to
    be different is a step more. ``looks``: queries that read a little of each table and index, at its end.
    """

    application: int
    steps: tuple[tuple[str, ...], ...]
    probes: tuple[str, ...]

    def upto(self, version: int) -> Schema:
        """Return what is in a file of ``version``; an older one may lack what is looked at."""
        looks = self.probes if version == len(self.steps) else ()
        return Schema(self.application, self.steps[:version], looks)


def connect(path: Path, schema: Schema) -> sqlite3.Connection:
    """Return a connection to the file ``path``, made where it is missing, with all the steps of ``schema``.

    Before anything is written it is checked, with what a killed program left in the file beside it, ``-wal``:
    that it is an SQLite file, of this application, of no newer version, not cut off, and has the tables and
    indexes of its version. On a file of up to `CHECKED_WHOLE` bytes SQLite's ``quick_check`` is made, too; on
    a larger one, where that would take long, only the last rows are read, and damage elsewhere is an error
    when it is met. What does not pass is left as it is. Raises StorageError.

    The connection begins no transactions by itself, and may be used in any thread, in one at a time.
    """
    with storage_errors(path):
        if not path.exists():
            _make(path, schema)
        version = _check(path, schema)
        connection = _connection(path)
        try:
            _step(connection, schema, version)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads the file ``path``, to which there is one of `connect`'s already."""
    return _connection(path, "ro")


def only_row(connection: sqlite3.Connection, query: str) -> tuple[Any, ...]:
    """Return the row that ``query`` always finds in a file that nobody has tampered with."""
    row: tuple[Any, ...] | None = connection.execute(query).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(_DAMAGED)
    return row


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise StorageError, with one line that begins with ``path``, where something fails inside."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:  # the latter two: values that it can't take
        reason = str(error)
        raise StorageError(f"{shown(path)}: {_REASONS.get(reason, reason)}") from error
    except OSError as error:
        raise StorageError(f"{shown(path)}: {error.strerror}") from error


class FilePresence:
    """Whether the file ``path``, and ``-wal`` beside it, are still those that a connection has open.

    SQLite goes on writing into a file that was removed or replaced, where nothing survives the program. One
    that is put back is as good as before, unless it was away in the middle of a commit: then it is not known
    what is in it, and only a connection that is opened anew can tell.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM sqlite_master").fetchall()  # so that both files are there
        self._paths = (path, _beside(path))
        self._identities = [_identity(each) for each in self._paths]
        self._unsure: StorageError | None = None

    def check(self) -> None:
        """Raise StorageError unless what is committed now will be in the file."""
        if self._unsure is not None:
            raise self._unsure
        for path, identity in zip(self._paths, self._identities, strict=True):
            if _identity(path) != identity:
                raise StorageError(f"{shown(path)}: it was removed or replaced while it was in use")

    def committed(self) -> None:
        """Raise StorageError, now and at every `check`, if what was just committed may not be in the file."""
        try:
            self.check()
        except StorageError as error:
            self._unsure = StorageError(f"{error}; restart the program")
            raise


@contextmanager
def transaction(connection: sqlite3.Connection, presence: FilePresence | None = None) -> Iterator[None]:
    """All that is done inside is kept, or, where something fails, nothing of it.

    With ``presence``, what is kept is in the file that has the name; else StorageError is raised.
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


def _beside(path: Path) -> Path:
    """Return the file in which what is committed waits to be brought into the file ``path``."""
    return path.with_name(path.name + "-wal")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file ``path`` from any other, None where there is none."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    return there.st_dev, there.st_ino


def _waiting(path: Path) -> bool:
    """Return whether there is something in the file beside ``path`` that is to be brought into it."""
    waiting = _beside(path)
    return waiting.exists() and waiting.stat().st_size > 0


def _make(path: Path, schema: Schema) -> None:
    """Make the file ``path``; whenever the process ends, it is there as a whole or not at all."""
    if _waiting(path):  # SQLite would bring into the new file what belongs to another
        raise StorageError(f"{shown(path)}: it is missing, but the file that ends in -wal is there")
    new = path.with_name(path.name + _NEW)
    for left in ("", "-journal", "-wal", "-shm"):  # by one that was killed
        new.with_name(new.name + left).unlink(missing_ok=True)
    make_private(new)
    with closing(_connection(new)) as connection:
        connection.execute(f"PRAGMA application_id = {schema.application}")
        _step(connection, schema, 0)
        connection.execute("PRAGMA journal_mode = WAL")
    os.replace(new, path)


def _step(connection: sqlite3.Connection, schema: Schema, version: int) -> None:
    """Make the steps that a file of ``version`` lacks, each as a whole or not at all."""
    for number, step in enumerate(schema.steps[version:], version + 1):
        with transaction(connection):
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _check(path: Path, schema: Schema) -> int:
    """Return the version of the file ``path``, which is not touched."""
    # without opening it, as that would take its locks from another connection in this process
    if not path.is_file():
        raise StorageError(f"{shown(path)}: it is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(f"{shown(path)}: {os.strerror(EACCES)}")
    # a connection that may write would empty the file beside it into this one when it is closed. Where there
    # is nothing in that, "immutable" keeps SQLite from making it
    waiting = _waiting(path)
    with closing(_connection(path, "ro" if waiting else "ro&immutable=1")) as connection:
        version = _version(connection, path, schema)
        complete = waiting or path.stat().st_size >= _size(
            connection
        )  # or what is missing here may wait there
        if not (complete and _sound(connection, path, schema.upto(version))):
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


def _sound(connection: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    if not _tables(connection) >= _tables_of(schema):
        return False
    if path.stat().st_size <= CHECKED_WHOLE:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    for look in schema.probes:
        connection.execute(look).fetchall()
    return True


def _tables(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _tables_of(schema: Schema) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _step(connection, schema, 0)
        return _tables(connection)
