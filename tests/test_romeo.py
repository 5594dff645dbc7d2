"""Tests of `techboy.romeo`: Romeo at a keyboard, who talks to one guest at a time."""

from __future__ import annotations

import pytest

from techboy import exits
from techboy.chat.conversation import Keyboard
from techboy.doors.threshold import PATIENCE
from techboy.host import Host
from techboy.romeo import Options, Romeo, makeService
from tests.programs import FakeStreams, RecordedStates, Running, later_endpoint
from tests.transports import JULIET, FakeTransport, connected

PERSON, SCRIPT, NONE = Keyboard.PERSON, Keyboard.SCRIPT, Keyboard.NONE


def running(*arguments: str, keyboard: Keyboard = PERSON) -> Running:
    """Return a Romeo at a ``keyboard``, who was given ``arguments`` and is about to start."""
    place = [] if "--listen" in arguments else ["--host", "127.0.0.1"]
    return Running(Romeo, Options(), [*place, *arguments], keyboard)


def call(romeo: Running) -> FakeTransport:
    """Connect a caller who says nothing for so long that it is taken for one who speaks plain lines."""
    factory = romeo.reactor.tcpServers[0][1]
    transport = connected(factory.buildProtocol(JULIET))
    romeo.reactor.advance(PATIENCE)
    return transport


def leave(guest: FakeTransport) -> None:
    """Let a guest leave in good order."""
    guest.peer_closes()
    guest.flush()


class ModeTests:
    """Which Romeo it is."""

    @pytest.mark.parametrize(
        ("keyboard", "arguments", "kind"),
        [
            (PERSON, [], Romeo),
            (SCRIPT, [], Romeo),
            (NONE, [], Host),
            (PERSON, ["--guests", "5"], Host),
            (SCRIPT, ["--guests", "1"], Host),
        ],
    )
    def test_kind(self, keyboard: Keyboard, arguments: list[str], kind: type) -> None:
        """With a keyboard he talks to one guest, without one or with --guests he is a host of many."""
        options = Options()
        streams = FakeStreams(RecordedStates(), keyboard)
        options.streams = lambda: streams
        options.parseOptions(["--host", "127.0.0.1", *arguments])
        assert type(makeService(options)) is kind


class ListeningTests:
    """Where Romeo listens."""

    def test_default(self) -> None:
        """A script's Romeo listens on port 4444 of all IPv4 addresses, and says so."""
        romeo = Running(Romeo, Options(), [], SCRIPT).start()
        assert [(port, place) for port, _, _, place in romeo.reactor.tcpServers] == [(4444, "0.0.0.0")]
        assert romeo.said == ["Listening for connection on 0.0.0.0:4444..."]

    def test_refused_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An endpoint that fails only later ends the program, with one line and a status that tell why."""
        later = later_endpoint(monkeypatch)
        romeo = running("--listen", "later").start()
        later.errback(RuntimeError("no such thing"))
        romeo.stop()
        assert romeo.said == ["romeo: can't listen on later: no such thing"]
        assert romeo.status == exits.NO_LISTENING
        assert romeo.reactor.stops == 1


class GuestTests:
    """Who comes, and how it ends."""

    def test_one_guest(self) -> None:
        """While one guest is there, the next caller is told that Romeo is busy."""
        romeo = running("--name", "montague").start()
        guest, caller = call(romeo), call(romeo)
        assert guest.flush() == b""
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"
        assert caller.flush() == b"* montague is busy talking to somebody else; try again later\n"

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_talk(self, keyboard: Keyboard) -> None:
        """What is said at the keyboard is sent, what the guest says is shown."""
        romeo = running(keyboard=keyboard).start()
        guest = call(romeo)
        romeo.terminal.receive(b"hello\n")
        guest.receive(b"good day\n")
        assert guest.flush() == b"hello\n"
        assert romeo.shown == "good day\n"

    @pytest.mark.parametrize("keyboard", [PERSON, SCRIPT])
    def test_ends_with_the_guest(self, keyboard: Keyboard) -> None:
        """When the guest has said exit, he ends, as the original did."""
        romeo = running(keyboard=keyboard).start()
        guest = call(romeo)
        guest.receive(b"hello\nexit\n")
        guest.flush()
        guest.peer_closes()
        assert romeo.said[1:] == ["Connected to juliet ('127.0.0.1', 33770)", "Connection closed by juliet."]
        assert romeo.reactor.stops == 1
        assert romeo.stop().called
        assert romeo.status == exits.OK

    def test_stay(self) -> None:
        """With --stay, he waits for the next guest when one has left."""
        romeo = running("--stay").start()
        leave(call(romeo))
        assert romeo.reactor.stops == 0
        call(romeo)
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"

    def test_script_waits_for_a_guest(self) -> None:
        """A script is read only while somebody is there, and its end is his goodbye."""
        romeo = running(keyboard=SCRIPT).start()
        assert not romeo.terminal.reading
        guest = call(romeo)
        romeo.terminal.receive(b"hello\n")
        romeo.terminal.peer_closes()
        assert guest.events == ["half close"]
        assert guest.flush() == b"hello\n"

    def test_line_limit(self) -> None:
        """The longest line that he takes is the one he was told."""
        romeo = running("--max-line", "64").start()
        guest = call(romeo)
        guest.receive(b"x" * 65 + b"\n")
        assert guest.flush() == b"* a line of more than 64 bytes was not taken\n"

    def test_stopped(self) -> None:
        """When he is stopped he says goodbye, and is done when the guest has answered."""
        romeo = running().start()
        guest = call(romeo)
        done = romeo.stop()
        assert guest.events == ["half close"]
        assert not done.called
        guest.flush()
        guest.peer_closes()
        assert done.called
        assert romeo.said[-1] == "Connection closed."
        assert romeo.reactor.stops == 0

    def test_interrupted(self) -> None:
        """Ctrl-C says goodbye and ends him."""
        romeo = running().start()
        guest = call(romeo)
        romeo.interrupt()
        guest.flush()
        guest.peer_closes()
        assert romeo.reactor.stops == 1

    def test_broken_connection(self) -> None:
        """A guest whose connection breaks may come again."""
        romeo = running().start()
        call(romeo).breaks()
        assert romeo.said[-1] == "Connection to juliet lost."
        call(romeo)
        assert romeo.said[-1] == "Connected to juliet ('127.0.0.1', 33770)"
