"""One script of pushes, additions and deletions, run against the real Pushgateway and the bridge: the same is shown."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)
from prometheus_client.parser import text_string_to_metric_families

from stack import tools
from tests.bridge.process import BridgeProcess
from tests.ports import free_port
from tests.stack.programs import find

pytestmark = pytest.mark.stack

START_SECONDS = 60
TEXT = "text/plain; version=0.0.4"
TIMES = ("push_time_seconds", "push_failure_time_seconds")


class Request(NamedTuple):
    """One line of the script."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = {"Content-Type": TEXT}


def coded(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode()


HISTOGRAM = b"""# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 1
took_seconds_bucket{le="1"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 2.75
took_seconds_count 4
"""
SUMMARY = b"""# TYPE size_bytes summary
size_bytes{quantile="0.5"} 128
size_bytes{quantile="0.99"} 4096
size_bytes_sum 123456789
size_bytes_count 12345678
"""
ODD = b"""# HELP odd_labels A \\\\ and a\\nline.
# TYPE odd_labels gauge
odd_labels{text="quo\\"te"} 1
odd_labels{text="back\\\\slash"} 2
odd_labels{text="line\\nbreak"} 3
odd_labels{text="\xc3\xbcn\xc3\xafc\xc3\xb6de"} 4
odd_labels{instance="own"} 5
odd_labels{job="replaced"} 6
odd_values{n="0"} NaN
odd_values{n="1"} +Inf
odd_values{n="2"} -Inf
odd_values{n="3"} 1e-300
odd_values{n="4"} 123456789.125
odd_values{n="5"} -0
odd_values{n="6"} 1234567
odd_values{n="7"} 123456
odd_values{n="8"} 0.00001
odd_values{n="9"} 1e21
# TYPE plain counter
plain 7
# TYPE runs_total counter
runs_total 8
"""
PROTOBUF = {
    "Content-Type": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
}
GAUGE_IN_PROTOBUF = bytes.fromhex("140a03666f6f1801220b120909000000000000f83f")
GZIPPED = {"Content-Type": TEXT, "Content-Encoding": "gzip"}

SCRIPT = (
    Request("PUT", "/metrics/job/whole", HISTOGRAM + SUMMARY + ODD),
    Request("PUT", "/metrics/job/whole/instance/one", HISTOGRAM + b"left 1\n"),
    Request("POST", "/metrics/job/whole/instance/one", HISTOGRAM.replace(b'le="1"', b'le="2.5"')),
    Request("POST", "/metrics/job/whole/instance/one/zone/z", SUMMARY + b'more{a="1"} 1\nmore{a="2"} 2\n'),
    Request("POST", "/metrics/job/whole/instance/one/zone/z", b'more{a="2"} 3\nmore{a="3"} 4\n'),
    Request("POST", "/metrics/job/whole/instance/one/zone/z", SUMMARY.replace(b"0.99", b"0.9")),
    Request("PUT", "/metrics/job/replaced", b"first 1\nsecond 2\n"),
    Request("PUT", "/metrics/job/replaced", b"second 3\nthird 4\n"),
    Request("PUT", "/metrics/job/emptied", b"first 1\n"),
    Request("PUT", "/metrics/job/emptied"),
    Request("PUT", "/metrics/job/deleted/zone/z", b"first 1\n"),
    Request("POST", "/metrics/job/deleted", b"second 1\n"),
    Request("DELETE", "/metrics/job/deleted/zone/z"),
    Request("DELETE", "/metrics/job/never/pushed/so"),
    Request("PUT", f"/metrics/job@base64/{coded('a/b')}/path@base64/{coded('/var/tmp')}", b"coded 1\n"),
    Request("POST", f"/metrics/job@base64/{coded('a/b')}/path@base64/{coded('/var/tmp')}", b"added 2\n"),
    Request("PUT", "/metrics/job/gone", b"first 1\n"),
    Request("DELETE", f"/metrics/job@base64/{coded('gone').rstrip('=')}"),
    Request("POST", "/metrics/job/protobuf", GAUGE_IN_PROTOBUF, PROTOBUF),
    Request("PUT", "/metrics/job/gzip", gzip.compress(b"zipped 1\n"), GZIPPED),
    Request("POST", "/metrics/job/form", b"form 1\n", {"Content-Type": "application/x-www-form-urlencoded"}),
    Request("PUT", "/metrics/job/failed", b"first 1\nsecond 2\n"),
    Request("PUT", "/metrics/job/failed", b"first 2 1000\n"),
    Request("POST", "/metrics/job/failed", b"first 2\nfirst 3\n"),
    Request("POST", "/metrics/job/failed", b"# TYPE took_seconds gauge\ntook_seconds 1\n"),
    Request("POST", "/metrics/job/failed", b"second 5\n"),
    Request("PUT", "/metrics/job/failed_first", b"first 2 1000\n"),
    Request("PUT", "/metrics/job/unreadable", b"first\n"),
    Request("PUT", "/metrics/job/unreadable", b"first 1"),
    Request("PUT", "/metrics/job/unreadable", b"no gzip", GZIPPED),
    Request("PUT", "/metrics/job/odd/path", b"first 1\n"),
    Request("PUT", "/metrics/job/x/bad-name/y", b"first 1\n"),
    Request("PUT", "/metrics/job@base64/!", b"first 1\n"),
)


@contextmanager
def pushgateway(folder: Path) -> Iterator[int]:
    """The port of a real one."""
    program = find("pushgateway")
    if tools.version_number(tools.version(program)) < (1, 11):
        pytest.skip(f"{program} is older than 1.11")
    port = free_port()
    log = folder / "pushgateway.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return ask(port, Request("GET", "/-/ready"))[0] == 200
    except OSError:
        return False


def ask(port: int, asked: Request) -> tuple[int, bytes]:
    """Status and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Servers(NamedTuple):
    real: int
    ours: int


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """The ports of a Pushgateway and a bridge, both new."""
    with pushgateway(tmp_path) as real, BridgeProcess(tmp_path / "journal") as bridge:
        yield Servers(real, bridge.port)


Families = dict[str, tuple[str, str, list[tuple[str, tuple[tuple[str, str], ...], str]]]]
"""By name: type, help, and name, labels and value of each sample."""


def families(port: int) -> Families:
    """Type, help and samples of each pushed family on /metrics; of times only whether there was one.

    What is pushed has a job, and what the servers say of themselves has none. An empty instance is none.
    """
    found: Families = {}
    for family in text_string_to_metric_families(ask(port, Request("GET", "/metrics"))[1].decode()):
        samples = []
        for sample in family.samples:
            if sample.labels.get("job") and not sample.name.startswith("telemetry_"):
                labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
                value = str(sample.value > 0) if family.name in TIMES else repr(sample.value + 0.0)  # -0 is 0
                samples.append((sample.name, labels, value))
        assert len({sample[:2] for sample in samples}) == len(samples), "a series is shown twice"
        if samples:
            found[family.name] = (family.type, family.documentation, sorted(samples))
    return found


def same_families(servers: Servers) -> Families:
    """What both show, once it is found equal."""
    real, ours = (families(port) for port in servers)
    assert ours == real
    return ours


def test_the_same_script_gives_the_same_answers_and_the_same_metrics(servers: Servers) -> None:
    for asked in SCRIPT:
        statuses = [ask(port, asked)[0] for port in servers]

        assert statuses[1] == statuses[0], asked
        same_families(servers)

    shown = same_families(servers)
    assert {shown[name][0] for name in ("took_seconds", "size_bytes", "odd_labels", "plain")} == {
        "histogram",
        "summary",
        "gauge",
        "counter",
    }
    assert len(shown["push_time_seconds"][2]) == len(shown["push_failure_time_seconds"][2]) == 12
    assert len(shown["odd_labels"][2]) == 6


def typed(kind: str, *lines: str) -> bytes:
    return "".join((f"# TYPE changed {kind}\n", *(f"{line}\n" for line in lines))).encode()


CHANGES = (
    Request("PUT", "/metrics/job/changes", typed("gauge", "changed 1")),
    Request("PUT", "/metrics/job/other", typed("counter", "changed 1")),
    Request("PUT", "/metrics/job/changes", typed("untyped", "changed 2") + b"left 1\n"),
    Request("POST", "/metrics/job/changes", typed("gauge", 'changed{quantile="0.5"} 3')),
    Request("POST", "/metrics/job/changes", typed("summary", 'changed{quantile="0.5"} 3', "changed_sum 4")),
    Request("PUT", "/metrics/job/changes", HISTOGRAM.replace(b"took_seconds", b"changed")),
    Request("POST", "/metrics/job/other", typed("gauge", "changed 1")),
    Request("POST", "/metrics/job/other", HISTOGRAM.replace(b"took_seconds", b"changed")),
    Request("PUT", "/metrics/job/changes", typed("gauge", "changed 5")),
    Request("PUT", "/metrics/job/other"),
    Request("PUT", "/metrics/job/changes", typed("gauge", "changed 6")),
    Request("DELETE", "/metrics/job/changes"),
    Request("POST", "/metrics/job/other", typed("summary", "changed_count 7")),
    Request("PUT", "/metrics/job/other", b"changed_count 8\nchanged_sum 9\n"),
    Request("PUT", "/metrics/job/other", typed("summary", "changed_sum 9", "changed_count 8")),
)
"""One metric as one type after another."""


def test_type_of_a_metric_changes_where_it_may_there(servers: Servers) -> None:
    answers = []
    for asked in CHANGES:
        statuses = [ask(port, asked)[0] for port in servers]

        assert statuses[1] == statuses[0], asked
        answers.append(statuses[0])
        same_families(servers)
    assert [number for number, status in enumerate(answers) if status == 400] == [1, 6, 8]


def test_lines_of_a_histogram_stand_in_the_same_order(servers: Servers) -> None:
    """Pushgateway puts bounds in order, and so do its clients before they push."""
    for asked in SCRIPT:
        for port in servers:
            ask(port, asked)

    def histograms(port: int) -> dict[frozenset[tuple[str, str]], list[str]]:
        lines: dict[frozenset[tuple[str, str]], list[str]] = {}
        for family in text_string_to_metric_families(ask(port, Request("GET", "/metrics"))[1].decode()):
            if family.type in ("histogram", "summary") and not family.name.startswith(
                ("go_", "http_", "push")
            ):
                for sample in family.samples:
                    own = dict(sample.labels)
                    bound = own.pop("le", own.pop("quantile", ""))
                    labels = frozenset((name, value) for name, value in own.items() if value)
                    if "job" in own:
                        key = labels | {("family", family.name)}
                        lines.setdefault(key, []).append(sample.name + bound)
        return lines

    real, ours = (histograms(port) for port in servers)
    assert len(real) == 4
    assert ours == real


def test_prometheus_client_leaves_the_same_with_both(servers: Servers) -> None:
    registry, more = CollectorRegistry(), CollectorRegistry()
    Gauge("depth", "How deep.", ["side"], registry=registry).labels('le"ft').set(math.pi)
    Counter("runs", "Runs.", ["kind"], registry=registry).labels("web").inc(3)
    took = Histogram("took_seconds", "How long.", ["kind"], registry=registry)
    took.labels("web").observe(0.7)
    took.labels("mail").observe(70)
    Summary("size_bytes", "How large.", registry=registry).observe(10)
    Info("build", "What runs.", registry=registry).info({"version": "1.2"})
    Enum("state", "How it is.", states=["up", "down"], registry=registry).state("down")
    Gauge("depth", "How deep.", ["side"], registry=more).labels("right").set(2)
    Gauge("extra", "More.", registry=more).set(1)
    key = {"instance": "i", "path": "/a/b", "empty": ""}

    steps: list[Callable[[str], None]] = [
        lambda address: push_to_gateway(address, "client", registry, key),
        lambda address: pushadd_to_gateway(address, "client", more, key),
        lambda address: push_to_gateway(address, "other", more),
        lambda address: push_to_gateway(address, "other", more, compression="gzip"),
        lambda address: push_to_gateway(address, "client", more, key),
        lambda address: delete_from_gateway(address, "other"),
    ]
    shown = []
    for step in steps:
        for port in servers:
            step(f"127.0.0.1:{port}")
        shown.append(same_families(servers))
    pushed = [sorted(step.keys() - {"push_time_seconds", "push_failure_time_seconds"}) for step in shown]
    assert len(pushed[0]) == len(pushed[1]) - 1 > 8
    assert pushed[4] == pushed[5] == ["depth", "extra"]


def test_api_shows_the_same_groups(servers: Servers) -> None:
    """Times apart; of labels and metrics everything."""
    for asked in SCRIPT:
        for port in servers:
            ask(port, asked)

    real, ours = (api_groups(port) for port in servers)
    assert ours.keys() == real.keys()
    for key, group in real.items():
        assert ours[key] == group


def api_groups(port: int) -> dict[str, Any]:
    """Groups by their labels, metrics in one order."""
    status, body = ask(port, Request("GET", "/api/v1/metrics"))
    document = json.loads(body)
    assert (status, document["status"]) == (200, "success")
    groups = {}
    for group in document["data"]:
        for name, family in group.items():
            if name in ("labels", "last_push_successful"):
                continue
            assert family.pop("time_stamp")
            family["metrics"].sort(key=lambda metric: json.dumps(metric["labels"], sort_keys=True))
            if name in TIMES:
                for metric in family["metrics"]:
                    metric["value"] = float(metric["value"]) > 0
        groups[json.dumps(group["labels"], sort_keys=True)] = group
    return groups


def test_status_has_what_clients_read(servers: Servers) -> None:
    real, ours = (json.loads(ask(port, Request("GET", "/api/v1/status"))[1]) for port in servers)

    assert ours["status"] == real["status"] == "success"
    assert ours["data"].keys() <= real["data"].keys()
    assert {"build_information", "flags", "start_time"} <= ours["data"].keys()
    assert "version" in ours["data"]["build_information"].keys() & real["data"]["build_information"].keys()
