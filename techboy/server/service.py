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
from techboy.chat.conversation import LAST_WORDS, Keyboard
from techboy.chat.counters import Refusal
from techboy.chat.isolation import isolated
from techboy.chat.member import Member
from techboy.chat.policy import DIRECT, ROOMS, AfterClient
from techboy.chat.server import Rules
from techboy.chat.status import Alone, Hosting, Together
from techboy.config.options import ConversationOptions
from techboy.config.values import lines_of
from techboy.server.admin_sessions import Desk
from techboy.server.detect import Spoken
from techboy.server.direct import DirectOperator
from techboy.server.direct_sessions import DirectSessions
from techboy.server.factories import Caller, DeskFactory, HouseFactory, HouseLodging
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.listeners import Listening, Places, PrivateSocket, told
from techboy.server.monitored import Watched
from techboy.server.monitoring import Watching
from techboy.server.native import NativeGuest
from techboy.server.operator import Output, Seat
from techboy.server.sessions import Lodging
from techboy.server.storage_service import DRAIN, Home, new_token
from techboy.service import IReactor, Program
from techboy.terminal.bridge import Speaker
from techboy.terminal.null_ui import Unseen
from techboy.terminal.progress import Sample
from techboy.terminal.streams import Streams, is_terminal
from techboy.wire.frames import CLOSED, RESTART, ServerBye
from techboy.wire.plain import HOST


class Leaving(Enum):
    """Whether the program ends."""

    NO = auto()
    FOR_GOOD = auto()
    FOR_NOW = auto()  # it was told to by a signal, and may be started again
    GONE = auto()  # all guests were sent home
    OVER = auto()  # the connections of all of them are closed


class Host(Program):
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
        super().__init__(reactor, options, streams, HOST, wall)
        policy, guests = (ROOMS, options["guests"]) if options["many"] else (DIRECT, 1)
        if options["keep-open"]:
            policy = replace(policy, after_client=AfterClient.WAIT)
        rules = Rules(options["name"], guests, options["history"], policy)
        self.home = Home(reactor, wall, options, rules, self.leave, options["motd"])
        self.hall, self.house = self.home.hall, self.home.house
        self.factory = HouseFactory(self, guests)
        self._leaving = Leaving.NO
        self._seat: Seat | None = None
        self._direct: DirectOperator | None = None
        self.lifecycle, self.lodging = self._seated()
        self.home.lodgings.append(self.lodging)
        self._doors = [(self.factory, self._listening(lambda: told(reactor, options), self.factory))]
        if options["socket"] is not None:
            self._doors.append(self._own_door(options["socket"]))
        self._watching = [self._figures(options["metrics"])] if options["metrics"] is not None else []
        if self.transcript is not None:
            self.hall.observe_all(self.transcript)
        if options["motd-path"] is not None:
            self.reload.add("the message of the day", self._read_motd)
        if self._direct is not None:
            self.show_progress(self._sample)

    @property
    def speaker(self) -> Speaker:
        """Return the host's seat."""
        assert self._seat is not None
        return self._seat

    @property
    def guests(self) -> int:
        """How many connections of guests are open."""
        return len(self.factory.guests)

    @property
    def is_leaving(self) -> bool:
        """Whether the program ends."""
        return self._leaving is not Leaving.NO

    def startService(self) -> None:
        """Listen, or end with one line that says why not; then take the host's seat."""
        ports = [*(listening for _, listening in self._doors), *self._watching]
        for listening in ports:
            listening.startService()
        self.home.startService()
        super().startService()
        gatherResults([listening.announced() for listening in ports]).addCallback(self.all_open)
        if self._seat is not None:
            if self.keyboard is Keyboard.NONE:
                self._seat.listen()
            else:
                self._seat.sit()

    def stopService(self) -> Deferred[Any]:
        """Listen no more, store everything, say goodbye to all; fires when everything was sent and shown."""
        closed = [listening.stopService() for _, listening in self._doors]
        gone = gatherResults([*closed, super().stopService()])
        gone.addCallback(lambda _: self.home.drain())  # how far everybody had read
        gone.addCallback(lambda _: gatherResults(figures.stopService() for figures in self._watching))
        return gone.addCallback(lambda _: self.home.stopService())

    def leave(self) -> None:
        """Send all guests home; in direct mode after the operator's goodbye."""
        if self.is_leaving:
            return
        how = Leaving.FOR_GOOD if self.running else Leaving.FOR_NOW
        if self._direct is None:
            self._leave(how)
            return
        if how is Leaving.FOR_NOW:
            self.home.end()
            self.last_word = ServerBye(RESTART)
        self._direct.depart(DRAIN if how is Leaving.FOR_NOW else LAST_WORDS)

    def over(self, unsaid: str | None) -> None:
        """The conversation with the one client is over, and so is the program."""
        if unsaid is not None and self._status == exit_status.OK:
            self._status = exit_status.UNAVAILABLE
            self.here.state(f"* {unsaid}")
        self._leave(Leaving.FOR_NOW if self.last_word.reason == RESTART else Leaving.FOR_GOOD)

    @property
    def time_left(self) -> float | None:
        """A signal gives all of it so much time, where else there is no haste."""
        return self.home.time_left if self.last_word.reason == RESTART else super().time_left

    def refusal(self, others: int) -> str | None:
        """Return why nobody may come in where ``others`` are, None where somebody may."""
        if self.is_leaving:
            return "is leaving"
        rules = self.house.rules
        return rules.policy.full if others >= rules.guests or not self.lifecycle.is_free else None

    def turned_away(self) -> None:
        """Count a caller for whom there was a `refusal`."""
        self.hall.tally.refuse(Refusal.LEAVING if self.is_leaving else Refusal.FULL)

    @property
    def standing(self) -> Hosting | Alone | Together:
        """How many are here, and how much was said; in direct mode how the conversation stands."""
        if self._direct is not None:
            return self._direct.standing
        return Hosting(self.guests, self.hall.tally.stored, self.hall.waiting)

    def trouble(self) -> str | None:
        """Return why nobody should count on the house now, None where all is well."""
        if self.is_leaving:
            return "shutting down"
        hindrance = self.hall.hindrance
        return None if hindrance is None else f"storage failed: {hindrance}"

    def closed(self, factory: HouseFactory, *, emptied: bool) -> None:
        """A connection at the door of ``factory`` is gone; ``emptied``: the last of a guest there."""
        if self._leaving is Leaving.GONE:
            self._end_if_empty()
        elif emptied and self.options["once"] and factory is self.factory and self._direct is None:
            self.leave()

    def _seated(self) -> tuple[ClientLifecycle, Lodging]:
        """Have the operator's seat, if there is somebody here; return what governs clients, and sessions."""
        if isinstance(self.here, Unseen):
            return ClientLifecycle(), HouseLodging(self)
        if self.options["many"]:
            self._seat = Seat(self.house, self.hall, self.here, self.leave)
            return ClientLifecycle(), HouseLodging(self)
        output = Output.TERMINAL if is_terminal(self._streams.stdout) else Output.STREAM
        self._seat = self._direct = DirectOperator(
            self.house, self.hall, self.here, self, self.keyboard, output
        )
        return self._direct, DirectSessions(self, self._direct)

    def _sample(self) -> Sample:
        assert self._direct is not None
        waiting = self._direct.lines_waiting
        return Sample(self._direct.said_lines - waiting, waiting)

    def _leave(self, how: Leaving) -> None:
        self._leaving = how
        self.home.end()
        self.last_word = ServerBye(RESTART if how is Leaving.FOR_NOW else CLOSED)
        self.here.dismiss()
        for caller in self._callers:
            caller.hear_nothing()
        self.home.keep_sessions()
        self.home.drain().addCallback(self._all_stored)

    def _all_stored(self, stored: bool) -> None:
        if not stored:
            self.fail("some messages could not be saved")
        for caller in self._callers:
            caller.hear_again()
        for member in list(self.house.members.values()):
            isolated(member.guest, partial(self._send_home, member))
        for caller in self._callers:
            isolated(caller, partial(caller.dismiss, self.last_word))
        self._leaving = Leaving.GONE
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if not any(factory.is_in_use for factory, _ in self._doors):
            self._leaving = Leaving.OVER
            self.ended()

    @property
    def _callers(self) -> list[Caller]:
        return [caller for factory, _ in self._doors for caller in factory.callers]

    def _own_door(self, path: str) -> tuple[HouseFactory, Listening]:
        """Return the host's own door, at ``path``."""
        desk = Desk(self.house, self.hall, new_token)
        self.home.lodgings.append(desk)
        factory = DeskFactory(self, desk)
        return factory, self._listening(lambda: [(path, PrivateSocket(self.reactor, path))], factory)

    def _listening(self, places: Callable[[], Places], factory: HouseFactory) -> Listening:
        return Listening(places, factory, self.listens, self._refused)

    def _figures(self, endpoint: str) -> Watching:
        watched = Watched(self.house, self.hall, self._spoken, self.trouble)
        return Watching(self.reactor, self.wall, endpoint, watched, self._watched_at, self._refused)

    def _watched_at(self, place: str) -> None:
        self.here.state(f"Metrics on {place}")

    def _send_home(self, member: Member) -> None:
        guest = member.guest
        if guest is self._seat or member.absent:  # its session is kept for its return
            return
        if isinstance(guest, NativeGuest) and self._leaving is Leaving.FOR_NOW:
            guest.come_back_later()
        else:
            guest.goodbye(f"{self.house.rules.host} is leaving")

    def _spoken(self) -> list[Spoken]:
        return [caller.spoken for caller in self.factory.callers]

    def _read_motd(self) -> None:
        self.house.motd = lines_of(self.options["motd-path"])

    def _refused(self, why: str) -> None:
        self.give_up(exit_status.NO_LISTENING, why)
