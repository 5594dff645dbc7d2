"""Standard input and output as the transport of a protocol, in the way of this system.

Where descriptors tell when they are ready that is Twisted's StandardIO, which has to be handled with care:

- it ends both directions at the end of input, unless its protocol is half-close aware;
- it fails on a descriptor that is closed, and reads ``/dev/null`` as an end of input: without a keyboard
  it is given the reading end of a pipe that nobody ever writes to;
- it leaves descriptors non-blocking, which whoever shares them would notice: they are put back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeAlias

from techboy import systems
from techboy.net.reactor import IReactor
from techboy.terminal.threaded import StreamProtocol, ThreadedStdio

LetGo: TypeAlias = Callable[[], None]

Opens: TypeAlias = Callable[[StreamProtocol, int | None, int | None, IReactor], LetGo]
"""Connects a half-close aware protocol to both descriptors, each None where there is none, on a reactor.

Returns what is to be called when the protocol has lost the connection.
"""


def opened(protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor) -> LetGo:
    """Connect ``protocol`` in the way of this system."""
    return (by_threads if systems.ON_WINDOWS else by_readiness)(protocol, stdin, stdout, reactor)


def by_readiness(protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor) -> LetGo:
    """Connect ``protocol`` by Twisted's StandardIO."""
    from twisted.internet.stdio import StandardIO  # another one on Windows, which is not used

    with ExitStack() as files:
        keyboard = _never(files) if stdin is None else stdin
        screen = _nowhere(files) if stdout is None else stdout
        for descriptor in (keyboard, screen):
            files.callback(os.set_blocking, descriptor, os.get_blocking(descriptor))
        stdio: Any = StandardIO  # typed for Windows, where it takes no descriptors
        stdio(protocol, stdin=keyboard, stdout=screen, reactor=reactor)
        return files.pop_all().close


def by_threads(protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor) -> LetGo:
    """Connect ``protocol`` by a thread that reads and one that writes."""
    with ExitStack() as files:
        ThreadedStdio(protocol, stdin, _nowhere(files) if stdout is None else stdout, reactor)
        return files.pop_all().close


def _never(files: ExitStack) -> int:
    reading, writing = os.pipe()
    files.callback(os.close, writing)
    files.callback(os.close, reading)
    return reading


def _nowhere(files: ExitStack) -> int:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    files.callback(os.close, descriptor)
    return descriptor
