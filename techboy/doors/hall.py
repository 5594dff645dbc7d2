"""The reactor's side of a house: what is new is settled once a turn, and brought to everybody.

Everybody has a cursor in the log of their room. Who has taken everything so far is sent what is new as soon
as it is stored: one piece of bytes, rendered once for all. Who has not is left alone, and reads on from the
log when its connection has room again, so that a slow reader costs nobody anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from techboy.chat.room import News, Room
from techboy.logs.contract import Batch
from techboy.wire.plain import in_room, notice

STALL = 30.0
"""Seconds without a byte taken after which a connection that has something to take is ended."""

PAGE = 64 * 1024
"""Characters that are read from a log at a time."""

NEWS_DELAY = 0.2
"""Seconds for which comings and goings are gathered, where nothing is said meanwhile."""


class Hearer(Protocol):
    """Somebody to whom what is new is brought."""

    def hear(self, delivery: Delivery) -> None:
        """Take what is new, or leave it in the log for later."""

    def stalled(self) -> None:
        """Nothing was taken for too long."""


class Delivery:
    """What is new in a room, as plain lines.

    ``data``: all of it, each line with its LF; up to the byte ``lines_at`` notices (``news``), then the lines
    with the ids after ``before`` up to ``head`` (``batches``, as stored). ``special`` are those who get
    something else: newcomers, who are not told that they came, and authors, who are not sent what they said.
    """

    __slots__ = ("batches", "before", "data", "head", "lines_at", "news", "special")

    def __init__(self, news: News, batches: list[Batch], before: int) -> None:
        self.news, self.batches, self.before = news, batches, before
        self.head = batches[-1].last if batches else before
        heading = notices(news.told())
        self.lines_at = len(heading)
        self.data = b"".join([heading, *map(rendered, batches)])
        self.special = {*news.newcomers, *(batch.by for batch in batches)}


class Hall:
    """Settles rooms, and keeps an eye on who takes nothing."""

    def __init__(self, clock: IReactorTime, stall: float = STALL) -> None:
        self.clock = clock
        self._observers: dict[Room, list[Hearer]] = {}
        self._stall = stall
        self._stirred: dict[Room, None] = {}
        self._nudged: dict[Room, None] = {}
        self._turn: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._sweep: IDelayedCall | None = None
        self._waiting: dict[Hearer, float] = {}
        self._pages: dict[tuple[Room, int], tuple[bytes, list[Batch]]] = {}

    def wake(self, room: Room) -> None:
        """Something was said in ``room``: settle it when this turn of the reactor is over."""
        self._stirred[room] = None
        if self._turn is None:
            self._turn = self.clock.callLater(0, self._settle_stirred)

    def nudge(self, room: Room) -> None:
        """Somebody came or went in ``room``: settle it soon."""
        self._nudged[room] = None
        if self._soon is None:
            self._soon = self.clock.callLater(NEWS_DELAY, self._settle_nudged)

    def observe(self, room: Room, observer: Hearer) -> None:
        """Bring what is new in ``room`` to ``observer`` too, who is not a member."""
        self._observers.setdefault(room, []).append(observer)

    def settle(self, room: Room) -> None:
        """Settle what is new in ``room`` before anything else happens."""
        self._stirred.pop(room, None)
        self._nudged.pop(room, None)
        self._settle({room: None})

    def page(self, room: Room, after: int) -> tuple[bytes, list[Batch]]:
        """Return what follows the id ``after`` in ``room``, as plain lines and as stored; about a page of it.

        Readers who are behind are often behind at the same place, so the last few pages are kept.
        """
        key = (room, after)
        if key not in self._pages:
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.clear()
            batches = room.log.read(after, PAGE)
            self._pages[key] = b"".join(map(rendered, batches)), batches
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

    def close(self) -> None:
        """Settle what is left, and wait for nothing any more."""
        self._settle({**self._stirred, **self._nudged})
        for call in (self._turn, self._soon, self._sweep):
            if call is not None and call.active():
                call.cancel()

    def _settle_stirred(self) -> None:
        self._turn = None
        stirred, self._stirred = self._stirred, {}
        self._settle(stirred)

    def _settle_nudged(self) -> None:
        self._soon = None
        nudged, self._nudged = self._nudged, {}
        self._settle(nudged)

    def _settle(self, rooms: dict[Room, None]) -> None:
        now = self.clock.seconds()
        for room in rooms:
            before = room.log.last
            news = room.take_news()
            batches = room.store(now)
            if news or batches:
                self._pages.clear()
                self._bring(room, Delivery(news, batches, before))

    def _bring(self, room: Room, delivery: Delivery) -> None:
        for member in list(room.members.values()):
            member.guest.hear(delivery)
        for observer in self._observers.get(room, ()):
            observer.hear(delivery)

    def _end_stalled(self) -> None:
        self._sweep = None
        now = self.clock.seconds()
        stalled = [hearer for hearer, since in self._waiting.items() if now - since >= self._stall]
        for hearer in stalled:
            self.waits_no_more(hearer)
            hearer.stalled()
        for since in self._waiting.values():
            self._sweep = self.clock.callLater(max(since + self._stall - now, _SWEEP), self._end_stalled)
            return


_PAGES_KEPT = 32
_SWEEP = 0.5  # seconds between two looks at who waits, at least


def gone(lines: int) -> str:
    """Return the notice that so many lines were forgotten before they were read."""
    return f"{lines} line{'s are' if lines > 1 else ' is'} gone"


def notices(lines: list[str]) -> bytes:
    """Return ``lines`` about the house itself, each with its LF."""
    return "".join(f"{notice(line)}\n" for line in lines).encode()


def rendered(batch: Batch) -> bytes:
    """Return ``batch`` as plain lines, each with its LF."""
    return f"{in_room(batch.author, batch.kind, batch.text)}\n".encode()


def runs(batches: list[Batch], left_out: frozenset[int]) -> Iterator[tuple[bytes, int, int]]:
    """Return ``batches`` but those by ``left_out``: each as bytes, with the id before it and its last."""
    for batch in batches:
        if batch.by not in left_out:
            yield rendered(batch), batch.first - 1, batch.last
