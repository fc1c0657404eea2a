"""The bridge's pages in a real headless Chromium: /dashboard over the real stack, /docs over a bridge alone."""

from __future__ import annotations

import fcntl
import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from stack import tools, viewer
from tests.bridge.process import BridgeProcess
from tests.stack import programs
from tests.stack.stores import Prometheus

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "pushgateway-bridge/viewer"
SCREENSHOTS = REPOSITORY / "build/screenshots"
expect.set_options(timeout=30_000)  # of ten panels on a busy machine the last may need its time

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MOST_SCRIPT_BYTES = 150 * 1024
"""Gzipped."""

UIDS = sorted(path.stem for path in (REPOSITORY / "grafana/dashboards").glob("*.json"))
DOCUMENTS: dict[str, Any] = {
    uid: json.loads((REPOSITORY / f"grafana/dashboards/{uid}.json").read_text(encoding="utf-8"))
    for uid in UIDS
}
COMPARED = {"stat", "bargauge", "piechart"}
"""Kinds of panels whose numbers are those of their instant queries."""

PUSH = {"name": "my-server", "cpuC": 8, "cpuL": 63, "tRam": 31387, "uRam": 16382, "disk": 50400}
STATS = ("Machine", "Uptime", "CPU", "Memory", "Fullest disk", "Load per core", "Last report")
GRAPHS = ("CPU utilisation", "CPU by mode", "Load", "Memory use", "Network throughput")

pytestmark = pytest.mark.browser


def not_here(what: str) -> NoReturn:
    """Skip, unless this is CI: there nothing may be skipped in silence."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true")
    pytest.skip(what)


@pytest.fixture(scope="session")
def built() -> Path:
    """The built page. Where tests run in several processes, one builds it and the others wait."""
    lock = REPOSITORY / "build/viewer.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        there = viewer.build()
    if not there:
        not_here("npm is missing, so there is no page")
    return REPOSITORY / viewer.OUTPUT


@pytest.fixture(scope="session")
def browser(built: Path) -> Iterator[Browser]:
    program = tools.find_browser()
    if program is None:
        not_here("no Chromium on PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def stack_with_data(running_stack: Stack) -> Stack:
    """The running stack, once its own host is in all charts: some have a point for each whole minute only."""
    recorded = "instance:cpu_utilisation:ratio", "instance:network_receive:rate5m"
    end = time.monotonic() + 150
    while time.monotonic() < end:
        minute = str(time.time() // 60 * 60)
        if all(ask(running_stack, f'{name}{{job="node"}}', time=minute) for name in recorded):
            return running_stack
        time.sleep(1)
    pytest.fail("the stack's own host did not appear in the recordings")


@pytest.fixture(scope="session")
def lively_stack(stack_with_data: Stack) -> Stack:
    """The stack with a pushed host, events and installations, old enough to be asked about as something past."""
    push(stack_with_data)
    said = {"anon": "0" * 32, "os": "linux-x64", "ext": "2.3.1", "vscode": "1.96.0", "sessionId": "s-81"}
    run = {"durationMs": 4180, "waitMsTotal": 900, "exit": 0, "cumulativeBytesBucket": "1-10k"}
    events = [{**said, "evt": "java.run.started"}, {**said, "evt": "java.run.completed", "m": run}]
    script = {"type": "lxc", "nsapp": "gitea", "os_type": "debian", "os_version": "13", "disk_size": 8}
    for number, status in enumerate(["success", "success", "failed"]):
        ids = {"random_id": f"r-{number}", "execution_id": f"e-{number}", **script}
        for path, body in {
            "/t": {"schema": "jwc.v1", "batch": events},
            "/telemetry": {**ids, "status": status, "exit_code": 0 if status == "success" else 1},
        }.items():
            answer = requests.post(f"{stack_with_data.bridge}{path}", json=body, timeout=10)
            assert answer.status_code < 300, answer.text
    end = time.monotonic() + 60
    while len(ask(stack_with_data, "sum(minigem_events_total) and sum(proxmoxve_executions_total)")) == 0:
        assert time.monotonic() < end, "the events did not appear in Prometheus"
        time.sleep(1)
    time.sleep(21)
    return stack_with_data


class Visit:
    """One page of its own context, with what it asked for and what it complained about."""

    def __init__(self, page: Page, bridge: str) -> None:
        self.page = page
        self.bridge = bridge
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, query: str = "", uid: str = "host") -> None:
        """Load the page, again if this machine's interfaces changed meanwhile: Chromium then drops requests."""
        for _ in range(3):
            self.requests.clear()
            self.complaints.clear()
            self.page.goto(f"{self.bridge}/dashboard?{query}&uid={uid}&refresh=")
            self.settle()
            if not any("ERR_NETWORK_CHANGED" in complaint for complaint in self.complaints):
                return

    def settle(self) -> None:
        """Wait until every panel has drawn, or told why it has not."""
        expect(self.page.locator(".panel").first).to_be_visible()
        expect(self.page.locator(".panel[data-state=loading], .panel[data-refreshing]")).to_have_count(0)

    def panel(self, title: str) -> Any:
        return self.page.get_by_role("article", name=title, exact=True)

    def shown(self, title: str) -> float:
        """The number behind what the stat *title* shows."""
        return float(self.panel(title).locator(".stat-value").get_attribute("data-value"))

    def instant_queries(self) -> list[dict[str, str]]:
        """Parameters of the instant queries so far, newest last."""
        asked = [urlsplit(address) for address in self.requests]
        return [
            {name: values[0] for name, values in parse_qs(address.query).items()}
            for address in asked
            if address.path == "/api/v1/prometheus/query"
        ]

    def parameter(self, name: str) -> list[str]:
        """What the page's address says."""
        return parse_qs(urlsplit(self.page.url).query, keep_blank_values=True).get(name, [])

    def numbers(self, title: str) -> list[float]:
        """All numbers that a panel shows, as they were before they were written out."""
        marked = self.panel(title).locator("[data-value]").all()
        return [float(str(one.get_attribute("data-value"))) for one in marked]

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser: Browser, stack_with_data: Stack) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    yield Visit(context.new_page(), stack_with_data.bridge)
    context.close()


def ask(stack: Stack, expr: str, **parameters: str) -> list[Any]:
    asked = {"query": expr, **parameters}
    answer = requests.get(f"{stack.prometheus}/api/v1/query", params=asked, timeout=10)
    assert answer.status_code == 200, answer.text
    result: list[Any] = answer.json()["data"]["result"]
    return result


def push(stack: Stack) -> None:
    """Let `my-server` report, and wait until the rules know it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = requests.post(f"{stack.bridge}/api/telemetry", json=PUSH, timeout=10)
        assert answer.status_code == 200, answer.text
        if ask(stack, 'instance:load_per_core:ratio{job="pixeltracker",instance="my-server"}'):
            return
        time.sleep(1)
    pytest.fail("the pushed host did not appear in Prometheus")


@pytest.mark.parametrize("command", ["check", "test"])
def test_sources_pass_their_own_checks(built: Path, command: str) -> None:
    npm = shutil.which("npm")
    assert npm is not None
    done = subprocess.run(
        [npm, "run", "--silent", command],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["index.html", "docs.html"])
def test_the_page_holds_nothing_inline_and_names_no_other_host(built: Path, name: str) -> None:
    page = (built / name).read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert sources
    assert all(source.startswith("/dashboard/assets/") for source in sources)
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", page)


def test_the_lock_names_no_download_host() -> None:
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")

    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_scripts_stay_small(built: Path) -> None:
    """The dashboard's: Swagger UI is three times as much, and only the API page loads it."""
    page = (built / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'src="/dashboard/assets/([^"]+\.js)"', page)
    others = [path.name for path in (built / "assets").glob("*.js") if not path.name.startswith("docs-")]

    assert sorted(names) == sorted(others)
    assert (
        0
        < sum(len(gzip.compress((built / "assets" / name).read_bytes())) for name in names)
        <= MOST_SCRIPT_BYTES
    )


def test_the_host_dashboard_is_drawn_without_complaint_or_foreign_request(visit: Visit) -> None:
    visit.open()

    for title in (*STATS, *GRAPHS, "Filesystems"):
        expect(visit.panel(title)).to_have_attribute("data-state", "ready")
    assert visit.page.title() == "Host · Telemetry"
    assert visit.complaints == []
    assert {f"{part.scheme}://{part.netloc}" for part in map(urlsplit, visit.requests)} == {visit.bridge}


def test_stats_are_what_promql_answers_at_the_same_moment(visit: Visit, stack_with_data: Stack) -> None:
    visit.open()
    asked = {query["query"]: query["time"] for query in visit.instant_queries()}
    compared = []
    for title, part in {
        "CPU": "instance:cpu_utilisation:ratio",
        "Memory": "instance:memory_utilisation:ratio",
        "Load per core": "instance:load_per_core:ratio",
        "Fullest disk": "max(instance:filesystem_utilisation:ratio",
        "Uptime": "time() - node_boot_time_seconds",
    }.items():
        (expr,) = [expr for expr in asked if expr.startswith(part)]
        (series,) = ask(stack_with_data, expr, time=asked[expr])
        compared.append((title, visit.shown(title), float(series["value"][1])))

    assert [shown for _, shown, _ in compared] == pytest.approx([answer for _, _, answer in compared])
    assert time.time() - float(asked[expr]) < 60, "the page shows the present"


def test_a_pushed_host_can_be_chosen_and_shows_what_it_sent(visit: Visit, stack_with_data: Stack) -> None:
    push(stack_with_data)
    visit.open()
    visit.page.get_by_label("Job", exact=True).select_option("pixeltracker")
    expect(visit.page.get_by_label("Host", exact=True)).to_have_value("my-server")
    visit.settle()

    assert parse_qs(urlsplit(visit.page.url).query)["var-job"] == ["pixeltracker"]
    assert visit.shown("Load per core") == pytest.approx(6.3 / 8)
    assert visit.panel("Load per core").locator(".stat-value").inner_text() == "0.79"
    assert visit.shown("Memory") == pytest.approx(16382 / 31387)
    assert visit.panel("Uptime").get_by_role("status").inner_text() == "not sent"
    assert visit.panel("Disk throughput").get_by_role("status").inner_text() == "This host does not send it."


def test_a_host_of_whom_nothing_is_known_is_named(visit: Visit, stack_with_data: Stack) -> None:
    push(stack_with_data)
    visit.open("var-job=pixeltracker&var-instance=gone")
    notice = visit.page.get_by_text("Nothing is known of Host gone in this time range.")
    expect(notice).to_be_visible()

    visit.page.get_by_label("Host", exact=True).select_option("my-server")
    expect(notice).to_have_count(0)


def test_the_address_alone_chooses_host_and_range(visit: Visit, stack_with_data: Stack) -> None:
    push(stack_with_data)
    visit.open("var-job=pixeltracker&var-instance=my-server&from=now-6h&to=now")

    expect(visit.page.get_by_label("Job", exact=True)).to_have_value("pixeltracker")
    expect(visit.page.get_by_label("Time range", exact=True)).to_have_value("6h")
    ranges = [parse_qs(urlsplit(address).query) for address in visit.requests if "/query_range?" in address]
    assert {float(query["end"][0]) - float(query["start"][0]) for query in ranges} == {6 * 3600}


def test_a_part_of_a_chart_can_be_dragged_out(visit: Visit) -> None:
    visit.open()
    chart = visit.panel("Load").locator(".u-over")
    box = chart.bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=5)
    visit.page.mouse.up()
    visit.settle()

    chosen = parse_qs(urlsplit(visit.page.url).query)
    assert int(chosen["to"][0]) - int(chosen["from"][0]) == pytest.approx(1800_000, rel=0.05)


def test_the_crosshair_stands_in_every_chart(visit: Visit) -> None:
    visit.open()
    visit.panel("Load").locator(".u-over").hover()

    expect(visit.panel("Memory use").locator(".u-cursor-x")).not_to_have_class(re.compile("u-off"))
    expect(visit.panel("Memory use").locator(".u-cursor-x")).to_be_visible()


def test_a_failing_prometheus_is_told_in_each_panel_and_passes(visit: Visit) -> None:
    reason = '{"status":"error","errorType":"unavailable","error":"Prometheus cannot be reached"}'
    visit.open()
    visit.page.route(
        "**/api/v1/prometheus/query*",
        lambda route: route.fulfill(status=502, content_type="application/json", body=reason),
    )
    visit.page.get_by_label("Refresh now", exact=True).click()
    visit.settle()
    expect(visit.panel("CPU")).to_have_attribute("data-state", "error")
    assert visit.panel("CPU").get_by_role("status").inner_text() == "Prometheus cannot be reached"
    expect(visit.panel("Load")).to_have_attribute("data-state", "error")

    visit.page.unroute_all()
    visit.page.get_by_label("Refresh now", exact=True).click()
    expect(visit.panel("CPU")).to_have_attribute("data-state", "ready")
    expect(visit.panel("Load")).to_have_attribute("data-state", "ready")


def test_without_grafana_there_is_no_link_to_it(visit: Visit) -> None:
    settings = requests.get(f"{visit.bridge}/api/v1/viewer/settings", timeout=10).json()
    visit.open()

    links = visit.page.get_by_role("link", name="Open in Grafana")
    expect(links).to_have_count(0 if settings["grafana_url"] is None else 1)


def test_with_grafana_the_link_keeps_host_and_range(visit: Visit) -> None:
    visit.page.route(
        "**/api/v1/viewer/settings", lambda route: route.fulfill(json={"grafana_url": "http://127.0.0.1:9/"})
    )
    visit.open("var-job=node&from=now-6h&to=now")
    link = visit.page.get_by_role("link", name="Open in Grafana")
    link.evaluate("link => { link.addEventListener('click', event => event.preventDefault()); link.click() }")

    address = urlsplit(str(link.get_attribute("href")))
    assert (address.netloc, address.path) == ("127.0.0.1:9", "/d/host")
    assert parse_qs(address.query)["from"] == ["now-6h"]
    assert parse_qs(address.query)["var-job"] == ["node"]


def test_the_chosen_theme_outlasts_a_reload(visit: Visit) -> None:
    visit.open()
    expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")
    visit.page.get_by_label("Change between dark and light", exact=True).click()
    visit.page.reload()

    expect(visit.page.locator("html")).to_have_attribute("data-theme", "light")


def expected_query(expr: str) -> re.Pattern[str]:
    """What the page asks for *expr*, whatever stands for its placeholders."""
    literal = [re.escape(part) for part in re.split(r"\$\w+|\$\{\w+(?::\w+)?\}", expr)]
    return re.compile(r'[^"\]]+?'.join(literal), re.DOTALL)


def instant_panels(uid: str) -> list[Any]:
    return [
        panel
        for panel in DOCUMENTS[uid]["panels"]
        if panel["type"] in COMPARED
        and all(target.get("instant") and target.get("format") != "table" for target in panel["targets"])
        and panel["options"].get("textMode") != "name"
    ]


@pytest.mark.parametrize("uid", UIDS)
def test_every_dashboard_shows_what_promql_answers(visit: Visit, lively_stack: Stack, uid: str) -> None:
    """Of a moment that is over: what Prometheus knows of it does not change any more."""
    end = int(time.time() - 20) * 1000
    visit.open(f"from={end - 900_000}&to={end}", uid)
    asked = {query["query"]: query["time"] for query in visit.instant_queries()}
    shown, answered = {}, {}
    for panel in instant_panels(uid):
        queries = [
            query
            for target in panel["targets"]
            for query in asked
            if expected_query(target["expr"]).fullmatch(query)
        ]
        values = [
            float(one["value"][1]) for query in queries for one in ask(lively_stack, query, time=asked[query])
        ]
        assert len(queries) == len(panel["targets"]), panel["title"]
        wanted = [value for value in values if panel["type"] != "piechart" or value >= 0]
        answered[panel["title"]] = pytest.approx(sorted(wanted), nan_ok=True)
        shown[panel["title"]] = sorted(visit.numbers(panel["title"]))

    assert shown == answered
    assert any(shown.values())
    assert visit.page.title() == f"{DOCUMENTS[uid]['title']} · Telemetry"
    assert visit.page.locator(".panel[data-state=error]").all_inner_texts() == []
    assert visit.page.get_by_text("need Grafana").count() == 0
    assert visit.complaints == []
    assert {f"{part.scheme}://{part.netloc}" for part in map(urlsplit, visit.requests)} == {visit.bridge}


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize(
    ("name", "scheme", "width", "height"),
    [("dark", "dark", 1440, 900), ("light", "light", 1440, 900), ("phone", "dark", 360, 780)],
)
def test_the_page_fits_and_is_pictured(
    browser: Browser, lively_stack: Stack, uid: str, name: str, scheme: Any, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    seen = Visit(context.new_page(), lively_stack.bridge)
    seen.open("from=now-15m&to=now", uid)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=SCREENSHOTS / f"{uid}-{name}.png", full_page=True)
    overflow = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()

    assert overflow <= 0
    assert seen.complaints == []


# Around the dashboards


def test_a_grafana_link_leads_to_the_same_dashboard_here(stack_with_data: Stack) -> None:
    address = f"{stack_with_data.bridge}/d/host/any-slug?var-job=node&from=now-6h"
    answer = requests.get(address, allow_redirects=False, timeout=10)

    assert answer.status_code == 307
    assert answer.headers["location"] == "/dashboard?uid=host&var-job=node&from=now-6h"


def test_a_uid_in_a_link_cannot_add_parameters(stack_with_data: Stack) -> None:
    answer = requests.get(f"{stack_with_data.bridge}/d/a%26b%3Dc", allow_redirects=False, timeout=10)

    assert answer.headers["location"] == "/dashboard?uid=a%26b%3Dc"


def test_another_dashboard_is_found_by_words_and_opened_by_keys(visit: Visit) -> None:
    visit.open("from=now-6h&to=now")
    visit.page.keyboard.press("d")
    visit.page.get_by_label("Find a dashboard", exact=True).fill("bridge")
    expect(visit.page.get_by_role("dialog").get_by_role("link")).to_have_count(1)
    visit.page.keyboard.press("Enter")

    expect(visit.page).to_have_title("Bridge · Telemetry")
    assert visit.parameter("uid") == ["bridge"]
    assert visit.parameter("from") == ["now-6h"]
    visit.page.go_back()
    expect(visit.page).to_have_title("Host · Telemetry")


def test_the_keys_are_told(visit: Visit) -> None:
    visit.open()
    visit.page.keyboard.press("?")
    told = visit.page.get_by_role("dialog", name="Keys")
    expect(told).to_contain_text("Choose a dashboard")
    visit.page.keyboard.press("Escape")

    expect(told).to_have_count(0)


def test_a_host_of_the_fleet_leads_to_its_own_page(visit: Visit, stack_with_data: Stack) -> None:
    push(stack_with_data)
    visit.open("", "fleet")
    visit.panel("All hosts").get_by_role("link", name="my-server", exact=True).click()

    expect(visit.page).to_have_title("Host · Telemetry")
    expect(visit.page.get_by_label("Host", exact=True)).to_have_value("my-server")
    assert visit.parameter("var-job") == ["pixeltracker"]


def test_one_job_of_several_can_be_ticked_and_all_again(visit: Visit, stack_with_data: Stack) -> None:
    push(stack_with_data)
    visit.open("", "fleet")
    rows = visit.panel("All hosts").locator("tbody tr")
    expect(rows.filter(has_text="my-server")).to_have_count(1)
    visit.page.locator("summary[aria-label=Job]").click()
    visit.page.get_by_role("checkbox", name="node", exact=True).check()
    expect(rows.filter(has_text="my-server")).to_have_count(0)
    assert visit.parameter("var-job") == ["node"]

    visit.page.get_by_role("checkbox", name="All", exact=True).first.check()
    expect(rows.filter(has_text="my-server")).to_have_count(1)
    assert visit.parameter("var-job") == ["$__all"]


def test_a_range_of_ones_own_is_shown_and_kept_in_the_address(visit: Visit) -> None:
    visit.open()
    visit.page.get_by_label("Time range", exact=True).select_option("own")
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("From").fill("2026-01-02T03:04")
    dialog.get_by_label("To").fill("2026-01-02T03:04")
    dialog.get_by_role("button", name="Show").click()
    expect(dialog.get_by_role("alert")).to_have_text("The range ends before it starts.")
    dialog.get_by_label("To").fill("2026-01-02T04:04")
    dialog.get_by_role("button", name="Show").click()
    visit.settle()

    assert int(visit.parameter("to")[0]) - int(visit.parameter("from")[0]) == 3_600_000
    expect(visit.page.get_by_label("Time range", exact=True)).to_have_value("fixed")
    expect(visit.panel("Load")).to_have_attribute("data-state", "empty")


def test_keys_go_back_and_forth_in_time(visit: Visit) -> None:
    visit.open("from=1767323040000&to=1767326640000")
    visit.page.keyboard.press("[")
    assert visit.parameter("from") == ["1767321240000"]
    visit.page.keyboard.press("-")
    assert int(visit.parameter("to")[0]) - int(visit.parameter("from")[0]) == 7_200_000
    visit.page.keyboard.press("0")

    assert visit.parameter("from") == visit.parameter("to") == []


def test_dashboards_follow_each_other_on_a_wall_until_they_are_stopped(visit: Visit) -> None:
    visit.open("cycle=2s&from=now-15m&to=now")
    titles = [document["title"] for document in DOCUMENTS.values()]
    after = sorted(titles)[(sorted(titles).index("Host") + 1) % len(titles)]
    expect(visit.page).to_have_title(f"{after} · Telemetry")
    assert visit.parameter("cycle") == ["2s"]
    visit.page.get_by_role("button", name="Stop cycling").click()

    assert visit.parameter("cycle") == []
    expect(visit.page.get_by_role("button", name="Stop cycling")).to_have_count(0)


def test_a_chart_is_told_in_words_and_read_with_arrow_keys(visit: Visit) -> None:
    visit.open("from=now-5m&to=now")
    chart = visit.panel("Memory use").get_by_role("img")
    told = str(chart.get_attribute("aria-label"))
    assert told.startswith("Memory use: 4 series, ")
    assert re.search(r"total: last [\d.]+ [KMG]iB, lowest ", told)

    chart.focus()
    visit.page.keyboard.press("ArrowLeft")
    expect(visit.page.locator(".tooltip:visible")).to_contain_text("total")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator(".tooltip:visible")).to_have_count(0)


def test_a_folded_row_asks_only_when_it_is_opened(visit: Visit) -> None:
    """The file's own rows are open; here the first one is folded as Grafana would save it."""
    document = json.loads(json.dumps(DOCUMENTS["host"]))
    first = next(index for index, panel in enumerate(document["panels"]) if panel["type"] == "row")
    until = next(
        index for index, panel in enumerate(document["panels"]) if panel["type"] == "row" and index > first
    )
    document["panels"][first] |= {"collapsed": True, "panels": document["panels"][first + 1 : until]}
    del document["panels"][first + 1 : until]
    visit.page.route("**/api/v1/dashboards/host", lambda route: route.fulfill(json=document))
    visit.open()
    folded = visit.page.locator(".panel[aria-label='CPU by mode']")
    expect(folded).to_have_attribute("data-state", "waiting")
    asked = len(visit.requests)

    visit.page.get_by_role("heading", name="Processor").click()
    expect(folded).to_have_attribute("data-state", "ready")
    assert len(visit.requests) > asked


def test_the_legend_and_the_place_in_a_table_outlast_a_refresh(visit: Visit) -> None:
    visit.open()
    table = visit.panel("Filesystems").get_by_role("region")
    table.get_by_role("button", name="Size").click()
    visit.panel("Memory use").get_by_role("button", name="total", exact=True).click()
    visit.page.keyboard.press("r")
    visit.settle()

    expect(table.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "descending")
    total = visit.panel("Memory use").get_by_role("button", name="total", exact=True)
    expect(total).to_have_attribute("aria-pressed", "true")


# Every kind of panel, and a Prometheus that goes and comes, with a bridge and a Prometheus of their own


def panel_of(number: int, kind: str, title: str, expr: str, **more: Any) -> dict[str, Any]:
    """A panel with one query, three to a row."""
    target = {"refId": "A", "expr": expr, "legendFormat": "{{job}}", **more.pop("target", {})}
    place = {"x": number % 3 * 8, "y": number // 3 * 8, "w": 8, "h": 8}
    return {"id": number, "type": kind, "title": title, "gridPos": place, "targets": [target], **more}


LIMITS = {"steps": [{"value": None, "color": "green"}, {"value": 2, "color": "red"}]}
STATES = {"type": "value", "options": {"1": {"text": "answers", "color": "green"}}}
NEVER = {"type": "special", "options": {"match": "nan", "result": {"text": "never", "color": "red"}}}
INSTANT = {"instant": True}
ROWS = {"instant": True, "format": "table"}
WITHOUT_TIME = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
HOSTILE = """
# Words

**Bold**, `code`, [inside](/d/kinds?var-job=x), [runs](javascript:alert(1)) and <img src=x onerror=alert(1)>.

- one
- two
"""
KINDS = {
    "uid": "kinds",
    "title": "Kinds",
    "tags": ["test"],
    "time": {"from": "now-5m", "to": "now"},
    "refresh": "1s",
    "annotations": {
        "list": [{"name": "Alive", "expr": 'up{job="bridge"}', "titleFormat": "{{job}} is alive"}]
    },
    "panels": [
        panel_of(
            0,
            "stat",
            "Mapped",
            'up{job="bridge"}',
            target=INSTANT,
            fieldConfig={
                "defaults": {"mappings": [STATES], "links": [{"url": "/d/kinds?x=${__value.text}"}]}
            },
        ),
        panel_of(
            1,
            "stat",
            "Not a number",
            "vector(NaN)",
            target=INSTANT,
            fieldConfig={"defaults": {"mappings": [NEVER]}},
        ),
        panel_of(
            2,
            "bargauge",
            "Bars",
            'label_replace(vector(3), "job", "three", "", "") or label_replace(vector(1), "job", "one", "", "")',
            target=INSTANT,
            fieldConfig={"defaults": {"thresholds": LIMITS, "min": 0, "max": 4, "unit": "s"}},
        ),
        panel_of(
            3,
            "barchart",
            "Columns",
            'label_replace(vector(3), "job", "three", "", "") or label_replace(vector(1), "job", "one", "", "")',
            target=ROWS,
            transformations=WITHOUT_TIME,
        ),
        panel_of(
            4,
            "piechart",
            "Shares",
            'label_replace(vector(3), "job", "three", "", "") or label_replace(vector(1), "job", "one", "", "")',
            target=INSTANT,
        ),
        panel_of(
            5,
            "heatmap",
            "Heat",
            'label_replace(vector(3), "le", "1", "", "") or label_replace(vector(7), "le", "+Inf", "", "")',
        ),
        panel_of(
            6,
            "state-timeline",
            "States",
            'up{job="bridge"}',
            fieldConfig={"defaults": {"mappings": [STATES]}},
        ),
        panel_of(
            7,
            "table",
            "Rows",
            'label_replace(vector(3), "host", "my server", "", "")',
            target=ROWS,
            transformations=[
                {
                    "id": "organize",
                    "options": {"excludeByName": {"Time": True}, "renameByName": {"host": "Host name"}},
                }
            ],
            fieldConfig={
                "defaults": {},
                "overrides": [
                    {
                        "matcher": {"id": "byName", "options": "Host name"},
                        "properties": [
                            {
                                "id": "links",
                                "value": [
                                    {"title": "To it", "url": '/d/kinds?var-x=${__data.fields["Host name"]}'}
                                ],
                            }
                        ],
                    }
                ],
            },
        ),
        {
            "id": 8,
            "type": "text",
            "title": "Words",
            "gridPos": {"x": 16, "y": 16, "w": 8, "h": 8},
            "options": {"mode": "markdown", "content": HOSTILE},
        },
        panel_of(
            9, "timeseries", "Course", "up", fieldConfig={"defaults": {"custom": {"drawStyle": "bars"}}}
        ),
        panel_of(
            10,
            "table",
            "Nothing",
            "vector(1) > 2",
            target=ROWS,
            fieldConfig={"defaults": {"noValue": "quiet"}},
        ),
        panel_of(11, "stat", "Wrong", "this is no PromQL", target=INSTANT),
    ],
}


def values(**numbers: float) -> str:
    """A query that answers with one series for each name, ordered by value."""
    one = 'label_replace(vector({value}), "name", "{name}", "", "")'
    parts = [one.format(value=value, name=name.replace("_", " ")) for name, value in numbers.items()]
    return f"sort_desc({' or '.join(parts)})"


HOURS = {f"{hour:02}": hour * 100 for hour in range(24)}
MOST_ROWS = 5000
NAMED = {"target": ROWS, "transformations": WITHOUT_TIME}
SHAPES: dict[str, Any] = {
    "uid": "shapes",
    "title": "Shapes",
    "tags": ["test"],
    "time": {"from": "now-5m", "to": "now"},
    "refresh": "",
    "panels": [
        panel_of(
            0,
            "barchart",
            "Upright",
            values(
                first=3 * 2**30, second=2**30, a_name_that_has_no_room_below_its_bar_however_large_it_is=2**29
            ),
            options={"orientation": "vertical"},
            fieldConfig={"defaults": {"unit": "bytes"}},
            **NAMED,
        ),
        panel_of(
            1,
            "barchart",
            "Lying",
            values(first=0.5, a_name_that_has_no_room_beside_its_bar_however_large_it_is=0.25),
            options={"orientation": "horizontal"},
            fieldConfig={"defaults": {"unit": "percentunit", "min": 0, "max": 1}},
            **NAMED,
        ),
        panel_of(
            2,
            "barchart",
            "Below zero",
            values(up=3, down=-2),
            options={"orientation": "vertical", "showValue": "never"},
            **NAMED,
        ),
        panel_of(3, "barchart", "Hours", values(**HOURS), options={"orientation": "vertical"}, **NAMED),
        panel_of(4, "timeseries", "Zeros", "vector(0)", fieldConfig={"defaults": {"unit": "s"}}),
        panel_of(5, "timeseries", "Tiny", "vector(0.0000003)"),
        panel_of(6, "state-timeline", "Long", "vector(1)", fieldConfig={"defaults": {"mappings": [STATES]}}),
        panel_of(
            7,
            "state-timeline",
            "Quiet",
            "vector(1)",
            options={"showValue": "never"},
            fieldConfig={"defaults": {"mappings": [STATES]}},
        ),
        panel_of(
            8,
            "state-timeline",
            "Short",
            "floor(vector(time()) / 15) % 2",
            fieldConfig={"defaults": {"mappings": [STATES]}},
        ),
        panel_of(
            9,
            "table",
            "Many",
            "many_a + 0",
            target=ROWS,
            transformations=[
                {"id": "merge"},
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "job": True},
                        "renameByName": {"Value #A": "First", "Value #B": "Second"},
                    },
                },
            ],
        ),
        panel_of(
            10,
            "barchart",
            "Shares",
            values(first=1, second=3),
            options={"orientation": "horizontal", "stacking": "percent"},
            **NAMED,
        ),
    ],
}
_many = SHAPES["panels"][9]
_many["targets"].append({**_many["targets"][0], "refId": "B", "expr": "many_b + 0"})


@pytest.fixture(scope="module")
def kinds(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visit, Prometheus]]:
    """The page of a bridge with its own Prometheus, which a test may stop and start."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "dashboards").mkdir()
    (folder / "dashboards/kinds.json").write_text(json.dumps(KINDS), encoding="utf-8")
    (folder / "dashboards/shapes.json").write_text(json.dumps(SHAPES), encoding="utf-8")
    bridge = BridgeProcess(folder / "journal", f"--viewer.dashboards-directory={folder / 'dashboards'}")
    prometheus = Prometheus(
        folder / "prometheus", programs.find("prometheus"), REPOSITORY, bridge_port=bridge.port
    )
    prometheus.hurry()
    bridge.arguments = (*bridge.arguments, f"--prometheus.url={prometheus.url}")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    with prometheus.running(), bridge:
        end = time.monotonic() + 30
        while prometheus.value('up{job="bridge"} offset 6s') != 1:
            assert time.monotonic() < end, "Prometheus does not scrape the bridge"
            time.sleep(0.2)
        yield Visit(context.new_page(), f"http://127.0.0.1:{bridge.port}"), prometheus
        context.close()


def test_every_kind_of_panel_shows_its_numbers(kinds: tuple[Visit, Prometheus]) -> None:
    shown, _ = kinds
    shown.open("", "kinds")

    expect(shown.panel("Mapped").get_by_role("link", name="answers")).to_have_attribute(
        "href", "/dashboard?uid=kinds&x=answers"
    )
    expect(shown.panel("Not a number").locator(".stat-value")).to_have_text("never")
    assert shown.panel("Bars").locator("li").all_inner_texts() == ["three\n3 s", "one\n1 s"]
    assert sorted(shown.numbers("Bars")) == sorted(shown.numbers("Columns")) == [1, 3]
    assert shown.panel("Shares").locator("tr").all_inner_texts() == ["three\t3\t75%", "one\t1\t25%"]
    heat = str(shown.panel("Heat").get_by_role("img").get_attribute("aria-label"))
    assert re.search(r"Heat: heat map, .+ in all, most of them up to ∞\.$", heat), heat
    told = str(shown.panel("States").get_by_role("img").get_attribute("aria-label"))
    assert told.endswith("At the end bridge: answers.")
    expect(shown.panel("Rows").get_by_role("link", name="my server")).to_have_attribute(
        "href", "/dashboard?uid=kinds&var-x=my+server"
    )
    expect(shown.panel("Course").locator("canvas")).to_be_visible()
    assert shown.panel("Nothing").get_by_role("status").inner_text() == "quiet"
    assert "parse error" in shown.panel("Wrong").get_by_role("status").inner_text()
    expect(shown.panel("Wrong")).to_have_attribute("data-state", "error")


def test_words_are_shown_and_nothing_in_them_runs(kinds: tuple[Visit, Prometheus]) -> None:
    shown, _ = kinds
    shown.open("", "kinds")
    words = shown.panel("Words").locator(".prose")

    assert words.locator("strong, code, li").all_inner_texts() == ["Bold", "code", "one", "two"]
    assert words.locator("img").count() == 0
    expect(words).to_contain_text("<img src=x onerror=alert(1)>")
    assert [link.get_attribute("href") for link in words.get_by_role("link").all()] == [
        "/dashboard?uid=kinds&var-job=x"
    ]


def test_alerts_are_marked_until_they_are_unwanted(kinds: tuple[Visit, Prometheus]) -> None:
    shown, _ = kinds
    shown.open("", "kinds")
    expect(shown.page.get_by_role("button", name="Alerts are marked: 1")).to_have_attribute(
        "aria-pressed", "true"
    )
    shown.panel("Course").get_by_role("img").focus()
    shown.page.keyboard.press("End")
    expect(shown.page.locator(".tooltip:visible")).to_contain_text("bridge is alive")
    shown.page.keyboard.press("Escape")
    shown.page.get_by_role("button", name="Alerts are marked: 1").click()

    expect(shown.page.get_by_role("button", name="Mark alerts")).to_have_attribute("aria-pressed", "false")
    assert shown.parameter("alerts") == ["off"]


def test_the_page_outlasts_a_prometheus_that_goes_and_comes_back(kinds: tuple[Visit, Prometheus]) -> None:
    """By itself: nobody loads it again."""
    shown, prometheus = kinds
    shown.open("refresh=1s", "kinds")
    expect(shown.panel("Bars")).to_have_attribute("data-state", "ready")
    prometheus.stop()
    for title in ("Bars", "Course", "Rows", "States"):
        expect(shown.panel(title)).to_have_attribute("data-state", "error")
        expect(shown.panel(title).get_by_role("status")).to_have_text("Prometheus cannot be reached")
    prometheus.start()

    for title in ("Bars", "Course", "Rows", "States"):
        expect(shown.panel(title)).to_have_attribute("data-state", "ready", timeout=20_000)


# Shapes of panels, with the same bridge and Prometheus


@pytest.fixture(scope="module")
def shapes(kinds: tuple[Visit, Prometheus]) -> Visit:
    """The page, once Prometheus knows many hosts."""
    shown, prometheus = kinds
    for name, more in {"many_a": 0, "many_b": 10_000}.items():
        items = [
            {"name": name, "value": number + more, "labels": {"job": "many", "instance": f"host-{number:04}"}}
            for number in range(MOST_ROWS)
        ]
        lasting = [{**item, "time_to_live_seconds": "keep"} for item in items]
        answer = requests.post(f"{shown.bridge}/api/v1/samples", json=lasting, timeout=60)
        assert answer.json() == {"accepted": MOST_ROWS, "rejected": []}
    end = time.monotonic() + 60
    while prometheus.value("count(many_a) + count(many_b)") != 2 * MOST_ROWS:
        assert time.monotonic() < end, "the many hosts did not appear in Prometheus"
        time.sleep(0.2)
    return shown


def ticks(panel: Locator) -> list[str]:
    """The texts of a bar chart's axis, lowest value first."""
    return panel.locator(".bars-tick, .bars-label").all_text_contents()


def extent(bar: Locator, axis: int) -> tuple[float, float]:
    """From where to where a bar goes: across with *axis* 0, from above with 1."""
    box = bar.bounding_box()
    assert box is not None
    return (box["x"], box["x"] + box["width"]) if axis == 0 else (box["y"], box["y"] + box["height"])


def middle(panel: Locator, text: str, axis: int) -> float:
    """Where the tick *text* stands."""
    found = panel.locator(".bars-tick > span, .bars-label").filter(
        has_text=re.compile(f"^{re.escape(text)}$")
    )
    start, end = extent(found, axis)
    return (start + end) / 2


def test_upright_bars_end_at_their_values_on_the_axis(shapes: Visit) -> None:
    shapes.open("", "shapes")
    panel = shapes.panel("Upright")
    bars = panel.locator(".bar-drawn")

    assert ticks(panel)[:2] == ["0 B", "512 MiB"]
    assert ticks(panel)[2] == "1.0 GiB"
    for index, text in enumerate(["3.0 GiB", "1.0 GiB", "512 MiB"]):
        top, bottom = extent(bars.nth(index), 1)
        assert top == pytest.approx(middle(panel, text, 1), abs=1.5)
        assert bottom == pytest.approx(middle(panel, "0 B", 1), abs=1.5)
    below = shapes.panel("Below zero")
    assert {"0", "-2", "3"} <= set(ticks(below))
    top, bottom = extent(below.locator(".bar-drawn").nth(1), 1)
    assert top == pytest.approx(middle(below, "0", 1), abs=1.5)
    assert bottom == pytest.approx(middle(below, "-2", 1), abs=1.5)


def test_lying_bars_end_at_their_values_on_the_axis(shapes: Visit) -> None:
    shapes.open("", "shapes")
    panel = shapes.panel("Lying")

    left, right = extent(panel.locator(".bar-drawn").first, 0)
    assert left == pytest.approx(middle(panel, "0%", 0), abs=1.5)
    assert right == pytest.approx(middle(panel, "50%", 0), abs=1.5)
    assert ticks(shapes.panel("Shares"))[-1] == "100%"


@pytest.mark.parametrize("title", ["Upright", "Lying"])
def test_a_long_name_of_a_bar_is_clipped_and_told_in_full(shapes: Visit, title: str) -> None:
    shapes.open("", "shapes")
    name = shapes.panel(title).locator(".bars-name[title^='a name']")

    assert re.fullmatch(
        r"a name that has no room be\w+ its bar however large it is", name.get_attribute("title") or ""
    )
    assert (
        name.evaluate("name => name.scrollWidth > name.clientWidth && getComputedStyle(name).textOverflow")
        == "ellipsis"
    )


def test_only_so_many_names_stand_below_bars_as_have_room(shapes: Visit) -> None:
    shapes.page.set_viewport_size({"width": 360, "height": 780})
    try:
        shapes.open("", "shapes")
        names = shapes.panel("Hours").locator(".bars-name:not(.unseen)").all()
        places = [extent(name, 0) for name in names]
        hidden = shapes.panel("Hours").locator(".bars-name").all_text_contents()
    finally:
        shapes.page.set_viewport_size({"width": 1440, "height": 900})

    assert 4 <= len(names) < 24
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(places))
    assert sorted(hidden) == sorted(HOURS), "those without room are still read out"


RECORD_TEXTS = """
window.texts = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  const panel = this.canvas.closest('.panel');
  window.texts.push([panel ? panel.getAttribute('aria-label') : '', String(text)]);
  return fillText.call(this, text, ...rest);
};
"""


def test_texts_on_charts_are_whole_or_not_there(browser: Browser, shapes: Visit) -> None:
    """A state is named in its box where that has room and the panel wants it; nothing but zeros has an axis to 1."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(RECORD_TEXTS)
    seen = Visit(context.new_page(), shapes.bridge)
    seen.open("", "shapes")
    texts: list[tuple[str, str]] = [(title, text) for title, text in seen.page.evaluate("window.texts")]
    context.close()

    written = {
        title: [text for panel, text in texts if panel == title] for title in {title for title, _ in texts}
    }
    assert "answers" in written["Long"]
    assert "answers" not in written["Quiet"]
    assert "answers" not in written["Short"]
    assert written["Zeros"][-6:] == ["0 s", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]
    assert {"0.0000000", "0.0000001", "0.0000002", "0.0000003"} <= set(written["Tiny"])


def test_of_many_rows_those_in_sight_are_drawn_and_all_are_counted(shapes: Visit) -> None:
    shapes.open("", "shapes")
    panel = shapes.panel("Many")
    table = panel.get_by_role("table")
    expect(table).to_have_attribute("aria-rowcount", str(MOST_ROWS + 1))
    assert panel.locator("tbody tr").count() < 200

    panel.get_by_role("button", name="First").click()
    expect(panel.locator("tbody tr[aria-rowindex='2']")).to_have_text("host-4999499914999")
    panel.get_by_role("region").evaluate("region => region.scrollTo(0, region.scrollHeight)")
    last = panel.locator(f"tbody tr[aria-rowindex='{MOST_ROWS + 1}']")
    expect(last).to_be_in_viewport()
    expect(last).to_contain_text("host-0000")
    assert panel.locator("tbody tr").count() < 200


def test_many_rows_keep_their_place_and_widths_when_they_are_asked_for_again(shapes: Visit) -> None:
    shapes.open("", "shapes")
    panel = shapes.panel("Many")
    region = panel.get_by_role("region")
    widths = "region => [...region.querySelectorAll('th')].map(th => th.getBoundingClientRect().width)"
    before = region.evaluate(widths)
    region.scroll_into_view_if_needed()
    region.evaluate("region => region.scrollTo(0, 60000)")
    row = panel.locator("tbody tr:not(.spacer)").nth(22)
    expect(row).to_be_in_viewport()
    place, number = region.evaluate("region => region.scrollTop"), row.get_attribute("aria-rowindex")
    shapes.page.keyboard.press("r")
    shapes.settle()

    assert region.evaluate("region => region.scrollTop") == place == 60000
    assert row.get_attribute("aria-rowindex") == number
    assert region.evaluate(widths) == before


def test_many_rows_are_searched_in_all_of_them(shapes: Visit) -> None:
    shapes.open("", "shapes")
    panel = shapes.panel("Many")
    panel.get_by_label("Find rows of Many").fill("host-47 4711")
    expect(panel.locator("tbody tr")).to_have_count(1)
    expect(panel.locator("tbody tr")).to_contain_text("host-4711")
    expect(panel.get_by_text(f"1 of {MOST_ROWS} rows")).to_be_visible()
    expect(panel.get_by_role("table")).to_have_attribute("aria-rowcount", "2")
    panel.get_by_label("Find rows of Many").fill("")

    expect(panel.get_by_role("table")).to_have_attribute("aria-rowcount", str(MOST_ROWS + 1))


def test_header_and_titles_stand_before_any_query_is_answered(browser: Browser, shapes: Visit) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.route("**/api/v1/prometheus/**", lambda route: None)
    page.goto(f"{shapes.bridge}/dashboard?uid=shapes")

    expect(page.get_by_role("heading", name="Upright", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Shapes")).to_be_visible()
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint').length")
    assert painted == 1
    assert page.locator(".panel[data-state=loading]").count() == len(SHAPES["panels"])
    context.close()


def test_the_header_is_there_before_the_script_is(browser: Browser, shapes: Visit) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.route("**/assets/*.js", lambda route: route.abort())
    page.goto(f"{shapes.bridge}/dashboard?uid=shapes")

    expect(page.get_by_role("heading", name="Telemetry", exact=True)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(243, 245, 248)"
    context.close()


# The API page, over a bridge of its own: what is tried there would show among the stack's hosts


class ApiPage:
    """``/docs`` of a bridge, with what it asked for and what it complained about."""

    def __init__(self, page: Page, bridge: BridgeProcess) -> None:
        self.page = page
        self.bridge = bridge
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda asked: self.requests.append(asked.url))
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.bridge.port}{path}"

    def open(self) -> None:
        """Load the page, again if this machine's interfaces changed meanwhile: Chromium then drops requests."""
        for _ in range(3):
            self.requests.clear()
            self.complaints.clear()
            self.page.goto(self.address("/docs"))
            expect(self.page.locator(".opblock-tag").first).to_be_visible()
            if not any("ERR_NETWORK_CHANGED" in complaint for complaint in self.complaints):
                return

    def operation(self, tag: str, method: str, path: str) -> Locator:
        """One operation, opened."""
        section = self.page.locator(".opblock-tag-section", has=self.page.locator(f"#operations-tag-{tag}"))
        if section.locator(".opblock").count() == 0:
            section.locator(".opblock-tag").click()
        block = section.locator(f".opblock-{method}", has=self.page.locator(f'[data-path="{path}"]'))
        if block.locator(".opblock-body").count() == 0:
            block.locator(".opblock-summary-control").click()
        return block

    def execute(self, block: Locator) -> int:
        """Send it as it stands; the status of the answer."""
        block.get_by_role("button", name="Execute", exact=True).click()
        status = block.locator(".live-responses-table tbody .response-col_status").first
        expect(status).to_have_text(re.compile(r"^\d{3}"))
        return int(status.inner_text()[:3])

    def authorize(self, token: str) -> None:
        self.page.get_by_role("button", name="Authorize", exact=True).first.click()
        dialog = self.page.locator(".modal-ux")
        dialog.get_by_role("textbox").fill(token)
        dialog.get_by_role("button", name=re.compile("Apply credentials|Authorize")).click()
        dialog.get_by_role("button", name="Close", exact=True).click()


class Pages:
    """Contexts of the browser, closed in the end."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(self, bridge: BridgeProcess, scheme: Any = "light", width: int = 1280) -> ApiPage:
        context = self._browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self._contexts.append(context)
        return ApiPage(context.new_page(), bridge)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    opened = Pages(browser)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    with BridgeProcess(tmp_path_factory.mktemp("bridge") / "journal") as started:
        yield started


TRIED = [
    ("pixeltracker", "post", "/api/telemetry", 200),
    ("minigem", "post", "/mg/t", 200),
    ("pushgateway", "put", "/metrics/job/{rest}", 200),
    ("pushgateway", "post", "/api/v1/groups", 200),
    ("samples", "post", "/api/v1/samples", 200),
]
"""Tag, method, path, and the status of an answer to the example as it stands. That of each dialect is pushed, without
the page, by the tests of the document."""


def test_examples_can_be_tried_as_they_stand(pages: Pages, bridge: BridgeProcess) -> None:
    shown = pages.open(bridge)
    shown.open()

    told = [
        (tag, method, path, shown.execute(shown.operation(tag, method, path)))
        for tag, method, path, _ in TRIED
    ]

    assert told == TRIED
    series = bridge.series()
    assert series['room_temperature_celsius{job="house",instance="",room="a"}'] == 21.5
    assert series['backup_seconds{job="nightly",instance=""}'] == 12.5
    assert shown.complaints == []
    assert {f"{part.scheme}://{part.netloc}" for part in map(urlsplit, shown.requests)} == {shown.address("")}


def test_a_token_is_sent_where_pushes_need_one(pages: Pages, tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", "--access.open-protocols=token") as closed:
        token = closed.create_token()
        shown = pages.open(closed)
        shown.open()
        block = shown.operation("pixeltracker", "post", "/api/telemetry")

        assert shown.execute(block) == 401
        shown.authorize(token)
        block.get_by_role("button", name="Clear", exact=True).click()
        assert shown.execute(block) == 200


def test_where_reading_needs_a_token_the_page_asks_for_it_first(pages: Pages, tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", "--access.read=token") as closed:
        token = closed.create_token("--right=read")
        shown = pages.open(closed)
        shown.page.goto(shown.address("/docs"))
        shown.page.get_by_label("Token", exact=True).fill(token)
        shown.page.get_by_role("button", name="Log in", exact=True).click()

        expect(shown.page.locator(".opblock-tag").first).to_be_visible()
        assert urlsplit(shown.page.url).path == "/docs"
        assert shown.execute(shown.operation("metrics", "get", "/metrics")) == 200


@pytest.mark.parametrize(
    ("name", "scheme", "width"), [("light", "light", 1280), ("dark", "dark", 1280), ("phone", "dark", 360)]
)
def test_the_api_page_fits_and_is_pictured(
    pages: Pages, bridge: BridgeProcess, name: str, scheme: str, width: int
) -> None:
    shown = pages.open(bridge, scheme, width)
    shown.open()
    block = shown.operation("samples", "post", "/api/v1/samples")
    assert shown.execute(block) == 200
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shown.page.screenshot(path=SCREENSHOTS / f"docs-{name}.png", full_page=True)
    overflow = shown.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    ground = shown.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    assert overflow <= 0
    assert shown.complaints == []
    assert (ground == "rgb(28, 32, 34)") == (scheme == "dark"), ground
