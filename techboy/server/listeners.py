"""Opening the ports of the server, with a one-line error if that fails."""

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
"""Connections that the kernel queues while the server is busy."""


Endpoints: TypeAlias = list[tuple[str, IStreamServerEndpoint]]
"""Where to listen: each address as it is shown, and its endpoint."""

_OWNER_ONLY = 0o600

_log = Logger()


def parse_endpoint(reactor: IReactor, option: str, text: str) -> Endpoints:
    """Return the endpoint that ``text``, the value of ``--option``, describes; exit if it is invalid."""
    try:
        return [(text, server(reactor, text))]
    except ValueError as error:
        exit_status.fail(exit_status.USAGE, f"romeo: --{option} {error}")


def listen_addresses(reactor: IReactor, options: ConversationOptions) -> Endpoints:
    """Return the endpoints of the port, or of ``--listen``, in ``options``; exit if one is invalid."""
    host, port, texts = options["host"], options["port"], options["listen"]
    if texts:
        return [address for text in texts for address in parse_endpoint(reactor, "listen", text)]
    kind = TCP6ServerEndpoint if isIPv6Address(host) else TCP4ServerEndpoint
    return [(host_and_port(host, port), kind(reactor, port, backlog=BACKLOG, interface=host))]


@implementer(IStreamServerEndpoint)
class PrivateSocket:
    """A UNIX socket at ``path`` that only its owner may use, from the moment that it exists.

    A socket that a killed program left behind is replaced; a socket in use, or any other file, is not.
    """

    def __init__(self, reactor: IReactor, path: str) -> None:
        self._path = path
        # without Twisted's lock file, which stays valid while any process has the id of the one that made it
        self._endpoint = UNIXServerEndpoint(reactor, path, BACKLOG, _OWNER_ONLY, wantPID=False)

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        with suppress(OSError):  # any error is reported when listening fails
            if stat.S_ISSOCK(os.lstat(self._path).st_mode) and _is_abandoned(self._path):
                os.unlink(self._path)
        before = os.umask(0o777 & ~_OWNER_ONLY)  # because the mode is set after the socket is created
        try:
            return cast("Deferred[IListeningPort]", self._endpoint.listen(factory))
        finally:
            os.umask(before)


class ListenerService(Service):
    """The listening ports of ``factory``; ``endpoints`` is called when the service starts.

    `startService` exits with one line if a port cannot be opened. If that is only known later, ``on_refused``
    is called with the line. After `announced`, ``announce`` is called with each address.
    """

    def __init__(
        self,
        endpoints: Callable[[], Endpoints],
        factory: IProtocolFactory,
        announce: Callable[[str], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._endpoints, self._factory = endpoints, factory
        self._announce, self._on_refused = announce, on_refused
        self._refusals: list[str] = []
        self._ports: list[Deferred[IListeningPort | None]] = []

    def startService(self) -> None:
        """Open all ports, or exit with one line that says why not."""
        self._ports = [self._listen(address, endpoint) for address, endpoint in self._endpoints()]
        if self._refusals:
            exit_status.fail(exit_status.CANNOT_LISTEN, self._refusals[0])
        super().startService()

    def announced(self) -> Deferred[Any]:
        """Announce each address as soon as it is open; fire when all ports are open."""
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

    def _announced(self, address: str) -> None:
        _log.info("listening on {endpoint}", event="listening", endpoint=escaped(address))
        self._announce(address)

    def stopService(self) -> Deferred[Any]:
        """Close all ports; fire when that is done."""
        super().stopService()
        return gatherResults([port.addCallback(_stop_listening) for port in self._ports])

    def _listen(self, address: str, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort | None]:
        return maybeDeferred(endpoint.listen, self._factory).addErrback(self._cannot_listen, address)

    def _cannot_listen(self, failure: Failure, address: str) -> None:
        refusal = f"romeo: can't listen on {address}: {reason_for(failure.value)}"
        if self.running:
            self._on_refused(refusal)
        else:
            self._refusals.append(refusal)


def _is_abandoned(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _stop_listening(port: IListeningPort | None) -> Deferred[Any]:
    stopped = maybeDeferred(lambda: port and port.stopListening())
    # for example because the socket was removed: everything else has to stop normally nevertheless
    return stopped.addErrback(
        lambda failure: _log.warn(
            "closing a port failed: {reason}", event="port_close_failed", reason=reason_for(failure.value)
        )
    )
