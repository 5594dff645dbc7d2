"""The choice of the reactor: the full-screen prompt needs asyncio's.

`twist` installs the reactor of its ``--reactor`` at once, and its default one only after it has read the
options of the program. Until then neither this module nor one that it imports may import
``twisted.internet.reactor``.
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
    """Return whether input and output are a terminal with cursor control, and the toolkit is installed."""
    return (
        streams.keyboard is InputSource.PERSON
        and is_terminal(streams.stdout)
        and _has_cursor_control(terminal_type, platform)
        and find(TOOLKIT) is not None
    )


def _has_cursor_control(terminal_type: str | None, platform: str) -> bool:
    if platform == systems.WINDOWS:  # its console has cursor control, and no $TERM
        return terminal_type != "dumb"
    return terminal_type not in (None, "", "dumb")


def install_asyncio() -> None:
    """Install Twisted's asyncio reactor."""
    import asyncio

    from twisted.internet import asyncioreactor

    # a selector loop, as Twisted cannot use the default loop of Windows
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)


def runs_on_asyncio(
    modules: Mapping[str, object] = sys.modules, install: Callable[[], None] = install_asyncio
) -> bool:
    """Install asyncio's reactor if none is installed; return whether it is the one in use."""
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

    By default Twisted's reactors use the wall clock: if it is set back, all timers are delayed, and if it is
    set forward, they fire early. Calls that are already scheduled keep their remaining delay.
    """
    clock: Any = reactor  # whose attributes are replaced
    ahead = seconds() - clock.seconds()
    for call in clock.getDelayedCalls():
        call.time += ahead
        call.seconds = seconds
    clock.seconds = seconds
    return reactor
