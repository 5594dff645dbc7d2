"""Romeo and Juliet on a reactor in memory, for tests of the programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from techboy.options import ConversationOptions
from techboy.program import Program
from techboy.terminal.streams import Streams


@implementer(IReactorFromThreads)
class FakeReactor(MemoryReactorClock):
    """A reactor in memory that also takes calls from elsewhere, and remembers that it was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0

    def callFromThread(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)

    def stop(self) -> None:
        self.stops += 1


class RecordedStates:
    """Standard error, as far as states go."""

    on_screen = False

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)


class DaemonStreams(Streams):
    """Neither keyboard nor screen, and states are recorded."""

    def __init__(self, states: RecordedStates) -> None:
        super().__init__(None, None, None)
        object.__setattr__(self, "_states", states)

    @property
    def states(self) -> Any:
        return self._states  # type: ignore[attr-defined]


class Running:
    """A program that runs, without keyboard and screen, on a reactor in memory."""

    def __init__(
        self,
        program: Callable[..., Program],
        options: ConversationOptions,
        arguments: list[str],
        **extra: Any,
    ) -> None:
        self._states = RecordedStates()
        streams = DaemonStreams(self._states)
        options.streams = lambda: streams  # type: ignore[method-assign]
        options.parseOptions(arguments)
        self.reactor, self.status = FakeReactor(), None
        self.program: Any = program(self.reactor, options, streams, **extra)
        self.program.on_interrupt = self._on_interrupt
        self.program.end_with = self._end_with

    def _on_interrupt(self, leave: Callable[[], None]) -> None:
        self.interrupt = leave

    def _end_with(self, status: int) -> None:
        self.status = status

    def start(self) -> Running:
        """Start the service."""
        self.program.startService()
        return self

    def stop(self) -> Any:
        """Do what the reactor does when it is stopped; return the service's Deferred."""
        done = self.program.stopService()
        for writer in self.reactor.getWriters():
            writer.connectionLost(writer.doWrite())
        return done

    @property
    def said(self) -> list[str]:
        """The states shown so far."""
        return self._states.written.splitlines()
