"""All parts of the table in one run: they share the month."""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from bench.dashboards import month, targets
from bench.dashboards.panels import Panel, expressions, names, read_panels, read_variables
from bench.dashboards.servers import Prometheus, bridge_over, make_blocks
from bench.noise import Noise
from bench.servers import Server, ServerFailed
from bench.summary import spread
from bench.table import Row, thousands
from demo.events import batch, installation
from demo.reports import Report
from stack import tools

DASHBOARDS = Path(__file__).resolve().parents[2] / "grafana" / "dashboards"
BATCHES, INSTALLATIONS = 120, 300
"""What makes the event series of the month: all there are, and what a day brings."""
BEHIND_RECORDS = {"telemetry_pushes_rejected_total"}
"""Of what a bridge shows, what is needed beside what panels name: there are records of it."""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
PAINT = "() => performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
WATCH_PANELS = """window.panelsPainted = new Promise((tell) => {
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.panel')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => tell(performance.now())));
  }).observe(document, { childList: true, subtree: true });
})"""
PANELS_PAINTED = "() => window.panelsPainted"

PARTS = ("panels", "first-paint")


class Settings(NamedTuple):
    """How much, how often, and where."""

    rounds: int
    hosts: int
    days: int
    folder: Path
    prometheus: Path
    promtool: Path
    say: Callable[[str], None]


def compare(settings: Settings, noise: Noise, parts: Iterable[str]) -> list[Row]:
    """The rows of *parts*. Raises ServerFailed: then there is no table."""
    chosen = set(parts)
    end = int(time.time()) // targets.STEP_SECONDS * targets.STEP_SECONDS
    panels = read_panels(DASHBOARDS)
    data = settings.folder / "month"
    _make_month(settings, panels, end, data)
    rows: list[Row] = []
    with Prometheus(settings.prometheus, settings.folder, "prometheus", data) as prometheus:
        settings.say("blocks are compacted")
        prometheus.wait_until_compacted()
        if "panels" in chosen:
            rows += _panels(settings, noise, prometheus, panels, end)
        if "first-paint" in chosen:
            with bridge_over(settings.folder, prometheus, DASHBOARDS) as bridge:
                rows += _first_paint(settings, noise, bridge, sorted({panel.dashboard for panel in panels}))
    return rows


def _make_month(settings: Settings, panels: list[Panel], end: int, data: Path) -> None:
    settings.say(f"{settings.days} days of {settings.hosts} hosts")
    hosts = month.host_series(settings.hosts)
    alerts = month.alert_series(settings.hosts)
    series = [*hosts, *month.rollups(hosts, expressions(panels)), *alerts, *month.alert_records(alerts)]
    series += _other_series(settings, names(panels) | BEHIND_RECORDS)
    series += [*month.target_records(settings.hosts), *month.refusal_records(series)]
    data.mkdir()
    for number, text in enumerate(month.pieces(series, end, settings.days)):
        make_blocks(settings.promtool, text, settings.folder / f"piece-{number}.txt", data)
    settings.say(f"{thousands(len(series))} series")


def _other_series(settings: Settings, asked: set[str]) -> list[month.Series]:
    """Series of events as a bridge makes them, and those that bridge and Prometheus show of themselves."""
    dice = random.Random(1)
    empty = Prometheus(settings.prometheus, settings.folder, "empty", settings.folder / "empty")
    with empty, bridge_over(settings.folder, empty, DASHBOARDS) as bridge:
        for _ in range(BATCHES):
            _push(bridge, batch(dice, time.time(), 12))
        for _ in range(INSTALLATIONS):
            one = installation(dice)
            _push(bridge, one.begins)
            _push(bridge, one.ends)
        shown = bridge.get("/metrics")[1].decode()
        own = empty.get("/metrics")[1].decode()
    return [
        *month.series_like(shown, asked, 'job="bridge",instance="local"'),
        *month.series_like(own, asked, 'job="prometheus",instance="local"'),
    ]


def _push(bridge: Server, sent: Report) -> None:
    with contextlib.closing(bridge.connect()) as connection:
        connection.request("POST", sent.path, json.dumps(sent.body), {"Content-Type": "application/json"})
        status = connection.getresponse().status
    if not 200 <= status < 300:
        raise ServerFailed(f"a push to {sent.path} was answered {status}")


def _panels(settings: Settings, noise: Noise, prometheus: Server, panels: list[Panel], end: int) -> list[Row]:
    """A row for each dashboard and range: its slowest panel, by the median of the rounds."""
    rows = []
    variables = read_variables(DASHBOARDS)
    for dashboard in sorted({panel.dashboard for panel in panels}):
        of_dashboard = [panel for panel in panels if panel.dashboard == dashboard]
        for name, seconds in targets.RANGES.items():
            settings.say(f"{dashboard}, {name}")
            noise.look()
            chosen = {
                one.name: one.value(prometheus.get(one.request(end, seconds))[1])
                for one in variables
                if one.dashboard == dashboard
            }
            timed = {
                panel: _time(prometheus, panel.requests(end, seconds, chosen), settings.rounds)
                for panel in of_dashboard
            }
            slowest = max(of_dashboard, key=lambda panel: statistics.median(timed[panel][0]))
            empty = sum(not answered for _, answered in timed.values())
            late = [
                panel.title
                for panel in of_dashboard
                if panel is not slowest and not targets.PANEL_MS.holds(statistics.median(timed[panel][0]))
            ]
            rows.append(
                Row(
                    f"{dashboard}, {name}",
                    "ms",
                    spread(timed[slowest][0]),
                    must=targets.PANEL_MS,
                    note=f"slowest of {len(of_dashboard)} panels is {slowest.title}; "
                    + (f"over the bound are also {', '.join(late)}; " if late else "")
                    + f"{empty} have nothing to read in this month",
                )
            )
    return rows


def _time(prometheus: Server, paths: list[str], rounds: int) -> tuple[list[float], bool]:
    """Milliseconds for all *paths* one after the other, in each round after one that is not counted; any answer?"""
    taken, answered = [], False
    for _ in range(rounds + 1):
        began = time.perf_counter()
        bodies = [prometheus.get(path) for path in paths]
        taken.append((time.perf_counter() - began) * 1000)
        for path, (status, body) in zip(paths, bodies, strict=True):
            if status != 200:
                raise ServerFailed(f"{path[:300]} was answered {status}: {body[:300]!r}")
            answered = answered or b'"result":[]' not in body
    return taken[1:], answered


def _first_paint(settings: Settings, noise: Noise, bridge: Server, dashboards: list[str]) -> list[Row]:
    """A row for each dashboard: when a browser without a cache has drawn something of the page; then its panels."""
    program = tools.find_browser()
    if program is None:
        return [Row("first paint", "ms", None, must=targets.FIRST_PAINT_MS, note="no Chromium on PATH")]
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        for dashboard in dashboards:
            noise.look()
            paints, panels = [], []
            for _ in range(settings.rounds + 1):
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                page.add_init_script(WATCH_PANELS)
                page.goto(f"http://127.0.0.1:{bridge.port}/dashboard?uid={dashboard}&refresh=")
                panels.append(float(page.evaluate(PANELS_PAINTED)))
                (paint,) = page.evaluate(PAINT)
                paints.append(float(paint))
                page.context.close()
            rows.append(
                Row(
                    f"first paint, {dashboard}",
                    "ms",
                    spread(paints[1:]),
                    must=targets.FIRST_PAINT_MS,
                    note=f"its panels with their titles after {statistics.median(panels[1:]):.0f} ms",
                )
            )
        browser.close()
    return rows
