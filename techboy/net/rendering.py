"""What is new, or was said before, as bytes for all who speak a dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from techboy.chat.room import PresenceEvents
from techboy.storage.interface import ACTION, MessageBatch
from techboy.wire import native
from techboy.wire.frames import Notice
from techboy.wire.lines import LF
from techboy.wire.plain import SERVER, notice, signed_lines


class Rendering(Protocol):
    """Lines in a dialect: ``data``, each line with its LF."""

    data: bytes
    heading: int
    """How many of the bytes are notices, which come first and have no ids."""
    before: int
    """The id after which those of the lines begin."""

    def reached(self, end: int) -> int:
        """Return the id up to which lines said are whole in the first ``end`` bytes, where a line ends."""


class Renderer(Protocol):
    """How what is said looks to who speaks a dialect."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return ``notices`` and ``batches``, whose lines have the ids after ``before``."""


class PlainRendering:
    """Plain lines: one for each line that was said, written by ``batch_lines``."""

    __slots__ = ("before", "data", "heading")

    def __init__(
        self,
        notices: list[str],
        batches: list[MessageBatch],
        before: int,
        batch_lines: Callable[[MessageBatch], bytes],
    ) -> None:
        heading = plain_notices(notices)
        self.heading, self.before = len(heading), before
        self.data = b"".join([heading, *map(batch_lines, batches)])

    def reached(self, end: int) -> int:
        """Count the lines."""
        return self.before + self.data.count(LF, self.heading, end)


class NativeRendering:
    """Native frames: one for each batch, which may be of many lines."""

    __slots__ = ("_batches", "before", "data", "heading")

    def __init__(self, notices: list[str], batches: list[MessageBatch], before: int) -> None:
        heading = b"".join(native.encode(Notice(line)) for line in notices)
        self.heading, self.before, self._batches = len(heading), before, batches
        self.data = b"".join([heading, *map(native.batch_frame, batches)])

    def reached(self, end: int) -> int:
        """Count the frames."""
        frames = self.data.count(LF, self.heading, end)
        return self._batches[frames - 1].last if frames else self.before


class PlainRenderer:
    """The plain dialect, in a room of many."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return plain lines, each with its author."""
        return PlainRendering(notices, batches, before, plain_batch)


class Bare:
    """The plain dialect, from a server to its only client: lines without an author."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return plain lines."""
        return PlainRendering(notices, batches, before, _bare_batch)


class NativeRenderer:
    """The native dialect."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return frames."""
        return NativeRendering(notices, batches, before)


PLAIN, BARE, NATIVE = PlainRenderer(), Bare(), NativeRenderer()


class Rendered(dict[Renderer, Rendering]):
    """What is new in each dialect; made once, when it is first asked for, for everybody."""

    def __init__(self, news: PresenceEvents, batches: list[MessageBatch], before: int) -> None:
        self._news, self._batches, self._before = news, batches, before

    def __missing__(self, dialect: Renderer) -> Rendering:
        rendering = self[dialect] = dialect.render(self._news.notices_for(), self._batches, self._before)
        return rendering


class Delivery:
    """What is new in a room, or a page of what was said before: news first, then ``batches`` as stored.

    Their lines have the ids after ``before`` up to ``head``, which are the same where there are none: of a
    page that is empty, as all was forgotten, the last id of the log. ``special`` are those who
    get something else: newcomers, who are not told that they came, and authors, who are not sent what they
    said. ``rendered`` has all of it by dialect. ``taken`` counts who took all of it as it was rendered for
    everybody.
    """

    __slots__ = ("batches", "before", "head", "news", "rendered", "special", "taken")

    def __init__(self, news: PresenceEvents, batches: list[MessageBatch], last: int = 0) -> None:
        self.news, self.batches = news, batches
        self.before, self.head = (batches[0].first - 1, batches[-1].last) if batches else (last, last)
        self.special = {*news.joined, *[batch.by for batch in batches]}
        self.rendered = Rendered(news, batches, self.before)
        self.taken = 0

    @property
    def lines(self) -> int:
        """How many lines were said in it."""
        return self.head - self.before


def plain_notices(lines: list[str]) -> bytes:
    """Return ``lines`` about the house itself, each with its LF."""
    return "".join(f"{notice(line)}\n" for line in lines).encode()


def plain_batch(batch: MessageBatch) -> bytes:
    """Return ``batch`` as plain lines, each with its LF."""
    return f"{signed_lines(batch.author, batch.kind, batch.text)}\n".encode()


def _bare_batch(batch: MessageBatch) -> bytes:
    """Return what the operator said, each line with its LF; an action keeps its author."""
    return plain_batch(batch) if batch.kind == ACTION else SERVER.encode(batch.text) + LF


def slowed_down(rate: int) -> str:
    """Return the notice that lines are taken no faster than ``rate`` a second."""
    return (
        f"you send faster than {rate} line{'s' if rate > 1 else ''} a second; the rest is delayed, not lost"
    )


def gone(lines: int) -> str:
    """Return the notice that so many lines were forgotten before they were read."""
    return f"{lines} line{'s are' if lines > 1 else ' is'} gone"
