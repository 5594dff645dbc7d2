"""Tests of `techboy.server.metrics`."""

from __future__ import annotations

import platform
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from techboy import __version__
from techboy.chat.counters import RejectReason
from techboy.ops.histogram import Histogram
from techboy.ops.reactor_lag import INTERVAL, ReactorLagMonitor
from techboy.server.detect import WireProtocol
from techboy.server.metrics import CONTENT_TYPE, MetricsCollector
from techboy.server.monitored import MonitoredServer
from tests.native import HeldCommitter, NativeVerona

OURS = {
    "techboy_connections": "gauge",
    "techboy_connections_opened": "counter",
    "techboy_members": "gauge",
    "techboy_rooms": "gauge",
    "techboy_members_lagging": "gauge",
    "techboy_lines_pending": "gauge",
    "techboy_lines": "counter",
    "techboy_lines_stored": "counter",
    "techboy_lines_deduplicated": "counter",
    "techboy_sessions_resumed": "counter",
    "techboy_build_info": "gauge",
    "techboy_bytes": "counter",
    "techboy_lines_rejected": "counter",
    "techboy_frames_rejected": "counter",
    "techboy_connections_rejected": "counter",
    "techboy_commit_duration_seconds": "histogram",
    "techboy_reactor_lag_max_seconds": "gauge",
}


class Scene:
    """A house, and its figures as Prometheus reads them."""

    def __init__(self) -> None:
        self.executor = HeldCommitter(prompt=True)
        self.verona = NativeVerona(executor=self.executor)
        self.spoken: list[WireProtocol] = []
        self.commits, self.clock = Histogram(), Clock()
        self.lag = ReactorLagMonitor(self.clock)
        watched = MonitoredServer(self.verona.chat, self.verona.broker, lambda: self.spoken, lambda: None)
        self.figures = MetricsCollector(watched, self.commits, self.lag)

    def read(self, name: str, **labels: str) -> float:
        """Return one figure."""
        for family in text_string_to_metric_families(self.figures.text().decode()):
            for sample in family.samples:
                if (sample.name, sample.labels) == (name, labels):
                    return sample.value
        raise AssertionError(f"there is no {name} {labels}")


class FiguresTests:
    """What Prometheus is told."""

    def test_names(self) -> None:
        """Every figure has its name, kind and a sentence, whatever has happened so far."""
        text = Scene().figures.text().decode()
        families = [each for each in text_string_to_metric_families(text) if each.name.startswith("techboy_")]
        assert {family.name: family.type for family in families} == OURS
        assert all(family.documentation.endswith(".") for family in families)
        assert CONTENT_TYPE.startswith("text/plain;")

    def test_apart(self) -> None:
        """Two houses in one process do not meet: nothing is registered for all."""
        one, two = Scene(), Scene()
        one.verona.roster(2)
        assert (one.read("techboy_members"), two.read("techboy_members")) == (2, 0)

    @pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
    def test_process(self) -> None:
        """What the process takes of the machine is told too."""
        assert Scene().read("process_resident_memory_bytes") > 0

    def test_connections(self) -> None:
        """Open connections are told by what they speak."""
        scene = Scene()
        scene.spoken = [WireProtocol.PLAIN, WireProtocol.NATIVE, WireProtocol.PLAIN]
        told = {kind: scene.read("techboy_connections", protocol=kind.value) for kind in WireProtocol}
        assert told == {WireProtocol.UNKNOWN: 0, WireProtocol.PLAIN: 2, WireProtocol.NATIVE: 1}
        scene.verona.broker.counters.connections = 5
        assert scene.read("techboy_connections_opened_total") == 5

    def test_present(self) -> None:
        """Who is in the house, who has not been sent everything, and rooms."""
        scene = Scene()
        one, two = scene.verona.roster(2)
        two.stops_reading()
        for data in (b"hello\n", b"are you there?\n", b"/join garden\n"):
            one.says(data)
            scene.verona.settle()
        told = [scene.read(f"techboy_{name}") for name in ("members", "rooms", "members_lagging")]
        assert told == [2, 2, 1]

    def test_lines(self) -> None:
        """Lines that were said, stored and sent."""
        scene = Scene()
        one, _, _ = scene.verona.roster(3)
        one.says(b"a\nb\n")
        scene.verona.turn()
        scene.executor.prompt = False
        one.says(b"c\n")
        scene.verona.turn()
        one.says(b"d\ne\n")
        assert scene.read("techboy_lines_total", direction="in") == 3
        assert scene.read("techboy_lines_total", direction="out") == 4
        assert scene.read("techboy_lines_stored_total") == 2
        assert scene.read("techboy_lines_pending") == 3

    def test_returns(self) -> None:
        """Who came back, and what came twice."""
        scene = Scene()
        [juliet] = scene.verona.company_of("juliet")
        juliet.says("one\ntwo", 1)
        juliet.transport.breaks()
        again = scene.verona.hello(session="token1")
        again.says("one\ntwo", 1)
        scene.verona.turn()
        assert scene.read("techboy_sessions_resumed_total") == 1
        assert scene.read("techboy_lines_deduplicated_total") == 2

    def test_refused(self) -> None:
        """What was refused, by each of the reasons."""
        scene = Scene()
        scene.verona.broker.counters.reject(RejectReason.GAP, 5)
        told = {
            why: scene.read(f"techboy_{why.what.name.lower()}_rejected_total", reason=why.value)
            for why in RejectReason
        }
        assert told == {**dict.fromkeys(RejectReason, 0), RejectReason.GAP: 5}

    def test_build(self) -> None:
        """The versions are labels of a metric that is always 1."""
        python = platform.python_version()
        assert Scene().read("techboy_build_info", version=__version__, python=python) == 1

    def test_bytes(self) -> None:
        """Bytes are counted when they arrive, and when they are written to a member."""
        scene = Scene()
        one, two = scene.verona.roster(2)
        before = scene.verona.broker.counters.bytes_sent
        one.says(b"hello\n")
        scene.verona.settle()
        sent = scene.read("techboy_bytes_total", direction="out") - before
        assert sent == len(one.reads() + two.reads())
        assert sent > 0

    def test_commits(self) -> None:
        """How long storing took: each bound counts what took no longer."""
        scene = Scene()
        for seconds in (0.0004, 0.002, 0.002, 60):
            scene.commits.add(seconds)
        assert scene.read("techboy_commit_duration_seconds_bucket", le="0.0005") == 1
        assert scene.read("techboy_commit_duration_seconds_bucket", le="0.0025") == 3
        assert scene.read("techboy_commit_duration_seconds_bucket", le="+Inf") == 4
        assert scene.read("techboy_commit_duration_seconds_count") == 4
        assert scene.read("techboy_commit_duration_seconds_sum") == pytest.approx(60.0044)

    def test_lag(self) -> None:
        """How late the reactor was."""
        scene = Scene()
        scene.lag.start()
        scene.clock.advance(INTERVAL + 1.5)
        assert scene.read("techboy_reactor_lag_max_seconds") == 1.5

    def test_nobody_is_named(self) -> None:
        """No name, text, address or room of anybody is told."""
        scene = Scene()
        juliet, nurse = scene.verona.company_of("juliet", "nurse")
        juliet.sends({"type": "command", "name": "join", "args": ["balcony"]})
        nurse.says("a secret", 1)
        scene.verona.settle()
        text = scene.figures.text().decode()
        for word in ("juliet", "nurse", "balcony", "secret", "127.0.0.1", "33770"):
            assert word not in text
