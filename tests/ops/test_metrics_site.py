"""Tests of `techboy.ops.metrics_site`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransportWithDisconnection

from techboy.ops.metrics_site import (
    MAX_CONNECTIONS,
    MAX_HEADERS_SIZE,
    REQUEST_TIMEOUT,
    Response,
    Site,
    health,
)
from tests.clocks import Wall
from tests.programs import FakeReactor

PAGE = b"a page\n"


class Asker(StringTransportWithDisconnection):
    """A connection of somebody who asks."""

    aborted = False

    def loseConnection(self) -> None:
        self.disconnecting = True  # as any transport is that was told to close
        super().loseConnection()

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def asks(self, data: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Send ``data``; return the first line, the headers and the rest of what is answered."""
        self.protocol.dataReceived(data)
        head, _, body = self.value().partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        return first, dict(line.split(b": ", 1) for line in lines), body


def answer_of(site: Any, path: bytes) -> tuple[bytes, bytes]:
    """Return first line and body of what ``site`` answers to a question for ``path``."""
    channel, asker = site.buildProtocol(None), Asker()
    asker.protocol = channel
    channel.makeConnection(asker)
    first, _, body = asker.asks(question(b"GET " + path))
    return first, body


class Scene:
    """A site with one page."""

    def __init__(self) -> None:
        self.reactor = FakeReactor()
        pages = {
            b"/page": lambda: Response(PAGE, "text/plain; version=1"),
            b"/ill": lambda: health("no disk"),
        }
        self.site = Site(self.reactor, Wall(self.reactor), pages)

    def call(self) -> Asker:
        """Return a connection to it."""
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4444))
        asker = Asker()
        asker.protocol = channel
        channel.makeConnection(asker)
        return asker


@pytest.fixture
def asker() -> Asker:
    """Give a connection to it."""
    return Scene().call()


def question(start: bytes, *headers: bytes) -> bytes:
    """Return a question."""
    return b"\r\n".join([start + b" HTTP/1.1", b"Host: localhost", *headers, b"", b""])


class AnswerTests:
    """What is answered."""

    def test_page(self, asker: Asker) -> None:
        """A page is given as it is; nothing says which program gives it; one question is a connection."""
        first, headers, body = asker.asks(question(b"GET /page"))
        assert first == b"HTTP/1.1 200 OK"
        assert headers.pop(b"Date") == b"Tue, 14 Nov 2023 22:13:20 GMT"
        assert headers == {
            b"Content-Type": b"text/plain; version=1",
            b"Content-Length": b"7",
            b"Cache-Control": b"no-store",
            b"Connection": b"close",
        }
        assert body == PAGE
        assert not asker.connected

    def test_head(self, asker: Asker) -> None:
        """Its headers can be had alone."""
        first, headers, body = asker.asks(question(b"HEAD /page"))
        assert (first, headers[b"Content-Length"], body) == (b"HTTP/1.1 200 OK", b"7", b"")

    def test_with_a_query(self, asker: Asker) -> None:
        """What stands after a question mark does not matter."""
        assert asker.asks(question(b"GET /page?name[]=techboy_members"))[2] == PAGE

    @pytest.mark.parametrize("path", [b"/", b"/page/", b"/nosuch", b"*", b"http://localhost/page"])
    def test_no_such_page(self, asker: Asker, path: bytes) -> None:
        """There are no other pages."""
        first, _, body = asker.asks(question(b"GET " + path))
        assert (first, body) == (b"HTTP/1.1 404 Not Found", b"not found\n")

    @pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"get"])
    def test_other_methods(self, asker: Asker, method: bytes) -> None:
        """Pages can be read and nothing else."""
        first, headers, _ = asker.asks(question(method + b" /page"))
        assert first == b"HTTP/1.1 405 Method Not Allowed"
        assert headers[b"Allow"] == b"GET, HEAD"

    def test_health(self, asker: Asker) -> None:
        """What is not well is told in one line, with a status of its own."""
        first, _, body = asker.asks(question(b"GET /ill"))
        assert (first, body) == (b"HTTP/1.1 503 Service Unavailable", b"no disk\n")

    def test_well(self) -> None:
        """Where all is well that is said; of a trouble no more than a line is."""
        assert health(None) == Response(b"ok\n")
        assert health("one\ntwo").body == b"one\n"


class BoundTests:
    """What a question may be."""

    def test_slow(self) -> None:
        """Who does not ask in time, however busy, is not waited for."""
        scene = Scene()
        asker = scene.call()
        for _ in range(10):
            asker.protocol.dataReceived(b"G")
            scene.reactor.advance(REQUEST_TIMEOUT / 10 - 0.01)
        assert not asker.aborted
        scene.reactor.advance(0.1)
        assert asker.aborted

    def test_many(self) -> None:
        """More than so many connections at a time are not taken; there is room again when one is gone."""
        scene = Scene()
        askers = [scene.call() for _ in range(MAX_CONNECTIONS)]
        address = IPv4Address("TCP", "127.0.0.1", 4444)
        assert scene.site.buildProtocol(address) is None
        askers[0].asks(question(b"GET /page"))
        first, _, body = scene.call().asks(question(b"GET /page"))
        assert (first, body) == (b"HTTP/1.1 200 OK", PAGE)

    def test_nothing_waits(self) -> None:
        """When a question was answered nothing waits for that connection."""
        scene = Scene()
        scene.call().asks(question(b"GET /page"))
        assert scene.reactor.getDelayedCalls() == []

    @pytest.mark.parametrize(
        "data",
        [
            b"GET /page HTTP/1.1\r\n" + (b"X: " + b"x" * (MAX_HEADERS_SIZE // 2) + b"\r\n") * 2,
            b"GET /page HTTP/1.1\r\n" + b"X: x\r\n" * (MAX_HEADERS_SIZE // 4),
            b"nonsense\r\n\r\n",
        ],
    )
    def test_too_much(self, asker: Asker, data: bytes) -> None:
        """A question that is too long, or none at all, is refused, and the connection closed."""
        assert asker.asks(data)[0] == b"HTTP/1.1 400 Bad Request"
        assert not asker.connected

    def test_endless_line(self, asker: Asker) -> None:
        """A line that does not end closes the connection."""
        asker.protocol.dataReceived(b"GET /" + b"x" * MAX_HEADERS_SIZE)
        assert not asker.connected

    @pytest.mark.parametrize(
        ("header", "body"),
        [
            (b"Content-Length: 1000000", b"x" * 1_000_000),
            (b"Transfer-Encoding: chunked", b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n0\r\n\r\n"),
        ],
    )
    def test_body(self, asker: Asker, header: bytes, body: bytes) -> None:
        """What comes with a question is passed over, and nothing of it kept."""
        asker.protocol.dataReceived(question(b"GET /page", header))
        channel: Any = asker.protocol
        [asked] = channel.requests
        for at in range(0, len(body) - 1, 1000):
            asker.protocol.dataReceived(body[at : min(at + 1000, len(body) - 1)])
        assert asked.content.read() == b""
        assert asker.asks(body[-1:])[2] == PAGE
