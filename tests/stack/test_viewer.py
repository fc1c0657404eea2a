"""The bridge's pages in a real headless Chromium: /dashboard over the real stack, /docs over a bridge alone."""

from __future__ import annotations

import gzip
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

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "pushgateway-bridge/viewer"
SCREENSHOTS = REPOSITORY / "build/screenshots"

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
    """The built page."""
    if not viewer.build():
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
    """The running stack, once the recording rules have answered for its own host."""
    end = time.monotonic() + 90
    while not ask(running_stack, 'instance:network_receive:rate5m{job="node"}') and time.monotonic() < end:
        time.sleep(1)
    assert ask(running_stack, 'instance:network_receive:rate5m{job="node"}')
    return running_stack


class Visit:
    """One page of its own context, with what it asked for and what it complained about."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self.stack = stack
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, query: str = "") -> None:
        """Load the page, again if this machine's interfaces changed meanwhile: Chromium then drops requests."""
        for _ in range(3):
            self.requests.clear()
            self.complaints.clear()
            self.page.goto(f"{self.stack.bridge}/dashboard?refresh=&{query}")
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

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser: Browser, stack_with_data: Stack) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    yield Visit(context.new_page(), stack_with_data)
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
    assert {f"{part.scheme}://{part.netloc}" for part in map(urlsplit, visit.requests)} == {
        visit.stack.bridge
    }


def test_stats_are_what_promql_answers_at_the_same_moment(visit: Visit) -> None:
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
        (series,) = ask(visit.stack, expr, time=asked[expr])
        compared.append((title, visit.shown(title), float(series["value"][1])))

    assert [shown for _, shown, _ in compared] == pytest.approx([answer for _, _, answer in compared])
    assert time.time() - float(asked[expr]) < 60, "the page shows the present"


def test_a_pushed_host_can_be_chosen_and_shows_what_it_sent(visit: Visit) -> None:
    push(visit.stack)
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


def test_the_address_alone_chooses_host_and_range(visit: Visit) -> None:
    push(visit.stack)
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
    settings = requests.get(f"{visit.stack.bridge}/api/v1/viewer/settings", timeout=10).json()
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


@pytest.mark.parametrize(
    ("name", "scheme", "width", "height"),
    [("dark", "dark", 1440, 900), ("light", "light", 1440, 900), ("phone", "dark", 360, 780)],
)
def test_the_page_fits_and_is_pictured(
    browser: Browser, stack_with_data: Stack, name: str, scheme: Any, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    seen = Visit(context.new_page(), stack_with_data)
    seen.open("from=now-15m&to=now")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=SCREENSHOTS / f"host-{name}.png", full_page=True)
    overflow = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()

    assert overflow <= 0
    assert seen.complaints == []


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
