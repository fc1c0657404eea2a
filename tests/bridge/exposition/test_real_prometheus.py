"""What we render, as the real Prometheus reads it back."""

from __future__ import annotations

import json
import math
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.exposition.negotiation import OPENMETRICS, TEXT
from pushgateway_bridge.model.additions import Increment, Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.report import GroupReport, Report
from stack import tools
from tests.bridge.events import DURATION, EVENTS, RUNS
from tests.bridge.harness import Harness
from tests.ports import free_port

pytestmark = pytest.mark.stack

ODD = Family("odd_value", "gauge", 'A \\ help\nwith "quotes".')
PLAIN_COUNTER = Family("pushed_counter", "counter", "A counter that was pushed without _total.")
VALUES = (0.0, -0.0, 0.1, 1e308, -1e308, 5e-324, 1e16, 123456789.123, math.inf, -math.inf, math.nan)
TEXTS = ("plain", 'quo"te', "back\\slash", "new\nline", "ünïcödé 漢字 🚀", "{}=,# ", "\\n", "tab\tand\r")
WAIT_SECONDS = 60.0


def decode(_body: bytes, _context: PushContext) -> Report:
    """Every value, every text as an instance and as a label, and what is counted."""
    groups = [
        *(GroupReport(make_push_group("odd", f"value-{i}"), ((ODD, ()),), [v]) for i, v in enumerate(VALUES)),
        *(
            GroupReport(make_push_group("odd", text), ((ODD, (("text", text),)),), [float(i)])
            for i, text in enumerate(TEXTS)
        ),
        GroupReport(
            make_push_group("odd", ""),
            ((PLAIN_COUNTER, ()),),
            [7.0],
            increments=[Increment(RUNS, (), 3.0)],
            observations=[Observation(DURATION, (), 0.7)],
        ),
    ]
    return Report(groups, accepted=1)


def expected(openmetrics: bool) -> dict[tuple[str, str, str], str]:
    """(name, instance, text or le) → the value as Prometheus' API writes it."""
    series = {("odd_value", f"value-{i}", ""): api_text(value) for i, value in enumerate(VALUES)}
    series |= {("odd_value", text, text): api_text(float(i)) for i, text in enumerate(TEXTS)}
    series |= {("pushed_counter", "", ""): "7", ("app_runs_total", "", ""): "3"}
    buckets = {"0.5": "0", "1.0": "1", "5.0": "1", "+Inf": "1"}
    series |= {("app_duration_seconds_bucket", "", bound): count for bound, count in buckets.items()}
    series |= {("app_duration_seconds_sum", "", ""): "0.7", ("app_duration_seconds_count", "", ""): "1"}
    if openmetrics:
        # Without created timestamps being ingested, Prometheus shows the lines as they are.
        began = api_text(1_770_000_000.0)
        series |= {("app_runs_created", "", ""): began, ("app_duration_seconds_created", "", ""): began}
    return series


def api_text(value: float) -> str:
    """A number that is compared by its value: see ``same``."""
    return repr(value)


def same(shown: str, value: str) -> bool:
    left, right = float(shown), float(value)
    return (math.isnan(left) and math.isnan(right)) or (
        left == right and math.copysign(1, left) == math.copysign(1, right)
    )


class Exposition(ThreadingHTTPServer):
    """Serves one text."""

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__(("127.0.0.1", free_port()), Handler)
        self.body = body
        self.content_type = content_type


class Handler(BaseHTTPRequestHandler):
    server: Exposition

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.server.content_type)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_prometheus_reads_back_what_was_pushed(bridge: Harness, tmp_path: Path, openmetrics: bool) -> None:
    prometheus = tools.find("prometheus")
    assert prometheus is not None, "run 'make test-stack', which fetches it"
    bridge.push({}, msgspec.structs.replace(EVENTS, decode=decode))
    body = bridge.exposition(openmetrics=openmetrics).encode()
    server = Exposition(body, OPENMETRICS if openmetrics else TEXT)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "bridge",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}],
            }
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    process = subprocess.Popen(
        [
            prometheus,
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        shown = wait_for_series(port)
    finally:
        process.terminate()
        process.wait(60)
        server.shutdown()
        server.server_close()

    wanted = expected(openmetrics)
    assert shown.keys() == wanted.keys()
    assert [key for key in wanted if not same(shown[key], wanted[key])] == []


def wait_for_series(port: int) -> dict[tuple[str, str, str], str]:
    """Everything with ``job="odd"``, once it is there; for Prometheus an empty instance is none."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode(
        {"query": '{job="odd",__name__!~"telemetry_.*"}'}
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                rows = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            rows = []
        if rows:
            return {
                (
                    row["metric"]["__name__"],
                    row["metric"].get("instance", ""),
                    row["metric"].get("text", row["metric"].get("le", "")),
                ): row["value"][1]
                for row in rows
            }
        time.sleep(0.2)
    raise AssertionError("Prometheus has no series of the exposition")
