"""Kinds of panels that say how much of each sort there is: bars, columns, shares, rankings, heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import barchart, bargauge, heatmap, piechart
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.piechart import PieChartLegendValues, PieChartType
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from telemetry_dashboards.counting import counted
from telemetry_dashboards.panels import (
    CALM,
    CRITICAL,
    GRAPH_HEIGHT,
    MOST_POINTS,
    NOTHING,
    WARNING,
    Column,
    Limits,
    graph,
    table,
)
from telemetry_dashboards.promql import DATASOURCE, MIN_STEP, as_rows, over_time

BAR = "#5794F2"
LONGEST = 50
"""Rows of a ranking; the rest is a long tail that nobody reads."""


def good_when_high(panel: Stat, poor: float, good: float) -> Stat:
    """*panel* red below *poor*, green from *good* on."""
    steps = [
        Threshold(value=None, color=CRITICAL),
        Threshold(value=poor, color=WARNING),
        Threshold(value=good, color=CALM),
    ]
    return panel.thresholds(
        dashboard_builders.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    ).color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def lines(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Dataquery],
    *,
    width: int = 12,
    stacked: bool = False,
    highest: float | None = None,
    limits: Limits | None = None,
) -> Graph:
    """Lines over time of what is counted; only stacked ones are filled."""
    panel = graph(
        title,
        description,
        unit,
        queries,
        width=width,
        stacked=stacked,
        highest=highest,
        limits=limits,
        fill=0,
    )
    return panel.no_value(NOTHING)


def bars(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Dataquery],
    *,
    width: int = 8,
    height: int = GRAPH_HEIGHT,
    highest: float | None = None,
    decimals: int | None = None,
) -> bargauge.Panel:
    """Lying bars, one for each series, in the order of the queries' answers."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(NOTHING)
        .min(0)
        .color_scheme(_one_colour())
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.TEXT)
        .name_placement(common.BarGaugeNamePlacement.LEFT)
        .show_unfilled(True)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(width)
        .height(height)
        .targets(list(queries))
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel if highest is None else panel.max(highest)


def columns(
    title: str,
    description: str,
    unit: str,
    expr: str,
    *,
    label: str,
    heading: str,
    what: str,
    width: int = 12,
) -> barchart.Panel:
    """Standing bars, one for each value of *label* and in its order, under the *heading*."""
    return (
        barchart.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(NOTHING)
        .min(0)
        .color_scheme(_one_colour())
        .x_field(heading)
        .orientation(common.VizOrientation.VERTICAL)
        .show_value(common.VisibilityMode.AUTO)
        .bar_width(0.9)
        .fill_opacity(80)
        .line_width(0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(False)
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.SINGLE)
            .sort(common.SortOrder.NONE)
        )
        .span(width)
        .height(GRAPH_HEIGHT)
        .with_target(as_rows(expr, "A"))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": {label: 0, "Value": 1},
                    "renameByName": {label: heading, "Value": what},
                },
            )
        )
        .with_transformation(
            DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [{"field": heading}]})
        )
    )


def shares(
    title: str, description: str, queries: Sequence[Dataquery], *, width: int = 6, unit: str = "short"
) -> piechart.Panel:
    """A ring of the shares; the legend has the numbers too."""
    return (
        piechart.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(NOTHING)
        .color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .pie_type(PieChartType.DONUT)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            .values([PieChartLegendValues.VALUE, PieChartLegendValues.PERCENT])
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.SINGLE)
            .sort(common.SortOrder.NONE)
        )
        .span(width)
        .height(GRAPH_HEIGHT)
        .targets(list(queries))
    )


def ranking(
    title: str,
    description: str,
    counts: str,
    labels: Sequence[tuple[str, str]],
    *,
    total: str,
    what: str,
    width: int = 8,
    height: int = GRAPH_HEIGHT,
) -> Table:
    """A table of the most frequent values of *labels* (label and heading each), with number and share of *total*."""
    top = f"topk({LONGEST}, {counts} > 0)"
    panel = table(
        title,
        description,
        [as_rows(top, "A"), as_rows(f"{top} / scalar({total})", "B")],
        [
            *(Column(label, heading) for label, heading in labels),
            Column("Value #A", what, "short"),
            Column("Value #B", "Share"),
        ],
        sort_by=what,
        width=width,
        height=height,
    ).no_value(NOTHING)
    return with_bar(panel, "Share")


def most_frequent(
    title: str,
    description: str,
    counter: str,
    headings: Mapping[str, str],
    *,
    of: str,
    what: str,
    width: int = 8,
) -> Table:
    """Ranking of the labels of *counter*, each under its heading, by what it took; shares are of what *of* took."""
    counts = counted(counter, ", ".join(headings))
    return ranking(
        title, description, counts, tuple(headings.items()), total=counted(of), what=what, width=width
    )


def with_bar(panel: Table, heading: str, colour: str = BAR) -> Table:
    """*panel* with the column *heading*, whose values are from 0 to 1, drawn as bars."""
    return panel.override_by_name(
        heading,
        [
            DynamicConfigValue("unit", "percentunit"),
            DynamicConfigValue("decimals", 1),
            DynamicConfigValue("min", 0),
            DynamicConfigValue("max", 1),
            DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
            DynamicConfigValue(
                "custom.cellOptions",
                common.TableBarGaugeCellOptions(
                    mode=common.BarGaugeDisplayMode.BASIC, value_display_mode=common.BarGaugeValueMode.TEXT
                ),
            ),
        ],
    )


def heat(title: str, description: str, unit: str, expr: str, *, width: int = 12) -> heatmap.Panel:
    """The buckets of a histogram over time; the darker, the more."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(NOTHING)
        .interval(MIN_STEP)
        .max_data_points(MOST_POINTS)
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(64)
            .exponent(0.5)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
        .cell_gap(1)
        .cell_values(heatmap.CellValues().unit("short").decimals(1))
        .show_legend()
        .mode(common.TooltipDisplayMode.SINGLE)
        .show_y_histogram()
        .span(width)
        .height(GRAPH_HEIGHT)
        .with_target(over_time(expr, "{{le}}").format(PromQueryFormat.HEATMAP))
    )


def _one_colour() -> dashboard_builders.FieldColor:
    return dashboard_builders.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(BAR)
