"""The ways into a house: who calls gets a door, unless the house is full or its host is leaving."""

from __future__ import annotations

from typing import Protocol as Interface

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from techboy.chat.policy import BackPressure
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House
from techboy.config.options import ConversationOptions
from techboy.net.addresses import endpoint_of
from techboy.net.connection_handler import Door
from techboy.net.connection_log import End, Journal, Record
from techboy.net.graceful_close import close
from techboy.server.admin_sessions import Desk
from techboy.server.broker import Hall
from techboy.server.detect import PlainDoor, Threshold
from techboy.server.lifecycle import ClientLifecycle
from techboy.server.native import NativeGuest
from techboy.server.plain import GuestDoor
from techboy.server.reject import TurnedAway, plainly
from techboy.server.sessions import Lodger, Lodging
from techboy.server.storage_service import Home, new_token
from techboy.server.unwelcomed import LEAST, Strangers
from techboy.wire.frames import Hello, ServerBye
from techboy.wire.native import written

BURST = 10
"""Seconds' worth of lines that a guest may say at once."""


class Household(Interface):
    """The program, as its ways in see it.

    ``last_word``: what a caller who is no guest is told when the program ends.
    """

    options: ConversationOptions
    journal: Journal
    home: Home
    hall: Hall
    house: House
    lodging: Lodging
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

    def closed(self, factory: HouseFactory, *, emptied: bool) -> None:
        """A connection at the door of ``factory`` is gone; ``emptied``: the last of a guest there."""


class Caller(Threshold):
    """A connection that its factory knows of as long as it is open."""

    factory: HouseFactory

    def dismiss(self, bye: ServerBye) -> None:
        """Close a connection of which nothing is known yet."""
        if isinstance(self.door, NativeGuest):
            self.door.close_with(bye)
        elif self.door is None:
            self._record.ends(End.CLOSED, bye.why)
            close(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The caller is gone."""
        super().connectionLost(reason)
        self.factory.closed(self)


class HouseFactory(ServerFactory):
    """Lets guests into the house, as many as it takes, and knows who is still there."""

    noisy = False

    def __init__(self, host: Household, most: int) -> None:
        """``most``: connections that may wait to be welcomed; see `Strangers`."""
        self._host = host
        self._strangers = Strangers(most, host.hall.tally)
        self.callers: set[Caller] = set()
        self.guests: set[Caller] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return what finds out how a caller speaks, and brings it in; None if too many are not in yet."""
        stranger = self._strangers.come(lambda: self.guests.add(caller))
        if stranger is None:
            return None
        record = self._host.journal.came(endpoint_of(addr))
        caller = Caller(
            self._host.reactor,
            lambda: self._plain(caller, record),
            lambda: self._native(caller, record),
            record,
            stranger,
        )
        caller.factory = self
        self.callers.add(caller)
        return caller

    def closed(self, caller: Caller) -> None:
        """The connection of ``caller`` is closed for good."""
        was_guest = caller in self.guests
        self.callers.discard(caller)
        self.guests.discard(caller)
        self._host.closed(self, emptied=was_guest and not self.guests)

    @property
    def is_in_use(self) -> bool:
        """Whether guests, or callers who wait to be let in, are still connected."""
        return bool(self.guests) or any(isinstance(caller.door, NativeGuest) for caller in self.callers)

    def _plain(self, caller: Caller, record: Record) -> PlainDoor:
        host, options = self._host, self._host.options
        why = host.refusal(len(self.guests))
        if why is not None:
            host.turned_away()
            words = f"{host.house.rules.host} {why}"
            record.turned_away(words)
            return TurnedAway(plainly(words), host.reactor)
        caller.stranger.welcomed()
        host.lodging.yield_place()
        return GuestDoor(host.house, host.hall, self._bucket(), options["max-line"], record, host.lifecycle)

    def _native(self, caller: Caller, record: Record) -> Door:
        host = self._host
        if host.is_leaving:
            host.turned_away()
            record.turned_away(host.last_word.reason)
            return TurnedAway(written(host.last_word), host.reactor)
        return self._native_guest(caller, host.lodging, self._bucket(), record)

    def _native_guest(self, caller: Caller, lodging: Lodging, bucket: Bucket, record: Record) -> NativeGuest:
        self.guests.discard(caller)  # if it was taken for a plain one
        caller.stranger.unwelcome()
        return self._host.home.native_guest(lodging, bucket, record, caller.stranger)

    def _bucket(self) -> Bucket:
        """Return how much a client may say: it is not limited where it waits for its reader."""
        paused = self._host.house.rules.policy.back_pressure is BackPressure.AUTHOR
        rate = 0 if paused else self._host.options["rate"]
        return Bucket(rate, rate * BURST)


class DeskFactory(HouseFactory):
    """Lets the host in by the host's own door, which leads to ``desk``."""

    def __init__(self, host: Household, desk: Desk) -> None:
        super().__init__(host, LEAST)
        self._desk = desk

    def _plain(self, caller: Caller, record: Record) -> PlainDoor:
        record.turned_away("plain lines at the admin socket")
        return TurnedAway(
            plainly("this is the operator's socket: use twist juliet --socket"), self._host.reactor
        )

    def _native(self, caller: Caller, record: Record) -> Door:
        host = self._host
        if host.is_leaving:
            record.turned_away(host.last_word.reason)
            return TurnedAway(written(host.last_word), host.reactor)
        return self._native_guest(caller, self._desk, Bucket(0, 0), record)


class HouseLodging(Lodging):
    """The lodging of a house that may be full."""

    def __init__(self, host: Household) -> None:
        options = host.options
        super().__init__(host.house, host.hall, new_token, options["resume-timeout"], host.house.rules.guests)
        self._program = host

    def arrive(self, guest: Lodger, hello: Hello) -> None:
        """Let ``guest`` in, unless the house is full of others."""
        returns = hello.session is not None and self.knows(hello.session)
        if (returns and not self._program.is_leaving) or self.may_enter(guest):
            super().arrive(guest, hello)

    def may_enter(self, guest: Lodger) -> bool:
        """Tell whether there is room, or tell ``guest`` that there is none."""
        why = self._program.refusal(self._program.guests)
        if why is None:
            return True
        self._program.turned_away()
        if self._program.is_leaving:
            guest.put_off("")
        else:
            guest.busy(f"{self.house.rules.host} {why}")
        return False
