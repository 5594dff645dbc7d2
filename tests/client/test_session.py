"""Tests of `techboy.client.session`."""

from __future__ import annotations

from techboy.client.session import ClientSession, MemorySessionStore
from techboy.storage.client_store import ClientState


def known(seen: int = 0) -> ClientSession:
    """Return a client's session, in which lines up to ``seen`` were shown."""
    memory = MemorySessionStore()
    memory.save_session(ClientState("token", "log", "lobby", seen, "juliet"))
    return ClientSession(memory)


class ReceiveTests:
    """Lines that arrive, perhaps again."""

    def test_new(self) -> None:
        """Lines that had not arrived are returned as they are, empty ones too."""
        session = known(seen=5)
        assert session.receive(6, 7, "one\ntwo") == (6, "one\ntwo")
        assert session.receive(8, 8, "") == (8, "")
        assert session.received == 8

    def test_again(self) -> None:
        """Lines that had arrived are left out."""
        session = known(seen=5)
        assert session.receive(4, 5, "four\nfive") is None
        assert session.receive(4, 7, "four\nfive\nsix\nseven") == (6, "six\nseven")
        assert session.received == 7


class ClientSessionTests:
    """What Juliet knows."""

    def test_first(self) -> None:
        """At first there is no session; after a welcome there is, from where it begins."""
        client_session = ClientSession(MemorySessionStore())
        assert not client_session.exists
        assert not client_session.welcomed("token", "log", "lobby", "juliet", 4)
        assert client_session.exists
        assert client_session.known == ClientState("token", "log", "lobby", 4, "juliet")
        assert client_session.received == 4

    def test_again(self) -> None:
        """In the same session and log, what came and was shown stays so."""
        client_session = known(seen=5)
        client_session.received = 8
        assert client_session.welcomed("token", "log", "lobby", "juliet2", 8)
        assert (client_session.received, client_session.known.seen, client_session.known.name) == (
            8,
            5,
            "juliet2",
        )

    def test_shorter_log(self) -> None:
        """Where the log went back to an earlier copy of itself, the ids that come again are new."""
        client_session = known(seen=5)
        client_session.received = 8
        assert client_session.welcomed("token", "log", "lobby", "juliet", 3)
        assert (client_session.received, client_session.known.seen) == (3, 3)

    def test_other_log(self) -> None:
        """In another log, or another session, ids mean nothing any more."""
        for session, log in (("token", "other"), ("other", "log")):
            client_session = known(seen=5)
            assert not client_session.welcomed(session, log, "lobby", "juliet", 2)
            assert (client_session.received, client_session.known.seen) == (2, 2)

    def test_other_room(self) -> None:
        """In another room the session is the same, and the ids are that room's."""
        client_session = known(seen=5)
        assert client_session.welcomed("token", "log", "garden", "juliet", 2)
        assert (client_session.received, client_session.known.seen, client_session.known.room) == (
            2,
            2,
            "garden",
        )

    def test_moved(self) -> None:
        """After a move, too."""
        client_session = known(seen=5)
        client_session.moved("garden", 1)
        assert client_session.known == ClientState("token", "log", "garden", 1, "juliet")
        assert client_session.received == 1

    def test_shown(self) -> None:
        """What came is remembered when it was shown, not before; and once."""
        client_session = known(seen=5)
        client_session.received = 7
        assert client_session.known.seen == 5
        client_session.shown()
        assert client_session.known.seen == 7

    def test_kept(self) -> None:
        """What was shown in an earlier run is where this one begins."""
        assert known(seen=5).received == 5
