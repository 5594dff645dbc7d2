"""Tests of `techboy.client.native`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.task import Clock

from techboy.client.native import CAUGHT_UP, SAY_AGAIN, NativeClientProtocol
from techboy.client.outbox import Outbox
from techboy.client.session import ClientSession, MemorySessionStore
from techboy.storage.interface import TEXT
from tests.programs import WELCOME
from tests.transports import FakeTransport


class Recorder:
    """A conversation, or a program, that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.told.append((name, *args, *named.values()))

    def happened(self, *names: str) -> list[tuple[Any, ...]]:
        """Return what was told of these, and forget all."""
        told, self.told = self.told, []
        return [event for event in told if event[0] in names]


class Scene:
    """Juliet's end of a connection, and what the host's sends."""

    def __init__(
        self,
        outbox: Outbox | None = None,
        client_session: ClientSession | None = None,
        wanted: str | None = "juliet",
    ) -> None:
        self.clock, self.conversation, self.owner = Clock(), Recorder(), Recorder()
        self.outbox = outbox or Outbox()
        self.client_session = client_session or ClientSession(MemorySessionStore())
        self.handler = NativeClientProtocol(
            self.conversation, self.owner, self.outbox, self.client_session, self.clock, 25, 60, wanted
        )
        self.transport = FakeTransport(self.handler)
        self.handler.makeConnection(self.transport)

    def gets(self, *frames: dict[str, Any]) -> None:
        """The host sends ``frames``."""
        self.transport.receive(b"".join(json.dumps(frame).encode() + b"\n" for frame in frames))

    def sent(self) -> list[dict[str, Any]]:
        """Return what was sent since the last time."""
        return [json.loads(line) for line in self.transport.flush().splitlines()]

    def says(self, text: str) -> None:
        """``text`` is said here."""
        self.outbox.add(text)
        self.handler.send_from(self.outbox)

    def welcomed(self, **fields: Any) -> Scene:
        """The host welcomes her, and all that comes of it is forgotten."""
        self.gets({**WELCOME, **fields})
        self.conversation.happened()
        return self


def line(first: int, text: str, author: str = "romeo") -> dict[str, Any]:
    """Return the frame with lines that ``author`` said."""
    return {"type": "message", "kind": "text", "id": first, "at": 5000, "from": author, "text": text}


class AnswerTests:
    """What she is answered."""

    def test_welcome(self) -> None:
        """After a welcome there is a conversation, with somebody who has a name."""
        scene = Scene()
        scene.gets(WELCOME)
        assert scene.conversation.told == [
            ("peer_assigned_nick", "juliet"),
            ("peer_connected", scene.handler),
        ]
        assert scene.handler.name == "romeo"
        assert scene.client_session.known.session == "token"

    def test_many(self) -> None:
        """In a room she is among many, and is told where she is called something else."""
        scene = Scene()
        scene.gets({**WELCOME, "room": "lobby", "name": "juliet2"})
        assert [event[0] for event in scene.conversation.told] == [
            "peer_hosts_many", "peer_assigned_nick", "peer_connected", "peer_notice",
        ]  # fmt: skip
        assert scene.conversation.told[-1][1] == "you are juliet2"

    def test_any_name(self) -> None:
        """Who wants no name is not told which it is."""
        scene = Scene(wanted=None)
        scene.gets({**WELCOME, "name": "romeo"})
        assert scene.conversation.happened("peer_assigned_nick", "peer_notice") == [
            ("peer_assigned_nick", "romeo")
        ]

    @pytest.mark.parametrize("reason", ["busy", "refused"])
    def test_turned_away(self, reason: str) -> None:
        """A goodbye instead is a refusal, for now or for good, and nobody came."""
        scene = Scene()
        scene.gets({"type": "bye", "reason": reason, "text": "romeo is busy"})
        scene.transport.flush()
        assert scene.owner.happened("busy", "refused") == [(reason, "romeo is busy")]
        assert scene.conversation.told == []
        assert "close" in scene.transport.events

    def test_restart(self) -> None:
        """Unless the host says that it comes back."""
        scene = Scene()
        scene.gets({"type": "bye", "reason": "restart"})
        assert scene.owner.happened("refused", "returning") == [("returning",)]

    def test_what_waits(self) -> None:
        """What waited is sent with the numbers that the host expects."""
        outbox = Outbox(kept=[(4, "one\ntwo", TEXT)])
        scene = Scene(outbox).welcomed(next_seq=1)
        scene.handler.send_from(outbox)
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1}]

    def test_back(self) -> None:
        """On the next connection, what was stored meanwhile is not sent again."""
        first = Scene().welcomed()
        first.says("one\ntwo")
        first.transport.breaks()
        second = Scene(first.outbox, first.client_session).welcomed(next_seq=2)
        second.handler.send_from(second.outbox)
        assert second.sent() == [{"type": "message", "kind": "text", "text": "two", "seq": 2}]

    def test_put_back(self) -> None:
        """Where one end was put back to a backup, all that waits is sent, and one line says so."""
        client_session = ClientSession(MemorySessionStore())
        Scene(client_session=client_session).welcomed()
        outbox = Outbox(kept=[(1, "one\ntwo", TEXT)])
        scene = Scene(outbox, client_session)
        scene.gets({**WELCOME, "next_seq": 6})
        assert scene.conversation.happened("peer_connected", "peer_notice") == [
            ("peer_connected", scene.handler),
            (
                "peer_notice",
                "romeo and this client disagree about what is stored,"
                " for example after a backup was restored;"
                " 2 lines will be sent again, some perhaps twice",
            ),
        ]
        scene.handler.send_from(outbox)
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 6}]

    def test_put_back_without_lines(self) -> None:
        """So it is said where nothing waits: the host may have lost what it had stored."""
        first = Scene().welcomed()
        first.says("one")
        first.gets({"type": "ack", "next_seq": 2, "last_id": 1})
        second = Scene(first.outbox, first.client_session)
        second.gets({**WELCOME, "next_seq": 1})
        assert second.conversation.happened("peer_notice") == [
            (
                "peer_notice",
                "romeo and this client disagree about what is stored,"
                " for example after a backup was restored",
            )
        ]


class LinesTests:
    """What others said."""

    def test_shown(self) -> None:
        """It is shown, with ids and time."""
        scene = Scene().welcomed()
        scene.gets(line(1, "one\ntwo"))
        assert scene.conversation.happened("peer_message") == [
            ("peer_message", ("romeo", "one\ntwo", "text", 1, 5.0, False))
        ]

    def test_once(self) -> None:
        """What comes again is left out."""
        scene = Scene().welcomed()
        scene.gets(line(1, "one\ntwo"), line(1, "one\ntwo"), line(2, "two\nthree\nfour"))
        assert [event[1].text for event in scene.conversation.happened("peer_message")] == [
            "one\ntwo", "three\nfour",
        ]  # fmt: skip

    def test_past(self) -> None:
        """What was said before she first came is marked as such."""
        scene = Scene().welcomed(last_id=1)
        scene.gets(line(1, "one"), line(2, "two"))
        assert [event[1].past for event in scene.conversation.happened("peer_message")] == [True, False]

    def test_missed(self) -> None:
        """What is forgotten is told of, and counts as received."""
        scene = Scene().welcomed()
        scene.gets({"type": "skipped", "count": 2, "through_id": 2}, line(2, "two\nthree"))
        told = scene.conversation.happened("peer_notice", "peer_message")
        assert told[0] == ("peer_notice", "2 lines are gone")
        assert told[1][1].text == "three"

    def test_moved(self) -> None:
        """In another room ids begin anew."""
        scene = Scene().welcomed(room="lobby")
        scene.gets(
            line(9, "nine"),
            {"type": "room_changed", "room": "garden", "after_id": 0, "last_id": 0},
            line(1, "one"),
        )
        assert [event[1].text for event in scene.conversation.happened("peer_message")] == ["nine", "one"]

    def test_missing(self) -> None:
        """What is still to come of what was said before is known, and forgotten when no more comes."""
        scene = Scene().welcomed(after_id=0, last_id=10)
        scene.gets(line(1, "one\ntwo"))
        assert scene.handler.missing == 8
        scene.gets(line(3, "\n".join("3456789")))
        assert scene.handler.missing == 1
        scene.clock.advance(CAUGHT_UP + 0.1)
        assert scene.handler.missing == 0
        scene.gets({"type": "room_changed", "room": "balcony", "after_id": 0, "last_id": 4})
        assert scene.handler.missing == 4

    def test_not_understood(self) -> None:
        """A frame of a newer host is passed over."""
        scene = Scene().welcomed()
        scene.gets({"sing": 1}, line(1, "one"))
        assert len(scene.conversation.happened("peer_message")) == 1


class ThrottledTests:
    """A host that takes no more than so many lines a second."""

    def throttled(self) -> Scene:
        """Return one who has said 100 lines, of which the host has stored ten and throttles her to three."""
        scene = Scene().welcomed()
        scene.says("\n".join(map(str, range(1, 101))))
        assert [frame["seq"] for frame in scene.sent()] == [1]
        scene.gets({"type": "throttled", "rate": 3}, {"type": "ack", "next_seq": 11, "last_id": 10})
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "11\n12\n13", "seq": 11}]
        return scene

    def test_told(self) -> None:
        """It is told once, to what rate."""
        scene = self.throttled()
        scene.gets({"type": "throttled", "rate": 3})
        assert scene.conversation.happened("peer_notice") == [
            ("peer_notice", "romeo accepts 3 lines a second from this client; the rest waits here")
        ]

    def test_pace(self) -> None:
        """What is stored makes room for as much."""
        scene = self.throttled()
        scene.gets({"type": "ack", "next_seq": 13, "last_id": 12})
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "14\n15", "seq": 14}]

    def test_leave(self) -> None:
        """Who leaves sends nothing more, and takes leave when what was sent is stored."""
        scene = self.throttled()
        scene.handler.part(1, 5)
        scene.gets({"type": "ack", "next_seq": 13, "last_id": 12})
        assert scene.sent() == []
        scene.gets({"type": "ack", "next_seq": 14, "last_id": 13})
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]
        assert scene.outbox.lines == 87

    def test_leave_at_once(self) -> None:
        """Where all that was sent is stored, that is at once."""
        scene = Scene().welcomed()
        scene.says("\n".join("x" * 10))
        scene.sent()
        scene.outbox.add("more")
        scene.gets({"type": "throttled", "rate": 3}, {"type": "ack", "next_seq": 11, "last_id": 10})
        scene.sent()
        scene.gets({"type": "ack", "next_seq": 12, "last_id": 11})
        scene.outbox.add("still more")
        scene.handler.part(1, 5)
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]

    def test_leave_in_time(self) -> None:
        """It is not waited for longer than she was told to."""
        scene = self.throttled()
        scene.handler.part(1, 5)
        scene.clock.advance(5)
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]

    def test_leave_not_stored(self) -> None:
        """What the host can't store is not waited for: it is sent in the next connection."""
        scene = self.throttled()
        scene.handler.part(1, 5)
        scene.gets({"type": "error", "code": "storage_unavailable", "text": "full", "next_seq": 11})
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]

    def test_leave_lost(self) -> None:
        """A connection that breaks meanwhile is told of."""
        scene = self.throttled()
        scene.handler.part(1, 5)
        scene.transport.breaks()
        assert scene.conversation.happened("peer_lost", "peer_gone") == [("peer_lost",)]

    def test_finish(self) -> None:
        """At the end of a script all of it is sent, however long that takes."""
        scene = self.throttled()
        scene.handler.part(5, None)
        for first in range(14, 101, 3):
            scene.gets({"type": "ack", "next_seq": first, "last_id": first - 1})
            scene.clock.advance(10)
            assert [frame["seq"] for frame in scene.sent() if frame["type"] == "message"] == [first]
        scene.gets({"type": "ack", "next_seq": 101, "last_id": 100})
        assert scene.sent()[-1] == {"type": "bye", "last_seen_id": 0}

    def test_another_connection(self) -> None:
        """In another connection it is found out anew."""
        first = self.throttled()
        first.transport.breaks()
        scene = Scene(first.outbox, first.client_session).welcomed(next_seq=14)
        scene.handler.send_from(scene.outbox)
        assert scene.sent() == [
            {"type": "message", "kind": "text", "text": "\n".join(map(str, range(14, 24))), "seq": 14}
        ]


class SayTests:
    """What she says."""

    def test_stored(self) -> None:
        """It waits until it is stored."""
        scene = Scene().welcomed()
        scene.says("one\ntwo")
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "one\ntwo", "seq": 1}]
        assert scene.outbox.lines == 2
        scene.gets({"type": "ack", "next_seq": 3, "last_id": 2})
        assert scene.outbox.lines == 0

    def test_full(self) -> None:
        """To a connection that is full nothing is written until it has room."""
        scene = Scene().welcomed()
        scene.transport.producer.pauseProducing()
        scene.says("one")
        assert scene.sent() == []
        scene.transport.producer.resumeProducing()
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "one", "seq": 1}]

    def test_not_stored(self) -> None:
        """What could not be stored is sent again after a while, and people are told once."""
        scene = Scene().welcomed()
        scene.says("one")
        scene.says("two")
        scene.sent()
        scene.gets(
            {"type": "error", "code": "storage_unavailable", "text": "full", "next_seq": 1},
            {"type": "error", "code": "out_of_order", "text": "gap", "next_seq": 1},
        )
        scene.says("three")
        assert scene.sent() == []
        assert scene.conversation.happened("peer_notice") == [
            ("peer_notice", "not stored yet: full. It will be retried; 2 lines wait")
        ]
        scene.clock.advance(SAY_AGAIN)
        assert scene.sent() == [{"type": "message", "kind": "text", "text": "one\ntwo\nthree", "seq": 1}]

    def test_refused(self) -> None:
        """A line that is too long is told of."""
        scene = Scene().welcomed()
        scene.gets({"type": "error", "code": "line_too_long", "text": "too long"})
        assert scene.conversation.happened("peer_refused") == [("peer_refused", "too long")]

    def test_command(self) -> None:
        """Commands are sent as they are."""
        scene = Scene().welcomed()
        scene.handler.command("msg nurse come  here")
        scene.handler.command("who")
        scene.handler.command("nick\trosaline")
        assert scene.sent() == [
            {"type": "command", "name": "msg", "args": ["nurse come  here"]},
            {"type": "command", "name": "who", "args": []},
            {"type": "command", "name": "nick", "args": ["rosaline"]},
        ]


class EndTests:
    """How it ends."""

    def test_goodbye(self) -> None:
        """She says goodbye when all is stored."""
        scene = Scene().welcomed()
        scene.says("one")
        scene.handler.part(5, None)
        assert not any(frame["type"] == "bye" for frame in scene.sent())
        scene.gets({"type": "ack", "next_seq": 2, "last_id": 1})
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]
        scene.gets({"type": "bye", "reason": "closed"})
        scene.transport.flush()
        assert scene.conversation.happened("peer_gone", "peer_lost") == [("peer_gone", True)]

    def test_not_stored_in_time(self) -> None:
        """Or when that takes too long, and keeps what is not."""
        scene = Scene().welcomed()
        scene.says("one")
        scene.handler.part(1, 5)
        scene.sent()
        scene.clock.advance(5)
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]
        assert scene.outbox.lines == 1

    def test_seen(self) -> None:
        """Goodbye tells up to where in which room all was shown."""
        scene = Scene().welcomed(room="lobby")
        scene.gets(line(1, "one\ntwo"))
        scene.client_session.shown()
        scene.gets(line(3, "three"))
        scene.sent()
        scene.handler.part(1, 5)
        assert scene.sent() == [{"type": "bye", "last_seen_id": 2, "room": "lobby"}]

    def test_answer(self) -> None:
        """The host's goodbye is told of, and answered with hers."""
        scene = Scene().welcomed()
        scene.gets({"type": "bye", "reason": "closed"})
        assert scene.conversation.happened("peer_left") == [("peer_left",)]
        scene.handler.part(1, 5)
        assert scene.sent() == [{"type": "bye", "last_seen_id": 0}]
        assert "close" in scene.transport.events

    def test_lost(self) -> None:
        """Without a goodbye the connection is lost."""
        for end in ("breaks", "peer_closes"):
            scene = Scene().welcomed()
            getattr(scene.transport, end)()
            scene.transport.flush()
            assert scene.conversation.happened("peer_lost", "peer_gone") == [("peer_lost",)]
            assert scene.clock.getDelayedCalls() == []

    def test_ping(self) -> None:
        """She answers pings, asks herself where there is silence, and gives up."""
        scene = Scene().welcomed()
        scene.gets({"type": "ping", "number": 3})
        assert scene.sent() == [{"type": "pong", "number": 3}]
        scene.clock.advance(25)
        assert scene.sent() == [{"type": "ping", "number": 1, "last_seen_id": 0}]
        scene.clock.advance(35)
        assert scene.transport.events == ["abort"]
        assert scene.conversation.happened("peer_lost") == [("peer_lost",)]
