"""Faults that the program had once, put back one at a time: the simulation finds each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from techboy.chat.room import PresenceEvents, Room
from techboy.chat.server import ChatServer
from techboy.config import reactor as reactors
from techboy.net.rendering import Delivery
from techboy.server.broker import Broker
from techboy.server.delivery import LogConsumer, SendState
from techboy.server.direct_sessions import DirectSessionManager
from techboy.server.sessions import SessionManager
from techboy.storage.memory import MemoryLogStore
from tests.simulation.__main__ import STEPS, run
from tests.simulation.bounds import PAGE

MOST_RUNS = 200
"""Runs within which a fault has to be found: CI makes more in its minute."""

PutBack = Callable[[pytest.MonkeyPatch], None]


def offset_goes_back(patch: pytest.MonkeyPatch) -> None:
    """The offset of a member goes back to 0 when nothing of what it missed is kept."""

    def catch_up(self: Any) -> None:
        log = self.member.room.log
        if self._send_state is not SendState.READY or self.offset >= log.last:
            return
        if log.deleted_through > self.offset:
            self.send_skipped(log.deleted_through - self.offset, log.deleted_through)
            self.offset = log.deleted_through
        page = Delivery(PresenceEvents(), log.read(self.offset, PAGE))
        if self._send_state is SendState.READY:
            self._send_page(page)
        if self._send_state is SendState.READY and self.offset < log.last:
            self._send_state = SendState.BEHIND
            self._broker.clock.callLater(0, self._resume_catching_up)

    patch.setattr(LogConsumer, "catch_up", catch_up)


def two_clients(patch: pytest.MonkeyPatch) -> None:
    """A client whose connection was lost comes back to a conversation of two, where another is now."""

    def arrive(self: DirectSessionManager, guest: Any, hello: Any) -> None:
        if (hello.session is not None and self.has_session(hello.session)) or self.check_capacity(guest):
            SessionManager.attach(self, guest, hello)

    patch.setattr(DirectSessionManager, "attach", arrive)


def two_rooms_on_a_log(patch: pytest.MonkeyPatch) -> None:
    """A room that is left and entered while its messages are being stored is two rooms on one log."""

    def room(self: ChatServer, name: str) -> Room:
        key = name.lower()
        if key not in self.rooms:
            self.rooms[key] = Room(name, self.logs.open(key), self.flush_scheduler)
        return self.rooms[key]

    patch.setattr(ChatServer, "room", room)


def wall_clock(patch: pytest.MonkeyPatch) -> None:
    """Intervals are measured by the wall clock."""
    patch.setattr(reactors, "steady", lambda reactor, seconds: reactor)


def sessions_in_use_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Sessions that are in use are forgotten when many others say hello."""
    patch.setattr(MemoryLogStore, "hold", lambda self, digest: True)
    patch.setattr(MemoryLogStore, "release", lambda self, digest: None)


def one_stops_all(patch: pytest.MonkeyPatch) -> None:
    """An error in one member's connection stops the delivery to all after it."""

    def bring(self: Broker, room: Room, delivery: Delivery) -> None:
        for member in list(room.members.values()):
            member.connection.deliver(delivery)

    patch.setattr(Broker, "_deliver", bring)


FAULTS: list[PutBack] = [
    offset_goes_back,
    two_clients,
    two_rooms_on_a_log,
    wall_clock,
    sessions_in_use_forgotten,
    one_stops_all,
]


class PutBackTests:
    """Each fault, put back."""

    @pytest.mark.parametrize("put_back", FAULTS, ids=lambda fault: fault.__name__)
    def test_found(self, put_back: PutBack, monkeypatch: pytest.MonkeyPatch) -> None:
        """The simulation fails with it, within the budget that CI has."""
        put_back(monkeypatch)
        assert any(run(seed, STEPS) is not None for seed in range(MOST_RUNS))
