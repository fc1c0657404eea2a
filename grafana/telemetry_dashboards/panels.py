"""One function per kind of panel. All take title, description and unit: no panel goes without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    Threshold,
    ThresholdsMode,
)

from telemetry_dashboards.promql import DATASOURCE, min_step

FULL_WIDTH = 24
STAT_HEIGHT = 4
GRAPH_HEIGHT = 8

MOST_POINTS = 300
"""Of a line: every second or third pixel of a panel has one. Each takes Prometheus its time."""

CALM, WARNING, CRITICAL = "green", "#EAB839", "red"
NEUTRAL = "text"

NOTHING = "Nothing in this time."

Limits = tuple[float, float]
"""The values from which something is a warning, and critical."""


def stat(
    title: str,
    description: str,
    unit: str,
    query: Dataquery,
    *,
    width: int = 3,
    limits: Limits | None = None,
    missing: str = "not sent",
    decimals: int | None = None,
) -> stat_builders.Panel:
    """One number, coloured by *limits* if there are any.

    *missing* is what stands there for a host that does not send this.
    """
    panel = (
        stat_builders.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(missing)
        .thresholds(_thresholds(limits))
        .color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .justify_mode(common.BigValueJustifyMode.AUTO)
        .text_mode(common.BigValueTextMode.VALUE)
        .span(width)
        .height(STAT_HEIGHT)
        .with_target(query)
    )
    return panel if decimals is None else panel.decimals(decimals)


def caption(
    title: str, description: str, queries: Sequence[Dataquery], *, width: int, missing: str = "not sent"
) -> stat_builders.Panel:
    """Text out of labels: the legend of each query that answers stands where a stat has its number."""
    panel = stat(title, description, "none", queries[0], width=width, missing=missing)
    return panel.targets(list(queries)).text_mode(common.BigValueTextMode.NAME)


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Dataquery],
    *,
    width: int = 12,
    stacked: bool = False,
    lowest: float | None = 0,
    highest: float | None = None,
    limits: Limits | None = None,
    fill: int = 12,
) -> timeseries_builders.Panel:
    """Lines over time; the legend has last, lowest and highest value, *limits* are dashed lines."""
    step = min_step(queries)
    panel = (
        timeseries_builders.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(NOTHING)
        .interval(step)
        .max_data_points(MOST_POINTS)
        .color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .draw_style(common.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(60 if stacked else fill)
        .show_points(common.VisibilityMode.AUTO)
        .span_nulls(False)
        .stacking(
            common_builders.StackingConfig()
            .mode(common.StackingMode.NORMAL if stacked else common.StackingMode.NONE)
            .group("A")
        )
        .thresholds(_thresholds(limits))
        .thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED if limits else common.GraphThresholdsStyleMode.OFF
            )
        )
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "min", "max"])
            .sort_by("Last *")
            .sort_desc(True)
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .span(width)
        .height(GRAPH_HEIGHT)
        .targets([query.interval(step) for query in queries])
    )
    if lowest is not None:
        panel = panel.min(lowest)
    return panel if highest is None else panel.max(highest)


def mirrored(panel: timeseries_builders.Panel, below: str) -> timeseries_builders.Panel:
    """*panel* with the series whose names match the regular expression *below* drawn under the zero line."""
    return panel.override_by_regexp(
        f"/{below}/", [DynamicConfigValue("custom.transform", common.GraphTransform.NEGATIVE_Y)]
    )


def coloured(panel: timeseries_builders.Panel, colours: Mapping[str, str]) -> timeseries_builders.Panel:
    """*panel* with a fixed colour for each of these series, so that it means the same on every host."""
    for name, colour in colours.items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        panel = panel.override_by_name(name, [fixed])
    return panel


def filled(panel: timeseries_builders.Panel, name: str) -> timeseries_builders.Panel:
    """*panel* with the room under the series *name* filled."""
    return panel.override_by_name(name, [DynamicConfigValue("custom.fillOpacity", 25)])


def dashed(panel: timeseries_builders.Panel, name: str) -> timeseries_builders.Panel:
    """*panel* with the series *name* as a grey dashed line: something to compare the others with."""
    return panel.override_by_name(
        name,
        [
            DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
            DynamicConfigValue("custom.fillOpacity", 0),
            DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "#8e8e8e"}),
        ],
    )


class Column(NamedTuple):
    """One column of a table: the field it is made of, its heading, and how its values are written."""

    field: str
    heading: str
    unit: str | None = None
    limits: Limits | None = None

    def override(self) -> DashboardFieldConfigSourceOverrides | None:
        """How Grafana writes this column, if not as plain text. A column with limits is a bar from 0 to 1."""
        properties: list[DynamicConfigValue] = []
        if self.unit is not None:
            properties.append(DynamicConfigValue("unit", self.unit))
        if self.limits is not None:
            properties += [
                DynamicConfigValue("min", 0),
                DynamicConfigValue("max", 1),
                DynamicConfigValue("thresholds", _thresholds(self.limits).build()),
                DynamicConfigValue("color", {"mode": "thresholds"}),
                DynamicConfigValue(
                    "custom.cellOptions",
                    common.TableBarGaugeCellOptions(
                        mode=common.BarGaugeDisplayMode.BASIC,
                        value_display_mode=common.BarGaugeValueMode.TEXT,
                    ),
                ),
            ]
        matcher = MatcherConfig(id_val="byName", options=self.heading)
        return DashboardFieldConfigSourceOverrides(matcher, properties) if properties else None


def table(
    title: str,
    description: str,
    queries: Sequence[Dataquery],
    columns: Sequence[Column],
    *,
    hidden: Sequence[str] = (),
    sort_by: str,
    width: int = FULL_WIDTH,
    height: int = 6,
) -> table_builders.Panel:
    """Rows joined over the labels that all *queries* have; *columns* gives their order and headings."""
    panel = (
        table_builders.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(NOTHING)
        .show_header(True)
        .sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(True)])
        .span(width)
        .height(height)
        .targets(list(queries))
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(id_val="organize", options=_organised(columns, ("Time", *hidden)))
        )
    )
    for column in columns:
        if (override := column.override()) is not None:
            panel = panel.with_override(override.matcher, override.properties)
    return panel


def _organised(columns: Sequence[Column], hidden: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
    return {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {column.field: index for index, column in enumerate(columns)},
        "renameByName": {column.field: column.heading for column in columns},
    }


def _thresholds(limits: Limits | None) -> dashboard_builders.ThresholdsConfig:
    steps = [Threshold(value=None, color=NEUTRAL if limits is None else CALM)]
    if limits is not None:
        warning, critical = limits
        steps += [Threshold(value=warning, color=WARNING), Threshold(value=critical, color=CRITICAL)]
    return dashboard_builders.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
