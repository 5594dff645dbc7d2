"""Calling through an endpoint, for a ReconnectingClientFactory."""

from __future__ import annotations

import errno
from typing import cast

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector, IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

_REASONS = {
    "connection refused": (error.ConnectionRefusedError,),
    "no such name": (error.DNSLookupError, error.UnknownHostError),
    "no route": (error.NoRouteError,),
    "timed out": (error.TimeoutError, error.TCPTimedOutError),
}
_NUMBERS = {
    errno.EHOSTUNREACH: "no route",
    errno.ENETUNREACH: "no route",
    errno.ENOENT: "no such socket",
    errno.EACCES: "permission denied",
}


class EndpointConnector:
    """What `connectTCP` gives a ReconnectingClientFactory, for an endpoint.

    An endpoint knows names with IPv6 addresses and tries several at once (RFC 8305), which connectTCP does
    not, but it never tells the factory that it failed, so that the factory would never call again.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, factory: ClientFactory) -> None:
        self._endpoint, self._factory = endpoint, factory
        self._attempt: Deferred[IProtocol] | None = None

    def connect(self) -> None:
        """Try to connect; the factory builds a protocol, or hears `clientConnectionFailed`."""
        self._attempt = attempt = self._endpoint.connect(self._factory)
        attempt.addCallbacks(self._connected, self._failed, errbackArgs=(attempt,))

    def stopConnecting(self) -> None:
        """Give up the attempt under way; raise NotConnectingError where there is none."""
        if self._attempt is None:
            raise error.NotConnectingError("no attempt is under way")
        attempt, self._attempt = self._attempt, None
        attempt.cancel()

    def _connected(self, protocol: IProtocol) -> None:
        self._attempt = None

    def _failed(self, reason: Failure, attempt: Deferred[IProtocol]) -> None:
        if attempt is self._attempt:  # and was not given up
            self._attempt = None
            self._factory.clientConnectionFailed(cast(IConnector, self), reason)


def reason_for(failure: Failure) -> str:
    """Return in a few words why a connection did not come about."""
    for words, errors in _REASONS.items():
        if failure.check(*errors):
            return words
    cause = failure.value
    if isinstance(cause, error.ConnectError) and cause.osError in _NUMBERS:
        return _NUMBERS[cause.osError]
    # a ValueError is about a name that can't be one
    return "no such name" if isinstance(cause, ValueError) else str(cause).strip() or type(cause).__name__
