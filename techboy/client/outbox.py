"""What was said here and is not known to be stored at the other end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from techboy.storage.interface import TEXT

LIMIT = 8 * 1024 * 1024
"""Characters that wait at most; a script is not read while there are more, a person is told."""

FRAME = 32 * 1024
"""Characters, about, that are sent together."""

FIRST = 10
"""Lines that are sent before the first of them is stored; with each that is stored, two more may be sent.

So a rate limit of the other end is known before much is on its way.
"""


class OutboxStore(Protocol):
    """Where what waits is kept beyond the life of the program."""

    def save(self, first: int, text: str, kind: str) -> None:
        """Keep lines of one ``kind`` with the numbers from ``first`` on."""

    def forget(self, before: int) -> None:
        """Keep lines with lower numbers than ``before`` no more."""

    def replace(self, first: int) -> None:
        """Give what is kept new numbers, from ``first`` on; no line may have been sent under these."""

    def sending(self, before: int) -> bool:
        """Note that lines with numbers before ``before`` may have been sent; return whether it is noted."""


class NullOutboxStore:
    """Keeps nothing: what waits is gone with the program."""

    def save(self, first: int, text: str, kind: str) -> None:
        """Keep nothing."""

    def forget(self, before: int) -> None:
        """Nothing is kept."""

    def replace(self, first: int) -> None:
        """Nothing is kept."""

    def sending(self, before: int) -> bool:
        """Nothing needs to be noted."""
        return True


class Chunk(NamedTuple):
    """Lines of one ``kind``, joined by LF, that have the numbers from ``first`` to before ``end``."""

    first: int
    end: int
    text: str
    kind: str = TEXT

    @property
    def size(self) -> int:
        """How much it counts for: its characters and the ends of its lines."""
        return len(self.text) + 1


class Outbox:
    """Lines in the order in which they were said, numbered; what was sent waits here until it is stored.

    ``kept``: what the shelf has from an earlier run; ``following``: the next number where that is nothing;
    ``tried``: the number before which lines may have been sent.
    ``rate``: how many lines a second the other end takes, None if as many as come.
    ``delivered``: how many lines were stored at the other end, or sent to one that acknowledges nothing.
    """

    def __init__(
        self,
        outbox_store: OutboxStore | None = None,
        kept: Iterable[tuple[int, str, str]] = (),
        following: int = 1,
        tried: int = 1,
    ) -> None:
        self._outbox_store = outbox_store or NullOutboxStore()
        self._unsent: deque[Chunk] = deque(_chunk(*lines) for lines in kept)
        self._sent: deque[Chunk] = deque()
        self._next = self._unsent[-1].end if self._unsent else following
        self._tried = max(tried, self._first)
        self._size = sum(chunk.size for chunk in self._unsent)
        self.rate: int | None = None
        self._window = FIRST  # lines that may be on their way
        self.delivered = 0

    @property
    def lines(self) -> int:
        """How many lines wait."""
        waiting = self._sent or self._unsent
        return self._next - waiting[0].first if waiting else 0

    @property
    def unsent(self) -> int:
        """How many lines wait that were not sent in the present connection."""
        return self._next - self._unsent[0].first if self._unsent else 0

    @property
    def on_the_way(self) -> int:
        """How many lines were sent in the present connection, and are not known to be stored."""
        return self.lines - self.unsent

    @property
    def full(self) -> bool:
        """Whether too much waits for more to be taken from a script."""
        return self._size >= LIMIT

    def add(self, text: str, kind: str = TEXT, *, always: bool = False) -> bool:
        """Keep ``text``, lines joined by LF, of one ``kind``; return False, and do not, if too much waits.

        ``always``: for who stops when it is `full`, as soon as that is possible, and is not refused what
        comes before that. Raise what the shelf raises; then nothing is added.
        """
        if self.full and not always:
            return False
        chunk = _chunk(self._next, text, kind)
        self._outbox_store.save(chunk.first, text, kind)
        self._unsent.append(chunk)
        self._next = chunk.end
        self._size += chunk.size
        return True

    def take(self, size: int = FRAME) -> Chunk | None:
        """Return what is to be sent next, about ``size`` characters and a line at least, None for nothing.

        Nothing is to be sent while too much is on its way, or if the shelf cannot note it.
        """
        most = self._window - self.on_the_way
        if not self._unsent or most <= 0 or not self._may_send():
            return None
        chunk = self._unsent.popleft()
        if len(chunk.text) > size:
            most = min(most, max(chunk.text.count("\n", 0, size), 1))
        else:
            chunk = self._joined(chunk, size)
        chunk, rest = _cut(chunk, chunk.first + most)
        if rest is not None:
            self._unsent.appendleft(rest)
        self._sent.append(chunk)
        return chunk

    def connected(self) -> None:
        """There is a new connection: nothing is known of how fast the other end takes lines."""
        self.rate, self._window = None, FIRST

    def throttled(self, rate: int) -> None:
        """The other end takes ``rate`` lines a second: have no more than that on their way."""
        self.rate = self._window = max(rate, 1)

    def take_all(self) -> list[Chunk]:
        """Return all that waits, and forget it: the other end acknowledges nothing.

        Neighbours are of different kinds. Numbers under which nothing was sent are given again, as the other
        end expects them next.
        """
        if not self.lines:
            return []
        self.rewind()
        chunks = _merged(self._unsent)
        self.delivered += self.lines
        following = max(self._first, self._tried)
        self._unsent.clear()
        self._size = 0
        self._outbox_store.forget(self._next)
        if following != self._next:
            self._outbox_store.replace(following)
            self._next = following
        return chunks

    def stored(self, before: int) -> None:
        """All lines with lower numbers than ``before`` are stored at the other end: forget them."""
        if before <= self._first:
            return
        stored = min(before, self._next) - self._first
        self.delivered += stored
        if self.rate is None:
            self._window += stored
        for chunks in (self._sent, self._unsent):
            while chunks and chunks[0].first < before:
                chunk = chunks.popleft()
                self._size -= chunk.size
                if chunk.end > before:
                    rest = _cut(chunk, before)[1]
                    assert rest is not None
                    chunks.appendleft(rest)
                    self._size += rest.size
        self._next = max(self._next, before)
        self._tried = max(self._tried, before)
        self._outbox_store.forget(before)

    def rewind(self) -> None:
        """Send again what was sent and is not stored."""
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()

    def resume(self, at: int) -> bool:
        """The other end expects the line numbered ``at`` next: send all again that it has not stored.

        Return False if no line has that number that may have been sent and is not known to be stored. Then
        one of both ends was put back to an earlier copy of what it keeps. Either it is the other end, which
        lost lines it had acknowledged, or this end, whose numbers stand for other lines there. So nothing
        that waits is known to be stored: all of it gets new numbers and is sent, some lines perhaps twice.
        """
        if not self._first <= at <= self._tried:
            self.renumber(at)
            return False
        self.stored(at)
        self.rewind()
        return True

    def renumber(self, first: int) -> None:
        """Number what waits from ``first`` on, and send all of it: the other end knows nothing of it."""
        self.rewind()
        shift = first - self._first
        if shift or self._tried != first:
            self._outbox_store.replace(first)
            self._unsent = deque(_shifted(chunk, shift) for chunk in self._unsent)
            self._next += shift
            self._tried = first

    @property
    def _first(self) -> int:
        return self._next - self.lines

    def _may_send(self) -> bool:
        """Note, once for all that waits, that it may have been sent; return whether that is noted."""
        if self._tried < self._next:
            if not self._outbox_store.sending(self._next):
                return False
            self._tried = self._next
        return True

    def _joined(self, chunk: Chunk, size: int) -> Chunk:
        texts, length, end = [chunk.text], len(chunk.text), chunk.end
        while self._unsent and self._unsent[0].kind == chunk.kind:
            if length + len(self._unsent[0].text) >= size:
                break
            following = self._unsent.popleft()
            texts.append(following.text)
            length += len(following.text) + 1
            end = following.end
        return chunk._replace(end=end, text="\n".join(texts))


def _chunk(first: int, text: str, kind: str = TEXT) -> Chunk:
    return Chunk(first, first + text.count("\n") + 1, text, kind)


def _shifted(chunk: Chunk, by: int) -> Chunk:
    return chunk._replace(first=chunk.first + by, end=chunk.end + by)


def _merged(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Return ``chunks`` with neighbours of one kind in one."""
    runs = [list(run) for _, run in groupby(chunks, attrgetter("kind"))]
    return [run[0]._replace(end=run[-1].end, text="\n".join(chunk.text for chunk in run)) for run in runs]


def _cut(chunk: Chunk, at: int) -> tuple[Chunk, Chunk | None]:
    """Return the lines of ``chunk`` before the number ``at``, which is in it, and the rest."""
    if at >= chunk.end:
        return chunk, None
    lines = chunk.text.split("\n", at - chunk.first)
    head = "\n".join(lines[:-1])
    return chunk._replace(end=at, text=head), chunk._replace(first=at, text=lines[-1])
