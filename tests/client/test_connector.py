"""Tests of `techboy.client.connector`."""

from __future__ import annotations

import errno

import pytest
from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.client.connector import EndpointConnector, reason_for


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """Hands out attempts that the test brings to an end."""

    def __init__(self) -> None:
        self.attempts: list[Deferred[IProtocol]] = []
        self.cancelled = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        attempt: Deferred[IProtocol] = Deferred(self._cancel)
        self.attempts.append(attempt)
        return attempt

    def _cancel(self, attempt: Deferred[IProtocol]) -> None:
        self.cancelled += 1
        attempt.errback(error.ConnectingCancelledError(None))


class FakeFactory(ClientFactory):
    """Records why attempts failed."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.failures.append(reason.getErrorMessage())


class EndpointConnectorTests:
    """`EndpointConnector`."""

    def setup_method(self) -> None:
        self.endpoint, self.factory = FakeEndpoint(), FakeFactory()
        self.connector = EndpointConnector(self.endpoint, self.factory)

    def test_failure(self) -> None:
        """The factory hears that an attempt failed."""
        self.connector.connect()
        self.endpoint.attempts[0].errback(ValueError("why"))
        assert self.factory.failures == ["why"]
        with pytest.raises(error.NotConnectingError):
            self.connector.stopConnecting()

    def test_given_up(self) -> None:
        """An attempt that is given up is no failure."""
        self.connector.connect()
        self.connector.stopConnecting()
        assert self.endpoint.cancelled == 1
        assert self.factory.failures == []

    def test_connected(self) -> None:
        """Once connected, there is no attempt to give up."""
        self.connector.connect()
        self.endpoint.attempts[0].callback(Protocol())
        with pytest.raises(error.NotConnectingError):
            self.connector.stopConnecting()


class ReasonTests:
    """`reason_for`."""

    @pytest.mark.parametrize(
        ("cause", "words"),
        [
            (error.ConnectionRefusedError(), "connection refused"),
            (error.DNSLookupError("verona"), "no such name"),
            (ValueError("invalid hostname"), "no such name"),
            (error.NoRouteError(), "no route"),
            (error.ConnectError(errno.EHOSTUNREACH), "no route"),
            (error.ConnectError(errno.ENOENT), "no such socket"),
            (error.ConnectError(errno.EACCES), "permission denied"),
            (error.TimeoutError(), "timed out"),
            (error.TCPTimedOutError(), "timed out"),
            (RuntimeError("out of order"), "out of order"),
            (RuntimeError(), "RuntimeError"),
        ],
    )
    def test_words(self, cause: Exception, words: str) -> None:
        """What is wrong is said in a few words."""
        assert reason_for(Failure(cause)) == words
