"""Tests of `techboy.server.broker`."""

from __future__ import annotations

import sys
import weakref

import pytest
from twisted.internet.task import Clock

from techboy.chat.counters import RejectReason
from techboy.chat.member import STORING_FAILS, Member
from techboy.chat.room import Room
from techboy.chat.server import ChatServer, ServerConfig
from techboy.chat.session import Session
from techboy.net.rendering import PLAIN, Delivery
from techboy.server import broker
from techboy.server.broker import PRESENCE_DELAY, Broker
from techboy.server.storage_health import PROBE_INTERVAL
from techboy.storage.executor import InlineExecutor, StorageExecutor
from techboy.storage.interface import SessionRecord
from techboy.storage.memory import MemoryLogStore
from tests.chat.fakes import FakeGuest, session
from tests.clocks import EPOCH, Wall
from tests.native import HeldCommitter


class Listener(FakeGuest):
    """A member's guest who remembers what was brought."""

    member: Member

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Delivery] = []
        self.told: list[object] = []
        self.stalls = self.backlog = 0

    def deliver(self, delivery: Delivery) -> None:
        self.heard.append(delivery)

    def on_send_timeout(self) -> None:
        self.stalls += 1

    def on_error(self) -> None:
        self.told.append(sys.exc_info()[1])

    def on_stored(self, last: int) -> None:
        self.told.append(last)

    def on_not_stored(self, why: str) -> None:
        self.told.append(why)

    def on_room_changed(self) -> None:
        """Nothing is shown of it."""

    @property
    def data(self) -> bytes:
        """All that was brought, in the plain dialect."""
        return b"".join(delivery.rendered[PLAIN].data for delivery in self.heard)


class Scene:
    """A hall and a house."""

    def __init__(self, executor: StorageExecutor | None = None) -> None:
        self.clock, self.logs = Clock(), MemoryLogStore()
        self.wall = Wall(self.clock)
        self.broker = Broker(self.clock, self.wall, self.logs, executor or InlineExecutor(), 30)
        self.chat = ChatServer(ServerConfig(), self.broker, self.logs, str)
        self.lobby = self.chat.lobby

    def listener(self, session: Session | None = None) -> Listener:
        """Return somebody who came in."""
        listener = Listener()
        name = None if session is None else session.name
        listener.member = self.chat.join(listener, 0, name, session=session)
        return listener

    def record(self, kept: Session) -> SessionRecord:
        """Return what is stored of a session."""
        record = self.logs.session(kept.digest)
        assert record is not None
        return record

    def says(self, listener: Listener, text: str) -> None:
        """Let somebody say ``text``, and the turn of the reactor be over."""
        self.chat.post(listener.member, text)
        self.clock.advance(0)

    def settled(self, count: int) -> list[Listener]:
        """Return so many who came in, after all have been told of it."""
        listeners = [self.listener() for _ in range(count)]
        self.clock.advance(PRESENCE_DELAY)
        for listener in listeners:
            listener.heard.clear()
        return listeners


class SettlingTests:
    """When what is new is brought."""

    def test_one_turn(self) -> None:
        """What several say in one turn of the reactor comes to all at once, in the log's order."""
        scene = Scene()
        one, two = scene.settled(2)
        for listener, text in ((one, "a"), (two, "b"), (one, "c")):
            scene.chat.post(listener.member, text)
        assert one.heard == []
        scene.clock.advance(0)
        assert len(one.heard) == 1
        assert one.heard == two.heard
        assert one.data == b"guest1: a\nguest1: c\nguest2: b\n"
        assert [batch.text for batch in scene.lobby.log.read_last(10)] == ["a\nc", "b"]

    def test_many_joins(self) -> None:
        """Comings and goings are gathered for a moment, and told in one line."""
        scene = Scene()
        (one,) = scene.settled(1)
        for _ in range(3):
            scene.listener()
        scene.clock.advance(PRESENCE_DELAY - 0.01)
        assert one.heard == []
        scene.clock.advance(0.01)
        assert one.data == b"* guest2, guest3, guest4 joined\n"
        assert one.heard[0].special == {2, 3, 4}

    def test_news_with_a_line(self) -> None:
        """A line takes the news along, which are not told again."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.chat.post(scene.listener().member, "hello")
        scene.clock.pump([0, PRESENCE_DELAY])
        assert one.data == b"* guest2 joined\nguest2: hello\n"

    def test_who_looked_in(self) -> None:
        """Nothing is brought where somebody was gone before it was told."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.chat.leave(scene.listener().member)
        scene.clock.advance(PRESENCE_DELAY)
        assert one.heard == []

    def test_rooms_apart(self) -> None:
        """What is said in a room is brought to those who are in it."""
        scene = Scene()
        one, two, three = scene.settled(3)
        for listener in (two, three):
            scene.chat.move(listener.member, "garden")
        scene.clock.advance(PRESENCE_DELAY)
        scene.chat.post(two.member, "hello")
        scene.clock.advance(0)
        assert three.data.endswith(b"guest2: hello\n")
        assert one.data == b"* guest2, guest3 left\n"

    def test_close(self) -> None:
        """At the end nothing is waited for any more."""
        scene = Scene()
        one, two = scene.settled(2)
        scene.broker.mark_blocked(one)
        scene.chat.post(two.member, "hello")
        scene.listener()
        scene.broker.close()
        assert scene.clock.getDelayedCalls() == []


class Storing:
    """A house whose committer takes its time, and some who have been there for long."""

    def __init__(self, count: int = 2) -> None:
        self.executor = HeldCommitter()
        self.scene = Scene(self.executor)
        self.clock, self.broker, self.chat = self.scene.clock, self.scene.broker, self.scene.chat
        self.listeners = self.scene.settled(count)

    def comes_back(self, number: int = 7) -> tuple[Session, Listener]:
        """Let somebody in with a session, who is announced."""
        kept = session(number)
        listener = self.scene.listener(kept)
        self.clock.advance(PRESENCE_DELAY)
        for other in (*self.listeners, listener):
            other.heard.clear()
        return kept, listener


class GroupTests:
    """What is said is stored first, in groups."""

    def test_stored_first(self) -> None:
        """Nobody hears what is not stored, nor is its author told that it is."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a\nb")
        assert (one.heard, two.heard, one.told, storing.scene.lobby.log.last) == ([], [], [], 0)
        storing.executor.answer()
        assert two.data == b"guest1: a\nguest1: b\n"
        assert (one.told, two.told) == ([2], [])

    def test_told_once_each(self) -> None:
        """Each author is told the last id of what was theirs."""
        storing = Storing()
        one, two = storing.listeners
        for listener, text in ((one, "a"), (two, "b"), (one, "c\nd")):
            storing.chat.post(listener.member, text)
        storing.clock.advance(0)
        storing.executor.answer()
        assert (one.told, two.told) == ([3], [4])

    def test_next_gathers(self) -> None:
        """While a group is being written the next one gathers, whoever speaks how often."""
        storing = Storing()
        one, two = storing.listeners
        for listener, text in ((one, "a"), (two, "b"), (one, "c"), (two, "d")):
            storing.scene.says(listener, text)
        assert storing.executor.waiting == 1
        storing.executor.answer()
        assert two.data == b"guest1: a\n"
        storing.clock.advance(0)
        assert storing.executor.waiting == 1
        storing.executor.answer()
        assert two.data == b"guest1: a\nguest2: b\nguest2: d\nguest1: c\n"
        assert one.data == two.data
        storing.clock.advance(60)
        assert storing.executor.waiting == 0

    def test_when_settled(self) -> None:
        """Something can wait until all that was said so far is stored and brought."""
        storing, done = Storing(), list[str]()
        one, two = storing.listeners
        storing.broker.when_flushed(lambda: done.append("nothing waits"))
        assert done.pop() == "nothing waits"
        storing.scene.says(one, "a")
        storing.chat.post(two.member, "b")
        storing.broker.when_flushed(lambda: done.append(two.data.decode()))
        storing.executor.answer()
        assert done == []
        storing.clock.advance(0)
        storing.executor.answer()
        assert done == ["guest1: a\nguest2: b\n"]

    def test_when_settled_after_refusal(self) -> None:
        """So it is if it cannot be stored."""
        storing, done = Storing(), list[str]()
        storing.scene.says(storing.listeners[0], "a")
        storing.broker.when_flushed(lambda: done.append("refused"))
        storing.executor.refuse()
        storing.clock.advance(0)
        assert done == ["refused"]

    def test_rooms_together(self) -> None:
        """What is said in several rooms is one group."""
        storing = Storing()
        one, two = storing.listeners
        storing.chat.move(two.member, "garden")
        storing.clock.advance(PRESENCE_DELAY)
        storing.chat.post(one.member, "a")
        storing.chat.post(two.member, "b")
        storing.clock.advance(0)
        assert storing.executor.waiting == 1
        storing.executor.answer()
        assert (one.told, two.told) == ([1], [1])

    def test_news_after_last_words(self) -> None:
        """Who goes is told of after what they said, though it took its time to be stored."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "adieu")
        storing.chat.leave(one.member)
        storing.clock.advance(10 * PRESENCE_DELAY)
        assert two.heard == []
        storing.executor.answer()
        storing.clock.advance(PRESENCE_DELAY)
        assert two.data == b"guest1: adieu\n* guest1 left\n"

    def test_news_between(self) -> None:
        """In one group, too, everything is told and said in its order."""
        storing = Storing(3)
        one, two, three = storing.listeners
        storing.chat.post(one.member, "adieu")
        storing.chat.leave(one.member)
        storing.chat.post(two.member, "alas")
        storing.clock.advance(0)
        assert storing.executor.waiting == 1
        storing.executor.answer()
        assert three.data == b"guest1: adieu\n* guest1 left\nguest2: alas\n"
        assert (one.told, two.told) == ([1], [2])

    def test_news_alone(self) -> None:
        """Who comes and goes is not stored, and waits for no disk."""
        storing = Storing()
        one, _ = storing.listeners
        storing.scene.listener()
        storing.clock.advance(PRESENCE_DELAY)
        assert storing.executor.waiting == 0
        assert one.data == b"* guest3 joined\n"

    def test_unstored(self) -> None:
        """It is known how much of an author waits, also while the next group gathers."""
        storing = Storing()
        one, _ = storing.listeners
        storing.scene.says(one, "12345")
        storing.scene.says(one, "678")
        assert one.member.pending_chars == 8
        storing.executor.answer()
        assert one.member.pending_chars == 3
        storing.clock.advance(0)
        storing.executor.answer()
        assert one.member.pending_chars == 0


class RefusedGroupTests:
    """What can't be stored."""

    def test_not_shown(self) -> None:
        """Nobody is shown it, its authors are told why, and the log has nothing of it."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a\nb")
        storing.executor.refuse()
        storing.clock.advance(60)
        assert (one.heard, two.heard) == ([], [])
        assert (one.told, two.told) == ([STORING_FAILS], [])
        assert storing.scene.lobby.log.last == 0
        assert one.member.pending_chars == 0

    def test_host(self) -> None:
        """The operator alone is told which file can't be written, and why."""
        storing = Storing()
        listener, connection = Listener(), storing.listeners[0]
        listener.member = storing.chat.join(listener, 0, is_operator=True)
        for author in (listener, connection):
            storing.scene.says(author, "a")
        storing.executor.refuse("/var/lib/romeo.sqlite: the disk is full")
        assert listener.told == ["/var/lib/romeo.sqlite: the disk is full"]
        assert connection.told == ["the server cannot store messages now"]

    def test_said_since(self) -> None:
        """What was said meanwhile goes the same way; each author is told once."""
        storing = Storing()
        one, two = storing.listeners
        for listener, text in ((one, "a"), (two, "b"), (one, "c")):
            storing.scene.says(listener, text)
        storing.executor.refuse()
        storing.clock.advance(PROBE_INTERVAL - 1)
        assert storing.executor.waiting == 0
        assert (one.heard, two.heard) == ([], [])
        assert one.told == two.told == [STORING_FAILS]

    def test_news(self) -> None:
        """Who comes and goes is told of all the same."""
        storing = Storing()
        one, two = storing.listeners
        storing.chat.post(one.member, "adieu")
        storing.chat.leave(one.member)
        storing.clock.advance(0)
        storing.executor.refuse()
        storing.clock.advance(PRESENCE_DELAY)
        assert two.data == b"* guest1 left\n"

    def test_goes_on(self) -> None:
        """When there is room again what is said is stored, with the ids that were not used."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a")
        storing.executor.refuse()
        storing.scene.says(one, "b")
        storing.executor.answer()
        assert two.data == b"guest1: b\n"
        assert one.told == [STORING_FAILS, 1]

    def test_session(self) -> None:
        """An author with a session is expected to say it once more."""
        storing = Storing()
        kept, listener = storing.comes_back()
        assert kept.accept(1, 2) == 0
        storing.scene.says(listener, "a\nb")
        assert kept.accept(3, 1) == 0
        storing.scene.says(listener, "c")
        storing.executor.refuse()
        assert (kept.next, kept.accepted) == (1, 1)
        assert storing.scene.logs.session(kept.digest) is None


ODD = RuntimeError("odd")


class Odd(Listener):
    """A member's connection in which everything raises what nobody expects."""

    def deliver(self, delivery: Delivery) -> None:
        raise ODD

    def on_stored(self, last: int) -> None:
        raise ODD

    def on_not_stored(self, why: str) -> None:
        raise ODD

    def on_send_timeout(self) -> None:
        raise ODD

    def on_delivery(self, room: Room, delivery: Delivery) -> None:
        raise ODD


class IsolationTests:
    """An error in what concerns one hinders nobody else."""

    def odd_one(self, scene: Scene, *others: Listener) -> Odd:
        """Return a member who comes before ``others`` in all that is done for each."""
        odd = Odd()
        odd.member = scene.chat.join(odd, 0)
        members = scene.lobby.members
        for listener in others:
            members[listener.member.number] = members.pop(listener.member.number)
        return odd

    def test_delivery(self) -> None:
        """Who comes after one whose connection raises is sent everything; that one is closed."""
        scene = Scene()
        (one,) = scene.settled(1)
        odd = self.odd_one(scene, one)
        scene.says(odd, "hello")
        assert one.data.endswith(b"guest2: hello\n")
        assert odd.told == [ODD, ODD]  # as it was told that it is stored, too
        scene.says(one, "there")
        assert one.told == [2]

    def test_not_stored(self) -> None:
        """All authors are told that nothing could be stored."""
        storing = Storing(1)
        (one,) = storing.listeners
        odd = self.odd_one(storing.scene, one)
        for listener in (odd, one):
            storing.scene.says(listener, "hello")
        storing.executor.refuse()
        assert set(odd.told) == {ODD}
        assert one.told == [STORING_FAILS]

    def test_observers(self) -> None:
        """Observers and transcripts are told, whichever raises."""
        scene = Scene()
        (one,) = scene.settled(1)
        odd, observer = Odd(), Listener()
        for each in (odd, observer):
            scene.broker.subscribe(scene.lobby, each)
        scene.broker.subscribe_all(odd)
        scene.says(one, "hello")
        assert observer.data == b"guest1: hello\n"
        assert odd.told == [ODD]

    def test_figures(self) -> None:
        """What was stored is delivered though what measures it raises."""
        scene = Scene()
        one, two = scene.settled(2)

        def odd(seconds: float) -> None:
            raise ODD

        scene.broker.commit_durations = odd
        scene.says(one, "hello")
        assert one.told == [1]
        assert two.data.endswith(b"guest1: hello\n")

    def test_cannot_fail(self) -> None:
        """All others are sent everything though one connection can not even be closed."""
        scene = Scene()
        (one,) = scene.settled(1)
        odd = self.odd_one(scene, one)

        def fail() -> None:
            raise ODD

        odd.on_error = fail  # type: ignore[method-assign]  # this one connection alone is to raise
        scene.says(odd, "hello")
        assert one.data.endswith(b"guest2: hello\n")

    def test_stalled(self) -> None:
        """All who take nothing are ended."""
        scene = Scene()
        odd, late = Odd(), Listener()
        for each in (odd, late):
            scene.broker.mark_blocked(each)
        scene.clock.advance(30)
        assert (odd.told, late.stalls) == ([ODD], 1)

    def test_sessions(self) -> None:
        """All who wait for a session to be stored are told, and the program can end."""
        storing = Storing(0)
        told: list[object] = []

        def odd(hindrance: object) -> None:
            raise RuntimeError("odd")

        for number, then in enumerate((odd, told.append), 1):
            storing.broker.save_session(session(number), then)
        storing.clock.advance(0)
        drained = storing.broker.drain()
        storing.executor.answer_all()
        assert told == [None]
        assert drained.called


class RoomTests:
    """A room whose messages are on their way."""

    def test_left_and_entered(self) -> None:
        """It is one room, though everybody leaves it and somebody enters before its messages are stored."""
        storing = Storing(3)
        alice, bob, carol = storing.listeners
        storing.chat.move(alice.member, "balcony")
        storing.scene.says(alice, "the meeting is moved to nine")
        storing.chat.move(alice.member, "lobby")
        storing.chat.move(bob.member, "balcony")
        storing.executor.answer_all()
        storing.chat.move(carol.member, "balcony")
        storing.scene.says(carol, "hi bob")
        assert bob.member.room is carol.member.room
        said = [line for line in bob.data.split(b"\n") if not line.startswith(b"*")]
        assert said == [b"guest1: the meeting is moved to nine", b"guest3: hi bob", b""]

    def test_forgotten(self) -> None:
        """A room that nobody is in is forgotten when nothing is on its way."""
        storing = Storing(1)
        (alice,) = storing.listeners
        storing.chat.move(alice.member, "balcony")
        room = weakref.ref(alice.member.room)
        storing.scene.says(alice, "anybody?")
        storing.chat.move(alice.member, "lobby")
        storing.clock.advance(PRESENCE_DELAY)
        assert room() is not None
        storing.executor.answer_all()
        storing.clock.advance(0)
        assert room() is None


class CountTests:
    """What is known of it in numbers."""

    def test_stored(self) -> None:
        """Lines are counted as said when they are handed over, and as stored when they are."""
        storing = Storing()
        one, two = storing.listeners
        counters = storing.broker.counters
        storing.chat.post(one.member, "a\nb")
        assert (counters.lines_received, counters.lines_stored) == (0, 0)
        storing.scene.says(two, "c")
        assert (counters.lines_received, counters.lines_stored) == (3, 0)
        storing.executor.answer()
        assert (counters.lines_received, counters.lines_stored, counters.rejected[RejectReason.STORAGE]) == (
            3,
            3,
            0,
        )

    def test_refused(self) -> None:
        """What could not be stored, and what was said meanwhile, is counted as said and as refused."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a\nb")
        storing.scene.says(two, "c")
        storing.executor.refuse()
        counters = storing.broker.counters
        assert (counters.lines_received, counters.lines_stored, counters.rejected[RejectReason.STORAGE]) == (
            3,
            0,
            3,
        )

    def test_waiting(self) -> None:
        """It is known how many lines wait to be stored: those being written, and those that gather."""
        storing = Storing(3)
        one, two, three = storing.listeners
        storing.chat.move(three.member, "garden")
        assert storing.broker.pending_lines == 0
        storing.scene.says(one, "a\nb")
        for listener, text in ((one, "c"), (two, "d\ne\n"), (three, "f")):
            storing.scene.says(listener, text)
        assert storing.broker.pending_lines == 2 + 5
        storing.executor.answer()
        assert storing.broker.pending_lines == 5
        storing.clock.advance(0)
        assert storing.broker.pending_lines == 5
        storing.executor.refuse()
        assert storing.broker.pending_lines == 0

    def test_hindrance(self) -> None:
        """Why nothing can be stored is known until something was, if it is no more than a session."""
        storing = Storing()
        one, _ = storing.listeners
        assert storing.broker.storage_error is None
        storing.scene.says(one, "a")
        storing.executor.refuse()
        assert storing.broker.storage_error == "the disk is full"
        storing.broker.save_session(session())
        storing.clock.advance(0)
        assert storing.broker.storage_error == "the disk is full"
        storing.executor.answer()
        assert storing.broker.storage_error is None

    def test_tried(self) -> None:
        """It is tried again, and again, until something can be stored, though nobody says anything."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a")
        storing.executor.refuse()
        for _ in range(3):
            storing.clock.advance(PROBE_INTERVAL)
            assert storing.broker.storage_error == "the disk is full"
            storing.executor.refuse()
        storing.clock.advance(PROBE_INTERVAL)
        storing.executor.answer()
        assert storing.broker.storage_error is None
        assert (one.told, one.heard, two.heard) == ([STORING_FAILS], [], [])
        storing.clock.advance(PROBE_INTERVAL)
        assert storing.clock.getDelayedCalls() == []

    def test_tried_meanwhile(self) -> None:
        """Where something is being stored, or was, nothing else has to be tried."""
        storing = Storing()
        one, _ = storing.listeners
        storing.scene.says(one, "a")
        storing.executor.refuse()
        storing.scene.says(one, "b")
        storing.clock.advance(PROBE_INTERVAL)
        storing.executor.answer()
        assert storing.broker.storage_error is None
        assert storing.scene.lobby.log.last == 1
        assert storing.clock.getDelayedCalls() == []

    def test_timed(self) -> None:
        """Who wants to know is told how long each group took, whatever became of it."""
        storing = Storing()
        one, _ = storing.listeners
        took: list[float] = []
        storing.broker.commit_durations = took.append
        storing.scene.says(one, "a")
        storing.clock.advance(0.25)
        storing.executor.answer()
        storing.scene.says(one, "b")
        storing.clock.advance(2)
        storing.executor.refuse()
        assert took == [0.25, 2]

    @pytest.mark.parametrize("step", [-3600, 3600])
    def test_clock_set(self, step: float) -> None:
        """How long storing took is measured by a clock that nobody sets."""
        storing = Storing()
        one, _ = storing.listeners
        took: list[float] = []
        storing.broker.commit_durations = took.append
        storing.scene.says(one, "a")
        storing.scene.wall.step(step)
        storing.clock.advance(0.25)
        storing.executor.answer()
        assert took == [0.25]


class SessionTests:
    """Sessions are stored with what was said in them."""

    def test_same_group(self) -> None:
        """The number of the next line is stored in the group that has the lines before it, not before."""
        storing = Storing()
        kept, listener = storing.comes_back()
        for seq, text in ((1, "a\nb"), (3, "c")):
            assert kept.accept(seq, text.count("\n") + 1) == 0
            storing.scene.says(listener, text)
        assert (kept.next, kept.accepted) == (1, 4)
        storing.executor.answer()
        assert kept.next == 3
        assert storing.scene.record(kept).next == 3
        storing.clock.advance(0)
        storing.executor.answer()
        assert kept.next == 4
        assert storing.scene.record(kept).next == 4

    def test_remembered(self) -> None:
        """A session is stored though nothing is said, and whoever asked for it is told."""
        storing, kept = Storing(), session()
        told: list[object] = []
        storing.broker.save_session(kept, told.append)
        storing.clock.advance(0)
        assert told == []
        storing.executor.answer()
        assert told == [None]
        assert storing.scene.logs.session(kept.digest) == kept.record()

    def test_latest(self) -> None:
        """Of several times in one group the last counts, and everybody is told."""
        storing, kept = Storing(), session()
        told: list[object] = []
        for seen in (1, 2):
            kept.seen = seen
            storing.broker.save_session(kept, told.append)
        storing.clock.advance(0)
        assert storing.executor.waiting == 1
        storing.executor.answer()
        assert told == [None, None]
        assert storing.scene.record(kept).seen == 2

    def test_while_writing(self) -> None:
        """What is to be remembered while a group is being written is in the next."""
        storing = Storing()
        told: list[object] = []
        storing.scene.says(storing.listeners[0], "a")
        storing.broker.save_session(session(), told.append)
        storing.executor.answer()
        assert told == []
        storing.clock.advance(0)
        storing.executor.answer()
        assert told == [None]

    @pytest.mark.parametrize("meanwhile", [True, False])
    def test_refused(self, meanwhile: bool) -> None:
        """Whoever asked for it is told what hindered it, also where it was to be in the next group."""
        storing = Storing()
        told: list[object] = []
        if meanwhile:
            storing.scene.says(storing.listeners[0], "a")
        storing.broker.save_session(session(), told.append)
        storing.clock.advance(0)
        storing.executor.refuse()
        assert [str(hindrance) for hindrance in told] == ["the disk is full"]
        storing.clock.advance(PROBE_INTERVAL - 1)
        assert storing.executor.waiting == 0

    def test_not_waited_for(self) -> None:
        """Nobody has to be told."""
        storing, kept = Storing(), session()
        storing.broker.save_session(kept)
        storing.clock.advance(0)
        storing.executor.answer()
        assert storing.scene.logs.session(kept.digest) is not None


class DrainTests:
    """`Broker.drain`."""

    @staticmethod
    def drained(storing: Storing) -> list[None]:
        """Ask for everything to be stored; return what tells that it is."""
        done: list[None] = []
        storing.broker.drain().addCallback(done.append)
        return done

    def test_nothing(self) -> None:
        """Where nothing is left it is done at once."""
        assert self.drained(Storing()) == [None]

    def test_said(self) -> None:
        """What was said is stored without waiting for the turn to be over, and brought, before it is done."""
        storing = Storing()
        one, two = storing.listeners
        storing.chat.post(one.member, "a")
        done = self.drained(storing)
        assert (storing.executor.waiting, done) == (1, [])
        storing.executor.answer()
        assert (two.data, done) == (b"guest1: a\n", [None])

    def test_said_since(self) -> None:
        """So is what gathered while a group was being written, and after it was asked for."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a")
        storing.chat.post(two.member, "b")
        done = self.drained(storing)
        storing.executor.answer()
        storing.chat.post(one.member, "c")
        storing.executor.answer()
        assert done == []
        storing.executor.answer()
        assert two.data == b"guest1: a\nguest2: b\nguest1: c\n"
        assert done == [None]

    def test_news(self) -> None:
        """Who came is told of, without waiting for others."""
        storing = Storing()
        storing.scene.listener()
        assert self.drained(storing) == [None]
        assert storing.listeners[0].data == b"* guest3 joined\n"

    def test_refused(self) -> None:
        """It is done although something could not be stored."""
        storing = Storing()
        storing.chat.post(storing.listeners[0].member, "a")
        done = self.drained(storing)
        storing.executor.refuse()
        assert done == [None]

    def test_twice(self) -> None:
        """Whoever asked is told."""
        storing = Storing()
        storing.chat.post(storing.listeners[0].member, "a")
        first, second = self.drained(storing), self.drained(storing)
        storing.executor.answer()
        assert first == second == [None]


class PruneTests:
    """`Broker.prune`."""

    def test_old(self) -> None:
        """What was stored before is forgotten, lines and sessions, and the rest is not."""
        scene, (old, new) = Scene(), (session(1), session(2))
        new.digest = b"another"
        (one,) = scene.settled(1)
        for kept, text in ((old, "a\nb"), (new, "c")):
            kept.last_active = scene.wall()
            scene.broker.save_session(kept)
            scene.says(one, text)
            scene.clock.advance(100)
        scene.broker.prune(EPOCH + 50, EPOCH + 50)
        assert (scene.lobby.log.deleted_through, scene.lobby.log.last) == (2, 3)
        assert scene.logs.session(old.digest) is None
        assert scene.logs.session(new.digest) is not None

    def test_lines_for_ever(self) -> None:
        """Lines may be kept for ever."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.says(one, "a")
        scene.broker.prune(None, 1000)
        assert scene.lobby.log.deleted_through == 0

    def test_after_what_is_written(self) -> None:
        """A group that is being written is written first, and what follows is stored after it."""
        storing = Storing()
        one, two = storing.listeners
        storing.scene.says(one, "a")
        storing.broker.prune(EPOCH + 1000, 0)
        storing.executor.answer()
        storing.scene.says(one, "b")
        storing.executor.answer()
        assert (storing.scene.lobby.log.deleted_through, storing.scene.lobby.log.last) == (1, 1)
        storing.executor.answer()
        assert two.data == b"guest1: a\nguest1: b\n"

    def test_refused(self) -> None:
        """Where that can't be done nothing is forgotten, and everything goes on."""
        storing = Storing()
        one, two = storing.listeners
        storing.broker.prune(EPOCH + 1000, 0)
        storing.executor.refuse()
        storing.scene.says(one, "a")
        storing.executor.answer()
        assert storing.scene.lobby.log.deleted_through == 0
        assert two.data == b"guest1: a\n"


class StampTests:
    """The time that stands with what is stored."""

    def test_wall(self) -> None:
        """It is the time of day."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.clock.advance(5)
        scene.says(one, "a")
        assert [batch.at for batch in scene.lobby.log.read_last(1)] == [EPOCH + scene.clock.seconds()]

    def test_set_back(self) -> None:
        """It never decreases, in whichever room, where the clock is set back by an hour."""
        scene = Scene()
        one, two = scene.settled(2)
        scene.chat.move(two.member, "garden")
        now, stamps = scene.wall(), []
        for listener in (one, two, one, two):
            scene.says(listener, "a")
            stamps.append(listener.member.room.log.read_last(1)[0].at)
            scene.wall.step(-3600 if len(stamps) == 2 else 10)
        assert stamps == [now, now + 10, now + 10, now + 10]


class ObserverTests:
    """Who hears without being a member."""

    def test_lobby(self) -> None:
        """An observer hears what is said in the lobby."""
        scene = Scene()
        (one,) = scene.settled(1)
        observer = Listener()
        scene.broker.subscribe(scene.chat.lobby, observer)
        scene.chat.post(one.member, "hello")
        scene.clock.advance(0)
        assert observer.data == b"guest1: hello\n"

    def test_all_rooms(self) -> None:
        """Who observes all rooms sees what is new in each, also those that are made later."""
        seen: list[tuple[str, list[str], list[str]]] = []

        class Everywhere:
            def on_delivery(self, room: Room, delivery: Delivery) -> None:
                seen.append(
                    (room.name, delivery.news.notices_for(), [batch.text for batch in delivery.batches])
                )

        scene = Scene()
        scene.broker.subscribe_all(Everywhere())
        (one,) = scene.settled(1)
        scene.says(one, "a\nb")
        scene.chat.move(one.member, "balcony")
        scene.says(one, "c")
        assert seen == [
            ("lobby", ["guest1 joined"], []),
            ("lobby", [], ["a\nb"]),
            ("balcony", ["guest1 joined"], ["c"]),
        ]


class PageTests:
    """`Broker.page`."""

    def test_shared(self) -> None:
        """Who is behind at the same place is given the same page, which is read once."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.chat.post(one.member, "a\nb\nc")
        scene.clock.advance(0)
        page = scene.broker.page(scene.lobby, 1)
        assert page.rendered[PLAIN].data == b"guest1: b\nguest1: c\n"
        assert page.head == 3
        assert scene.broker.page(scene.lobby, 1) is page

    def test_new_lines(self) -> None:
        """A page has also what was said since it was last read."""
        scene = Scene()
        (one,) = scene.settled(1)
        for text in ("a", "b"):
            scene.chat.post(one.member, text)
            scene.clock.advance(0)
            page = scene.broker.page(scene.lobby, 0)
        assert page.rendered[PLAIN].data == b"guest1: a\nguest1: b\n"

    def test_bounded(self) -> None:
        """No more pages are kept than a few, wherever readers are."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.chat.post(one.member, "\n" * 99)
        scene.clock.advance(0)
        pages = [scene.broker.page(scene.lobby, after) for after in range(99)]
        assert sum(scene.broker.page(scene.lobby, 98) is page for page in pages) == 1
        assert scene.broker.page(scene.lobby, 0) is not pages[0]

    def test_pruned(self) -> None:
        """What was forgotten is not given out any more."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.says(one, "a\nb")
        assert scene.broker.page(scene.lobby, 0).batches
        scene.broker.prune(scene.wall() + 1, 0)
        page = scene.broker.page(scene.lobby, 0)
        assert (page.batches, page.before, page.head) == ([], 2, 2)

    def test_size(self) -> None:
        """A page is of bounded size, in whole lines."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.chat.post(one.member, "\n".join(["x" * 1023] * 200))
        scene.clock.advance(0)
        page = scene.broker.page(scene.lobby, 0)
        assert broker.PAGE_SIZE <= page.head * 1024 <= broker.PAGE_SIZE + 1024
        assert page.rendered[PLAIN].data == (b"guest1: " + b"x" * 1023 + b"\n") * page.head


class StallTests:
    """Who takes nothing."""

    def test_ended(self) -> None:
        """Who has taken nothing for as long as is allowed is ended, once, and the rest is not."""
        scene = Scene()
        early, late = Listener(), Listener()
        scene.broker.mark_blocked(early)
        scene.clock.advance(20)
        scene.broker.mark_blocked(late)
        scene.clock.advance(9.9)
        assert early.stalls == 0
        scene.clock.advance(0.1)
        assert (early.stalls, late.stalls) == (1, 0)
        scene.clock.pump([20, 60])
        assert (early.stalls, late.stalls) == (1, 1)
        assert scene.clock.getDelayedCalls() == []

    def test_progress(self) -> None:
        """Who takes something has all the time again."""
        scene = Scene()
        listener = Listener()
        scene.broker.mark_blocked(listener)
        for _ in range(5):
            scene.clock.advance(20)
            scene.broker.mark_blocked(listener)
        assert listener.stalls == 0
        scene.clock.advance(30)
        assert listener.stalls == 1

    def test_taken(self) -> None:
        """Who has taken everything may take any time for the next."""
        scene = Scene()
        listener = Listener()
        scene.broker.mark_unblocked(listener)
        scene.broker.mark_blocked(listener)
        scene.broker.mark_unblocked(listener)
        scene.clock.advance(60)
        assert listener.stalls == 0
        assert scene.clock.getDelayedCalls() == []
