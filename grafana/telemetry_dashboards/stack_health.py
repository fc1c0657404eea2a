"""Stack health: whether everything is scraped, stored, evaluated and told, and what that costs."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.annotations import alerts_firing
from telemetry_dashboards.panels import CALM, CRITICAL, Column, coloured, graph, stat, table
from telemetry_dashboards.panels_counts import with_bar
from telemetry_dashboards.panels_states import (
    in_words,
    leading_to,
    or_zero,
    risen,
)
from telemetry_dashboards.panels_tables import linked, tinted
from telemetry_dashboards.promql import HOST, as_rows, now, of_host, over_time
from telemetry_dashboards.shell import dashboard, finished, link_to, part_variables, with_panels

EXPORTERS = "node_scrape_collector_success"
"""What every exporter has, ours and node_exporter, under whatever job it is scraped."""

NOTIFICATIONS = "alertmanager_notifications_total"
UNTOLD = "alertmanager_notifications_failed_total"
FAILED_REQUESTS = "alertmanager_notification_requests_failed_total"
RECEIVER = "integration, receiver_name"
"""The receiver's name is there from Alertmanager 0.26 on, if it is started with receiver-name-in-metrics."""

MOST_ROWS = 50
SLOWEST = 10

OF_ROW = "/d/host?var-job=${__data.fields.Job}&var-instance=${__data.fields.Host}&${__url_time_range}"
SCRAPE_SECONDS = (2.5, 4)
"""Hosts and the bridge have 5 s for a scrape."""


def stack_health() -> Dashboard:
    """The dashboard with uid ``stack``."""
    builder = dashboard(
        "stack",
        "Stack health",
        "Prometheus, Alertmanager and what is scraped: what is down, slow or full, and whether alerts are told.",
        tags=["stack"],
    )
    for uid, title in {"bridge": "Bridge", "alerts": "Alerts", "fleet": "Fleet"}.items():
        builder = builder.link(link_to(title, uid))
    for variable in part_variables(
        "prometheus_build_info", "Prometheus", "Under which Prometheus is scraped.", "One Prometheus."
    ):
        builder = builder.with_variable(variable)
    builder = with_panels(builder.annotation(alerts_firing(HOST)), overview())
    builder = with_panels(builder.with_row(Row("Targets")), targets())
    builder = with_panels(builder.with_row(Row("Prometheus")), prometheus())
    builder = with_panels(builder.with_row(Row("Rules")), rules())
    builder = with_panels(builder.with_row(Row("Alertmanager")), alertmanager())
    builder = with_panels(builder.with_row(Row("Exporters")), exporters())
    return finished(builder)


def overview() -> tuple[Stat, ...]:
    """One line of numbers: does anything stand still?"""
    return (
        stat(
            "Targets down",
            "What is scraped and does not answer: hosts and parts of the stack.",
            "short",
            now(or_zero("count(up == 0)")),
            limits=(1, 1),
        ),
        in_words(
            stat(
                "Rules",
                "Whether rules are evaluated at all: Watchdog is an alert that always fires.",
                "short",
                now(or_zero('group(ALERTS{alertname="Watchdog",alertstate="firing"})')),
                limits=(0, 0),
            ),
            {"0": ("do not run", CRITICAL), "1": ("run", CALM)},
        ),
        stat(
            "Failed evaluations",
            "Evaluations of rules that failed in the time range: their alerts could not fire.",
            "short",
            now(f"sum({risen(of_host('prometheus_rule_evaluation_failures_total'))})"),
            limits=(1, 1),
            missing="unknown",
        ),
        stat(
            "Not told",
            "Notifications that were given up in the time range, by Alertmanager or on the way to it.",
            "short",
            now(
                f"sum({risen(of_host('prometheus_notifications_dropped_total'))})"
                f" + ({or_zero(f'sum({risen(UNTOLD)})')})"
            ),
            limits=(1, 1),
            missing="unknown",
        ),
        stat(
            "Slowest rules",
            "Share of its interval that the slowest group of rules takes; above 100% it leaves evaluations out.",
            "percentunit",
            now(f"max({_share_of_interval()})"),
            limits=(0.5, 0.8),
            missing="unknown",
            decimals=1,
        ),
        stat(
            "Series",
            "Series that Prometheus holds in memory: what was written in the last hours.",
            "short",
            now(of_host("prometheus_tsdb_head_series")),
            missing="unknown",
        ),
        stat(
            "On disk",
            "What Prometheus' blocks, write-ahead log and mapped chunks take.",
            "bytes",
            now(" + ".join(of_host(metric) for metric in STORED.values())),
            missing="unknown",
            decimals=1,
        ),
        leading_to(
            stat(
                "Alerts",
                "Alerts that fire, of hosts and of the stack itself.",
                "short",
                now(or_zero('count(ALERTS{alertstate="firing",severity!="none"})')),
                limits=(1, 10),
            ),
            "Open the alerts",
            "/d/alerts?${__url_time_range}",
        ),
    )


STORED = {
    "blocks": "prometheus_tsdb_storage_blocks_bytes",
    "write-ahead log": "prometheus_tsdb_wal_storage_size_bytes",
    "chunks of the head": "prometheus_tsdb_head_chunks_storage_size_bytes",
}


def targets() -> tuple[Table | Graph, ...]:
    """What is scraped, and what that takes."""
    return (
        table(
            "Jobs",
            "What is scraped, by job: how many targets there are and how many answer, the slowest scrape of the"
            " time range, and how many samples all of them bring.",
            [
                as_rows("count by (job) (up)", "A"),
                as_rows("sum by (job) (up)", "B"),
                as_rows("max by (job) (max_over_time(job:scrape_duration_seconds:max[$__range]))", "C"),
                as_rows("sum by (job) (scrape_samples_scraped)", "D"),
            ],
            [
                Column("job", "Job"),
                Column("Value #A", "Targets", unit="short"),
                Column("Value #B", "Up", unit="short"),
                Column("Value #C", "Slowest", unit="s"),
                Column("Value #D", "Samples", unit="short"),
            ],
            sort_by="Samples",
            width=12,
        ).no_value("Nothing is scraped."),
        table(
            "Targets that do not answer",
            "What cannot be scraped now, and for which share of the time range it could be. At most"
            f" {MOST_ROWS}.",
            [
                as_rows(
                    f"topk({MOST_ROWS}, max by (job, instance) (avg_over_time(up[$__range]) and up == 0))",
                    "A",
                )
            ],
            [
                Column("job", "Job"),
                Column("instance", "Target"),
                Column("Value", "Up in this time", unit="percentunit"),
            ],
            sort_by="Up in this time",
            width=12,
        ).no_value("Every target answers."),
        coloured(
            graph(
                "Targets",
                "How many targets answered, and how many did not.",
                "short",
                [
                    over_time("sum(job:up:sum)", "up", "A"),
                    over_time("sum(job:up:count - job:up:sum)", "down", "B"),
                ],
                stacked=True,
                width=8,
            ),
            {"up": CALM, "down": CRITICAL},
        ),
        graph(
            "Scrape time",
            "The slowest scrape of each job. Hosts and the bridge have 5 s, the others 10 s.",
            "s",
            [over_time("max by (job) (job:scrape_duration_seconds:max)", "{{job}}")],
            limits=SCRAPE_SECONDS,
            fill=0,
            width=8,
        ),
        graph(
            "Samples of a scrape",
            "Samples that one round of scrapes brings, by job.",
            "short",
            [over_time("sum by (job) (job:scrape_samples_scraped:sum)", "{{job}}")],
            stacked=True,
            width=8,
        ),
        graph(
            "CPU of the parts",
            "Cores that Prometheus, Alertmanager, the bridge and what else is scraped use, over 5 minutes; without"
            " exporters.",
            "short",
            [over_time("sum by (job) (job:process_cpu_seconds:rate5m)", "{{job}}")],
            fill=0,
        ),
        graph(
            "Memory of the parts",
            "Memory that their processes have; without exporters.",
            "bytes",
            [over_time("sum by (job) (job:process_resident_memory_bytes:sum)", "{{job}}")],
            fill=0,
        ),
    )


def prometheus() -> tuple[Graph | Table, ...]:
    """What Prometheus takes, holds and answers."""
    appended = of_host("prometheus_tsdb_head_samples_appended_total")
    queries = of_host(
        "prometheus_engine_query_duration_seconds", 'slice="inner_eval",quantile=~"0.5|0.9|0.99"'
    )
    written = of_host("prometheus_http_requests_total", 'handler="/api/v1/write"')
    return (
        graph(
            "Series in memory",
            "Series that Prometheus holds in memory: what was written in the last hours.",
            "short",
            [over_time(of_host("prometheus_tsdb_head_series"), "series")],
            width=8,
        ),
        graph(
            "New series a second",
            "Series that begin and that leave memory. Many all the time: a label has ever new values.",
            "short",
            [
                over_time(
                    f"rate({of_host('prometheus_tsdb_head_series_created_total')}[$__rate_interval])",
                    "begin",
                    "A",
                ),
                over_time(
                    f"rate({of_host('prometheus_tsdb_head_series_removed_total')}[$__rate_interval])",
                    "leave",
                    "B",
                ),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Samples a second",
            "Samples that are stored, and those among them that came late, by remote write.",
            "short",
            [
                over_time(f"sum(rate({appended}[$__rate_interval]))", "all", "A"),
                over_time(
                    "sum(rate("
                    + of_host("prometheus_tsdb_head_out_of_order_samples_appended_total")
                    + "[$__rate_interval]))",
                    "late",
                    "B",
                ),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Storage",
            "What blocks, write-ahead log and mapped chunks of the head take on the disk.",
            "bytes",
            [
                over_time(of_host(metric), name, ref_id)
                for ref_id, (name, metric) in zip("ABC", STORED.items(), strict=True)
            ],
            stacked=True,
            width=8,
        ),
        graph(
            "Query time",
            "Half, 90 and 99 of 100 queries of the last minutes were no slower, those of rules included.",
            "s",
            [over_time(queries, "{{quantile}}")],
            fill=0,
            width=8,
        ),
        graph(
            "Remote write requests",
            "Requests a second that bring samples from the bridge, by the status of the answer.",
            "reqps",
            [over_time(f"sum by (code) (rate({written}[$__rate_interval]))", "{{code}}")],
            fill=0,
            width=8,
        ).no_value("Nothing comes by remote write."),
        tinted(
            table(
                "Faults",
                "What went wrong in the time range and should not. Damage of the write-ahead log is counted since"
                " Prometheus started.",
                [as_rows(_faults(), "A")],
                [Column("what", "What"), Column("Value", "Number", unit="short", limits=(1, 1))],
                sort_by="Number",
                height=8,
            ).no_value("Unknown."),
            "Number",
        ),
    )


def rules() -> tuple[Graph | Table, ...]:
    """Whether rules are evaluated, and in time."""

    def of_groups(metric: str) -> str:
        return of_host(f"prometheus_rule_group_{metric}")

    def of_each(expr: str) -> str:
        return f'max by (group) (label_replace({expr}, "group", "$1", "rule_group", ".*/(.+)"))'

    failures = of_host("prometheus_rule_evaluation_failures_total")
    return (
        graph(
            "Evaluations",
            "Rules that are evaluated a second, and evaluations that fail.",
            "ops",
            [
                over_time(
                    f"sum(rate({of_host('prometheus_rule_evaluations_total')}[$__rate_interval]))", "all", "A"
                ),
                over_time(f"sum(rate({failures}[$__rate_interval]))", "failed", "B"),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Time for rules",
            "Seconds that all groups of rules take in a second: about the cores that they use.",
            "short",
            [over_time(f"sum(rate({of_groups('duration_seconds_sum')}[$__rate_interval]))", "all groups")],
            width=8,
        ),
        graph(
            "Left out",
            "Evaluations of groups that were left out, since the ones before had not ended, in each window of the"
            " chart.",
            "short",
            [
                over_time(
                    f"sum(round(increase({of_groups('iterations_missed_total')}[$__rate_interval])))",
                    "left out",
                )
            ],
            limits=(1, 1),
            width=8,
        ),
        with_bar(
            table(
                "Groups of rules",
                "Each group: how long its last evaluation took, which share of its interval that is, how long ago"
                " it was, and what failed or was left out in the time range.",
                [
                    as_rows(of_each(of_groups("last_duration_seconds")), "A"),
                    as_rows(of_each(_share_of_interval()), "B"),
                    as_rows(
                        of_each(f"time() - ({of_groups('last_evaluation_timestamp_seconds')} > 0)"),
                        "C",
                    ),
                    as_rows(of_each(of_groups("rules")), "D"),
                    as_rows(of_each(risen(failures)), "E"),
                    as_rows(of_each(risen(of_groups("iterations_missed_total"))), "F"),
                ],
                [
                    Column("group", "Group"),
                    Column("Value #D", "Rules", unit="short"),
                    Column("Value #A", "Took", unit="s"),
                    Column("Value #B", "Share", unit="percentunit"),
                    Column("Value #C", "Ago", unit="s"),
                    Column("Value #E", "Failed", unit="short"),
                    Column("Value #F", "Left out", unit="short"),
                ],
                sort_by="Share",
                height=9,
            ).no_value("There are no rules."),
            "Share",
        ),
    )


def alertmanager() -> tuple[Graph | Table, ...]:
    """Whether alerts reach those who are to be told."""
    sent = of_host("prometheus_notifications_sent_total")
    return (
        graph(
            "Alerts sent to Alertmanager",
            "Alerts that Prometheus hands over a second, those that could not be, and those it gave up.",
            "mps",
            [
                over_time(f"sum(rate({sent}[$__rate_interval]))", "sent", "A"),
                over_time(
                    f"sum(rate({of_host('prometheus_notifications_errors_total')}[$__rate_interval]))",
                    "errors",
                    "B",
                ),
                over_time(
                    f"sum(rate({of_host('prometheus_notifications_dropped_total')}[$__rate_interval]))",
                    "given up",
                    "C",
                ),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Alerts in Alertmanager",
            "Alerts that it knows: told, held back as they are silenced or inhibited, or not looked at yet.",
            "short",
            [over_time("sum by (state) (alertmanager_alerts)", "{{state}}")],
            stacked=True,
            width=8,
        ).no_value("Alertmanager is not scraped."),
        graph(
            "Notifications by receiver",
            "Notifications of each receiver and kind, in each window of the chart.",
            "short",
            [
                over_time(
                    f"sum by ({RECEIVER}) (round(increase({NOTIFICATIONS}[$__rate_interval])))",
                    "{{receiver_name}} ({{integration}})",
                )
            ],
            fill=0,
            width=8,
        ).no_value("Alertmanager is not scraped."),
        tinted(
            table(
                "Receivers",
                "Each way in which somebody is told: notifications in the time range, those that were given up, and"
                " requests that failed, most of which are tried again.",
                [
                    as_rows(f"sum by ({RECEIVER}) ({risen(NOTIFICATIONS)})", "A"),
                    as_rows(f"sum by ({RECEIVER}) ({risen(UNTOLD)})", "B"),
                    as_rows(f"sum by ({RECEIVER}) ({risen(FAILED_REQUESTS)})", "C"),
                ],
                [
                    Column("receiver_name", "Receiver"),
                    Column("integration", "Kind"),
                    Column("Value #A", "Notifications", unit="short"),
                    Column("Value #B", "Given up", unit="short", limits=(1, 1)),
                    Column("Value #C", "Failed requests", unit="short"),
                ],
                sort_by="Notifications",
                width=12,
                height=7,
            ).no_value("Alertmanager is not scraped."),
            "Given up",
        ),
        table(
            "Why notifications were given up",
            "Notifications that Alertmanager gave up in the time range, by receiver and reason: somebody was not"
            " told.",
            [as_rows(f"sum by ({RECEIVER}, reason) ({risen(UNTOLD)}) > 0", "A")],
            [
                Column("receiver_name", "Receiver"),
                Column("integration", "Kind"),
                Column("reason", "Reason"),
                Column("Value", "Given up", unit="short"),
            ],
            sort_by="Given up",
            width=12,
            height=7,
        ).no_value("No notification was given up."),
    )


def exporters() -> tuple[Graph | Table, ...]:
    """How hosts are scraped, and by which collectors."""
    scrape, samples = (
        f"{metric} and on (job, instance) {EXPORTERS}"
        for metric in ("avg_over_time(scrape_duration_seconds[$__range])", "scrape_samples_scraped")
    )
    slowest = f"topk({SLOWEST}, {scrape})"
    return (
        graph(
            "Scrape time of hosts",
            "Of all exporters that are scraped: the slowest, 90 of 100, and half.",
            "s",
            [
                over_time("exporters:scrape_duration_seconds:max", "slowest", "A"),
                over_time("exporters:scrape_duration_seconds:quantile90", "90 of 100", "B"),
                over_time("exporters:scrape_duration_seconds:quantile50", "half", "C"),
            ],
            limits=SCRAPE_SECONDS,
            fill=0,
        ).no_value("No host is scraped."),
        linked(
            table(
                "Slowest hosts",
                f"The {SLOWEST} exporters whose scrapes took longest on average in the time range, and how many"
                " samples each brings.",
                [
                    as_rows(f"max by (job, instance) ({slowest})", "A"),
                    as_rows(
                        f"max by (job, instance) ({samples}) and max by (job, instance) ({slowest})", "B"
                    ),
                ],
                [
                    Column("job", "Job"),
                    Column("instance", "Host"),
                    Column("Value #A", "Took", unit="s"),
                    Column("Value #B", "Samples", unit="short"),
                ],
                sort_by="Took",
                width=12,
                height=8,
            ).no_value("No host is scraped."),
            "Host",
            "Open this host",
            OF_ROW,
        ),
        table(
            "Collectors",
            "Each collector of the exporters: how many hosts have it, on how many it gives nothing (often there is"
            " no such device), and what it takes there.",
            [
                as_rows(f"count by (collector) ({EXPORTERS})", "A"),
                as_rows(f"count by (collector) ({EXPORTERS}) - sum by (collector) ({EXPORTERS})", "B"),
                as_rows("avg by (collector) (node_scrape_collector_duration_seconds)", "C"),
                as_rows("max by (collector) (node_scrape_collector_duration_seconds)", "D"),
            ],
            [
                Column("collector", "Collector"),
                Column("Value #A", "Hosts", unit="short"),
                Column("Value #B", "Without a result", unit="short"),
                Column("Value #C", "On average", unit="s"),
                Column("Value #D", "Slowest", unit="s"),
            ],
            sort_by="Slowest",
            height=9,
        ).no_value("No host is scraped."),
    )


def _share_of_interval() -> str:
    last, interval = (
        of_host(f"prometheus_rule_group_{name}_seconds") for name in ("last_duration", "interval")
    )
    return f"{last} / {interval}"


def _faults() -> str:
    """By a label ``what``: how many there were."""
    in_range = {
        "scrapes over a limit of samples": "prometheus_target_scrapes_exceeded_sample_limit_total",
        "scrapes over a limit of bytes": "prometheus_target_scrapes_exceeded_body_size_limit_total",
        "scrapes over a limit of labels": "prometheus_target_scrape_pool_exceeded_label_limits_total",
        "scraped samples out of order": "prometheus_target_scrapes_sample_out_of_order_total",
        "scraped samples out of bounds": "prometheus_target_scrapes_sample_out_of_bounds_total",
        "scraped samples with two values at one time": "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "compactions failed": "prometheus_tsdb_compactions_failed_total",
        "writes to the write-ahead log failed": "prometheus_tsdb_wal_writes_failed_total",
        "checkpoints failed": "prometheus_tsdb_checkpoint_creations_failed_total",
        "reloads of blocks failed": "prometheus_tsdb_reloads_failures_total",
    }
    refused = {
        "Prometheus' configuration refused": of_host("prometheus_config_last_reload_successful"),
        "Alertmanager's configuration refused": "alertmanager_config_last_reload_successful",
    }
    damaged = _counted(
        f"sum({of_host('prometheus_tsdb_wal_corruptions_total')})", "write-ahead log damaged at the start"
    )
    return " or ".join(
        [
            *(_counted(f"sum({risen(of_host(counter))})", what) for what, counter in in_range.items()),
            *(_counted(f"count({state}) - sum({state})", what) for what, state in refused.items()),
            damaged,
            _counted(f"sum(changes({of_host('process_start_time_seconds')}[$__range]))", "restarts"),
        ]
    )


def _counted(expr: str, what: str) -> str:
    return f'label_replace({expr}, "what", "{what}", "", "")'
