"""Opening the ports that Romeo waits at, and saying in one line why that can't be done."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast

from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy import exit_status
from techboy.config.endpoints import reason_for, server
from techboy.config.options import ConversationOptions
from techboy.net.addresses import host_and_port, place_of
from techboy.net.connection_log import escaped
from techboy.net.reactor import IReactor

BACKLOG = 1024
"""Callers that the kernel keeps while the program is busy; a house may be called by many at once."""


Places: TypeAlias = list[tuple[str, IStreamServerEndpoint]]
"""Where to listen: each place as it is written for people, and the endpoint."""

_OWNER_ONLY = 0o600

_log = Logger()


def listen_addresses(reactor: IReactor, option: str, text: str) -> Places:
    """Return the endpoint that ``text``, given by ``--option``, describes; end the process if it is none."""
    try:
        return [(text, server(reactor, text))]
    except ValueError as refused:
        exit_status.fail(exit_status.USAGE, f"romeo: --{option} {refused}")


def parse_endpoint(reactor: IReactor, options: ConversationOptions) -> Places:
    """Return the host and port, or the endpoints, that ``options`` say; end the process where it is none."""
    host, port, texts = options["host"], options["port"], options["listen"]
    if texts:
        return [place for text in texts for place in listen_addresses(reactor, "listen", text)]
    kind = TCP6ServerEndpoint if isIPv6Address(host) else TCP4ServerEndpoint
    return [(host_and_port(host, port), kind(reactor, port, backlog=BACKLOG, interface=host))]


@implementer(IStreamServerEndpoint)
class PrivateSocket:
    """A UNIX socket at ``path`` that is its owner's alone from its first moment on.

    One that a program left behind when it was killed is replaced; one in use is not, nor is any other file.
    """

    def __init__(self, reactor: IReactor, path: str) -> None:
        self._path = path
        # without a lock of Twisted's, which holds as long as anybody has the number of who made it
        self._endpoint = UNIXServerEndpoint(reactor, path, BACKLOG, _OWNER_ONLY, wantPID=False)

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        with suppress(OSError):  # whatever is wrong is known when it can't be listened on
            if stat.S_ISSOCK(os.lstat(self._path).st_mode) and _is_abandoned(self._path):
                os.unlink(self._path)
        before = os.umask(0o777 & ~_OWNER_ONLY)  # as the mode is set after the socket is made
        try:
            return cast("Deferred[IListeningPort]", self._endpoint.listen(factory))
        finally:
            os.umask(before)


class ListenerService(Service):
    """The open ports of ``factory``, at the ``places``, which are asked for at the start.

    `startService` ends the process where a port can't be had; where that is known only later, ``refused``
    is told the line. ``announce`` is told each place where it listens, once `announced` was called.
    """

    def __init__(
        self,
        places: Callable[[], Places],
        factory: IProtocolFactory,
        announce: Callable[[str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._places, self._factory = places, factory
        self._announce, self._refused = announce, refused
        self._refusals: list[str] = []
        self._ports: list[Deferred[IListeningPort | None]] = []

    def startService(self) -> None:
        """Open all ports, or end the process with one line that says why not."""
        self._ports = [self._listen(place, endpoint) for place, endpoint in self._places()]
        if self._refusals:
            exit_status.fail(exit_status.CANNOT_LISTEN, self._refusals[0])
        super().startService()

    def announced(self) -> Deferred[Any]:
        """Say where it listens, now and for every port that is opened later; fires when all are open."""
        all_open: Deferred[Any] = Deferred()
        waiting = len(self._ports)

        def opened(port: IListeningPort | None) -> IListeningPort | None:
            nonlocal waiting
            if port is not None:
                self._announced(place_of(port.getHost()))
                waiting -= 1
            if not waiting:
                all_open.callback(None)
            return port

        for port in self._ports:
            port.addCallback(opened)
        return all_open

    def _announced(self, place: str) -> None:
        _log.info("listening on {endpoint}", event="listening", endpoint=escaped(place))
        self._announce(place)

    def stopService(self) -> Deferred[Any]:
        """Close all ports; fires when that is done."""
        super().stopService()
        return gatherResults([port.addCallback(_stop_listening) for port in self._ports])

    def _listen(self, place: str, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort | None]:
        return maybeDeferred(endpoint.listen, self._factory).addErrback(self._cannot_listen, place)

    def _cannot_listen(self, failure: Failure, place: str) -> None:
        refusal = f"romeo: can't listen on {place}: {reason_for(failure.value)}"
        if self.running:
            self._refused(refusal)
        else:
            self._refusals.append(refusal)


def _is_abandoned(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        return caller.connect_ex(path) == errno.ECONNREFUSED


def _stop_listening(port: IListeningPort | None) -> Deferred[Any]:
    stopped = maybeDeferred(lambda: port and port.stopListening())
    # as where somebody has removed a socket: all else has to end in good order nevertheless
    return stopped.addErrback(
        lambda failure: _log.warn(
            "closing a port failed: {reason}", event="port_close_failed", reason=reason_for(failure.value)
        )
    )
