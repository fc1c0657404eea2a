"""Every metric about the bridge itself, with help text and buckets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from pushgateway_bridge.errors import ITEM_REJECTIONS, REJECTIONS

SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class DialectCounts:
    """What happened to the pushes of one dialect. Plain numbers: each push adds to several of them."""

    __slots__ = (
        "accepted",
        "body_bytes",
        "deduplicated",
        "items_rejected",
        "pushes",
        "rejected",
        "repairs",
        "rescued",
        "sanitized",
        "skipped",
        "timestamps_replaced",
        "values_skipped",
    )

    def __init__(self, item_reasons: Iterable[str] = (), *, repairs: bool = False) -> None:
        """*item_reasons*: why an item may be refused, where that does not refuse the whole push.

        *repairs*: whether the dialect reads broken JSON, and blanks out private text.
        """
        self.pushes = 0
        self.body_bytes = 0
        self.rejected = dict.fromkeys((rejection.reason for rejection in REJECTIONS), 0)
        self.items_rejected = dict.fromkeys(item_reasons, 0)
        self.accepted = 0
        self.deduplicated = 0
        self.skipped = 0
        self.values_skipped = 0
        self.timestamps_replaced = 0
        self.repairs = repairs
        self.rescued = 0
        self.sanitized = 0


class DialectMetrics(Collector):
    """The counts of all dialects as metrics; series for every reason are there from the start."""

    def __init__(self, dialects: Mapping[str, DialectCounts]) -> None:
        self._dialects = dialects

    def collect(self) -> Iterator[Metric]:
        pushes = CounterMetricFamily(
            "telemetry_pushes", "Requests with a push, accepted or not.", labels=("dialect",)
        )
        body_bytes = CounterMetricFamily(
            "telemetry_push_bytes", "Bytes of the bodies that were decoded, inflated.", labels=("dialect",)
        )
        rejected = CounterMetricFamily(
            "telemetry_pushes_rejected",
            "Pushes that were refused, by reason; their pushers were told. Nothing of them is stored.",
            labels=("dialect", "reason"),
        )
        events = CounterMetricFamily(
            "telemetry_events",
            "Items of pushes that could be read: accepted into series, skipped as they hold nothing to store, "
            "deduplicated as they or their push came before, or rejected though others of their push were not. "
            "Rescued ones had broken JSON, and sanitized ones private text that was blanked out; both are also "
            "accepted or deduplicated.",
            labels=("dialect", "result"),
        )
        items = CounterMetricFamily(
            "telemetry_items_rejected",
            "Items that were refused by themselves, by reason; the answer to their push named each.",
            labels=("dialect", "reason"),
        )
        values = CounterMetricFamily(
            "telemetry_values_skipped",
            "Values inside accepted items that are no finite number or out of range, and were left out.",
            labels=("dialect",),
        )
        replaced = CounterMetricFamily(
            "telemetry_timestamps_replaced",
            "Reports whose own time was over 24 h old or 60 s ahead, so that the time received was taken.",
            labels=("dialect",),
        )
        for name, counts in self._dialects.items():
            pushes.add_metric((name,), counts.pushes)
            body_bytes.add_metric((name,), counts.body_bytes)
            for reason, count in counts.rejected.items():
                rejected.add_metric((name, reason), count)
            events.add_metric((name, "accepted"), counts.accepted)
            events.add_metric((name, "skipped"), counts.skipped)
            events.add_metric((name, "deduplicated"), counts.deduplicated)
            if counts.repairs:
                events.add_metric((name, "rescued"), counts.rescued)
                events.add_metric((name, "sanitized"), counts.sanitized)
            if counts.items_rejected:
                events.add_metric((name, "rejected"), sum(counts.items_rejected.values()))
            for reason, count in counts.items_rejected.items():
                items.add_metric((name, reason), count)
            values.add_metric((name,), counts.values_skipped)
            replaced.add_metric((name,), counts.timestamps_replaced)
        yield from (pushes, body_bytes, rejected, events, items, values, replaced)


class SelfMetrics:
    """Counters and histograms that web and pipeline add to. ``registry`` holds these and what ``app`` adds."""

    def __init__(
        self,
        version: str,
        dialects: Iterable[str],
        delivery: str = "scrape",
        item_reasons: Mapping[str, Sequence[str]] | None = None,
        repairing: Collection[str] = (),
    ) -> None:
        """Each of *dialects* has its counts in ``dialects``.

        *item_reasons*: of a dialect that takes a push item by item, why its decoder may refuse one.
        *repairing*: those dialects that read broken JSON, and blank out private text.
        """
        self.registry = CollectorRegistry()
        self.commit_duration = Histogram(
            "telemetry_journal_commit_duration_seconds",
            "Time one group commit took, fsync included; pushes wait for it.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.fsync_duration = Histogram(
            "telemetry_journal_fsync_duration_seconds",
            "Time the end of a transaction took, which is nearly all fsync: what the disk costs.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.queue_wait = Histogram(
            "telemetry_journal_queue_wait_seconds",
            "Longest time that a push of a group waited for the commit before its own.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.group_records = Histogram(
            "telemetry_journal_group_records",
            "Records in one group commit: how many pushes share an fsync.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096),
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
        self.delivery_info = Gauge(
            "telemetry_delivery_info",
            "Always 1; the label says who carries point samples to Prometheus: scrape or remote_write.",
            ("delivery",),
            registry=self.registry,
        )
        self.delivery_info.labels(delivery).set(1)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        of_state = [rejection.reason for rejection in ITEM_REJECTIONS]
        self.dialects = {dialect: DialectCounts(repairs=dialect in repairing) for dialect in dialects}
        for dialect, reasons in (item_reasons or {}).items():
            self.dialects[dialect] = DialectCounts(dict.fromkeys((*reasons, *of_state)))
        self.registry.register(DialectMetrics(self.dialects))

    def add(self, collector: Collector) -> None:
        """Have *collector* asked at each scrape."""
        self.registry.register(collector)
