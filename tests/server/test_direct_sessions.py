"""Tests of `techboy.server.direct_sessions` and `techboy.server.latest_client`."""

from __future__ import annotations

import pytest

from techboy.server.operator import Output
from techboy.terminal.interface import InputSource
from tests.chat.fakes import FakeGuest
from tests.direct import Balcony
from tests.native import HeldCommitter


class TalkTests:
    """Two talk."""

    def test_both(self) -> None:
        """Each reads what the other says."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.says("one", 1)
        balcony.turn()
        balcony.says("two")
        assert balcony.romeo.shown == ["one"]
        assert juliet.hears_said() == ["two"]

    def test_before_she_came(self) -> None:
        """What he said before she came waits for her."""
        balcony = Balcony()
        balcony.says("anybody?")
        juliet = balcony.hello()
        balcony.turn()
        assert juliet.hears_said() == ["anybody?"]

    @pytest.mark.parametrize("leaves", [True, False])
    def test_one_room(self, *, leaves: bool) -> None:
        """There is one room, whatever another client says that it is in."""
        balcony = Balcony()
        juliet = balcony.hello()
        if leaves:
            juliet.sends({"type": "bye"})
            juliet.transport.breaks()
            balcony.turn()
        juliet = balcony.hello(session="token1", log_epoch=balcony.logs.id, room="garden", last_seen_id=0)
        balcony.says("are you there?")
        assert juliet.hears_said() == ["are you there?"]

    def test_both_at_once(self) -> None:
        """Of two whose sessions are stored together, one comes in."""
        executor = HeldCommitter()
        balcony = Balcony(executor=executor)
        one, other = balcony.hello("ann"), balcony.hello("bob")
        executor.answer_all()
        balcony.turn()
        assert [caller.hears()[-1]["type"] for caller in (one, other)] == ["welcome", "bye"]
        balcony.says("secret")
        assert (one.hears_said(), other.hears_said()) == (["secret"], [])

    def test_busy(self) -> None:
        """Who comes third is turned away; who comes back is not."""
        balcony = Balcony()
        juliet = balcony.hello()
        assert [frame.get("reason") for frame in balcony.hello("nurse").reads()] == ["busy"]
        again = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        assert again.reads()[0]["session"] == "token1"
        assert juliet.events == ["abort"]
        again.says("one", 1)
        balcony.turn()
        assert balcony.romeo.shown == ["one"]

    def test_place_taken(self) -> None:
        """A client that returns while another has its place is told "busy"; after that it goes on."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.says("one", 1)
        balcony.turn()
        juliet.transport.breaks()
        nc = balcony.plain()
        back = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        assert [frame.get("reason") for frame in back.reads()] == ["busy"]
        balcony.says("for nc")
        assert nc.reads() == "for nc\n"
        nc.transport.breaks()
        balcony.says("for juliet")
        back = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        balcony.turn()
        welcome, *said = back.hears()
        assert (welcome["name"], welcome["next_seq"]) == ("juliet", 2)
        assert [frame["text"] for frame in said] == ["for juliet"]

    def test_place_taken_by_a_session(self) -> None:
        """So it is if the other one has a session, too."""
        balcony = Balcony()
        balcony.hello().transport.breaks()
        nurse = balcony.hello("nurse")
        nurse.reads()
        assert balcony.hello(session="token1").reads()[0]["reason"] == "busy"
        balcony.says("secret")
        assert nurse.hears_said() == ["secret"]
        assert nurse.events == []

    def test_taken_over_at_the_end(self) -> None:
        """At the end of a script a client can go on by another connection, and gets the rest there."""
        balcony = Balcony(InputSource.SCRIPT, stays=False)
        juliet = balcony.hello()
        juliet.socket.room = 0
        balcony.says("last words")
        balcony.operator.input_ended()
        balcony.turn()
        back = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        balcony.turn()
        assert [frame.get("text", frame.get("reason")) for frame in back.hears()[1:]] == [
            "last words",
            "closed",
        ]
        assert balcony.romeo.ended == []

    def test_lost(self) -> None:
        """What he says while her connection is broken is hers when she is back."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.transport.breaks()
        assert balcony.operator.is_free
        balcony.says("art thou gone so?")
        juliet = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        balcony.turn()
        assert juliet.hears_said() == ["art thou gone so?"]

    def test_not_stored(self) -> None:
        """What she said and could not be stored is not shown, and may be said again."""
        executor = HeldCommitter(prompt=True)
        balcony = Balcony(executor=executor)
        juliet = balcony.hello()
        juliet.reads()
        executor.prompt = False
        juliet.says("one", 1)
        balcony.turn()
        executor.refuse()
        assert [frame["code"] for frame in juliet.reads()] == ["storage_unavailable"]
        executor.prompt = True
        juliet.says("one", 1)
        balcony.turn()
        assert balcony.romeo.shown == ["one"]


class SessionTests:
    """Each client sees what was said in its own session."""

    def test_new(self) -> None:
        """A new client cannot ask for what was said before, but the operator can."""
        balcony = Balcony()
        first = balcony.plain()
        first.says(b"secret\n")
        balcony.turn()
        first.transport.breaks()
        other = balcony.plain()
        other.says(b"/last\n")
        assert other.reads() == "* there are no messages yet\n"
        balcony.operator.commanded("last", "last")
        assert balcony.romeo.past == ["secret"]

    def test_own(self) -> None:
        """It can ask for its own session."""
        balcony = Balcony()
        juliet = balcony.plain()
        balcony.says("hello")
        juliet.reads()
        juliet.says(b"/last\n")
        assert juliet.reads() == "[12:00] romeo: hello\n"

    def test_returns_after_another(self) -> None:
        """A client that returns after another one goes on with what is said from then on, time and again."""
        balcony = Balcony()
        balcony.hello().transport.breaks()
        other = balcony.plain()
        other.says(b"from the other\n")
        balcony.says("for the other")
        other.transport.breaks()
        for _ in range(2):
            back = balcony.hello(session="token1", log_epoch=balcony.logs.id, room=None, last_seen_id=0)
            balcony.turn()
            assert back.hears_said() == []
            back.transport.breaks()
        balcony.says("for her")
        back = balcony.hello(session="token1", log_epoch=balcony.logs.id, room=None, last_seen_id=0)
        balcony.turn()
        assert back.hears_said() == ["for her"]

    def test_history(self) -> None:
        """A terminal is shown what was said last, a pipe is not."""
        for output, shown in ((Output.TERMINAL, ["again"]), (Output.STREAM, [])):
            balcony = Balcony()
            balcony.plain().says(b"again\n")
            balcony.turn()
            logs = balcony.logs
            later = Balcony(output=output, logs=logs)
            assert later.romeo.past == shown
            later.operator.commanded("last", "last")
            assert later.romeo.states == ([] if shown else ["[12:00] juliet: again"])

    @pytest.mark.parametrize(("output", "shown"), [(Output.TERMINAL, ["mine"]), (Output.STREAM, [])])
    def test_by_another_way(self, output: Output, shown: list[str]) -> None:
        """What the operator says by another way is shown at the terminal alone."""
        balcony = Balcony(output=output)
        other = balcony.chat.join(FakeGuest(), 0, is_operator=True)
        balcony.chat.post(other, "mine")
        balcony.turn()
        assert balcony.romeo.shown == shown

    def test_name(self) -> None:
        """A plain client has a name that it can have, whatever the operator is called."""
        balcony = Balcony()
        assert balcony.plain().name == "juliet"

    def test_other_room(self) -> None:
        """A command for rooms is unknown, to the operator as well."""
        balcony = Balcony()
        balcony.operator.commanded("join verona", "join")
        assert balcony.romeo.states[0].startswith("* unknown command /join")
        balcony.operator.commanded("ping", "ping")
        assert balcony.romeo.states[1] == "* not connected; 0 lines wait"
        balcony.hello()
        balcony.operator.commanded("ping", "ping")
        assert balcony.romeo.states[-1] == "* juliet was last heard 0 s ago; 0 lines wait"
