"""Which reactor a program runs on: a prompt needs asyncio's.

`twist` installs the reactor of its ``--reactor`` at once, and one of its own only when the options of the
program are read. Until then nothing here or in what is imported may import ``twisted.internet.reactor``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, cast

from techboy import systems
from techboy.terminal.interface import InputSource
from techboy.terminal.streams import Streams, is_terminal

if TYPE_CHECKING:
    from techboy.net.reactor import IReactor

REACTOR = "twisted.internet.reactor"
TOOLKIT = "prompt_toolkit"

R = TypeVar("R")


def can_prompt(
    streams: Streams,
    terminal_type: str | None,
    find: Callable[[str], object] = find_spec,
    platform: str = sys.platform,
) -> bool:
    """Tell whether a person sits at a terminal that can do more than show text, and the toolkit is there."""
    return (
        streams.keyboard is InputSource.PERSON
        and is_terminal(streams.stdout)
        and _draws(terminal_type, platform)
        and find(TOOLKIT) is not None
    )


def _draws(terminal_type: str | None, platform: str) -> bool:
    if platform == systems.WINDOWS:  # whose console has no $TERM, and can
        return terminal_type != "dumb"
    return terminal_type not in (None, "", "dumb")


def install_asyncio() -> None:
    """Install Twisted's asyncio reactor."""
    import asyncio

    from twisted.internet import asyncioreactor

    # said outright, as on Windows the usual loop is one that Twisted can't use
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)


def runs_on_asyncio(
    modules: Mapping[str, object] = sys.modules, install: Callable[[], None] = install_asyncio
) -> bool:
    """Install asyncio's reactor unless there is one already; tell whether it is the one in use."""
    if REACTOR not in modules:
        install()
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    return isinstance(modules[REACTOR], AsyncioSelectorReactor)


def current() -> IReactor:
    """Return the reactor in use; from then on no other can be."""
    from twisted.internet import reactor

    return cast("IReactor", reactor)


def steady(reactor: R, seconds: Callable[[], float] = time.monotonic) -> R:
    """Have ``reactor`` measure time with ``seconds``, a clock that nobody sets; return ``reactor``.

    Twisted's own reactors measure it with the wall clock: set back, it delays all timers, and set forward it
    fires them early. Calls that are scheduled already keep the delay they have left.
    """
    clock: Any = reactor  # whose attributes are replaced
    ahead = seconds() - clock.seconds()
    for call in clock.getDelayedCalls():
        call.time += ahead
        call.seconds = seconds
    clock.seconds = seconds
    return reactor
