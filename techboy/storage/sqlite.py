"""Message logs in an SQLite file, with the latest messages also in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast
from weakref import WeakValueDictionary

from techboy.storage.interface import CommitGroup, Drafts, MessageBatch, SessionRecord, Topics
from techboy.storage.memory import MemoryBudget, MemoryLog, last_lines_of, numbered, page_of
from techboy.storage.schema import (
    FilePresence,
    Schema,
    connect,
    connect_reader,
    only_row,
    storage_errors,
    transaction,
)

MAX_SESSIONS = 100_000
"""Default limit of sessions in the file, in use or not."""

RECENT_MEMORY = 4 * 1024 * 1024
"""Default memory limit for the latest messages, in bytes."""

Sync: TypeAlias = Literal["full", "normal"]
"""What survives a crash of the system: everything written with ``full``; with ``normal`` the last commits may
be lost."""

SCHEMA = Schema(
    application=0x7462_6C67,
    steps=(
        (
            # one row. last_number: the highest number of a member that was stored; pruned_time: the latest
            # time of all batches that were pruned: no later batch is stored with an earlier time
            "CREATE TABLE store (id TEXT NOT NULL, last_number INTEGER NOT NULL, pruned_time REAL NOT NULL)",
            "INSERT INTO store VALUES (lower(hex(randomblob(8))), 0, 0)",
            # a room is never deleted, as its ids continue even if all its lines are deleted
            "CREATE TABLE room (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
            " deleted_through INTEGER NOT NULL, topic TEXT NOT NULL DEFAULT '')",
            "CREATE TABLE batch (number INTEGER PRIMARY KEY, room INTEGER NOT NULL, first INTEGER NOT NULL,"
            " last INTEGER NOT NULL, at REAL NOT NULL, by INTEGER NOT NULL, author TEXT NOT NULL,"
            " kind TEXT NOT NULL, text TEXT NOT NULL)",
            "CREATE UNIQUE INDEX batch_of_room ON batch (room, last)",
            # ignoring: numbers of members, separated by spaces
            "CREATE TABLE session (digest BLOB PRIMARY KEY, number INTEGER NOT NULL, name TEXT NOT NULL,"
            " next INTEGER NOT NULL, room TEXT NOT NULL, seen INTEGER NOT NULL, last_active REAL NOT NULL,"
            " kicked TEXT NOT NULL, nick TEXT NOT NULL, ignoring TEXT NOT NULL) WITHOUT ROWID",
        ),
    ),
    probes=(
        "SELECT * FROM store",
        "SELECT * FROM room ORDER BY number DESC LIMIT 10",
        "SELECT key FROM room ORDER BY key DESC LIMIT 10",
        "SELECT * FROM batch ORDER BY number DESC LIMIT 10",
        "SELECT room, last FROM batch ORDER BY room DESC, last DESC LIMIT 10",
        "SELECT * FROM session ORDER BY digest DESC LIMIT 10",
    ),
)

_READ = (
    "SELECT first, last, at, by, author, kind, text FROM batch"
    " WHERE room = ? AND last > ? AND last <= ? ORDER BY last"
)
_READ_LAST = (
    "SELECT first, last, at, by, author, kind, text FROM batch"
    " WHERE room = ? AND last <= ? ORDER BY last DESC"
)
_STORE_BATCH = (
    "INSERT INTO batch (room, first, last, at, by, author, kind, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
# one query, as another thread may be pruning
_ROOM = (
    "SELECT number, deleted_through,"
    " max(deleted_through, coalesce((SELECT max(last) FROM batch WHERE batch.room = room.number), 0)), topic"
    " FROM room WHERE key = ?"
)
# only each room's last batch is read
_LATEST_TIME = (
    "SELECT max(pruned_time, coalesce((SELECT max("
    "(SELECT at FROM batch WHERE batch.room = room.number ORDER BY last DESC LIMIT 1)) FROM room), 0))"
    " FROM store"
)
_STORE_PRUNED_TIME = (
    "UPDATE store SET pruned_time ="
    " max(pruned_time, coalesce((SELECT max(at) FROM batch WHERE number < ?), 0))"
)
_SESSION = (
    "SELECT ignoring, number, digest, name, next, room, seen, last_active, kicked, nick"
    " FROM session WHERE digest = ?"
)
_NEW_SESSION = (
    "INSERT OR IGNORE INTO session"
    " (ignoring, number, name, next, room, seen, last_active, kicked, nick, digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_SESSION = (
    "UPDATE session SET ignoring = ?, number = ?, name = ?, next = ?, room = ?, seen = ?, last_active = ?,"
    " kicked = ?, nick = ? WHERE digest = ?"
)
_MAX_NUMBER = 2**63 - 1  # more than any number of a batch
_session_values = attrgetter(
    "number", "name", "next", "room", "seen", "last_active", "kicked", "nick", "digest"
)
_batch_values = attrgetter("first", "last", "at", "by", "author", "kind", "text")


class SqliteLogStore:
    """The logs of all rooms, in the file ``path``, which is created if it is missing.

    See `techboy.storage.interface.LogStore`. ``recent_memory``: bytes of memory for the latest messages, so
    that members that are nearly up to date do not read the file. ``max_sessions``: if there are more, the
    least recently active that are not in use are deleted. Raises StorageError if the file cannot be opened,
    as `techboy.storage.schema.connect` does, and later if it cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        sync: Sync = "full",
        recent_memory: int = RECENT_MEMORY,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._path, self._max_sessions = path, max_sessions
        self._budget = MemoryBudget(recent_memory)
        self._logs: WeakValueDictionary[str, SqliteLog] = WeakValueDictionary()
        self._used: set[bytes] = set()
        self._writing = connect(path, SCHEMA)
        try:
            with storage_errors(path):
                self._writing.execute(f"PRAGMA synchronous = {sync}")
                self._presence = FilePresence(path, self._writing)
            self._reader = _Reader(path)
        except BaseException:
            self._writing.close()
            raise
        self.id = self._reader.id
        self._number = self._written_number = self._reader.number
        self._latest_time, self._stored_sessions = self._reader.latest_time, self._reader.sessions

    def new_number(self) -> int:
        """Return a number that was neither returned before nor stored."""
        self._number += 1
        return self._number

    def open(self, room: str) -> SqliteLog:
        """Return the log of ``room``; the room is not stored before its first message."""
        log = self._logs.get(room)
        if log is None:
            log = self._logs[room] = SqliteLog(room, self._reader, self._budget)
        return log

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has the hash ``digest``."""
        return self._reader.session(digest)

    def hold(self, digest: bytes) -> bool:
        """Mark the session with the hash ``digest`` as in use; return True, as there is no limit."""
        self._used.add(digest)
        return True

    def release(self, digest: bytes) -> None:
        """Mark the session with the hash ``digest`` as not in use."""
        self._used.discard(digest)

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return a group of ``drafts`` with their ids, ``sessions`` and ``topics``."""
        self._latest_time = max(self._latest_time, at)
        return CommitGroup(numbered(drafts, self._latest_time), sessions, topics)

    def write(self, group: CommitGroup) -> None:
        """Write ``group`` in one transaction; raise StorageError if the file was removed or replaced."""
        number = self._number
        rooms: dict[SqliteLog, int] = {}
        with storage_errors(self._path), transaction(self._writing, self._presence):
            for log, batches in group.batches:
                if batches:
                    self._write_batches(cast("SqliteLog", log), batches, rooms)
            for log, topic in group.topics:
                values = (topic, self._number_of(cast("SqliteLog", log), rooms))
                self._writing.execute("UPDATE room SET topic = ? WHERE number = ?", values)
            stored_sessions = self._write_sessions(group.sessions)
            if number > self._written_number:
                self._writing.execute("UPDATE store SET last_number = ?", (number,))
        self._written_number, self._stored_sessions = number, stored_sessions
        for written, room in rooms.items():
            written.number = room

    def publish(self, group: CommitGroup) -> None:
        """Add ``group`` to the messages in memory."""
        for log, batches in group.batches:
            if batches:
                cast("SqliteLog", log).recent.store(batches)
        for log, topic in group.topics:
            cast("SqliteLog", log).topic = topic

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Delete old sessions, and all lines before the first that is not old, in any room.

        The file does not shrink; its free pages are used for later messages.
        """
        with storage_errors(self._path), transaction(self._writing, self._presence):
            old = self._writing.execute(
                "SELECT digest FROM session WHERE last_active < ?", (sessions_before,)
            )
            dropped = self._drop_sessions(old.fetchall())
            lasts = {} if lines_before is None else self._prune_lines(lines_before)
        self._stored_sessions -= dropped
        return lasts

    def apply_pruning(self, deleted: Mapping[str, int]) -> None:
        """Delete the lines in memory."""
        for room, line in deleted.items():
            log = self._logs.get(room)
            if log is not None:
                log.drop_through(line)
        self._budget.recount()

    def close(self) -> None:
        """Apply the write-ahead log, and close the file."""
        self._reader.close()
        with storage_errors(self._path):
            self._writing.close()

    def _write_batches(
        self, log: SqliteLog, batches: Sequence[MessageBatch], rooms: dict[SqliteLog, int]
    ) -> None:
        room = self._number_of(log, rooms)
        self._writing.executemany(_STORE_BATCH, [(room, *_batch_values(batch)) for batch in batches])

    def _number_of(self, log: SqliteLog, rooms: dict[SqliteLog, int]) -> int:
        """Return the number of the room of ``log``; insert a new room, and add it to ``rooms``."""
        room = rooms.get(log, log.number)
        if room is None:
            insert = "INSERT INTO room (key, deleted_through) VALUES (?, 0)"
            cursor = self._writing.execute(insert, (log.room,))
            room = rooms[log] = cast(int, cursor.lastrowid)
        return room

    def _write_sessions(self, sessions: Sequence[SessionRecord]) -> int:
        """Store ``sessions``; return the number of sessions that are stored then."""
        rows = [_session_row(session) for session in sessions]
        new = 0
        if self._writing.executemany(_UPDATE_SESSION, rows).rowcount < len(rows):
            # reversed, so that the last record of a session that occurs twice is stored
            new = self._writing.executemany(_NEW_SESSION, rows[::-1]).rowcount
        stored: int = self._stored_sessions + new
        if new and stored > self._max_sessions:
            # several at a time, as finding the oldest reads all of them
            surplus = stored - self._max_sessions + self._max_sessions // 20
            oldest = "SELECT digest FROM session ORDER BY last_active LIMIT ?"
            found = self._writing.execute(oldest, (surplus + len(self._used),)).fetchall()
            stored -= self._drop_sessions(found, surplus)
        return stored

    def _drop_sessions(self, digests: Sequence[tuple[bytes]], limit: int | None = None) -> int:
        """Delete the first ``limit`` sessions of ``digests`` that are not in use; return their number."""
        used = self._used.copy()  # the reactor's thread may change it
        unused = [row for row in digests if row[0] not in used][:limit]
        self._writing.executemany("DELETE FROM session WHERE digest = ?", unused)
        return len(unused)

    def _prune_lines(self, before: float) -> dict[str, int]:
        # in the order of storing, so that only the rows to delete are read
        first_kept = "SELECT number FROM batch WHERE at >= ? ORDER BY number LIMIT 1"
        row = self._writing.execute(first_kept, (before,)).fetchone()
        first = (_MAX_NUMBER,) if row is None else row
        lasts = "SELECT room, max(last) FROM batch WHERE number < ? GROUP BY room"
        deleted = self._writing.execute(lasts, first).fetchall()
        for room, last in deleted:
            self._writing.execute("UPDATE room SET deleted_through = ? WHERE number = ?", (last, room))
        self._writing.execute(_STORE_PRUNED_TIME, first)
        self._writing.execute("DELETE FROM batch WHERE number < ?", first)
        return {self._key(room): last for room, last in deleted}

    def _key(self, room: int) -> str:
        [key] = self._writing.execute("SELECT key FROM room WHERE number = ?", (room,)).fetchone()
        return str(key)


class SqliteLog:
    """The lines of one room in the file: see `techboy.storage.interface.MessageLog`.

    ``recent``: the lines that are also in memory. ``number``: the number of the room in the file, None if it
    is not stored.
    """

    __slots__ = ("__weakref__", "_reader", "deleted_through", "number", "recent", "room", "topic")

    def __init__(self, room: str, reader: _Reader, budget: MemoryBudget) -> None:
        self.room, self._reader = room, reader
        self.number, self.deleted_through, last, self.topic = reader.room(room)
        self.recent = MemoryLog(room, budget, last)

    @property
    def last(self) -> int:
        """The id of the last line that was published."""
        return self.recent.last

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return the lines after the id ``after``, about ``size`` characters."""
        if after >= self.recent.deleted_through or self.number is None:
            return self.recent.read(after, size)
        # up to self.last: lines that are written but not published must not be read yet
        with self._reader.batches(_READ, self.number, after, self.last) as batches:
            page = page_of(batches, after, size)
        # empty if all lines in the file were pruned just now
        return page or self.recent.read(after, size)

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, at most ``size`` characters."""
        after = max(self.last - lines, self.deleted_through)
        if after >= self.recent.deleted_through or self.number is None:
            return self.recent.read_last(lines, size)
        with self._reader.batches(_READ_LAST, self.number, self.last) as batches:
            return last_lines_of(batches, after, size)

    def drop_through(self, line: int) -> None:
        """Stop reading the lines up to the id ``line``, which were deleted in the file."""
        self.deleted_through = max(self.deleted_through, line)
        self.recent.drop_through(line)


class _Reader:
    """The read-only connection to the file, for the thread that opened it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path):
            self._connection = connect_reader(path)
            try:
                row: tuple[str, int] = only_row(self._connection, "SELECT id, last_number FROM store")
                self.id, self.number = row
                [self.latest_time] = only_row(self._connection, _LATEST_TIME)
                [self.sessions] = only_row(self._connection, "SELECT count(*) FROM session")
            except BaseException:
                self._connection.close()
                raise

    def room(self, key: str) -> tuple[int | None, int, int, str]:
        """Return the number of a room, the last id that was deleted, its last id, and its topic."""
        row: tuple[int, int, int, str] | None = self._one(_ROOM, key)
        return row or (None, 0, 0, "")

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has the hash ``digest``."""
        row = self._one(_SESSION, digest)
        return row and replace(SessionRecord(*row[1:]), ignoring=frozenset(map(int, row[0].split())))

    @contextmanager
    def batches(self, query: str, *values: int) -> Iterator[Iterator[MessageBatch]]:
        """Give an iterator over the result of ``query``, which reads no more rows than are taken."""
        # closed, as an unfinished query would prevent checkpoints of the write-ahead log
        with storage_errors(self._path), closing(self._connection.execute(query, values)) as rows:
            yield (MessageBatch(*row) for row in rows)

    def close(self) -> None:
        """Close the connection."""
        with storage_errors(self._path):
            self._connection.close()

    def _one(self, query: str, value: str | bytes) -> Any:
        with storage_errors(self._path):
            return self._connection.execute(query, (value,)).fetchone()


def _session_row(session: SessionRecord) -> tuple[object, ...]:
    return (" ".join(map(str, sorted(session.ignoring))), *_session_values(session))
