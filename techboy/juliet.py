"""Juliet, who calls: ``twist juliet``."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol, ReconnectingClientFactory
from twisted.python.failure import Failure

from techboy import exits
from techboy.chat.names import checked_name
from techboy.doors.addresses import host_and_port
from techboy.doors.calling import EndpointConnector, reason_for
from techboy.doors.plain import PlainDoor
from techboy.options import PORT, ConversationOptions, option, seconds, whole_number
from techboy.program import IReactor, Talk
from techboy.terminal.questions import ask
from techboy.terminal.streams import Streams
from techboy.wire.plain import CALLER

HOST = "127.0.0.1"
_CALLED = whole_number(1, 65535)
ROMEO = "romeo"

ATTEMPT_DELAY = 0.1
"""Seconds between attempts at a name's several addresses: the least that RFC 8305, section 8, allows.

Twisted's endpoint waits as long before it says that the last one failed, and a retry is to come quickly.
"""

STEADY = 5.0
"""Seconds that a connection has to last for the next call to come as soon as the first."""


class Options(ConversationOptions):
    """Call Romeo until he answers, and talk."""

    program = "juliet"

    optParameters = [
        ["host", None, None, f"Where Romeo listens [default: {HOST}]"],
        ["port", "p", None, f"The port he listens on [default: {PORT}]", option("port", _CALLED)],
        ["name", None, "juliet", "What you are called", option("name", checked_name)],
        ["timeout", None, None, "Give up after calling for so many seconds", option("timeout", seconds)],
    ]

    def postOptions(self) -> None:
        """Fill in what was not said."""
        super().postOptions()
        self["host"] = HOST if self["host"] is None else self["host"]
        self["port"] = PORT if self["port"] is None else self["port"]

    def ask(self, streams: Streams) -> None:
        """Ask where Romeo is, as the original did."""
        if self["host"] is not None:
            return
        self["host"] = ask(streams, "Enter Romeo IP address - ex: 0.tcp.ngrok.io : ", HOST, str)
        if self["port"] is None:
            self["port"] = ask(streams, "Enter Romeo port number - ex: 13005  : ", PORT, _CALLED)


class JulietFactory(ReconnectingClientFactory):
    """Calls Romeo, and calls again after a while when he does not answer or the connection breaks.

    ``juliet`` is told what comes of it. ``spread`` returns which part of a delay is waited: it is chance, so
    that many callers do not come all at once.
    """

    noisy = False
    initialDelay = delay = 0.1
    factor = 1.6
    maxDelay = 15
    jitter = 0.0  # the base class' own has no bound, and goes past maxDelay
    connector: EndpointConnector

    def __init__(self, juliet: Juliet, spread: Callable[[], float]) -> None:
        self.clock = cast(Any, juliet.reactor)
        self.connector = EndpointConnector(juliet.endpoint, self)
        self._juliet, self._spread = juliet, spread
        self._answered_at = 0.0

    def call(self) -> None:
        """Call now, unless a call is under way, and begin with short delays again."""
        if self.connector.connecting:
            return  # it may be answered at this very moment
        self.stopTrying()
        self.resetDelay()
        self.connector.connect()

    def call_again(self) -> None:
        """Call again soon; less soon where the last connection broke at once."""
        if self._juliet.reactor.seconds() - self._answered_at >= STEADY:
            self.resetDelay()
        self.retry()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Romeo answers: return the door, or None where nobody wants to talk any more."""
        juliet = self._juliet
        if not juliet.conversation.free:
            return None
        self._answered_at = self._juliet.reactor.seconds()
        juliet.answered()
        return PlainDoor(juliet.conversation, CALLER, ROMEO, juliet.reactor, juliet.options["max-line"])

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """Romeo does not answer: say why, and call again later."""
        self._juliet.not_answered(reason_for(reason))
        super().clientConnectionFailed(connector, reason)

    def retry(self, connector: object = None) -> None:
        """Call again after a delay that grows, of which chance takes a part."""
        whole = self.delay
        self.delay = whole * self._spread()
        super().retry(connector)
        self.delay = min(whole * self.factor, self.maxDelay)


class Juliet(Talk):
    """Calls until Romeo answers, and again when the connection breaks."""

    def __init__(
        self,
        reactor: IReactor,
        options: Options,
        streams: Streams,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),
    ) -> None:
        super().__init__(reactor, options, streams, CALLER, stays=False)
        self.endpoint = HostnameEndpoint(
            reactor, options["host"], options["port"], attemptDelay=ATTEMPT_DELAY
        )
        self._factory = JulietFactory(self, spread)
        self._place = host_and_port(options["host"], options["port"])
        self._deadline: IDelayedCall | None = None
        self._reason = ""

    def startService(self) -> None:
        """Begin to call."""
        super().startService()
        self._factory.call()

    def stopService(self) -> Deferred[None]:
        """Call no more, say goodbye; fires when everything was sent and shown."""
        self._factory.stopTrying()
        self._stop_deadline()
        return super().stopService()

    # what the factory calls

    def answered(self) -> None:
        """Romeo answers."""
        self._stop_deadline()

    def not_answered(self, reason: str) -> None:
        """Romeo does not answer: say so, once for each reason."""
        if reason != self._reason:
            self._reason = reason
            self.here.state(f"* no answer: {reason}; calling again until there is one")

    # what the conversation calls

    def waiting(self, again: bool) -> None:
        """Nobody is at the other end: call, for no longer than the timeout."""
        self._reason = ""
        self.here.state(f"Calling {self._place}...")
        timeout = self.options["timeout"]
        if timeout is not None:
            self._deadline = self.reactor.callLater(timeout, self._time_is_up)
        if again:
            self._factory.call_again()

    def hurry(self) -> None:
        """The person here pressed Enter: call now."""
        self._factory.call()

    def _time_is_up(self) -> None:
        self.give_up(
            exits.UNAVAILABLE, f"juliet: no answer from {self._place} in {self.options['timeout']:g} s"
        )

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


def makeService(options: Options) -> Juliet:
    """Return Juliet as `twist` runs her."""
    from twisted.internet import reactor

    return Juliet(cast(IReactor, reactor), options, options.streams())
