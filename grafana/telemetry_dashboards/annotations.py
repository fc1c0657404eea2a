"""Marks on the charts of a dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from telemetry_dashboards.promql import DATASOURCE


def alerts_firing(matchers: str) -> AnnotationQuery:
    """A mark for as long as an alert with these labels fires. Grafana writes its name and instance beside it."""
    return (
        AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("red")
        .expr(f'ALERTS{{{matchers},alertstate="firing",severity!="none"}}')
    )
