"""Bridge: whether pushes are taken and kept, what is refused and why, and what the bridge costs."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.annotations import alerts_firing
from telemetry_dashboards.panels import (
    CALM,
    CRITICAL,
    Column,
    caption,
    dashed,
    graph,
    stat,
    table,
)
from telemetry_dashboards.panels_counts import heat, with_bar
from telemetry_dashboards.panels_states import (
    in_words,
    leading_to,
    or_zero,
    rate_of_risen,
    risen,
)
from telemetry_dashboards.panels_tables import linked, tinted
from telemetry_dashboards.promql import HOST, as_rows, now, of_host, over_time
from telemetry_dashboards.shell import dashboard, finished, link_to, part_variables, with_panels

PUSHES = of_host("telemetry_pushes_total")
REFUSED = of_host("telemetry_pushes_rejected_total")
REFUSED_BY_REASON = of_host("reason:telemetry_pushes_rejected:rate5m")
REFUSED_TOKENS = of_host("telemetry_pushes_rejected_total", 'reason=~"missing_token|wrong_token|forbidden"')
ITEMS = of_host("telemetry_events_total")
TOKENS = of_host("telemetry_tokens", 'state=~"active|pending"')
DROPPED = of_host("telemetry_remote_write_samples_dropped_total")
REPORTS = 'telemetry_reports_total{job=~".+"}'
"""Of every source, whichever bridge took it: the series carry the pusher's job and instance."""

FIRING = 'alertstate="firing",severity!="none"'

NO_PUSH = "No push yet."
NO_REMOTE = "Nothing is sent by remote write."
NO_COMMIT = "Nothing was committed in this time."
BUSIEST = 20

OF_ROW = "/d/host?var-job=${__data.fields.Job}&var-instance=${__data.fields.Source}&${__url_time_range}"


def bridge() -> Dashboard:
    """The dashboard with uid ``bridge``."""
    builder = dashboard(
        "bridge",
        "Bridge",
        "The push bridge: what comes in, what is refused, how quickly it is on disk, and whether it is passed on.",
        tags=["stack"],
    )
    for uid, title in {"stack": "Stack health", "alerts": "Alerts", "fleet": "Fleet"}.items():
        builder = builder.link(link_to(title, uid))
    for variable in part_variables(
        "telemetry_build_info", "Bridge", "Under which bridges are scraped.", "One bridge."
    ):
        builder = builder.with_variable(variable)
    builder = with_panels(builder.annotation(alerts_firing(HOST)), overview())
    builder = with_panels(builder.with_row(Row("Pushes")), pushes())
    builder = with_panels(builder.with_row(Row("Refused, left out and changed")), refusals())
    builder = with_panels(builder.with_row(Row("Journal")), journal())
    builder = with_panels(builder.with_row(Row("Remote write")), remote_write())
    builder = with_panels(builder.with_row(Row("Process")), process())
    return finished(builder)


def overview() -> tuple[Stat, ...]:
    """One line of numbers: does it take pushes, and do they stay?"""
    return (
        in_words(
            stat(
                "Bridge",
                "Whether Prometheus reaches the bridge.",
                "short",
                now(of_host("up")),
                limits=(0, 0),
                missing="not scraped",
            ),
            {"0": ("down", CRITICAL), "1": ("up", CALM)},
        ),
        stat(
            "Pushes",
            "Requests with a push in a second, accepted or not.",
            "reqps",
            now(f"sum(rate({PUSHES}[$__rate_interval]))"),
            missing="unknown",
            decimals=2,
        ),
        stat(
            "Refused",
            "Share of the pushes in the time range that was refused; their pushers were told why.",
            "percentunit",
            now(f"sum({risen(REFUSED)}) / (sum({risen(PUSHES)}) > 0)"),
            limits=(0.01, 0.05),
            missing="no push",
            decimals=2,
        ),
        stat(
            "Sources",
            "Jobs and instances that reported and are not forgotten yet.",
            "short",
            now(of_host("telemetry_sources")),
            missing="unknown",
        ),
        stat(
            "Commit time",
            "99 of 100 group commits were no slower, in the time range: as long a push waits at least. Estimated"
            " within the bounds of the histogram.",
            "s",
            now(_quantile(0.99, "telemetry_journal_commit_duration_seconds", "$__range")),
            limits=(0.1, 0.25),
            missing="none",
        ),
        stat(
            "Remote write lag",
            "Age of the oldest sample that a remote has not confirmed yet; of several remotes the worst.",
            "s",
            now(f"max({of_host('telemetry_remote_write_lag_seconds')})"),
            limits=(30, 120),
            missing="no remote",
            decimals=0,
        ),
        stat(
            "Samples dropped",
            "Accepted samples that a remote will not get, in the time range: refused by it, or lost as they waited"
            " too long.",
            "short",
            now(or_zero(f"sum({risen(DROPPED)})")),
            limits=(1, 1000),
        ),
        leading_to(
            stat(
                "Alerts",
                "Alerts about this bridge that fire.",
                "short",
                now(or_zero(f"count({of_host('ALERTS', FIRING)})")),
                limits=(1, 10),
            ),
            "Open the alerts",
            "/d/alerts?var-job=${job}&${__url_time_range}",
        ),
    )


def pushes() -> tuple[Graph | Table, ...]:
    """What comes in."""
    pushed = f"{PUSHES} > 0"
    return (
        graph(
            "Pushes by dialect",
            "Requests with a push in a second, accepted or not. A dialect that nobody uses is left out.",
            "reqps",
            [over_time(f"rate({PUSHES}[$__rate_interval]) and {pushed}", "{{dialect}}")],
            stacked=True,
            width=8,
        ).no_value(NO_PUSH),
        graph(
            "Items a second",
            "Items in pushes that could be read, by what became of them: accepted into series, skipped as they hold"
            " nothing to store, known already, refused though others of their push were not, or mended first. What"
            " did not happen in the time range is left out.",
            "short",
            [over_time(rate_of_risen(ITEMS, "result"), "{{result}}")],
            fill=0,
            width=8,
        ).no_value("Nothing was pushed in this time."),
        graph(
            "Bytes by dialect",
            "Bytes of the bodies a second, unpacked.",
            "Bps",
            [
                over_time(
                    f"rate({of_host('telemetry_push_bytes_total')}[$__rate_interval])"
                    f" and on (dialect) {pushed}",
                    "{{dialect}}",
                )
            ],
            stacked=True,
            width=8,
        ).no_value(NO_PUSH),
        graph(
            "Series and sources",
            "Series that are held and shown, and the jobs and instances that reported.",
            "short",
            [
                over_time(of_host("telemetry_series"), "series", "A"),
                over_time(of_host("telemetry_sources"), "sources", "B"),
            ],
            fill=0,
        ),
        linked(
            table(
                "Busiest sources",
                f"The {BUSIEST} sources with most reports in the time range, of all bridges, and how long ago the"
                " newest came.",
                [
                    as_rows(f"topk({BUSIEST}, sum by (job, instance) ({risen(REPORTS)}) > 0)", "A"),
                    as_rows(
                        'time() - max by (job, instance) (telemetry_last_report_timestamp_seconds{job=~".+"})'
                        f" and topk({BUSIEST}, sum by (job, instance) ({risen(REPORTS)}) > 0)",
                        "B",
                    ),
                ],
                [
                    Column("job", "Job"),
                    Column("instance", "Source"),
                    Column("Value #A", "Reports", unit="short"),
                    Column("Value #B", "Last report", unit="s"),
                ],
                sort_by="Reports",
                width=12,
                height=8,
            ).no_value("Nobody reported in this time."),
            "Source",
            "Open this host",
            OF_ROW,
        ),
    )


def refusals() -> tuple[Graph | Table, ...]:
    """What does not become series, and why."""
    refused = f"sum by (dialect, reason) ({risen(REFUSED)}) > 0"
    return (
        dashed(
            graph(
                "Refused pushes by reason",
                "Pushes that were refused, a second, over 5 minutes: all together and by reason. A reason that"
                " never was given in the time range is left out.",
                "reqps",
                [
                    over_time(f"sum({REFUSED_BY_REASON})", "all", "A"),
                    over_time(
                        f"{REFUSED_BY_REASON} and max_over_time({REFUSED_BY_REASON}[$__range] @ end()) > 0",
                        "{{reason}}",
                        "B",
                    ),
                ],
                fill=0,
            ),
            "all",
        ),
        with_bar(
            table(
                "What was refused",
                "Refused pushes in the time range by dialect and reason, and which share they are of all pushes of"
                " their dialect.",
                [
                    as_rows(refused, "A"),
                    as_rows(
                        f"({refused}) / on (dialect) group_left () sum by (dialect) ({risen(PUSHES)})", "B"
                    ),
                ],
                [
                    Column("dialect", "Dialect"),
                    Column("reason", "Reason"),
                    Column("Value #A", "Pushes", unit="short"),
                    Column("Value #B", "Share", unit="percentunit"),
                ],
                sort_by="Pushes",
                width=12,
                height=8,
            ).no_value("No push was refused in this time."),
            "Share",
        ),
        graph(
            "Refused tokens",
            "Pushes a second without a token, with a wrong one, or with one that may not do this.",
            "reqps",
            [over_time(f"sum by (reason) (rate({REFUSED_TOKENS}[$__rate_interval]))", "{{reason}}")],
            width=8,
        ).no_value("Unknown."),
        graph(
            "Refused connections a second",
            "Connections that were ended: too many of them, a head that is too large or too slow, a slow"
            " request, an answer that nobody reads.",
            "short",
            [
                over_time(
                    f"sum by (reason) (rate({of_host('telemetry_connections_refused_total')}[$__rate_interval]))",
                    "{{reason}}",
                )
            ],
            width=8,
        ).no_value("Unknown."),
        table(
            "What accepted pushes did not bring",
            "In the time range, by dialect: items that were refused or had nothing to store, repeats that were"
            " counted once, values that are no finite number, and times that were replaced by that of receipt.",
            [as_rows(_left_out(), "A")],
            [Column("dialect", "Dialect"), Column("what", "What"), Column("Value", "Number", unit="short")],
            sort_by="Number",
            width=8,
            height=8,
        ).no_value("All of it became series."),
    )


def journal() -> tuple[Graph | Heatmap | Table, ...]:
    """How quickly a push is on disk, and how much is there."""
    commit, fsync, wait = (
        f"telemetry_journal_{name}_seconds" for name in ("commit_duration", "fsync_duration", "queue_wait")
    )
    records = "telemetry_journal_group_records"
    return (
        graph(
            "Commits and what they wait for",
            "99 of 100 were no slower: a group commit; its fsync, which is what the disk costs; and the wait of a"
            " push for the commit before. Nothing while nothing is pushed.",
            "s",
            [
                over_time(_quantile(0.99, commit), "commit", "A"),
                over_time(_quantile(0.99, fsync), "fsync", "B"),
                over_time(_quantile(0.99, wait), "wait", "C"),
                over_time(_quantile(0.5, commit), "commit, median", "D"),
            ],
            limits=(0.1, 0.25),
            fill=0,
        ).no_value(NO_COMMIT),
        heat(
            "All commits",
            "How many group commits took how long.",
            "s",
            f"sum by (le) (increase({of_host(f'{commit}_bucket')}[$__rate_interval]))",
        ).no_value(NO_COMMIT),
        graph(
            "Records and commits",
            "Records that were committed a second, and commits: the more records share a commit, the less each costs.",
            "ops",
            [
                over_time(
                    f"rate({of_host('telemetry_journal_records_total')}[$__rate_interval])", "records", "A"
                ),
                over_time(f"rate({of_host(f'{records}_count')}[$__rate_interval])", "commits", "B"),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Pushes that wait",
            "Pushes that wait for the next commit whenever the bridge is scraped, the most of a window; and answers"
            " that were held back a second, as their source pushed too fast.",
            "short",
            [
                over_time(
                    f"max_over_time({of_host('telemetry_journal_queued')}[$__rate_interval])", "waiting", "A"
                ),
                over_time(
                    f"rate({of_host('telemetry_answers_paced_total')}[$__rate_interval])",
                    "held back a second",
                    "B",
                ),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Journal on disk",
            "The journal's files, all records that are kept in them, and those that a restart would replay.",
            "bytes",
            [
                over_time(of_host("telemetry_journal_size_bytes"), "files", "A"),
                over_time(of_host("telemetry_journal_frames_bytes"), "records", "B"),
                over_time(of_host("telemetry_journal_uncheckpointed_bytes"), "to replay", "C"),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Age of the checkpoint",
            "Time since the state was last checkpointed. The older, the longer a restart takes; above 10 minutes"
            " something is wrong.",
            "s",
            [over_time(f"time() - {of_host('telemetry_checkpoint_timestamp_seconds')}", "age")],
            limits=(300, 600),
        ),
        tinted(
            table(
                "Faults",
                "What went wrong in the time range and should not. What could not be read, and files that were set"
                " aside, are counted since the bridge started.",
                [as_rows(_faults(), "A")],
                [Column("what", "What"), Column("Value", "Number", unit="short", limits=(1, 1))],
                sort_by="Number",
                width=12,
                height=8,
            ).no_value("Unknown."),
            "Number",
        ),
    )


def remote_write() -> tuple[Graph | Table, ...]:
    """Whether what was accepted reaches its remotes."""
    sent, retried = (
        f"rate({of_host(f'telemetry_remote_write_samples_{name}_total')}[$__rate_interval])"
        for name in ("sent", "retried")
    )
    requests = of_host("telemetry_remote_write_requests_total")
    return (
        graph(
            "Lag",
            "Age of the oldest accepted record that each remote has not confirmed; 0 if it has all.",
            "s",
            [over_time(of_host("telemetry_remote_write_lag_seconds"), "{{remote}}")],
            limits=(30, 120),
            width=8,
        ).no_value(NO_REMOTE),
        graph(
            "Samples a second",
            "Samples that each remote took, and those that are sent again as it could not be reached or"
            " asked to wait.",
            "short",
            [
                over_time(sent, "{{remote}} took", "A"),
                over_time(retried, "{{remote}} sent again", "B"),
            ],
            width=8,
            fill=0,
        ).no_value(NO_REMOTE),
        graph(
            "Requests by outcome",
            "Requests a second by what follows from the answer: sent; again; divided, as something in it was"
            " refused; given up.",
            "reqps",
            [
                over_time(
                    f"sum by (remote, outcome) (rate({requests}[$__rate_interval]))", "{{remote}} {{outcome}}"
                )
            ],
            width=8,
            fill=0,
        ).no_value(NO_REMOTE),
        graph(
            "Kept for remotes",
            "Bytes of the journal that are kept as a remote has not confirmed them.",
            "bytes",
            [over_time(of_host("telemetry_remote_write_pending_bytes"), "{{remote}}")],
        ).no_value(NO_REMOTE),
        tinted(
            table(
                "Dropped samples",
                "Accepted samples that a remote did not get in the time range, by reason: refused by it; lost as"
                " they waited too long; a second value for one time; a time before 1971; a record that names what"
                " is not known.",
                [as_rows(f"sum by (remote, reason) ({risen(DROPPED)})", "A")],
                [
                    Column("remote", "Remote"),
                    Column("reason", "Reason"),
                    Column("Value", "Samples", unit="short", limits=(1, 1000)),
                ],
                sort_by="Samples",
                width=12,
                height=8,
            ).no_value(NO_REMOTE),
            "Samples",
        ),
    )


def process() -> tuple[Stat | Graph, ...]:
    """What the bridge costs, and how it is set up."""
    return (
        caption(
            "Version",
            "Which version runs.",
            [now(of_host("telemetry_build_info"), "{{version}}")],
            width=4,
            missing="unknown",
        ),
        caption(
            "Delivery",
            "Who carries point samples to Prometheus: a scrape of the bridge, or its remote write.",
            [now(of_host("telemetry_delivery_info"), "{{delivery}}")],
            width=4,
            missing="unknown",
        ),
        stat(
            "Uptime",
            "Time since the bridge started.",
            "s",
            now(f"time() - {of_host('process_start_time_seconds')}"),
            width=4,
            missing="unknown",
            decimals=1,
        ),
        in_words(
            stat(
                "Configuration",
                "Whether the configuration was right when it was last read; if not, the one before still runs.",
                "short",
                now(of_host("telemetry_config_last_reload_successful")),
                width=4,
                limits=(0, 0),
                missing="unknown",
            ),
            {"0": ("refused", CRITICAL), "1": ("read", CALM)},
        ),
        stat(
            "Certificate",
            "Time until the certificate expires, where the bridge speaks TLS.",
            "s",
            now(f"{of_host('telemetry_certificate_expiry_timestamp_seconds')} - time()"),
            width=4,
            missing="no TLS",
            decimals=0,
        ),
        stat(
            "Tokens",
            "Tokens that may be used.",
            "short",
            now(f"sum({TOKENS})"),
            width=4,
            missing="unknown",
        ),
        graph(
            "CPU",
            "Cores that the bridge uses. One thread takes pushes, so about one is the most; another compresses and"
            " writes.",
            "short",
            [over_time(f"rate({of_host('process_cpu_seconds_total')}[$__rate_interval])", "cores")],
            limits=(0.7, 0.9),
            width=6,
        ),
        graph(
            "Memory",
            "Memory that the bridge's process has.",
            "bytes",
            [over_time(of_host("process_resident_memory_bytes"), "resident")],
            width=6,
        ),
        graph(
            "Open files",
            "Share of the files and connections that may be open at once.",
            "percentunit",
            [over_time(f"{of_host('process_open_fds')} / {of_host('process_max_fds')}", "open")],
            limits=(0.8, 0.9),
            width=6,
        ),
        graph(
            "Scrape of the bridge",
            "Time a scrape takes; Prometheus gives it 5 s.",
            "s",
            [over_time(of_host("scrape_duration_seconds"), "scrape")],
            limits=(2.5, 4),
            width=6,
        ),
        graph(
            "History of alerts",
            "What Alertmanager told the bridge a second, by status, and what could not be stored.",
            "mps",
            [
                over_time(
                    f"rate({of_host('telemetry_alert_history_notifications_total')}[$__rate_interval])",
                    "{{status}}",
                    "A",
                ),
                over_time(
                    f"sum(rate({of_host('telemetry_alert_history_failed_total')}[$__rate_interval]))",
                    "not stored",
                    "B",
                ),
            ],
            fill=0,
        ),
        graph(
            "Alerts in the history",
            "Alerts that the history holds, one for each time that one fired.",
            "short",
            [over_time(of_host("telemetry_alert_history_entries"), "alerts")],
        ),
    )


def _quantile(rank: float, histogram: str, window: str = "$__rate_interval") -> str:
    return f"histogram_quantile({rank}, sum by (le) (increase({of_host(f'{histogram}_bucket')}[{window}])))"


def _left_out() -> str:
    """By dialect and a label ``what``: the number of items, values and times of accepted pushes."""
    items = of_host("telemetry_items_rejected_total")
    skipped, repeated = (
        of_host("telemetry_events_total", f'result="{result}"') for result in ("skipped", "deduplicated")
    )
    parts = " or ".join(
        [
            f'label_replace({risen(items)} > 0, "what", "refused: $1", "reason", "(.*)")',
            _counted(f"{risen(skipped)} > 0", "items with nothing to store"),
            _counted(f"{risen(repeated)} > 0", "repeats, counted once"),
            _counted(f"{risen(of_host('telemetry_values_skipped_total'))} > 0", "values left out"),
            _counted(f"{risen(of_host('telemetry_timestamps_replaced_total'))} > 0", "times replaced"),
        ]
    )
    return f"sum by (dialect, what) ({parts})"


def _faults() -> str:
    """By a label ``what``: how many there were."""
    in_range = {
        "group commits failed": "telemetry_journal_failed_groups_total",
        "checkpoints failed": "telemetry_checkpoints_failed_total",
        "remote write started anew": "telemetry_remote_write_restarts_total",
        "alerts not stored": "telemetry_alert_history_failed_total",
    }
    since_start = {
        "groups of records unreadable": "telemetry_journal_unreadable_frames_total",
        "journal files set aside": "telemetry_journal_files_set_aside_total",
    }
    starts = f"changes({of_host('process_start_time_seconds')}[$__range])"
    return " or ".join(
        [
            *(_counted(f"sum({risen(of_host(counter))})", what) for what, counter in in_range.items()),
            *(_counted(f"sum({of_host(counter)})", what) for what, counter in since_start.items()),
            _counted(f"sum({starts})", "restarts"),
        ]
    )


def _counted(expr: str, what: str) -> str:
    return f'label_replace({expr}, "what", "{what}", "", "")'
