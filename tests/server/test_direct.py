"""Tests of `techboy.server.direct` and `techboy.server.farewell`."""

from __future__ import annotations

import pytest

from techboy.chat.goodbye import LAST_WORDS
from techboy.server.direct import WAITING_LIMIT
from techboy.terminal.interface import InputSource
from tests.direct import Balcony


class GoodbyeTests:
    """How it ends."""

    def test_hers(self) -> None:
        """Her goodbye is answered, and he waits for the next."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.reads()
        juliet.sends({"type": "bye"})
        assert juliet.reads() == [{"type": "bye", "reason": "closed"}]
        juliet.transport.peer_closes()
        balcony.turn()
        assert balcony.operator.is_free
        assert balcony.hello("nurse").reads()[0]["name"] == "nurse"

    def test_his(self) -> None:
        """When he leaves, what he said last comes before his goodbye."""
        balcony = Balcony(stays=False)
        juliet = balcony.hello()
        juliet.reads()
        balcony.operator.said("good night")
        balcony.operator.depart()
        balcony.turn()
        balcony.turn()
        assert [frame.get("text", frame.get("reason")) for frame in juliet.reads()] == [
            "good night",
            "closed",
        ]
        juliet.transport.peer_closes()
        balcony.turn()
        assert balcony.romeo.ended == [None]

    def test_with_hello(self) -> None:
        """A goodbye that comes together with the hello is a goodbye."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends({"type": "hello", "version": 1, "name": "juliet"}, {"type": "bye"})
        balcony.turn()
        balcony.turn()
        assert [frame["reason"] for frame in juliet.reads() if frame["type"] == "bye"] == ["closed"]

    def test_command_with_hello(self) -> None:
        """So is a command a command."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends({"type": "hello", "version": 1, "name": "juliet"}, {"type": "command", "name": "who"})
        balcony.turn()
        notices = [frame["text"] for frame in juliet.reads() if frame["type"] == "notice"]
        assert notices == ["2 here: romeo, juliet"]

    def test_plain(self) -> None:
        """A plain client that says exit is answered by a close, and what it said is shown before that is."""
        balcony = Balcony(stays=False)
        juliet = balcony.plain()
        juliet.says(b"good night\nexit\nand more\n")
        assert balcony.romeo.shown == ["good night"]
        assert balcony.romeo.states[-1] == "Connection closed by juliet."
        assert juliet.transport.events == ["half close"]
        juliet.transport.peer_closes()
        juliet.transport.flush()
        assert balcony.romeo.ended == [None]

    def test_last_words(self) -> None:
        """At the end of a script its client still has some seconds; what it says then is shown."""
        balcony = Balcony(InputSource.SCRIPT, stays=False)
        juliet = balcony.plain()
        balcony.says("all I have")
        balcony.operator.input_ended()
        assert juliet.reads() == "all I have\n"
        assert juliet.transport.events == ["half close"]
        juliet.says(b"one word\n")
        balcony.turn(LAST_WORDS - 1)
        assert balcony.romeo.shown == ["one word"]
        assert balcony.romeo.ended == []
        balcony.turn(1)
        assert juliet.transport.events[-1] == "close"
        juliet.transport.flush()
        assert balcony.romeo.ended == [None]

    def test_script_goes_on(self) -> None:
        """A client that closed its half is told the rest of a script."""
        balcony = Balcony(InputSource.SCRIPT, stays=False)
        juliet = balcony.plain()
        juliet.transport.peer_closes()
        balcony.says("the rest")
        assert juliet.reads() == "the rest\n"
        balcony.operator.input_ended()
        juliet.transport.flush()
        balcony.turn()
        assert balcony.romeo.ended == [None]

    def test_person_waits(self) -> None:
        """A server that ends while lines wait for a client says how many."""
        balcony = Balcony()
        balcony.says("one\ntwo")
        balcony.operator.depart()
        assert balcony.romeo.ended == ["2 lines were not sent"]

    @pytest.mark.parametrize("command", ["/quit", "/kick"])
    def test_by_command(self, command: str) -> None:
        """A client that quits, or is kicked, has left."""
        balcony = Balcony()
        juliet = balcony.plain()
        if command == "/quit":
            juliet.says(b"/quit\n")
        else:
            balcony.operator.commanded("kick juliet", "kick")
        assert not balcony.operator.is_free
        juliet.transport.flush()
        juliet.transport.peer_closes()
        assert "Connection closed." in balcony.romeo.states
        assert balcony.operator.is_free

    def test_unsure(self) -> None:
        """A client that was lost while a script's end was on its way is waited for, but not for ever."""
        balcony = Balcony(InputSource.SCRIPT, stays=False, grace=60)
        juliet = balcony.hello()
        juliet.socket.room = 0
        balcony.operator.input_ended()
        juliet.transport.breaks()
        balcony.turn(59)
        assert balcony.romeo.ended == []
        balcony.turn(1)
        assert balcony.romeo.ended == ["the connection ended too soon: the last lines may not have arrived"]


class BackPressureTests:
    """Who waits for whom."""

    def test_keyboard(self) -> None:
        """The keyboard pauses while a plain client takes nothing; nothing is lost, however little is kept."""
        balcony = Balcony(keep=2000)
        juliet = balcony.plain()
        juliet.stops_reading()
        text = "\n".join(f"{number} " + "x" * 100 for number in range(1000))
        balcony.says(text)
        balcony.turn()
        assert not balcony.romeo.reading
        juliet.socket.room = 1 << 20
        heard = ""
        for _ in range(10):
            heard += juliet.reads()
            balcony.turn()
        assert heard == f"{text}\n"
        assert balcony.romeo.reading

    def test_patience(self) -> None:
        """A plain client that takes nothing is not ended, and still heard; its author waits."""
        balcony = Balcony(stall=30)
        juliet = balcony.plain()
        juliet.stops_reading()
        balcony.says("x" * 200_000)
        balcony.turn()
        juliet.socket.room = 1000
        balcony.turn(120)
        juliet.says(b"wait\n")
        balcony.turn()
        assert juliet.transport.events == []
        assert balcony.romeo.shown == ["wait"]
        assert not balcony.romeo.reading

    def test_screen(self) -> None:
        """A client is not read from while the screen is full."""
        balcony = Balcony()
        juliet = balcony.plain()
        balcony.operator.output_full()
        assert not juliet.transport.reading
        balcony.operator.output_ready()
        assert juliet.transport.reading

    def test_full_before(self) -> None:
        """Nor is one that comes meanwhile."""
        balcony = Balcony()
        balcony.operator.output_full()
        assert not balcony.plain().transport.reading

    def test_too_much_waits(self) -> None:
        """A person cannot say any number of lines while nobody is there."""
        balcony = Balcony()
        for _ in range(3):
            balcony.says("x" * WAITING_LIMIT)
        assert balcony.romeo.states == ["* message not sent: too much is waiting. Try again later."]
