"""Logs in an SQLite file, which survive the program; what was stored last is in memory, too."""

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
"""Sessions that are kept in the file, in use or not, unless said otherwise."""

RECENT_MEMORY = 4 * 1024 * 1024
"""Bytes of memory for what was stored last, unless said otherwise."""

Sync: TypeAlias = Literal["full", "normal"]
"""What survives when the computer, not just the program, stops: with ``full`` all that was written, with
``normal`` perhaps not the last of it."""

SCHEMA = Schema(
    application=0x7462_6C67,
    steps=(
        (
            # number: the highest author's number that was stored
            "CREATE TABLE house (id TEXT NOT NULL, number INTEGER NOT NULL)",
            "INSERT INTO house VALUES (lower(hex(randomblob(8))), 0)",
            # a room stays, as its ids must go on where all its lines are forgotten
            "CREATE TABLE room (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
            " forgotten INTEGER NOT NULL)",
            "CREATE TABLE batch (number INTEGER PRIMARY KEY, room INTEGER NOT NULL, first INTEGER NOT NULL,"
            " last INTEGER NOT NULL, at REAL NOT NULL, by INTEGER NOT NULL, author TEXT NOT NULL,"
            " kind TEXT NOT NULL, text TEXT NOT NULL)",
            "CREATE UNIQUE INDEX batch_of_room ON batch (room, last)",
            "CREATE TABLE session (digest BLOB PRIMARY KEY, number INTEGER NOT NULL, name TEXT NOT NULL,"
            " next INTEGER NOT NULL, room TEXT NOT NULL, seen INTEGER NOT NULL, heard REAL NOT NULL)"
            " WITHOUT ROWID",
        ),
        ("ALTER TABLE session ADD COLUMN kicked TEXT NOT NULL DEFAULT ''",),
        (
            "ALTER TABLE session ADD COLUMN nick TEXT NOT NULL DEFAULT ''",
            # numbers of authors, with blanks between them
            "ALTER TABLE session ADD COLUMN ignoring TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE room ADD COLUMN topic TEXT NOT NULL DEFAULT ''",
        ),
        # the latest time of all batches that were dropped: no later one is stored with an earlier time
        ("ALTER TABLE house ADD COLUMN stamp REAL NOT NULL DEFAULT 0",),
    ),
    probes=(
        "SELECT * FROM house",
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
_TAIL = (
    "SELECT first, last, at, by, author, kind, text FROM batch"
    " WHERE room = ? AND last <= ? ORDER BY last DESC"
)
_STORE = "INSERT INTO batch (room, first, last, at, by, author, kind, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
# one query, as another thread may be pruning
_ROOM = (
    "SELECT number, forgotten,"
    " max(forgotten, coalesce((SELECT max(last) FROM batch WHERE batch.room = room.number), 0)), topic"
    " FROM room WHERE key = ?"
)
# of each room's last batch, so that few rows are read
_STAMP = (
    "SELECT max(stamp, coalesce((SELECT max("
    "(SELECT at FROM batch WHERE batch.room = room.number ORDER BY last DESC LIMIT 1)) FROM room), 0))"
    " FROM house"
)
_DROPPED = "UPDATE house SET stamp = max(stamp, coalesce((SELECT max(at) FROM batch WHERE number < ?), 0))"
_SESSION = (
    "SELECT ignoring, number, digest, name, next, room, seen, heard, kicked, nick"
    " FROM session WHERE digest = ?"
)
_NEW_SESSION = (
    "INSERT OR IGNORE INTO session (ignoring, number, name, next, room, seen, heard, kicked, nick, digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEEP_SESSION = (
    "UPDATE session SET ignoring = ?, number = ?, name = ?, next = ?, room = ?, seen = ?, heard = ?,"
    " kicked = ?, nick = ? WHERE digest = ?"
)
_EVERYTHING = 2**63 - 1  # more than any number of a batch
_of_session = attrgetter("number", "name", "next", "room", "seen", "last_active", "kicked", "nick", "digest")
_of_batch = attrgetter("first", "last", "at", "by", "author", "kind", "text")


class SqliteLogStore:
    """The logs of all rooms, in the file ``path``, which is made where it is missing.

    See `techboy.storage.interface.LogStore`.
    ``keep_memory``: bytes of memory for what was stored last, so that who
    has read nearly all does not touch the file. ``sessions``: how many are kept; if there are more, those not
    in use that were not heard of for longest are forgotten. Whatever fails raises StorageError: opening, as
    it does in `techboy.storage.schema.connect`, and later whatever has to read or write the file.
    """

    def __init__(
        self,
        path: Path,
        sync: Sync = "full",
        keep_memory: int = RECENT_MEMORY,
        sessions: int = MAX_SESSIONS,
    ) -> None:
        self._path, self._most_sessions = path, sessions
        self._memory = MemoryBudget(keep_memory)
        self._logs: WeakValueDictionary[str, SqliteLog] = WeakValueDictionary()
        self._used: set[bytes] = set()
        self._writing = connect(path, SCHEMA)
        try:
            with storage_errors(path):
                self._writing.execute(f"PRAGMA synchronous = {sync}")
                self._presence = FilePresence(path, self._writing)
            self._reading = _Reading(path)
        except BaseException:
            self._writing.close()
            raise
        self.id = self._reading.id
        self._number = self._written_number = self._reading.number
        self._stamp, self._stored_sessions = self._reading.stamp, self._reading.sessions

    def new_number(self) -> int:
        """Return a number that was not returned before, nor stored with anything."""
        self._number += 1
        return self._number

    def open(self, room: str) -> SqliteLog:
        """Return the log of ``room``; nothing of it is stored before something is said there."""
        log = self._logs.get(room)
        if log is None:
            log = self._logs[room] = SqliteLog(room, self._reading, self._memory)
        return log

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has that ``digest``."""
        return self._reading.session(digest)

    def hold(self, digest: bytes) -> bool:
        """Keep the session with that ``digest`` until `release`; there is room for any number."""
        self._used.add(digest)
        return True

    def release(self, digest: bytes) -> None:
        """Let the session with that ``digest`` be forgotten."""
        self._used.discard(digest)

    def group(
        self, drafts: Drafts, sessions: Sequence[SessionRecord], at: float, topics: Topics = ()
    ) -> CommitGroup:
        """Return ``drafts`` with their ids, and all else."""
        self._stamp = max(self._stamp, at)
        return CommitGroup(numbered(drafts, self._stamp), sessions, topics)

    def write(self, group: CommitGroup) -> None:
        """Write ``group`` in one transaction, into the file that has the name."""
        number = self._number
        rooms: dict[SqliteLog, int] = {}
        with storage_errors(self._path), transaction(self._writing, self._presence):
            for log, batches in group.batches:
                if batches:
                    self._write(cast("SqliteLog", log), batches, rooms)
            for log, topic in group.topics:
                values = (topic, self._number_of(cast("SqliteLog", log), rooms))
                self._writing.execute("UPDATE room SET topic = ? WHERE number = ?", values)
            stored_sessions = self._keep_sessions(group.sessions)
            if number > self._written_number:
                self._writing.execute("UPDATE house SET number = ?", (number,))
        self._written_number, self._stored_sessions = number, stored_sessions
        for written, room in rooms.items():
            written.number = room

    def publish(self, group: CommitGroup) -> None:
        """Keep ``group`` in memory, too."""
        for log, batches in group.batches:
            if batches:
                cast("SqliteLog", log).recent.store(batches)
        for log, topic in group.topics:
            cast("SqliteLog", log).topic = topic

    def prune(self, lines_before: float | None, sessions_before: float) -> Mapping[str, int]:
        """Forget what is old; of lines, up to the first that is not, in whichever room.

        What they took in the file is used for others; it does not shrink.
        """
        with storage_errors(self._path), transaction(self._writing, self._presence):
            old = self._writing.execute("SELECT digest FROM session WHERE heard < ?", (sessions_before,))
            pruned = self._drop_sessions(old.fetchall())
            lasts = {} if lines_before is None else self._prune_lines(lines_before)
        self._stored_sessions -= pruned
        return lasts

    def pruned(self, forgotten: Mapping[str, int]) -> None:
        """Forget those lines in memory, too."""
        for room, line in forgotten.items():
            log = self._logs.get(room)
            if log is not None:
                log.forget(line)
        self._memory.recount()

    def close(self) -> None:
        """Close the file, into which what lies beside it is brought."""
        self._reading.close()
        with storage_errors(self._path):
            self._writing.close()

    def _write(self, log: SqliteLog, batches: Sequence[MessageBatch], rooms: dict[SqliteLog, int]) -> None:
        room = self._number_of(log, rooms)
        self._writing.executemany(_STORE, [(room, *_of_batch(batch)) for batch in batches])

    def _number_of(self, log: SqliteLog, rooms: dict[SqliteLog, int]) -> int:
        """Return the number of the room of ``log``; one that is new is in ``rooms``."""
        room = rooms.get(log, log.number)
        if room is None:
            cursor = self._writing.execute("INSERT INTO room (key, forgotten) VALUES (?, 0)", (log.room,))
            room = rooms[log] = cast(int, cursor.lastrowid)
        return room

    def _keep_sessions(self, sessions: Sequence[SessionRecord]) -> int:
        """Store ``sessions``; return how many there are then."""
        rows = [_session_row(session) for session in sessions]
        new = 0
        if self._writing.executemany(_KEEP_SESSION, rows).rowcount < len(rows):
            # of a session that stands there twice, the last is stored
            new = self._writing.executemany(_NEW_SESSION, rows[::-1]).rowcount
        stored: int = self._stored_sessions + new
        if new and stored > self._most_sessions:
            # room for more than one, as finding the oldest means looking at all
            surplus = stored - self._most_sessions + self._most_sessions // 20
            oldest = "SELECT digest FROM session ORDER BY heard LIMIT ?"
            found = self._writing.execute(oldest, (surplus + len(self._used),)).fetchall()
            stored -= self._drop_sessions(found, surplus)
        return stored

    def _drop_sessions(self, digests: Sequence[tuple[bytes]], most: int | None = None) -> int:
        """Forget the first ``most`` of the sessions with ``digests`` that are not in use; return how many."""
        used = self._used.copy()  # as the reactor's thread may change it
        unused = [row for row in digests if row[0] not in used][:most]
        self._writing.executemany("DELETE FROM session WHERE digest = ?", unused)
        return len(unused)

    def _prune_lines(self, before: float) -> dict[str, int]:
        # in the order in which they were stored, so that no more is looked at than is forgotten
        kept = "SELECT number FROM batch WHERE at >= ? ORDER BY number LIMIT 1"
        row = self._writing.execute(kept, (before,)).fetchone()
        first = (_EVERYTHING,) if row is None else row
        lasts = "SELECT room, max(last) FROM batch WHERE number < ? GROUP BY room"
        forgotten = self._writing.execute(lasts, first).fetchall()
        for room, last in forgotten:
            self._writing.execute("UPDATE room SET forgotten = ? WHERE number = ?", (last, room))
        self._writing.execute(_DROPPED, first)
        self._writing.execute("DELETE FROM batch WHERE number < ?", first)
        return {self._key(room): last for room, last in forgotten}

    def _key(self, room: int) -> str:
        [key] = self._writing.execute("SELECT key FROM room WHERE number = ?", (room,)).fetchone()
        return str(key)


class SqliteLog:
    """The lines of one room in the file: see `techboy.storage.interface.MessageLog`.

    ``recent``: those that are in memory, too. ``number``: the room's in the file, None where it is not there.
    """

    __slots__ = ("__weakref__", "_reading", "forgotten", "number", "recent", "room", "topic")

    def __init__(self, room: str, reading: _Reading, memory: MemoryBudget) -> None:
        self.room, self._reading = room, reading
        self.number, self.forgotten, last, self.topic = reading.room(room)
        self.recent = MemoryLog(room, memory, last)

    @property
    def last(self) -> int:
        """The id of the last line that was settled."""
        return self.recent.last

    def read(self, after: int, size: int) -> list[MessageBatch]:
        """Return about ``size`` characters of what comes after the id ``after``."""
        if after >= self.recent.forgotten or self.number is None:
            return self.recent.read(after, size)
        # what is written but not settled is not to be read yet
        with self._reading.batches(_READ, self.number, after, self.last) as batches:
            read = page_of(batches, after, size)
        # nothing where all between was pruned just now
        return read or self.recent.read(after, size)

    def read_last(self, lines: int, size: int | None = None) -> list[MessageBatch]:
        """Return the last ``lines`` lines, about ``size`` characters of them at most."""
        after = max(self.last - lines, self.forgotten)
        if after >= self.recent.forgotten or self.number is None:
            return self.recent.read_last(lines, size)
        with self._reading.batches(_TAIL, self.number, self.last) as batches:
            return last_lines_of(batches, after, size)

    def forget(self, line: int) -> None:
        """Lines up to that with the id ``line`` are forgotten."""
        self.forgotten = max(self.forgotten, line)
        self.recent.forget(line)


class _Reading:
    """What is read from the file, in the thread that opened it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path):
            self._connection = connect_reader(path)
            try:
                row: tuple[str, int] = only_row(self._connection, "SELECT id, number FROM house")
                self.id, self.number = row
                [self.stamp] = only_row(self._connection, _STAMP)
                [self.sessions] = only_row(self._connection, "SELECT count(*) FROM session")
            except BaseException:
                self._connection.close()
                raise

    def room(self, key: str) -> tuple[int | None, int, int, str]:
        """Return the number of a room, up to which id its lines are forgotten, its last id and its topic."""
        row: tuple[int, int, int, str] | None = self._one(_ROOM, key)
        return row or (None, 0, 0, "")

    def session(self, digest: bytes) -> SessionRecord | None:
        """Return the session whose token has that ``digest``."""
        row = self._one(_SESSION, digest)
        return row and replace(SessionRecord(*row[1:]), ignoring=frozenset(map(int, row[0].split())))

    @contextmanager
    def batches(self, query: str, *values: int) -> Iterator[Iterator[MessageBatch]]:
        """Give what ``query`` finds, of which no more is read than is taken."""
        # an unfinished query would keep the file beside it from being emptied into this one
        with storage_errors(self._path), closing(self._connection.execute(query, values)) as rows:
            yield (MessageBatch(*row) for row in rows)

    def close(self) -> None:
        """Close it."""
        with storage_errors(self._path):
            self._connection.close()

    def _one(self, query: str, value: str | bytes) -> Any:
        with storage_errors(self._path):
            return self._connection.execute(query, (value,)).fetchone()


def _session_row(session: SessionRecord) -> tuple[object, ...]:
    return (" ".join(map(str, sorted(session.ignoring))), *_of_session(session))
