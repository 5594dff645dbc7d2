"""A run: one step at a time, and in the end everything is made to work and to come to rest."""

from __future__ import annotations

import random
from itertools import accumulate

from tests.simulation.actions import ALWAYS, SOMETIMES, work_off
from tests.simulation.checks import check_at_rest
from tests.simulation.storage import Disk
from tests.simulation.truth import BrokenPromiseError
from tests.simulation.world import World

REST = 100.0
"""Seconds in which all that was broken is in order again: retries, timeouts and kept places included."""

QUIET = 4.0
"""Seconds, fewer than until a ping, in which nothing is sent when everything is at rest."""

_STARTS = 4
_CALLS_A_SECOND = 3
_ACTIONS = [action for action, _ in (*ALWAYS, *SOMETIMES)]


def step(world: World) -> None:
    """Do one thing, then check."""
    world.steps += 1
    if world.cumulative_weights is None:
        world.cumulative_weights = _mix(world.chance)
    action = world.chance.choices(_ACTIONS, cum_weights=world.cumulative_weights)[0]
    action(world, world.chance)
    world.check()


def _mix(chance: random.Random) -> list[float]:
    """Return how likely each action is in a run, cumulated: runs differ by what happens often or never."""
    always = [weight for _, weight in ALWAYS]
    sometimes = [weight * chance.choice([0.0, 0.5, 1.0, 1.0, 4.0]) for _, weight in SOMETIMES]
    return list(accumulate([*always, *sometimes]))


def finish(world: World) -> None:
    """Make everything work, let it come to rest, and check that nothing is missing and nothing goes on."""
    world.note("from now on everything works")
    world.screens_work = world.network_works = True
    world.server.storage.disk = Disk.WORKS
    for link in world.links:
        link.stalled = False
        link.far.has_fault = False
        if link.dead:
            link.reset()
    for peer in world.peers:
        peer.reading = True
    if world.server.is_stopping:
        _rest(world, REST)
    if world.direct:
        _finish_one_by_one(world)
    else:
        _start_all(world)
    check_at_rest(world)
    _check_quiet(world)


def _start_all(world: World) -> None:
    """Have all programs run; one that was told to end, or sent away, is started again."""
    for _ in range(_STARTS):
        for process in world.processes:
            if not process.is_up:
                process.start()
        _rest(world, REST)
        if all(process.is_up and not process.is_stopping for process in world.processes):
            return


def _finish_one_by_one(world: World) -> None:
    """Let each client have the server for itself until everything is sent."""
    for peer in world.peers:
        peer.close()
    _rest(world, REST)
    if not world.server.is_up:
        world.server.start()
    for client in world.clients:
        if client.is_up and not client.required_is_stored:
            continue
        client.stop()
    _rest(world, REST)
    for client in world.clients:
        for other in world.clients:
            if other is not client:
                other.stop()
        _rest(world, 40.0)
        if not client.is_up:
            client.start()
        _rest(world, REST)


def _rest(world: World, seconds: float) -> None:
    end = world.now + seconds
    while world.now < end:
        world.pass_time(0.5)
        _until_still(world)
        world.check()


def _until_still(world: World) -> None:
    for _ in range(1000):
        world.let_work()
        if not (world.deliver_all() | work_off(world)):
            return
    raise BrokenPromiseError("the programs write to each other on and on at one moment")


def _check_quiet(world: World) -> None:
    """Check that nothing is done when there is nothing to do: nothing is sent, and no timer runs in vain."""
    _until_still(world)
    frames = {link: monitor.frames for link, monitor in world.monitors.items()}
    calls = sum(process.reactor.timed_calls for process in world.processes)
    world.pass_time(QUIET)
    for link, monitor in world.monitors.items():
        if monitor.frames != frames.get(link, 0):
            raise BrokenPromiseError(f"{monitor.frames - frames.get(link, 0)} frames were sent for nothing")
    made = sum(process.reactor.timed_calls for process in world.processes) - calls
    if made > QUIET * _CALLS_A_SECOND * len(world.processes) + len(world.links) * 4:
        raise BrokenPromiseError(f"{made} timed calls were made in {QUIET} s with nothing to do")
