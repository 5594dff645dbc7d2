"""Tests of `techboy.chat.acquaintance`."""

from __future__ import annotations

from techboy.chat.acquaintance import Acquaintance, Forgetful
from techboy.storage.client_store import Known


def known(seen: int = 0) -> Acquaintance:
    """Return an acquaintance with a session, in which lines up to ``seen`` were shown."""
    memory = Forgetful()
    memory.know(Known("token", "log", "lobby", seen, "juliet"))
    return Acquaintance(memory)


class AcquaintanceTests:
    """What Juliet knows."""

    def test_first(self) -> None:
        """At first there is no session; after a welcome there is, from where it begins."""
        acquaintance = Acquaintance(Forgetful())
        assert not acquaintance.exists
        assert not acquaintance.welcomed("token", "log", "lobby", "juliet", 4)
        assert acquaintance.exists
        assert acquaintance.known == Known("token", "log", "lobby", 4, "juliet")
        assert acquaintance.received == 4

    def test_again(self) -> None:
        """In the same session and log, what came and was shown stays so."""
        acquaintance = known(seen=5)
        acquaintance.received = 8
        assert acquaintance.welcomed("token", "log", "lobby", "juliet2", 8)
        assert (acquaintance.received, acquaintance.known.seen, acquaintance.known.name) == (8, 5, "juliet2")

    def test_shorter_log(self) -> None:
        """Where the log went back to an earlier copy of itself, the ids that come again are new."""
        acquaintance = known(seen=5)
        acquaintance.received = 8
        assert acquaintance.welcomed("token", "log", "lobby", "juliet", 3)
        assert (acquaintance.received, acquaintance.known.seen) == (3, 3)

    def test_other_log(self) -> None:
        """In another log, or another session, ids mean nothing any more."""
        for session, log in (("token", "other"), ("other", "log")):
            acquaintance = known(seen=5)
            assert not acquaintance.welcomed(session, log, "lobby", "juliet", 2)
            assert (acquaintance.received, acquaintance.known.seen) == (2, 2)

    def test_other_room(self) -> None:
        """In another room the session is the same, and the ids are that room's."""
        acquaintance = known(seen=5)
        assert acquaintance.welcomed("token", "log", "garden", "juliet", 2)
        assert (acquaintance.received, acquaintance.known.seen, acquaintance.known.room) == (2, 2, "garden")

    def test_moved(self) -> None:
        """After a move, too."""
        acquaintance = known(seen=5)
        acquaintance.moved("garden", 1)
        assert acquaintance.known == Known("token", "log", "garden", 1, "juliet")
        assert acquaintance.received == 1

    def test_shown(self) -> None:
        """What came is remembered when it was shown, not before; and once."""
        acquaintance = known(seen=5)
        acquaintance.received = 7
        assert acquaintance.known.seen == 5
        acquaintance.shown()
        assert acquaintance.known.seen == 7

    def test_kept(self) -> None:
        """What was shown in an earlier run is where this one begins."""
        assert known(seen=5).received == 5
