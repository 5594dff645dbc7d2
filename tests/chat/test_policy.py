"""Tests of what a policy changes for members of a room."""

from __future__ import annotations

import pytest

from techboy.chat.policy import DIRECT, ROOMS
from techboy.chat.server import ServerConfig
from tests.chat.fakes import FakeHouse


@pytest.fixture
def direct() -> FakeHouse:
    """Give a server in direct mode."""
    return FakeHouse(ServerConfig(policy=DIRECT))


class DirectTests:
    """The policy of direct mode."""

    def test_commands(self, direct: FakeHouse) -> None:
        """There is one room, so nothing leads to another, and all else can be done."""
        host, _ = direct.comes(host=True)
        juliet, _ = direct.comes("juliet")
        for member in (host, juliet):
            offered = {line.split()[0] for line in direct.run_command(member, "help")}
            assert {"/who", "/me", "/quit", "/last", "/nick"} <= offered
            assert not {"/join", "/part", "/rooms", "/topic"} & offered
            assert direct.run_command(member, "join verona")[0].startswith("unknown command /join")

    def test_presence(self, direct: FakeHouse) -> None:
        """No member is told who comes and goes, but it can be written down, and a new name is told."""
        room = direct.lobby
        juliet, _ = direct.comes("juliet")
        (segment,) = room.take_pending()
        assert (segment.news.notices_for(), segment.news.recorded()) == ([], ["juliet joined"])
        direct.rename(juliet, "rosaline")
        assert direct.news() == ["juliet is now rosaline"]
        direct.leave(juliet)
        (segment,) = room.take_pending()
        assert (segment.news.notices_for(), segment.news.recorded()) == ([], ["rosaline left"])

    def test_greeting(self, direct: FakeHouse) -> None:
        """The operator is greeted, who may come by the admin socket; the client is not."""
        host, _ = direct.comes(host=True)
        juliet, _ = direct.comes("juliet")
        assert direct.greeting(juliet) == direct.greeting(juliet, resumed=True) == []
        assert direct.greeting(host)[0].startswith("welcome to lobby, romeo")
        assert direct.greeting(host, resumed=True) == ["2 here: romeo, juliet"]
        assert (direct.policy_of(host), direct.policy_of(juliet)) == (ROOMS, DIRECT)

    def test_history(self, direct: FakeHouse) -> None:
        """A client sees what was said since it came, the operator sees all."""
        host, way = direct.comes(host=True)
        direct.post(host, "one\ntwo")
        direct.store()
        juliet, hers = direct.comes("juliet")
        juliet.since = 2
        assert direct.run_command(juliet, "last") == ["there are no messages yet"]
        direct.post(juliet, "three")
        direct.store()
        for member, connection, lines in ((juliet, hers, ["three"]), (host, way, ["one\ntwo", "three"])):
            assert direct.run_command(member, "last 9") == []
            assert ("recall", lines) in connection.events
