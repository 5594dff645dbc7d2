"""What the server has stored, as seen when it becomes readable, held against what was said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from techboy.storage.interface import CommitGroup, LogStore, MessageBatch
from techboy.storage.memory import MemoryLogStore
from techboy.wire.plain import signed_lines

TAG = re.compile(r"\b([a-z]+[0-9]+):([0-9]+)\b")
"""How every line begins that a simulated person says: who it is, and a number that only grows."""

EVERYTHING = 2**40
ROOMS = ("lobby", "balcony", "garden")


class BrokenPromiseError(AssertionError):
    """Something happened that the program promises not to do."""


@dataclass(frozen=True)
class Entry:
    """A stored line. ``number`` is its author's, ``author`` the name that was shown."""

    id: int
    number: int
    author: str
    kind: str
    text: str

    @property
    def tag(self) -> tuple[str, int] | None:
        """Who said it, and which of their lines it is; None for a line that no simulated person says."""
        found = TAG.search(self.text)
        return (found[1], int(found[2])) if found else None


@dataclass
class RoomTruth:
    """The lines of one room, by id."""

    entries: dict[int, Entry] = field(default_factory=dict)
    last: int | None = None
    stamp: float = 0.0


class Truth:
    """All that was ever stored, by log and room. ``said``: the tags of all lines that were said so far."""

    def __init__(self) -> None:
        self.said: set[tuple[str, int]] = set()
        self.relaxed: dict[str, int] = {}
        """By person: the number up to which lines may be stored more than once, or in another order."""
        self.fragmented: set[int] = set()
        """Numbers of authors that are taken for people who end no lines: a part of a line is a line."""
        self.fragments: set[str] = set()
        """Such parts, as plain clients are shown them."""
        self.rooms: dict[tuple[str, str], RoomTruth] = {}
        self._places: dict[tuple[str, int], list[tuple[str, str, int]]] = {}
        self._latest: dict[tuple[str, str, int, str], int] = {}
        self._with_session: set[tuple[str, int]] = set()
        self._remembered: set[int] = set()

    def tagged(self, name: str, number: int, text: str) -> str:
        """Return ``text`` as line ``number`` of the person ``name``, who is about to say it."""
        self.said.add((name, number))
        return f"{name}:{number} {text}".rstrip()

    def watch(self, logs: LogStore) -> None:
        """Take note of everything that ``logs`` stores from now on."""
        settle = logs.publish

        def settled(group: CommitGroup) -> None:
            settle(group)
            self._note_sessions(logs, group)
            for log, batches in group.batches:
                for batch in batches:
                    self._stored(logs.id, log.room, batch)  # type: ignore[attr-defined]  # logs of this server have a room

        logs.publish = settled  # type: ignore[method-assign]  # this one store alone is watched

    def reopened(self, logs: LogStore) -> None:
        """Compare what a restarted server has on disk with what was stored before."""
        for key in ROOMS:
            room, log = self.room(logs.id, key), logs.open(key)
            if room.last is not None and log.last < room.last:
                raise BrokenPromiseError(f"lines of {key} after {log.last} are gone with the restart")
            for batch in log.read(log.deleted_through, EVERYTHING):
                for entry in entries_of(batch):
                    known = room.entries.get(entry.id)
                    if known is None:
                        self._add(logs.id, key, room, entry)
                    elif known != entry:
                        raise BrokenPromiseError(f"id {entry.id} of {key} was {known}, and is {entry}")
            room.last = max(room.last or 0, log.last)

    def room(self, log_id: str, key: str) -> RoomTruth:
        """Return what is stored in a room."""
        return self.rooms.setdefault((log_id, key), RoomTruth())

    def places(self, tag: tuple[str, int]) -> list[tuple[str, str, int]]:
        """Return where a line is stored: log, room and id."""
        return self._places.get(tag, [])

    def _note_sessions(self, logs: Any, group: CommitGroup) -> None:
        """A server without a directory forgets sessions that nobody uses when others need the room."""
        if isinstance(logs, MemoryLogStore):
            self._with_session |= {(logs.id, session.number) for session in group.sessions}
            kept = [*logs._sessions._used.values(), *logs._sessions._unused.values()]
            self._remembered = {session.number for session in kept if session is not None}

    def _is_forgotten(self, log_id: str, number: int) -> bool:
        return (log_id, number) in self._with_session and number not in self._remembered

    def _stored(self, log_id: str, key: str, batch: MessageBatch) -> None:
        room = self.room(log_id, key)
        if room.last is not None and batch.first != room.last + 1:
            raise BrokenPromiseError(f"{key}: id {batch.first} was stored after id {room.last}")
        if batch.at < room.stamp:
            raise BrokenPromiseError(f"{key}: id {batch.first} has a stamp before that of the line before")
        room.stamp, room.last = batch.at, batch.last
        for entry in entries_of(batch):
            self._add(log_id, key, room, entry)

    def _add(self, log_id: str, key: str, room: RoomTruth, entry: Entry) -> None:
        room.entries[entry.id] = entry
        tag = entry.tag
        is_fragment = entry.number in self.fragmented
        if not is_fragment and tag not in self.said:
            raise BrokenPromiseError(f"{key}: {entry} was stored, and nobody said it")
        if tag is None:
            self.fragments.add(signed_lines(entry.author, entry.kind, entry.text))
            return
        places = self._places.setdefault(tag, [])
        if not is_fragment and tag[1] > self.relaxed.get(tag[0], 0):
            self._check_once_and_in_order(log_id, key, entry, tag, places)
        places.append((log_id, key, entry.id))

    def _check_once_and_in_order(
        self, log_id: str, key: str, entry: Entry, tag: tuple[str, int], places: list[tuple[str, str, int]]
    ) -> None:
        here = [self.rooms[place[:2]].entries[place[2]] for place in places if place[0] == log_id]
        if not all(self._is_forgotten(log_id, earlier.number) for earlier in here):
            raise BrokenPromiseError(f"{key}: {entry} is stored twice: {places}")
        author = (log_id, key, entry.number, tag[0])  # a new connection in plain text is another author
        if tag[1] < self._latest.get(author, 0):
            raise BrokenPromiseError(
                f"{key}: {entry} was stored after line {self._latest[author]} of its author"
            )
        self._latest[author] = tag[1]


def entries_of(batch: MessageBatch) -> list[Entry]:
    """Return the lines of ``batch``."""
    return [
        Entry(number, batch.by, batch.author, batch.kind, text)
        for number, text in enumerate(batch.text.split("\n"), batch.first)
    ]
