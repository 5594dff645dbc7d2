"""Tests of `techboy.juliet`."""

from __future__ import annotations

import pytest
from twisted.internet import error
from twisted.python.failure import Failure

from techboy import exits
from techboy.chat.conversation import Keyboard
from techboy.juliet import ATTEMPT_DELAY, STEADY, Juliet, Options
from tests.programs import Running
from tests.transports import FakeTransport


def running(*arguments: str, spread: float = 1.0) -> Running:
    """Return a Juliet who speaks plain lines, was given ``arguments`` and has started.

    ``spread``: what chance would be.
    """
    return started("--plain", *arguments, spread=spread)


def started(*arguments: str, spread: float = 1.0, keyboard: Keyboard = Keyboard.NONE) -> Running:
    """Return a Juliet who was given ``arguments`` and has started."""
    words = ["--host", "192.0.2.1", *arguments]
    return Running(Juliet, Options(), words, keyboard, spread=lambda: spread).start()


def attempts(juliet: Running) -> int:
    """Return how often she has called."""
    return len(juliet.reactor.tcpClients)


def refuse(juliet: Running, reason: Exception | None = None) -> None:
    """Let the attempt under way come to nothing."""
    failure = Failure(reason or error.ConnectionRefusedError())
    juliet.reactor.tcpClients[-1][2].clientConnectionFailed(None, failure)
    juliet.reactor.advance(ATTEMPT_DELAY)


def waits(juliet: Running) -> float:
    """Return how long she waits now until she calls again."""
    (call,) = juliet.reactor.getDelayedCalls()
    return round(call.getTime() - juliet.reactor.seconds(), 6)


def answer(juliet: Running) -> FakeTransport:
    """Let Romeo answer the attempt under way."""
    wrapper = juliet.reactor.tcpClients[-1][2].buildProtocol(None)
    transport = FakeTransport(wrapper)
    wrapper.makeConnection(transport)
    return transport


def delays(juliet: Running, count: int) -> list[float]:
    """Refuse ``count`` attempts, and return how long she waited after each."""
    waited = []
    for _ in range(count):
        refuse(juliet)
        waited.append(waits(juliet))
        juliet.reactor.advance(waited[-1] + 1e-6)
    return waited


class CallingTests:
    """How Juliet calls."""

    def test_first_call(self) -> None:
        """She calls at once, where she was told, and says so."""
        juliet = running("--port", "13005")
        assert juliet.reactor.tcpClients[0][1] == 13005
        assert juliet.said == ["Calling 192.0.2.1:13005..."]

    def test_delays_grow(self) -> None:
        """The first retries come quickly, the later ones ever more slowly, but within 15 seconds."""
        waited = delays(running(), 14)
        assert ATTEMPT_DELAY + waited[0] <= 0.25
        assert waited == sorted(waited)
        assert waited[-1] == 15.0

    def test_delays_are_spread(self) -> None:
        """Chance takes a part of each delay, and does not slow their growth."""
        assert delays(running(spread=0.5), 14) == pytest.approx(
            [delay / 2 for delay in delays(running(), 14)], abs=1e-5
        )

    def test_chance(self) -> None:
        """Left alone, chance takes up to a half."""
        juliet = Running(Juliet, Options(), ["--host", "192.0.2.1"]).start()
        refuse(juliet)
        assert 0.05 <= waits(juliet) <= 0.1

    def test_reason_once(self) -> None:
        """What is wrong is said when it changes."""
        juliet = running()
        delays(juliet, 3)
        refuse(juliet, OSError("out of order"))
        assert juliet.said[1:] == [
            "* no answer: connection refused; calling again until there is one",
            "* no answer: out of order; calling again until there is one",
        ]

    def test_hurry(self) -> None:
        """When the person presses Enter she calls at once, and after that as quickly as at first."""
        juliet = running()
        delays(juliet, 8)
        refuse(juliet)
        before = attempts(juliet)
        juliet.program.hurry()
        assert attempts(juliet) == before + 1
        assert delays(juliet, 1) == [0.1]

    def test_hurry_while_calling(self) -> None:
        """An attempt that is under way is not cut off: it may be answered at this very moment."""
        juliet = running()
        juliet.program.hurry()
        assert attempts(juliet) == 1
        assert not juliet.reactor.connectors[0].stoppedConnecting

    def test_timeout(self) -> None:
        """With --timeout she gives up in time, with a status that tells."""
        juliet = running("--timeout", "2.5")
        juliet.reactor.advance(2.5)
        juliet.stop()
        assert juliet.said[-1] == "juliet: no answer from 192.0.2.1:4444 in 2.5 s"
        assert juliet.status == exits.UNAVAILABLE
        assert juliet.reactor.stops == 1

    def test_answered_in_time(self) -> None:
        """Once Romeo has answered, the timeout does not matter."""
        juliet = running("--timeout", "2.5")
        answer(juliet)
        juliet.reactor.advance(60)
        assert juliet.reactor.stops == 0

    def test_stopped(self) -> None:
        """Nothing is left to wait for when she was stopped."""
        juliet = running("--timeout", "60")
        refuse(juliet)
        done = juliet.stop()
        assert done.called
        assert juliet.reactor.getDelayedCalls() == []
        assert juliet.status == exits.OK

    def test_answered_too_late(self) -> None:
        """A Romeo who answers when she is leaving is not talked to."""
        juliet = running()
        juliet.program.conversation.leave()
        assert juliet.program._factory.buildProtocol(None) is None


class TalkingTests:
    """What becomes of a connection."""

    def test_connected(self) -> None:
        """She says to whom she is connected."""
        juliet = running()
        answer(juliet)
        assert juliet.said[-1] == "Connected to romeo ('127.0.0.1', 33770)"

    def test_closed(self) -> None:
        """A connection that Romeo closes in good order ends the program with 0."""
        juliet = running()
        transport = answer(juliet)
        transport.peer_closes()
        transport.flush()
        assert juliet.reactor.stops == 1
        juliet.stop()
        assert juliet.said[-1] == "Connection closed by romeo."
        assert juliet.status == exits.OK

    def test_broken(self) -> None:
        """One that breaks is called again, soon."""
        juliet = running("--timeout", "9")
        transport = answer(juliet)
        juliet.reactor.advance(STEADY)
        transport.breaks()
        assert juliet.said[-2:] == ["Connection to romeo lost.", "Calling 192.0.2.1:4444..."]
        juliet.reactor.advance(0.25)
        assert attempts(juliet) == 2
        juliet.reactor.advance(9)
        assert juliet.reactor.stops == 1

    def test_broken_at_once(self) -> None:
        """One that breaks at once, again and again, is called ever more slowly."""
        juliet = running()
        waited = []
        for _ in range(5):
            answer(juliet).breaks()
            waited.append(waits(juliet))
            juliet.reactor.advance(waited[-1] + 1e-6)
        assert waited == sorted(waited)
        assert waited[-1] > 2 * waited[0]

    def test_unsure(self) -> None:
        """Where it is not sure that everything arrived, she says so, and the status tells."""
        juliet = running()
        answer(juliet)
        juliet.program.conversation.input_ended()
        juliet.program.conversation.peer_gone(False)
        juliet.stop()
        assert juliet.said[-1] == "* the connection ended too soon: the last lines may not have arrived"
        assert juliet.status == exits.UNAVAILABLE
