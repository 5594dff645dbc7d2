"""The client's store: its session and its outbox, in an SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from techboy.storage.interface import TEXT
from techboy.storage.schema import FilePresence, Schema, connect, only_row, storage_errors, transaction

SCHEMA = Schema(
    application=0x7462_6B73,
    steps=(
        (
            # one row
            "CREATE TABLE client (session TEXT, log TEXT, room TEXT, seen INTEGER NOT NULL, name TEXT,"
            " next INTEGER NOT NULL, tried INTEGER NOT NULL)",
            "INSERT INTO client (seen, next, tried) VALUES (0, 1, 1)",
            "CREATE TABLE outbox (first INTEGER PRIMARY KEY, text TEXT NOT NULL, kind TEXT NOT NULL)",
        ),
    ),
    probes=("SELECT * FROM client", "SELECT * FROM outbox ORDER BY first DESC LIMIT 10"),
)

BUSY = 100
"""Milliseconds to wait, without doing anything else, for another process that has locked the file."""

_SELECT_STATE = "SELECT session, log, room, seen, name FROM client"
_UPDATE_STATE = "UPDATE client SET session = ?, log = ?, room = ?, seen = ?, name = ?"
_INSERT_LINES = "INSERT INTO outbox (first, text, kind) VALUES (?, ?, ?)"
_SELECT_LINES = "SELECT first, text, kind FROM outbox"


@dataclass(frozen=True)
class ClientState:
    """What the client knows about its session.

    ``session``: the token of the session. ``log``: the log epoch of the server. ``room``: the room of the
    session. ``seen``: the id of the last line of the room that was shown. ``name``: the nickname.
    """

    session: str | None = None
    log: str | None = None
    room: str | None = None
    seen: int = 0
    name: str | None = None


class ClientStore:
    """The session and the outbox in the file ``path``, which is created if it is missing.

    A change is durable when its method returns, even if the program is killed. After a crash of the system,
    the last changes may be lost, but no change is stored in part. A method that fails raises StorageError and
    changes nothing, also if another process locks the file for longer than `BUSY`, or if the file was removed
    or replaced. To be used in one thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, SCHEMA)
        try:
            with storage_errors(path):
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY}")
                self._presence = FilePresence(path, self._connection)
                self._state = ClientState(*only_row(self._connection, _SELECT_STATE))
        except BaseException:
            self._connection.close()
            raise

    @property
    def known(self) -> ClientState:
        """The state that was stored last."""
        return self._state

    def save_session(self, known: ClientState) -> None:
        """Store the state ``known``."""
        with self._transaction():
            self._connection.execute(_UPDATE_STATE, astuple(known))
        self._state = known

    def save_seen(self, seen: int) -> None:
        """Store that lines up to the id ``seen`` were shown."""
        with self._transaction():
            self._connection.execute("UPDATE client SET seen = ?", (seen,))
        self._state = replace(self._state, seen=seen)

    def kept(self) -> list[tuple[int, str, str]]:
        """Return the outbox, in order: number of the first line, lines joined by LF, and their kind."""
        with storage_errors(self._path):
            return self._connection.execute(f"{_SELECT_LINES} ORDER BY first").fetchall()

    @property
    def next(self) -> int:
        """The number of the next line if the outbox is empty: one more than the last that was removed."""
        with storage_errors(self._path):
            number: int = self._connection.execute("SELECT next FROM client").fetchone()[0]
        return number

    @property
    def tried(self) -> int:
        """The number before which lines may have been sent."""
        with storage_errors(self._path):
            number: int = self._connection.execute("SELECT tried FROM client").fetchone()[0]
        return number

    def sending(self, before: int) -> None:
        """Store, before sending them, that lines with numbers less than ``before`` may have been sent."""
        with self._transaction():
            self._connection.execute("UPDATE client SET tried = max(tried, ?)", (before,))

    def save(self, first: int, text: str, kind: str = TEXT) -> None:
        """Add lines of one ``kind`` to the outbox: ``text``, joined by LF, with numbers from ``first`` on."""
        with self._transaction():
            self._connection.execute(_INSERT_LINES, (first, text, kind))

    def forget(self, before: int) -> None:
        """Remove the lines with numbers less than ``before`` from the outbox."""
        with self._transaction():
            last = f"{_SELECT_LINES} WHERE first < ? ORDER BY first DESC LIMIT 1"
            row = self._connection.execute(last, (before,)).fetchone()
            self._connection.execute("DELETE FROM outbox WHERE first < ?", (before,))
            self._connection.execute("UPDATE client SET next = max(next, ?)", (before,))
            if row is not None:
                first, text, kind = row
                self._save_rest(first, text, kind, before)

    def replace(self, first: int) -> None:
        """Renumber all lines of the outbox, from ``first`` on without gaps.

        No line with one of the new numbers may have been sent.
        """
        chunks = self.kept()
        with self._transaction():
            self._connection.execute("DELETE FROM outbox")
            self._connection.execute("UPDATE client SET next = ?, tried = ?", (first, first))
            for _, text, kind in chunks:
                self._connection.execute(_INSERT_LINES, (first, text, kind))
                first += text.count("\n") + 1

    def close(self) -> None:
        """Close the file."""
        with storage_errors(self._path):
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is done inside; if that fails, roll it back and raise StorageError."""
        with storage_errors(self._path), transaction(self._connection, self._presence):
            yield

    def _save_rest(self, first: int, text: str, kind: str, before: int) -> None:
        lines = before - first
        if text.count("\n") >= lines:
            self._connection.execute(_INSERT_LINES, (before, text.split("\n", lines)[-1], kind))
