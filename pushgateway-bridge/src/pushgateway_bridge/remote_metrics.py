"""Metrics about remote write: what waits for each remote, and what became of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pushgateway_bridge.journal.frames import Frames, Pending
from pushgateway_bridge.remote_write.batch import SAME_TIME, UNNAMED, UNSENDABLE_TIME
from pushgateway_bridge.remote_write.process import ShipperProcess
from pushgateway_bridge.remote_write.shipper import REFUSED

LOST = "lost"
DROP_REASONS = (REFUSED, LOST, SAME_TIME, UNSENDABLE_TIME, UNNAMED)
OUTCOMES = ("sent", "retry", "split", "drop")


class RemoteMetrics(Collector):
    """One series a remote; all of them are there from the start."""

    def __init__(
        self, frames: Frames, process: ShipperProcess, remotes: Sequence[str], now_ms: Callable[[], int]
    ) -> None:
        self._frames = frames
        self._process = process
        self._remotes = remotes
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        yield from self._pending(self._frames.pending)
        yield from self._outcomes(self._frames.lost_samples)
        yield CounterMetricFamily(
            "telemetry_remote_write_restarts",
            "Times that the process which sends ended by itself and was started again.",
            self._process.restarts,
        )

    def _pending(self, pending: Mapping[str, Pending]) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "telemetry_remote_write_lag_seconds",
            "Age of the oldest accepted record that this remote has not confirmed; 0 if it has all.",
            labels=("remote",),
        )
        samples = GaugeMetricFamily(
            "telemetry_remote_write_pending_samples",
            "Samples behind the oldest record that this remote has not confirmed. While it catches up, newer ones "
            "that it has already are among them.",
            labels=("remote",),
        )
        size = GaugeMetricFamily(
            "telemetry_remote_write_pending_bytes",
            "Bytes of the journal that are kept for this remote.",
            labels=("remote",),
        )
        now_ms = self._now_ms()
        for remote in self._remotes:
            one = pending.get(remote, Pending())
            late_ms = max(now_ms - one.oldest_ms, 0) if one.oldest_ms else 0
            lag.add_metric((remote,), late_ms / 1000)
            samples.add_metric((remote,), one.samples)
            size.add_metric((remote,), one.bytes)
        yield from (lag, samples, size)

    def _outcomes(self, lost: Mapping[str, int]) -> Iterator[Metric]:
        sent = CounterMetricFamily(
            "telemetry_remote_write_samples_sent", "Samples that this remote took.", labels=("remote",)
        )
        retried = CounterMetricFamily(
            "telemetry_remote_write_samples_retried",
            "Samples in requests that are sent again, since the remote could not be reached or asked to wait.",
            labels=("remote",),
        )
        dropped = CounterMetricFamily(
            "telemetry_remote_write_samples_dropped",
            "Accepted samples that this remote will not get: refused by it; lost as they waited longer or took more "
            "room than they may; a second value of a series for one millisecond (same_time); a time before 1971 or "
            "after 2109 (time); of a series that the journal does not name (unnamed).",
            labels=("remote", "reason"),
        )
        requests = CounterMetricFamily(
            "telemetry_remote_write_requests",
            "Requests by what follows from the answer: sent, retry, split as something in it was refused, drop.",
            labels=("remote", "outcome"),
        )
        waiting = GaugeMetricFamily(
            "telemetry_remote_write_waiting",
            "1 while the last request to this remote failed and will be sent again; the log says why.",
            labels=("remote",),
        )
        for remote in self._remotes:
            counts = self._process.counts[remote]
            sent.add_metric((remote,), counts.sent)
            retried.add_metric((remote,), counts.retried)
            for reason in DROP_REASONS:
                number = lost.get(remote, 0) if reason == LOST else counts.dropped[reason]
                dropped.add_metric((remote, reason), number)
            for outcome in OUTCOMES:
                requests.add_metric((remote, outcome), counts.requests[outcome])
            waiting.add_metric((remote,), bool(counts.waiting))
        yield from (sent, retried, dropped, requests, waiting)
