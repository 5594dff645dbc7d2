"""The metrics of a server for Prometheus, read when a page is requested. They contain no names."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from techboy import __version__
from techboy.chat.counters import Rejected
from techboy.ops.histogram import Histogram
from techboy.ops.reactor_lag import ReactorLagMonitor
from techboy.server.detect import WireProtocol
from techboy.server.monitored import MonitoredServer

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The content type of `MetricsCollector.text`."""


class MetricsCollector(Collector):
    """The metrics of a server; ``commits`` holds the commit durations, and ``lag`` the lag of the reactor."""

    def __init__(self, monitored: MonitoredServer, commits: Histogram, lag: ReactorLagMonitor) -> None:
        self._monitored, self._commits, self._lag = monitored, commits, lag
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # collects nothing without /proc

    def text(self) -> bytes:
        """Return all metrics, with those of the process, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now."""
        yield self._build_info()
        yield self._connections()
        yield from self._present()
        yield from self._counted()
        yield from self._rejected()
        yield self._commit_seconds()
        yield GaugeMetricFamily(
            "techboy_reactor_lag_max_seconds",
            "Longest delay of a timer of the reactor within the last 15 seconds.",
            self._lag.seconds,
        )

    def _build_info(self) -> Metric:
        family = GaugeMetricFamily(
            "techboy_build_info",
            "Versions of the server and of Python; the value is always 1.",
            labels=["version", "python"],
        )
        family.add_metric([__version__, platform.python_version()], 1)
        return family

    def _connections(self) -> Metric:
        by_protocol = Counter(self._monitored.connections())
        family = GaugeMetricFamily(
            "techboy_connections",
            "Open connections by protocol, without those at the admin socket.",
            labels=["protocol"],
        )
        for kind in WireProtocol:
            family.add_metric([kind.value], by_protocol[kind])
        return family

    def _present(self) -> Iterable[Metric]:
        chat, broker = self._monitored.chat, self._monitored.broker
        yield GaugeMetricFamily(
            "techboy_members",
            "Members, including those that lost their connection and may resume.",
            len(chat.members),
        )
        yield GaugeMetricFamily("techboy_rooms", "Rooms, including the lobby.", len(chat.rooms))
        yield GaugeMetricFamily(
            "techboy_members_lagging",
            "Connected members that have not been sent all messages of their room.",
            chat.lagging_members,
        )
        yield GaugeMetricFamily(
            "techboy_lines_pending", "Lines that were received and are not stored yet.", broker.pending_lines
        )

    def _counted(self) -> Iterable[Metric]:
        counters = self._monitored.broker.counters
        yield CounterMetricFamily(
            "techboy_connections_opened",
            "Connections accepted, including those at the admin socket and those rejected afterwards.",
            counters.connections,
        )
        yield _by_direction(
            "techboy_bytes",
            "Bytes received from clients (in), counted as they arrive,"
            " and bytes written to sockets of members (out).",
            counters.bytes_received,
            counters.bytes_sent,
        )
        yield _by_direction(
            "techboy_lines",
            "Lines handed over to the storage (in), and lines written, once for each member (out).",
            counters.lines_received,
            counters.lines_sent,
        )
        yield CounterMetricFamily(
            "techboy_lines_stored", "Lines stored, counted after the commit.", counters.lines_stored
        )
        yield CounterMetricFamily(
            "techboy_lines_deduplicated", "Duplicate lines received and discarded.", counters.duplicates
        )
        yield CounterMetricFamily(
            "techboy_sessions_resumed", "Sessions resumed by a new connection.", counters.sessions_resumed
        )

    def _rejected(self) -> Iterable[Metric]:
        for what, (name, help_text) in _REJECTED.items():
            family = CounterMetricFamily(name, help_text, labels=["reason"])
            for why, count in self._monitored.broker.counters.rejected.items():
                if why.what is what:
                    family.add_metric([why.value], count)
            yield family

    def _commit_seconds(self) -> Metric:
        buckets = [(_bound(bound), float(count)) for bound, count in self._commits.cumulative_counts]
        return HistogramMetricFamily(
            "techboy_commit_duration_seconds",
            "Time from handing a group of lines to the storage until it is stored or has failed.",
            buckets=buckets,
            sum_value=self._commits.total,
        )


_REJECTED = {
    Rejected.LINES: ("techboy_lines_rejected", "Lines not accepted, or not stored, by reason."),
    Rejected.FRAMES: ("techboy_frames_rejected", "Frames not accepted, by reason."),
    Rejected.CONNECTIONS: (
        "techboy_connections_rejected",
        "Connections of clients that were not admitted, by reason, counted when they are told.",
    ),
}


def _by_direction(name: str, help_text: str, received: int, sent: int) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=["direction"])
    family.add_metric(["in"], received)
    family.add_metric(["out"], sent)
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else str(seconds)
