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

from techboy.chat.counters import Refusal, Tally
from techboy.chat.isolation import Fallible, isolated
from techboy.chat.member import STORING_FAILS
from techboy.chat.room import News, Room, Segment
from techboy.chat.session import Session
from techboy.net.connection_log import Trouble, escaped
from techboy.net.rendering import Delivery
from techboy.storage.executor import Committer
from techboy.storage.interface import Batch, Group, Logs, SessionRecord, StorageError

STALL = 30.0
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


class Hearer(Fallible, Protocol):
    """Somebody to whom what is new is brought."""

    def hear(self, delivery: Delivery) -> None:
        """Take what is new, or leave it in the log for later."""

    def stalled(self) -> None:
        """Nothing was taken for too long."""


class Witness(Protocol):
    """Somebody who sees what is new in all rooms."""

    def witness(self, room: Room, delivery: Delivery) -> None:
        """Take what is new in ``room``, in its log's order."""


class Store(Enum):
    """What is done about what is new."""

    IDLE = auto()  # the next group is stored when this turn is over
    WRITING = auto()  # a group is being written; the next one gathers


class Hall:
    """Has what is new in rooms stored, brings it to everybody, and keeps an eye on who takes nothing.

    ``clock`` measures intervals. ``wall`` returns the time of day, in seconds since 1970, for stamps.
    ``tally`` counts it. ``hindrance``: why the last group could not be stored, None where it could, or there
    was none; it is tried again every `TRIED_AGAIN` seconds. ``timed`` is told for each group how many seconds
    it took: from its being handed over until it is known here what became of it.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        logs: Logs,
        committer: Committer,
        stall: float = STALL,
    ) -> None:
        self.clock, self.wall, self._logs, self._committer = clock, wall, logs, committer
        self._observers: dict[Room, list[Hearer]] = {}
        self._witnesses: list[Witness] = []
        self._storing = Trouble(self._log, _NOT_STORED, _STORED_AGAIN)
        self._stall = stall
        self.tally = Tally()
        self.hindrance: str | None = None
        self.timed: Callable[[float], object] | None = None
        self._state = Store.IDLE
        self._unreadable_at: float | None = None
        self._writing = 0
        self._stirred: dict[Room, None] = {}
        self._nudged: dict[Room, None] = {}
        self._sessions: dict[int, SessionRecord] = {}
        self._retitled: dict[Room, None] = {}  # whose topic is to be stored
        self._remembered: list[Remembered] = []
        self._drained: list[Deferred[None]] = []
        self._turn: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._sweep: IDelayedCall | None = None
        self._trial: IDelayedCall | None = None
        self._waiting: dict[Hearer, float] = {}
        self._pages: dict[tuple[Room, int], Delivery] = {}

    # what rooms and sessions ask for

    def wake(self, room: Room) -> None:
        """Something was said in ``room``: settle it when this turn of the reactor is over."""
        self._stirred[room] = None
        self._settle_this_turn()

    def nudge(self, room: Room) -> None:
        """Somebody came or went in ``room``: settle it soon."""
        self._nudged[room] = None
        if self._soon is None:
            self._soon = self.clock.callLater(NEWS_DELAY, self._settle_nudged)

    def unreadable(self, why: StorageError) -> None:
        """Log that something can't be read, once in `UNREADABLE_AGAIN` seconds."""
        now = self.clock.seconds()
        if self._unreadable_at is None or now - self._unreadable_at >= UNREADABLE_AGAIN:
            self._unreadable_at = now
            self._log.error(
                "stored messages cannot be read: {reason}",
                event="storage_read_failed",
                reason=escaped(str(why)),
            )

    def remember(self, session: Session, then: Remembered | None = None) -> None:
        """Store ``session`` as it is with the next group, then tell ``then`` what hindered it."""
        self._sessions[session.number] = session.record()
        if then is not None:
            self._remembered.append(then)
        self._settle_this_turn()

    def when_settled(self, then: Callable[[], object]) -> None:
        """Call ``then`` once all that was said so far was stored and brought, or could not be stored."""

        def settled(hindrance: StorageError | None) -> None:
            then()

        self._remembered.append(settled)
        self._settle()

    def observe(self, room: Room, observer: Hearer) -> None:
        """Bring what is new in ``room`` to ``observer`` too, who is not a member."""
        self._observers.setdefault(room, []).append(observer)

    def observe_all(self, witness: Witness) -> None:
        """Bring what is new in any room, from now on, to ``witness`` too."""
        self._witnesses.append(witness)

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
                self._logs.pruned(outcome)
                self._pages.clear()

        self._committer.commit(work, pruned)

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

    def waits(self, hearer: Hearer) -> None:
        """``hearer`` has something to take, and took something just now."""
        self._waiting.pop(hearer, None)  # so that who has waited longest comes first
        self._waiting[hearer] = self.clock.seconds()
        if self._sweep is None:
            self._sweep = self.clock.callLater(self._stall, self._end_stalled)

    def waits_no_more(self, hearer: Hearer) -> None:
        """``hearer`` has taken everything, or is gone."""
        self._waiting.pop(hearer, None)

    @property
    def waiting(self) -> int:
        """How many lines were said and are not stored yet, counted when it is asked."""
        return self._writing + sum(room.waiting for room in self._stirred)

    def drain(self) -> Deferred[None]:
        """Store and bring all that is new; fires when that is done."""
        drained: Deferred[None] = Deferred()
        self._drained.append(drained)
        self._settle()
        return drained

    def close(self) -> None:
        """Wait for nothing any more."""
        for call in (self._turn, self._soon, self._sweep, self._trial):
            if call is not None and call.active():
                call.cancel()

    # storing

    def _settle_this_turn(self) -> None:
        if self._turn is None and self._state is Store.IDLE:
            self._turn = self.clock.callLater(0, self._settle_stirred)

    def _settle_stirred(self) -> None:
        self._turn = None
        self._settle()

    def _settle_nudged(self) -> None:
        self._soon = None
        self._stirred.update(self._nudged)
        self._nudged = {}
        self._settle()

    def _settle(self) -> None:
        """Store what is new, or bring it where there is nothing to store, unless a group is being written."""
        if self._state is Store.WRITING:
            return
        if self._drained:
            self._stirred.update(self._nudged)
            self._nudged = {}
        segments = self._segments()
        if any(segment.said for _, segment in segments) or self._sessions or self._retitled:
            self._write(segments)
        else:
            self._bring_all(segments, [[] for _ in segments])
            remembered, self._remembered = self._remembered, []
            for then in remembered:
                self._guard(then, None)
            self._all_settled()

    def _segments(self) -> list[tuple[Room, Segment]]:
        stirred, self._stirred = self._stirred, {}
        for room in stirred:
            self._nudged.pop(room, None)
            if room.topic != room.log.topic:
                self._retitled[room] = None
        return [(room, segment) for room in stirred for segment in room.take()]

    def _write(self, segments: list[tuple[Room, Segment]]) -> None:
        sessions, self._sessions = self._sessions, {}
        remembered, self._remembered = self._remembered, []
        said = [(room, segment) for room, segment in segments if segment.said]
        for _, segment in said:
            for number, words in segment.said.items():
                if words.member.session is not None:
                    sessions[number] = words.member.session.record()
        drafts = [(room.log, segment.drafts()) for room, segment in said]
        topics = [(room.log, room.topic) for room in self._retitled]
        group = self._logs.group(drafts, list(sessions.values()), self.wall(), topics)
        self._state = Store.WRITING
        self._writing = sum(batch.lines for _, batches in group.batches for batch in batches)
        self.tally.said += self._writing
        self._committer.commit(
            partial(self._logs.write, group),
            partial(self._written, group, segments, remembered, self.clock.seconds()),
        )

    def _written(
        self,
        group: Group,
        segments: list[tuple[Room, Segment]],
        remembered: list[Remembered],
        began: float,
        outcome: StorageError | None,
    ) -> None:
        self._state = Store.IDLE
        self._account(began, outcome)
        if outcome is not None:
            remembered += self._not_stored(segments, outcome)
        else:
            self._logs.settle(group)
            self._storing.worked()
            self._stored(group, segments)
        # a topic that could not be stored is tried again with what is stored next, if anybody is in the room
        self._retitled = {
            room: None for room in self._retitled if room.members and room.topic != room.log.topic
        }
        for then in remembered:
            self._guard(then, outcome)
        self._all_settled()

    def _account(self, began: float, outcome: StorageError | None) -> None:
        """Note what became of the group that was handed over when it was ``began``."""
        lines, self._writing = self._writing, 0
        if outcome is None:
            self.tally.stored += lines
            self.hindrance = None
        else:
            self.tally.refuse(Refusal.STORAGE, lines)
            self.hindrance = str(outcome)
            self._try_later()
        if self.timed is not None:
            self._guard(self.timed, self.clock.seconds() - began)

    def _try_later(self) -> None:
        if self._trial is None:
            self._trial = self.clock.callLater(TRIED_AGAIN, self._try)

    def _try(self) -> None:
        """Store something, if it is no more than that a number is taken."""
        self._trial = None
        if self.hindrance is not None and self._state is Store.IDLE:
            self._logs.new_number()
            self._write([])

    def _all_settled(self) -> None:
        """Go on with what has come meanwhile; or nothing is left to be stored."""
        if self._stirred or self._sessions or self._remembered or (self._drained and self._nudged):
            if self._drained:
                self._settle()
            else:
                self._settle_this_turn()
        else:
            drained, self._drained = self._drained, []
            for deferred in drained:
                deferred.callback(None)

    def _stored(self, group: Group, segments: list[tuple[Room, Segment]]) -> None:
        stored = iter(group.batches)
        batches = [next(stored)[1] if segment.said else [] for _, segment in segments]
        records = {record.number: record for record in group.sessions}
        for (_, segment), brought in zip(segments, batches, strict=True):
            for number, said in segment.said.items():
                session = said.member.session
                if session is not None:
                    session.stored(records[number].next)
            self._acknowledge(segment, brought)
        self._bring_all(segments, batches)

    def _acknowledge(self, segment: Segment, batches: list[Batch]) -> None:
        last = {batch.by: batch.last for batch in batches}
        for number, said in segment.said.items():
            said.member.unstored -= said.size
            guest = said.member.guest
            self._guard(isolated, guest, partial(guest.stored, last[number]))

    def _not_stored(self, segments: list[tuple[Room, Segment]], why: StorageError) -> list[Remembered]:
        """Tell the authors. What was said since goes the same way, as it would leave a gap before it."""
        remembered, self._remembered, self._sessions = self._remembered, [], {}
        since = self._segments()
        lines = sum(segment.lines for _, segment in since)
        self.tally.said += lines
        self.tally.refuse(Refusal.STORAGE, lines)
        segments += since
        self._storing.failed(str(why), sum(segment.lines for _, segment in segments))
        told: set[int] = set()
        for _, segment in segments:
            for number, said in segment.said.items():
                said.member.unstored -= said.size
                if said.member.session is not None:
                    said.member.session.refused()
                if number not in told:
                    told.add(number)
                    guest, reason = said.member.guest, said.member.told_of(why, STORING_FAILS)
                    self._guard(isolated, guest, partial(guest.not_stored, reason))
        self._bring_all(segments, [[] for _ in segments])
        return remembered

    # bringing

    def _bring_all(self, segments: list[tuple[Room, Segment]], batches: list[list[Batch]]) -> None:
        for (room, segment), brought in zip(segments, batches, strict=True):
            if segment.news or brought:
                self._pages.clear()
                self._bring(room, Delivery(segment.news, brought))

    def _bring(self, room: Room, delivery: Delivery) -> None:
        for member in list(room.members.values()):
            guest = member.guest
            try:  # `isolated`, without the cost of a call for each member
                guest.hear(delivery)
            except Exception:
                self._guard(guest.fail)
        self.tally.sent += delivery.taken * delivery.lines
        for observer in self._observers.get(room, ()):
            self._guard(isolated, observer, partial(observer.hear, delivery))
        for witness in self._witnesses:
            self._guard(witness.witness, room, delivery)

    def _guard(self, act: Callable[..., object], *given: object) -> None:
        """Call ``act``, whose exception is logged and hinders nobody."""
        try:
            act(*given)
        except Exception:
            self._log.failure("an error concerning one connection or observer", event="internal_error")

    def _end_stalled(self) -> None:
        self._sweep = None
        now = self.clock.seconds()
        stalled = [hearer for hearer, since in self._waiting.items() if now - since >= self._stall]
        for hearer in stalled:
            self.waits_no_more(hearer)
            self._guard(isolated, hearer, hearer.stalled)
        for since in self._waiting.values():
            self._sweep = self.clock.callLater(max(since + self._stall - now, _SWEEP), self._end_stalled)
            return


_PAGES_KEPT = 32
_SWEEP = 0.5  # seconds between two looks at who waits, at least
_NO_NEWS = News()
_NOT_STORED = "messages cannot be stored, {lines} lines so far: {reason}"
_STORED_AGAIN = "messages are stored again; {lines} lines were not"
