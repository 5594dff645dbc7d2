"""Tests of `techboy.server.delivery`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.server import broker, native_input
from tests.native import Caller, NativeVerona


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """Let the log be read in small pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "PAGE_SIZE", 40)
        yield


def lines(start: int, end: int) -> str:
    """Return lines with these numbers."""
    return "\n".join(map(str, range(start, end)))


class BehindTests:
    """A guest who does not take everything at once."""

    def test_pages(self) -> None:
        """[P15] Who takes nothing is sent all of it later, from the log, in its order."""
        verona = NativeVerona()
        nurse, juliet = verona.company_of("nurse", "juliet")
        juliet.socket.room = 5
        for number in range(20):
            nurse.says(lines(10 * number, 10 * number + 10), 10 * number + 1)
            verona.turn()
        assert len(juliet.transport.written) < 1000
        juliet.socket.make_room()
        for _ in range(40):
            verona.turn()
        assert juliet.hears_said() == lines(0, 200).split("\n")

    def test_broken_off(self) -> None:
        """Who loses the connection in the middle of a frame gets all of it on the next."""
        verona = NativeVerona()
        nurse, juliet = verona.company_of("nurse", "juliet")
        juliet.socket.room = 30
        nurse.says("one\ntwo", 1)
        verona.turn()
        assert juliet.reads() == []
        juliet.transport.breaks()
        juliet = verona.hello(session="token2", log_epoch=verona.logs.id, room="lobby", last_seen_id=0)
        assert juliet.hears_said() == ["one", "two"]

    def test_stalled(self) -> None:
        """Who takes nothing for long loses the connection, and keeps its place."""
        verona = NativeVerona(stall=10)
        nurse, juliet = verona.company_of("nurse", "juliet")
        juliet.socket.room = 0
        nurse.says("one", 1)
        verona.turn()
        verona.turn(10)
        assert juliet.events == ["abort"]
        assert len(verona.chat.members) == 2

    def test_missed(self) -> None:
        """Who is so late that lines were forgotten is told how many, and up to where."""
        verona = NativeVerona(keep=1000)
        nurse, juliet = verona.company_of("nurse", "juliet")
        juliet.transport.breaks()
        for number in range(1, 11):
            nurse.says("x" * 50, number)
            verona.turn()
        juliet = verona.hello(session="token2", log_epoch=verona.logs.id, room="lobby", last_seen_id=0)
        for _ in range(20):
            verona.turn()
        _, missed, *rest = juliet.hears()
        assert missed["count"] == missed["through_id"] > 0
        assert [frame["id"] for frame in rest] == list(range(missed["through_id"] + 1, 11))

    @pytest.mark.parametrize("restarts", [True, False])
    def test_missed_at_the_end(self, restarts: bool) -> None:
        """Who is closed while it is behind is told what is gone, or it would take what follows for all."""
        verona = NativeVerona(keep=2000)
        nurse, juliet = verona.company_of("nurse", "juliet")
        juliet.socket.room = 0
        for number in range(1, 30):
            nurse.says("x" * 200, number)
            verona.turn()
        juliet.socket.room = 10**6
        if restarts:
            juliet.handler.close_for_restart()
        else:
            juliet.handler.disconnect("enough")
        verona.settle()
        first, missed, after, bye = juliet.hears()
        assert (first["id"], missed["through_id"], missed["count"]) == (1, after["id"] - 1, after["id"] - 2)
        assert after["id"] > 2
        assert bye["type"] == "bye"


class AllMissedTests:
    """A member who returns when nothing of what it missed is kept."""

    def returns(self, verona: NativeVerona, *forget: Callable[[], None]) -> tuple[Caller, Caller]:
        """Let bob lose three lines of alice's in a quiet room, and come back; return both."""
        bob, alice = verona.company_of("bob", "alice")
        for caller in (bob, alice):
            caller.sends({"type": "command", "name": "join", "args": ["quiet"]})
        verona.settle()
        bob.transport.breaks()
        alice.says("one\ntwo\nthree", 1)
        verona.turn()
        for act in forget:
            act()
        bob = verona.hello("bob", session="token1", log_epoch=verona.logs.id, room="quiet", last_seen_id=0)
        alice.reads()
        return bob, alice

    def check(self, verona: NativeVerona, bob: Caller, alice: Caller) -> None:
        """Check that bob is told once how many lines are gone, and then lives on."""
        welcome, *rest = bob.hears()
        assert (welcome["room"], welcome["after_id"], welcome["last_id"]) == ("quiet", 0, 3)
        assert rest == [{"type": "skipped", "count": 3, "through_id": 3}]
        assert not [
            call for call in verona.clock.getDelayedCalls() if call.getTime() <= verona.clock.seconds()
        ]
        alice.says("four", 4)
        verona.turn()
        assert [(frame["id"], frame["text"]) for frame in bob.hears()] == [(4, "four")]

    def test_busy_room(self) -> None:
        """A busy room has used up the memory of a quiet one."""
        verona = NativeVerona(keep=2000)

        def flood() -> None:
            [carol] = verona.company_of("carol")
            for number in range(1, 20):
                carol.says("x" * 200, number)
                verona.turn()

        self.check(verona, *self.returns(verona, flood))

    def test_too_old(self) -> None:
        """What was said is older than is kept."""
        verona = NativeVerona()
        self.check(verona, *self.returns(verona, lambda: verona.broker.prune(verona.wall() + 1, 0)))


class OffsetTests:
    """What is delivered follows the offset of the one to whom it is."""

    def test_entered_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A member who enters when a message is stored, and not delivered yet, is not sent it twice."""
        monkeypatch.setattr(native_input, "UNSTORED_LIMIT", 2)
        verona = NativeVerona()
        bob, alice = verona.company_of("bob", "alice")
        bob.sends({"type": "command", "name": "join", "args": ["quiet"]})
        verona.settle()
        bob.reads()
        bob.sends(
            {"type": "message", "kind": "text", "text": "going back", "seq": 1},
            {"type": "command", "name": "join", "args": ["lobby"]},
        )
        alice.says("hello", 1)
        verona.turn()
        frames = bob.hears()
        [after] = [frame["after_id"] for frame in frames if frame["type"] == "room_changed"]
        assert after == 1 or [frame["id"] for frame in frames if frame["type"] == "message"] == [1]
        assert len([frame for frame in frames if frame["type"] == "message"]) <= 1

    @pytest.mark.parametrize("offset", [0, 1, 2, 3])
    def test_any(self, offset: int) -> None:
        """Whatever the offset is, what follows it is sent, and nothing else."""
        verona = NativeVerona()
        bob, alice = verona.company_of("bob", "alice")
        alice.says("one\ntwo", 1)
        verona.turn()
        bob.reads()
        alice.says("three", 3)
        bob.handler.offset = offset
        verona.turn()
        verona.turn()
        assert bob.hears_said() == ["one", "two", "three"][offset:]

    def test_seen_never_goes_back(self) -> None:
        """A member who has read on tells of less: the offset stays."""
        verona = NativeVerona()
        bob, alice = verona.company_of("bob", "alice")
        alice.says("one\ntwo", 1)
        verona.turn()
        for seen in (2, 1):
            bob.sends({"type": "ping", "number": 1, "last_seen_id": seen, "room": "lobby"})
        session = bob.handler.member.session
        assert session is not None
        assert session.seen == 2


STEP = st.one_of(
    st.tuples(st.just("says"), st.integers(1, 5)),
    st.tuples(st.just("takes"), st.integers(0, 150)),
    st.tuples(st.just("speaks"), st.integers(1, 3)),
    st.tuples(st.just("returns"), st.just(0)),
)


class AnyRoomTests:
    """Whatever is taken, and whenever."""

    @given(st.lists(STEP, max_size=40))
    def test_any(self, steps: list[tuple[str, int]]) -> None:
        """Every line arrives once, in order, with its id; those of a frame cut off come with the next."""
        verona = NativeVerona()
        nurse, reader = verona.company_of("nurse", "reader")
        reader.socket.room = 0
        said, own, heard = 0, 0, [(0, "")]
        for what, size in [*steps, ("returns", 0), ("takes", 10**6)]:
            match what:
                case "says":
                    nurse.says(lines(said, said + size), said + 1)
                    said += size
                case "speaks":
                    reader.says(lines(own, own + size), own + 1)
                    own += size
                case "takes":
                    reader.socket.make_room(size)
                case "returns":
                    note(reader, heard)
                    reader.transport.breaks()
                    known = {"session": "token2", "log_epoch": verona.logs.id, "room": "lobby"}
                    reader = verona.hello("reader", **known, last_seen_id=heard[-1][0])
                    reader.socket.room = 0
            verona.turn()
        for _ in range(20 + said):
            verona.turn()
        note(reader, heard)
        stored = [
            (batch.first + number, line)
            for batch in verona.chat.lobby.log.read(0, 10**6)
            if batch.author == "nurse"
            for number, line in enumerate(batch.text.split("\n"))
        ]
        assert heard[1:] == stored
        assert [line for _, line in stored] == lines(0, said).split("\n")[: said or 0]


def note(reader: Caller, heard: list[tuple[int, str]]) -> None:
    """Write down the lines, with their ids, that came in whole frames."""
    for frame in reader.reads():
        if frame["type"] == "message":
            heard += list(enumerate(frame["text"].split("\n"), frame["id"]))
