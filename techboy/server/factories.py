"""The ways into a house: who calls gets a door, unless the house is full or its host is leaving."""

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
from techboy.server.broker import Broker
from techboy.server.detect import IPlainProtocol, ProtocolDetector
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.native import NativeServerProtocol
from techboy.server.plain import PlainServerProtocol
from techboy.server.reject import RejectingProtocol, plainly
from techboy.server.sessions import SessionConnection, SessionManager
from techboy.server.storage_service import StorageService, new_token
from techboy.server.unwelcomed import LEAST, PendingConnections
from techboy.wire.frames import Hello, ServerBye
from techboy.wire.native import encode

BURST = 10
"""Seconds' worth of lines that a guest may say at once."""


class ServerContext(Interface):
    """The program, as its ways in see it.

    ``last_word``: what a caller who is no guest is told when the program ends.
    """

    options: ConversationOptions
    connection_log: ConnectionLog
    storage: StorageService
    broker: Broker
    chat: ChatServer
    session_manager: SessionManager
    lifecycle: ClientLifecycle
    last_word: ServerBye

    @property
    def reactor(self) -> IReactorTime: ...

    @property
    def guests(self) -> int:
        """How many connections of guests are open."""

    @property
    def is_leaving(self) -> bool:
        """Whether the program ends."""

    def refusal(self, others: int) -> str | None:
        """Return why nobody may come in where ``others`` are, None where somebody may."""

    def turned_away(self) -> None:
        """Count a caller for whom there was a `refusal`."""

    def closed(self, factory: ChatServerFactory, *, emptied: bool) -> None:
        """A connection at the door of ``factory`` is gone; ``emptied``: the last of a guest there."""


class ServerConnection(ProtocolDetector):
    """A connection that its factory knows of as long as it is open."""

    factory: ChatServerFactory

    def dismiss(self, bye: ServerBye) -> None:
        """Close a connection of which nothing is known yet."""
        if isinstance(self.handler, NativeServerProtocol):
            self.handler.close_with(bye)
        elif self.handler is None:
            self._log_entry.closing(CloseReason.CLOSED, bye.why)
            close(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The caller is gone."""
        super().connectionLost(reason)
        self.factory.closed(self)


class ChatServerFactory(ServerFactory):
    """Lets guests into the house, as many as it takes, and knows who is still there."""

    noisy = False

    def __init__(self, host: ServerContext, most: int) -> None:
        """``most``: connections that may wait to be welcomed; see `PendingConnections`."""
        self._host = host
        self._pending_connections = PendingConnections(most, host.broker.counters)
        self.callers: set[ServerConnection] = set()
        self.guests: set[ServerConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return what finds out how a caller speaks, and brings it in; None if too many are not in yet."""
        pending = self._pending_connections.come(lambda: self.guests.add(caller))
        if pending is None:
            return None
        log_entry = self._host.connection_log.opened(endpoint_of(addr))
        caller = ServerConnection(
            self._host.reactor,
            lambda: self._plain(caller, log_entry),
            lambda: self._native(caller, log_entry),
            log_entry,
            pending,
        )
        caller.factory = self
        self.callers.add(caller)
        return caller

    def closed(self, caller: ServerConnection) -> None:
        """The connection of ``caller`` is closed for good."""
        was_guest = caller in self.guests
        self.callers.discard(caller)
        self.guests.discard(caller)
        self._host.closed(self, emptied=was_guest and not self.guests)

    @property
    def has_members(self) -> bool:
        """Whether guests, or callers who wait to be let in, are still connected."""
        return bool(self.guests) or any(
            isinstance(caller.handler, NativeServerProtocol) for caller in self.callers
        )

    def _plain(self, caller: ServerConnection, log_entry: ConnectionLogEntry) -> IPlainProtocol:
        host, options = self._host, self._host.options
        why = host.refusal(len(self.guests))
        if why is not None:
            host.turned_away()
            words = f"{host.chat.config.operator_name} {why}"
            log_entry.rejected(words)
            return RejectingProtocol(plainly(words), host.reactor)
        caller.pending.welcomed()
        host.session_manager.yield_place()
        return PlainServerProtocol(
            host.chat, host.broker, self._bucket(), options["max-line"], log_entry, host.lifecycle
        )

    def _native(self, caller: ServerConnection, log_entry: ConnectionLogEntry) -> ConnectionHandler:
        host = self._host
        if host.is_leaving:
            host.turned_away()
            log_entry.rejected(host.last_word.reason)
            return RejectingProtocol(encode(host.last_word), host.reactor)
        return self._native_guest(caller, host.session_manager, self._bucket(), log_entry)

    def _native_guest(
        self,
        caller: ServerConnection,
        session_manager: SessionManager,
        bucket: TokenBucket,
        log_entry: ConnectionLogEntry,
    ) -> NativeServerProtocol:
        self.guests.discard(caller)  # if it was taken for a plain one
        caller.pending.unwelcome()
        return self._host.storage.native_guest(session_manager, bucket, log_entry, caller.pending)

    def _bucket(self) -> TokenBucket:
        """Return how much a client may say: it is not limited where it waits for its reader."""
        paused = self._host.chat.config.policy.back_pressure is BackPressure.AUTHOR
        rate = 0 if paused else self._host.options["rate"]
        return TokenBucket(rate, rate * BURST)


class AdminFactory(ChatServerFactory):
    """Lets the host in by the host's own door, which leads to ``admin_sessions``."""

    def __init__(self, host: ServerContext, admin_sessions: AdminSessionManager) -> None:
        super().__init__(host, LEAST)
        self._admin_sessions = admin_sessions

    def _plain(self, caller: ServerConnection, log_entry: ConnectionLogEntry) -> IPlainProtocol:
        log_entry.rejected("plain lines at the admin socket")
        return RejectingProtocol(
            plainly("this is the operator's socket: use twist juliet --socket"), self._host.reactor
        )

    def _native(self, caller: ServerConnection, log_entry: ConnectionLogEntry) -> ConnectionHandler:
        host = self._host
        if host.is_leaving:
            log_entry.rejected(host.last_word.reason)
            return RejectingProtocol(encode(host.last_word), host.reactor)
        return self._native_guest(caller, self._admin_sessions, TokenBucket(0, 0), log_entry)


class RoomSessionManager(SessionManager):
    """The lodging of a house that may be full."""

    def __init__(self, host: ServerContext) -> None:
        options = host.options
        super().__init__(
            host.chat, host.broker, new_token, options["resume-timeout"], host.chat.config.max_clients
        )
        self._program = host

    def attach(self, connection: SessionConnection, hello: Hello) -> None:
        """Let ``connection`` in, unless the house is full of others."""
        returns = hello.session is not None and self.has_session(hello.session)
        if (returns and not self._program.is_leaving) or self.may_enter(connection):
            super().attach(connection, hello)

    def may_enter(self, connection: SessionConnection) -> bool:
        """Tell whether there is room, or tell ``connection`` that there is none."""
        why = self._program.refusal(self._program.guests)
        if why is None:
            return True
        self._program.turned_away()
        if self._program.is_leaving:
            connection.retry_later("")
        else:
            connection.busy(f"{self.chat.config.operator_name} {why}")
        return False
