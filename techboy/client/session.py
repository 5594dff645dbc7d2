"""What Juliet knows of the conversation that she is in, from one connection to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from techboy.storage.client_store import ClientState


class ClientSessionStore(Protocol):
    """Where it is kept beyond the life of the program."""

    @property
    def known(self) -> ClientState: ...
    def save_session(self, known: ClientState) -> None: ...
    def save_seen(self, seen: int) -> None: ...


class MemorySessionStore:
    """Knows as long as the program runs."""

    def __init__(self) -> None:
        self.known = ClientState()

    def save_session(self, known: ClientState) -> None:
        """Know that."""
        self.known = known

    def save_seen(self, seen: int) -> None:
        """Know that too."""
        self.known = replace(self.known, seen=seen)


class ClientSession:
    """A session, from its owner's side. ``received``: the id up to which lines came, shown or not yet."""

    def __init__(self, memory: ClientSessionStore) -> None:
        self._memory = memory
        self.received = memory.known.seen

    @property
    def known(self) -> ClientState:
        """What is known, as far as it was shown."""
        return self._memory.known

    @property
    def exists(self) -> bool:
        """Whether there is a session to go on with."""
        return self.known.session is not None

    def welcomed(self, session: str, log: str, room: str | None, name: str, after: int) -> bool:
        """Take note of a welcome; return whether it is the same session, in the same log, as before."""
        before = self.known
        same = before.session == session and before.log == log
        here = same and before.room == room
        if not here or after < self.received:  # a log that went back to an earlier copy gives ids again
            self.received = after
        seen = min(before.seen, after) if here else after
        self._memory.save_session(ClientState(session, log, room, seen, name))
        return same

    def receive(self, first: int, last: int, text: str) -> tuple[int, str] | None:
        """Note that the lines ``first`` to ``last`` arrived; return those that had not, None if all had.

        What is returned is the id of the first of them, and their text joined by LF.
        """
        known = self.received
        if last <= known:
            return None
        self.received = last
        return (first, text) if first > known else (known + 1, text.split("\n", known - first + 1)[-1])

    def moved(self, room: str, after: int) -> None:
        """Take note of being in another room."""
        self.received = after
        self._memory.save_session(replace(self.known, room=room, seen=after))

    def shown(self) -> None:
        """All that came was shown."""
        if self.received > self.known.seen:
            self._memory.save_seen(self.received)
