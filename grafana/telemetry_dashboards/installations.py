"""Installations: what became of what ProxmoxVE's scripts install, and why it failed where it did."""

from __future__ import annotations

from grafana_foundation_sdk.builders.bargauge import Panel as Bars
from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.builders.heatmap import Panel as Heat
from grafana_foundation_sdk.builders.piechart import Panel as Pie
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.annotations import alerts_firing
from telemetry_dashboards.counting import (
    DAY,
    HOUR,
    buckets,
    counted,
    counting_variables,
    firing,
    greatest_first,
    job_variable,
    mean,
    of_job,
    or_none,
    quantile,
    share,
)
from telemetry_dashboards.panels import Column, coloured, stat, table
from telemetry_dashboards.panels_counts import (
    LONGEST,
    bars,
    good_when_high,
    heat,
    lines,
    most_frequent,
    shares,
    with_bar,
)
from telemetry_dashboards.promql import as_rows, now, over_time
from telemetry_dashboards.shell import dashboard, finished, link_to, with_panels

EXECUTIONS = "proxmoxve_executions_total"
STARTED = "proxmoxve_executions_started_total"
BY_APP = "proxmoxve_app_executions_total"
BY_OS = "proxmoxve_executions_by_os_total"
BY_PVE = "proxmoxve_executions_by_pve_total"
BY_METHOD = "proxmoxve_executions_by_method_total"
BY_GPU = "proxmoxve_executions_by_gpu_total"
BY_CPU = "proxmoxve_executions_by_cpu_total"
BY_REPOSITORY = "proxmoxve_executions_by_repo_total"
FAILURES = "proxmoxve_failures_total"
PATTERNS = "proxmoxve_failure_patterns_total"
GENERATIONS = "proxmoxve_client_generation_total"
PINGS = "proxmoxve_progress_events_total"
IN_PROGRESS = "proxmoxve_executions_in_progress"
STUCK = "proxmoxve_executions_stuck"
TODAY = "proxmoxve_executions_today"
DURATION = "proxmoxve_install_duration_seconds"
DISK = "proxmoxve_requested_disk_bytes"
MEMORY = "proxmoxve_requested_memory_bytes"
CORES = "proxmoxve_requested_cpu_cores"

SUCCEEDED, FAILED, ABORTED = 'status="success"', 'status="failed"', 'status="aborted"'
TOOL, ADD_ON = 'type="pve"', 'type="addon"'
TRIED = 'status=~"success|failed"'
"""Whoever aborts, and an installation of which nothing more was heard, did not try."""

FAILURE_LIMITS = (0.1, 0.2)
"""An alert fires at the second."""

STATUS_COLOURS = {
    "success": "green",
    "failed": "red",
    "aborted": "yellow",
    "unknown": "#8e8e8e",
}
TOLD = "GET /api/records of the bridge has the newest ones with their error texts."

ENOUGH = "(5 + 10 * ($__range_s > bool 86400) + 25 * ($__range_s > bool 604800) + 60 * ($__range_s > bool 2592000))"
"""Installations without which a failure rate says nothing: 5 in a day, 15 in a week, 40 in 30 days, 100 in more."""


def installations() -> Dashboard:
    """The dashboard with uid ``installations``."""
    builder = (
        dashboard(
            "installations",
            "Installations",
            "What ProxmoxVE's scripts install: what succeeded, what failed and why, and on what.",
            tags=["events"],
        )
        .time("now-24h", "now")
        .refresh("30s")
        .annotation(alerts_firing('job="$job"'))
        .link(link_to("Alerts", "alerts"))
        .link(link_to("Application events", "events"))
        .with_variable(
            job_variable(STUCK, "Whose installations: what the scripts send has the job proxmoxve.")
        )
    )
    for variable in counting_variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, overview())
    builder = with_panels(builder.with_row(Row("Results")), results())
    builder = with_panels(builder.with_row(Row("Applications")), applications())
    builder = with_panels(builder.with_row(Row("Failures")), failures())
    builder = with_panels(builder.with_row(Row("Time and size")), sizes())
    builder = with_panels(builder.with_row(Row("On what, and from where")), origins())
    builder = with_panels(builder.with_row(Row("What clients send")), clients())
    return finished(builder)


def overview() -> tuple[Stat, ...]:
    """Two lines of numbers: do installations work, and does anything hang?"""
    ended, tried = counted(EXECUTIONS), counted(EXECUTIONS, matchers=TRIED)
    today = f"sum({of_job(TODAY, TRIED)})"
    return (
        stat(
            "Last event",
            "Time since the last event. After an hour without one an alert fires, where they come often.",
            "s",
            now(f"time() - max({of_job('telemetry_last_report_timestamp_seconds')})"),
            limits=(1800, 3600),
            missing="never",
            decimals=0,
        ),
        stat("Alerts", "Alerts about installations that fire now.", "short", now(firing()), limits=(1, 1)),
        stat(
            "Installations",
            "Installations that ended in the time range, each counted once.",
            "short",
            now(ended),
            missing="none",
            decimals=0,
        ),
        good_when_high(
            stat(
                "Success rate",
                "Succeeded of those that succeeded or failed; whoever aborts did not try.",
                "percentunit",
                now(share(counted(EXECUTIONS, matchers=SUCCEEDED), tried)),
                missing="none ended",
                decimals=1,
            ),
            0.8,
            0.9,
        ),
        stat(
            "Failed",
            "Installations that failed in the time range.",
            "short",
            now(or_none(counted(EXECUTIONS, matchers=FAILED), ended)),
            missing="none",
            decimals=0,
        ),
        stat(
            "Aborted",
            "Installations that somebody aborted in the time range.",
            "short",
            now(or_none(counted(EXECUTIONS, matchers=ABORTED), ended)),
            missing="none",
            decimals=0,
        ),
        stat(
            "In progress",
            "Installations without a result that were heard of within the last hour.",
            "short",
            now(f"sum({of_job(IN_PROGRESS)})"),
            missing="none",
        ),
        stat(
            "Stuck",
            "Installations without a result for more than an hour; after 48 hours they count as unknown.",
            "short",
            now(f"sum({of_job(STUCK)})"),
            limits=(1, 10),
            missing="none",
        ),
        stat(
            "Started",
            "Installations that reported their start in the time range.",
            "short",
            now(counted(STARTED)),
            missing="none",
            decimals=0,
        ),
        good_when_high(
            stat(
                "Success rate today",
                "The same since midnight UTC, of the repository ProxmoxVE only.",
                "percentunit",
                now(f"sum({of_job(TODAY, SUCCEEDED)}) / ({today} > 0)"),
                missing="none ended",
                decimals=1,
            ),
            0.8,
            0.9,
        ),
        stat(
            "Failed of all",
            "Failed of all that ended, aborted and unknown ones included.",
            "percentunit",
            now(share(counted(FAILURES), ended)),
            missing="none ended",
            decimals=1,
        ),
        stat(
            "Average duration",
            "How long an installation took, on average of those that say so.",
            "s",
            now(mean(DURATION)),
            missing="none said",
        ),
        stat(
            "Applications",
            "Different applications, tools and add-ons in the time range.",
            "short",
            now(f"count({counted(BY_APP, 'app')} > 0)"),
            missing="none",
            decimals=0,
        ),
        stat(
            "Tools",
            "Runs of tools for Proxmox VE itself (type pve) in the time range.",
            "short",
            now(or_none(counted(EXECUTIONS, matchers=TOOL), ended)),
            missing="none",
            decimals=0,
        ),
        stat(
            "Add-ons",
            "Installations of add-ons in the time range.",
            "short",
            now(or_none(counted(EXECUTIONS, matchers=ADD_ON), ended)),
            missing="none",
            decimals=0,
        ),
        stat(
            "Installations in all",
            "Installations that ended since the bridge counts.",
            "short",
            now(f"sum({of_job(EXECUTIONS)})"),
            missing="none",
            decimals=0,
        ),
    )


def results() -> tuple[Graph | Bars | Pie | Table, ...]:
    """How installations end, over time, by repository, and against the week before."""
    return (
        coloured(
            lines(
                "Results by the hour",
                "Installations that ended in the hour before each point, by result.",
                "short",
                [over_time(counted(EXECUTIONS, "status", window=HOUR), "{{status}}")],
                stacked=True,
            ),
            STATUS_COLOURS,
        ),
        coloured(
            lines(
                "Results by the day",
                "Installations that ended in the 24 hours before each point, by result.",
                "short",
                [
                    over_time(
                        f"sum by (status) ({of_job('status:proxmoxve_executions:increase1d')})", "{{status}}"
                    )
                ],
                stacked=True,
            ),
            STATUS_COLOURS,
        ),
        lines(
            "Failure rate by repository",
            "Failed of those that succeeded or failed in the 24 hours before each point. At 20 % of at least 10"
            " an alert fires.",
            "percentunit",
            [over_time(of_job("repo_source:proxmoxve_executions_failed:ratio1d"), "{{repo_source}}")],
            highest=1,
            limits=FAILURE_LIMITS,
        ),
        lines(
            "Open installations",
            "Without a result: in progress by type, and stuck for more than an hour.",
            "short",
            [
                over_time(f"sum by (type) ({of_job(IN_PROGRESS)}) > 0", "{{type}}", "A"),
                over_time(f"sum({of_job(STUCK)})", "stuck", "B"),
            ],
        ),
        bars(
            "Results today",
            "Results since midnight UTC, of the repository ProxmoxVE only.",
            "short",
            [now(f"sum by (status) ({of_job(TODAY)})", "{{status}}")],
            width=6,
            decimals=0,
        ),
        shares(
            "Types",
            "Installations that ended in the time range by type.",
            [greatest_first(EXECUTIONS, "type")],
        ),
        shares(
            "Repositories",
            "Installations that ended in the time range by where the script comes from.",
            [greatest_first(EXECUTIONS, "repo_source")],
        ),
        table(
            "This week and the one before",
            "Installations that ended in the last 7 days, and in the 7 days before if anything is known of them, by"
            " result.",
            [
                as_rows(counted(EXECUTIONS, "status", window="7d"), "A"),
                as_rows(f"sum by (status) (round(increase({of_job(EXECUTIONS)}[7d] offset 7d)))", "B"),
            ],
            [
                Column("status", "Result"),
                Column("Value #A", "7 days", "short"),
                Column("Value #B", "7 days before", "short"),
            ],
            sort_by="7 days",
            width=6,
            height=8,
        ),
    )


def applications() -> tuple[Table | Bars, ...]:
    """What is installed most, and what fails most.

    There may be thousands of series, so each query reads all of them as rarely as it can.
    """
    by = "app, type"
    top = f"topk({LONGEST}, {counted(BY_APP, by)} > 0)"
    succeeded, failed, aborted = (counted(BY_APP, by, one) for one in (SUCCEEDED, FAILED, ABORTED))
    worst = f"topk(16, ({failed} > 0) / ({counted(BY_APP, by)} >= {ENOUGH}))"
    return (
        with_bar(
            table(
                "Most installed",
                f"The {LONGEST} that ended most often in the time range, and how. Success is of all that ended,"
                " aborted and unknown ones included; a day: at the pace of the time range.",
                [
                    as_rows(top, "A"),
                    as_rows(f"{succeeded} and on (app, type) {top}", "B"),
                    as_rows(f"{failed} and on (app, type) {top}", "C"),
                    as_rows(f"{aborted} and on (app, type) {top}", "D"),
                    as_rows(f"({succeeded} or 0 * {top}) / {top}", "E"),
                    as_rows(f"{top} / $__range_s * 86400", "F"),
                ],
                [
                    Column("app", "Application"),
                    Column("type", "Type"),
                    Column("Value #A", "Installations", "short"),
                    Column("Value #F", "A day", "short"),
                    Column("Value #B", "Succeeded", "short"),
                    Column("Value #C", "Failed", "short"),
                    Column("Value #D", "Aborted", "short"),
                    Column("Value #E", "Success"),
                ],
                sort_by="Installations",
                width=15,
                height=10,
            ),
            "Success",
            "green",
        ),
        with_bar(
            table(
                "Highest failure rates",
                "Failed of all that ended, of applications with enough of them: 5 in a day, 15 in a week, 40 in 30"
                " days, 100 in more.",
                [
                    as_rows(worst, "A"),
                    as_rows(f"{failed} and on (app, type) {worst}", "B"),
                ],
                [
                    Column("app", "Application"),
                    Column("type", "Type"),
                    Column("Value #B", "Failed", "short"),
                    Column("Value #A", "Failure rate"),
                ],
                sort_by="Failure rate",
                width=9,
                height=10,
            ).no_value("No application with enough installations failed in this time."),
            "Failure rate",
            "red",
        ),
        bars(
            "Most used tools",
            "Runs of tools for Proxmox VE itself (type pve) in the time range.",
            "short",
            [greatest_first(BY_APP, "app", TOOL, most=15)],
            width=12,
            decimals=0,
        ),
        bars(
            "Most installed add-ons",
            "Installations of add-ons in the time range.",
            "short",
            [greatest_first(BY_APP, "app", ADD_ON, most=15)],
            width=12,
            decimals=0,
        ),
    )


def failures() -> tuple[Graph | Table | Bars, ...]:
    """Why installations fail."""
    return (
        lines(
            "Failures by the hour",
            f"Installations that failed in the hour before each point, by category. {TOLD}",
            "short",
            [over_time(counted(FAILURES, "error_category", window=HOUR), "{{error_category}}")],
            stacked=True,
        ),
        most_frequent(
            "Exit codes",
            "Exit codes of what failed in the time range, with the category that each was given. What a code means:"
            " GET /api/exit-codes of the bridge.",
            FAILURES,
            {"exit_code": "Exit code", "error_category": "Category"},
            of=FAILURES,
            what="Failures",
            width=12,
        ),
        bars(
            "Categories",
            "What failed in the time range by category of the error.",
            "short",
            [greatest_first(FAILURES, "error_category")],
            decimals=0,
        ),
        bars(
            "Error patterns",
            "What failed in the time range by what the error text shows first.",
            "short",
            [greatest_first(PATTERNS, "pattern")],
            decimals=0,
        ),
        bars(
            "Failed types",
            "What failed in the time range by type of installation.",
            "short",
            [greatest_first(FAILURES, "type")],
            decimals=0,
        ),
    )


def sizes() -> tuple[Graph | Heat | Table, ...]:
    """How long installations take, and how much disk, memory and how many cores they ask for."""
    return (
        heat(
            "Durations",
            "How long installations took, where they say so: the darker, the more of them.",
            "s",
            buckets(DURATION),
        ),
        lines(
            "Duration by result",
            "Of what ended in the 24 hours before each point: half took no longer, by result.",
            "s",
            [over_time(quantile(0.5, DURATION, "status", DAY), "{{status}}")],
        ).max_data_points(150),
        table(
            "By type",
            "What installations of each type took and asked for in the time range: the middle one, estimated within"
            " the histograms' bins.",
            [
                as_rows(f"{counted(EXECUTIONS, 'type')} > 0", "A"),
                as_rows(quantile(0.5, DURATION, "type"), "B"),
                as_rows(quantile(0.9, DURATION, "type"), "C"),
                as_rows(quantile(0.5, DISK, "type"), "D"),
                as_rows(quantile(0.5, MEMORY, "type"), "E"),
                as_rows(quantile(0.5, CORES, "type"), "F"),
            ],
            [
                Column("type", "Type"),
                Column("Value #A", "Installations", "short"),
                Column("Value #B", "Duration", "s"),
                Column("Value #C", "Duration, 90 %", "s"),
                Column("Value #D", "Disk", "bytes"),
                Column("Value #E", "Memory", "bytes"),
                Column("Value #F", "Cores", "short"),
            ],
            sort_by="Installations",
            width=24,
        ),
        *(
            lines(
                f"Requested {name}",
                f"{what} that an installation asked for, on average of the 24 hours before each point, by type.",
                unit,
                [over_time(mean(histogram, "type", DAY), "{{type}}")],
                width=8,
            ).max_data_points(150)
            for name, what, unit, histogram in (
                ("disk", "Disk", "bytes", DISK),
                ("memory", "Memory", "bytes", MEMORY),
                ("cores", "Cores", "short", CORES),
            )
        ),
    )


def origins() -> tuple[Table | Bars | Pie, ...]:
    """Systems, versions, methods, processors and repositories."""
    return (
        most_frequent(
            "Guest systems",
            "Installations that ended in the time range by the system that is installed; unknown is not said.",
            BY_OS,
            {"os_type": "System", "os_version": "Version"},
            of=EXECUTIONS,
            what="Installations",
        ),
        most_frequent(
            "Proxmox VE versions",
            "Installations that ended in the time range by version of the host; unknown is not said.",
            BY_PVE,
            {"pve_version": "Version"},
            of=EXECUTIONS,
            what="Installations",
        ),
        most_frequent(
            "Repositories of the scripts",
            "Installations that ended in the time range by repository, forks too; unknown is not said.",
            BY_REPOSITORY,
            {"repo_slug": "Repository"},
            of=EXECUTIONS,
            what="Installations",
        ),
        most_frequent(
            "Graphics processors",
            "Installations that ended in the time range by vendor, and how the processor is passed on to the guest.",
            BY_GPU,
            {"gpu_vendor": "Vendor", "gpu_passthrough": "Passed on"},
            of=EXECUTIONS,
            what="Installations",
        ),
        most_frequent(
            "Processors",
            "Installations that ended in the time range by the processor of the host.",
            BY_CPU,
            {"cpu_vendor": "Vendor", "arch": "Architecture"},
            of=EXECUTIONS,
            what="Installations",
        ),
        bars(
            "Methods",
            "Installations that ended in the time range by how they were set up.",
            "short",
            [greatest_first(BY_METHOD, "method", most=10)],
            decimals=0,
        ),
    )


def clients() -> tuple[Graph | Bars | Pie, ...]:
    """How good what arrives is."""
    events = 'telemetry_events_total{job="bridge",dialect="proxmoxve"}'
    return (
        shares(
            "Client generations",
            "Events that counted in the time range by generation of the client that sent them.",
            [now(f"sort_desc({counted(GENERATIONS, 'generation')} > 0)", "generation {{generation}}")],
            width=8,
        ),
        lines(
            "Pings by the hour",
            "Signs of life of running installations in the hour before each point, by what they were doing.",
            "short",
            [over_time(counted(PINGS, "status", window=HOUR), "{{status}}")],
            stacked=True,
            width=8,
        ),
        bars(
            "Payload quality",
            "Events in the time range by what the bridge made of them: accepted, mended, blanked out, repeated;"
            " and installations given up.",
            "short",
            [
                now(
                    f"sort_desc(sum by (result) (round(increase({events}[$__range]))) > 0)", "{{result}}", "A"
                ),
                now(
                    or_none(counted("proxmoxve_cleanup_marked_total"), f"sum({of_job(STUCK)})"),
                    "no result for 48 hours",
                    "B",
                ),
                now(
                    or_none(counted("proxmoxve_executions_forgotten_total"), f"sum({of_job(STUCK)})"),
                    "forgotten early",
                    "C",
                ),
            ],
            decimals=0,
        ),
    )
