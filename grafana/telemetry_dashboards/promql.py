"""Selectors and queries as the dashboards use them."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

MIN_STEP = "1m"
"""A host may report every 60 s. This also makes ``$__rate_interval`` at least four times as long."""
LIVE_STEP = "15s"
"""Of lines that are only read, not computed over a window: what has just begun to report is seen at once."""

HOST = 'job="$job",instance="$instance"'
"""Matchers of the one host that the variables select: equal, so that a dot in its name is only a dot."""


def of_host(metric: str, matchers: str = "") -> str:
    """Selector of *metric* on the chosen host, with further *matchers* as PromQL writes them."""
    return f"{metric}{{{HOST}{',' if matchers else ''}{matchers}}}"


def over_time(expr: str, legend: str, ref_id: str = "A") -> Dataquery:
    """Query over the whole time range, for lines."""
    return _query(expr, ref_id).range().legend_format(legend)


def now(expr: str, legend: str = "", ref_id: str = "A") -> Dataquery:
    """Query of the end of the time range only: a host that is gone shows nothing, not its last value."""
    return _query(expr, ref_id).instant().legend_format(legend)


def as_rows(expr: str, ref_id: str) -> Dataquery:
    """Query of the end of the time range as a table, a column for each label."""
    return _query(expr, ref_id).instant().format(PromQueryFormat.TABLE)


def min_step(queries: Sequence[Dataquery]) -> str:
    """Least step of a panel with these *queries*: its lines share one time axis."""
    return MIN_STEP if any(query.build().interval == MIN_STEP for query in queries) else LIVE_STEP


def _query(expr: str, ref_id: str) -> Dataquery:
    step = MIN_STEP if "[" in expr else LIVE_STEP
    return Dataquery().expr(expr).ref_id(ref_id).interval(step).datasource(DATASOURCE)
