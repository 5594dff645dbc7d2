"""The server: rooms for many members, or, in direct mode, one room for the operator and a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from techboy import exit_status
from techboy.chat.counters import RejectReason
from techboy.chat.goodbye import LAST_WORDS
from techboy.chat.isolation import isolated
from techboy.chat.member import Member
from techboy.chat.policy import DIRECT, ROOMS, AfterClient
from techboy.chat.server import ServerConfig
from techboy.chat.status import Connected, Disconnected, ServerStatus
from techboy.config.options import ConversationOptions
from techboy.config.values import lines_of
from techboy.net.reactor import IReactor
from techboy.server.admin_sessions import AdminSessionManager
from techboy.server.detect import WireProtocol
from techboy.server.direct import DirectOperator
from techboy.server.direct_sessions import DirectSessionManager
from techboy.server.factories import AdminFactory, ChatServerFactory, RoomSessionManager, ServerConnection
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.listeners import Endpoints, ListenerService, PrivateSocket, listen_addresses
from techboy.server.monitored import MonitoredServer
from techboy.server.monitoring import MonitoredListener
from techboy.server.native import NativeServerProtocol
from techboy.server.operator import LocalOperator, Output
from techboy.server.sessions import SessionManager
from techboy.server.storage_service import DRAIN_TIMEOUT, StorageService, new_token
from techboy.service import ChatService
from techboy.terminal.interface import InputSource
from techboy.terminal.null_ui import NullUI
from techboy.terminal.progress import Sample
from techboy.terminal.stdio_bridge import InputHandler
from techboy.terminal.streams import Streams, is_terminal
from techboy.wire.frames import CLOSED, RESTART, ServerBye
from techboy.wire.plain import SERVER


class ShutdownState(Enum):
    """How far the shutdown of the server has got."""

    RUNNING = auto()
    STOPPING = auto()
    RESTARTING = auto()  # stopped by a signal: clients reconnect, because the server may be started again
    DISCONNECTED = auto()  # the goodbye was sent to all clients
    OVER = auto()  # all connections of clients are closed


class RoomServer(ChatService):
    """The server: it listens, and lets clients talk to each other and to the operator at its terminal.

    In direct mode (``many`` is not set in the ``options``) there is one client at a time, and the operator.
    ``closing_bye`` is the goodbye to connections without a member when the server stops.
    """

    closing_bye = ServerBye(CLOSED)

    def __init__(
        self,
        reactor: IReactor,
        options: ConversationOptions,
        streams: Streams,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reactor, options, streams, SERVER, wall)
        policy, guests = (ROOMS, options["guests"]) if options["many"] else (DIRECT, 1)
        if options["keep-open"]:
            policy = replace(policy, after_client=AfterClient.WAIT)
        config = ServerConfig(options["name"], guests, options["history"], policy)
        self.storage = StorageService(reactor, wall, options, config, self.leave, options["motd"])
        self.broker, self.chat = self.storage.broker, self.storage.chat
        self.factory = ChatServerFactory(self, guests)
        self._shutdown = ShutdownState.RUNNING
        self._operator: LocalOperator | None = None
        self._direct: DirectOperator | None = None
        self.lifecycle, self.session_manager = self._make_operator()
        self.storage.session_managers.append(self.session_manager)
        self._listeners = [
            (self.factory, self._listener(lambda: listen_addresses(reactor, options), self.factory))
        ]
        if options["socket"] is not None:
            self._listeners.append(self._admin_listener(options["socket"]))
        self._metrics_listeners = (
            [self._metrics_listener(options["metrics"])] if options["metrics"] is not None else []
        )
        if self.transcript is not None:
            self.broker.subscribe_all(self.transcript)
        if options["motd-path"] is not None:
            self.reload.add("the message of the day", self._read_motd)
        if self._direct is not None:
            self.show_progress(self._sample)

    @property
    def speaker(self) -> InputHandler:
        """The operator at this terminal."""
        assert self._operator is not None
        return self._operator

    @property
    def clients(self) -> int:
        """The number of clients that are connected."""
        return len(self.factory.clients)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is stopping."""
        return self._shutdown is not ShutdownState.RUNNING

    def startService(self) -> None:
        """Listen, or exit with one line that says why not; then add the operator."""
        ports = [*(listener for _, listener in self._listeners), *self._metrics_listeners]
        for listener in ports:
            listener.startService()
        self.storage.startService()
        super().startService()
        gatherResults([listener.announced() for listener in ports]).addCallback(self.all_open)
        if self._operator is not None:
            if self.keyboard is InputSource.NONE:
                self._operator.listen()
            else:
                self._operator.join()

    def stopService(self) -> Deferred[Any]:
        """Stop listening, and store everything; fire when everything was sent, stored and shown."""
        closed = [listener.stopService() for _, listener in self._listeners]
        stopped = gatherResults([*closed, super().stopService()])
        stopped.addCallback(lambda _: self.storage.drain())  # the offsets of all sessions
        stopped.addCallback(
            lambda _: gatherResults(listener.stopService() for listener in self._metrics_listeners)
        )
        return stopped.addCallback(lambda _: self.storage.stopService())

    def leave(self) -> None:
        """Stop the server: disconnect all clients, in direct mode after the operator's goodbye."""
        if self.is_stopping:
            return
        state = ShutdownState.STOPPING if self.running else ShutdownState.RESTARTING
        if self._direct is None:
            self._stop(state)
            return
        if state is ShutdownState.RESTARTING:
            self.storage.begin_shutdown()
            self.closing_bye = ServerBye(RESTART)
        self._direct.depart(DRAIN_TIMEOUT if state is ShutdownState.RESTARTING else LAST_WORDS)

    def over(self, unsaid: str | None) -> None:
        """Stop the server: the conversation in direct mode is over. ``unsaid`` names messages not sent."""
        if unsaid is not None and self._status == exit_status.OK:
            self._status = exit_status.UNAVAILABLE
            self.ui.show_status(f"* {unsaid}")
        self._stop(ShutdownState.RESTARTING if self.closing_bye.reason == RESTART else ShutdownState.STOPPING)

    @property
    def time_left(self) -> float | None:
        """The seconds left for the shutdown if a signal caused it; otherwise that of any service."""
        return self.storage.time_left if self.closing_bye.reason == RESTART else super().time_left

    def refusal(self, others: int) -> str | None:
        """Return why no further client is admitted while ``others`` are connected, or None if one is."""
        if self.is_stopping:
            return "is leaving"
        config = self.chat.config
        return config.policy.full if others >= config.max_clients or not self.lifecycle.is_free else None

    def count_rejection(self) -> None:
        """Count a connection that was rejected because of a `refusal`."""
        self.broker.counters.reject(RejectReason.SHUTDOWN if self.is_stopping else RejectReason.FULL)

    @property
    def standing(self) -> ServerStatus | Disconnected | Connected:
        """The number of clients and of lines stored; in direct mode the state of the conversation."""
        if self._direct is not None:
            return self._direct.standing
        return ServerStatus(self.clients, self.broker.counters.lines_stored, self.broker.pending_lines)

    def health_error(self) -> str | None:
        """Return why the server is not healthy, or None if it is."""
        if self.is_stopping:
            return "shutting down"
        error = self.broker.storage_error
        return None if error is None else f"storage failed: {error}"

    def closed(self, factory: ChatServerFactory, *, emptied: bool) -> None:
        """Handle that a connection of ``factory`` was closed; ``emptied``: it was the last client there."""
        if self._shutdown is ShutdownState.DISCONNECTED:
            self._end_if_empty()
        elif emptied and self.options["once"] and factory is self.factory and self._direct is None:
            self.leave()

    def _make_operator(self) -> tuple[ClientLifecycle, SessionManager]:
        """Create the operator if there is a user interface; return the lifecycle and the session manager."""
        if isinstance(self.ui, NullUI):
            return ClientLifecycle(), RoomSessionManager(self)
        if self.options["many"]:
            self._operator = LocalOperator(self.chat, self.broker, self.ui, self.leave)
            return ClientLifecycle(), RoomSessionManager(self)
        output = Output.TERMINAL if is_terminal(self._streams.stdout) else Output.STREAM
        self._operator = self._direct = DirectOperator(
            self.chat, self.broker, self.ui, self, self.keyboard, output
        )
        return self._direct, DirectSessionManager(self, self._direct)

    def _sample(self) -> Sample:
        assert self._direct is not None
        waiting = self._direct.lines_waiting
        return Sample(self._direct.said_lines - waiting, waiting)

    def _stop(self, state: ShutdownState) -> None:
        self._shutdown = state
        self.storage.begin_shutdown()
        self.closing_bye = ServerBye(RESTART if state is ShutdownState.RESTARTING else CLOSED)
        self.ui.hide_prompt()
        for connection in self._connections:
            connection.pause_reading()
        self.storage.save_sessions()
        self.storage.drain().addCallback(self._all_stored)

    def _all_stored(self, stored: bool) -> None:
        if not stored:
            self.fail("some messages could not be saved")
        for connection in self._connections:
            connection.resume_reading()
        for member in list(self.chat.members.values()):
            isolated(member.connection, partial(self._disconnect, member))
        for connection in self._connections:
            isolated(connection, partial(connection.close_undetected, self.closing_bye))
        self._shutdown = ShutdownState.DISCONNECTED
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if not any(factory.has_members for factory, _ in self._listeners):
            self._shutdown = ShutdownState.OVER
            self.ended()

    @property
    def _connections(self) -> list[ServerConnection]:
        return [connection for factory, _ in self._listeners for connection in factory.connections]

    def _admin_listener(self, path: str) -> tuple[ChatServerFactory, ListenerService]:
        """Return the factory of the admin socket at ``path``, and its listener."""
        admin_sessions = AdminSessionManager(self.chat, self.broker, new_token)
        self.storage.session_managers.append(admin_sessions)
        factory = AdminFactory(self, admin_sessions)
        return factory, self._listener(lambda: [(path, PrivateSocket(self.reactor, path))], factory)

    def _listener(self, endpoints: Callable[[], Endpoints], factory: ChatServerFactory) -> ListenerService:
        return ListenerService(endpoints, factory, self.listens, self._refused)

    def _metrics_listener(self, endpoint: str) -> MonitoredListener:
        watched = MonitoredServer(self.chat, self.broker, self._protocols, self.health_error)
        return MonitoredListener(
            self.reactor, self.wall, endpoint, watched, self._metrics_announced, self._refused
        )

    def _metrics_announced(self, address: str) -> None:
        self.ui.show_status(f"Metrics on {address}")

    def _disconnect(self, member: Member) -> None:
        connection = member.connection
        if connection is self._operator or member.absent:  # a lost client may resume its session
            return
        if isinstance(connection, NativeServerProtocol) and self._shutdown is ShutdownState.RESTARTING:
            connection.close_for_restart()
        else:
            connection.disconnect(f"{self.chat.config.operator_name} is leaving")

    def _protocols(self) -> list[WireProtocol]:
        return [connection.protocol for connection in self.factory.connections]

    def _read_motd(self) -> None:
        self.chat.motd = lines_of(self.options["motd-path"])

    def _refused(self, why: str) -> None:
        self.give_up(exit_status.CANNOT_LISTEN, why)
