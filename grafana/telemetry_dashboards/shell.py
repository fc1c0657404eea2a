"""What every dashboard has: fixed uid, data source variable, time range, refresh, panel ids."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from telemetry_dashboards.promql import DATASOURCE

HOST_METRICS = "node_(load1|memory_MemTotal_bytes|uname_info)|host_(cpu_utilization|memory_used)_ratio"
"""Names of which every host has at least one, scraped or pushed; event dialects have none."""


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


def finished(builder: builders.Dashboard) -> models.Dashboard:
    """The dashboard, with panels numbered in the order in which they stand."""
    built = builder.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return built


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
