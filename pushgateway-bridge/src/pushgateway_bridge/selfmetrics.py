"""Every metric about the bridge itself, with help text and buckets."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.registry import Collector

from pushgateway_bridge.errors import REJECTIONS

EVENT_RESULTS = ("accepted", "skipped")


class SelfMetrics:
    """Counters and histograms that web and pipeline add to. ``registry`` holds these and what ``app`` adds."""

    def __init__(self, version: str, dialects: Iterable[str]) -> None:
        """Series for every dialect and reason exist from the start, so that a rate over the first event is seen."""
        self.registry = CollectorRegistry()
        self.pushes = Counter(
            "telemetry_pushes",
            "Requests with a push, accepted or not.",
            ("dialect",),
            registry=self.registry,
        )
        self.pushes_rejected = Counter(
            "telemetry_pushes_rejected",
            "Pushes that were refused, by reason; their pushers were told. Nothing of them is stored.",
            ("dialect", "reason"),
            registry=self.registry,
        )
        self.events = Counter(
            "telemetry_events",
            "Items inside accepted pushes: accepted into series, or skipped as they hold nothing to store.",
            ("dialect", "result"),
            registry=self.registry,
        )
        self.values_skipped = Counter(
            "telemetry_values_skipped",
            "Values inside accepted items that are no finite number or out of range, and were left out.",
            ("dialect",),
            registry=self.registry,
        )
        self.timestamps_replaced = Counter(
            "telemetry_timestamps_replaced",
            "Reports whose own time was over 24 h old or 60 s ahead, so that the time received was taken.",
            ("dialect",),
            registry=self.registry,
        )
        self.commit_duration = Histogram(
            "telemetry_journal_commit_duration_seconds",
            "Time one group commit took, fsync included; pushes wait for it.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
            registry=self.registry,
        )
        self.records = Counter(
            "telemetry_journal_records",
            "Records committed to the journal.",
            registry=self.registry,
        )
        self.build_info = Gauge(
            "telemetry_build_info",
            "Always 1; the label says which version runs.",
            ("version",),
            registry=self.registry,
        )
        self.build_info.labels(version).set(1)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        for dialect in dialects:
            self.pushes.labels(dialect)
            self.values_skipped.labels(dialect)
            self.timestamps_replaced.labels(dialect)
            for rejection in REJECTIONS:
                self.pushes_rejected.labels(dialect, rejection.reason)
            for result in EVENT_RESULTS:
                self.events.labels(dialect, result)

    def add(self, collector: Collector) -> None:
        """Have *collector* asked at each scrape."""
        self.registry.register(collector)
