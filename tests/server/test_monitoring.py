"""Tests of `techboy.server.monitoring`, and of what it shows: `techboy.server.metrics_server`."""

from __future__ import annotations

import sys

import pytest

from techboy import exit_status
from techboy.ops.reactor_lag import INTERVAL
from techboy.server.monitored import MonitoredServer
from techboy.server.monitoring import MonitoredListener
from tests.native import NativeVerona
from tests.ops.test_metrics_site import answer_of
from tests.programs import FakeReactor


class Scene:
    """A house that is watched at ``endpoint``."""

    def __init__(self, endpoint: str) -> None:
        self.reactor, self.verona = FakeReactor(), NativeVerona()
        self.announced: list[str] = []
        self.trouble: str | None = None
        self.watched = MonitoredServer(self.verona.chat, self.verona.broker, list, lambda: self.trouble)
        self.watch = MonitoredListener(
            self.reactor,
            self.verona.wall,
            endpoint,
            self.watched,
            self.announced.append,
            self.announced.append,
        )

    def start(self) -> Scene:
        """Begin to watch, and say where."""
        self.watch.startService()
        self.watch.announced()
        return self

    def asks(self, path: bytes) -> tuple[bytes, bytes]:
        """Return the first line and the body of what is answered."""
        return answer_of(self.reactor.tcpServers[0][1], path)


class WatchTests:
    """A house that is watched."""

    def test_metrics(self) -> None:
        """Its figures are told, with how long storing took since the start."""
        scene = Scene("tcp:9190").start()
        scene.verona.roster(1)[0].says(b"hello\n")
        scene.verona.turn()
        first, body = scene.asks(b"/metrics")
        assert first == b"HTTP/1.1 200 OK"
        assert b"\ntechboy_members 1.0\n" in body
        assert b"\ntechboy_commit_duration_seconds_count 1.0\n" in body

    def test_lag(self) -> None:
        """How late the reactor is, is measured all the time."""
        scene = Scene("tcp:9190").start()
        scene.reactor.advance(INTERVAL + 3)
        assert b"\ntechboy_reactor_lag_max_seconds 3.0\n" in scene.asks(b"/metrics")[1]

    def test_health(self) -> None:
        """Whether it is well is told as it is at the moment."""
        scene = Scene("tcp:9190").start()
        assert scene.asks(b"/healthz") == (b"HTTP/1.1 200 OK", b"ok\n")
        scene.trouble = "leaving"
        assert scene.asks(b"/healthz") == (b"HTTP/1.1 503 Service Unavailable", b"leaving\n")

    def test_stopped(self) -> None:
        """When it is stopped nothing is measured any more."""
        scene = Scene("tcp:9190").start()
        assert scene.announced == ["0.0.0.0:9190"]
        assert scene.watch.stopService().called
        assert scene.reactor.getDelayedCalls() == []


class MissingTests:
    """Without prometheus-client."""

    @pytest.fixture(autouse=True)
    def missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let it be as if it were not installed."""
        monkeypatch.delitem(sys.modules, "techboy.server.metrics", raising=False)
        monkeypatch.setitem(sys.modules, "prometheus_client", None)

    def test_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Who asks for metrics is told in one line what to install."""
        with pytest.raises(SystemExit) as ended:
            Scene("tcp:9190")
        assert ended.value.code == exit_status.CONFIG
        told = "romeo: --metrics needs prometheus-client: pip install 'techboy[metrics]'\n"
        assert capsys.readouterr().err == told
