"""Romeo as the host of many: a house with rooms."""

from __future__ import annotations

import time

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger

from techboy import exits
from techboy.chat.conversation import Keyboard
from techboy.chat.house import House, Rules
from techboy.chat.rate import Bucket
from techboy.doors.addresses import peer_of
from techboy.doors.busy import TurnedAway
from techboy.doors.guest import GuestDoor
from techboy.doors.hall import Hall
from techboy.listening import Listening
from techboy.logs.memory import MemoryLogs
from techboy.options import ConversationOptions
from techboy.program import IReactor, Program
from techboy.terminal.bridge import Speaker, StdioBridge
from techboy.terminal.seat import Seat
from techboy.terminal.streams import Streams
from techboy.wire.plain import HOST

BURST = 10
"""Seconds' worth of lines that a guest may say at once."""


class CountedDoor(GuestDoor):
    """A guest's door that its factory knows of as long as it is open."""

    factory: HouseFactory

    def gone(self, clean: bool) -> None:
        """Forget the guest."""
        super().gone(clean)
        self.factory.closed(self)


class HouseFactory(ServerFactory):
    """Lets guests into the house, as many as it takes, and knows who is still there."""

    noisy = False
    _log = Logger()

    def __init__(self, host: Host) -> None:
        self._host = host
        self.doors: set[GuestDoor] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the door for a caller."""
        house, options = self._host.house, self._host.options
        why = self._host.refusal
        if why is not None:
            self._log.info("turned away {caller}: {why}", caller=peer_of(addr), why=why)
            return TurnedAway(f"{house.rules.host} {why}", self._host.reactor)
        self._log.info("connection from {caller}", caller=peer_of(addr))
        bucket = Bucket(options["rate"], options["rate"] * BURST)
        door = CountedDoor(house, self._host.hall, bucket, options["max-line"])
        door.factory = self
        self.doors.add(door)
        return door

    def closed(self, door: GuestDoor) -> None:
        """``door`` is closed for good."""
        self.doors.discard(door)
        if not self.doors:
            self._host.empty()


class Host(Program):
    """Listens, and has any number of guests talk to each other, and to the person here if there is one."""

    def __init__(self, reactor: IReactor, options: ConversationOptions, streams: Streams) -> None:
        super().__init__(reactor, options, streams, HOST)
        self.hall = Hall(reactor, options["stall"])
        logs = MemoryLogs(options["keep-memory"])
        rules = Rules(options["name"], options["guests"], options["history"])
        self.house = House(rules, self.hall, logs.open, clock_time, self.leave, options["motd"])
        self.factory = HouseFactory(self)
        self._listening = Listening(reactor, options, self.factory, self.here.state, self._refused)
        self._leaving = False
        if isinstance(self.here, StdioBridge):
            self._seat = Seat(self.house, self.hall, self.here, self.leave)

    @property
    def speaker(self) -> Speaker:
        """Return the host's seat."""
        return self._seat

    def startService(self) -> None:
        """Listen, or end with one line that says why not; then take the host's seat."""
        self._listening.startService()
        super().startService()
        self._listening.announced()
        if isinstance(self.here, StdioBridge):
            if self.keyboard is Keyboard.NONE:
                self._seat.listen()
            else:
                self._seat.sit()

    def stopService(self) -> Deferred[list[None]]:
        """Listen no more, say goodbye to all; fires when everything was sent and shown."""
        return gatherResults([self._listening.stopService(), super().stopService()])

    def leave(self) -> None:
        """Send all guests home."""
        if self._leaving:
            return
        self._leaving = True
        self.hall.close()
        self.here.dismiss()
        for member in list(self.house.members.values()):
            if member.guest is not getattr(self, "_seat", None):
                member.guest.goodbye(f"{self.house.rules.host} is leaving")
        if not self.factory.doors:
            self.ended()

    @property
    def refusal(self) -> str | None:
        """Why nobody may come in now, None where somebody may."""
        if self._leaving:
            return "is leaving"
        return "has no room for more guests" if len(self.factory.doors) >= self.house.rules.guests else None

    def empty(self) -> None:
        """The last guest is gone."""
        if self._leaving:
            self.ended()
        elif self.options["once"]:
            self.leave()

    def _refused(self, why: str) -> None:
        self.give_up(exits.NO_LISTENING, why)


def clock_time(at: float) -> str:
    """Return the local time of the moment ``at``, hours and minutes."""
    return time.strftime("%H:%M", time.localtime(at))
