"""Pushgateway's API over HTTP: the same pushes by the ordinary way, in process, and by the hot one of a real bridge."""

from __future__ import annotations

import base64
import gzip
import json
import math
import shutil
import struct
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cramjam
import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    delete_from_gateway,
    instance_ip_grouping_key,
    push_to_gateway,
    pushadd_to_gateway,
)
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.dialects.dialect import DEFAULT_LIMITS, PushLimits
from pushgateway_bridge.state.limits import LEAST_SOURCES, SeriesLimits
from tests.bridge.process import BridgeProcess
from tests.bridge.web.gates import OPEN
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, request

TEXT = "Content-Type: text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
HISTOGRAM = (
    b"# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
    b'took_seconds_bucket{le="0.3"} 1\ntook_seconds_bucket{le="7"} 2\ntook_seconds_bucket{le="+Inf"} 3\n'
    b"took_seconds_sum 12.5\ntook_seconds_count 3\n"
)
SUMMARY = (
    b"# TYPE size_bytes summary\n"
    b'size_bytes{quantile="0.3"} 10\nsize_bytes{quantile="0.7"} 20\nsize_bytes_sum 300\nsize_bytes_count 17\n'
)


class Reply(NamedTuple):
    status: int
    content_type: str
    body: bytes


class Bridge(Protocol):
    """A bridge, whichever way it answers."""

    def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply: ...

    def scrape(self, accept: str = "") -> str: ...


class InProcess:
    """The ordinary way."""

    def __init__(self, web: Web) -> None:
        self.web = web

    def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        fields = dict(line.split(": ", 1) for line in headers)
        answer = self.web.request(method, path, content=body, headers=fields)
        return Reply(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    def scrape(self, accept: str = "") -> str:
        return self.web.get("/metrics", **({"accept": accept} if accept else {})).text


class OverHttp:
    """The hot way, for what can go it."""

    def __init__(self, bridge: BridgeProcess) -> None:
        self.bridge = bridge

    def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        with Connection(self.bridge.port) as connection:
            answer = connection.ask(request(method, path, *headers, body=body, length=len(body)))
        return Reply(answer.status, dict(answer.headers).get("content-type", ""), answer.body)

    def scrape(self, accept: str = "") -> str:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.bridge.port}/metrics", headers={"Accept": accept} if accept else {}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """One for all tests, each of which pushes jobs of its own."""
    with BridgeProcess(tmp_path_factory.mktemp("bridge") / "journal") as started:
        yield started


@pytest.fixture(params=["ordinary", pytest.param("hot", marks=pytest.mark.stack)])
def bridge(request: pytest.FixtureRequest) -> Bridge:
    if request.param == "hot":
        return OverHttp(request.getfixturevalue("process"))
    return InProcess(request.getfixturevalue("web"))


@pytest.fixture
def ordinary(web: Web) -> InProcess:
    return InProcess(web)


@pytest.fixture
def job(request: pytest.FixtureRequest) -> str:
    """A job that no other test pushes."""
    return str(request.node.originalname)


def series(bridge: Bridge, job: str) -> dict[str, float]:
    """What is shown of *job* besides the times of its pushes and what the bridge knows of it."""
    return series_of(lines(bridge.scrape(), job))


def series_of(found: list[tuple[str, float]]) -> dict[str, float]:
    return {
        name: value
        for name, value in found
        if not name.startswith(("push_time_", "push_failure_", "telemetry_"))
    }


def lines(text: str, job: str) -> list[tuple[str, float]]:
    """Name with labels and value of each sample of *job*, in order; job and an empty instance left out."""
    found = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("job") == job:
                own = {
                    name: value for name, value in sorted(sample.labels.items()) if name != "job" and value
                }
                shown = ",".join(f"{name}={value}" for name, value in own.items())
                found.append((f"{sample.name}{{{shown}}}" if own else sample.name, float(sample.value)))
    assert len(dict(found)) == len(found), "a series is shown twice"
    return found


def shown(bridge: Bridge, job: str, name: str) -> list[tuple[str, float]]:
    """The lines of one family of *job*, in order."""
    return [(line, value) for line, value in lines(bridge.scrape(), job) if line.startswith(name)]


def times(bridge: Bridge, job: str) -> tuple[float, float]:
    """When *job* was last pushed, and when that last failed."""
    values = dict(lines(bridge.scrape(), job))
    return values["push_time_seconds"], values["push_failure_time_seconds"]


def push(bridge: Bridge, method: str, path: str, body: bytes, *headers: str) -> None:
    """An accepted push."""
    assert bridge.send(method, f"/metrics/job/{path}", body, TEXT, *headers)[::2] == (200, b"")


def refused(bridge: Bridge, path: str, body: bytes, *headers: str, method: str = "POST") -> str:
    """What the pusher is told of a push that is refused with 400."""
    status, content_type, answer = bridge.send(method, f"/metrics/job/{path}", body, TEXT, *headers)
    assert (status, content_type) == (400, "text/plain; charset=utf-8"), answer
    return answer.decode()


# What a push takes the place of


def test_put_takes_the_place_of_the_whole_group_and_of_nothing_else(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", job, b'a 1\nb 2\nc{x="1"} 3\n')
    push(bridge, "PUT", f"{job}/zone/z", b"a 10\n")
    push(bridge, "PUT", job, b"a 4\nd 5\n")

    assert series(bridge, job) == {"a": 4, "d": 5, "a{zone=z}": 10}


def test_a_grouping_key_may_have_line_breaks_as_in_pushgateway(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", f"{job}/zone/a%0Ab", b"a 1\n")

    assert f'a{{job="{job}",instance="",zone="a\\nb"}} 1' in bridge.scrape()
    assert bridge.send("DELETE", f"/metrics/job/{job}/zone/a%0Ab")[0] == 202
    assert "a\\nb" not in bridge.scrape()


def test_post_takes_the_place_of_the_families_in_it(bridge: Bridge, job: str) -> None:
    push(bridge, "POST", job, b'a{x="1"} 1\na{x="2"} 2\nb 3\n')
    push(bridge, "POST", job, b'a{x="2"} 4\na{x="3"} 5\nc 6\n')

    assert series(bridge, job) == {"a{x=2}": 4, "a{x=3}": 5, "b": 3, "c": 6}


def test_put_after_post_of_the_same_series_takes_the_others_away(bridge: Bridge, job: str) -> None:
    """The same body again, so that nothing new stands in the push."""
    push(bridge, "POST", job, b"b 1\n")
    push(bridge, "POST", job, b"a 1\n")
    push(bridge, "PUT", job, b"a 2\n")

    assert series(bridge, job) == {"a": 2}


def test_put_of_nothing_leaves_the_times_alone(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", job, b"a 1\n")
    push(bridge, "PUT", job, b"")

    assert series(bridge, job) == {}
    assert times(bridge, job)[0] > 0


def test_post_of_nothing_changes_the_time_alone(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", job, b"a 1\n")
    before = times(bridge, job)[0]
    push(bridge, "POST", job, b"")

    assert series(bridge, job) == {"a": 1}
    assert times(bridge, job)[0] >= before


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_only_group_that_has_a_family_may_push_it_as_another_type(
    bridge: Bridge, job: str, method: str
) -> None:
    name = f"retyped_{method.lower()}_total"
    job += method
    gauge, counter = (f"# TYPE {name} {kind}\n{name} 1\n".encode() for kind in ("gauge", "counter"))
    push(bridge, "PUT", job, gauge)
    push(bridge, method, job, counter)
    assert f"# TYPE {name} counter\n" in bridge.scrape()

    push(bridge, "PUT", f"{job}/zone/z", counter)
    for path in (job, f"{job}/zone/z", f"{job}/zone/y"):
        assert f"{name} is held as a counter, and was pushed as a gauge" in refused(
            bridge, path, gauge, method=method
        )
    deleted(bridge, f"{job}/zone/z")
    push(bridge, method, job, gauge)
    deleted(bridge, job)
    push(bridge, method, f"{job}/zone/y", counter)

    assert f"# TYPE {name} counter\n" in bridge.scrape()
    assert series(bridge, job) == {f"{name}{{zone=y}}": 1}


# Lines of histograms and summaries


def bucket(bound: str) -> str:
    return f"took_seconds_bucket{{le={bound}}}"


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_lines_of_a_histogram_stay_together_and_in_order_when_they_change(
    bridge: Bridge, job: str, method: str
) -> None:
    job += method
    push(bridge, method, job, HISTOGRAM)
    push(bridge, method, f"{job}/other/one", HISTOGRAM)
    more = HISTOGRAM.replace(
        b'took_seconds_bucket{le="7"} 2\n', b'took_seconds_bucket{le="5"} 2\ntook_seconds_bucket{le="8"} 3\n'
    )
    push(bridge, method, job, more)

    mine = [line for line in shown(bridge, job, "took_seconds") if "other" not in line[0]]
    assert mine == [
        (bucket("0.3"), 1),
        (bucket("5"), 2),
        (bucket("8"), 3),
        (bucket("+Inf"), 3),
        ("took_seconds_sum", 12.5),
        ("took_seconds_count", 3),
    ]
    less = HISTOGRAM.replace(b'took_seconds_bucket{le="0.3"} 1\n', b"")
    push(bridge, method, job, less)

    text = bridge.scrape()
    names = [line for line, _ in lines(text, job) if line.startswith("took_seconds")]
    own = [bucket("7"), bucket("+Inf"), "took_seconds_sum", "took_seconds_count"]
    begin = names.index(own[0])
    assert names[begin : begin + 4] == own, "the lines of a group stand together"
    assert len(names) == 4 + 5
    assert "# TYPE took_seconds histogram\n" in text
    assert "# HELP took_seconds How long.\n" in text


def test_lines_of_a_summary_stay_together_and_in_order_when_they_change(bridge: Bridge, job: str) -> None:
    push(bridge, "POST", job, SUMMARY)
    push(bridge, "POST", job, SUMMARY.replace(b'{quantile="0.3"} 10', b'{quantile="0.1"} 5'))

    assert shown(bridge, job, "size_bytes") == [
        ("size_bytes{quantile=0.1}", 5),
        ("size_bytes{quantile=0.7}", 20),
        ("size_bytes_sum", 300),
        ("size_bytes_count", 17),
    ]


def test_histogram_with_one_more_metric_keeps_the_lines_of_each_together(
    ordinary: InProcess, job: str
) -> None:
    one = HISTOGRAM.replace(b"_bucket{", b'_bucket{x="1",').replace(b"_sum", b'_sum{x="1"}')
    one = one.replace(b"_count", b'_count{x="1"}')
    push(ordinary, "POST", job, one.replace(b'x="1"', b'x="2"'))
    push(ordinary, "POST", job, one + one.replace(b'x="1"', b'x="2"').partition(b"histogram\n")[2])

    found = [line for line, _ in shown(ordinary, job, "took_seconds")]
    assert [("x=1" in line, "x=2" in line) for line in found] == [(True, False)] * 5 + [(False, True)] * 5


def test_what_was_pushed_can_be_read_as_openmetrics(ordinary: InProcess, job: str) -> None:
    """Bounds and quantiles that stand as OpenMetrics writes them."""
    counter = b"# TYPE runs_total counter\nruns_total 4\n# TYPE plain counter\nplain 5\nuntyped 6\n"
    push(ordinary, "PUT", job, HISTOGRAM + SUMMARY + counter)
    push(ordinary, "PUT", f"{job}/zone/z", SUMMARY + HISTOGRAM)

    read = openmetrics_families(ordinary.scrape(OPENMETRICS))  # type: ignore[no-untyped-call]
    families = {family.name: family for family in read}

    own = {"took_seconds": "histogram", "size_bytes": "summary", "runs": "counter"}
    assert {name: families[name].type for name in own} == own
    assert {families[name].type for name in ("plain", "untyped")} == {"unknown"}
    assert len(families["took_seconds"].samples) == 10
    assert [sample.value for sample in families["runs"].samples] == [4]


# Times of pushes and of failures


def test_new_group_has_never_failed(bridge: Bridge, job: str) -> None:
    before = time.time()
    push(bridge, "PUT", job, b"a 1\n")

    pushed, failed = times(bridge, job)
    assert before - 1 <= pushed <= time.time() + 1
    assert failed == 0


CONTRADICTORY: list[tuple[str, bytes]] = [
    ("timestamps", b"a 2 5\n"),
    ("collected before with the same name", b"a 2\na 3\n"),
    ("a is held as a", b"# TYPE a counter\na 2\n"),
    ("telemetry_x: names that begin with", b"a 2\ntelemetry_x 1\n"),
]


@pytest.mark.parametrize(("why", "body"), CONTRADICTORY, ids=[why for why, _ in CONTRADICTORY])
def test_push_that_contradicts_sets_the_failure_time_and_changes_nothing_else(
    bridge: Bridge, job: str, why: str, body: bytes
) -> None:
    job = f"{job}{len(body)}"
    push(bridge, "PUT", f"{job}_other", b"a 1\n")
    push(bridge, "PUT", job, b"a 1\nb 1\n")
    pushed, _ = times(bridge, job)

    assert why in refused(bridge, job, body, method="PUT")

    after, failed = times(bridge, job)
    assert (after, series(bridge, job)) == (pushed, {"a": 1, "b": 1})
    assert failed >= pushed


def test_failure_time_is_kept_over_a_success(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", job, b"a 1\n")
    refused(bridge, job, b"a 2 5\n")
    _, failed = times(bridge, job)
    assert failed > 0

    for method in ("PUT", "POST", "PUT"):
        push(bridge, method, job, b"a 3\n")

    pushed, still = times(bridge, job)
    assert still == failed
    assert pushed >= failed
    assert series(bridge, job) == {"a": 3}


def test_failure_of_a_group_that_is_not_there_makes_it_without_a_success(bridge: Bridge, job: str) -> None:
    before = time.time()
    refused(bridge, job, b"a 2 5\n")

    pushed, failed = times(bridge, job)
    assert pushed == 0
    assert failed >= before - 1
    assert series(bridge, job) == {}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"a\n", ()),
        (b"a 2", ()),
        (b"\xff 1\n", ()),
        (b"a 2\n", ("X-Time-To-Live-Seconds: soon",)),
        (b"no gzip", ("Content-Encoding: gzip",)),
    ],
    ids=["no value", "no line end", "no utf-8", "no time to live", "no gzip"],
)
def test_push_that_cannot_be_read_changes_nothing(
    bridge: Bridge, job: str, body: bytes, headers: tuple[str, ...]
) -> None:
    job = f"{job}{len(body)}{len(headers)}"
    push(bridge, "PUT", job, b"a 1\n")
    before = lines(bridge.scrape(), job)

    assert refused(bridge, job, body, *headers)

    assert lines(bridge.scrape(), job) == before


def test_unreadable_push_of_a_new_group_makes_none(ordinary: InProcess, job: str) -> None:
    refused(ordinary, job, b"a\n")

    assert lines(ordinary.scrape(), job) == []


def test_group_of_another_dialect_is_neither_pushed_nor_told_of_a_failure(ordinary: InProcess) -> None:
    assert ordinary.web.push(b'{"name":"host","cpuL":10}').status_code == 200
    before = lines(ordinary.scrape(), "pixeltracker")

    text = refused(ordinary, "pixeltracker/instance/host", b"a 1\n")

    assert "is pushed by pixeltracker; pushgateway cannot push it too" in text
    assert lines(ordinary.scrape(), "pixeltracker") == before


def test_scraped_job_is_refused_and_nothing_of_it_is_kept(bridge: Bridge) -> None:
    assert "job 'node' is scraped by this stack; push under another" in refused(bridge, "node", b"a 1\n")

    assert lines(bridge.scrape(), "node") == []


# Deletion


def deleted(bridge: Bridge, path: str) -> None:
    assert bridge.send("DELETE", f"/metrics/job/{path}")[::2] == (202, b"")


def test_deleted_group_is_gone_and_the_others_stay(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", job, b"a 1\n" + HISTOGRAM)
    push(bridge, "PUT", f"{job}/zone/z", b"a 2\n")
    deleted(bridge, job)

    assert series(bridge, job) == {"a{zone=z}": 2}
    push(bridge, "POST", job, b"b 3\n")
    assert series(bridge, job) == {"a{zone=z}": 2, "b": 3}
    deleted(bridge, f"{job}/zone/z")
    deleted(bridge, job)
    assert lines(bridge.scrape(), job) == []


def test_unknown_group_is_deleted_as_well(bridge: Bridge, job: str) -> None:
    deleted(bridge, job)
    deleted(bridge, f"{job}/a/b")


def test_delete_of_no_grouping_key_is_refused(bridge: Bridge, job: str) -> None:
    status, _, body = bridge.send("DELETE", f"/metrics/job/{job}/odd")

    assert (status, body) == (400, b'odd number of components in label string "/odd"\n')


def test_group_of_another_dialect_is_not_deleted(ordinary: InProcess) -> None:
    assert ordinary.web.push(b'{"name":"host","cpuL":10}').status_code == 200
    before = ordinary.web.value("node_load1", job="pixeltracker", instance="host")
    assert before is not None
    deleted(ordinary, "pixeltracker/instance/host")

    assert ordinary.web.value("node_load1", job="pixeltracker", instance="host") == before


# Paths and bodies


def test_values_in_base64_name_the_same_group(bridge: Bridge, job: str) -> None:
    coded = base64.urlsafe_b64encode(job.encode()).decode()
    path = base64.urlsafe_b64encode(b"/var/tmp").decode()
    push(bridge, "PUT", f"{job}/path/%2Fvar%2Ftmp", b"a 1\n")
    status = bridge.send("POST", f"/metrics/job@base64/{coded}/path@base64/{path}", b"b 2\n", TEXT).status

    assert status == 200
    assert series(bridge, job) == {"a{path=/var/tmp}": 1, "b{path=/var/tmp}": 2}
    assert bridge.send("DELETE", f"/metrics/job@base64/{coded.rstrip('=')}/path@base64/{path}").status == 202
    assert series(bridge, job) == {}


def test_empty_value_in_base64_is_no_label(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", f"{job}/zone@base64/=", b'a{zone="own"} 1\n')

    assert series(bridge, job) == {"a": 1}


@pytest.mark.parametrize("coding", ["gzip", "snappy"])
def test_compressed_push_is_taken(bridge: Bridge, job: str, coding: str) -> None:
    body = b"a 1\n" + HISTOGRAM
    coded = gzip.compress(body) if coding == "gzip" else bytes(cramjam.snappy.compress_raw(body))
    push(bridge, "PUT", f"{job}{coding}", coded, f"Content-Encoding: {coding}")

    assert series(bridge, f"{job}{coding}")["a"] == 1
    assert len(series(bridge, f"{job}{coding}")) == 6


def test_protobuf_is_taken(bridge: Bridge, job: str) -> None:
    """One gauge pbf with the value 1.5: io.prometheus.client.MetricFamily, with its length before it."""
    body = bytes.fromhex("140a037062661801220b120909000000000000f83f")
    kind = "Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    answer = bridge.send("POST", f"/metrics/job/{job}", body, kind)

    assert (answer.status, answer.body) == (200, b"")
    assert series(bridge, job) == {"pbf": 1.5}


@pytest.mark.parametrize("method", ["PATCH", "TRACE"])
def test_other_methods_are_refused_in_words(ordinary: InProcess, job: str, method: str) -> None:
    assert ordinary.send(method, f"/metrics/job/{job}") == (
        405,
        "text/plain; charset=utf-8",
        b"Method Not Allowed\n",
    )


def test_pushes_and_refusals_are_counted(ordinary: InProcess, job: str) -> None:
    push(ordinary, "PUT", job, b"a 1\n")
    refused(ordinary, job, b"a 2 5\n")
    deleted(ordinary, job)

    value = ordinary.web.value
    assert value("telemetry_pushes_total", dialect="pushgateway") == 3
    assert value("telemetry_pushes_rejected_total", dialect="pushgateway", reason="malformed_body") == 1
    assert value("telemetry_events_total", dialect="pushgateway", result="accepted") == 1


# Time to live


def test_series_are_forgotten_their_time_to_live_after_their_last_push(ordinary: InProcess, job: str) -> None:
    push(ordinary, "PUT", job, b"a 1\n", "X-Time-To-Live-Seconds: 0.2")
    push(ordinary, "PUT", f"{job}/zone/z", b"a 1\n")
    deadline = time.monotonic() + 30
    while "a" in series(ordinary, job):
        assert time.monotonic() < deadline
        ordinary.web._runner.run(_a_moment(ordinary))

    assert series(ordinary, job) == {"a{zone=z}": 1}


async def _a_moment(ordinary: InProcess) -> None:
    ordinary.web.bridge.ingest.expire()
    await ordinary.web.bridge.ingest.drain()


# What lasts


@pytest.mark.stack
@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_everything_that_was_answered_is_there_after_a_restart(
    tmp_path: Path, job: str, end: str, checkpoint: bool
) -> None:
    """Also that something was replaced or deleted, and the order of a histogram's lines."""
    seconds = 0.2 if checkpoint else 3600
    with BridgeProcess(tmp_path, f"--journal.checkpoint-interval-seconds={seconds}") as process:
        bridge = OverHttp(process)
        push(bridge, "PUT", job, b"a 1\nb 2\n" + SUMMARY)
        push(bridge, "PUT", f"{job}/zone/gone", b"a 1\n")
        push(bridge, "POST", f"{job}/zone/z", HISTOGRAM + b'c{x="1"} 1\n')
        if checkpoint:
            pushed, until = time.time(), time.monotonic() + 30
            while process.series()["telemetry_checkpoint_timestamp_seconds"] <= pushed:
                assert time.monotonic() < until
                time.sleep(0.05)
        push(bridge, "PUT", job, b"a 3\n" + SUMMARY.replace(b'"0.3"', b'"0.1"'))
        more = HISTOGRAM.replace(b'took_seconds_bucket{le="7"}', b'took_seconds_bucket{le="5"}')
        push(bridge, "POST", f"{job}/zone/z", more + b'c{x="2"} 1\n')
        deleted(bridge, f"{job}/zone/gone")
        refused(bridge, job, b"a 4 5\n")
        before = lines(bridge.scrape(), job)
        if end == "kill":
            process.kill()
        else:
            assert process.terminate() == 0
        process.start()

        after = lines(bridge.scrape(), job)
        push(bridge, "PUT", job, b"a 5\n")
        then = series(bridge, job)

    def within(found: list[tuple[str, float]], name: str) -> list[tuple[str, float]]:
        return [line for line in found if line[0].startswith(name)]

    assert dict(after) == dict(before)
    assert within(after, "took_seconds") == within(before, "took_seconds")
    assert within(after, "size_bytes") == within(before, "size_bytes")
    assert dict(before)["a"] == 3
    assert "b" not in dict(before)
    assert {name for name in then if "zone=z" not in name} == {"a"}
    assert then["c{x=2,zone=z}"] == 1


@pytest.mark.stack
@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_types_that_changed_are_there_after_a_restart(
    tmp_path: Path, job: str, end: str, checkpoint: bool
) -> None:
    seconds = 0.2 if checkpoint else 3600
    with BridgeProcess(tmp_path, f"--journal.checkpoint-interval-seconds={seconds}") as process:
        bridge = OverHttp(process)
        push(bridge, "PUT", job, b"# TYPE took_seconds gauge\ntook_seconds 1\nsize_bytes_count 1\n")
        push(bridge, "PUT", f"{job}/zone/z", b"# TYPE runs_total gauge\nruns_total 1\n")
        if checkpoint:
            pushed, until = time.time(), time.monotonic() + 30
            while process.series()["telemetry_checkpoint_timestamp_seconds"] <= pushed:
                assert time.monotonic() < until
                time.sleep(0.05)
        push(bridge, "PUT", job, HISTOGRAM + SUMMARY)
        deleted(bridge, f"{job}/zone/z")
        push(bridge, "POST", f"{job}/zone/y", b"# TYPE runs_total counter\nruns_total 2\n")
        before = lines(bridge.scrape(), job)
        if end == "kill":
            process.kill()
        else:
            assert process.terminate() == 0
        process.start()

        text = bridge.scrape()
        refused(bridge, f"{job}/zone/z", b"# TYPE runs_total gauge\nruns_total 1\n")
        refused(bridge, f"{job}/zone/z", b"# TYPE took_seconds gauge\ntook_seconds 1\n")
        push(bridge, "PUT", job, b"# TYPE took_seconds gauge\ntook_seconds 3\n")
        push(bridge, "PUT", f"{job}/zone/z", b"size_bytes_count 1\n")

    assert lines(text, job) == before
    assert len(series_of(before)) == 10
    for header in ("took_seconds histogram", "size_bytes summary", "runs_total counter"):
        assert text.count(f"# TYPE {header}\n") == 1


# Tokens


@pytest.fixture
def guarded(ordinary: InProcess) -> InProcess:
    """A bridge that other machines reach."""
    ordinary.web.bridge.guard.rules = OPEN._replace(beyond_loopback=True)
    ordinary.web.bridge.tokens.directory.mkdir()
    return ordinary


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_push_and_deletion_need_a_push_token_beyond_loopback(
    guarded: InProcess, job: str, method: str
) -> None:
    tokens = guarded.web.bridge.tokens
    statuses = []
    for rights in ((), (Right.READ, Right.DELETE), (Right.PUSH,)):
        token = [f"Authorization: Bearer {tokens.create('test', rights)[1]}"] if rights else []
        statuses.append(guarded.send(method, f"/metrics/job/{job}", b"a 1\n", *token).status)

    assert statuses == [401, 403, 202 if method == "DELETE" else 200]


def test_token_is_bound_to_its_job_and_instance(guarded: InProcess, job: str) -> None:
    _, secret = guarded.web.bridge.tokens.create("test", [Right.PUSH], job=job, instance="one")
    token = f"Authorization: Bearer {secret}"
    outcomes = {}
    for path in (
        f"{job}/instance/one",
        f"{job}/instance/one/zone/z",
        f"{job}/instance/two",
        job,
        "x/instance/one",
    ):
        for method in ("PUT", "DELETE"):
            answer = guarded.send(method, f"/metrics/job/{path}", b"a 1\n", token)
            outcomes[method, path.removeprefix(job)] = answer.status

    assert outcomes == {
        ("PUT", "/instance/one"): 200,
        ("DELETE", "/instance/one"): 202,
        ("PUT", "/instance/one/zone/z"): 200,
        ("DELETE", "/instance/one/zone/z"): 202,
        ("PUT", "/instance/two"): 403,
        ("DELETE", "/instance/two"): 403,
        ("PUT", ""): 403,
        ("DELETE", ""): 403,
        ("PUT", "x/instance/one"): 403,
        ("DELETE", "x/instance/one"): 403,
    }


def test_failed_push_for_another_source_than_the_tokens_leaves_it_alone(guarded: InProcess, job: str) -> None:
    tokens = guarded.web.bridge.tokens
    mine, other = (
        f"Authorization: Bearer {tokens.create('test', [Right.PUSH], job=job, instance=instance)[1]}"
        for instance in ("mine", "other")
    )
    push(guarded, "PUT", f"{job}/instance/mine", b"a 1\n", mine)
    before = lines(guarded.scrape(), job)

    refused(guarded, f"{job}/instance/mine", b"a 2 5\n", other)

    assert lines(guarded.scrape(), job) == before
    refused(guarded, f"{job}/instance/mine", b"a 2 5\n", mine)
    assert lines(guarded.scrape(), job) != before


# Several groups in one push

GROUPS = "/api/v1/groups"


def groups_body(job: str, value: float = 1, family: str = "a") -> bytes:
    """A sample of each of two groups of *job*, and one of another job."""
    metrics = (f'job="{job}",instance="one"', f'job="{job}",own="o"', f'job="{job}_other"')
    return "".join(f"{family}{{{labels}}} {value}\n" for labels in metrics).encode()


def push_groups(
    bridge: Bridge, method: str, body: bytes, *headers: str, by: str = "", status: int = 200
) -> str:
    """The body of the answer to a push of several groups."""
    answer = bridge.send(method, GROUPS + by, body, TEXT, *headers)
    assert answer.status == status, answer.body
    return answer.body.decode()


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_groups_of_one_push_are_stored_together(bridge: Bridge, job: str, method: str) -> None:
    job += method
    before = time.time()
    push_groups(bridge, method, groups_body(job))

    found = dict(lines(bridge.scrape(), job))
    assert series_of(list(found.items())) == {"a{instance=one}": 1, "a{own=o}": 1}
    assert series(bridge, f"{job}_other") == {"a": 1}
    for labels in ("", "{instance=one}"):
        assert before - 1 <= found[f"push_time_seconds{labels}"] <= time.time() + 1
        assert found[f"push_failure_time_seconds{labels}"] == 0


def test_put_of_groups_takes_the_place_of_those_it_names(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", f"{job}/instance/one", b"a 1\nb 1\n")
    push(bridge, "PUT", f"{job}/instance/one/zone/z", b"a 1\nb 1\n")
    push(bridge, "PUT", f"{job}/instance/two", b"a 1\nb 1\n")
    push_groups(bridge, "PUT", groups_body(job, 2))

    assert series(bridge, job) == {
        "a{instance=one}": 2,
        "a{own=o}": 2,
        **{f"{name}{{{labels}}}": 1 for name in "ab" for labels in ("instance=one,zone=z", "instance=two")},
    }


def test_post_of_groups_takes_the_place_of_their_families(bridge: Bridge, job: str) -> None:
    push(bridge, "PUT", f"{job}/instance/one", b'a{x="1"} 1\nb 1\n')
    push(bridge, "PUT", job, b"b 1\n")
    push_groups(bridge, "POST", groups_body(job, 2))

    assert series(bridge, job) == {"a{instance=one}": 2, "b{instance=one}": 1, "a{own=o}": 2, "b": 1}


def test_path_says_what_tells_groups_apart(bridge: Bridge, job: str) -> None:
    body = f'a{{job="{job}",instance="i",shard="1"}} 1\na{{job="{job}",instance="i",shard="2"}} 2\n'.encode()
    push_groups(bridge, "PUT", body, by="/by/shard")
    deleted(bridge, f"{job}/shard/1")
    assert series(bridge, job) == {"a{instance=i,shard=2}": 2}

    push_groups(bridge, "PUT", body, by="/by/instance/shard")
    deleted(bridge, f"{job}/instance/i/shard/2")
    push_groups(bridge, "PUT", f'b{{job="{job}",instance="i"}} 3\n'.encode(), by="/by/job")

    assert series(bridge, job) == {
        "a{instance=i,shard=1}": 1,
        "a{instance=i,shard=2}": 2,
        "b{instance=i}": 3,
    }


@pytest.mark.parametrize("coding", ["gzip", "snappy", "protobuf"])
def test_groups_come_in_every_form(bridge: Bridge, job: str, coding: str) -> None:
    job += coding
    body = f'foo{{job="{job}",instance="i"}} 1.5\nfoo{{job="{job}"}} 2.5\n'.encode()
    header = f"Content-Encoding: {coding}"
    if coding == "gzip":
        body = gzip.compress(body)
    elif coding == "snappy":
        body = bytes(cramjam.snappy.compress(body))
    else:
        label = b"\x0a\x03job\x12" + bytes([len(job)]) + job.encode()
        metric = b"\x0a" + bytes([len(label)]) + label + b"\x2a\x09\x09" + struct.pack("<d", 1.5)
        family = b"\x0a\x03foo\x18\x03\x22" + bytes([len(metric)]) + metric
        body = bytes([len(family)]) + family
        header = "Content-Type: application/vnd.google.protobuf"
    answer = bridge.send("POST", GROUPS, body, header)

    assert (answer.status, answer.body) == (200, b"")
    assert series(bridge, job) == (
        {"foo": 1.5} if coding == "protobuf" else {"foo{instance=i}": 1.5, "foo": 2.5}
    )


def test_nothing_is_stored_if_one_group_is_refused_and_all_have_failed(bridge: Bridge, job: str) -> None:
    name = f"{job}_total"
    push(bridge, "PUT", f"{job}_holder", f"# TYPE {name} counter\n{name} 1\n".encode())
    push(bridge, "PUT", f"{job}/instance/one", b"a 1\n")
    pushed = times_of(bridge, job, "{instance=one}")[0]

    body = groups_body(job, 2) + f'{name}{{job="{job}_third"}} 1\n'.encode()
    assert "is held as a counter" in push_groups(bridge, "PUT", body, status=400)

    assert series(bridge, job) == {"a{instance=one}": 1}
    assert series(bridge, f"{job}_other") == series(bridge, f"{job}_third") == {}
    after, failed = times_of(bridge, job, "{instance=one}")
    assert after == pushed <= failed
    for new in (job, f"{job}_other", f"{job}_third"):
        after, failed = times_of(bridge, new, "")
        assert after == 0 < failed


def times_of(bridge: Bridge, job: str, labels: str) -> tuple[float, float]:
    found = dict(lines(bridge.scrape(), job))
    return found[f"push_time_seconds{labels}"], found[f"push_failure_time_seconds{labels}"]


def test_groups_beside_one_of_a_scraped_job_are_not_told_of_a_failure(bridge: Bridge, job: str) -> None:
    push_groups(bridge, "PUT", groups_body(job))
    body = groups_body(job, 2) + b'a{job="node"} 1\n'
    assert "job 'node' is scraped" in push_groups(bridge, "PUT", body, status=400)

    assert series(bridge, job) == {"a{instance=one}": 1, "a{own=o}": 1}
    assert times_of(bridge, job, "")[1] == 0


def test_times_in_a_push_of_groups_are_a_failure_of_each(bridge: Bridge, job: str) -> None:
    push_groups(bridge, "PUT", groups_body(job))
    push_groups(bridge, "POST", groups_body(job, 2) + f'b{{job="{job}"}} 1 5\n'.encode(), status=400)

    assert series(bridge, job) == {"a{instance=one}": 1, "a{own=o}": 1}
    for labels in ("", "{instance=one}"):
        assert times_of(bridge, job, labels)[1] > 0


@pytest.mark.parametrize(
    ("by", "more", "why"),
    [
        ("", b"a 1\n", "without the label job"),
        ("", b"a", "unexpected end of input stream"),
        ("/by/a-b", b"", "improper label name"),
        ("/job/a", b"", "expected a path /api/v1/groups"),
        ("s", b"", "expected a path /api/v1/groups"),
    ],
)
def test_groups_that_cannot_be_read_are_refused_whole(
    bridge: Bridge, job: str, by: str, more: bytes, why: str
) -> None:
    job = f"{job}{len(by)}{len(more)}"
    assert why in push_groups(bridge, "PUT", groups_body(job) + more, by=by, status=400)

    assert lines(bridge.scrape(), job) == []


def test_push_of_no_group_is_accepted(ordinary: InProcess) -> None:
    assert push_groups(ordinary, "PUT", b"") == ""
    assert push_groups(ordinary, "POST", b"# TYPE a gauge\n") == ""


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_groups_take_no_other_method(ordinary: InProcess, method: str) -> None:
    assert push_groups(ordinary, method, b"", status=405) == "Method Not Allowed\n"


def test_limits_hold_for_all_groups_of_a_push_together(ordinary: InProcess, job: str) -> None:
    bridge = ordinary.web.bridge
    bridge.gate.sizes.limits = PushLimits(max_items=2)
    assert "more than 2 samples" in push_groups(ordinary, "PUT", groups_body(job), status=400)
    bridge.gate.sizes.limits = DEFAULT_LIMITS

    bridge.store.new_series.limits = SeriesLimits(max_series=5)
    assert "limits.max_series is 5" in push_groups(ordinary, "PUT", groups_body(job), status=429)

    bridge.store.new_series.limits = SeriesLimits(max_series=LEAST_SOURCES * 10)
    sources = [f'a{{job="{job}{number}"}} 1\n'.encode() for number in range(LEAST_SOURCES + 1)]
    assert "sources are held" in push_groups(ordinary, "PUT", b"".join(sources), status=429)
    assert f'job="{job}' not in ordinary.scrape()
    push_groups(ordinary, "PUT", b"".join(sources[1:]))
    assert ordinary.scrape().count("\na{job=") == LEAST_SOURCES


def test_groups_are_counted_and_forgotten(ordinary: InProcess, job: str) -> None:
    push_groups(ordinary, "PUT", groups_body(job), "X-Time-To-Live-Seconds: 0.2")
    push(ordinary, "PUT", job, b"b 1\n")

    value = ordinary.web.value
    assert value("telemetry_pushes_total", dialect="pushgateway") == 2
    assert value("telemetry_events_total", dialect="pushgateway", result="accepted") == 4
    assert value("telemetry_reports_total", job=job, instance="one") == 1
    deadline = time.monotonic() + 30
    while "a{instance=one}" in series(ordinary, job):
        assert time.monotonic() < deadline
        ordinary.web.bridge.ingest.expire()
    assert series(ordinary, job) == {"b": 1}


@pytest.mark.stack
def test_groups_of_one_push_are_there_after_a_kill(tmp_path: Path, job: str) -> None:
    with BridgeProcess(tmp_path) as process:
        bridge = OverHttp(process)
        push_groups(bridge, "PUT", groups_body(job))
        push_groups(bridge, "PUT", groups_body(job, 2, "b"))
        before = [lines(bridge.scrape(), name) for name in (job, f"{job}_other")]
        process.kill()
        process.start()

        assert [lines(bridge.scrape(), name) for name in (job, f"{job}_other")] == before
    assert series_of(before[0]) == {"b{instance=one}": 2, "b{own=o}": 2}


def test_token_pushes_replaces_and_deletes_its_own_groups_alone(guarded: InProcess, job: str) -> None:
    """In the form for one group and in that for several; a push that has one group of another stores nothing."""
    tokens = guarded.web.bridge.tokens
    bindings = {"any": ("", ""), "job": (job, ""), "both": (job, "one"), "instance": ("", "one")}
    of = {
        name: f"Authorization: Bearer {tokens.create('test', [Right.PUSH], job=own, instance=instance)[1]}"
        for name, (own, instance) in bindings.items()
    }
    groups = {
        "mine": f'job="{job}",instance="one"',
        "of my job": f'job="{job}",instance="two"',
        "of nobody": f'job="{job}"',
        "other": f'job="{job}_other",instance="one"',
    }
    may = {
        "any": set(groups),
        "job": {"mine", "of my job", "of nobody"},
        "both": {"mine"},
        "instance": {"mine", "other"},
    }
    for token, header in of.items():
        for method in ("PUT", "POST"):
            for name, labels in groups.items():
                before = [lines(guarded.scrape(), one) for one in (job, f"{job}_other")]
                both = (
                    f"a{{{groups['mine']}}} 1\na{{{labels}}} 1\n" if name != "mine" else f"a{{{labels}}} 1\n"
                )
                if name in may[token]:
                    push_groups(guarded, method, both.encode(), header)
                    continue
                for body in (both, both + f"a{{{labels}}} 1 5\n"):
                    status = 403 if body == both else 400
                    push_groups(guarded, method, body.encode(), header, status=status)
                after = [lines(guarded.scrape(), one) for one in (job, f"{job}_other")]
                assert after == before, "nothing is stored, and no failure of another's group"
    for token, header in of.items():
        for name, labels in groups.items():
            push_groups(guarded, "PUT", f"a{{{labels}}} 1\n".encode(), of["any"])
            path = labels.replace('job="', "").replace('",instance="', "/instance/").rstrip('"')
            status = guarded.send("DELETE", f"/metrics/job/{path}", b"", header).status
            assert status == (202 if name in may[token] else 403)
            assert (f"\na{{{labels}" in guarded.scrape()) is (name not in may[token])


def test_token_is_needed_for_groups_as_for_one(guarded: InProcess, job: str) -> None:
    tokens = guarded.web.bridge.tokens
    push_groups(guarded, "PUT", groups_body(job), status=401)
    secret = tokens.create("test", [Right.READ, Right.DELETE])[1]
    push_groups(guarded, "PUT", groups_body(job), f"Authorization: Bearer {secret}", status=403)

    assert job not in guarded.scrape()


# Reads


def test_api_shows_groups_as_pushgateway_does(ordinary: InProcess, job: str) -> None:
    push(ordinary, "PUT", f"{job}/zone/z", b'# HELP a What.\n# TYPE a gauge\na{x="1"} 1.5\nb NaN\n')
    push(ordinary, "POST", f"{job}/zone/z", HISTOGRAM + SUMMARY)

    answer = json.loads(ordinary.send("GET", "/api/v1/metrics").body)

    assert answer["status"] == "success"
    (group,) = answer["data"]
    labels = {"job": job, "zone": "z"}
    moments = {group[name]["time_stamp"] for name in group if name not in ("labels", "last_push_successful")}
    assert len(moments) == 1
    assert group["labels"] == labels
    labels["instance"] = ""
    assert group["last_push_successful"] is True
    own = {
        name: {key: text for key, text in group[name].items() if key != "time_stamp"} for name in ("a", "b")
    }
    assert own == {
        "a": {
            "type": "GAUGE",
            "help": "What.",
            "metrics": [{"labels": {**labels, "x": "1"}, "value": "1.5"}],
        },
        "b": {"type": "UNTYPED", "metrics": [{"labels": labels, "value": "NaN"}]},
    }
    assert group["took_seconds"]["metrics"] == [
        {"labels": labels, "buckets": {"0.3": "1", "7": "2", "+Inf": "3"}, "count": "3", "sum": "12.5"}
    ]
    assert group["size_bytes"]["metrics"] == [
        {"labels": labels, "quantiles": {"0.3": "10", "0.7": "20"}, "count": "17", "sum": "300"}
    ]
    assert float(group["push_failure_time_seconds"]["metrics"][0]["value"]) == 0


def test_api_shows_that_the_last_push_failed(ordinary: InProcess, job: str) -> None:
    refused(ordinary, job, b"a 1 5\n")

    (group,) = json.loads(ordinary.send("GET", "/api/v1/metrics").body)["data"]
    assert group["last_push_successful"] is False
    assert "a" not in group


def test_api_shows_groups_of_this_dialect_alone(ordinary: InProcess) -> None:
    assert ordinary.web.push(b'{"name":"host","cpuL":10}').status_code == 200

    assert json.loads(ordinary.send("GET", "/api/v1/metrics").body) == {"status": "success", "data": []}


def test_api_tells_version_and_start(ordinary: InProcess) -> None:
    answer = json.loads(ordinary.send("GET", "/api/v1/status").body)

    data = answer["data"]
    assert answer["status"] == "success"
    assert data["build_information"] == {"version": ordinary.web.bridge.version}
    assert set(data) == {"build_information", "flags", "start_time"}
    assert data["start_time"].endswith("Z")


# Clients


@pytest.fixture
def registry() -> CollectorRegistry:
    """One metric of each kind."""
    registry = CollectorRegistry()
    Gauge("depth", "How deep.", registry=registry).set(2.5)
    Counter("runs", "Runs.", ["kind"], registry=registry).labels("web").inc(3)
    Histogram("took_seconds", "How long.", buckets=(0.5, 1, 5), registry=registry).observe(0.7)
    Summary("size_bytes", "How large.", registry=registry).observe(10)
    return registry


@pytest.mark.stack
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_functions_of_prometheus_client_push_and_delete(
    process: BridgeProcess, registry: CollectorRegistry, job: str, compression: Any
) -> None:
    job = f"{job} {compression}"
    bridge, address = OverHttp(process), f"127.0.0.1:{process.port}"
    key = {"zone": "a/b", **instance_ip_grouping_key()}
    push_to_gateway(address, job, registry, key, compression=compression)
    own = f"instance={key['instance']},zone=a/b"
    found = series(bridge, job)
    assert found[f"depth{{{own}}}"] == 2.5
    assert found[f"runs_total{{instance={key['instance']},kind=web,zone=a/b}}"] == 3
    assert found[f"took_seconds_bucket{{instance={key['instance']},le=1,zone=a/b}}"] == 1
    assert found[f"size_bytes_sum{{{own}}}"] == 10
    assert all("zone=a/b" in name for name in found)

    only = CollectorRegistry()
    Gauge("depth", "How deep.", registry=only).set(4)
    pushadd_to_gateway(address, job, only, key)
    assert series(bridge, job) == {**found, f"depth{{{own}}}": 4}
    push_to_gateway(address, job, only, key)
    assert series(bridge, job) == {f"depth{{{own}}}": 4}
    delete_from_gateway(address, job, key)
    assert lines(bridge.scrape(), job) == []


@pytest.fixture
def curl(process: BridgeProcess) -> Callable[..., str]:
    """Runs curl against the bridge; gives what it prints, the status at its end."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("there is no curl here")

    def run(path: str, *arguments: str, given: bytes = b"") -> str:
        command = [program, "-sS", "-w", "%{http_code}", *arguments]
        command.append(f"http://127.0.0.1:{process.port}/metrics/job/{path}")
        done = subprocess.run(command, input=given, capture_output=True, check=True, timeout=60)
        return done.stdout.decode()

    return run


@pytest.mark.stack
def test_plain_curl_pushes_and_deletes(process: BridgeProcess, curl: Callable[..., str], job: str) -> None:
    bridge = OverHttp(process)
    body = b'# TYPE curled gauge\ncurled{x="1"} 1\nb 2\n'

    assert curl(f"{job}/instance/i", "--data-binary", "@-", given=body) == "200"
    assert series(bridge, job) == {"curled{instance=i,x=1}": 1, "b{instance=i}": 2}
    assert curl(f"{job}/instance/i", "-T", "-", given=b"b +Inf\n") == "200", "PUT, in chunks"
    assert series(bridge, job) == {"b{instance=i}": math.inf}
    assert curl(f"{job}/instance/i", "-d", "@-", given=body) == (
        "text format parsing error in line 1: unexpected end of input stream\n400"
    ), "without --data-binary it takes out the line feeds"
    assert curl(f"{job}/instance/i", "-X", "DELETE") == "202"
    assert lines(bridge.scrape(), job) == []
