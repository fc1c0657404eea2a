"""What every dashboard has: fixed uid, data source variable, time range, refresh, panel ids."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from telemetry_dashboards.panels import NOTHING
from telemetry_dashboards.promql import DATASOURCE

HOST_METRICS = "node_(load1|memory_MemTotal_bytes|uname_info)|host_(cpu_utilization|memory_used)_ratio"
"""Names of which every host has at least one, scraped or pushed; event dialects have none."""

ROLLUPS = {"_avg1h": 2 * 86_400, "_avg1m": 6 * 3_600}
"""Endings of the recorded means → the seconds of a time range above which they are read, the greatest first."""


def dashboard(uid: str, title: str, description: str, *, tags: Sequence[str]) -> builders.Dashboard:
    """An empty dashboard. Its *uid* is part of links and must not change."""
    return (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["telemetry", *tags])
        .timezone("browser")
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("10s")
        .timepicker(builders.TimePicker().refresh_intervals(["5s", "10s", "30s", "1m", "5m", "15m", "1h"]))
        .with_variable(
            builders.DatasourceVariable("datasource")
            .label("Data source")
            .description("The Prometheus that is asked.")
            .type("prometheus")
            .current(models.VariableOption(text="Prometheus", value="prometheus", selected=True))
        )
    )


def host_variables() -> tuple[builders.QueryVariable, builders.QueryVariable]:
    """Variables ``job`` and ``instance``, which together name one host."""
    names = f'__name__=~"{HOST_METRICS}"'
    return (
        label_variable("job", "Job", "Where hosts come from.", f"label_values({{{names}}}, job)"),
        label_variable(
            "instance", "Host", "One host of the job.", f'label_values({{{names},job="$job"}}, instance)'
        ),
    )


def part_variables(
    metric: str, label: str, jobs: str, instances: str
) -> tuple[builders.QueryVariable, builders.QueryVariable]:
    """Variables ``job`` and ``instance`` (under *label*), which together name one part of the stack: one with *metric*.

    *jobs* and *instances* describe them.
    """
    return (
        label_variable("job", "Job", jobs, f"label_values({metric}, job)"),
        label_variable("instance", label, instances, f'label_values({metric}{{job="$job"}}, instance)'),
    )


def with_panels(builder: builders.Dashboard, panels: Sequence[Builder[models.Panel]]) -> builders.Dashboard:
    """*builder* with *panels* after what it has, from left to right and wrapped at 24 columns."""
    for panel in panels:
        builder = builder.with_panel(panel)
    return builder


def finished(builder: builders.Dashboard, without_data: str = NOTHING) -> models.Dashboard:
    """The dashboard, with panels numbered in the order in which they stand.

    *without_data* stands in those that do not say themselves what it means that there is nothing to show.
    """
    built = builder.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
        if (
            isinstance(panel, models.Panel)
            and panel.field_config
            and panel.field_config.defaults.no_value == NOTHING
        ):
            panel.field_config.defaults.no_value = without_data
    for variable in built.templating.list_val or []:
        if variable.hide == models.VariableHide.HIDE_VARIABLE:
            variable.skip_url_sync = True
    return built


def rollup_variable() -> builders.QueryVariable:
    """Variable ``rollup``, which nobody chooses: which recorded mean suits the time range. See `rolled_up`.

    PromQL computes both sides of an ``or``, so the choice has to be made before a panel asks. In the first minutes of
    a stack there is none. Every host has its memory.
    """
    choices = [f'label_replace(vector(1), "rollup", "{ending}", "", "")' for ending in (*ROLLUPS, "()")]
    conditions = [
        f" and on () vector($__range_s) > {seconds} and on () instance:memory_utilisation:ratio{ending}"
        for ending, seconds in ROLLUPS.items()
    ]
    return hidden_variable(
        "rollup", " or on () ".join(map(str.__add__, choices, (*conditions, ""))), "rollup"
    ).description(
        "Which mean is read: of an hour in long time ranges, of a minute in others, in short ones none."
    )


def hidden_variable(name: str, expr: str, label: str) -> builders.QueryVariable:
    """Variable that nobody chooses: the value of *label* in what *expr* gives at the end of the time range."""
    return (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .hide(models.VariableHide.HIDE_VARIABLE)
        .datasource(DATASOURCE)
        .query({"query": f"query_result({expr})", "refId": f"variable-{name}"})
        .regex(f'/{label}="([^"]+)"/')
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def rolled_up(name: str, matchers: str) -> str:
    """Selector of a recorded *name*, over long time ranges of its roll-ups, which have hardly any samples beside it.

    Needs `rollup_variable` in the dashboard. *name* may be a regular expression.
    """
    return f'{{__name__=~"{name}$rollup",{matchers}}}'


def label_variable(
    name: str, label: str, description: str, query: str, *, many: bool = False
) -> builders.QueryVariable:
    """Variable over the values of a label; with *many* several may be chosen, to begin with all."""
    variable = (
        builders.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    return of_many(variable) if many else variable


def of_many(variable: builders.QueryVariable) -> builders.QueryVariable:
    """*variable*, of which several values may be chosen, to begin with all."""
    everything = models.VariableOption(text="All", value="$__all", selected=True)
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


def link_to(title: str, uid: str) -> builders.DashboardLink:
    """Link at the top of a dashboard to another one, with the same time range."""
    return builders.DashboardLink(title).type(models.DashboardLinkType.LINK).url(f"/d/{uid}").keep_time(True)
