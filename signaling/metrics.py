"""What a node counts, for Prometheus. Each server has its own registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Level = Callable[[], float]
# Seconds. Most answers come from memory; the last ones are for what waits for a disk or a handshake.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metrics:
    """`levels` are asked at every scrape, by metric name; so is `media`, the data plane's counters."""

    def __init__(
        self, levels: Mapping[str, tuple[str, Level]], media: Callable[[], Mapping[str, int]]
    ) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.registry.register(_Levels(levels, media))
        self.requests = Counter(
            "hubbub_requests", "Requests of room connections", ["type"], registry=self.registry
        )
        self.refusals = Counter(
            "hubbub_refusals", "Requests that were refused, by error code", ["code"], registry=self.registry
        )
        self.closes = Counter(
            "hubbub_closes",
            "Connections that the server closed, by close code",
            ["code"],
            registry=self.registry,
        )
        self.http = Histogram(
            "hubbub_http_seconds",
            "Time to answer HTTP requests; streams count until their first byte",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=BUCKETS,
        )

    def observe(self, kind: str, refused: str | None) -> None:
        """One room request of a type, and the error code it was refused with."""
        self.requests.labels(kind).inc()
        if refused is not None:
            self.refusals.labels(refused).inc()

    def exposition(self) -> bytes:
        """The text format of Prometheus, version 0.0.4."""
        return generate_latest(self.registry)


class _Levels(Collector):
    def __init__(
        self, levels: Mapping[str, tuple[str, Level]], media: Callable[[], Mapping[str, int]]
    ) -> None:
        self._levels = levels
        self._media = media

    def collect(self) -> Iterable[Metric]:
        for name, (help_text, level) in self._levels.items():
            yield GaugeMetricFamily(name, help_text, value=level())
        media = CounterMetricFamily("hubbub_media", "Counters of the data plane", labels=["counter"])
        for name, value in self._media().items():
            media.add_metric([name], value)
        yield media

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before the server runs."""
        return []
