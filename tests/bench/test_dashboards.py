"""The month that dashboards are asked about, and how they are asked. What is measured needs a quiet machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.dashboards import targets
from bench.dashboards.month import (
    BLOCK_SECONDS,
    DAY,
    HOUR,
    Series,
    Shapes,
    alert_records,
    alert_series,
    host_series,
    pieces,
    refusal_records,
    rollups,
    series_like,
    target_records,
)
from bench.dashboards.panels import Panel, Query, Variable, expressions, read_panels, read_variables

END = 1_770_000_000 // 300 * 300
DASHBOARDS = Path(__file__).resolve().parents[2] / "grafana/dashboards"


def samples(text: str) -> list[tuple[str, float, int]]:
    lines = [line.rsplit(" ", 2) for line in text.splitlines() if not line.startswith("#")]
    return [(series, float(value), int(at)) for series, value, at in lines]


def values_of(series: Series, times: Sequence[int]) -> list[float]:
    return series.values(times, Shapes(times))


def test_a_host_has_twenty_series() -> None:
    series = host_series(3)

    assert len(series) == 3 * 20
    assert len({(one.name, one.labels) for one in series}) == len(series)


def test_pieces_lie_in_a_block_each_and_hold_every_step_once() -> None:
    curve = Series("load", 'instance="a"', 2, 3)
    told = [samples(text) for text in pieces([curve], END, 2)]
    times = [at for piece in told for _, _, at in piece]
    sparse = [at for at in times if at < END - targets.DENSE_SECONDS]
    dense = [at for at in times if at >= END - targets.DENSE_SECONDS]

    assert all(len({at // BLOCK_SECONDS for _, _, at in piece}) == 1 for piece in told)
    assert times == sorted(set(times))
    assert len(sparse) == (2 * DAY - targets.DENSE_SECONDS) / targets.STEP_SECONDS
    assert len(dense) == targets.DENSE_SECONDS / targets.DENSE_STEP_SECONDS + 1
    assert times[-1] == END


def test_each_piece_ends_as_the_format_wants_it() -> None:
    assert all(text.endswith("\n# EOF\n") for text in pieces(host_series(1), END, 1))


def test_counters_rise_and_gauges_move() -> None:
    for one in host_series(1):
        values = values_of(one, range(END - DAY, END, 300))

        if one.name.endswith("_total"):
            assert values == sorted(values)
        elif one.name.startswith("instance:"):
            assert len(set(values)) > 100
            assert min(values) >= 0


def test_an_hour_s_mean_is_smoother_than_what_it_is_of() -> None:
    curve = Series("instance:cpu_utilisation:ratio", "", 0.5, 0.4)
    (mean,) = rollups([curve], ['max(instance:cpu_utilisation:ratio_avg1h{job="$job"})'])
    at = END // DAY * DAY + DAY // 4
    window = values_of(curve, range(at - HOUR, at, 300))

    assert mean.name == "instance:cpu_utilisation:ratio_avg1h"
    assert values_of(mean, [at]) == [pytest.approx(sum(window) / len(window), abs=0.03)]


def test_roll_ups_are_those_that_are_asked_for_also_by_a_pattern() -> None:
    asked = [
        '{__name__=~"instance:(cpu|memory)_utilisation:ratio_avg1h"}',
        "instance:load_per_core:ratio_max1m",
    ]

    assert {one.name for one in rollups(host_series(1), asked)} == {
        "instance:cpu_utilisation:ratio_avg1h",
        "instance:memory_utilisation:ratio_avg1h",
        "instance:load_per_core:ratio_max1m",
    }
    assert {
        one.name for one in rollups(host_series(1), ['{__name__=~"instance:cpu_utilisation:ratio$rollup"}'])
    } == {
        "instance:cpu_utilisation:ratio_avg1m",
        "instance:cpu_utilisation:ratio_avg1h",
    }


def test_an_alert_fires_for_an_hour_a_day() -> None:
    (firing,) = [one for one in alert_series(5) if 'instance="host-004"' in one.labels]
    times = [at for text in pieces([firing], END, 3) for _, _, at in samples(text)]

    assert {at % DAY // HOUR for at in times} == {4}


def test_series_are_like_those_of_an_exposition() -> None:
    exposition = "\n".join(
        [
            "# TYPE minigem_events_total counter",
            'minigem_events_total{job="minigem",instance="",event="x"} 86400',
            "telemetry_series 12",
            "python_info 1",
        ]
    )
    counted, shown = series_like(exposition, {"minigem_events_total", "telemetry_series"}, 'job="bridge"')

    assert counted.labels == 'job="minigem",instance="",event="x"'
    before, after = values_of(counted, [END - DAY, END])
    assert after - before == pytest.approx(86_400)
    assert (shown.labels, values_of(shown, [END])) == ('job="bridge"', [12])


def test_what_is_recorded_of_targets_and_refusals_is_what_panels_ask_for() -> None:
    exposition = "\n".join(
        f'telemetry_pushes_rejected_total{{job="bridge",instance="local",dialect="{dialect}",reason="{reason}"}} 0'
        for dialect in ("samples", "statix")
        for reason in ("forbidden", "malformed_body")
    )
    counted = series_like(exposition, {"telemetry_pushes_rejected_total"}, 'job="bridge"')
    records = [*target_records(3), *refusal_records(counted)]
    asked = " ".join(expressions(read_panels(DASHBOARDS)))

    assert {one.name for one in records} == set(re.findall(r"\b(?:job|exporters|reason):\w+:\w+", asked))
    assert len([one for one in records if one.name.startswith("reason:")]) == 2
    assert len({(one.name, one.labels) for one in records}) == len(records)


def test_a_panel_is_asked_as_a_page_asks_it() -> None:
    panel = Panel(
        "host",
        "x",
        (
            Query('rate(a{job="$job"}[$__rate_interval])', instant=False, min_step_seconds=60),
            Query("b$rollup[${__range}]", instant=True, min_step_seconds=15),
        ),
    )
    over_time, now = (urlsplit(path) for path in panel.requests(END, 30 * DAY, {"rollup": "_avg1h"}))

    assert over_time.path == "/api/v1/query_range"
    assert parse_qs(over_time.query) == {
        "query": ['rate(a{job="node"}[4380s])'],
        "start": [str(END - 30 * DAY)],
        "end": [str(END)],
        "step": ["4320"],
    }
    assert (now.path, parse_qs(now.query)["query"]) == ("/api/v1/query", ["b_avg1h[2592000s]"])


def test_every_panel_of_every_dashboard_is_asked() -> None:
    panels = read_panels(DASHBOARDS)

    assert {panel.dashboard for panel in panels} == {path.stem for path in DASHBOARDS.glob("*.json")}
    for panel in panels:
        assert not any(
            re.search(r"%24", path) for path in panel.requests(END, 3600, {}) if "label_" not in path
        )
    assert expressions(panels)


def test_what_nobody_chooses_follows_from_the_range() -> None:
    variable = Variable("fleet", "rollup", "x and vector($__range_s) > 6", 'rollup="([^"]+)"')
    asked = parse_qs(urlsplit(variable.request(END, DAY)).query)
    answer = b'{"data":{"result":[{"metric":{"rollup":"_avg1h"},"value":[1,"1"]}]}}'

    assert asked == {"query": ["x and vector(86400) > 6"], "time": [str(END)]}
    assert variable.value(answer) == "_avg1h"
    with pytest.raises(ValueError, match="fleet finds no value of rollup"):
        variable.value(b'{"data":{"result":[]}}')
    assert [(one.dashboard, one.name) for one in read_variables(DASHBOARDS)] == [
        ("alerts", "unrecorded"),
        ("events", "counted"),
        ("events", "estimated"),
        ("fleet", "rollup"),
        ("installations", "counted"),
        ("installations", "estimated"),
    ]


def test_what_is_recorded_of_an_alert_is_there_while_it_fires() -> None:
    alerts = alert_series(2)
    records = alert_records(alerts)

    assert {one.name for one in records} == {"ALERTS_FOR_STATE", "alert:firing:since", "alert:firing:age"}
    assert {one.hours for one in records if one.name.startswith("alert:")} == {(0, 1), (1, 2)}
    assert not any("alertstate" in one.labels for one in records)
