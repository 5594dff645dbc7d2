"""Tests of `techboy.server.plain`."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, ISSLTransport, ISystemHandle
from zope.interface import directlyProvides

from techboy.chat.counters import RejectReason
from techboy.net.plain_receiver import UNENDED_LIMIT
from techboy.server import broker
from techboy.server.delivery import UNREAD_LIMIT, UNSTORED_LIMIT
from techboy.storage.interface import StorageError
from techboy.storage.memory import MemoryLog
from tests.houses import Verona, Visitor
from tests.native import HeldCommitter
from tests.transports import JULIET, FakeTransport, SocketTransport

WELCOME = "* welcome to lobby, {}; /help lists what you can do\n"


class TlsTransport(FakeTransport):
    """A transport that encrypts: it has a socket, which nobody else may write to."""

    def __init__(self, protocol: Any, peer: IAddress = JULIET) -> None:
        super().__init__(protocol, peer)
        directlyProvides(self, ISSLTransport, ISystemHandle)

    def getHandle(self) -> object:
        """Return what fails where it is used."""
        return None

    def setTcpNoDelay(self, on: bool) -> None:
        """Take no notice."""

    def setTcpKeepAlive(self, on: bool) -> None:
        """Take no notice."""


def numbered(start: int, end: int, author: str = "guest1") -> str:
    """Return the lines with the numbers from ``start`` up to ``end``, as others read them."""
    return "".join(f"{author}: {number}\n" for number in range(start, end))


def lines(start: int, end: int) -> bytes:
    """Return the same lines, as their author sends them."""
    return "".join(f"{number}\n" for number in range(start, end)).encode()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log be read in small pages."""
    monkeypatch.setattr(broker, "PAGE_SIZE", 50)


class GreetingTests:
    """What a guest is told first."""

    def test_first(self) -> None:
        """A name, a welcome, and who is here."""
        assert Verona().visit().reads() == WELCOME.format("guest1") + "* 1 here: guest1\n"

    def test_all(self) -> None:
        """The host's word, the welcome, the topic, what was said, marked as past, and who is here."""
        verona = Verona(motd=("be kind", "be brief"), history=3)
        (one,) = verona.roster(1)
        one.says(b"/topic the balcony\none\ntwo\nthree\n/me waves\n")
        verona.settle()
        assert verona.visit().reads() == (
            "* be kind\n* be brief\n"
            + WELCOME.format("guest2")
            + "* topic: the balcony\n"
            + "[12:00] guest1: two\n[12:00] guest1: three\n[12:00] ** guest1 waves\n"
            + "* 2 here: guest1, guest2\n"
        )

    def test_no_history(self) -> None:
        """Where nothing is to be shown of what was said, nothing is."""
        verona = Verona(history=0)
        verona.roster(1)[0].says(b"hello\n")
        verona.turn()
        assert verona.visit().reads() == WELCOME.format("guest2") + "* 2 here: guest1, guest2\n"

    def test_not_told_of_itself(self) -> None:
        """The others hear that a guest came; the guest does not."""
        verona = Verona()
        (one,) = verona.roster(1)
        two = verona.visit()
        two.reads()
        verona.settle()
        assert (one.reads(), two.reads()) == ("* guest2 joined\n", "")

    def test_many(self) -> None:
        """Many who come at once are announced in one line."""
        verona = Verona()
        (one,) = verona.roster(1)
        for _ in range(100):
            verona.visit()
        verona.settle()
        told = one.reads()
        assert told.count("\n") == 1
        assert told.startswith("* guest2, guest3, ")
        assert told.endswith("guest21 and 80 more joined\n")

    def test_told_of_the_next(self) -> None:
        """Who has just come is told of who comes right after."""
        verona = Verona()
        one, two = verona.visit(), verona.visit()
        assert "guest2" not in one.reads()
        two.reads()
        verona.settle()
        assert (one.reads(), two.reads()) == ("* guest2 joined\n", "")


class TalkTests:
    """What is said."""

    def test_one_turn(self) -> None:
        """What several say in one turn comes in one write, in the log's order, without one's own lines."""
        verona = Verona()
        one, two, three = verona.roster(3)
        before = len(three.socket.socket.writes)
        two.says(b"b1\nb2\n")
        one.says(b"a1\n")
        two.says(b"b3\n")
        verona.turn()
        assert three.reads() == "guest2: b1\nguest2: b2\nguest2: b3\nguest1: a1\n"
        assert len(three.socket.socket.writes) == before + 1
        assert one.reads() == "guest2: b1\nguest2: b2\nguest2: b3\n"
        assert two.reads() == "guest1: a1\n"

    def test_nothing_waits(self) -> None:
        """Who takes everything at once has nothing in the transport."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"hello\n")
        verona.clock.advance(0)
        assert two.transport.written == b""
        assert two.transport.sent.endswith(b"guest1: hello\n")

    def test_news_and_lines(self) -> None:
        """An author hears the news that come with its own lines, and a newcomer the lines."""
        verona = Verona()
        (one,) = verona.roster(1)
        two = verona.visit()
        two.reads()
        one.says(b"hello\n")
        verona.settle()
        assert (one.reads(), two.reads()) == ("* guest2 joined\n", "guest1: hello\n")

    def test_ignoring(self) -> None:
        """Whom a guest ignores, it does not hear; all others do."""
        verona = Verona()
        one, two, three = verona.roster(3)
        three.says(b"/ignore guest1\n")
        three.reads()
        one.says(b"a\n")
        two.says(b"b\n")
        verona.turn()
        assert three.reads() == "guest2: b\n"
        assert two.reads() == "guest1: a\n"
        three.says(b"/unignore guest1\n")
        three.reads()
        one.says(b"c\n")
        verona.turn()
        assert three.reads() == "guest1: c\n"

    def test_blank_lines(self) -> None:
        """A blank line is one."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"\n\nx\n")
        verona.turn()
        assert two.reads() == "guest1: \nguest1: \nguest1: x\n"

    def test_leaving(self) -> None:
        """The others hear that a guest left, also where the connection broke."""
        verona = Verona()
        one, two, three = verona.roster(3)
        two.says(b"exit\n")
        three.transport.breaks()
        verona.settle()
        assert one.reads() == "* guest2, guest3 left\n"

    def test_last_words(self) -> None:
        """What a guest says before leaving is heard before that it left."""
        verona = Verona()
        one, two = verona.roster(2)
        two.says(b"good night\nexit\n")
        verona.settle()
        assert one.reads() == "guest2: good night\n* guest2 left\n"

    def test_renamed(self) -> None:
        """A change of name is told after what was said under the name before."""
        verona = Verona()
        one, two = verona.roster(2)
        two.says(b"hello\n/nick juliet\nagain\n")
        verona.settle()
        assert one.reads() == "guest2: hello\n* guest2 is now juliet\njuliet: again\n"


class CommandTests:
    """What a guest may ask for."""

    def test_answer(self) -> None:
        """The answer comes at once, to who asked alone."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"/who\n")
        assert one.reads() == "* 2 here: guest1, guest2\n"
        verona.settle()
        assert two.reads() == ""

    def test_unknown(self) -> None:
        """What is no command is told to its author, and said to nobody; two slashes say one."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"/dance now\n//dance\n")
        verona.settle()
        assert one.reads() == (
            "* unknown command /dance: type /help for a list, or // to send a message that starts with /\n"
        )
        assert two.reads() == "guest1: /dance\n"

    def test_no_answer(self) -> None:
        """A command without an answer is answered with nothing."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"/me waves\n")
        verona.turn()
        assert (one.reads(), two.reads()) == ("", "** guest1 waves\n")

    def test_last(self) -> None:
        """What was said before can be asked for."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.says(b"/last\n")
        assert one.reads() == "* there are no messages yet\n"
        one.says(b"a\nb\n")
        verona.turn()
        one.says(b"/last 5\n")
        assert one.reads() == "[12:00] guest1: a\n[12:00] guest1: b\n"

    def test_rooms(self) -> None:
        """Who goes to another room is greeted there, and hears what is said there from then on."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"/join garden\n")
        verona.settle()
        assert one.reads() == "* welcome to garden, guest1; /help lists what you can do\n* 1 here: guest1\n"
        assert two.reads() == "* guest1 left\n"
        one.says(b"flowers\n")
        two.says(b"stones\n/join garden\n")
        verona.settle()
        assert one.reads() == "* guest2 joined\n"
        assert two.reads() == (
            "* welcome to garden, guest2; /help lists what you can do\n* 2 here: guest1, guest2\n"
            "guest1: flowers\n"
        )

    def test_refused(self) -> None:
        """Who reads nothing is told no more than so much, and a message to them is not delivered."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        while two.handler.send_notice(["x" * 1000]):
            pass
        waiting = len(two.transport.written) + len(two.handler._unsent)
        assert UNREAD_LIMIT - 2000 < waiting <= UNREAD_LIMIT
        one.says(b"/msg guest2 " + b"x" * 4000 + b"\n")
        assert one.reads() == "* guest2 is not reading at the moment; your message was not delivered\n"
        verona.reading_again(two)
        one.says(b"/msg guest2 hello\n")
        assert two.reads() == "* guest1 says to you: hello\n"

    def test_recall_is_bounded(self) -> None:
        """Who asks for what was said again and again, and reads nothing, costs no memory, and is not read."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says((b"x" * 1000 + b"\n") * 100)
        verona.turn()
        two.stops_reading()
        while two.transport.reading:
            two.says(b"/last 100\n")
        assert len(two.transport.written) <= UNREAD_LIMIT
        verona.reading_again(two)
        assert two.transport.reading

    def test_moving_is_bounded(self) -> None:
        """Who goes from room to room, each with a history, and reads nothing costs no more."""
        verona = Verona(history=1000)
        one, two = verona.roster(2)
        for number in range(10):
            one.says(b"/join room%d\n" % number + (b"x" * 1000 + b"\n") * 50)
            verona.turn()
        two.stops_reading()
        two.says(b"".join(b"/join room%d\n" % (number % 10) for number in range(2000)))
        assert UNREAD_LIMIT - 51_000 < len(two.handler._unsent) <= UNREAD_LIMIT + 1
        assert not two.transport.reading
        shown = verona.reading_again(two)
        assert shown.startswith("* welcome to room0, guest2")
        assert two.transport.reading


class HistoryTests:
    """What was said before is shown to who enters a room."""

    def test_back(self) -> None:
        """Back in the lobby a guest is shown what was said there meanwhile, and that alone."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"before\n")
        verona.turn()
        two.says(b"/join garden\n")
        one.says(b"meanwhile\n")
        verona.settle()
        two.reads()
        two.says(b"/part\n")
        assert [line for line in two.reads().splitlines() if line[0] == "["] == ["[12:00] guest1: meanwhile"]

    @pytest.mark.parametrize("command", [b"", b"/join garden\n"])
    def test_unreadable(self, command: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """If it cannot be read the guest is in all the same, and told so without the reason."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.says(b"/join garden\nhello\n/part\nhello\n")
        verona.settle()

        def tail(*_: object) -> None:
            raise StorageError("/state/romeo.sqlite: the disk is gone")

        monkeypatch.setattr(MemoryLog, "read_last", tail)
        two = verona.visit()
        two.says(command)
        verona.settle()
        read = two.reads()
        assert "* the server cannot read its history now\n" in read
        assert "/state" not in read
        two.says(b"/who\n")
        assert two.reads() == f"* {2 - bool(command)} here: {'guest1, ' * (not command)}guest2\n"


class SlowReaderTests:
    """Who takes less than there is."""

    def test_cut_anywhere(self) -> None:
        """However few bytes the socket takes of what is new, it arrives whole, once and in order."""
        whole = "* guest3 joined\nguest1: é1\nguest1: two\n"
        for room in range(len(whole.encode()) + 1):
            verona = Verona()
            one, two = verona.roster(2)
            verona.visit()
            two.stops_reading(room)
            one.says("é1\ntwo\n".encode())
            verona.turn()
            assert two.transport.sent.endswith(whole.encode()[:room])
            one.says(b"three\n")
            verona.turn()
            assert verona.reading_again(two) == whole + "guest1: three\n", room

    def test_own_lines_between(self) -> None:
        """So it does for who has said something itself meanwhile, or ignores somebody."""
        whole = "* guest4 joined\nguest1: a\nguest1: c\n"
        for room in range(len(whole) + 1):
            verona = Verona()
            one, two, three = verona.roster(3)
            two.says(b"/ignore guest3\n")
            two.reads()
            verona.visit()
            two.stops_reading(room)
            for author, data in ((one, b"a\n"), (two, b"mine\n"), (three, b"ignored\n")):
                author.says(data)
            verona.turn()
            one.says(b"c\n")
            verona.turn()
            assert verona.reading_again(two) == whole, room

    def test_byte_by_byte(self, small_pages: None) -> None:
        """However few bytes it takes at a time of what it is behind."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        for start in range(0, 40, 10):
            one.says(lines(start, start + 10))
            two.says(b"mine\n")
            verona.turn()
        assert "".join(verona.reading_again(two, 1) for _ in range(500)) == numbered(0, 40)

    def test_pages(self, small_pages: None) -> None:
        """Who is far behind gets everything, page by page, without the rest waiting in the transport."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        for start in range(0, 1000, 100):
            one.says(lines(start, start + 100))
            verona.turn()
            assert len(two.transport.written) < 20
        assert verona.reading_again(two) == numbered(0, 1000)
        one.says(b"last\n")
        verona.turn()
        assert two.reads() == "guest1: last\n"

    def test_nobody_notices(self) -> None:
        """The others are brought everything at once."""
        verona = Verona()
        one, two, three = verona.roster(3)
        two.stops_reading()
        for start in range(0, 100, 10):
            one.says(lines(start, start + 10))
            verona.turn()
        assert three.reads() == numbered(0, 100)

    def test_ignoring_while_behind(self, small_pages: None) -> None:
        """Who is behind gets nothing of whom it ignores."""
        verona = Verona()
        one, two, three = verona.roster(3)
        three.says(b"/ignore guest2\n")
        three.reads()
        three.stops_reading()
        for start in range(0, 50, 10):
            one.says(lines(start, start + 10))
            two.says(b"ignored\n")
            verona.turn()
        assert verona.reading_again(three) == numbered(0, 50)

    @pytest.mark.parametrize("kept", [1, 2, 5])
    def test_gone(self, kept: int) -> None:
        """Lines that are not kept any more are counted, exactly."""
        verona = Verona(keep=kept * 460)
        one, two = verona.roster(2)
        one.says(b"read\n")
        verona.turn()
        two.reads()
        two.stops_reading(3)
        for number in range(20):
            one.says(b"%d\n" % number)
            verona.turn()
        gone = 20 - kept - 1  # the line that was begun waits in the transport
        assert verona.reading_again(two) == (f"guest1: 0\n* {gone} lines are gone\n{numbered(20 - kept, 20)}")

    def test_one_gone(self) -> None:
        """One line is one line."""
        verona = Verona(keep=1)
        one, two = verona.roster(2)
        two.stops_reading(1)
        for number in range(3):
            one.says(b"%d\n" % number)
            verona.turn()
        assert verona.reading_again(two) == "guest1: 0\n* 1 line is gone\nguest1: 2\n"

    def test_gone_again(self) -> None:
        """Lines that are gone while it is told that some are gone are counted too."""
        verona = Verona(keep=2 * 460)
        one, two = verona.roster(2)
        two.stops_reading(1)
        for number in range(20):
            one.says(b"%d\n" % number)
            verona.turn()
        told = verona.reading_again(two, len("uest1: 0\n* 17 li"))
        for number in range(20, 30):
            one.says(b"%d\n" % number)
            verona.turn()
        told += verona.reading_again(two)
        assert told == f"guest1: 0\n* 17 lines are gone\n* 10 lines are gone\n{numbered(28, 30)}"

    def test_broken_socket(self) -> None:
        """A socket that fails is left to the transport, which finds that out."""
        verona = Verona()
        one, two = verona.roster(2)
        two.socket.socket.error = OSError(errno.EPIPE, "broken")
        one.says(b"hello\n")
        verona.clock.advance(0)
        assert two.transport.written == b"guest1: hello\n"

    def test_answers_in_their_place(self) -> None:
        """What is answered while something waits comes after it."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(3)
        one.says(b"a\nb\n")
        verona.turn()
        two.says(b"/ping\n")
        assert verona.reading_again(two) == "guest1: a\n* pong\nguest1: b\n"

    def test_answers_between_pages(self, small_pages: None) -> None:
        """An answer that is given between two pages tears no line."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(1)
        one.says(lines(0, 100))
        verona.clock.advance(0)
        two.socket.make_room(300)  # the first page goes through, and a part of the next
        two.says(b"/ping\n")
        verona.clock.advance(0)
        read = verona.reading_again(two)
        assert sorted(read.splitlines()) == sorted(["* pong", *numbered(0, 100).splitlines()])

    def test_moved_while_behind(self) -> None:
        """Who is behind and goes to another room is greeted there, whole, and hears that room only."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(3)
        one.says(b"a\nb\n")
        verona.turn()
        two.says(b"/join garden\n")
        one.says(b"c\n")
        verona.settle()
        assert verona.reading_again(two) == (
            "guest1: a\n* welcome to garden, guest2; /help lists what you can do\n* 1 here: guest2\n"
        )


class StallTests:
    """Who takes nothing at all."""

    def test_ended(self) -> None:
        """Where no byte was taken for 30 s, the connection ends, and the guest has left."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        one.says(b"hello\n")
        verona.turn()
        verona.turn(29.9)
        assert two.transport.events == []
        verona.turn(0.1)
        assert two.transport.events == ["abort"]
        verona.settle()
        assert one.reads() == "* guest2 left\n"

    def test_progress(self) -> None:
        """Who takes something in time, a line at least, may be behind for ever."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        one.says(lines(0, 10))
        verona.turn()
        read = ""
        for _ in range(10):
            verona.clock.advance(20)
            read += verona.reading_again(two, len("guest1: 0\n"))
        assert read == numbered(0, 10)
        verona.turn(60)
        assert two.transport.events == []

    def test_any_progress(self) -> None:
        """So may who takes only a part of what waits."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.stops_reading()
        one.says(b"/help\n" * 10)
        for _ in range(3):
            verona.turn(20)
            verona.reading_again(one, 1000)
        assert one.transport.written
        assert one.transport.events == []

    def test_idle(self) -> None:
        """Who has nothing to take is not ended."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.stops_reading()
        verona.turn(3600)
        assert one.transport.events == []


class BarePeerTests:
    """Peers that never end their lines."""

    def bare(self, verona: Verona) -> Visitor:
        """Return a guest who has said something without an end."""
        (connection,) = verona.roster(1)
        connection.says(b"hello")
        verona.turn(1)
        return connection

    def test_heard(self) -> None:
        """What it has left unfinished is a line."""
        verona = Verona()
        (one,) = verona.roster(1)
        self.bare(verona)
        assert one.reads() == "guest2: hello\n"

    def test_lines(self) -> None:
        """It is sent lines without the last end; lines that come together are on lines of their own."""
        verona = Verona()
        one = self.bare(verona)
        (two,) = verona.roster(1)
        verona.turn(1)
        two.says(b"a\nb\n")
        verona.turn()
        assert one.reads() == "guest2: a\nguest2: b"
        verona.turn(1)
        two.says(b"c\n")
        verona.visit()
        verona.turn()
        assert one.reads() == "* guest3 joined\nguest2: c"

    def test_behind(self) -> None:
        """Where it is behind, it catches up as anybody does."""
        verona = Verona()
        one = self.bare(verona)
        two, three = verona.roster(2)
        verona.turn(1)
        one.stops_reading(5)
        two.says(b"a\nb\n")
        three.says(b"c\n")
        verona.turn()
        two.says(b"d\n")
        verona.turn()
        assert verona.reading_again(one) == "guest2: a\nguest2: b\nguest3: c\nguest2: d"

    def test_slow(self) -> None:
        """Lines that it takes together are on lines of their own, however long they have waited."""
        verona = Verona()
        one = self.bare(verona)
        (two,) = verona.roster(1)
        verona.turn(1)
        one.stops_reading(5)
        for data in (b"a\n", b"b\n"):
            two.says(data)
            verona.turn(1)
        assert verona.reading_again(one) == "guest2: a\nguest2: b"

    def test_goodbye(self) -> None:
        """Its goodbye needs no end."""
        verona = Verona()
        one = self.bare(verona)
        one.reads()
        one.says(b"exit")
        verona.turn(1)
        assert one.reads() == "* goodbye"


SLOWED_DOWN = "* you send faster than 16 lines a second; the rest is delayed, not lost\n"


class RateTests:
    """Who says too much."""

    def verona(self) -> tuple[Verona, Visitor, Visitor]:
        """Return a house with two guests, who may say 16 lines a second and 64 at once."""
        verona = Verona(rate=16, burst=64)
        author, reader = verona.roster(2)
        verona.turn(64)
        return verona, author, reader

    def test_within(self) -> None:
        """Who keeps to it is not slowed."""
        verona, author, reader = self.verona()
        for start in range(0, 640, 16):
            author.says(lines(start, start + 16))
            verona.turn(1)
            assert author.transport.reading
        assert reader.reads() == numbered(0, 640)

    def test_flood(self) -> None:
        """A chunk of thousands of lines is said as fast as is allowed, without loss, and in its order."""
        verona, author, reader = self.verona()
        author.says(lines(0, 2000) + b"last")
        verona.turn()
        assert not author.transport.reading
        read = reader.reads()
        assert read == numbered(0, 64)
        seconds = 0
        while not author.transport.reading:
            verona.turn(1)
            seconds += 1
            new = reader.reads()
            assert new.count("\n") <= 32
            read += new
        assert read == numbered(0, 2000)
        assert 2000 - 64 <= seconds * 16 <= 2000
        author.says(b" words\n")
        verona.turn(1)
        assert reader.reads() == "guest1: last words\n"

    @pytest.mark.parametrize("step", [-3600.0, 3600.0])
    def test_clock_set(self, step: float) -> None:
        """A clock that is set, back or forward, mutes nobody, and says nothing in anybody's name."""
        verona, author, reader = self.verona()
        author.says(lines(0, 10))
        verona.turn()
        verona.clock.rightNow += step
        for start in range(10, 20):
            author.says(lines(start, start + 1))
            verona.turn(1)
        assert reader.reads() == numbered(0, 20)

    def test_empty_line_held(self) -> None:
        """An empty line that has to wait is a line: it is said once, and nothing is read before it is."""
        verona, author, reader = self.verona()
        author.says(lines(0, 64) + b"\n")
        assert not author.transport.reading
        verona.turn(1)
        assert reader.reads() == numbered(0, 64) + "guest1: \n"
        assert author.transport.reading

    def test_told(self) -> None:
        """It is told so once, and once more if that begins anew after it kept to the limit."""
        verona, author, _ = self.verona()
        for start in (0, 100):
            author.says(lines(start, start + 100))
            assert not author.transport.reading
            verona.clock.pump([1] * 6)
            assert author.transport.reading
        assert author.reads() == SLOWED_DOWN
        verona.turn(64)
        author.says(lines(200, 300))
        assert author.reads() == SLOWED_DOWN

    def test_command_with_tabs(self) -> None:
        """The words of a command may be separated by tabs."""
        verona, author, reader = self.verona()
        author.says(b"/nick\tmercutio\n/msg\tguest2\tcome\there\n")
        verona.turn()
        assert reader.reads().endswith("* mercutio says to you: come\there\n")

    def test_commands_count(self) -> None:
        """Commands count as lines, and keep their place."""
        verona, author, reader = self.verona()
        author.says(lines(0, 64) + b"/who\n64\n")
        assert author.reads() == SLOWED_DOWN
        verona.turn(1)
        assert author.reads() == "* 2 here: guest1, guest2\n"
        assert reader.reads() == numbered(0, 65)

    def test_no_limit(self) -> None:
        """A rate of 0 is no limit."""
        verona = Verona(rate=0)
        author, reader = verona.roster(2)
        author.says(lines(0, 5000))
        verona.turn()
        assert author.transport.reading
        assert reader.reads() == numbered(0, 5000)

    def test_gone(self) -> None:
        """Where the connection breaks meanwhile, nothing is waited for."""
        verona, author, _ = self.verona()
        author.says(lines(0, 100))
        author.transport.breaks()
        verona.settle()
        assert verona.clock.getDelayedCalls() == []

    def test_sent_away(self) -> None:
        """Who is sent away meanwhile says no more."""
        verona, author, reader = self.verona()
        author.says(lines(0, 70))
        verona.turn()
        author.handler.disconnect("enough")
        verona.turn(0.5)
        assert author.reads() == f"{SLOWED_DOWN}* enough\n"
        assert reader.reads() == numbered(0, 64) + "* guest1 left\n"

    def test_goodbye_is_heard_out(self) -> None:
        """Who says goodbye at the end of a flood is read from again, so that its closing is seen at once."""
        verona, author, _ = self.verona()
        author.says(lines(0, 70) + b"exit\n")
        verona.turn(0.5)
        assert author.transport.events == ["half close"]
        assert author.transport.reading


class StoringTests:
    """What a guest says while the disk takes its time."""

    def verona(self) -> tuple[HeldCommitter, Verona, Visitor, Visitor]:
        """Return a house with two guests, where nothing is stored before the test says so."""
        executor = HeldCommitter()
        verona = Verona(executor=executor)
        first, second = verona.roster(2)
        return executor, verona, first, second

    def test_not_before(self) -> None:
        """Nobody reads what is not stored."""
        executor, verona, author, reader = self.verona()
        author.says(b"hello\n")
        verona.turn(60)
        assert reader.reads() == ""
        executor.answer()
        assert (author.reads(), reader.reads()) == ("", "guest1: hello\n")

    def test_too_much(self) -> None:
        """Who says more than can be stored is not read from until it is, and nothing of it is lost."""
        executor, verona, author, reader = self.verona()
        count = UNSTORED_LIMIT // 1024
        said = [f"{number:04}" + "x" * 1020 for number in range(count + 1)]
        for line in said:
            assert author.transport.reading
            author.says(line.encode() + b"\n")
        assert not author.transport.reading
        verona.turn(60)
        assert not author.transport.reading
        executor.answer()
        assert author.transport.reading
        assert reader.reads().splitlines() == [f"guest1: {line}" for line in said]

    def test_refused(self) -> None:
        """Its author is told what was not stored, and is read from again; nobody else hears of it."""
        executor, verona, author, reader = self.verona()
        author.says(b"x" * 1000 + b"\n")
        author.says(b"y\n" * (UNSTORED_LIMIT // 2 + 1))
        verona.turn()
        assert not author.transport.reading
        executor.refuse()
        verona.settle()
        assert author.transport.reading
        assert author.reads() == (
            "* message not sent: the server cannot store messages now. Try again later.\n"
        )
        assert reader.reads() == ""

    def test_gone(self) -> None:
        """What somebody said who is gone since is stored and read, or neither."""
        executor, verona, author, reader = self.verona()
        author.says(b"adieu\n")
        verona.turn()
        author.transport.breaks()
        executor.answer()
        verona.settle()
        assert reader.reads() == "guest1: adieu\n* guest1 left\n"

    def test_gone_and_refused(self) -> None:
        """Where it could not be stored, the others hear of the going alone."""
        executor, verona, author, reader = self.verona()
        author.says(b"adieu\n")
        verona.turn()
        author.transport.breaks()
        executor.refuse()
        verona.settle()
        assert reader.reads() == "* guest1 left\n"


class GoodbyeTests:
    """How a guest's visit ends."""

    @pytest.mark.parametrize("data", [b"exit\n", b"EXIT\r\n", b"/quit\n", b"/exit\n"])
    def test_said(self, data: bytes) -> None:
        """The goodbye is answered, and nothing is heard after it."""
        verona = Verona()
        one, two = verona.roster(2)
        two.says(data + b"more\n")
        assert two.reads() == "* goodbye\n"
        assert two.transport.events == ["half close"]
        two.says(b"and more\n/who\n")
        two.transport.peer_closes()
        assert two.transport.events == ["half close", "close"]
        verona.settle()
        assert two.reads() == ""
        assert one.reads() == "* guest2 left\n"
        assert verona.clock.getDelayedCalls() == []

    def test_closed_by_the_peer(self) -> None:
        """An orderly close is a goodbye too; what was begun is a line."""
        verona = Verona()
        one, two = verona.roster(2)
        two.says(b"hel")
        two.transport.peer_closes()
        assert two.reads() == ""
        verona.turn()
        assert two.transport.events == ["half close", "close"]
        assert "guest2: hel\n" in one.reads()

    def test_unanswered(self) -> None:
        """Who does not close is closed after a second."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.says(b"exit\n")
        verona.turn()
        verona.turn(1)
        assert one.transport.events == ["half close", "close"]

    def test_twice(self) -> None:
        """A second goodbye changes nothing."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.handler.disconnect("enough")
        one.handler.disconnect("really")
        assert one.reads() == "* enough\n"
        assert one.transport.events == ["half close"]

    def test_never_ended_line(self) -> None:
        """Who sends 64 KiB without an end is told and closed, and nobody else hears of it."""
        verona = Verona(max_line=64)
        one, two = verona.roster(2)
        for _ in range(UNENDED_LIMIT // 1024 + 1):
            two.says(b"x" * 1024)
        assert two.reads() == (
            "* a line of more than 64 bytes was discarded\n* 65536 bytes without a line end: closed\n"
        )
        assert two.transport.events == ["half close"]
        verona.turn(1)
        assert two.transport.events == ["half close", "close"]
        verona.settle()
        assert one.reads() == "* guest2 left\n"

    def test_never_ended_line_is_no_member(self) -> None:
        """Who was closed for it has left at once, and is sent nothing more."""
        verona = Verona(max_line=64)
        _, two = verona.roster(2)
        two.says(b"x" * (UNENDED_LIMIT + 2000))
        assert list(verona.chat.members) == [1]

    def test_behind(self) -> None:
        """Who is behind is told why it is closed after the line that was begun."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(3)
        one.says(b"a\n")
        verona.turn()
        two.handler.disconnect("enough")
        assert verona.reading_again(two) == "guest1: a\n* enough\n"
        assert verona.broker._send_timeouts._blocked_since == {}

    def test_behind_gets_the_rest(self) -> None:
        """Who is a little behind is sent what was said before the goodbye, as `MemberConnection` promises."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(3)
        one.says(b"a\nb\n")
        verona.turn()
        two.handler.disconnect("enough")
        assert verona.reading_again(two) == "guest1: a\nguest1: b\n* enough\n"


class EncryptedTests:
    """A transport that has a socket, but one that only it may write to."""

    def roster(self, verona: Verona) -> tuple[Visitor, Visitor]:
        """Return a guest who comes in the clear, and one whose connection is encrypted."""
        one, two = verona.visit(), verona.visit(TlsTransport)
        verona.settle()
        one.reads()
        two.reads()
        return one, two

    def test_not_bypassed(self) -> None:
        """Everything goes through the transport."""
        verona = Verona()
        one, two = self.roster(verona)
        one.says(b"a\n")
        verona.turn()
        assert two.transport.written == b"guest1: a\n"
        assert two.reads() == "guest1: a\n"

    def test_behind(self, small_pages: None) -> None:
        """What is said while something waits is read from the log later, whole, once and in order."""
        verona = Verona()
        one, two = self.roster(verona)
        read = ""
        for start in range(0, 100, 10):
            one.says(lines(start, start + 10))
            two.says(b"mine\n")
            verona.turn()
            if start == 50:
                read += two.reads()
        for _ in range(100):
            read += two.reads()
        assert read == numbered(0, 100)

    def test_news(self) -> None:
        """News come whole too, with lines or without."""
        verona = Verona()
        one, two = self.roster(verona)
        verona.visit()
        one.says(b"a\n")
        verona.settle()
        assert two.reads() == "* guest3 joined\nguest1: a\n"

    def test_closed(self) -> None:
        """The end of an encrypted connection is a goodbye, and what was begun is a line."""
        verona = Verona()
        one, two = self.roster(verona)
        two.says(b"hel")
        two.transport.lost(ConnectionDone())
        verona.settle()
        assert sorted(one.reads().splitlines()) == ["* guest2 left", "guest2: hel"]

    def test_goodbye(self) -> None:
        """It is closed as a whole, after all was sent."""
        verona = Verona()
        _, two = self.roster(verona)
        two.says(b"exit\n")
        assert two.transport.events == ["close"]
        assert two.reads() == "* goodbye\n"


class NoiseTests:
    """Guests who send what is no text."""

    @pytest.mark.parametrize(
        "noise",
        [
            b"\x00" * 100 + b"\n",
            b"\x1b[2J\x1b]0;title\x07\n",
            b"\xff\xfe\xc3\n",
            b"a\rguest1: b\n",
            "guest1: hello\u2028guest1: b\u202e\n".encode(),
            b"\x85guest1: b\n",
        ],
    )
    def test_cleaned(self, noise: bytes) -> None:
        """Nothing that a terminal obeys reaches anybody, and no line looks like another's."""
        verona = Verona()
        one, two = verona.roster(2)
        two.says(noise)
        verona.turn()
        (line,) = one.reads().splitlines()
        assert line.startswith("guest2: ")
        assert line.replace("\t", "").isprintable()

    def test_too_long(self) -> None:
        """A line that is too long is told to its author, and the next ones are said."""
        verona = Verona(max_line=64)
        one, two = verona.roster(2)
        two.says(b"x" * 65 + b"\nshort\n")
        verona.turn()
        assert two.reads() == "* a line of more than 64 bytes was discarded\n"
        assert one.reads() == "guest2: short\n"
        assert verona.broker.counters.rejected[RejectReason.LINE] == 1


class EnteringTests:
    """Ways in."""

    @pytest.mark.parametrize("kind", [SocketTransport, TlsTransport, FakeTransport])
    def test_any_transport(self, kind: type[FakeTransport]) -> None:
        """A guest is greeted on whatever transport it comes."""
        visitor = Verona().visit(kind)
        assert visitor.reads() == WELCOME.format(visitor.name) + "* 1 here: guest1\n"


class SentTests:
    """How many lines go out."""

    def sent(self, verona: Verona) -> int:
        """Return how many lines were sent to guests."""
        return verona.broker.counters.lines_sent

    def test_each(self) -> None:
        """A line counts once for each guest who is sent it: neither its author nor who ignores that one."""
        verona = Verona()
        one, two, three, _ = verona.roster(4)
        one.says(b"a\nb\n")
        verona.turn()
        assert self.sent(verona) == 2 * 3
        three.says(b"/ignore guest1\n")
        one.says(b"c\n")
        two.says(b"d\n")
        verona.turn()
        assert self.sent(verona) == 6 + 2 + 3

    def test_no_notices(self) -> None:
        """Notices are no lines, nor is what was said before and is shown with its time."""
        verona = Verona()
        (one,) = verona.roster(1)
        one.says(b"a\n")
        verona.turn()
        verona.visit().says(b"/last\n")
        verona.settle()
        assert self.sent(verona) == 0

    def test_slow(self) -> None:
        """What waits in the log counts when it is sent; a line that was begun counts as sent."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading(14)
        one.says(b"a\nb\nc\n")
        verona.turn()
        assert (self.sent(verona), verona.chat.lagging_members) == (2, 1)
        assert verona.reading_again(two) == "guest1: a\nguest1: b\nguest1: c\n"
        assert (self.sent(verona), verona.chat.lagging_members) == (3, 0)

    def test_last_words(self) -> None:
        """What a guest who is behind is sent with the goodbye counts too."""
        verona = Verona()
        one, two = verona.roster(2)
        two.stops_reading()
        one.says(b"a\n")
        verona.turn()
        one.says(b"b\nc\n")
        verona.turn()
        two.handler.disconnect("")
        assert self.sent(verona) == 3

    def test_bare_peer(self) -> None:
        """So does what is sent to one who does not end lines."""
        verona = Verona()
        one, two = verona.roster(2)
        one.says(b"hello")
        verona.turn(1)
        two.says(b"a\nb\n")
        verona.turn()
        assert self.sent(verona) == 1 + 2
