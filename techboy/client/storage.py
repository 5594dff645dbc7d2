"""What a client keeps while messages are not acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from techboy import exit_status
from techboy.client.outbox import Outbox
from techboy.client.session import ClientSession, MemorySessionStore
from techboy.config.options import ConversationOptions
from techboy.storage.client_store import ClientState, ClientStore
from techboy.storage.interface import StorageError
from techboy.storage.state_dir import StateDirectory

STATE_FILE = "juliet.sqlite"


class ReportingStore:
    """A keepsake to which nothing more is written after a first failure, of which ``failed`` is told why.

    So what it keeps stays as it was then, whatever happens until the program ends.
    """

    def __init__(self, client_store: ClientStore, failed: Callable[[str], None]) -> None:
        self._client_store, self._failed = client_store, failed
        self._failure: StorageError | None = None

    @property
    def known(self) -> ClientState:
        """What is known, as it was stored last."""
        return self._client_store.known

    def save_session(self, known: ClientState) -> None:
        """Store what is known now."""
        self._guard(lambda: self._client_store.save_session(known))

    def save_seen(self, seen: int) -> None:
        """Store up to which id lines were shown."""
        self._guard(lambda: self._client_store.save_seen(seen))

    def save(self, first: int, text: str, kind: str) -> None:
        """Keep lines of one ``kind`` with numbers from ``first`` on, or raise StorageError."""
        self._guard(lambda: self._client_store.save(first, text, kind))
        if self._failure is not None:
            raise self._failure

    def forget(self, before: int) -> None:
        """Keep lines with lower numbers no more."""
        self._guard(lambda: self._client_store.forget(before))

    def replace(self, first: int) -> None:
        """Give what is kept new numbers."""
        self._guard(lambda: self._client_store.replace(first))

    def sending(self, before: int) -> bool:
        """Store that lines with lower numbers may have been sent; return whether that is stored."""
        self._guard(lambda: self._client_store.sending(before))
        return self._failure is None

    def _guard(self, store: Callable[[], None]) -> None:
        if self._failure is None:
            try:
                store()
            except StorageError as refused:
                self._failure = refused
                self._failed(str(refused))


class ClientStorage:
    """What Juliet keeps, in a directory if ``options`` say so: lines not stored yet, and where she was.

    Making it ends the process with one line where that directory can't be used.
    """

    def __init__(self, options: ConversationOptions, failed: Callable[[str], None]) -> None:
        self._folder: StateDirectory | None = None
        self._client_store: ClientStore | None = None
        self.outbox, self.client_session = Outbox(), ClientSession(MemorySessionStore())
        path = options["state"]
        if path is None:
            return
        try:
            self._folder = StateDirectory(path)
            self._client_store = ClientStore(Path(path, STATE_FILE))
            outbox_store = ReportingStore(self._client_store, failed)
            self.outbox = Outbox(
                outbox_store, self._client_store.kept(), self._client_store.next, self._client_store.tried
            )
        except StorageError as refused:
            exit_status.fail(exit_status.IO_ERROR, f"{options.program}: {refused}")
        self.client_session = ClientSession(outbox_store)

    def what_becomes_of(self, lines: int) -> str:
        """Return whether ``lines`` that are not stored are lost."""
        if self._client_store is None:
            return f"{lines_are(lines)} not stored, and lost"
        return f"{lines_are(lines)} kept for the next time"

    def close(self) -> None:
        """Let go of the directory."""
        if self._client_store is not None:
            self._client_store.close()
        if self._folder is not None:
            self._folder.close()


def lines_are(count: int) -> str:
    """Return the beginning of a sentence about ``count`` lines."""
    return "1 line is" if count == 1 else f"{count} lines are"
