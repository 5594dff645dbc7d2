"""Tests of `techboy.server.direct_sessions`."""

from __future__ import annotations

from typing import Any

import pytest

from techboy.chat.conversation import Conversation, IllegalEventError, Keyboard, State
from techboy.chat.outbox import Outbox
from techboy.client.plain import PlainDoor
from techboy.server.direct_sessions import Duet
from techboy.wire.plain import HOST
from tests.native import HeldCommitter, NativeVerona, tokens
from tests.transports import connected


class Romeo:
    """Romeo's screen and program, which write down what they are told."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.ended: list[bool] = []

    def show_words(self, words: Any) -> None:
        self.shown += words.text.split("\n")

    def over(self, whole: bool) -> None:
        self.ended.append(whole)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


class Balcony(NativeVerona):
    """A house for two, whose host is at a keyboard."""

    def __init__(self, keyboard: Keyboard = Keyboard.PERSON, **options: Any) -> None:
        stays, grace = options.pop("stays", True), options.pop("grace", 600)
        super().__init__(history=0, **options)
        self.romeo = Romeo()
        self.conversation = Conversation(self.romeo, self.romeo, keyboard, Outbox(), hosts=True, stays=stays)
        self.conversation.start()
        self.lodging: Duet = Duet(self.house, self.hall, self.conversation, tokens(), grace)

    def says(self, text: str) -> None:
        """Say ``text`` at the keyboard."""
        self.conversation.said(text)
        self.turn()


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
        committer = HeldCommitter()
        balcony = Balcony(committer=committer)
        one, other = balcony.hello("ann"), balcony.hello("bob")
        committer.answer_all()
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
        nc = PlainDoor(balcony.conversation, HOST, "nc", balcony.clock)
        transport = connected(nc)
        back = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
        assert [frame.get("reason") for frame in back.reads()] == ["busy"]
        balcony.says("for nc")
        assert transport.flush() == b"for nc\n"
        nc.abort()
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

    def test_two_at_once(self) -> None:
        """A client is never let in while another is there, whatever its door believes."""
        balcony = Balcony()
        balcony.hello()
        with pytest.raises(IllegalEventError):
            balcony.lodging.entered(balcony.call().door)

    def test_taken_over_at_the_end(self) -> None:
        """At the end of a script a client can go on by another connection, and gets the rest there."""
        balcony = Balcony(Keyboard.SCRIPT, stays=False)
        juliet = balcony.hello()
        juliet.socket.room = 0
        balcony.says("last words")
        balcony.conversation.input_ended()
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
        assert balcony.conversation.state is State.WAITING
        balcony.says("art thou gone so?")
        juliet = balcony.hello(session="token1", log_epoch=balcony.logs.id, last_seen_id=0)
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
        assert [frame["code"] for frame in juliet.reads()] == ["storage_unavailable"]
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
        juliet.sends({"type": "bye"})
        assert juliet.reads() == [{"type": "bye", "reason": "closed"}]
        juliet.transport.peer_closes()
        balcony.turn()
        assert balcony.conversation.state is State.WAITING
        assert balcony.hello("nurse").reads()[0]["name"] == "nurse"

    def test_his(self) -> None:
        """When he leaves, what he said last comes before his goodbye."""
        balcony = Balcony(stays=False)
        juliet = balcony.hello()
        juliet.reads()
        balcony.conversation.said("good night")
        balcony.conversation.leave()
        balcony.turn()
        balcony.turn()
        assert [frame.get("text", frame.get("reason")) for frame in juliet.reads()] == [
            "good night",
            "closed",
        ]
        juliet.transport.peer_closes()
        balcony.turn()
        assert balcony.romeo.ended == [True]

    def test_with_hello(self) -> None:
        """A goodbye that comes together with the hello is a goodbye."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends({"type": "hello", "version": 1, "name": "juliet"}, {"type": "bye"})
        balcony.turn()
        balcony.turn()
        assert [frame["reason"] for frame in juliet.reads() if frame["type"] == "bye"] == ["closed"]

    def test_command_with_hello(self) -> None:
        """So is a command a command, of which there are none."""
        balcony = Balcony()
        juliet = balcony.call()
        juliet.sends(
            {"type": "hello", "version": 1, "name": "juliet"}, {"type": "command", "name": "help\tme"}
        )
        balcony.turn()
        notices = [frame["text"] for frame in juliet.reads() if frame["type"] == "notice"]
        assert "there is no command /help; // at the start of a line says a slash" in notices
