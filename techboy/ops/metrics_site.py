"""A read-only HTTP site of a few pages, for monitoring programs."""

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
"""Seconds that a connection may take in all, for one request and its response."""

MAX_CONNECTIONS = 100
"""Simultaneous connections; further ones are closed, so that this port uses none that chat clients need."""

MAX_HEADERS = 50
MAX_HEADERS_SIZE = 8 * 1024
"""Bytes of a request, including its headers."""


@dataclass(frozen=True)
class Response:
    """The current content of a page."""

    body: bytes
    content_type: str = TEXT
    status: int = http.OK


def health(problem: str | None) -> Response:
    """Return the health page: ``ok``, or status 503 and the first line of ``problem``."""
    if problem is None:
        return Response(b"ok\n")
    line, _, _ = problem.partition("\n")
    return Response(f"{line}\n".encode(), status=http.SERVICE_UNAVAILABLE)


Pages = Mapping[bytes, Callable[[], Response]]
"""For each path the function that creates its page."""


class PageRequest(Request):
    """One request; its body is discarded."""

    channel: Channel

    def gotLength(self, length: int | None) -> None:
        """Allocate no buffer for the body."""
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """Discard a part of the body."""

    def process(self) -> None:
        """Send the response."""
        response = self._response()
        self.setResponseCode(response.status)
        for name, value in (
            ("Date", datetimeToString(self.channel.factory.wall()).decode()),
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.responseHeaders.setRawHeaders(name, [value])
        self.write(response.body)
        self.finish()

    def _response(self) -> Response:
        make = self.channel.factory.pages.get(self.path)
        if make is None:
            return Response(b"not found\n", status=http.NOT_FOUND)
        if self.method not in (b"GET", b"HEAD"):
            self.responseHeaders.setRawHeaders("Allow", ["GET, HEAD"])
            return Response(b"only GET and HEAD are supported\n", status=http.NOT_ALLOWED)
        return make()


class Channel(HTTPChannel):
    """A connection for one request, limited in size and time."""

    factory: Site
    transport: IStreamTransport
    requestFactory = PageRequest
    maxHeaders = MAX_HEADERS
    totalHeadersSize = MAX_LENGTH = MAX_HEADERS_SIZE
    _timeout_call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the request."""
        super().connectionMade()
        self.factory.connections += 1
        self._timeout_call = self.factory.reactor.callLater(REQUEST_TIMEOUT, self._time_out)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Return False: a connection serves one request."""
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count the connection no longer, and cancel its timeout."""
        super().connectionLost(reason)
        self.factory.connections -= 1
        if self._timeout_call is not None and self._timeout_call.active():
            self._timeout_call.cancel()

    def _time_out(self) -> None:
        cut(self.transport)


class Site(HTTPFactory):
    """Serves ``pages`` without an access log. ``wall`` returns the seconds since 1970, for headers."""

    protocol = cast(Any, Channel)
    noisy = False

    def __init__(self, reactor: IReactor, wall: Callable[[], float], pages: Pages) -> None:
        super().__init__(reactor=reactor)
        self.timeOut = None  # a `Channel` has its own timeout
        self.wall, self.pages, self.connections = wall, pages, 0

    def startFactory(self) -> None:
        """Open no access log."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a `Channel`, or None if there are too many connections."""
        if self.connections >= MAX_CONNECTIONS:
            return None
        return super().buildProtocol(addr)

    def log(self, request: Request) -> None:
        """Log nothing."""
