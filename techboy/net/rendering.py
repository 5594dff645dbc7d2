"""Rendering messages and notices as bytes, once for all connections with the same protocol."""

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
    """Rendered messages: ``data`` holds lines, each with its LF."""

    data: bytes
    heading: int
    """The number of bytes of notices, which come first and have no ids."""
    before: int
    """The id after which the messages begin."""

    def reached(self, end: int) -> int:
        """Return the id up to which messages are complete in the first ``end`` bytes; a line ends there."""


class Renderer(Protocol):
    """Renders messages and notices for one protocol."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return a rendering of ``notices`` and ``batches``; the messages have the ids after ``before``."""


class PlainRendering:
    """Plain lines: one for each message, formatted by ``batch_lines``."""

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
        """Return the id of the last complete line."""
        return self.before + self.data.count(LF, self.heading, end)


class NativeRendering:
    """Native frames: one for each batch, which may have many lines."""

    __slots__ = ("_batches", "before", "data", "heading")

    def __init__(self, notices: list[str], batches: list[MessageBatch], before: int) -> None:
        heading = b"".join(native.encode(Notice(line)) for line in notices)
        self.heading, self.before, self._batches = len(heading), before, batches
        self.data = b"".join([heading, *map(native.batch_frame, batches)])

    def reached(self, end: int) -> int:
        """Return the id of the last line of the last complete frame."""
        frames = self.data.count(LF, self.heading, end)
        return self._batches[frames - 1].last if frames else self.before


class PlainRenderer:
    """The plain protocol, in a room with many members."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return plain lines, each with its author's nickname."""
        return PlainRendering(notices, batches, before, plain_batch)


class BareRenderer:
    """The plain protocol in direct mode: lines without an author."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return plain lines."""
        return PlainRendering(notices, batches, before, _bare_batch)


class NativeRenderer:
    """The native protocol."""

    def render(self, notices: list[str], batches: list[MessageBatch], before: int) -> Rendering:
        """Return frames."""
        return NativeRendering(notices, batches, before)


PLAIN, BARE, NATIVE = PlainRenderer(), BareRenderer(), NativeRenderer()


class Rendered(dict[Renderer, Rendering]):
    """A delivery as rendered by each renderer, when it is first used."""

    def __init__(self, news: PresenceEvents, batches: list[MessageBatch], before: int) -> None:
        self._news, self._batches, self._before = news, batches, before

    def __missing__(self, renderer: Renderer) -> Rendering:
        rendering = self[renderer] = renderer.render(self._news.notices_for(), self._batches, self._before)
        return rendering


class Delivery:
    """What is new in a room, or a page of its log: ``news`` about its members, then ``batches`` as stored.

    The messages have the ids after ``before`` up to ``head``. If there are none, both are equal; in an empty
    page, whose messages were deleted, they are the last id of the log. ``special`` holds the numbers of the
    members that are not sent everything: those that have just joined, and authors. ``rendered`` holds all of
    it by renderer. ``taken`` is the number of members that were sent it completely in that form.
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
        """The number of lines in ``batches``."""
        return self.head - self.before


def plain_notices(lines: list[str]) -> bytes:
    """Return ``lines`` as plain notices, each with its LF."""
    return "".join(f"{notice(line)}\n" for line in lines).encode()


def plain_batch(batch: MessageBatch) -> bytes:
    """Return ``batch`` as plain lines, each with its LF."""
    return f"{signed_lines(batch.author, batch.kind, batch.text)}\n".encode()


def _bare_batch(batch: MessageBatch) -> bytes:
    """Return ``batch`` without its author, each line with its LF; an action keeps its author."""
    return plain_batch(batch) if batch.kind == ACTION else SERVER.encode(batch.text) + LF


def throttled_notice(rate: int) -> str:
    """Return the notice that the client is throttled to ``rate`` lines a second."""
    return (
        f"you send faster than {rate} line{'s' if rate > 1 else ''} a second; the rest is delayed, not lost"
    )


def skipped_notice(lines: int) -> str:
    """Return the notice that so many lines were deleted before they were sent."""
    return f"{lines} line{'s are' if lines > 1 else ' is'} gone"
