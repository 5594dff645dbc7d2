"""The factories of connections at the port and at the admin socket, and the capacity of the server."""

from __future__ import annotations

from typing import Protocol as Interface

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from techboy.chat.policy import BackPressure
from techboy.chat.rate_limit import TokenBucket
from techboy.chat.server import ChatServer
from techboy.config.options import ConversationOptions
from techboy.net.addresses import endpoint_of
from techboy.net.connection_handler import ConnectionHandler
from techboy.net.connection_log import CloseReason, ConnectionLog, ConnectionLogEntry
from techboy.net.graceful_close import close
from techboy.server.admin_sessions import AdminSessionManager
from techboy.server.admission import MIN_PENDING, PendingConnections
from techboy.server.broker import Broker
from techboy.server.detect import IPlainProtocol, ProtocolDetector
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.native import NativeServerProtocol
from techboy.server.plain import PlainServerProtocol
from techboy.server.reject import RejectingProtocol, plainly
from techboy.server.session_connection import SessionConnection
from techboy.server.sessions import SessionManager
from techboy.server.storage_service import StorageService, new_token
from techboy.wire.frames import Hello, ServerBye
from techboy.wire.native import encode

BURST = 10
"""Burst of the rate limit, in seconds' worth of lines."""


class ServerContext(Interface):
    """The server, as its factories see it.

    ``closing_bye`` is the goodbye to connections without a member when the server stops.
    """

    options: ConversationOptions
    connection_log: ConnectionLog
    storage: StorageService
    broker: Broker
    chat: ChatServer
    session_manager: SessionManager
    lifecycle: ClientLifecycle
    closing_bye: ServerBye

    @property
    def reactor(self) -> IReactorTime: ...

    @property
    def clients(self) -> int:
        """The number of clients that are connected."""

    @property
    def is_stopping(self) -> bool:
        """Whether the server is stopping."""

    def refusal(self, others: int) -> str | None:
        """Return why no further client is admitted while ``others`` are connected, or None if one is."""

    def count_rejection(self) -> None:
        """Count a connection that was rejected because of a `refusal`."""

    def closed(self, factory: ChatServerFactory, *, emptied: bool) -> None:
        """Handle that a connection of ``factory`` was closed; ``emptied``: it was the last client there."""


class ServerConnection(ProtocolDetector):
    """A connection that its factory lists as long as it is open."""

    factory: ChatServerFactory

    def close_undetected(self, bye: ServerBye) -> None:
        """Close the connection with ``bye``, unless a plain protocol has it: its member is told instead."""
        if isinstance(self.handler, NativeServerProtocol):
            self.handler.close_with(bye)
        elif self.handler is None:
            self._log_entry.closing(CloseReason.CLOSED, bye.why)
            close(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remove the connection from its factory."""
        super().connectionLost(reason)
        self.factory.closed(self)


class ChatServerFactory(ServerFactory):
    """Accepts connections, and lists those that are open and those of clients."""

    noisy = False

    def __init__(self, server: ServerContext, max_pending: int) -> None:
        """Accept at most ``max_pending`` connections that are not welcomed yet; see `PendingConnections`."""
        self._server = server
        self._pending_connections = PendingConnections(max_pending, server.broker.counters)
        self.connections: set[ServerConnection] = set()
        self.clients: set[ServerConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return a connection that detects its protocol; None if too many are not welcomed yet."""
        pending = self._pending_connections.open(lambda: self.clients.add(connection))
        if pending is None:
            return None
        log_entry = self._server.connection_log.opened(endpoint_of(addr))
        connection = ServerConnection(
            self._server.reactor,
            lambda: self._plain(connection, log_entry),
            lambda: self._native(connection, log_entry),
            log_entry,
            pending,
        )
        connection.factory = self
        self.connections.add(connection)
        return connection

    def closed(self, connection: ServerConnection) -> None:
        """Remove ``connection``, which is closed."""
        was_client = connection in self.clients
        self.connections.discard(connection)
        self.clients.discard(connection)
        self._server.closed(self, emptied=was_client and not self.clients)

    @property
    def has_members(self) -> bool:
        """Whether clients, or native connections that wait to be admitted, are open."""
        return bool(self.clients) or any(
            isinstance(connection.handler, NativeServerProtocol) for connection in self.connections
        )

    def _plain(self, connection: ServerConnection, log_entry: ConnectionLogEntry) -> IPlainProtocol:
        server, options = self._server, self._server.options
        reason = server.refusal(len(self.clients))
        if reason is not None:
            server.count_rejection()
            text = f"{server.chat.config.operator_name} {reason}"
            log_entry.rejected(text)
            return RejectingProtocol(plainly(text), server.reactor)
        connection.pending.welcomed()
        server.session_manager.on_plain_client()
        return PlainServerProtocol(
            server.chat, server.broker, self._bucket(), options["max-line"], log_entry, server.lifecycle
        )

    def _native(self, connection: ServerConnection, log_entry: ConnectionLogEntry) -> ConnectionHandler:
        server = self._server
        if server.is_stopping:
            server.count_rejection()
            log_entry.rejected(server.closing_bye.reason)
            return RejectingProtocol(encode(server.closing_bye), server.reactor)
        return self._native_protocol(connection, server.session_manager, self._bucket(), log_entry)

    def _native_protocol(
        self,
        connection: ServerConnection,
        session_manager: SessionManager,
        bucket: TokenBucket,
        log_entry: ConnectionLogEntry,
    ) -> NativeServerProtocol:
        self.clients.discard(connection)  # if it was taken for a plain client
        connection.pending.reset()
        return self._server.storage.native_protocol(session_manager, bucket, log_entry, connection.pending)

    def _bucket(self) -> TokenBucket:
        """Return the rate limit of a client; it has none if the policy pauses authors instead."""
        paused = self._server.chat.config.policy.back_pressure is BackPressure.AUTHOR
        rate = 0 if paused else self._server.options["rate"]
        return TokenBucket(rate, rate * BURST)


class AdminFactory(ChatServerFactory):
    """Accepts connections of the operator at the admin socket."""

    def __init__(self, server: ServerContext, admin_sessions: AdminSessionManager) -> None:
        super().__init__(server, MIN_PENDING)
        self._admin_sessions = admin_sessions

    def _plain(self, connection: ServerConnection, log_entry: ConnectionLogEntry) -> IPlainProtocol:
        log_entry.rejected("plain lines at the admin socket")
        return RejectingProtocol(
            plainly("this is the operator's socket: use twist juliet --socket"), self._server.reactor
        )

    def _native(self, connection: ServerConnection, log_entry: ConnectionLogEntry) -> ConnectionHandler:
        server = self._server
        if server.is_stopping:
            log_entry.rejected(server.closing_bye.reason)
            return RejectingProtocol(encode(server.closing_bye), server.reactor)
        return self._native_protocol(connection, self._admin_sessions, TokenBucket(0, 0), log_entry)


class RoomSessionManager(SessionManager):
    """The sessions of a server with a limited number of clients."""

    def __init__(self, server: ServerContext) -> None:
        options = server.options
        super().__init__(
            server.chat, server.broker, new_token, options["resume-timeout"], server.chat.config.max_clients
        )
        self._server = server

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Create or resume a session, unless the server is full; one that is active can always be resumed."""
        is_active = hello.session is not None and self.has_session(hello.session)
        if (is_active and not self._server.is_stopping) or self.check_capacity(connection):
            super().attach(connection, hello)

    def check_capacity(self, connection: SessionConnection) -> bool:
        """Return whether another client is admitted; reject ``connection`` if not."""
        reason = self._server.refusal(self._server.clients)
        if reason is None:
            return True
        self._server.count_rejection()
        if self._server.is_stopping:
            connection.retry_later("")
        else:
            connection.reject_busy(f"{self.chat.config.operator_name} {reason}")
        return False
