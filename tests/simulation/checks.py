"""What has to hold at every moment, and what has to hold when everything is at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from techboy.server.native import NativeServerProtocol
from techboy.server.plain import PlainServerProtocol
from techboy.storage.memory import MemoryLogStore
from techboy.terminal.prompt.scrollback import NOTICE_LIMIT, UNWRITTEN_LIMIT
from tests.simulation import bounds
from tests.simulation.programs import PLACES
from tests.simulation.truth import TAG, BrokenPromiseError

if TYPE_CHECKING:
    from tests.simulation.monitors import Monitor
    from tests.simulation.programs import Client
    from tests.simulation.world import World


def check_now(world: World) -> None:
    """Raise BrokenPromiseError if something is wrong at this moment."""
    for client in world.clients:
        _check_one_connection(world, client)
    server = world.server
    if not server.is_up:
        return
    chat, broker = server.program.storage.chat, server.program.storage.broker
    _check_names(chat)
    _check_offsets(world, chat)
    _check_sessions(chat)
    _check_bounds(world, chat, broker)
    if world.direct:
        _check_alone(world)


def _check_one_connection(world: World, client: Client) -> None:
    """Check that a client has one connection or one attempt at a time."""
    attempts = sum(attempt.reactor is client.reactor and not attempt.cancelled for attempt in world.attempts)
    connections = sum(
        bool(connection.connected) and not (connection.disconnecting or connection._aborting)
        for connection in client.connections
    )
    if client.is_up and attempts + connections > 1:
        raise BrokenPromiseError(f"{client.name} has {connections} connections and {attempts} attempts")


def _check_names(chat: Any) -> None:
    names: dict[str, Any] = {}
    for member in chat.members.values():
        if member.hidden:
            continue
        other = names.setdefault(member.name.lower(), member)
        if other is not member and not (member.is_operator and other.is_operator):
            raise BrokenPromiseError(f"two members are called {member.name}")
        holder = chat.names.get(member.name)
        if holder is not member and not (member.is_operator and holder is not None and holder.is_operator):
            raise BrokenPromiseError(f"{member.name} is not registered for the member of that name")


def _check_offsets(world: World, chat: Any) -> None:
    before, world.offsets = world.offsets, {}
    for member in chat.members.values():
        connection = member.connection
        if chat.rooms.get(member.room.name.lower()) is not member.room:
            raise BrokenPromiseError(f"{member.name} is in a room that is not one of the server's")
        offset = getattr(connection, "offset", None)
        if offset is None:
            continue
        if offset > member.room.log.last:
            raise BrokenPromiseError(f"{member.name} is at {offset} of {member.room.log.last}")
        room, earlier = before.get(connection, (None, 0))
        if room is member.room and offset < earlier and connection not in world.moved:
            raise BrokenPromiseError(f"the offset of {member.name} went from {earlier} back to {offset}")
        world.offsets[connection] = (member.room, offset)
        if (
            connection.is_ready
            and connection.backlog
            and not (member.hidden or connection.transport._aborting)
        ):
            raise BrokenPromiseError(
                f"{member.name} takes everything, and is at {offset} of {offset + connection.backlog}"
            )


def _check_sessions(chat: Any) -> None:
    """Check that no session is forgotten that is connected, or within its grace time."""
    if isinstance(chat.logs, MemoryLogStore):
        for member in chat.members.values():
            if member.session is not None and chat.logs.session(member.session.digest) is None:
                raise BrokenPromiseError(f"the session of {member.name} is forgotten, who is here")


def _check_bounds(world: World, chat: Any, broker: Any) -> None:
    for connection in world.server.connections:
        if connection.connected:
            waiting = len(connection.dataBuffer) - connection.offset + connection._tempDataLen
            _at_most("bytes in a transport", waiting, 4 * bounds.UNREAD + bounds.PAGE)
    for member in chat.members.values():
        backlog = getattr(member.connection, "_unsent", b"")
        _at_most(f"bytes that wait for {member.name}", len(backlog), 4 * bounds.UNREAD)
    assert world.server.running is not None
    screen = world.server.running.terminal
    _at_most("bytes that wait for the operator's screen", len(screen.written), NOTICE_LIMIT + UNWRITTEN_LIMIT)
    _at_most("members", len(chat.members), 2 * PLACES + 4)
    _at_most("pages", len(broker._pages), 32)


def _at_most(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise BrokenPromiseError(f"{count} {what}, {limit} is the most")


def _check_alone(world: World) -> None:
    """Check that in direct mode there is one client at a time."""
    doors = [_handler(monitor, world) for monitor in world.monitors.values()]
    talking = [handler for handler in doors if handler is not None and _talks(handler)]
    if len(talking) > 1:
        raise BrokenPromiseError(f"{len(talking)} clients are in a conversation of two: {talking}")


def _handler(monitor: Monitor, world: World) -> Any:
    threshold = monitor.handler
    connected = threshold is not None and threshold.transport in world.server.connections
    return threshold.handler if connected and threshold.transport.connected else None


def _talks(handler: Any) -> bool:
    if isinstance(handler, NativeServerProtocol):
        return handler._session is not None and handler.is_open and not handler.member.is_operator
    return isinstance(handler, PlainServerProtocol) and not handler._graceful_close.begun


def check_at_rest(world: World) -> None:
    """Raise BrokenPromiseError if something is missing now that everything works and nothing moves."""
    for client in world.clients:
        if client.is_up and not (world.direct or client.program.conversation.is_talking):
            raise BrokenPromiseError(f"{client.name} is not connected")
        for number, text in client.required.items():
            if not world.truth.places((client.name, number)):
                raise BrokenPromiseError(f"{text!r} was accepted by the client and is not stored")
        for text, times in client.shown.items():
            _check_shown(world, client, text, times)
    for link in world.links:
        monitor = world.monitors.get(link)
        if monitor is not None and link.near.open and link.far.open and not world.direct:
            monitor.check_complete()


def _check_shown(world: World, client: Any, text: str, times: int) -> None:
    found = TAG.match(text)
    if found is None or client.shown_to_a_killed_screen or found[1] not in {c.name for c in world.clients}:
        return
    stored = len(world.truth.places((found[1], int(found[2]))))
    if stored and times > stored * client.sessions:
        raise BrokenPromiseError(
            f"{client.name} was shown {text!r} {times} times in {client.sessions} sessions,"
            f" it is stored {stored} times"
        )
