"""Tests of `techboy.server.direct`, `direct_sessions`, `latest_client` and `farewell`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from techboy.chat.conversation import LAST_WORDS, Keyboard
from techboy.chat.policy import DIRECT, AfterClient
from techboy.chat.rate_limit import Bucket
from techboy.chat.server import House, Rules
from techboy.server.direct import WAITING_LIMIT, DirectOperator
from techboy.server.direct_sessions import DirectSessions
from techboy.server.operator import Output
from techboy.server.plain import GuestDoor
from techboy.wire.frames import CLOSED, Bye
from tests.chat.fakes import FakeGuest
from tests.houses import Visitor
from tests.native import HeldCommitter, NativeVerona, tokens
from tests.transports import SocketTransport, connected


class Romeo:
    """The operator's screen and program, which write down what they are told."""

    last_word = Bye(CLOSED)

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.past: list[str] = []
        self.states: list[str] = []
        self.unstored_lines: list[int] = []
        self.ended: list[str | None] = []
        self.reading = True

    def show_words(self, words: Any) -> None:
        (self.past if words.past else self.shown).extend(words.text.split("\n"))

    def state(self, text: str) -> bool:
        self.states.append(text)
        return True

    refuse = state

    def unstored(self, lines: int) -> None:
        self.unstored_lines.append(lines)

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def leave(self) -> None:
        """The program has the operator depart."""

    def over(self, unsaid: str | None) -> None:
        self.ended.append(unsaid)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


class Balcony(NativeVerona):
    """A server in direct mode, whose operator is at a keyboard."""

    is_leaving, guests = False, 0

    def __init__(
        self,
        keyboard: Keyboard = Keyboard.PERSON,
        output: Output = Output.TERMINAL,
        *,
        stays: bool = True,
        grace: float = 600,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        after = AfterClient.WAIT if stays else AfterClient.END
        rules = Rules("romeo", 1, 20, replace(DIRECT, after_client=after))
        self.house = House(rules, self.hall, self.logs, lambda at: "12:00")
        self.romeo: Any = Romeo()
        self.operator = DirectOperator(self.house, self.hall, self.romeo, self.romeo, keyboard, output)
        self.options: Any = {"grace": grace}
        self.lodging: DirectSessions = DirectSessions(self, self.operator)  # type: ignore[arg-type]
        self.lodging._new_token = tokens()
        self.operator.sit()

    def refusal(self, others: int) -> str | None:
        return None if self.operator.is_free else DIRECT.full

    def turned_away(self) -> None:
        """Nobody counts."""

    def says(self, text: str) -> None:
        """Say ``text`` at the keyboard."""
        self.operator.said(text)
        self.turn()

    def plain(self) -> Visitor:
        """Let somebody in who speaks plain lines."""
        self.lodging.yield_place()
        bucket = Bucket(0, 0)
        door = GuestDoor(self.house, self.hall, bucket, 4096, lifecycle=self.operator)
        visitor = Visitor(door, connected(door, kind=SocketTransport))
        self.turn()
        return visitor


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
            juliet.sends({"bye": True})
            juliet.transport.breaks()
            balcony.turn()
        juliet = balcony.hello(session="token1", log=balcony.logs.id, room="garden", seen=0)
        balcony.says("are you there?")
        assert juliet.hears_said() == ["are you there?"]

    def test_both_at_once(self) -> None:
        """Of two whose sessions are stored together, one comes in."""
        committer = HeldCommitter()
        balcony = Balcony(committer=committer)
        one, other = balcony.hello("ann"), balcony.hello("bob")
        committer.answer_all()
        balcony.turn()
        assert [next(iter(caller.hears()[-1])) for caller in (one, other)] == ["welcome", "bye"]
        balcony.says("secret")
        assert (one.hears_said(), other.hears_said()) == (["secret"], [])

    def test_busy(self) -> None:
        """Who comes third is turned away; who comes back is not."""
        balcony = Balcony()
        juliet = balcony.hello()
        assert [frame.get("bye") for frame in balcony.hello("nurse").reads()] == ["busy"]
        again = balcony.hello(session="token1", log=balcony.logs.id, seen=0)
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
        back = balcony.hello(session="token1", log=balcony.logs.id, seen=0)
        assert [frame.get("bye") for frame in back.reads()] == ["busy"]
        balcony.says("for nc")
        assert nc.reads() == "for nc\n"
        nc.transport.breaks()
        balcony.says("for juliet")
        back = balcony.hello(session="token1", log=balcony.logs.id, seen=0)
        balcony.turn()
        welcome, *said = back.hears()
        assert (welcome["name"], welcome["next"]) == ("juliet", 2)
        assert [frame["say"] for frame in said] == ["for juliet"]

    def test_place_taken_by_a_session(self) -> None:
        """So it is if the other one has a session, too."""
        balcony = Balcony()
        balcony.hello().transport.breaks()
        nurse = balcony.hello("nurse")
        nurse.reads()
        assert balcony.hello(session="token1").reads()[0]["bye"] == "busy"
        balcony.says("secret")
        assert nurse.hears_said() == ["secret"]
        assert nurse.events == []

    def test_taken_over_at_the_end(self) -> None:
        """At the end of a script a client can go on by another connection, and gets the rest there."""
        balcony = Balcony(Keyboard.SCRIPT, stays=False)
        juliet = balcony.hello()
        juliet.socket.room = 0
        balcony.says("last words")
        balcony.operator.input_ended()
        balcony.turn()
        back = balcony.hello(session="token1", log=balcony.logs.id, seen=0)
        balcony.turn()
        assert [frame.get("say", frame.get("bye")) for frame in back.hears()[1:]] == ["last words", "closed"]
        assert balcony.romeo.ended == []

    def test_lost(self) -> None:
        """What he says while her connection is broken is hers when she is back."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.transport.breaks()
        assert balcony.operator.is_free
        balcony.says("art thou gone so?")
        juliet = balcony.hello(session="token1", log=balcony.logs.id, seen=0)
        balcony.turn()
        assert juliet.hears_said() == ["art thou gone so?"]

    def test_not_stored(self) -> None:
        """What she said and could not be stored is not shown, and may be said again."""
        committer = HeldCommitter(prompt=True)
        balcony = Balcony(committer=committer)
        juliet = balcony.hello()
        juliet.reads()
        committer.prompt = False
        juliet.says("one", 1)
        balcony.turn()
        committer.refuse()
        assert [frame["error"] for frame in juliet.reads()] == ["storage"]
        committer.prompt = True
        juliet.says("one", 1)
        balcony.turn()
        assert balcony.romeo.shown == ["one"]


class GoodbyeTests:
    """How it ends."""

    def test_hers(self) -> None:
        """Her goodbye is answered, and he waits for the next."""
        balcony = Balcony()
        juliet = balcony.hello()
        juliet.reads()
        juliet.sends({"bye": True})
        assert juliet.reads() == [{"bye": "closed"}]
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
        assert [frame.get("say", frame.get("bye")) for frame in juliet.reads()] == ["good night", "closed"]
        juliet.transport.peer_closes()
        balcony.turn()
        assert balcony.romeo.ended == [None]

    def test_with_hello(self) -> None:
        """A goodbye that comes together with the hello is a goodbye."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends({"hello": 1, "name": "juliet"}, {"bye": True})
        balcony.turn()
        balcony.turn()
        assert [frame["bye"] for frame in juliet.reads() if "bye" in frame] == ["closed"]

    def test_command_with_hello(self) -> None:
        """So is a command a command."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends({"hello": 1, "name": "juliet"}, {"do": "who"})
        balcony.turn()
        notices = [frame["notice"] for frame in juliet.reads() if "notice" in frame]
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
        balcony = Balcony(Keyboard.SCRIPT, stays=False)
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
        balcony = Balcony(Keyboard.SCRIPT, stays=False)
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
        balcony = Balcony(Keyboard.SCRIPT, stays=False, grace=60)
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
        balcony.operator.here_full()
        assert not juliet.transport.reading
        balcony.operator.here_ready()
        assert juliet.transport.reading

    def test_full_before(self) -> None:
        """Nor is one that comes meanwhile."""
        balcony = Balcony()
        balcony.operator.here_full()
        assert not balcony.plain().transport.reading

    def test_too_much_waits(self) -> None:
        """A person cannot say any number of lines while nobody is there."""
        balcony = Balcony()
        for _ in range(3):
            balcony.says("x" * WAITING_LIMIT)
        assert balcony.romeo.states == ["* not said: too much is waiting already"]


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
        assert other.reads() == "* nothing was said here yet\n"
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
            back = balcony.hello(session="token1", log=balcony.logs.id, room=None, seen=0)
            balcony.turn()
            assert back.hears_said() == []
            back.transport.breaks()
        balcony.says("for her")
        back = balcony.hello(session="token1", log=balcony.logs.id, room=None, seen=0)
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
        other = balcony.house.enter(FakeGuest(), 0, host=True)
        balcony.house.said(other, "mine")
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
        assert balcony.romeo.states[0].startswith("* there is no command /join")
        balcony.operator.commanded("ping", "ping")
        assert balcony.romeo.states[1] == "* not connected; 0 lines wait"
        balcony.hello()
        balcony.operator.commanded("ping", "ping")
        assert balcony.romeo.states[-1] == "* juliet was last heard 0 s ago; 0 lines wait"
