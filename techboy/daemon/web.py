"""A port at which programs are answered by HTTP: a few pages, to be read and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString

from techboy import exits
from techboy.doors.addresses import place_of
from techboy.doors.reasons import reason_of

TEXT = "text/plain; charset=utf-8"

PATIENCE = 10.0
"""Seconds that a connection may take in all, for one question and its answer."""

MOST_HEADERS = 50
HEADERS_SIZE = 8 * 1024
"""Bytes of a question, its headers included."""

_LOOPBACK = {"tcp": "127.0.0.1", "ssl": "127.0.0.1", "tcp6": r"\:\:1"}


@dataclass(frozen=True)
class Answer:
    """A page as it is now."""

    body: bytes
    content_type: str = TEXT
    status: int = http.OK


def health(trouble: str | None) -> Answer:
    """Return the page that says whether all is well, or in one line what the ``trouble`` is."""
    if trouble is None:
        return Answer(b"ok\n")
    line, _, _ = trouble.partition("\n")
    return Answer(f"{line}\n".encode(), status=http.SERVICE_UNAVAILABLE)


Pages = Mapping[bytes, Callable[[], Answer]]
"""What makes the page at each path."""


def on_loopback(endpoint: str) -> str:
    """Return the description ``endpoint``, for this machine alone where it is a port and says no interface.

    A description is what Twisted's ``serverFromString`` takes; a wrong one stays wrong.
    """
    kind, *arguments = endpoint.split(":")
    says = ":interface=" in endpoint or (kind == "tcp" and len(arguments) > 1 and "=" not in arguments[1])
    if says or not arguments or kind not in _LOOPBACK:
        return endpoint
    return f"{endpoint}:interface={_LOOPBACK[kind]}"


class Web(Service):
    """Listens at ``endpoint``, as `on_loopback` has it, and answers with ``pages``.

    `startService` ends the process with one line where that can't be; where it is known only later,
    ``refused`` is told the line. ``announce`` is told where it listens, once `announced` was called.
    """

    _refusal: str | None = None

    def __init__(
        self,
        reactor: Any,
        endpoint: str,
        pages: Pages,
        announce: Callable[[str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._reactor, self._place, self._pages = reactor, endpoint, pages
        self._announce, self._refused = announce, refused
        self._port: Deferred[IListeningPort | None] = succeed(None)

    def startService(self) -> None:
        """Open the port, or end the process with one line that says why not."""
        endpoint = self._endpoint()
        listening = maybeDeferred(endpoint.listen, Site(self._reactor, self._pages))
        self._port = listening.addErrback(self._cannot_listen)
        if self._refusal is not None:
            exits.fail(exits.NO_LISTENING, self._refusal)
        super().startService()

    def announced(self) -> None:
        """Say where it listens, as soon as it does."""
        self._port.addCallback(self._announced)

    def stopService(self) -> Deferred[Any]:
        """Close the port; fires when that is done."""
        super().stopService()
        return self._port.addCallback(lambda port: port and port.stopListening())

    def _endpoint(self) -> IStreamServerEndpoint:
        try:
            return cast(IStreamServerEndpoint, serverFromString(self._reactor, on_loopback(self._place)))
        except Exception as refused:  # each kind of endpoint has errors of its own
            exits.fail(exits.USAGE, f"romeo: --metrics {self._place}: {reason_of(refused)}")

    def _cannot_listen(self, failure: Failure) -> None:
        refusal = f"romeo: can't listen on {self._place} for --metrics: {reason_of(failure.value)}"
        if self.running:
            self._refused(refusal)
        else:
            self._refusal = refusal

    def _announced(self, port: IListeningPort | None) -> IListeningPort | None:
        if port is not None:
            self._announce(f"Metrics on {place_of(port.getHost())}")
        return port


class Question(Request):
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
            ("Date", datetimeToString(self.channel.factory.reactor.seconds()).decode()),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.responseHeaders.setRawHeaders(name, [value])
        self.write(answer.body)
        self.finish()

    def _answer(self) -> Answer:
        make = self.channel.factory.pages.get(self.path)
        if make is None:
            return Answer(b"not found\n", status=http.NOT_FOUND)
        if self.method not in (b"GET", b"HEAD"):
            self.responseHeaders.setRawHeaders("Allow", ["GET, HEAD"])
            return Answer(b"only GET and HEAD are answered\n", status=http.NOT_ALLOWED)
        return make()


class Channel(HTTPChannel):
    """A connection for one question, within bounds of size and time."""

    factory: Site
    transport: Any
    requestFactory = Question
    maxHeaders = MOST_HEADERS
    totalHeadersSize = MAX_LENGTH = HEADERS_SIZE
    _end: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the question."""
        super().connectionMade()
        self._end = self.factory.reactor.callLater(PATIENCE, self._give_up)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Another question needs another connection."""
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        if self._end is not None and self._end.active():
            self._end.cancel()

    def _give_up(self) -> None:
        self.transport.abortConnection()


class Site(HTTPFactory):
    """Answers with ``pages``, and writes no log of it."""

    protocol = cast(Any, Channel)
    noisy = False

    def __init__(self, reactor: Any, pages: Pages) -> None:
        super().__init__(reactor=reactor)
        self.timeOut = None  # a `Channel` has a limit of its own
        self.pages = pages

    def startFactory(self) -> None:
        """Open no log."""

    def log(self, request: Request) -> None:
        """Write nothing."""
