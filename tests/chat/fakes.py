"""The neighbours of a conversation, and of a house, which write down what they are told.

Those of a conversation all write into one list, so that a test sees the order between them too. An event is
a tuple: what was called, as ``"peer.say"``, then what it was given.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from techboy.chat.member import Member
from techboy.chat.messages import Message
from techboy.chat.room import Room
from techboy.chat.server import ChatServer, ServerConfig
from techboy.chat.session import Session
from techboy.client.conversation import Conversation
from techboy.client.outbox import Outbox
from techboy.storage.interface import LogStore, MessageBatch, SessionRecord, StorageError
from techboy.storage.memory import MemoryLogStore
from techboy.terminal.interface import InputSource

Events: TypeAlias = list[tuple[object, ...]]


class FakePeer:
    """The other, while connected: it acknowledges nothing, so that what it is sent is on its own."""

    idle_seconds = 3.4
    missing = 0

    def __init__(self, events: Events, name: str = "juliet", address: str = "('127.0.0.1', 33770)") -> None:
        self.name, self.address, self._events = name, address, events

    def send_from(self, outbox: Outbox) -> None:
        for chunk in outbox.take_all():
            self._events.append(("peer.say", chunk.text))

    def command(self, line: str) -> None:
        self._events.append(("peer.command", line))

    def pause(self) -> None:
        self._events.append(("peer.pause",))

    def resume(self) -> None:
        self._events.append(("peer.resume",))

    def part(self, within: float, flushed_within: float | None) -> None:
        self._events.append(("peer.part", within, flushed_within))

    def limit_close(self, seconds: float) -> None:
        self._events.append(("peer.end_within", seconds))

    def abort(self) -> None:
        self._events.append(("peer.abort",))


class FakeStorer(FakePeer):
    """A peer that acknowledges what it has stored, when the test says so to the outbox."""

    def send_from(self, outbox: Outbox) -> None:
        while (chunk := outbox.take()) is not None:
            self._events.append(("peer.say", chunk.text))


class FullShelf:
    """Where nothing can be kept any more."""

    def save(self, first: int, text: str, kind: str) -> None:
        raise StorageError("the disk is full")

    def forget(self, before: int) -> None:
        """Nothing is kept."""

    def replace(self, first: int) -> None:
        """Nothing is kept."""

    def sending(self, before: int) -> bool:
        return False


class FakeHere:
    """Keyboard and screen.

    Apart from the events: ``own``, what was said here, ``waits``, how many lines of it wait, ``name``, what
    the other end calls this one.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.own: list[str] = []
        self.waits, self.name = 0, ""

    def show_lines(self, author: str, text: str) -> None:
        self._events.append(("here.show_lines", author, text))

    def show_prefixed_lines(self, author: str, text: str) -> None:
        self._events.append(("here.show_prefixed_lines", author, text))

    def show_message(self, words: Message) -> None:
        self._events.append(("here.show_words", words))

    def enable_author_names(self) -> None:
        self._events.append(("here.enable_author_names",))

    def show_rejection(self, text: str) -> None:
        self._events.append(("here.show_rejection", text))

    def show_status(self, text: str) -> None:
        self._events.append(("here.show_status", text))

    def show_prompt(self) -> None:
        self._events.append(("here.invite",))

    def hide_prompt(self) -> None:
        self._events.append(("here.hide_prompt",))

    def show_sent(self, text: str, kind: str) -> None:
        self.own.append(text)

    def set_pending_lines(self, lines: int) -> None:
        self.waits = lines

    def set_nick(self, name: str) -> None:
        self.name = name

    def pause(self) -> None:
        self._events.append(("here.pause",))

    def resume(self) -> None:
        self._events.append(("here.resume",))


class FakeOwner:
    """The program."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def waiting(self, again: bool) -> None:
        self._events.append(("owner.waiting", again))

    def hurry(self) -> None:
        self._events.append(("owner.hurry",))

    def not_kept(self, why: str) -> None:
        self._events.append(("owner.not_kept", why))

    def shown(self) -> None:
        self._events.append(("owner.shown",))

    def over(self, whole: bool) -> None:
        self._events.append(("owner.over", whole))


class Scene:
    """A conversation and its neighbours; `happened` tells what they were told since it was last asked."""

    def __init__(
        self,
        keyboard: InputSource,
        *,
        patient: bool = False,
        outbox: Outbox | None = None,
    ) -> None:
        self._events: Events = []
        here, owner, self.outbox = FakeHere(self._events), FakeOwner(self._events), outbox or Outbox()
        self.conversation = Conversation(here, owner, keyboard, self.outbox, patient=patient)

    def peer_comes(self, kind: type[FakePeer] = FakePeer) -> None:
        """Somebody connects."""
        self.conversation.peer_connected(kind(self._events))

    def stores(self, before: int) -> None:
        """The peer tells that lines with lower numbers than ``before`` are stored."""
        self.outbox.stored(before)
        self.conversation.peer_acknowledged()

    def happened(self) -> Events:
        """Return the events, and forget them."""
        events = self._events.copy()
        self._events.clear()
        return events


def waiting(keyboard: InputSource, *, patient: bool = False) -> Scene:
    """Return a conversation in which nobody is at the other end."""
    scene = Scene(keyboard, patient=patient)
    scene.conversation.start()
    scene.happened()
    return scene


def talking(
    keyboard: InputSource,
    *,
    patient: bool = False,
    kind: type[FakePeer] = FakePeer,
) -> Scene:
    """Return a conversation in which somebody of that ``kind`` is."""
    scene = waiting(keyboard, patient=patient)
    scene.peer_comes(kind)
    scene.happened()
    return scene


class FakeGuest:
    """The way in of a member, which writes down what it is given; ``takes``: whether it has room for more."""

    def __init__(self) -> None:
        self.events: Events = []
        self.takes = True
        self.error: Exception | None = None
        self.idle_seconds: float | None = 3.4
        self.backlog = 0

    @property
    def notices(self) -> list[list[str]]:
        """The notices, as they were given together."""
        return [list(cast(list[str], event[1])) for event in self.events if event[0] == "tell"]

    def send_notice(self, notices: list[str]) -> bool:
        self._raise()
        self.events.append(("tell", notices))
        return self.takes

    def send_history(self, batches: list[MessageBatch]) -> bool:
        self.events.append(("recall", [batch.text for batch in batches]))
        return self.takes

    def deliver(self, delivery: Any) -> None:
        self.events.append(("hear", delivery))

    def on_stored(self, last: int) -> None:
        self.events.append(("stored", last))

    def on_not_stored(self, why: str) -> None:
        self.events.append(("on_not_stored", why))

    def disconnect(self, why: str) -> None:
        self._raise()
        self.events.append(("goodbye", why))

    def on_error(self) -> None:
        self.events.append(("fail", sys.exc_info()[1]))

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def on_room_changed(self) -> None:
        self.events.append(("moved",))


class FakeWaker:
    """Whoever settles rooms, who writes down which are to be settled."""

    def __init__(self) -> None:
        self.events: Events = []

    def schedule_flush(self, room: Room) -> None:
        self.events.append(("wake", room.name))

    def schedule_flush_soon(self, room: Room) -> None:
        self.events.append(("nudge", room.name))

    def report_read_error(self, why: StorageError) -> None:
        self.events.append(("unreadable", str(why)))


def taken_news(room: Room) -> list[str]:
    """Return what is new about who is in ``room``, and forget it with all else that is new there."""
    return [line for segment in room.take_pending() for line in segment.news.notices_for()]


def stored(logs: LogStore, room: Room, at: float) -> list[MessageBatch]:
    """Store in ``logs`` what is new in ``room``, and return what was said."""
    drafts = [(room.log, segment.drafts()) for segment in room.take_pending()]
    group = logs.group(drafts, [], at)
    logs.write(group)
    logs.publish(group)
    return [batch for _, batches in group.batches for batch in batches]


def session(number: int = 7, name: str = "juliet", room: str = "lobby", seen: int = 0) -> Session:
    """Return a session that was last heard of at 8."""
    return Session(SessionRecord(number, b"digest", name, 1, room, seen, 8.0))


class FakeHouse(ChatServer):
    """A house in which everything is remembered, and ``shut`` tells whether it was shut down."""

    def __init__(self, config: ServerConfig | None = None, motd: Sequence[str] = ()) -> None:
        self.shut = False
        super().__init__(
            config or ServerConfig(),
            FakeWaker(),
            MemoryLogStore(),
            clock=lambda at: f"{at:g} o'clock",
            shut_down=self._shut,
            motd=list(motd),
        )

    def comes(
        self,
        name: str | None = None,
        *,
        host: bool = False,
        session: Session | None = None,
        quiet: bool = False,
    ) -> tuple[Member, FakeGuest]:
        """Somebody comes in at 9; return who, and the way."""
        connection = FakeGuest()
        return self.join(connection, 9.0, name, is_operator=host, session=session, hidden=quiet), connection

    def news(self, room: str = "lobby") -> list[str]:
        """Return what is new about who is in a room, and forget it with all else that is new there."""
        return taken_news(self.room(room))

    def store(self, room: str = "lobby", at: float = 5.0) -> list[MessageBatch]:
        """Store what is new in a room, and return what was said."""
        return stored(self.logs, self.room(room), at)

    def _shut(self) -> None:
        self.shut = True
