"""Application events: what the users of an editor extension for Java pupils do, and how their programs end."""

from __future__ import annotations

from grafana_foundation_sdk.builders.barchart import Panel as Columns
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
    between,
    buckets,
    by_clock,
    counted,
    counting_variables,
    firing,
    greatest_first,
    job_variable,
    mean,
    named,
    of_job,
    or_none,
    quantile,
    share,
)
from telemetry_dashboards.panels import coloured, stat
from telemetry_dashboards.panels_counts import bars, columns, heat, lines, most_frequent, ranking, shares
from telemetry_dashboards.promql import now, over_time
from telemetry_dashboards.shell import dashboard, finished, link_to, with_panels

EVENTS = "minigem_events_total"
BY_OS = "minigem_events_by_os_total"
BY_EXTENSION = "minigem_events_by_extension_total"
BY_EDITOR = "minigem_events_by_editor_total"
BY_COUNTRY = "minigem_events_by_country_total"
STARTED = "minigem_java_runs_started_total"
COMPLETED = "minigem_java_runs_completed_total"
ERRORS = "minigem_java_run_errors_total"
OUTPUT = "minigem_java_run_output_total"
INTERACTIVE = "minigem_java_runs_interactive_total"
TRUNCATED = "minigem_java_runs_truncated_total"
DURATION = "minigem_java_run_duration_seconds"
WAIT = "minigem_java_run_input_wait_seconds"

WEEK = 'window="7d"'
INSTALL = 'event="install.created"'
LIMITED_TO_NEWEST = "They are no metric: GET /stats of the bridge has those of the newest events."

OUTCOMES = {"0": "normal end", "1": "exception", "130": "Ctrl+C", "143": "terminated"}
OUTCOME_COLOURS = {
    "normal end": "green",
    "exception": "red",
    "Ctrl+C": "yellow",
    "terminated": "orange",
    "other": "#8e8e8e",
}
DURATION_BINS = (
    ("", "0.5", "up to 0.5 s"),
    ("0.5", "1", "0.5 to 1 s"),
    ("1", "3", "1 to 3 s"),
    ("3", "10", "3 to 10 s"),
    ("10", "30", "10 to 30 s"),
    ("30", "60", "30 to 60 s"),
    ("60", "120", "1 to 2 min"),
    ("120", "[+]Inf", "over 2 min"),
)
"""As the histogram's bounds are: above, up to, and how a person says it."""

HOURS = (
    f'sum by (hour) (label_join(label_replace({by_clock(BY_OS, "hour")}, "zero", "0", "hour", "."),'
    ' "hour", "", "zero", "hour"))'
)
"""With two digits, so that 9 comes before 10."""

WEEKDAYS = {
    "1": "1 Monday",
    "2": "2 Tuesday",
    "3": "3 Wednesday",
    "4": "4 Thursday",
    "5": "5 Friday",
    "6": "6 Saturday",
    "0": "7 Sunday",
}
"""The number before the name keeps them in order."""

CONTINENTS = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
IN_COUNTRIES = (
    f"sum by (country, continent) ({counted(BY_COUNTRY, 'country')}"
    " * on (country) group_left (continent) country:minigem_continent:info)"
)


def events() -> Dashboard:
    """The dashboard with uid ``events``."""
    builder = (
        dashboard(
            "events",
            "Application events",
            "What the users of the editor extension do: how many they are, and how their Java programs end.",
            tags=["events"],
        )
        .time("now-24h", "now")
        .refresh("30s")
        .annotation(alerts_firing('job="$job"'))
        .link(link_to("Alerts", "alerts"))
        .link(link_to("Installations", "installations"))
        .with_variable(job_variable(EVENTS, "Whose events: what minigem's clients send has the job minigem."))
    )
    for variable in counting_variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, overview())
    builder = with_panels(builder.with_row(Row("Activity")), activity())
    builder = with_panels(builder.with_row(Row("Java runs")), runs())
    builder = with_panels(builder.with_row(Row("What is used, and where")), origins())
    return finished(builder)


def overview() -> tuple[Stat, ...]:
    """Two lines of numbers: do events come, from how many users, and do programs work?"""
    completed, started = counted(COMPLETED), counted(STARTED)
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
        stat(
            "Alerts",
            "Alerts about these events that fire now.",
            "short",
            now(firing()),
            limits=(1, 1),
        ),
        stat(
            "Events", "Events in the time range.", "short", now(counted(EVENTS)), missing="none", decimals=0
        ),
        stat(
            "Users, 7 days",
            "Different users in the last 7 days, estimated with an error of about 1.6 %.",
            "short",
            now(f"sum({of_job('minigem_unique_users', WEEK)})"),
            missing="none",
            decimals=0,
        ),
        stat(
            "Active sessions",
            "Sessions with an event in the last ten minutes and no completed run.",
            "short",
            now(f"sum({of_job('minigem_active_sessions')})"),
            missing="none",
        ),
        stat(
            "Runs without error",
            "Share of the completed Java runs that ended normally (exit code 0).",
            "percentunit",
            now(share(counted(COMPLETED, matchers='exit_code="0"'), completed)),
            missing="none ended",
            decimals=1,
        ),
        stat(
            "Compile errors",
            "Compile errors for each started Java run. An alert fires above 50 % of at least 20 runs in an hour.",
            "percentunit",
            now(share(counted(ERRORS, matchers='phase="compile"'), started)),
            limits=(0.3, 0.5),
            missing="none started",
            decimals=1,
        ),
        stat(
            "Runtime errors",
            "Errors of running programs for each started Java run. Errors without a phase count in neither.",
            "percentunit",
            now(share(counted(ERRORS, matchers='phase="runtime"'), started)),
            missing="none started",
            decimals=1,
        ),
        stat(
            "Runs started", "Java runs that were started.", "short", now(started), missing="none", decimals=0
        ),
        stat("Runs completed", "Java runs that ended.", "short", now(completed), missing="none", decimals=0),
        stat(
            "Median duration",
            "Half of the completed runs took no longer; estimated within the histogram's bins.",
            "s",
            now(quantile(0.5, DURATION)),
            missing="none ended",
        ),
        stat(
            "Duration, 90 %",
            "Nine of ten completed runs took no longer; estimated within the histogram's bins.",
            "s",
            now(quantile(0.9, DURATION)),
            missing="none ended",
        ),
        stat(
            "Wait for input",
            "How long a completed run waited for its user, on average of those that say so.",
            "s",
            now(mean(WAIT)),
            missing="none said",
        ),
        stat(
            "Exceptions, 7 days",
            f"Different exceptions of Java runs in the last 7 days, estimated. {LIMITED_TO_NEWEST}",
            "short",
            now(f"sum({of_job('minigem_distinct_exceptions', WEEK)})"),
            missing="none",
            decimals=0,
        ),
        stat(
            "Installs",
            "New installations of the extension in the time range.",
            "short",
            now(or_none(counted(EVENTS, matchers=INSTALL), counted(EVENTS))),
            missing="none",
            decimals=0,
        ),
        stat(
            "Installs in all",
            "New installations of the extension since the bridge counts.",
            "short",
            now(or_none(f"sum({of_job(EVENTS, INSTALL)})", f"sum({of_job(EVENTS)})")),
            missing="none",
            decimals=0,
        ),
    )


def activity() -> tuple[Graph | Columns, ...]:
    """When events come, and from how many."""
    return (
        lines(
            "Events by the hour",
            "Events in the hour before each point, by name; names that the extension does not send are other.",
            "short",
            [over_time(counted(EVENTS, "event", window=HOUR), "{{event}}")],
            stacked=True,
        ),
        lines(
            "Users",
            "Different users in the window before each point, estimated.",
            "short",
            [over_time(f"sum by (window) ({of_job('minigem_unique_users')})", "{{window}}")],
        ),
        columns(
            "Hours of the day",
            "Events of the whole time range by hour of the day, UTC: 09 is from 9 to 10 o'clock.",
            "short",
            HOURS,
            label="hour",
            heading="Hour",
            what="Events",
        ),
        columns(
            "Days of the week",
            "Events of the whole time range by day of the week, UTC.",
            "short",
            named(by_clock(BY_OS, "day_of_week"), "day_of_week", WEEKDAYS),
            label="day_of_week",
            heading="Day",
            what="Events",
            width=6,
        ),
        lines(
            "Sessions",
            f"Active sessions: an event in the last ten minutes and no completed run. {LIMITED_TO_NEWEST}",
            "short",
            [over_time(f"sum({of_job('minigem_active_sessions')})", "active")],
            width=6,
        ),
        lines(
            "Events by the day",
            "Events in the 24 hours before each point, by family of systems.",
            "short",
            [over_time(counted(BY_OS, "os", window=DAY), "{{os}}")],
            stacked=True,
        ).max_data_points(150),
        lines(
            "Installs by the day",
            "New installations of the extension in the 24 hours before each point.",
            "short",
            [
                over_time(
                    or_none(counted(EVENTS, matchers=INSTALL, window=DAY), f"sum({of_job(EVENTS)})"),
                    "installs",
                )
            ],
        ).max_data_points(150),
    )


def runs() -> tuple[Graph | Bars | Heat, ...]:
    """How Java runs end, how long they take, and what goes wrong."""
    completed = counted(COMPLETED)
    ends = [
        now(share(counted(COMPLETED, matchers=f'exit_code="{code}"'), completed), name, ref_id)
        for ref_id, (code, name) in zip("ABCDE", [*OUTCOMES.items(), ("other", "other")], strict=True)
    ]
    return (
        bars(
            "Completed runs",
            "Shares of the completed runs: how they ended, which read input, and whose output was cut.",
            "percentunit",
            [
                *ends,
                now(share(counted(INTERACTIVE), completed), "read input", "F"),
                now(share(counted(TRUNCATED), completed), "output cut", "G"),
            ],
            highest=1,
            decimals=1,
        ),
        coloured(
            lines(
                "Outcomes by the day",
                "Runs that ended in the 24 hours before each point, by how they ended.",
                "short",
                [
                    over_time(
                        named(of_job("exit_code:minigem_runs_completed:increase1d"), "exit_code", OUTCOMES),
                        "{{exit_code}}",
                    )
                ],
                stacked=True,
                width=8,
            ),
            OUTCOME_COLOURS,
        ),
        coloured(
            lines(
                "Outcome rates by the day",
                "Share of each outcome in the runs that ended in the 24 hours before each point.",
                "percentunit",
                [
                    over_time(
                        named(of_job("exit_code:minigem_runs_completed:ratio1d"), "exit_code", OUTCOMES),
                        "{{exit_code}}",
                    )
                ],
                highest=1,
                width=8,
            ),
            OUTCOME_COLOURS,
        ),
        heat(
            "Durations", "How long completed runs took: the darker, the more of them.", "s", buckets(DURATION)
        ),
        lines(
            "Duration and wait",
            "Of the runs that ended in the hour before each point. The wait is for the user's input.",
            "s",
            [
                over_time(quantile(0.9, DURATION, window=HOUR), "90 % took up to", "A"),
                over_time(quantile(0.5, DURATION, window=HOUR), "half took up to", "B"),
                over_time(mean(WAIT, window=HOUR), "average wait", "C"),
            ],
        ),
        bars(
            "Runs by duration",
            "Completed runs in the time range by how long they took.",
            "short",
            [
                now(between(DURATION, above, up_to), name, ref_id)
                for ref_id, (above, up_to, name) in zip("ABCDEFGH", DURATION_BINS, strict=True)
            ],
            decimals=0,
        ),
        bars(
            "Runs by output",
            "Completed runs in the time range by how much they wrote; - is not said.",
            "short",
            [greatest_first(OUTPUT, "bucket")],
            decimals=0,
        ),
        lines(
            "Errors by the hour",
            f"Errors of Java runs in the hour before each point, by phase. {LIMITED_TO_NEWEST}",
            "short",
            [over_time(counted(ERRORS, "phase", window=HOUR), "{{phase}}")],
            stacked=True,
            width=8,
        ),
    )


def origins() -> tuple[Table | Bars | Pie, ...]:
    """Which events, versions, systems and countries there are."""
    total = counted(EVENTS)
    return (
        most_frequent(
            "Events by name",
            "Events in the time range by name.",
            EVENTS,
            {"event": "Event"},
            of=EVENTS,
            what="Events",
        ),
        most_frequent(
            "Versions of the extension",
            "Events in the time range by version of the extension; 0.0.0 is not said.",
            BY_EXTENSION,
            {"version": "Version"},
            of=EVENTS,
            what="Events",
        ),
        most_frequent(
            "Versions of the editor",
            "Events in the time range by version of the editor; 0.0.0 is not said.",
            BY_EDITOR,
            {"version": "Version"},
            of=EVENTS,
            what="Events",
        ),
        ranking(
            "Countries",
            "Events in the time range by country (ISO 3166-1), where a trusted proxy or the database says it.",
            named(IN_COUNTRIES, "continent", CONTINENTS),
            [("country", "Country"), ("continent", "Continent")],
            total=total,
            what="Events",
        ),
        shares(
            "Systems",
            "Events in the time range by family of operating systems.",
            [greatest_first(BY_OS, "os")],
            width=6,
        ),
        shares(
            "Continents",
            "Events in the time range by continent.",
            [
                now(
                    f"sort_desc({named(f'sum by (continent) ({IN_COUNTRIES}) > 0', 'continent', CONTINENTS)})",
                    "{{continent}}",
                )
            ],
            width=5,
        ),
        bars(
            "How many kinds",
            "Different values in the time range.",
            "short",
            [
                now(f"count({counted(BY_OS, 'os')} > 0)", "systems", "A"),
                now(f"count({counted(BY_EXTENSION, 'version')} > 0)", "extension versions", "B"),
                now(f"count({counted(BY_EDITOR, 'version')} > 0)", "editor versions", "C"),
                now(f"count({counted(BY_COUNTRY, 'country')} > 0)", "countries", "D"),
            ],
            width=5,
            decimals=0,
        ),
        bars(
            "Skipped items",
            "Items of pushes in the time range that were not counted, and why.",
            "short",
            [greatest_first("minigem_events_skipped_total", "reason")],
            width=24,
            height=5,
            decimals=0,
        ),
    )
