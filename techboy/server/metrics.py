"""The house in figures, for Prometheus. They are read when they are asked for; nobody is named in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from techboy.ops.histogram import Durations
from techboy.ops.reactor_lag import Lag
from techboy.server.detect import Spoken
from techboy.server.monitored import Watched

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""What kind of text `Figures.text` is."""


class Figures(Collector):
    """The figures of a house; ``commits``: how long storing took, ``lag``: how late the reactor was."""

    def __init__(self, watched: Watched, commits: Durations, lag: Lag) -> None:
        self._watched, self._commits, self._lag = watched, commits, lag
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # where there is no /proc it has nothing to tell

    def text(self) -> bytes:
        """Return all figures, and those of the process, in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the figures as they are now."""
        yield self._connections()
        yield from self._present()
        yield from self._counted()
        yield self._commit_seconds()
        yield GaugeMetricFamily(
            "techboy_reactor_lag_seconds",
            "Most seconds by which the reactor was late within the last 15.",
            self._lag.seconds,
        )

    def _connections(self) -> Metric:
        spoken = Counter(self._watched.connections())
        family = GaugeMetricFamily(
            "techboy_connections", "Open connections, by what they speak.", labels=["dialect"]
        )
        for kind in Spoken:
            family.add_metric([kind.value], spoken[kind])
        return family

    def _present(self) -> Iterable[Metric]:
        house, hall = self._watched.house, self._watched.hall
        yield GaugeMetricFamily(
            "techboy_members", "Who is in the house, those included who may be back soon.", len(house.members)
        )
        yield GaugeMetricFamily("techboy_rooms", "Rooms, the lobby included.", len(house.rooms))
        yield GaugeMetricFamily(
            "techboy_lagging_members", "Members who have not been sent all that was said.", house.lagging
        )
        yield GaugeMetricFamily(
            "techboy_waiting_lines", "Lines that were said and are not stored yet.", hall.waiting
        )

    def _counted(self) -> Iterable[Metric]:
        tally = self._watched.hall.tally
        lines = CounterMetricFamily(
            "techboy_lines", "Lines said (in), and sent, once for each guest (out).", labels=["direction"]
        )
        lines.add_metric(["in"], tally.said)
        lines.add_metric(["out"], tally.sent)
        yield lines
        yield CounterMetricFamily("techboy_stored_lines", "Lines that were stored.", tally.stored)
        yield CounterMetricFamily(
            "techboy_duplicates", "Lines that came again and were dropped.", tally.duplicates
        )
        yield CounterMetricFamily("techboy_reconnects", "Sessions that were taken up again.", tally.returns)
        refused = CounterMetricFamily("techboy_refused", "What was not taken, by reason.", labels=["reason"])
        for why, count in tally.refused.items():
            refused.add_metric([why.value], count)
        yield refused

    def _commit_seconds(self) -> Metric:
        buckets = [(_bound(bound), float(count)) for bound, count in self._commits.upto]
        return HistogramMetricFamily(
            "techboy_commit_seconds",
            "How long it took to store what was said together.",
            buckets=buckets,
            sum_value=self._commits.total,
        )


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else str(seconds)
