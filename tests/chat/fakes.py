"""The neighbours of a conversation, and of a house, which write down what they are told.

Those of a conversation all write into one list, so that a test sees the order between them too. An event is
a tuple: what was called, as ``"peer.say"``, then what it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from techboy.chat.conversation import Conversation, Keyboard
from techboy.chat.house import House, Rules
from techboy.chat.member import Member
from techboy.chat.room import Room
from techboy.logs.contract import Batch
from techboy.logs.memory import MemoryLogs

Events: TypeAlias = list[tuple[object, ...]]


class FakePeer:
    """The other, while connected."""

    def __init__(self, events: Events, name: str = "juliet", address: str = "('127.0.0.1', 33770)") -> None:
        self.name, self.address, self._events = name, address, events

    def say(self, text: str) -> None:
        self._events.append(("peer.say", text))

    def command(self, line: str) -> None:
        self._events.append(("peer.command", line))

    def notice(self, text: str) -> None:
        self._events.append(("peer.notice", text))

    def pause(self) -> None:
        self._events.append(("peer.pause",))

    def resume(self) -> None:
        self._events.append(("peer.resume",))

    def part(self, within: float, flushed_within: float | None) -> None:
        self._events.append(("peer.part", within, flushed_within))

    def end_within(self, seconds: float) -> None:
        self._events.append(("peer.end_within", seconds))


class FakeHere:
    """Keyboard and screen."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def show(self, author: str, text: str) -> None:
        self._events.append(("here.show", author, text))

    def show_signed(self, author: str, text: str) -> None:
        self._events.append(("here.show_signed", author, text))

    def state(self, text: str) -> None:
        self._events.append(("here.state", text))

    def invite(self) -> None:
        self._events.append(("here.invite",))

    def dismiss(self) -> None:
        self._events.append(("here.dismiss",))

    def pause(self) -> None:
        self._events.append(("here.pause",))

    def resume(self) -> None:
        self._events.append(("here.resume",))


class FakeOwner:
    """The program."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def waiting(self, again: bool) -> None:
        self._events.append(("owner.waiting", again))

    def hurry(self) -> None:
        self._events.append(("owner.hurry",))

    def over(self, whole: bool) -> None:
        self._events.append(("owner.over", whole))


class Scene:
    """A conversation and its neighbours; `happened` tells what they were told since it was last asked."""

    def __init__(self, keyboard: Keyboard, *, hosts: bool = False, stays: bool = False) -> None:
        self._events: Events = []
        here, owner = FakeHere(self._events), FakeOwner(self._events)
        self.conversation = Conversation(here, owner, keyboard, hosts=hosts, stays=stays)

    def peer_comes(self) -> None:
        """Somebody connects."""
        self.conversation.peer_came(FakePeer(self._events))

    def happened(self) -> Events:
        """Return the events, and forget them."""
        events = self._events.copy()
        self._events.clear()
        return events


def waiting(keyboard: Keyboard, *, hosts: bool = False, stays: bool = False) -> Scene:
    """Return a conversation in which nobody is at the other end."""
    scene = Scene(keyboard, hosts=hosts, stays=stays)
    scene.conversation.start()
    scene.happened()
    return scene


def talking(keyboard: Keyboard, *, hosts: bool = False, stays: bool = False) -> Scene:
    """Return a conversation in which somebody is."""
    scene = waiting(keyboard, hosts=hosts, stays=stays)
    scene.peer_comes()
    scene.happened()
    return scene


class FakeGuest:
    """The way in of a member, which writes down what it is given; ``takes``: whether it has room for more."""

    def __init__(self) -> None:
        self.events: Events = []
        self.takes = True

    def tell(self, notices: list[str]) -> bool:
        self.events.append(("tell", notices))
        return self.takes

    def recall(self, batches: list[Batch]) -> bool:
        self.events.append(("recall", [batch.text for batch in batches]))
        return bool(batches)

    def hear(self, delivery: object) -> None:
        self.events.append(("hear", delivery))

    def goodbye(self, why: str) -> None:
        self.events.append(("goodbye", why))

    def moved(self) -> None:
        self.events.append(("moved",))


class FakeWaker:
    """Whoever settles rooms, who writes down which are to be settled."""

    def __init__(self) -> None:
        self.events: Events = []

    def wake(self, room: Room) -> None:
        self.events.append(("wake", room.name))

    def nudge(self, room: Room) -> None:
        self.events.append(("nudge", room.name))

    def settle(self, room: Room) -> None:
        self.events.append(("settle", room.name))


class FakeHouse(House):
    """A house in which everything is remembered, and ``shut`` tells whether it was shut down."""

    def __init__(self, rules: Rules | None = None, motd: Sequence[str] = ()) -> None:
        self.shut = False
        logs = MemoryLogs()
        super().__init__(
            rules or Rules(),
            FakeWaker(),
            logs.open,
            clock=lambda at: f"{at:g} o'clock",
            shut_down=self._shut,
            motd=list(motd),
        )

    def comes(self, name: str | None = None, *, host: bool = False) -> tuple[Member, FakeGuest]:
        """Somebody comes in at 9; return who, and the way."""
        guest = FakeGuest()
        return self.enter(guest, 9.0, name, host=host), guest

    def news(self, room: str = "lobby") -> list[str]:
        """Return what is new about who is in a room, and forget it."""
        return self.room(room).take_news().told()

    def _shut(self) -> None:
        self.shut = True
