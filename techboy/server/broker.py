"""The broker commits new messages in groups, then delivers them to all readers.

Every reader has an offset in the log of its room. A reader that has been sent everything gets new messages as
soon as they are stored, rendered once for all such readers. A reader that is behind is skipped: it reads the
log from its offset when its connection has room again. A slow reader therefore costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from techboy.chat.counters import Counters, RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import STORING_FAILS
from techboy.chat.room import PendingBatch, PresenceEvents, Room
from techboy.chat.session import Session
from techboy.net.connection_log import escaped
from techboy.net.rendering import Delivery
from techboy.server.send_timeouts import SEND_TIMEOUT, SendTimeouts
from techboy.server.storage_health import StorageHealth
from techboy.server.subscriber import RoomsObserver, Subscriber, guarded
from techboy.storage.executor import StorageExecutor
from techboy.storage.interface import CommitGroup, LogStore, MessageBatch, SessionRecord, StorageError

PAGE_SIZE = 64 * 1024
"""Characters of messages that are read from a log at a time."""

PRESENCE_DELAY = 0.2
"""Seconds for which joins and leaves are collected, unless a message is delivered in the room before."""

_PAGES_CACHED = 32
_NO_PRESENCE = PresenceEvents()

OnSaved: TypeAlias = Callable[["StorageError | None"], None]
"""Called with the error if a session could not be stored, or with None if it was stored."""


class CommitState(Enum):
    """Whether a group is being committed."""

    IDLE = auto()  # the next group is committed at the end of this reactor turn
    WRITING = auto()  # a group is being written, and the next one is collected


class Broker:
    """Commits what is new in the rooms, delivers it to all readers, and enforces the send timeout.

    ``clock`` measures intervals. ``wall`` returns the time of day in seconds since 1970, for timestamps.
    ``send_timeout`` is in seconds. ``counters`` counts the lines stored, rejected and sent.
    ``commit_durations`` is called for each group with the seconds from handing it to the storage until the
    outcome was known.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        logs: LogStore,
        executor: StorageExecutor,
        send_timeout: float = SEND_TIMEOUT,
    ) -> None:
        self.clock, self.wall, self._logs, self._executor = clock, wall, logs, executor
        self._send_timeouts = SendTimeouts(clock, send_timeout)
        self.mark_blocked = self._send_timeouts.mark_blocked
        self.mark_unblocked = self._send_timeouts.mark_unblocked
        self._health = StorageHealth(clock, self._probe_storage)
        self.report_read_error = self._health.report_read_error
        self._subscribers: dict[Room, list[Subscriber]] = {}
        self._rooms_observers: list[RoomsObserver] = []
        self.counters = Counters()
        self.commit_durations: Callable[[float], object] | None = None
        self._state = CommitState.IDLE
        self._lines_writing = 0
        self._dirty_rooms: dict[Room, None] = {}
        self._presence_dirty: dict[Room, None] = {}
        self._topics_dirty: dict[Room, None] = {}
        self._sessions: dict[int, SessionRecord] = {}
        self._on_saved: list[OnSaved] = []
        self._drained: list[Deferred[None]] = []
        self._next_flush: IDelayedCall | None = None
        self._next_presence_flush: IDelayedCall | None = None
        self._pages: dict[tuple[Room, int], Delivery] = {}

    # called by rooms and sessions

    def schedule_flush(self, room: Room) -> None:
        """Commit and deliver the new messages of ``room`` at the end of this reactor turn."""
        self._dirty_rooms[room] = None
        self._flush_this_turn()

    def schedule_flush_soon(self, room: Room) -> None:
        """Deliver the joins and leaves of ``room`` within `PRESENCE_DELAY` seconds."""
        self._presence_dirty[room] = None
        if self._next_presence_flush is None:
            self._next_presence_flush = self.clock.callLater(PRESENCE_DELAY, self._flush_presence)

    def save_session(self, session: Session, on_saved: OnSaved | None = None) -> None:
        """Store ``session`` in its present state with the next group, then call ``on_saved``."""
        self._sessions[session.number] = session.record()
        if on_saved is not None:
            self._on_saved.append(on_saved)
        self._flush_this_turn()

    def when_flushed(self, act: Callable[[], object]) -> None:
        """Call ``act`` once all messages so far are stored and delivered, or could not be stored."""

        def on_saved(error: StorageError | None) -> None:
            act()

        self._on_saved.append(on_saved)
        self._flush()

    def subscribe(self, room: Room, subscriber: Subscriber) -> None:
        """Deliver what is new in ``room`` to ``subscriber`` too, which is not a member."""
        self._subscribers.setdefault(room, []).append(subscriber)

    def subscribe_all(self, observer: RoomsObserver) -> None:
        """Deliver what is new in any room to ``observer`` too."""
        self._rooms_observers.append(observer)

    def prune(self, lines_before: float | None, sessions_before: float) -> None:
        """Delete messages and sessions older than those times; ``lines_before`` None keeps all messages."""
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

    # called by connections

    def page(self, room: Room, after: int) -> Delivery:
        """Return about `PAGE_SIZE` characters of the messages of ``room`` that follow the id ``after``.

        If the page begins later, the messages in between were deleted; if it is empty, all up to the end of
        the log were. Raise StorageError if the log cannot be read. The last pages are cached, because readers
        that are behind are often behind at the same offset.
        """
        key = (room, after)
        if key not in self._pages:
            if len(self._pages) >= _PAGES_CACHED:
                self._pages.clear()
            self._pages[key] = Delivery(_NO_PRESENCE, room.log.read(after, PAGE_SIZE), room.log.last)
        return self._pages[key]

    @property
    def pending_lines(self) -> int:
        """The number of lines that were received and are not stored yet."""
        return self._lines_writing + sum(room.pending_lines for room in self._dirty_rooms)

    @property
    def storage_error(self) -> str | None:
        """The reason why the last commit failed; None if it succeeded."""
        return self._health.error

    def drain(self) -> Deferred[None]:
        """Commit and deliver everything that is new; fire when that is done."""
        drained: Deferred[None] = Deferred()
        self._drained.append(drained)
        self._flush()
        return drained

    def close(self) -> None:
        """Cancel all timers."""
        self._send_timeouts.close()
        self._health.close()
        for call in (self._next_flush, self._next_presence_flush):
            if call is not None and call.active():
                call.cancel()

    # committing

    def _flush_this_turn(self) -> None:
        if self._next_flush is None and self._state is CommitState.IDLE:
            self._next_flush = self.clock.callLater(0, self._flush_rooms)

    def _flush_rooms(self) -> None:
        self._next_flush = None
        self._flush()

    def _flush_presence(self) -> None:
        self._next_presence_flush = None
        self._dirty_rooms.update(self._presence_dirty)
        self._presence_dirty = {}
        self._flush()

    def _flush(self) -> None:
        """Commit what is new, or deliver it if nothing has to be stored; wait while a group is written."""
        if self._state is CommitState.WRITING:
            return
        if self._drained:
            self._dirty_rooms.update(self._presence_dirty)
            self._presence_dirty = {}
        pending = self._take_pending()
        if any(batch.messages for _, batch in pending) or self._sessions or self._topics_dirty:
            self._write(pending)
        else:
            self._deliver_all(pending, [[] for _ in pending])
            callbacks, self._on_saved = self._on_saved, []
            for on_saved in callbacks:
                guarded(on_saved, None)
            self._all_flushed()

    def _take_pending(self) -> list[tuple[Room, PendingBatch]]:
        dirty, self._dirty_rooms = self._dirty_rooms, {}
        for room in dirty:
            self._presence_dirty.pop(room, None)
            if room.topic != room.log.topic:
                self._topics_dirty[room] = None
        return [(room, batch) for room in dirty for batch in room.take_pending()]

    def _write(self, pending: list[tuple[Room, PendingBatch]]) -> None:
        sessions, self._sessions = self._sessions, {}
        callbacks, self._on_saved = self._on_saved, []
        with_messages = [(room, batch) for room, batch in pending if batch.messages]
        for _, batch in with_messages:
            for number, messages in batch.messages.items():
                if messages.member.session is not None:
                    sessions[number] = messages.member.session.record()
        drafts = [(room.log, batch.drafts()) for room, batch in with_messages]
        topics = [(room.log, room.topic) for room in self._topics_dirty]
        group = self._logs.group(drafts, list(sessions.values()), self.wall(), topics)
        self._state = CommitState.WRITING
        self._lines_writing = sum(batch.lines for _, batches in group.batches for batch in batches)
        self.counters.lines_received += self._lines_writing
        self._executor.commit(
            partial(self._logs.write, group),
            partial(self._written, group, pending, callbacks, self.clock.seconds()),
        )

    def _written(
        self,
        group: CommitGroup,
        pending: list[tuple[Room, PendingBatch]],
        callbacks: list[OnSaved],
        started_at: float,
        error: StorageError | None,
    ) -> None:
        self._state = CommitState.IDLE
        self._count(started_at, error)
        if error is None:
            self._logs.publish(group)
            self._health.commit_succeeded()
            self._stored(group, pending)
        else:
            callbacks += self._not_stored(pending, error)
        # a topic that could not be stored is stored with the next group, unless the room is empty by then
        self._topics_dirty = {
            room: None for room in self._topics_dirty if room.members and room.topic != room.log.topic
        }
        for on_saved in callbacks:
            guarded(on_saved, error)
        self._all_flushed()

    def _count(self, started_at: float, error: StorageError | None) -> None:
        """Count the lines and the duration of the group that was handed to the storage at ``started_at``."""
        lines, self._lines_writing = self._lines_writing, 0
        if error is None:
            self.counters.lines_stored += lines
        else:
            self.counters.reject(RejectReason.STORAGE, lines)
        if self.commit_durations is not None:
            guarded(self.commit_durations, self.clock.seconds() - started_at)

    def _probe_storage(self) -> None:
        """Write as little as possible, to find out whether the storage works again."""
        if self._state is CommitState.IDLE:
            self._logs.new_number()
            self._write([])

    def _all_flushed(self) -> None:
        """Flush what has arrived meanwhile; if there is nothing, fire the Deferreds of `drain`."""
        if self._dirty_rooms or self._sessions or self._on_saved or (self._drained and self._presence_dirty):
            if self._drained:
                self._flush()
            else:
                self._flush_this_turn()
        else:
            drained, self._drained = self._drained, []
            for deferred in drained:
                deferred.callback(None)

    def _stored(self, group: CommitGroup, pending: list[tuple[Room, PendingBatch]]) -> None:
        stored = iter(group.batches)
        batches = [next(stored)[1] if batch.messages else [] for _, batch in pending]
        records = {record.number: record for record in group.sessions}
        for (_, batch), stored_batches in zip(pending, batches, strict=True):
            for number, messages in batch.messages.items():
                session = messages.member.session
                if session is not None:
                    session.mark_stored(records[number].next)
            self._acknowledge(batch, stored_batches)
        self._deliver_all(pending, batches)

    def _acknowledge(self, pending: PendingBatch, stored: list[MessageBatch]) -> None:
        last = {batch.by: batch.last for batch in stored}
        for number, messages in pending.messages.items():
            messages.member.pending_chars -= messages.size
            connection = messages.member.connection
            guarded(isolated, connection, partial(connection.on_stored, last[number]))

    def _not_stored(self, pending: list[tuple[Room, PendingBatch]], error: StorageError) -> list[OnSaved]:
        """Report ``error`` to the authors of ``pending``, and of all messages received since.

        The latter are not stored either, because the session numbers before them would be missing. Return
        the callbacks of the sessions that were to be saved with them.
        """
        callbacks, self._on_saved, self._sessions = self._on_saved, [], {}
        later = self._take_pending()
        lines = sum(batch.lines for _, batch in later)
        self.counters.lines_received += lines
        self.counters.reject(RejectReason.STORAGE, lines)
        pending += later
        self._health.commit_failed(error, sum(batch.lines for _, batch in pending))
        reported: set[int] = set()
        for _, batch in pending:
            for number, messages in batch.messages.items():
                member = messages.member
                member.pending_chars -= messages.size
                if member.session is not None:
                    member.session.reset_accepted()
                if number not in reported:
                    reported.add(number)
                    reason = member.describe_error(error, STORING_FAILS)
                    guarded(isolated, member.connection, partial(member.connection.on_not_stored, reason))
        self._deliver_all(pending, [[] for _ in pending])
        return callbacks

    # delivering

    def _deliver_all(
        self, pending: list[tuple[Room, PendingBatch]], stored: list[list[MessageBatch]]
    ) -> None:
        for (room, batch), batches in zip(pending, stored, strict=True):
            if batch.news or batches:
                self._pages.clear()
                self._deliver(room, Delivery(batch.news, batches))

    def _deliver(self, room: Room, delivery: Delivery) -> None:
        for member in list(room.members.values()):
            connection = member.connection
            try:  # like `isolated`, without the cost of a call for each member
                connection.deliver(delivery)
            except Exception:
                guarded(connection.on_error)
        self.counters.lines_sent += delivery.taken * delivery.lines
        for subscriber in self._subscribers.get(room, ()):
            guarded(isolated, subscriber, partial(subscriber.deliver, delivery))
        for observer in self._rooms_observers:
            guarded(observer.on_delivery, room, delivery)
