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
from techboy.chat.conversation import LAST_WORDS, InputSource
from techboy.chat.counters import RejectReason
from techboy.chat.isolation import isolated
from techboy.chat.member import Member
from techboy.chat.policy import DIRECT, ROOMS, AfterClient
from techboy.chat.server import ServerConfig
from techboy.chat.status import Connected, Disconnected, ServerStatus
from techboy.config.options import ConversationOptions
from techboy.config.values import lines_of
from techboy.server.admin_sessions import AdminSessionManager
from techboy.server.detect import WireProtocol
from techboy.server.direct import DirectOperator
from techboy.server.direct_sessions import DirectSessionManager
from techboy.server.factories import AdminFactory, ChatServerFactory, RoomSessionManager, ServerConnection
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.listeners import ListenerService, Places, PrivateSocket, parse_endpoint
from techboy.server.monitored import MonitoredServer
from techboy.server.monitoring import MonitoredListener
from techboy.server.native import NativeServerProtocol
from techboy.server.operator import LocalOperator, Output
from techboy.server.sessions import SessionManager
from techboy.server.storage_service import DRAIN_TIMEOUT, StorageService, new_token
from techboy.service import ChatService, IReactor
from techboy.terminal.bridge import InputHandler
from techboy.terminal.null_ui import NullUI
from techboy.terminal.progress import Sample
from techboy.terminal.streams import Streams, is_terminal
from techboy.wire.frames import CLOSED, RESTART, ServerBye
from techboy.wire.plain import SERVER


class ShutdownState(Enum):
    """Whether the program ends."""

    NO = auto()
    FOR_GOOD = auto()
    FOR_NOW = auto()  # it was told to by a signal, and may be started again
    GONE = auto()  # all guests were sent home
    OVER = auto()  # the connections of all of them are closed


class RoomServer(ChatService):
    """Listens, and has any number of guests talk to each other, and to the person here if there is one.

    In direct mode (``many`` is not set in the ``options``) there is one guest at a time, and the person here.

    ``last_word``: what a caller who is no guest is told when the program ends.
    """

    last_word = ServerBye(CLOSED)

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
        self._leaving = ShutdownState.NO
        self._operator: LocalOperator | None = None
        self._direct: DirectOperator | None = None
        self.lifecycle, self.session_manager = self._seated()
        self.storage.session_managers.append(self.session_manager)
        self._listeners = [
            (self.factory, self._listening(lambda: parse_endpoint(reactor, options), self.factory))
        ]
        if options["socket"] is not None:
            self._listeners.append(self._own_door(options["socket"]))
        self._watching = [self._figures(options["metrics"])] if options["metrics"] is not None else []
        if self.transcript is not None:
            self.broker.subscribe_all(self.transcript)
        if options["motd-path"] is not None:
            self.reload.add("the message of the day", self._read_motd)
        if self._direct is not None:
            self.show_progress(self._sample)

    @property
    def speaker(self) -> InputHandler:
        """Return the host's seat."""
        assert self._operator is not None
        return self._operator

    @property
    def guests(self) -> int:
        """How many connections of guests are open."""
        return len(self.factory.guests)

    @property
    def is_leaving(self) -> bool:
        """Whether the program ends."""
        return self._leaving is not ShutdownState.NO

    def startService(self) -> None:
        """Listen, or end with one line that says why not; then take the host's seat."""
        ports = [*(listening for _, listening in self._listeners), *self._watching]
        for listening in ports:
            listening.startService()
        self.storage.startService()
        super().startService()
        gatherResults([listening.announced() for listening in ports]).addCallback(self.all_open)
        if self._operator is not None:
            if self.keyboard is InputSource.NONE:
                self._operator.listen()
            else:
                self._operator.join()

    def stopService(self) -> Deferred[Any]:
        """Listen no more, store everything, say goodbye to all; fires when everything was sent and shown."""
        closed = [listening.stopService() for _, listening in self._listeners]
        gone = gatherResults([*closed, super().stopService()])
        gone.addCallback(lambda _: self.storage.drain())  # how far everybody had read
        gone.addCallback(lambda _: gatherResults(figures.stopService() for figures in self._watching))
        return gone.addCallback(lambda _: self.storage.stopService())

    def leave(self) -> None:
        """Send all guests home; in direct mode after the operator's goodbye."""
        if self.is_leaving:
            return
        how = ShutdownState.FOR_GOOD if self.running else ShutdownState.FOR_NOW
        if self._direct is None:
            self._leave(how)
            return
        if how is ShutdownState.FOR_NOW:
            self.storage.end()
            self.last_word = ServerBye(RESTART)
        self._direct.depart(DRAIN_TIMEOUT if how is ShutdownState.FOR_NOW else LAST_WORDS)

    def over(self, unsaid: str | None) -> None:
        """The conversation with the one client is over, and so is the program."""
        if unsaid is not None and self._status == exit_status.OK:
            self._status = exit_status.UNAVAILABLE
            self.ui.state(f"* {unsaid}")
        self._leave(ShutdownState.FOR_NOW if self.last_word.reason == RESTART else ShutdownState.FOR_GOOD)

    @property
    def time_left(self) -> float | None:
        """A signal gives all of it so much time, where else there is no haste."""
        return self.storage.time_left if self.last_word.reason == RESTART else super().time_left

    def refusal(self, others: int) -> str | None:
        """Return why nobody may come in where ``others`` are, None where somebody may."""
        if self.is_leaving:
            return "is leaving"
        config = self.chat.config
        return config.policy.full if others >= config.max_clients or not self.lifecycle.is_free else None

    def turned_away(self) -> None:
        """Count a caller for whom there was a `refusal`."""
        self.broker.counters.reject(RejectReason.SHUTDOWN if self.is_leaving else RejectReason.FULL)

    @property
    def standing(self) -> ServerStatus | Disconnected | Connected:
        """How many are here, and how much was said; in direct mode how the conversation stands."""
        if self._direct is not None:
            return self._direct.standing
        return ServerStatus(self.guests, self.broker.counters.lines_stored, self.broker.pending_lines)

    def trouble(self) -> str | None:
        """Return why nobody should count on the house now, None where all is well."""
        if self.is_leaving:
            return "shutting down"
        hindrance = self.broker.storage_error
        return None if hindrance is None else f"storage failed: {hindrance}"

    def closed(self, factory: ChatServerFactory, *, emptied: bool) -> None:
        """A connection at the door of ``factory`` is gone; ``emptied``: the last of a guest there."""
        if self._leaving is ShutdownState.GONE:
            self._end_if_empty()
        elif emptied and self.options["once"] and factory is self.factory and self._direct is None:
            self.leave()

    def _seated(self) -> tuple[ClientLifecycle, SessionManager]:
        """Have the operator's seat, if there is somebody here; return what governs clients, and sessions."""
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

    def _leave(self, how: ShutdownState) -> None:
        self._leaving = how
        self.storage.end()
        self.last_word = ServerBye(RESTART if how is ShutdownState.FOR_NOW else CLOSED)
        self.ui.dismiss()
        for caller in self._callers:
            caller.hear_nothing()
        self.storage.keep_sessions()
        self.storage.drain().addCallback(self._all_stored)

    def _all_stored(self, stored: bool) -> None:
        if not stored:
            self.fail("some messages could not be saved")
        for caller in self._callers:
            caller.hear_again()
        for member in list(self.chat.members.values()):
            isolated(member.connection, partial(self._send_home, member))
        for caller in self._callers:
            isolated(caller, partial(caller.dismiss, self.last_word))
        self._leaving = ShutdownState.GONE
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if not any(factory.has_members for factory, _ in self._listeners):
            self._leaving = ShutdownState.OVER
            self.ended()

    @property
    def _callers(self) -> list[ServerConnection]:
        return [caller for factory, _ in self._listeners for caller in factory.callers]

    def _own_door(self, path: str) -> tuple[ChatServerFactory, ListenerService]:
        """Return the host's own door, at ``path``."""
        admin_sessions = AdminSessionManager(self.chat, self.broker, new_token)
        self.storage.session_managers.append(admin_sessions)
        factory = AdminFactory(self, admin_sessions)
        return factory, self._listening(lambda: [(path, PrivateSocket(self.reactor, path))], factory)

    def _listening(self, places: Callable[[], Places], factory: ChatServerFactory) -> ListenerService:
        return ListenerService(places, factory, self.listens, self._refused)

    def _figures(self, endpoint: str) -> MonitoredListener:
        watched = MonitoredServer(self.chat, self.broker, self._spoken, self.trouble)
        return MonitoredListener(self.reactor, self.wall, endpoint, watched, self._watched_at, self._refused)

    def _watched_at(self, place: str) -> None:
        self.ui.state(f"Metrics on {place}")

    def _send_home(self, member: Member) -> None:
        connection = member.connection
        if connection is self._operator or member.absent:  # its session is kept for its return
            return
        if isinstance(connection, NativeServerProtocol) and self._leaving is ShutdownState.FOR_NOW:
            connection.restart_notice()
        else:
            connection.disconnect(f"{self.chat.config.operator_name} is leaving")

    def _spoken(self) -> list[WireProtocol]:
        return [caller.spoken for caller in self.factory.callers]

    def _read_motd(self) -> None:
        self.chat.motd = lines_of(self.options["motd-path"])

    def _refused(self, why: str) -> None:
        self.give_up(exit_status.CANNOT_LISTEN, why)
