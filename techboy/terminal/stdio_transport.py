"""Standard input and output as the transport of a protocol, on POSIX and on Windows.

On POSIX this is Twisted's StandardIO, which has three traps:

- it closes both directions at the end of input, unless its protocol supports half-close;
- it fails on a closed descriptor, and ``/dev/null`` is an end of input at once: if there is no input it is
  given the reading end of a pipe to which nothing is ever written;
- it leaves the descriptors non-blocking, which affects other processes that share them: the mode is
  restored.

Windows does not report when such descriptors are ready; threads read and write them there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeAlias

from techboy import systems
from techboy.net.reactor import IReactor
from techboy.terminal.threaded import StreamProtocol, ThreadedStdio

Disconnect: TypeAlias = Callable[[], None]

Connect: TypeAlias = Callable[[StreamProtocol, int | None, int | None, IReactor], Disconnect]
"""Connects a protocol that supports half-close to the descriptors of input and output, on a reactor.

A descriptor is None if the stream is closed. Returns a function to call after the protocol's connectionLost.
"""


def connect_stdio(
    protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor
) -> Disconnect:
    """Connect ``protocol`` by threads on Windows, and by readiness elsewhere."""
    return (connect_by_threads if systems.ON_WINDOWS else connect_by_readiness)(
        protocol, stdin, stdout, reactor
    )


def connect_by_readiness(
    protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor
) -> Disconnect:
    """Connect ``protocol`` with Twisted's StandardIO."""
    from twisted.internet.stdio import StandardIO  # Windows has another one, which is not used

    with ExitStack() as cleanup:
        input_descriptor = _silent_pipe(cleanup) if stdin is None else stdin
        output_descriptor = _null_device(cleanup) if stdout is None else stdout
        for descriptor in (input_descriptor, output_descriptor):
            cleanup.callback(os.set_blocking, descriptor, os.get_blocking(descriptor))
        stdio: Any = StandardIO  # typed for Windows, where it takes no descriptors
        stdio(protocol, stdin=input_descriptor, stdout=output_descriptor, reactor=reactor)
        return cleanup.pop_all().close


def connect_by_threads(
    protocol: StreamProtocol, stdin: int | None, stdout: int | None, reactor: IReactor
) -> Disconnect:
    """Connect ``protocol`` with a thread that reads and one that writes."""
    with ExitStack() as cleanup:
        ThreadedStdio(protocol, stdin, _null_device(cleanup) if stdout is None else stdout, reactor)
        return cleanup.pop_all().close


def _silent_pipe(cleanup: ExitStack) -> int:
    reading, writing = os.pipe()
    cleanup.callback(os.close, writing)
    cleanup.callback(os.close, reading)
    return reading


def _null_device(cleanup: ExitStack) -> int:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    cleanup.callback(os.close, descriptor)
    return descriptor
