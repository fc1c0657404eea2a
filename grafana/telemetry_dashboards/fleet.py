"""Fleet: every host in one row, scraped or pushed: which of them needs somebody, and what it suffers from."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.annotations import alerts_firing
from telemetry_dashboards.host import BUSY, CPU_UTILISATION
from telemetry_dashboards.panels import (
    CALM,
    CRITICAL,
    WARNING,
    Column,
    Limits,
    coloured,
    dashed,
    graph,
    stat,
    table,
)
from telemetry_dashboards.panels_tables import linked, sized, tinted, worded
from telemetry_dashboards.promql import as_rows, now, over_time
from telemetry_dashboards.shell import (
    HOST_METRICS,
    dashboard,
    finished,
    host_variables,
    of_many,
    rolled_up,
    rollup_variable,
    with_panels,
)

FLEET = 'job=~"$job",instance=~"$instance"'

SHOWN = 5
"""How many hosts a chart has: more lines nobody can tell apart."""


def of_fleet(metric: str, matchers: str = "") -> str:
    """Selector of *metric* on the chosen hosts, with further *matchers* as PromQL writes them."""
    return f"{metric}{{{FLEET}{',' if matchers else ''}{matchers}}}"


CPU = of_fleet("instance:cpu_utilisation:ratio")
MEMORY = of_fleet("instance:memory_utilisation:ratio")
FILESYSTEMS = of_fleet("instance:filesystem_utilisation:ratio")
LOAD = of_fleet("instance:load_per_core:ratio")
RECEIVED, SENT = of_fleet("instance:network_receive:rate5m"), of_fleet("instance:network_transmit:rate5m")

REPORTING = f'group by (job, instance) ({{__name__=~"{HOST_METRICS}",{FLEET}}})'

LAST_REPORT = "telemetry_last_report_timestamp_seconds"
TARGETS = of_fleet("up", 'job="node"')
AGENTS = of_fleet(LAST_REPORT, 'job=~"pixeltracker|statusmonitor|statix"')
WITHIN_A_DAY = f'last_over_time({{__name__=~"instance:(cpu|memory)_utilisation:ratio_avg1h",{FLEET}}}[1d])'
HOSTS = (
    "group by (job, instance) ("
    f"{REPORTING} or {TARGETS} or {AGENTS} > time() - 86400"
    f" or {WITHIN_A_DAY} and on (job, instance) ({of_fleet('up')} or {of_fleet(LAST_REPORT)})"
    f' or {WITHIN_A_DAY} and on () (max(up{{job="bridge"}}) == 0))'
)
"""Whoever reports, is to be scraped, or reported within a day, as SourceSilent has it.

Of what is pushed in other ways than an agent's only the roll-ups tell which sources are hosts; those of an hour are few
enough to be read for a day of every host. A source that was deleted is none, but only the bridge can tell.
"""

SINCE_REPORT = f"(time() - {of_fleet(LAST_REPORT)})"
INTERVAL = of_fleet("telemetry_report_interval_seconds", 'job!="statix"')
INTERVAL_OF_STATIX = of_fleet("telemetry_report_interval_seconds", 'job="statix"')
EXPECTED_WITHIN = f"(clamp_min(6 * {INTERVAL}, 60) or clamp_min(6 * {INTERVAL_OF_STATIX}, 300))"


def of_each_host(expr: str) -> str:
    """*expr*, whose values are below 1e9 and not negative, of every host and of nothing else; 0 where it has none.

    To find the hosts takes longer than all else here. So they are named once, and told by what they add.
    """
    valued = f'label_replace({expr}, "what", "value", "", "")'
    return f"(sum by (job, instance) ({valued} or 1e9 * {HOSTS}) >= 1e9) - 1e9"


STATE = of_each_host(
    f"max by (job, instance) ({of_fleet('up')}"
    f" or on (job, instance) {SINCE_REPORT} <= bool {EXPECTED_WITHIN}"
    f" or on (job, instance) {REPORTING})"
)
"""1 for a host that answers scrapes or pushes as often as it did, else 0: the limits are those of SourceSilent."""

AGENT_NAMES = of_fleet("statusmonitor_agent_info")
NAMES = (
    "topk by (job, instance) (1, group by (job, instance, nodename) ("
    f'{of_fleet("node_uname_info")} or label_join({AGENT_NAMES}, "nodename", "", "agent_name")))'
)
"""A host's own name, once: two would be two rows."""

ALERTS = of_fleet("ALERTS", 'alertstate="firing",severity!="none"')
URGENT = of_fleet("ALERTS", 'alertstate="firing",severity="critical"')
OTHERS = of_fleet("ALERTS", 'alertstate="firing",severity!~"critical|none"')

ANY: Limits = (1, 1)
SOME: Limits = (1, 10)

OF_SERIES = (
    "/d/host?var-job=${__field.labels.job:percentencode}&var-instance=${__field.labels.instance:percentencode}"
    "&${__url_time_range}"
)
OF_ROW = (
    "/d/host?var-job=${__data.fields.Job:percentencode}&var-instance=${__data.fields.Host:percentencode}"
    "&${__url_time_range}"
)


def fleet() -> Dashboard:
    """The dashboard with uid ``fleet``."""
    builder = dashboard(
        "fleet",
        "Fleet",
        "Every host, scraped or pushed: who is silent, what fires, who is busiest.",
        tags=["host"],
    )
    builder = builder.link(DashboardLink("Alerts").url("/d/alerts").keep_time(True))
    builder = builder.annotation(alerts_firing(FLEET))
    for variable in variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, (*counts(), *busiest()))
    builder = with_panels(builder, (hosts(),))
    builder = with_panels(builder.with_row(Row("Trends")), trends())
    return finished(builder)


def variables() -> tuple[QueryVariable, ...]:
    """Jobs and hosts to look at, all of them to begin with; and which means suit the time range."""
    jobs, instances = host_variables()
    names = f'{{__name__=~"{HOST_METRICS}",job=~"$job"}}'
    instances = instances.description("Hosts of these jobs.").query(
        {"query": f"label_values({names}, instance)", "refId": "variable-instance"}
    )
    return of_many(jobs), of_many(instances), rollup_variable()


def counts() -> tuple[Stat, ...]:
    """Is anything wrong at all?"""
    return (
        stat(
            "Hosts",
            "Hosts that reported within the last day, and those that are to be scraped.",
            "short",
            now(f"count({HOSTS})"),
            missing="none",
        ),
        stat(
            "Silent",
            "Hosts that answer no scrape, or have not pushed for six times their usual interval.",
            "short",
            now(f"count(({STATE}) == 0) or vector(0)"),
            limits=ANY,
        ),
        _leading_to_alerts(
            stat(
                "Critical alerts",
                "Alerts that fire and that somebody should see to at once, of hosts and of the stack itself.",
                "short",
                now(f"count({URGENT}) or vector(0)"),
                limits=ANY,
            )
        ),
        _leading_to_alerts(
            stat(
                "Warnings",
                "All other alerts that fire.",
                "short",
                now(f"count({OTHERS}) or vector(0)"),
                limits=SOME,
            )
        ),
    )


def busiest() -> tuple[Stat, ...]:
    """The worst host in each respect."""
    return (
        _named("Busiest CPU", CPU_UTILISATION, CPU),
        _named("Fullest memory", "Share of memory that programs cannot have.", MEMORY),
        _named(
            "Fullest disk",
            "Share that is used of the filesystem with the least room.",
            FILESYSTEMS,
            legend="{{instance}} {{mountpoint}}",
        ),
        _named(
            "Highest load",
            "Tasks that run or wait, over 1 minute, for each logical core. Above 1 some wait.",
            LOAD,
            unit="short",
            limits=(1, 2),
        ),
    )


def hosts() -> Table:
    """One row for each host."""
    columns = [
        Column("Value #A", "State"),
        Column("instance", "Host"),
        Column("nodename", "Name"),
        Column("job", "Job"),
        Column("Value #B", "Alerts", unit="short", limits=SOME),
        Column("Value #C", "Uptime", unit="s"),
        Column("Value #D", "CPU", unit="percentunit", limits=BUSY),
        Column("Value #E", "Memory", unit="percentunit", limits=BUSY),
        Column("Value #F", "Fullest disk", unit="percentunit", limits=BUSY),
        Column("Value #G", "Load per core", unit="short", limits=(1, 2)),
        Column("Value #H", "Received", unit="Bps"),
        Column("Value #I", "Sent", unit="Bps"),
    ]
    rows = table(
        "All hosts",
        "Every host and how it is. A host opens by its name; a column sorts by its heading. What a host does not"
        " send stays empty.",
        [
            as_rows(STATE, "A"),
            as_rows(of_each_host(f"count by (job, instance) ({ALERTS})"), "B"),
            as_rows(f"time() - max by (job, instance) ({of_fleet('node_boot_time_seconds')})", "C"),
            as_rows(f"max by (job, instance) ({CPU})", "D"),
            as_rows(f"max by (job, instance) ({MEMORY})", "E"),
            as_rows(f"max by (job, instance) ({FILESYSTEMS})", "F"),
            as_rows(f"max by (job, instance) ({LOAD})", "G"),
            as_rows(f"max by (job, instance) ({RECEIVED})", "H"),
            as_rows(f"max by (job, instance) ({SENT})", "I"),
            as_rows(NAMES, "J"),
        ],
        columns,
        hidden=["Value #J"],
        sort_by="Alerts",
        height=14,
    )
    rows = worded(rows, "State", {1: ("up", CALM), 0: ("silent", CRITICAL)})
    rows = tinted(tinted(rows, "Alerts"), "Load per core")
    rows = linked(rows, "Host", "Open this host", OF_ROW)
    return sized(rows, {"State": 80, "Alerts": 80})


def trends() -> tuple[Graph, ...]:
    """What the worst hosts did over the time range, and how many hosts and alerts there were.

    Over long ranges they read roll-ups: what is recorded every few seconds is half a million samples of a host in a
    month, of which a chart shows a thousandth.
    """
    network = rolled_up("instance:network_(receive|transmit):rate5m", FLEET)
    reporting = rolled_up("instance:(cpu|memory)_utilisation:ratio", FLEET)
    worst = f"The {SHOWN} hosts that have the most at the end of the time range, beside the median of all."
    worst += " Over more than 6 hours it is the mean of a minute, over more than 2 days of an hour."
    return (
        _worst(
            "CPU of the busiest hosts",
            f"{CPU_UTILISATION} {worst}",
            rolled_up("instance:cpu_utilisation:ratio", FLEET),
            limits=BUSY,
        ),
        _worst(
            "Memory of the fullest hosts",
            f"Share of memory that programs cannot have. {worst}",
            rolled_up("instance:memory_utilisation:ratio", FLEET),
            limits=BUSY,
        ),
        _worst(
            "Fullest filesystems",
            f"Share that is used. The {SHOWN} filesystems that have the least room at the end of the time range,"
            " beside the median of all.",
            rolled_up("instance:filesystem_utilisation:ratio", FLEET),
            legend="{{instance}} {{mountpoint}}",
            limits=BUSY,
        ),
        _worst(
            "Network of the busiest hosts",
            f"Bytes received and sent a second over 5 minutes. {worst}",
            f"sum by (job, instance) ({network})",
            unit="Bps",
        ),
        graph(
            "Hosts that report",
            "How many hosts were heard of, by job. A fall is hosts that fell silent or were taken away.",
            "short",
            [over_time(f"count by (job) (group by (job, instance) ({reporting}))", "{{job}}")],
            stacked=True,
        ),
        coloured(
            graph(
                "Alerts firing",
                "How many alerts fire, by how urgent they are.",
                "short",
                [
                    over_time(f"count({URGENT}) or vector(0)", "critical", "A"),
                    over_time(f"count({OTHERS}) or vector(0)", "warning", "B"),
                ],
                stacked=True,
            ),
            {"critical": CRITICAL, "warning": WARNING},
        ),
    )


def _named(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "percentunit",
    legend: str = "{{instance}}",
    limits: Limits = BUSY,
) -> Stat:
    """The highest of *expr*, with the name of its host, which it leads to."""
    panel = stat(
        title,
        f"{description} Of all hosts the highest.",
        unit,
        now(f"topk(1, {expr})", legend),
        limits=limits,
        missing="none",
        decimals=1 if unit == "percentunit" else 2,
    )
    opening = DashboardLink("Open this host").url(OF_SERIES)
    return panel.text_mode(BigValueTextMode.VALUE_AND_NAME).data_links([opening])


def _leading_to_alerts(panel: Stat) -> Stat:
    return panel.data_links([DashboardLink("Open the alerts").url("/d/alerts?${__url_time_range}")])


def _worst(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "percentunit",
    legend: str = "{{instance}}",
    limits: Limits | None = None,
) -> Graph:
    """Chosen by the end of the range, so that the same lines are there all along."""
    panel = graph(
        title,
        description,
        unit,
        [
            over_time(f"{expr} and topk({SHOWN}, {_at_end(expr)})", legend, "A"),
            over_time(f"quantile(0.5, {expr})", "median", "B"),
        ],
        highest=1 if unit == "percentunit" else None,
        limits=limits,
        fill=0,
    )
    return dashed(panel, "median")


def _at_end(expr: str) -> str:
    """*expr*, which has no braces but those of selectors, as it is at the end of the time range."""
    return expr.replace("}", "} @ end()")
