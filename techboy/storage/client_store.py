"""What Juliet keeps in an SQLite file from one run to the next: where she was, and what is not said yet."""

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
            "CREATE TABLE known (session TEXT, log TEXT, room TEXT, seen INTEGER NOT NULL, name TEXT)",
            "INSERT INTO known (seen) VALUES (0)",
            "CREATE TABLE outbox (first INTEGER PRIMARY KEY, text TEXT NOT NULL)",
        ),
        ("ALTER TABLE known ADD COLUMN next INTEGER NOT NULL DEFAULT 1",),
        (
            "ALTER TABLE known ADD COLUMN tried INTEGER NOT NULL DEFAULT 1",
            # of what is kept by a version that did not note it, all may have been sent
            "UPDATE known SET tried = max(next, (SELECT coalesce(max("
            "first + length(text) - length(replace(text, char(10), '')) + 1), 1) FROM outbox))",
        ),
        (f"ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT '{TEXT}'",),
    ),
    probes=("SELECT * FROM known", "SELECT * FROM outbox ORDER BY first DESC LIMIT 10"),
)

BUSY = 100
"""Milliseconds to wait for another process that has the file locked; nothing else is done meanwhile."""

_KNOWN = "SELECT session, log, room, seen, name FROM known"
_KNOW = "UPDATE known SET session = ?, log = ?, room = ?, seen = ?, name = ?"
_KEEP = "INSERT INTO outbox (first, text, kind) VALUES (?, ?, ?)"
_KEPT = "SELECT first, text, kind FROM outbox"


@dataclass(frozen=True)
class ClientState:
    """What is known of the conversation: nothing at first.

    ``session``: the token of the session there. ``log``: the id of the logs that it is of. ``room``: where
    the session is. ``seen``: the id of the last line there that was shown. ``name``: the name there.
    """

    session: str | None = None
    log: str | None = None
    room: str | None = None
    seen: int = 0
    name: str | None = None


class ClientStore:
    """What is kept in the file ``path``, which is made where it is missing.

    When a method returns, what it did survives the end of the program, in whichever way it ends; when the
    computer stops, the last of it may be lost, but nothing is half done. Whatever fails raises StorageError,
    and changes nothing; so does a lock of another process that lasts longer than `BUSY`, and a file that was
    removed or replaced. To be used in one thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, SCHEMA)
        try:
            with storage_errors(path):
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY}")
                self._presence = FilePresence(path, self._connection)
                self._known = ClientState(*only_row(self._connection, _KNOWN))
        except BaseException:
            self._connection.close()
            raise

    @property
    def known(self) -> ClientState:
        """What is known, as it was stored last."""
        return self._known

    def save_session(self, known: ClientState) -> None:
        """Store what is known now."""
        with self._transaction():
            self._connection.execute(_KNOW, astuple(known))
        self._known = known

    def save_seen(self, seen: int) -> None:
        """Store that lines up to the id ``seen`` were shown; the rest is as it was."""
        with self._transaction():
            self._connection.execute("UPDATE known SET seen = ?", (seen,))
        self._known = replace(self._known, seen=seen)

    def kept(self) -> list[tuple[int, str, str]]:
        """Return what is to be sent, in order: number of the first line, lines joined by LF, their kind."""
        with storage_errors(self._path):
            return self._connection.execute(f"{_KEPT} ORDER BY first").fetchall()

    @property
    def next(self) -> int:
        """The number of the next line where nothing is kept: one past the last that was ever forgotten."""
        with storage_errors(self._path):
            number: int = self._connection.execute("SELECT next FROM known").fetchone()[0]
        return number

    @property
    def tried(self) -> int:
        """The number before which lines may have been sent."""
        with storage_errors(self._path):
            number: int = self._connection.execute("SELECT tried FROM known").fetchone()[0]
        return number

    def sending(self, before: int) -> None:
        """Store that lines with lower numbers than ``before`` may have been sent, before they are."""
        with self._transaction():
            self._connection.execute("UPDATE known SET tried = max(tried, ?)", (before,))

    def save(self, first: int, text: str, kind: str = TEXT) -> None:
        """Keep ``text``: lines of one ``kind``, joined by LF, with new numbers from ``first`` on."""
        with self._transaction():
            self._connection.execute(_KEEP, (first, text, kind))

    def forget(self, before: int) -> None:
        """Forget all lines with numbers less than ``before``."""
        with self._transaction():
            last = f"{_KEPT} WHERE first < ? ORDER BY first DESC LIMIT 1"
            row = self._connection.execute(last, (before,)).fetchone()
            self._connection.execute("DELETE FROM outbox WHERE first < ?", (before,))
            self._connection.execute("UPDATE known SET next = max(next, ?)", (before,))
            if row is not None:
                first, text, kind = row
                self._keep_rest(first, text, kind, before)

    def replace(self, first: int) -> None:
        """Give all lines that are kept new numbers, from ``first`` on and without holes.

        Under these numbers no line may have been sent.
        """
        chunks = self.kept()
        with self._transaction():
            self._connection.execute("DELETE FROM outbox")
            self._connection.execute("UPDATE known SET next = ?, tried = ?", (first, first))
            for _, text, kind in chunks:
                self._connection.execute(_KEEP, (first, text, kind))
                first += text.count("\n") + 1

    def close(self) -> None:
        """Close the file."""
        with storage_errors(self._path):
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that is done inside is kept in the file, or StorageError is raised and nothing is."""
        with storage_errors(self._path), transaction(self._connection, self._presence):
            yield

    def _keep_rest(self, first: int, text: str, kind: str, before: int) -> None:
        lines = before - first
        if text.count("\n") >= lines:
            self._connection.execute(_KEEP, (before, text.split("\n", lines)[-1], kind))
