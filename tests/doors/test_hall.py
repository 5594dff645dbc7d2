"""Tests of `techboy.doors.hall`."""

from __future__ import annotations

from twisted.internet.task import Clock

from techboy.chat.house import House, Rules
from techboy.chat.member import Member
from techboy.chat.room import News
from techboy.doors import hall
from techboy.doors.hall import NEWS_DELAY, Delivery, Hall
from techboy.logs.contract import Batch
from techboy.logs.memory import MemoryLogs


class Listener:
    """A member's guest who remembers what was brought."""

    member: Member

    def __init__(self) -> None:
        self.heard: list[Delivery] = []
        self.stalls = 0

    def hear(self, delivery: Delivery) -> None:
        self.heard.append(delivery)

    def stalled(self) -> None:
        self.stalls += 1

    def moved(self) -> None:
        """Nothing is shown of it."""

    @property
    def data(self) -> bytes:
        """All that was brought."""
        return b"".join(delivery.data for delivery in self.heard)


class Scene:
    """A hall and a house."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hall = Hall(self.clock, 30)
        self.house = House(Rules(), self.hall, MemoryLogs().open, str)
        self.lobby = self.house.lobby

    def listener(self) -> Listener:
        """Return somebody who came in."""
        listener = Listener()
        listener.member = self.house.enter(listener, 0)
        return listener

    def settled(self, count: int) -> list[Listener]:
        """Return so many who came in, after all have been told of it."""
        listeners = [self.listener() for _ in range(count)]
        self.clock.advance(NEWS_DELAY)
        for listener in listeners:
            listener.heard.clear()
        return listeners


class DeliveryTests:
    """`Delivery`."""

    def test_news_and_lines(self) -> None:
        """Notices come first; from the lines on, each has its author's name."""
        batches = [Batch(3, 4, 0, 1, "a", "say", "x\ny"), Batch(5, 5, 0, 2, "b", "me", "waves")]
        delivery = Delivery(News([], {3: "c"}, {}), batches, 2)
        assert delivery.data == b"* c joined\na: x\na: y\n* b waves\n"
        assert delivery.data[delivery.lines_at :] == b"a: x\na: y\n* b waves\n"
        assert (delivery.before, delivery.head, delivery.special) == (2, 5, {1, 2, 3})

    def test_news_alone(self) -> None:
        """Where nothing was said, the log's head is where it was."""
        delivery = Delivery(News([], {}, {3: "c"}), [], 7)
        assert (delivery.before, delivery.head, delivery.lines_at) == (7, 7, len(delivery.data))


class SettlingTests:
    """When what is new is brought."""

    def test_one_turn(self) -> None:
        """What several say in one turn of the reactor comes to all at once, in the log's order."""
        scene = Scene()
        one, two = scene.settled(2)
        for listener, text in ((one, "a"), (two, "b"), (one, "c")):
            scene.house.said(listener.member, text)
        assert one.heard == []
        scene.clock.advance(0)
        assert len(one.heard) == 1
        assert one.heard == two.heard
        assert one.data == b"guest1: a\nguest1: c\nguest2: b\n"
        assert [batch.text for batch in scene.lobby.log.tail(10)] == ["a\nc", "b"]

    def test_many_joins(self) -> None:
        """Comings and goings are gathered for a moment, and told in one line."""
        scene = Scene()
        (one,) = scene.settled(1)
        for _ in range(3):
            scene.listener()
        scene.clock.advance(NEWS_DELAY - 0.01)
        assert one.heard == []
        scene.clock.advance(0.01)
        assert one.data == b"* guest2, guest3, guest4 joined\n"
        assert one.heard[0].special == {2, 3, 4}

    def test_news_with_a_line(self) -> None:
        """A line takes the news along, which are not told again."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.house.said(scene.listener().member, "hello")
        scene.clock.pump([0, NEWS_DELAY])
        assert one.data == b"* guest2 joined\nguest2: hello\n"

    def test_who_looked_in(self) -> None:
        """Nothing is brought where somebody was gone before it was told."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.house.leave(scene.listener().member)
        scene.clock.advance(NEWS_DELAY)
        assert one.heard == []

    def test_rooms_apart(self) -> None:
        """What is said in a room is brought to those who are in it."""
        scene = Scene()
        one, two, three = scene.settled(3)
        for listener in (two, three):
            scene.house.move(listener.member, "garden")
        scene.clock.advance(NEWS_DELAY)
        scene.house.said(two.member, "hello")
        scene.clock.advance(0)
        assert three.data.endswith(b"guest2: hello\n")
        assert one.data == b"* guest2, guest3 left\n"

    def test_close(self) -> None:
        """At the end what was said is still brought, and nothing is waited for any more."""
        scene = Scene()
        one, two = scene.settled(2)
        scene.hall.waits(one)
        scene.house.said(two.member, "hello")
        scene.listener()
        scene.hall.close()
        assert one.data == b"* guest3 joined\nguest2: hello\n"
        assert scene.clock.getDelayedCalls() == []

    def test_close_with_nothing_left(self) -> None:
        """Where nothing is left, nothing is brought at the end."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.hall.close()
        assert one.heard == []


class ObserverTests:
    """Who hears without being a member."""

    def test_lobby(self) -> None:
        """An observer hears what is said in the lobby."""
        scene = Scene()
        (one,) = scene.settled(1)
        observer = Listener()
        scene.hall.observe(scene.house.lobby, observer)
        scene.house.said(one.member, "hello")
        scene.clock.advance(0)
        assert observer.data == b"guest1: hello\n"


class PageTests:
    """`Hall.page`."""

    def test_shared(self) -> None:
        """Who is behind at the same place is given the same page, which is read once."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.house.said(one.member, "a\nb\nc")
        scene.clock.advance(0)
        data, batches = scene.hall.page(scene.lobby, 1)
        assert data == b"guest1: b\nguest1: c\n"
        assert batches[-1].last == 3
        assert scene.hall.page(scene.lobby, 1)[0] is data

    def test_new_lines(self) -> None:
        """A page has also what was said since it was last read."""
        scene = Scene()
        (one,) = scene.settled(1)
        for text in ("a", "b"):
            scene.house.said(one.member, text)
            scene.clock.advance(0)
            data, _ = scene.hall.page(scene.lobby, 0)
        assert data == b"guest1: a\nguest1: b\n"

    def test_bounded(self) -> None:
        """No more pages are kept than a few, wherever readers are."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.house.said(one.member, "\n" * 99)
        scene.clock.advance(0)
        pages = [scene.hall.page(scene.lobby, after)[0] for after in range(99)]
        assert sum(scene.hall.page(scene.lobby, 98)[0] is page for page in pages) == 1
        assert scene.hall.page(scene.lobby, 0)[0] is not pages[0]

    def test_size(self) -> None:
        """A page is of bounded size, in whole lines."""
        scene = Scene()
        (one,) = scene.settled(1)
        scene.house.said(one.member, "\n".join(["x" * 1023] * 200))
        scene.clock.advance(0)
        data, batches = scene.hall.page(scene.lobby, 0)
        assert hall.PAGE <= batches[-1].last * 1024 <= hall.PAGE + 1024
        assert data == (b"guest1: " + b"x" * 1023 + b"\n") * batches[-1].last


class StallTests:
    """Who takes nothing."""

    def test_ended(self) -> None:
        """Who has taken nothing for as long as is allowed is ended, once, and the rest is not."""
        scene = Scene()
        early, late = Listener(), Listener()
        scene.hall.waits(early)
        scene.clock.advance(20)
        scene.hall.waits(late)
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
        scene.hall.waits(listener)
        for _ in range(5):
            scene.clock.advance(20)
            scene.hall.waits(listener)
        assert listener.stalls == 0
        scene.clock.advance(30)
        assert listener.stalls == 1

    def test_taken(self) -> None:
        """Who has taken everything may take any time for the next."""
        scene = Scene()
        listener = Listener()
        scene.hall.waits_no_more(listener)
        scene.hall.waits(listener)
        scene.hall.waits_no_more(listener)
        scene.clock.advance(60)
        assert listener.stalls == 0
        assert scene.clock.getDelayedCalls() == []
