"""The reactor of one simulated process: one `turn` at a time, on the world's clock."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.base import DelayedCall
from twisted.internet.posixbase import _DisconnectSelectableMixin
from twisted.logger import Logger

from tests.programs import FakeReactor
from tests.simulation.network import InjectedError

if TYPE_CHECKING:
    from tests.simulation.network import SimulatedConnection
    from tests.simulation.world import World


class SimulatedReactor(_DisconnectSelectableMixin, FakeReactor):
    """Timers, descriptors, listening and calling of one process. ``alive`` ends with the process."""

    _log = Logger()

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.alive = world, True
        self._readers: dict[SimulatedConnection, None] = {}
        self._writers: dict[SimulatedConnection, None] = {}
        self._from_threads: list[Callable[[], object]] = []
        self.timed_calls = 0

    # time

    def seconds(self) -> float:
        """Return the wall clock's time, as Twisted's reactors do until `reactors.steady` changes it."""
        return self.world.wall()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002 - named as in IReactorTime
        *args: object,
        **kw: object,
    ) -> DelayedCall:
        """Call ``callable`` in a turn after ``delay`` seconds."""
        assert delay >= 0, delay
        call = DelayedCall(
            self.seconds() + delay, callable, args, kw, self.calls.remove, lambda _: None, self.seconds
        )
        self.calls.append(call)
        return call

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # noqa: A002 - see above
        """Call ``callable`` in the next turn."""
        self._from_threads.append(lambda: callable(*args, **kwargs))

    @property
    def idle_seconds(self) -> float | None:
        """How long it is until the next timed call is due, None if there is none."""
        now = self.seconds()
        return min((call.getTime() - now for call in self.calls), default=None)

    @property
    def _due(self) -> list[DelayedCall]:
        now = self.seconds()
        return sorted((call for call in self.calls if call.getTime() <= now), key=DelayedCall.getTime)

    # descriptors

    def addReader(self, descriptor: Any) -> None:
        """Read from ``descriptor`` when it is readable."""
        self._readers[descriptor] = None

    def addWriter(self, descriptor: Any) -> None:
        """Write to ``descriptor`` when it is writable."""
        self._writers[descriptor] = None

    def removeReader(self, descriptor: Any) -> None:
        """Stop reading."""
        self._readers.pop(descriptor, None)

    def removeWriter(self, descriptor: Any) -> None:
        """Stop writing."""
        self._writers.pop(descriptor, None)

    # listening and calling

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen on ``port``."""
        return self.world.listen(self, port, factory)

    def listenUNIX(self, address: Any, factory: Any, *_: Any, **__: Any) -> Any:
        """Listen at the path ``address``."""
        return self.world.listen(self, address, factory)

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        """Call ``port``."""
        return self.world.connect(self, port, factory)

    def connectUNIX(self, address: Any, factory: Any, timeout: float = 30, checkPID: int = 0) -> Any:
        """Call the path ``address``."""
        return self.world.connect(self, address, factory)

    # one turn

    @property
    def is_busy(self) -> bool:
        """Whether a turn would do something now."""
        return self.alive and bool(
            self._from_threads
            or self._due
            or any(connection.socket.is_readable for connection in self._readers)
            or any(connection.socket.is_writable for connection in self._writers)
        )

    def turn(self, chance: random.Random) -> None:
        """Do what a reactor does in one turn: calls from threads, timed calls that are due, descriptors."""
        pending, self._from_threads = self._from_threads, []
        for from_thread in pending:
            self._guard(from_thread)
        for call in self._due:
            if call.active():
                self._run(call)
        ready = [(connection, True) for connection in self._readers if connection.socket.is_readable]
        ready += [(connection, False) for connection in self._writers if connection.socket.is_writable]
        chance.shuffle(ready)
        for connection, reads in ready:
            if connection in (self._readers if reads else self._writers):
                self._serve(connection, reads)

    def _run(self, call: DelayedCall) -> None:
        self.timed_calls += 1
        self.calls.remove(call)
        call.called = 1
        self._guard(lambda: call.func(*call.args, **call.kw))

    def _guard(self, work: Callable[[], object]) -> None:
        if not self.alive:
            return
        try:
            work()
        except InjectedError as error:
            self.world.problems.append(f"it reached the reactor: {traceback.format_exc()}{error}")
        except Exception:
            self._log.failure("unhandled error in a call")

    def _serve(self, connection: SimulatedConnection, reads: bool) -> None:
        """Read or write as `twisted.internet.epollreactor` does, its treatment of errors included."""
        why: BaseException | None
        try:
            why = connection.doRead() if reads else connection.doWrite()
        except Exception as unhandled:
            if not (isinstance(unhandled, InjectedError) and unhandled.link is connection.socket.link):
                self._log.failure("unhandled error at a descriptor")
                self.world.problems.append(f"{unhandled}: it reached link {connection.socket.link.number}")
            why = unhandled
        if why is not None:
            self._guard(lambda: self._disconnectSelectable(connection, why, reads))
