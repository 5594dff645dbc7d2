"""A port at which programs are answered by HTTP: a few pages, to be read and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString

from techboy.net.graceful_close import cut
from techboy.net.reactor import IReactor
from techboy.net.transport import IStreamTransport

TEXT = "text/plain; charset=utf-8"

REQUEST_TIMEOUT = 10.0
"""Seconds that a connection may take in all, for one question and its answer."""

MOST_CONNECTIONS = 100
"""Connections at a time; who comes then is sent away, so that this port takes none that guests need."""

MOST_HEADERS = 50
HEADERS_SIZE = 8 * 1024
"""Bytes of a question, its headers included."""


@dataclass(frozen=True)
class Response:
    """A page as it is now."""

    body: bytes
    content_type: str = TEXT
    status: int = http.OK


def health(trouble: str | None) -> Response:
    """Return the page that says whether all is well, or in one line what the ``trouble`` is."""
    if trouble is None:
        return Response(b"ok\n")
    line, _, _ = trouble.partition("\n")
    return Response(f"{line}\n".encode(), status=http.SERVICE_UNAVAILABLE)


Pages = Mapping[bytes, Callable[[], Response]]
"""What makes the page at each path."""


class PageRequest(Request):
    """One question; what comes with it beside its headers is not kept."""

    channel: Channel

    def gotLength(self, length: int | None) -> None:
        """Be ready for what comes with it."""
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep nothing of it."""

    def process(self) -> None:
        """Answer."""
        answer = self._answer()
        self.setResponseCode(answer.status)
        for name, value in (
            ("Date", datetimeToString(self.channel.factory.wall()).decode()),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.responseHeaders.setRawHeaders(name, [value])
        self.write(answer.body)
        self.finish()

    def _answer(self) -> Response:
        make = self.channel.factory.pages.get(self.path)
        if make is None:
            return Response(b"not found\n", status=http.NOT_FOUND)
        if self.method not in (b"GET", b"HEAD"):
            self.responseHeaders.setRawHeaders("Allow", ["GET, HEAD"])
            return Response(b"only GET and HEAD are answered\n", status=http.NOT_ALLOWED)
        return make()


class Channel(HTTPChannel):
    """A connection for one question, within bounds of size and time."""

    factory: Site
    transport: IStreamTransport
    requestFactory = PageRequest
    maxHeaders = MOST_HEADERS
    totalHeadersSize = MAX_LENGTH = HEADERS_SIZE
    _end: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the question."""
        super().connectionMade()
        self.factory.connections += 1
        self._end = self.factory.reactor.callLater(REQUEST_TIMEOUT, self._give_up)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Another question needs another connection."""
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        self.factory.connections -= 1
        if self._end is not None and self._end.active():
            self._end.cancel()

    def _give_up(self) -> None:
        cut(self.transport)


class Site(HTTPFactory):
    """Answers with ``pages``, and writes no log of it. ``wall`` returns the time of day for their headers."""

    protocol = cast(Any, Channel)
    noisy = False

    def __init__(self, reactor: IReactor, wall: Callable[[], float], pages: Pages) -> None:
        super().__init__(reactor=reactor)
        self.timeOut = None  # a `Channel` has a limit of its own
        self.wall, self.pages, self.connections = wall, pages, 0

    def startFactory(self) -> None:
        """Open no log."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Answer, unless too many are being answered."""
        if self.connections >= MOST_CONNECTIONS:
            return None
        return super().buildProtocol(addr)

    def log(self, request: Request) -> None:
        """Write nothing."""
