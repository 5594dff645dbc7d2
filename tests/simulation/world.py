"""One run: everything that exists, one random generator, and what happens next."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from zlib import crc32

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python.failure import Failure

from techboy.net.connection_log import CloseReason
from tests.simulation import bounds
from tests.simulation.checks import check_now
from tests.simulation.monitors import Monitor
from tests.simulation.network import InjectedError, Link, Pipe, SimulatedConnection, SimulatedSocket
from tests.simulation.peers import NativePeer, Peer, PlainPeer
from tests.simulation.programs import SERVER_LINE, Client, Process, Server
from tests.simulation.reactor import SimulatedReactor
from tests.simulation.storage import Disk
from tests.simulation.truth import BrokenPromiseError, Truth

PORT, ADMIN = 4444, "/run/romeo.sock"
MOST_TURNS = 300
TIMEOUTS = (CloseReason.PING_TIMEOUT.value, CloseReason.SEND_TIMEOUT.value)
"""Turns of all processes at one moment, with nothing delivered, that can only be work for nothing."""

_CALLER = IPv4Address("TCP", "127.0.0.1", 33770)
_TRACE = 40


class Port:
    """A port that is listened on."""

    def __init__(self, world: World, reactor: SimulatedReactor, place: int | str, factory: Any) -> None:
        self.world, self.reactor, self.place, self.factory = world, reactor, place, factory

    def getHost(self) -> IPv4Address:
        """Return where it is."""
        return IPv4Address("TCP", "127.0.0.1", PORT)

    def stopListening(self) -> None:
        """Let nobody in any more."""
        self.world.ports.pop(self.place, None)


class Attempt:
    """An attempt to connect, with the methods of a connector that Twisted's endpoints call."""

    def __init__(self, reactor: SimulatedReactor, place: int | str, factory: Any) -> None:
        self.reactor, self.place, self.factory, self.cancelled = reactor, place, factory, False

    def getDestination(self) -> IPv4Address:
        """Return what is called."""
        return IPv4Address("TCP", "127.0.0.1", PORT)

    def stopConnecting(self) -> None:
        """Give it up."""
        self.cancelled = True

    disconnect = stopConnecting


class World:
    """Everything in one run. ``direct``: the server talks to one client at a time."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        self.now, self.wall_offset = 1000.0, 1_800_000_000.0
        self.steps = 0
        self.cumulative_weights: list[float] | None = None
        self.trace: deque[str] = deque(maxlen=_TRACE)
        self.truth = Truth()
        self.ports: dict[int | str, Port] = {}
        self.links: list[Link] = []
        self.monitors: dict[Link, Monitor] = {}
        self.attempts: list[Attempt] = []
        self._not_taken_up: dict[SimulatedSocket, SimulatedReactor] = {}
        self.peers: list[Peer] = []
        self.clients: list[Client] = []
        self.screens_work = True
        self.network_works = True
        self.problems: list[str] = []
        self.offsets: dict[Any, tuple[Any, int]] = {}
        self.moved: set[Any] = set()
        self._links_made = 0
        self._stack = ExitStack()
        self.digest = 0
        """A number that is the same for two runs in which the same happened."""
        self._populate(directory)

    def _populate(self, directory: Path) -> None:
        chance = self.chance
        self.direct = chance.random() < 0.3
        keeps = chance.random() < 0.5
        arguments = ["--rate", str(chance.choice([0, 0, 5]))] if not self.direct else []
        arguments += ["--history-memory", str(chance.choice([3000, 8000, 1_000_000]))]
        arguments += ["--history", str(chance.choice([0, 3]))] if not self.direct else []
        arguments += ["--retention", "43s"] if chance.random() < 0.5 else []
        state = directory / "romeo" if keeps else None
        self.server = Server(self, arguments, state, direct=self.direct)
        for number in range(1, chance.randrange(2, 5)):
            name = f"c{number}"
            place = directory / name if chance.random() < 0.6 else None
            nickname = chance.choice([name, "juliet", "guest"])
            self.clients.append(Client(self, name, nickname, place, PORT))
        if chance.random() < 0.4:
            self.clients.append(Client(self, "o1", "juliet", None, ADMIN))
        self.peers += [PlainPeer(self, f"p{number}") for number in range(1, chance.randrange(2, 4))]
        self.peers += [
            NativePeer(self, f"n{number}", chance.choice(["n", "juliet", "guest"]))
            for number in range(1, chance.randrange(2, 4))
        ]

    @property
    def processes(self) -> list[Process]:
        """All programs."""
        return [self.server, *self.clients]

    def monotonic(self) -> float:
        """Return the time that only grows."""
        return self.now

    def wall(self) -> float:
        """Return the wall clock's time, which may be stepped."""
        return self.now + self.wall_offset

    def open(self) -> None:
        """Begin: the server and the clients start."""
        self._stack.enter_context(bounds.small())
        observer = cast(ILogObserver, self._logged)
        globalLogPublisher.addObserver(observer)
        self._stack.callback(globalLogPublisher.removeObserver, observer)
        for process in self.processes:
            process.start()

    def close(self) -> None:
        """Let go of everything."""
        for process in self.processes:
            process.kill()
        self._stack.close()

    @contextmanager
    def patched(self, place: Any, **values: Any) -> Iterator[None]:
        """Replace attributes of ``place`` for a while."""
        before = {name: getattr(place, name) for name in values}
        for name, value in values.items():
            setattr(place, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(place, name, value)

    def note(self, what: str) -> None:
        """Remember for a report what was done."""
        self.trace.append(f"{self.steps:6} {self.now:9.3f} {what}")
        self._remember(what)

    def _remember(self, what: str) -> None:
        self.digest = crc32(f"{self.steps} {self.now!r} {what}".encode(), self.digest)

    # the network

    def listen(self, reactor: SimulatedReactor, place: int | str, factory: Any) -> Port:
        """Listen at ``place``."""
        factory.doStart()
        port = self.ports[place] = Port(self, reactor, place, factory)
        return port

    def unlisten(self, reactor: SimulatedReactor) -> None:
        """Close all ports of a process that is gone, and the connections it had not taken up yet."""
        self.ports = {place: port for place, port in self.ports.items() if port.reactor is not reactor}
        for end in [end for end, owner in self._not_taken_up.items() if owner is reactor]:
            del self._not_taken_up[end]
            end.close()

    def connect(self, reactor: SimulatedReactor, place: int | str, factory: Any) -> Attempt:
        """Try to connect; what becomes of it is decided later."""
        attempt = Attempt(reactor, place, factory)
        factory.doStart()
        factory.startedConnecting(attempt)
        self.attempts.append(attempt)
        return attempt

    def call(self, peer: Peer, place: int | str) -> Link | None:
        """Connect ``peer``, or return None if nobody listens."""
        port = self.ports.get(place)
        if port is None or not self.network_works:
            return None
        return self._link(port)

    def resolve_attempt(self) -> None:
        """Decide what becomes of an attempt to connect."""
        attempt = self.attempts.pop(self.chance.randrange(len(self.attempts)))
        if attempt.cancelled or not attempt.reactor.alive:
            return
        port = self.ports.get(attempt.place)
        if port is None or not self.network_works:
            attempt.reactor.callFromThread(
                attempt.factory.clientConnectionFailed, attempt, Failure(Refused())
            )
            return
        link = self._link(port)
        self.monitors[link].from_client = True
        self._not_taken_up[link.near] = attempt.reactor
        attempt.reactor.callFromThread(self._connected, attempt, link)

    def _link(self, port: Port) -> Link:
        self._links_made += 1
        link = Link(self._links_made, self.now)
        link.was_disturbed = self.server.storage.disk is Disk.HANGS
        self.links.append(link)
        self.monitors[link] = Monitor(link, self.truth, SERVER_LINE, direct=self.direct)
        self._not_taken_up[link.far] = port.reactor
        port.reactor.callFromThread(self._accepted, port, link)
        return link

    def _accepted(self, port: Port, link: Link) -> None:
        del self._not_taken_up[link.far]
        protocol = port.factory.buildProtocol(_CALLER)
        if protocol is None:
            link.far.close()
            return
        self.monitors[link].handler = protocol
        connection = SimulatedConnection(link.far, protocol, port.reactor, _CALLER)
        self.server.connections[connection] = None
        protocol.makeConnection(connection)

    def _connected(self, attempt: Attempt, link: Link) -> None:
        del self._not_taken_up[link.near]
        if attempt.cancelled:
            link.near.close()
            return
        protocol = attempt.factory.buildProtocol(_CALLER)
        if protocol is None:
            link.near.close()
            return
        connection = SimulatedConnection(link.near, protocol, attempt.reactor, _CALLER)
        for client in self.clients:
            if client.reactor is attempt.reactor:
                client.connections[connection] = None
        protocol.makeConnection(connection)

    @property
    def deliverable(self) -> list[tuple[Link, Pipe]]:
        """All that could be delivered now."""
        return [(link, pipe) for link in self.links for pipe in link.deliverable]

    def deliver(self, link: Link, pipe: Pipe, size: int) -> None:
        """Deliver some bytes."""
        self._remember(f"{link.number} {len(pipe.sent)} {size}")
        link.deliver(pipe, size, self.now)

    def deliver_all(self) -> bool:
        """Deliver everything that can be; return whether there was something."""
        waiting = self.deliverable
        for link, pipe in waiting:
            self.deliver(link, pipe, len(pipe.sent))
        return bool(waiting)

    # time

    def pass_time(self, seconds: float) -> None:
        """Let time pass. Processes are prompt meanwhile, and a link that is well delivers within a second."""
        end = self.now + seconds
        while True:
            self.let_work()
            if any(self.now - link.moved_at >= 1.0 for link, _ in self.deliverable):
                self.deliver_all()
                continue
            for link in self.links:
                if not link.deliverable and not (link.stalled or link.dead):
                    link.moved_at = self.now
            soonest = self.now + min([0.5, *self._idle_times()])
            if soonest >= end:
                self.now = end
                return
            self.now = soonest

    def _idle_times(self) -> list[float]:
        times = (process.reactor.idle_seconds for process in self.processes if process.reactor.alive)
        return [max(time, 1e-6) for time in times if time is not None]

    def let_work(self) -> None:
        """Let all processes do what they have to do at this moment."""
        for _ in range(MOST_TURNS):
            busy = [process for process in self.processes if process.reactor.is_busy]
            if not busy:
                return
            for process in busy:
                self.turn(process)
        raise BrokenPromiseError(f"{busy[0].name} works on and on at one moment, for nothing")

    def turn(self, process: Process) -> None:
        """Let ``process`` have one turn of its reactor."""
        process.reactor.turn(self.chance)
        process.look()
        if process is self.server:
            for monitor in self.monitors.values():
                monitor.look()

    # checking

    def check(self) -> None:
        """Raise BrokenPromiseError if something is wrong now."""
        if self.problems:
            raise BrokenPromiseError(self.problems[0])
        check_now(self)
        self.moved.clear()
        self.links = [link for link in self.links if not link.is_over]
        if len(self.monitors) > 2 * len(self.links) + 20:
            kept = set(self.links)
            self.monitors = {link: it for link, it in self.monitors.items() if link in kept}

    def _logged(self, event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        if failure is not None and not failure.check(InjectedError):
            self.problems.append(f"{event.get('log_format', '')}: {failure.getTraceback()}")
        if event.get("event") == "connection_closed" and event.get("close_reason") in TIMEOUTS:
            self._closed_as_dead(event["close_reason"])

    def _closed_as_dead(self, end: str) -> None:
        """A connection was closed because it seemed dead: one of those there are has to have been so."""
        if not any(link.was_disturbed for link in self.links):
            self.problems.append(f"a healthy connection was closed as {end}")


@contextmanager
def opened(seed: int) -> Iterator[World]:
    """Return a world that has begun, and clean up in the end."""
    directory = Path(tempfile.mkdtemp(prefix="techboy-simulation-"))
    world = World(seed, directory)
    try:
        world.open()
        yield world
    finally:
        try:
            world.close()
        finally:
            shutil.rmtree(directory, ignore_errors=True)
