"""What can happen in a step: to the programs, to the people who use them, and to everything below."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.network import Link
from tests.simulation.peers import NativePeer, Peer, PlainPeer
from tests.simulation.programs import CLIENT_LINE, SERVER_LINE, Process
from tests.simulation.storage import Disk
from tests.simulation.truth import ROOMS
from tests.simulation.world import PORT, World

Action = Callable[[World, random.Random], None]

# what always goes on


def _turn(world: World, chance: random.Random) -> None:
    up = [process for process in world.processes if process.is_up]
    if up:
        world.turn(chance.choice(up))


def _deliver(world: World, chance: random.Random) -> None:
    waiting = world.deliverable
    if waiting:
        link, pipe = chance.choice(waiting)
        size = chance.choice([1, 7, 60, 500, 10_000])
        world.deliver(link, pipe, size)


def _store(world: World, chance: random.Random) -> None:
    storage = world.server.storage
    if not world.server.is_up:
        return
    if storage.can_tell and chance.random() < 0.6:
        world.server.reactor.callFromThread(storage.tell)
        world.turn(world.server)
    elif storage.can_perform:
        storage.perform()


def _connect(world: World, chance: random.Random) -> None:
    if world.attempts:
        world.resolve_attempt()


def _read(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    peer.flush()
    if peer.reading:
        peer.read(chance.choice([10, 300, 10_000]))


def _see(world: World, chance: random.Random) -> None:
    process = chance.choice(world.processes)
    if world.screens_work or process is not world.server:
        process.see()


def _short_while(world: World, chance: random.Random) -> None:
    _live(world, chance.choice([0.0, 0.001, 0.02, 0.3, 1.0]))


def _long_while(world: World, chance: random.Random) -> None:
    seconds = chance.choice([3.0, 6.0, 15.0, 35.0])
    world.note(f"{seconds} s pass")
    _live(world, seconds)


def _live(world: World, seconds: float) -> None:
    """Let time pass while people go on reading, and the disk goes on working."""
    end = world.now + seconds
    while world.now < end:
        world.pass_time(min(0.5, end - world.now))
        work_off(world)


def work_off(world: World) -> bool:
    """Let the disk, the people who read and the screens catch up; return whether there was anything."""
    storage = world.server.storage
    worked = False
    while world.server.is_up and (storage.can_tell or storage.can_perform):
        worked = True
        if storage.can_perform:
            storage.perform()
        if storage.can_tell:
            world.server.reactor.callFromThread(storage.tell)
            world.turn(world.server)
    for peer in world.peers:
        peer.flush()
        if peer.reading and peer.is_connected and peer.link is not None and peer.link.near.is_readable:
            worked = True
            peer.read(100_000)
    for process in world.processes:
        if world.screens_work or process is not world.server:
            process.see()
    while world.attempts:
        worked = True
        world.resolve_attempt()
    return worked


# what people do


def _words(chance: random.Random) -> list[str]:
    sizes = [3, 20, 90, SERVER_LINE - 20, SERVER_LINE + 50, CLIENT_LINE + 50]
    weights = [8, 8, 4, 2, 1, 1]
    return ["x" * chance.choices(sizes, weights)[0] for _ in range(chance.choice([1, 1, 2, 4]))]


def _command(world: World, chance: random.Random, person: Process | Peer) -> str:
    if chance.random() < 0.15:
        if isinstance(person, Process):
            return f"me {person.tagged('waves')}"
        # a command has no number, and may come before lines that were said earlier: it counts apart
        person.lines += 1
        return f"me {world.truth.tagged(f'a{person.name}', person.lines, 'waves')}"
    name = chance.choice(["c1", "c2", "juliet", "juliet2", "guest", "guest1", "n", "guest2", "romeo"])
    return chance.choice(
        [
            f"join {chance.choice(ROOMS)}",
            f"join {chance.choice(ROOMS)}",
            "part",
            f"nick {name}",
            f"msg {name} private word",
            f"ignore {name}",
            f"unignore {name}",
            "last 3",
            "last 50",
            "who",
            "topic about love",
            "away",
            "back",
            f"ping {name}",
            f"whois {name}",
        ]
    )


def _client_says(world: World, chance: random.Random) -> None:
    client = chance.choice(world.clients)
    if client.is_up:
        world.note(f"{client.name} says something")
        client.say(_words(chance))


def _client_commands(world: World, chance: random.Random) -> None:
    client = chance.choice(world.clients)
    line = _command(world, chance, client)
    world.note(f"{client.name} types /{line}")
    client.type(f"/{line}")


def _client_presses_enter(world: World, chance: random.Random) -> None:
    client = chance.choice(world.clients)
    world.note(f"{client.name} presses Enter")
    client.type("")


def _peer_of(world: World, chance: random.Random, kind: type[Peer]) -> Peer:
    return chance.choice([peer for peer in world.peers if isinstance(peer, kind)])


def _peer_calls(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    if not peer.is_connected:
        world.note(f"{peer.name} connects")
        peer.call(PORT)


def _peer_says(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    if not peer.is_connected:
        return
    world.note(f"{peer.name} says something")
    _say(peer, chance)


def _say(peer: Peer, chance: random.Random) -> None:
    texts = _words(chance)
    if isinstance(peer, PlainPeer):
        peer.say(texts[0])
    elif isinstance(peer, NativePeer):
        peer.say(texts)


def _peer_commands(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    if peer.is_connected and isinstance(peer, PlainPeer | NativePeer):
        line = _command(world, chance, peer)
        world.note(f"{peer.name} sends /{line}")
        peer.command(line)


def _peer_repeats(world: World, chance: random.Random) -> None:
    peer = _peer_of(world, chance, NativePeer)
    assert isinstance(peer, NativePeer)
    if peer.is_connected:
        world.note(f"{peer.name} repeats what is not acknowledged")
        peer.repeat()


def _peer_stops_reading(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    peer.reading = not peer.reading
    world.note(f"{peer.name} {'reads' if peer.reading else 'stops reading'}")
    if peer.link is not None:
        peer.link.was_disturbed = True


def _peer_closes(world: World, chance: random.Random) -> None:
    peer = chance.choice(world.peers)
    if peer.is_connected:
        half = chance.random() < 0.5
        world.note(f"{peer.name} closes {'its half' if half else 'the connection'}")
        (peer.half_close if half else peer.close)()


def _passing_through(world: World, chance: random.Random) -> None:
    """Somebody says something in a room and leaves it; another enters while it is being stored."""
    here = [peer for peer in world.peers if peer.is_connected and isinstance(peer, PlainPeer | NativePeer)]
    if len(here) < 2 or world.direct:
        return
    one, other = chance.sample(here, 2)
    room = chance.choice(ROOMS)
    world.note(f"{one.name} passes through {room}, where {other.name} enters")
    one.command(f"join {room}")
    _live(world, 0.05)
    _say(one, chance)
    one.command("part")
    world.deliver_all()
    world.turn(world.server)
    other.command(f"join {room}")
    world.deliver_all()
    world.turn(world.server)


def _pending_connections(world: World, chance: random.Random) -> None:
    """Callers who come once, some with a hello, and go."""
    world.note("strangers call")
    for number in range(chance.choice([1, 3, 8])):
        stranger = NativePeer(world, f"s{number}", "stranger")
        stranger.call(PORT)
        if stranger.link is None:
            return
        if chance.random() < 0.3:
            stranger._unsent = b""
        _live(world, 0.05)
        stranger.close()
        _live(world, 0.05)


# what the operator does


def _operator(world: World, chance: random.Random) -> None:
    server = world.server
    if chance.random() < 0.4:
        world.note("the operator says something")
        server.say(_words(chance))
        return
    name = chance.choice(["c1", "c2", "juliet", "guest1", "n", "stranger"])
    line = chance.choice(
        ["/who", f"/join {chance.choice(ROOMS)}", "/part", "/topic of the day", f"/kick {name}"]
    )
    world.note(f"the operator types {line}")
    server.type(line)


def _screen(world: World, chance: random.Random) -> None:
    world.screens_work = not world.screens_work
    world.note(f"the operator's screen {'works' if world.screens_work else 'is stuck'}")


# what goes wrong


def _some_link(world: World, chance: random.Random) -> Link | None:
    return chance.choice(world.links) if world.links else None


def _cut(world: World, chance: random.Random) -> None:
    link = _some_link(world, chance)
    if link is None:
        return
    how = chance.randrange(4)
    world.note(f"link {link.number} is cut ({how})")
    match how:
        case 0:
            link.reset()
        case 1:
            link.reset(link.near)
        case 2:
            link.reset(link.far)
        case _:
            link.break_down()


def _stall(world: World, chance: random.Random) -> None:
    link = _some_link(world, chance)
    if link is None:
        return
    if link.stalled:
        link.stalled = False
    else:
        link.stall()
    world.note(f"link {link.number} {'stalls' if link.stalled else 'goes on'}")


def _network(world: World, chance: random.Random) -> None:
    world.network_works = not world.network_works
    world.note(f"calls {'get through' if world.network_works else 'are refused'}")


def _disk(world: World, chance: random.Random) -> None:
    disk = chance.choice([Disk.WORKS, Disk.WORKS, Disk.FAILS, Disk.HANGS])
    world.note(f"the disk: {disk.name}")
    world.server.storage.disk = disk
    if disk is Disk.HANGS:
        for link in world.links:
            link.was_disturbed = True  # who waits for a welcome gives up in time


def _wall_clock(world: World, chance: random.Random) -> None:
    seconds = chance.choice([-3600.0, -5.0, 5.0, 3600.0])
    world.note(f"the wall clock is set by {seconds}")
    world.wall_offset += seconds


def _process_dies(world: World, chance: random.Random) -> None:
    process = chance.choice(world.processes)
    if process.is_up:
        world.note(f"{process.name} is killed")
        process.kill()


def _process_stops(world: World, chance: random.Random) -> None:
    process = chance.choice(world.processes)
    if process.is_up:
        world.note(f"{process.name} is told to end")
        process.stop()


def _process_starts(world: World, chance: random.Random) -> None:
    process = chance.choice(world.processes)
    if not process.is_up:
        world.note(f"{process.name} starts")
        process.start()


def _rolls_back(world: World, chance: random.Random) -> None:
    kept = [client for client in world.clients if client.directory is not None and not client.is_up]
    if kept:
        client = chance.choice(kept)
        world.note(f"the directory of {client.name} is {'copied' if client.snapshot is None else 'put back'}")
        client.roll_back()


def _faulty_connection(world: World, chance: random.Random) -> None:
    """A member's connection raises what nobody expects when it is written to."""
    link = _some_link(world, chance)
    if link is not None and link.far.open:
        world.note(f"link {link.number} will raise an error when the server writes to it")
        link.far.has_fault = True
        link.was_disturbed = True


ALWAYS: tuple[tuple[Action, float], ...] = (
    (_turn, 30),
    (_deliver, 26),
    (_store, 10),
    (_connect, 4),
    (_read, 8),
    (_see, 3),
    (_short_while, 6),
    (_client_says, 5),
    (_peer_calls, 1.5),
    (_process_starts, 1),
)
"""Actions of every run, and how likely each is."""

SOMETIMES: tuple[tuple[Action, float], ...] = (
    (_long_while, 0.5),
    (_client_commands, 1.5),
    (_client_presses_enter, 0.3),
    (_peer_says, 4),
    (_peer_commands, 2),
    (_peer_repeats, 0.3),
    (_peer_stops_reading, 0.5),
    (_peer_closes, 0.6),
    (_passing_through, 0.4),
    (_pending_connections, 0.3),
    (_operator, 1),
    (_screen, 0.2),
    (_cut, 0.7),
    (_stall, 0.5),
    (_network, 0.2),
    (_disk, 0.7),
    (_wall_clock, 0.3),
    (_process_dies, 0.3),
    (_process_stops, 0.2),
    (_rolls_back, 0.2),
    (_faulty_connection, 0.3),
)
"""Actions that a run may have few or many of, or none."""
