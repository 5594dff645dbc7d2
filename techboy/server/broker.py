"""The reactor's side of a house: what is new is stored in groups, then brought to everybody.

Everybody has a cursor in the log of their room. Who has taken everything so far is sent what is new as soon
as it is stored: one piece of bytes, rendered once for all. Who has not is left alone, and reads on from the
log when its connection has room again, so that a slow reader costs nobody anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from techboy.chat.counters import Counters, RejectReason
from techboy.chat.isolation import Fallible, isolated
from techboy.chat.member import STORING_FAILS
from techboy.chat.room import PendingBatch, PresenceEvents, Room
from techboy.chat.session import Session
from techboy.net.connection_log import OutageLogger, escaped
from techboy.net.rendering import Delivery
from techboy.storage.executor import StorageExecutor
from techboy.storage.interface import CommitGroup, LogStore, MessageBatch, SessionRecord, StorageError

SEND_TIMEOUT = 30.0
"""Seconds without a byte taken after which a connection that has something to take is ended."""

PAGE = 64 * 1024
"""Characters that are read from a log at a time."""

TRIED_AGAIN = 5.0
"""Seconds after which it is tried whether anything can be stored, where that failed."""

UNREADABLE_AGAIN = 60.0
"""Seconds for which it is not logged again that something can't be read that members ask for."""

NEWS_DELAY = 0.2
"""Seconds for which comings and goings are gathered, where nothing is said meanwhile."""


Remembered: TypeAlias = Callable[["StorageError | None"], None]
"""Is told whether a session was stored: what hindered it, or None."""


class Subscriber(Fallible, Protocol):
    """Somebody to whom what is new is brought."""

    def deliver(self, delivery: Delivery) -> None:
        """Take what is new, or leave it in the log for later."""

    def on_send_timeout(self) -> None:
        """Nothing was taken for too long."""


class RoomsObserver(Protocol):
    """Somebody who sees what is new in all rooms."""

    def on_delivery(self, room: Room, delivery: Delivery) -> None:
        """Take what is new in ``room``, in its log's order."""


class CommitState(Enum):
    """What is done about what is new."""

    IDLE = auto()  # the next group is stored when this turn is over
    WRITING = auto()  # a group is being written; the next one gathers


class Broker:
    """Has what is new in rooms stored, brings it to everybody, and keeps an eye on who takes nothing.

    ``clock`` measures intervals. ``wall`` returns the time of day, in seconds since 1970, for stamps.
    ``counters`` counts what is stored. ``storage_error`` says why the last group could not be stored; it is
    None if the group was stored, or if there was none. It is tried again every `TRIED_AGAIN` seconds.
    ``commit_durations`` is told for each group how many seconds passed from its being handed over until the
    outcome was known.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        logs: LogStore,
        executor: StorageExecutor,
        stall: float = SEND_TIMEOUT,
    ) -> None:
        self.clock, self.wall, self._logs, self._executor = clock, wall, logs, executor
        self._subscribers: dict[Room, list[Subscriber]] = {}
        self._rooms_observers: list[RoomsObserver] = []
        self._storing = OutageLogger(self._log, _NOT_STORED, _STORED_AGAIN)
        self._stall = stall
        self.counters = Counters()
        self.storage_error: str | None = None
        self.commit_durations: Callable[[float], object] | None = None
        self._state = CommitState.IDLE
        self._unreadable_at: float | None = None
        self._writing = 0
        self._dirty_rooms: dict[Room, None] = {}
        self._presence_dirty: dict[Room, None] = {}
        self._sessions: dict[int, SessionRecord] = {}
        self._retitled: dict[Room, None] = {}  # whose topic is to be stored
        self._sessions_to_save: list[Remembered] = []
        self._drained: list[Deferred[None]] = []
        self._turn: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._stall_check: IDelayedCall | None = None
        self._storage_probe: IDelayedCall | None = None
        self._waiting: dict[Subscriber, float] = {}
        self._pages: dict[tuple[Room, int], Delivery] = {}

    # what rooms and sessions ask for

    def schedule_flush(self, room: Room) -> None:
        """Something was said in ``room``: settle it when this turn of the reactor is over."""
        self._dirty_rooms[room] = None
        self._flush_this_turn()

    def schedule_flush_soon(self, room: Room) -> None:
        """Somebody came or went in ``room``: settle it soon."""
        self._presence_dirty[room] = None
        if self._soon is None:
            self._soon = self.clock.callLater(NEWS_DELAY, self._flush_presence)

    def report_read_error(self, why: StorageError) -> None:
        """Log that something can't be read, once in `UNREADABLE_AGAIN` seconds."""
        now = self.clock.seconds()
        if self._unreadable_at is None or now - self._unreadable_at >= UNREADABLE_AGAIN:
            self._unreadable_at = now
            self._log.error(
                "stored messages cannot be read: {reason}",
                event="storage_read_failed",
                reason=escaped(str(why)),
            )

    def save_session(self, session: Session, then: Remembered | None = None) -> None:
        """Store ``session`` as it is with the next group, then tell ``then`` what hindered it."""
        self._sessions[session.number] = session.record()
        if then is not None:
            self._sessions_to_save.append(then)
        self._flush_this_turn()

    def when_settled(self, then: Callable[[], object]) -> None:
        """Call ``then`` once all that was said so far was stored and brought, or could not be stored."""

        def settled(hindrance: StorageError | None) -> None:
            then()

        self._sessions_to_save.append(settled)
        self._flush()

    def subscribe(self, room: Room, observer: Subscriber) -> None:
        """Bring what is new in ``room`` to ``observer`` too, who is not a member."""
        self._subscribers.setdefault(room, []).append(observer)

    def subscribe_all(self, witness: RoomsObserver) -> None:
        """Bring what is new in any room, from now on, to ``on_delivery`` too."""
        self._rooms_observers.append(witness)

    def prune(self, lines_before: float | None, sessions_before: float) -> None:
        """Forget what was stored before those times."""
        work: Callable[[], Mapping[str, int]] = partial(self._logs.prune, lines_before, sessions_before)

        def pruned(outcome: Mapping[str, int] | StorageError) -> None:
            if isinstance(outcome, StorageError):
                self._log.warn(
                    "old messages cannot be deleted: {reason}",
                    event="retention_failed",
                    reason=escaped(str(outcome)),
                )
            else:
                self._logs.apply_pruning(outcome)
                self._pages.clear()

        self._executor.commit(work, pruned)

    # what doors ask for

    def page(self, room: Room, after: int) -> Delivery:
        """Return what is kept of what follows the id ``after`` in ``room``, about a page of it.

        Where it begins after that id, what is between was forgotten; where it is empty, all up to its head.
        Readers who are behind are often behind at the same place, so the last few pages are kept.
        """
        key = (room, after)
        if key not in self._pages:
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.clear()
            self._pages[key] = Delivery(_NO_NEWS, room.log.read(after, PAGE), room.log.last)
        return self._pages[key]

    def mark_blocked(self, subscriber: Subscriber) -> None:
        """``subscriber`` has something to take, and took something just now."""
        self._waiting.pop(subscriber, None)  # so that who has waited longest comes first
        self._waiting[subscriber] = self.clock.seconds()
        if self._stall_check is None:
            self._stall_check = self.clock.callLater(self._stall, self._end_stalled)

    def mark_unblocked(self, subscriber: Subscriber) -> None:
        """``subscriber`` has taken everything, or is gone."""
        self._waiting.pop(subscriber, None)

    @property
    def pending_lines(self) -> int:
        """How many lines were said and are not stored yet, counted when it is asked."""
        return self._writing + sum(room.pending_lines for room in self._dirty_rooms)

    def drain(self) -> Deferred[None]:
        """Store and bring all that is new; fires when that is done."""
        drained: Deferred[None] = Deferred()
        self._drained.append(drained)
        self._flush()
        return drained

    def close(self) -> None:
        """Wait for nothing any more."""
        for call in (self._turn, self._soon, self._stall_check, self._storage_probe):
            if call is not None and call.active():
                call.cancel()

    # storing

    def _flush_this_turn(self) -> None:
        if self._turn is None and self._state is CommitState.IDLE:
            self._turn = self.clock.callLater(0, self._flush_rooms)

    def _flush_rooms(self) -> None:
        self._turn = None
        self._flush()

    def _flush_presence(self) -> None:
        self._soon = None
        self._dirty_rooms.update(self._presence_dirty)
        self._presence_dirty = {}
        self._flush()

    def _flush(self) -> None:
        """Store what is new, or bring it where there is nothing to store, unless a group is being written."""
        if self._state is CommitState.WRITING:
            return
        if self._drained:
            self._dirty_rooms.update(self._presence_dirty)
            self._presence_dirty = {}
        segments = self._segments()
        if any(segment.messages for _, segment in segments) or self._sessions or self._retitled:
            self._write(segments)
        else:
            self._deliver_all(segments, [[] for _ in segments])
            remembered, self._sessions_to_save = self._sessions_to_save, []
            for then in remembered:
                self._guard(then, None)
            self._all_flushed()

    def _segments(self) -> list[tuple[Room, PendingBatch]]:
        stirred, self._dirty_rooms = self._dirty_rooms, {}
        for room in stirred:
            self._presence_dirty.pop(room, None)
            if room.topic != room.log.topic:
                self._retitled[room] = None
        return [(room, segment) for room in stirred for segment in room.take_pending()]

    def _write(self, segments: list[tuple[Room, PendingBatch]]) -> None:
        sessions, self._sessions = self._sessions, {}
        remembered, self._sessions_to_save = self._sessions_to_save, []
        said = [(room, segment) for room, segment in segments if segment.messages]
        for _, segment in said:
            for number, words in segment.messages.items():
                if words.member.session is not None:
                    sessions[number] = words.member.session.record()
        drafts = [(room.log, segment.drafts()) for room, segment in said]
        topics = [(room.log, room.topic) for room in self._retitled]
        group = self._logs.group(drafts, list(sessions.values()), self.wall(), topics)
        self._state = CommitState.WRITING
        self._writing = sum(batch.lines for _, batches in group.batches for batch in batches)
        self.counters.lines_received += self._writing
        self._executor.commit(
            partial(self._logs.write, group),
            partial(self._written, group, segments, remembered, self.clock.seconds()),
        )

    def _written(
        self,
        group: CommitGroup,
        segments: list[tuple[Room, PendingBatch]],
        remembered: list[Remembered],
        began: float,
        outcome: StorageError | None,
    ) -> None:
        self._state = CommitState.IDLE
        self._account(began, outcome)
        if outcome is not None:
            remembered += self._not_stored(segments, outcome)
        else:
            self._logs.publish(group)
            self._storing.worked()
            self._stored(group, segments)
        # a topic that could not be stored is tried again with what is stored next, if anybody is in the room
        self._retitled = {
            room: None for room in self._retitled if room.members and room.topic != room.log.topic
        }
        for then in remembered:
            self._guard(then, outcome)
        self._all_flushed()

    def _account(self, began: float, outcome: StorageError | None) -> None:
        """Note what became of the group that was handed over when it was ``began``."""
        lines, self._writing = self._writing, 0
        if outcome is None:
            self.counters.lines_stored += lines
            self.storage_error = None
        else:
            self.counters.reject(RejectReason.STORAGE, lines)
            self.storage_error = str(outcome)
            self._probe_storage_later()
        if self.commit_durations is not None:
            self._guard(self.commit_durations, self.clock.seconds() - began)

    def _probe_storage_later(self) -> None:
        if self._storage_probe is None:
            self._storage_probe = self.clock.callLater(TRIED_AGAIN, self._probe_storage)

    def _probe_storage(self) -> None:
        """Store something, if it is no more than that a number is taken."""
        self._storage_probe = None
        if self.storage_error is not None and self._state is CommitState.IDLE:
            self._logs.new_number()
            self._write([])

    def _all_flushed(self) -> None:
        """Go on with what has come meanwhile; or nothing is left to be stored."""
        if (
            self._dirty_rooms
            or self._sessions
            or self._sessions_to_save
            or (self._drained and self._presence_dirty)
        ):
            if self._drained:
                self._flush()
            else:
                self._flush_this_turn()
        else:
            drained, self._drained = self._drained, []
            for deferred in drained:
                deferred.callback(None)

    def _stored(self, group: CommitGroup, segments: list[tuple[Room, PendingBatch]]) -> None:
        stored = iter(group.batches)
        batches = [next(stored)[1] if segment.messages else [] for _, segment in segments]
        records = {record.number: record for record in group.sessions}
        for (_, segment), brought in zip(segments, batches, strict=True):
            for number, said in segment.messages.items():
                session = said.member.session
                if session is not None:
                    session.mark_stored(records[number].next)
            self._acknowledge(segment, brought)
        self._deliver_all(segments, batches)

    def _acknowledge(self, segment: PendingBatch, batches: list[MessageBatch]) -> None:
        last = {batch.by: batch.last for batch in batches}
        for number, said in segment.messages.items():
            said.member.pending_chars -= said.size
            connection = said.member.connection
            self._guard(isolated, connection, partial(connection.on_stored, last[number]))

    def _not_stored(self, segments: list[tuple[Room, PendingBatch]], why: StorageError) -> list[Remembered]:
        """Tell the authors. What was said since goes the same way, as it would leave a gap before it."""
        remembered, self._sessions_to_save, self._sessions = self._sessions_to_save, [], {}
        since = self._segments()
        lines = sum(segment.lines for _, segment in since)
        self.counters.lines_received += lines
        self.counters.reject(RejectReason.STORAGE, lines)
        segments += since
        self._storing.failed(str(why), sum(segment.lines for _, segment in segments))
        told: set[int] = set()
        for _, segment in segments:
            for number, said in segment.messages.items():
                said.member.pending_chars -= said.size
                if said.member.session is not None:
                    said.member.session.reset_accepted()
                if number not in told:
                    told.add(number)
                    connection, reason = (
                        said.member.connection,
                        said.member.describe_error(why, STORING_FAILS),
                    )
                    self._guard(isolated, connection, partial(connection.on_not_stored, reason))
        self._deliver_all(segments, [[] for _ in segments])
        return remembered

    # bringing

    def _deliver_all(
        self, segments: list[tuple[Room, PendingBatch]], batches: list[list[MessageBatch]]
    ) -> None:
        for (room, segment), brought in zip(segments, batches, strict=True):
            if segment.news or brought:
                self._pages.clear()
                self._deliver(room, Delivery(segment.news, brought))

    def _deliver(self, room: Room, delivery: Delivery) -> None:
        for member in list(room.members.values()):
            connection = member.connection
            try:  # `isolated`, without the cost of a call for each member
                connection.deliver(delivery)
            except Exception:
                self._guard(connection.on_error)
        self.counters.lines_sent += delivery.taken * delivery.lines
        for observer in self._subscribers.get(room, ()):
            self._guard(isolated, observer, partial(observer.deliver, delivery))
        for witness in self._rooms_observers:
            self._guard(witness.on_delivery, room, delivery)

    def _guard(self, act: Callable[..., object], *given: object) -> None:
        """Call ``act``, whose exception is logged and hinders nobody."""
        try:
            act(*given)
        except Exception:
            self._log.failure("an error concerning one connection or observer", event="internal_error")

    def _end_stalled(self) -> None:
        self._stall_check = None
        now = self.clock.seconds()
        stalled = [subscriber for subscriber, since in self._waiting.items() if now - since >= self._stall]
        for subscriber in stalled:
            self.mark_unblocked(subscriber)
            self._guard(isolated, subscriber, subscriber.on_send_timeout)
        for since in self._waiting.values():
            self._stall_check = self.clock.callLater(
                max(since + self._stall - now, _SWEEP), self._end_stalled
            )
            return


_PAGES_KEPT = 32
_SWEEP = 0.5  # seconds between two looks at who waits, at least
_NO_NEWS = PresenceEvents()
_NOT_STORED = "messages cannot be stored, {lines} lines so far: {reason}"
_STORED_AGAIN = "messages are stored again; {lines} lines were not"
