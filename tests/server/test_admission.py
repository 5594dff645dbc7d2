"""Tests of `techboy.server.admission`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.counters import Counters, RejectReason
from techboy.server.admission import MIN_PENDING, PendingConnection, PendingConnections
from tests.journals import written


class Port:
    """The strangers of a port, and how many were welcomed."""

    def __init__(self, most: int = MIN_PENDING) -> None:
        self.counters, self.welcomed = Counters(), 0
        self.strangers = PendingConnections(most, self.counters)

    def come(self) -> PendingConnection | None:
        return self.strangers.open(self._welcome)

    def comes(self) -> PendingConnection:
        """Return the place of a connection that is not refused."""
        pending = self.come()
        assert pending is not None
        return pending

    def _welcome(self) -> None:
        self.welcomed += 1

    @property
    def refused(self) -> int:
        return self.counters.rejected[RejectReason.PENDING]


class StrangersTests:
    """How many connections wait to be welcomed."""

    def test_most(self) -> None:
        """No more than the most; one who is welcomed, or gone, makes room."""
        port = Port(12)
        one, other, *_ = [port.comes() for _ in range(12)]
        assert (port.come(), port.refused) == (None, 1)
        one.welcomed()
        assert (port.welcomed, len(port.strangers)) == (1, 11)
        other.closed()
        assert [port.come() is None for _ in range(3)] == [False, False, True]
        assert port.counters.connections == 16

    def test_least(self) -> None:
        """A server of few members takes some all the same."""
        port = Port(1)
        assert [port.come() is None for _ in range(MIN_PENDING + 1)] == [False] * MIN_PENDING + [True]

    def test_unwelcome(self) -> None:
        """One that was welcomed in another dialect is counted again until it is welcomed in its own."""
        port = Port()
        pending = port.comes()
        pending.welcomed()
        pending.reset()
        assert len(port.strangers) == 1
        pending.welcomed()
        pending.closed()
        assert (len(port.strangers), port.welcomed) == (0, 2)

    def test_storing(self) -> None:
        """The place of one that is gone stays taken until nothing waits to be stored for it."""
        port = Port()
        pending = port.comes()
        pending.hold()
        pending.closed()
        assert len(port.strangers) == 1
        pending.release()
        assert len(port.strangers) == 0

    def test_log(self) -> None:
        """A crowd is written once when it begins, and once when it is over, with how many were refused."""
        with written() as log:
            port = Port()
            here = [port.comes() for _ in range(MIN_PENDING)]
            for _ in range(100):
                port.come()
            for pending in here:
                pending.closed()
            port.comes().closed()
        assert log.texts == [
            f"connections are refused: {MIN_PENDING} are not welcomed yet",
            "connections are accepted again; 100 were refused",
        ]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["come", "welcomed", "closed", "storing", "stored"]), st.integers(0, 30)
            )
        )
    )
    def test_bound(self, events: list[tuple[str, int]]) -> None:
        """Whatever they do, there are never more than the most, and none is left when all are gone."""
        port, here, storing = Port(), list[PendingConnection](), list[PendingConnection]()
        for event, number in events:
            if event == "come":
                here += filter(None, [port.come()])
            elif event == "stored" and storing:
                storing.pop(number % len(storing)).release()
            elif event == "storing" and here:
                storing.append(here[number % len(here)])
                storing[-1].hold()
            elif event in ("welcomed", "closed") and here:
                pending = here.pop(number % len(here))
                if event == "welcomed":
                    pending.welcomed()
                pending.closed()
            assert len(port.strangers) <= MIN_PENDING
        for pending in here:
            pending.closed()
        for pending in storing:
            pending.release()
        assert len(port.strangers) == 0
