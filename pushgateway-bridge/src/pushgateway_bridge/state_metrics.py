"""Metrics about what is held: journal, state, tokens, configuration, alerts, reports. Read when a scrape asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pushgateway_bridge.access.documents import TOKEN_STATES, state_of
from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.alerts.history import AlertHistory
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.reports.schedule import ReportCounts
from pushgateway_bridge.state.store import Store
from pushgateway_bridge.web.protocol import BridgeProtocol
from telemetry_web_config.access import WebAccess


class StateMetrics(Collector):
    """Sizes that are read when a scrape asks."""

    def __init__(
        self, journal: Journal, store: Store, ingest: Ingest, event_dialects: Iterable[str] = ()
    ) -> None:
        """*event_dialects*: those whose own servers told whether their database is there."""
        self._store_up = [f"{name}_store_up" for name in event_dialects]
        self._ingest = ingest
        self._journal = journal
        self._store = store
        self.replay_seconds = 0.0

    def collect(self) -> Iterator[Metric]:
        journal, store = self._journal, self._store
        for name in self._store_up:
            yield GaugeMetricFamily(name, "Whether events can be stored.", float(journal.writable))
        yield GaugeMetricFamily("telemetry_series", "Series that are held and shown.", store.series_count)
        yield GaugeMetricFamily("telemetry_sources", "Jobs and instances that reported.", store.source_count)
        yield GaugeMetricFamily(
            "telemetry_journal_size_bytes",
            "The journal on disk, its write-ahead log included.",
            journal.size_bytes,
        )
        yield GaugeMetricFamily(
            "telemetry_journal_queued", "Pushes that wait for the next group commit.", journal.queued
        )
        yield GaugeMetricFamily(
            "telemetry_journal_frames_bytes", "All records that are kept.", journal.frames.kept_bytes
        )
        yield GaugeMetricFamily(
            "telemetry_journal_uncheckpointed_bytes",
            "Records that a restart would replay.",
            journal.frames.behind_floor_bytes,
        )
        yield CounterMetricFamily(
            "telemetry_answers_paced",
            "Answers that were held back, as their source pushed faster than limits.paced_pushes_per_second while "
            "others pushed too.",
            self._ingest.pacer.delayed,
        )
        yield CounterMetricFamily(
            "telemetry_journal_failed_groups",
            "Group commits that failed; their pushers were told to send again.",
            journal.failed_groups,
        )
        yield CounterMetricFamily(
            "telemetry_journal_unreadable_frames",
            "Groups of records and rows of the checkpoint that could not be read at the start; they are lost.",
            journal.unreadable_frames + self._ingest.unreadable_rows,
        )
        yield CounterMetricFamily(
            "telemetry_journal_files_set_aside",
            "Journal files that could not be opened at the start and were renamed; the bridge began empty.",
            journal.files_set_aside,
        )
        yield GaugeMetricFamily(
            "telemetry_checkpoint_timestamp_seconds",
            "Unix time at which the state was last checkpointed, or the bridge was ready.",
            self._ingest.checkpointed_ms / 1000,
        )
        yield CounterMetricFamily(
            "telemetry_checkpoints_failed",
            "Checkpoints that could not be written; they are tried again.",
            self._ingest.failed_checkpoints,
        )
        yield GaugeMetricFamily(
            "telemetry_journal_replay_seconds",
            "Time the replay of the journal took when the bridge started.",
            self.replay_seconds,
        )


class AccessMetrics(Collector):
    """Tokens by state, and whether the configuration that runs is the one on disk."""

    def __init__(self, tokens: Tokens, now_ms: Callable[[], int], web_access: WebAccess | None) -> None:
        self._tokens = tokens
        self._web_access = web_access
        self._now_ms = now_ms
        self.reloaded = True
        """Whether the last reload succeeded; true before the first one."""
        self.loaded_ms = now_ms()

    def collect(self) -> Iterator[Metric]:
        tokens = GaugeMetricFamily(
            "telemetry_tokens",
            "Tokens by state: active, pending their first use, expired, revoked.",
            labels=("state",),
        )
        now_ms = self._now_ms()
        states = Counter(state_of(token, now_ms) for token in self._tokens.list())
        for state in TOKEN_STATES:
            tokens.add_metric((state,), states[state])
        yield tokens
        connections = CounterMetricFamily(
            "telemetry_connections_refused",
            "Connections that were ended: too many of them, a head that is too large or comes too slowly, a request "
            "that does, an answer that nobody reads.",
            labels=("reason",),
        )
        for reason, count in BridgeProtocol.refused.items():
            connections.add_metric((reason,), count)
        yield connections
        yield GaugeMetricFamily(
            "telemetry_config_last_reload_successful",
            "1 if the configuration was right when it was last read, 0 if it was not and the one before still runs.",
            float(self.reloaded and (self._web_access is None or self._web_access.problem is None)),
        )
        yield GaugeMetricFamily(
            "telemetry_config_last_reload_success_timestamp_seconds",
            "Unix time at which the configuration that runs was read.",
            self.loaded_ms / 1000,
        )
        expires = self._web_access.not_after if self._web_access is not None else None
        if expires is not None:
            yield GaugeMetricFamily(
                "telemetry_certificate_expiry_timestamp_seconds",
                "Unix time at which the certificate of web.config_file expires; not there without TLS.",
                expires.timestamp(),
            )


class AlertMetrics(Collector):
    """How much the history of alerts holds, and what was told."""

    def __init__(self, history: AlertHistory) -> None:
        self._history = history

    def collect(self) -> Iterator[Metric]:
        history = self._history
        yield GaugeMetricFamily(
            "telemetry_alert_history_entries",
            "Alerts in the history, one for each time that one fired.",
            history.entries,
        )
        notifications = CounterMetricFamily(
            "telemetry_alert_history_notifications",
            "Alerts in the notifications that were stored, by status; repeats too.",
            labels=("status",),
        )
        for status, count in history.notifications.items():
            notifications.add_metric((status,), count)
        yield notifications
        failed = CounterMetricFamily(
            "telemetry_alert_history_failed",
            "Notifications that were not stored, by reason; Alertmanager was told.",
            labels=("reason",),
        )
        for reason, count in history.failed.items():
            failed.add_metric((reason,), count)
        yield failed


class ReportMetrics(Collector):
    """What became of the weekly reports since the start."""

    def __init__(self, counts: ReportCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "telemetry_weekly_reports", "Weekly reports that the mail server took.", self._counts.sent
        )
        yield CounterMetricFamily(
            "telemetry_weekly_reports_failed",
            "Tries to send a weekly report that failed; the log says why, and it is tried again.",
            self._counts.failed,
        )
