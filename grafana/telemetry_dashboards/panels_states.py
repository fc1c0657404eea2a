"""Panels about states: what was when, and numbers that have a word; and the queries behind them."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    ValueMap,
    ValueMappingResult,
)

from telemetry_dashboards.panels import GRAPH_HEIGHT, MOST_POINTS
from telemetry_dashboards.promql import DATASOURCE, min_step

Words = Mapping[str, tuple[str, str]]
"""Text and colour for each value."""


def or_zero(expr: str) -> str:
    """*expr*, which has no labels, and 0 where there is nothing to count."""
    return f"({expr}) or vector(0)"


def risen(counter: str) -> str:
    """How much the series that *counter* selects rose in the whole time range, in whole numbers."""
    return f"round(increase({counter}[$__range]))"


def rate_of_risen(counter: str, by: str) -> str:
    """Increase a second of *counter* by the labels *by*; only of those that rose in the whole range, and all along."""
    return (
        f"sum by ({by}) (rate({counter}[$__rate_interval]))"
        f" and sum by ({by}) (increase({counter}[$__range] @ end())) > 0"
    )


def mapped(words: Words) -> ValueMap:
    """The words and colours that stand for values."""
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )


def in_words(panel: Stat, words: Words) -> Stat:
    """*panel* with words instead of its numbers."""
    return panel.mappings([mapped(words)])


def leading_to(panel: Stat, title: str, url: str) -> Stat:
    """*panel*, whose number is a link to *url*."""
    return panel.data_links([DashboardLink(title).url(url)])


def timeline(
    title: str,
    description: str,
    query: Dataquery,
    words: Words,
    *,
    missing: str,
    width: int = 12,
    height: int = GRAPH_HEIGHT,
) -> statetimeline.Panel:
    """One bar for each series, in the colours of *words* while it has those values, and empty while it has none."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(missing)
        .interval(min_step([query]))
        .max_data_points(MOST_POINTS)
        .color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .mappings([mapped(words)])
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.SINGLE)
            .sort(common.SortOrder.NONE)
        )
        .span(width)
        .height(height)
        .with_target(query)
    )
