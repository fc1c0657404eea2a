from __future__ import annotations

import gzip

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pushgateway_bridge.exposition.negotiation import OPENMETRICS, TEXT
from tests.bridge.exposition.test_negotiation import CHROMIUM, PROMETHEUS_2_42, PROMETHEUS_3_5
from tests.bridge.web.harness import Web

HOSTILE_NAMES = ['a"b', "a\\b", "a\nb", 'x"} 1\nup{job="node', "Küche 🖥", "\u2028\x85\x0b\x1c"]


def series_of(text: str, *, openmetrics: bool) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    metrics = parse_openmetrics(text) if openmetrics else parse_text(text)  # type: ignore[no-untyped-call]
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
        for metric in metrics
        for sample in metric.samples
    }


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS_2_42, OPENMETRICS),
        (PROMETHEUS_3_5, OPENMETRICS),
        (CHROMIUM, TEXT),
        ("*/*", TEXT),
    ],
    ids=["Prometheus 2.42", "Prometheus 3.5", "browser", "curl"],
)
def test_format_is_what_the_client_prefers(web: Web, accept: str, content_type: str) -> None:
    response = web.get("/metrics", accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == content_type
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.text.endswith("# EOF\n") is (content_type == OPENMETRICS)


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_whole_exposition_reads_back_whatever_was_pushed(web: Web, openmetrics: bool) -> None:
    for name in HOSTILE_NAMES:
        assert web.request("POST", "/api/telemetry", json={"name": name, "cpuC": 8}).status_code == 200

    text = web.get("/metrics", accept="application/openmetrics-text" if openmetrics else "text/plain").text

    series = series_of(text, openmetrics=openmetrics)
    cores = {
        dict(labels)["instance"]: value
        for (name, labels), value in series.items()
        if name == "host_cpu_cores"
    }
    assert cores == dict.fromkeys(HOSTILE_NAMES, 8.0)
    assert not any(name == "up" for name, _ in series)


def test_both_formats_hold_the_same_series(web: Web) -> None:
    web.request("POST", "/api/telemetry", json={"name": "lab-7", "cpuC": 8, "cpuL": 17})

    names = {
        openmetrics: series_of(
            web.get("/metrics", accept="application/openmetrics-text" if openmetrics else "").text,
            openmetrics=openmetrics,
        ).keys()
        for openmetrics in (False, True)
    }

    # Since when a counter counts has its own line in OpenMetrics only.
    created = {name for name in names[True] if name[0].endswith("_created")}
    assert created == {("telemetry_reports_created", (("instance", "lab-7"), ("job", "pixeltracker")))}
    assert names[False] == names[True] - created


def test_families_are_sorted_and_each_has_one_header(web: Web) -> None:
    web.request("POST", "/api/telemetry", json={"name": "lab-7", "cpuC": 8, "cpuL": 17})
    web.request("POST", "/api/telemetry", json={"name": "lab-8", "cpuC": 8, "cpuL": 17})

    lines = web.get("/metrics").text.splitlines()

    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert types == sorted(set(types))
    assert {"node_load1", "host_cpu_cores", "telemetry_pushes_total", "process_open_fds"} <= set(types)


def test_gzip_is_used_where_it_is_accepted(web: Web) -> None:
    reply = web.get("/metrics", accept_encoding="gzip")

    assert reply.headers["content-encoding"] == "gzip"
    assert int(reply.headers["content-length"]) < len(reply.content)
    assert reply.text.startswith("# HELP ")  # the client has inflated it
    assert "content-encoding" not in web.get("/metrics", accept_encoding="gzip;q=0").headers


def test_gzip_is_one_stream_with_its_checksum(web: Web) -> None:
    reply = web.raw("GET", "/metrics", headers=[(b"accept-encoding", b"gzip")])

    assert gzip.decompress(reply.body).startswith(b"# HELP ")


def test_undelivered_is_everything_while_prometheus_scrapes(web: Web) -> None:
    web.request("POST", "/api/telemetry", json={"name": "lab-7", "cpuC": 8})

    whole, undelivered = web.get("/metrics"), web.get("/metrics?class[]=undelivered")

    assert undelivered.status_code == 200
    assert 'host_cpu_cores{job="pixeltracker",instance="lab-7",kind="logical"} 8.0\n' in undelivered.text
    assert (
        series_of(whole.text, openmetrics=False).keys()
        == series_of(undelivered.text, openmetrics=False).keys()
    )


def test_unknown_class_is_told(web: Web) -> None:
    response = web.get("/metrics?class[]=undelivered&class[]=point&class[]=all")

    assert (response.status_code, response.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert response.text == "unknown class[] all, point: the only one is undelivered\n"


def test_head_has_the_headers_and_no_body(web: Web) -> None:
    response = web.request("HEAD", "/metrics")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == TEXT


def test_scrape_before_the_replay_is_refused(starting_web: Web) -> None:
    """Half a state would look to Prometheus like a counter that started anew."""
    response = starting_web.get("/metrics")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.text == "The bridge is starting or stopping.\n"
