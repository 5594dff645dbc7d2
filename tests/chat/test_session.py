"""Tests of `techboy.chat.session`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from techboy.chat.session import Numbering, Session, digest_of
from techboy.storage.interface import SessionRecord

RECORD = SessionRecord(7, digest_of("token"), "juliet", 5, "lobby", 3, 9.0)


class SessionTests:
    """What a session counts."""

    def test_record(self) -> None:
        """What was stored of a session comes back as it was."""
        assert Session(RECORD).record() == RECORD

    def test_token(self) -> None:
        """The token is not kept, and another has another digest."""
        assert digest_of("token") != digest_of("Token")
        assert b"token" not in digest_of("token")

    def test_in_order(self) -> None:
        """Lines that are expected are new, and are counted when they are stored."""
        session = Session(RECORD)
        assert session.accept(5, 2) == 0
        assert (session.next, session.record().next) == (5, 7)
        session.mark_stored(7)
        assert session.next == 7

    def test_again(self) -> None:
        """Lines that are stored, or about to be, are known; those that follow are new."""
        session = Session(RECORD)
        session.accept(5, 2)
        assert session.accept(3, 2) == 2
        assert session.accept(4, 4) == 3
        assert session.accept(8, 1) == 0

    def test_gap(self) -> None:
        """Lines after some that never came are not taken, and change nothing."""
        session = Session(RECORD)
        assert session.accept(6, 1) is Numbering.GAP
        assert session.record() == RECORD

    def test_refused(self) -> None:
        """What could not be stored is expected once more."""
        session = Session(RECORD)
        session.accept(5, 2)
        session.reset_accepted()
        assert session.record() == RECORD
        assert session.accept(5, 1) == 0

    def test_stored_before(self) -> None:
        """What is stored stays so, in whichever order it is told."""
        session = Session(RECORD)
        session.accept(5, 2)
        session.mark_stored(7)
        session.mark_stored(6)
        assert session.next == 7

    @given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4))))
    def test_any(self, sent: list[tuple[int, int]]) -> None:
        """However lines come, those that are taken are all the lines up to one, each once."""
        session = Session(SessionRecord(1, b"", "juliet", 1, "lobby", 0, 0.0))
        taken: list[int] = []
        for seq, lines in sent:
            known = session.accept(seq, lines)
            if known is not Numbering.GAP:
                taken += range(seq + known, seq + lines)
        assert taken == list(range(1, session.accepted))
