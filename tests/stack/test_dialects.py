"""What each dialect sends to the running bridge, read back from the Prometheus beside it by PromQL."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import requests

from pushgateway_bridge.dialects import DIALECTS
from stack import tools
from tests.bridge.process import BridgeProcess
from tests.stack.programs import find
from tests.stack.stores import Prometheus

REPORTS = 5
MINUTE_SECONDS = 60
WAIT_SECONDS = 45
"""After a minute the newest reports are no longer news, and rates fall."""
MEBIBYTE = 2**20
Values = Mapping[str, float]
"""By PromQL, in which ``HOST`` stands for the job and instance of a case."""


class Push(NamedTuple):
    """One request; what is no bytes is sent as JSON."""

    path: str
    body: object
    headers: Mapping[str, str] = MappingProxyType({})
    method: str = "POST"


class Case(NamedTuple):
    """What clients of one dialect send, and what PromQL then answers."""

    dialect: str
    job: str
    instance: str
    report: Callable[[int, str], Sequence[Push]]
    """What is sent for one time, in Unix seconds; with the text of a token, if they need one."""
    shows: Values
    vocabulary: Values = MappingProxyType({})
    """Recording rules for which one report is enough."""
    over_time: Values = MappingProxyType({})
    """What needs the reports' own times, as remote write alone keeps them."""
    needs_token: bool = False
    """A push token that is bound to *job* and *instance*."""

    def reports(self, now: int, token: str) -> Iterator[Push]:
        """One a minute, up to *now*; counters rise evenly: see `rising`."""
        for age in reversed(range(REPORTS)):
            yield from self.report(now - age * MINUTE_SECONDS, token)

    def host(self, values: Values) -> dict[str, float]:
        """*values* of this case's host."""
        host = f'job="{self.job}",instance="{self.instance}"'
        return {query.replace("HOST", host): value for query, value in values.items()}


def rising(a_second: int, seconds: int) -> int:
    """A counter that has risen evenly since 1970: its rate is the same wherever it is looked at."""
    return a_second * seconds


def pixeltracker(seconds: int, token: str) -> Sequence[Push]:
    document = {
        "source": {"hostname": "lab-7", "platform": "linux", "arch": "x64"},
        "cpu": {"cores": 4, "load1m": 0.5},
        "memory": {"totalMB": 8000, "usedMB": 3000},
        "disk": {"freeMB": 50400},
        "timestamp": datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds"),
    }
    return (Push("/api/telemetry", document),)


def statusmonitor(seconds: int, token: str) -> Sequence[Push]:
    document = {
        "timestamp": float(seconds),
        "cpu": {
            "usage_percent": 37.5,
            "per_core_usage": [41.0, 34.0],
            "freq": {"current": 2400.0, "min": 800.0, "max": 3600.0},
            "count": 2,
            "count_logical": 4,
            "load_avg": [0.6, 0.5, 0.4],
        },
        "memory": {"total": 8_000_000_000, "available": 5_000_000_000, "used_percent": 37.5},
        "disk": {
            "partitions": [
                {"device": "/dev/sda2", "mountpoint": "/", "fstype": "ext4"}
                | {"total": 100_000_000_000, "used": 60_000_000_000, "free": 30_000_000_000}
            ],
            "io": {"read_bytes": rising(3000, seconds), "write_bytes": rising(4000, seconds)}
            | {"read_count": 10, "write_count": 20, "read_time": 3, "write_time": 4},
        },
        "network": {"bytes_recv": rising(1000, seconds), "bytes_sent": rising(2000, seconds)}
        | {"packets_recv": 20, "packets_sent": 10, "errin": 1, "errout": 2, "dropin": 3, "dropout": 4},
    }
    return (Push("/ingest", document, {"X-Agent-Token": token}),)


def statix(seconds: int, token: str) -> Sequence[Push]:
    document = {
        "hostname": "attic-pi",
        "timestamp": seconds,
        "cpu": 12.5,
        "ram": 48.1,
        "disk": 61.7,
        "disk_read": 0.25,
        "disk_write": 1.5,
        "details": {
            "cpu": {"logical_cores": 4, "physical_cores": 2, "frequency_mhz": 1500.0},
            "memory": {"total": 4_000_000_000, "available": 2_000_000_000, "free": 300_000_000},
            "swap": {"total": 1000, "used": 400, "free": 600},
            "disk": {"total": 30_000_000_000, "used": 18_000_000_000, "free": 9_000_000_000, "mount": "/"},
            "disk_io": {"read_bytes": rising(3000, seconds), "write_bytes": rising(4000, seconds)},
            "network": {
                "io_counters": {"bytes_recv": rising(1000, seconds), "bytes_sent": rising(2000, seconds)},
                "primary_interface": {"name": "eth0", "mtu": 1500, "speed_mbps": 1000, "duplex": "full"},
            },
            "uptime": {"boot_time": "2026-01-31T06:55:00+01:00"},
            "system": {"hostname": "attic-pi", "os": "Linux", "architecture": "aarch64"},
        },
    }
    return (Push("/metrics", document),)


def statix_without_details(seconds: int, token: str) -> Sequence[Push]:
    document = {"hostname": "plain-pi", "timestamp": seconds, "cpu": 25, "ram": 50, "disk": 75}
    return (Push("/metrics", {**document, "disk_read": 0.25, "disk_write": 1.5}),)


def pushgateway(seconds: int, token: str) -> Sequence[Push]:
    group = "/metrics/job/backup/instance/db-1"
    took = b"""# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 2.75
took_seconds_count 4
"""
    memory = b"""# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 1000
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 250
"""
    return (
        Push(group, b"replaced 1\n", method="PUT"),
        Push(group, b'# TYPE runs_total counter\nruns_total{kind="full"} 7\n' + took, method="PUT"),
        Push(group, b"# TYPE left gauge\nleft -1.5\n" + memory),
    )


def samples(seconds: int, token: str) -> Sequence[Push]:
    host: dict[str, Any] = {"labels": {"job": "shop", "instance": "web-1"}, "timestamp": seconds}
    return (
        Push(
            "/api/v1/samples",
            [
                {"name": "room_celsius", "value": 21.5, **host},
                {"name": "orders_total", "type": "counter", "value": rising(5, seconds), **host},
                {"name": "last_backup_ok", "value": 1, "time_to_live_seconds": "keep", **host},
                {"name": "host_cpu_utilization_ratio", "value": 0.25, **host},
                {"name": "node_load1", "value": 3, **host},
                {"name": "host_cpu_cores", "value": 8, **host}
                | {"labels": {"job": "shop", "instance": "web-1", "kind": "logical"}},
            ],
        ),
    )


def minigem(seconds: int, token: str) -> Sequence[Push]:
    said = {"anon": "00112233445566778899aabbccddeeff", "t": seconds * 1000, "sessionId": f"s-{seconds}"}
    said |= {"os": "linux-x64", "ext": "2.3.1", "vscode": "1.96.0"}
    completed = {"durationMs": 4180, "waitMsTotal": 900, "exit": 0, "cumulativeBytesBucket": "1-10k"}
    batch = [
        {**said, "evt": "java.run.started"},
        {**said, "evt": "java.run.completed", "m": completed},
        {**said, "evt": "java.run.error", "m": {"phase": "compile", "exceptionHash": "c0ffee"}},
        None,
    ]
    return (Push("/t", {"schema": "jwc.v1", "batch": batch}),)


def proxmoxve(seconds: int, token: str) -> Sequence[Push]:
    ids = {"random_id": f"r-{seconds}", "execution_id": f"e-{seconds}", "type": "lxc", "nsapp": "gitea"}
    started = {**ids, "status": "installing", "ct_type": 1, "disk_size": 8, "ram_size": 2048}
    failed = {
        **ids,
        "status": "failed",
        "exit_code": 1,
        "error": "no space left on device",
        "install_duration": 95,
    }
    return tuple(
        Push("/telemetry", {**sent, "os_type": "debian", "os_version": "13"})
        for sent in (started, failed, failed)
    )


def mapped(seconds: int, token: str) -> Sequence[Push]:
    document = {"device": "shed", "ts": seconds, "temp": 68, "door": "open", "waterings": 2}
    return (Push("/api/v1/push/garden", {**document, "lux": {"a": 100, "b": 50}}),)


OVER_TIME = {
    "instance:network_receive:rate5m{HOST}": 1000,
    "instance:network_transmit:rate5m{HOST}": 2000,
    "instance:disk_read:rate5m{HOST}": 3000,
    "instance:disk_written:rate5m{HOST}": 4000,
}
CASES = (
    Case(
        "pixeltracker",
        "pixeltracker",
        "lab-7",
        pixeltracker,
        shows={
            "node_load1{HOST}": 0.5,
            'host_cpu_cores{HOST,kind="logical"}': 4,
            "node_memory_MemTotal_bytes{HOST}": 8000 * MEBIBYTE,
            "node_memory_MemAvailable_bytes{HOST}": 5000 * MEBIBYTE,
            "pixeltracker_disk_reported_bytes{HOST}": 50400 * MEBIBYTE,
            'node_uname_info{HOST,nodename="lab-7",sysname="Linux",machine="x86_64"}': 1,
            "telemetry_reports_total{HOST}": REPORTS,
        },
        vocabulary={
            "instance:load_per_core:ratio{HOST}": 0.125,
            "instance:memory_utilisation:ratio{HOST}": 0.375,
        },
        over_time={"count_over_time(node_load1{HOST}[1h])": REPORTS},
    ),
    Case(
        "statusmonitor",
        "statusmonitor",
        "nas",
        statusmonitor,
        shows={
            "host_cpu_utilization_ratio{HOST}": 0.375,
            'host_cpu_core_utilization_ratio{HOST,cpu="0"}': 0.41,
            'host_cpu_core_utilization_ratio{HOST,cpu="1"}': 0.34,
            'node_cpu_scaling_frequency_hertz{HOST,cpu="all"}': 2.4e9,
            'node_cpu_scaling_frequency_min_hertz{HOST,cpu="all"}': 8e8,
            'node_cpu_scaling_frequency_max_hertz{HOST,cpu="all"}': 3.6e9,
            "node_load1{HOST}": 0.6,
            "node_load5{HOST}": 0.5,
            "node_load15{HOST}": 0.4,
            'host_cpu_cores{HOST,kind="physical"}': 2,
            'host_cpu_cores{HOST,kind="logical"}': 4,
            "node_memory_MemTotal_bytes{HOST}": 8e9,
            "node_memory_MemAvailable_bytes{HOST}": 5e9,
            'node_filesystem_size_bytes{HOST,device="/dev/sda2",mountpoint="/",fstype="ext4"}': 1e11,
            "node_filesystem_avail_bytes{HOST}": 3e10,
            "node_filesystem_free_bytes{HOST}": 4e10,
            'node_disk_reads_completed_total{HOST,device="all"}': 10,
            'node_disk_writes_completed_total{HOST,device="all"}': 20,
            'node_disk_read_time_seconds_total{HOST,device="all"}': 0.003,
            'node_disk_write_time_seconds_total{HOST,device="all"}': 0.004,
            'node_network_receive_packets_total{HOST,device="all"}': 20,
            'node_network_transmit_packets_total{HOST,device="all"}': 10,
            'node_network_receive_errs_total{HOST,device="all"}': 1,
            'node_network_transmit_errs_total{HOST,device="all"}': 2,
            'node_network_receive_drop_total{HOST,device="all"}': 3,
            'node_network_transmit_drop_total{HOST,device="all"}': 4,
            'statusmonitor_agent_info{HOST,agent_name="test"}': 1,
            "telemetry_reports_total{HOST}": REPORTS,
        },
        vocabulary={
            "instance:cpu_utilisation:ratio{HOST}": 0.375,
            "instance:load_per_core:ratio{HOST}": 0.15,
            "instance:memory_utilisation:ratio{HOST}": 0.375,
            'instance:filesystem_utilisation:ratio{HOST,mountpoint="/"}': 60 / 90,
        },
        over_time={"count_over_time(node_load1{HOST}[1h])": REPORTS, **OVER_TIME},
        needs_token=True,
    ),
    Case(
        "statix",
        "statix",
        "attic-pi",
        statix,
        shows={
            "host_cpu_utilization_ratio{HOST}": 0.125,
            "host_memory_used_ratio{HOST}": 0.481,
            'host_filesystem_used_ratio{HOST,mountpoint="/"}': 0.617,
            'host_cpu_cores{HOST,kind="logical"}': 4,
            'host_cpu_cores{HOST,kind="physical"}': 2,
            'node_cpu_scaling_frequency_hertz{HOST,cpu="all"}': 1.5e9,
            "node_memory_MemTotal_bytes{HOST}": 4e9,
            "node_memory_MemAvailable_bytes{HOST}": 2e9,
            "node_memory_MemFree_bytes{HOST}": 3e8,
            "node_memory_SwapTotal_bytes{HOST}": 1000,
            "node_memory_SwapFree_bytes{HOST}": 600,
            'node_filesystem_size_bytes{HOST,mountpoint="/"}': 3e10,
            'node_filesystem_avail_bytes{HOST,mountpoint="/"}': 9e9,
            'node_filesystem_free_bytes{HOST,mountpoint="/"}': 1.2e10,
            'node_network_info{HOST,device="eth0",duplex="full"}': 1,
            'node_network_mtu_bytes{HOST,device="eth0"}': 1500,
            'node_network_speed_bytes{HOST,device="eth0"}': 1.25e8,
            "node_boot_time_seconds{HOST}": datetime(2026, 1, 31, 5, 55, tzinfo=UTC).timestamp(),
            'node_uname_info{HOST,nodename="attic-pi",sysname="Linux",machine="aarch64"}': 1,
            "telemetry_reports_total{HOST}": REPORTS,
        },
        vocabulary={
            "instance:cpu_utilisation:ratio{HOST}": 0.125,
            "instance:memory_utilisation:ratio{HOST}": 0.5,
            'instance:filesystem_utilisation:ratio{HOST,mountpoint="/"}': 18 / 27,
        },
        over_time={"count_over_time(host_memory_used_ratio{HOST}[1h])": REPORTS, **OVER_TIME},
    ),
    Case(
        "statix",
        "statix",
        "plain-pi",
        statix_without_details,
        shows={
            "host_cpu_utilization_ratio{HOST}": 0.25,
            "host_memory_used_ratio{HOST}": 0.5,
            'host_filesystem_used_ratio{HOST,mountpoint="/"}': 0.75,
            "host_disk_read_bytes_per_second{HOST}": 0.25 * MEBIBYTE,
            "host_disk_written_bytes_per_second{HOST}": 1.5 * MEBIBYTE,
        },
        vocabulary={
            "instance:cpu_utilisation:ratio{HOST}": 0.25,
            "instance:memory_utilisation:ratio{HOST}": 0.5,
            'instance:filesystem_utilisation:ratio{HOST,mountpoint="/"}': 0.75,
            "instance:disk_read:rate5m{HOST}": 0.25 * MEBIBYTE,
            "instance:disk_written:rate5m{HOST}": 1.5 * MEBIBYTE,
        },
        over_time={"count_over_time(host_cpu_utilization_ratio{HOST}[1h])": REPORTS},
    ),
    Case(
        "minigem",
        "minigem",
        "",
        minigem,
        shows={
            'minigem_events_total{HOST,event="java.run.started"}': REPORTS,
            "minigem_java_runs_started_total{HOST}": REPORTS,
            'minigem_java_runs_completed_total{HOST,exit_code="0"}': REPORTS,
            'minigem_java_run_errors_total{HOST,phase="compile"}': REPORTS,
            'minigem_java_run_duration_seconds_bucket{HOST,le=~"10|10.0"}': REPORTS,
            'minigem_java_run_duration_seconds_bucket{HOST,le=~"3|3.0"}': 0,
            "minigem_java_run_duration_seconds_sum{HOST}": 4.18 * REPORTS,
            'minigem_events_by_os_total{HOST,os="linux"}': 3 * REPORTS,
            'minigem_events_by_country_total{HOST,country="unknown"}': 3 * REPORTS,
            'minigem_unique_users{HOST,window="30d"}': 1,
            'minigem_distinct_exceptions{HOST,window="7d"}': 1,
            "sum(minigem_events_skipped_total{HOST})": REPORTS,
            "telemetry_reports_total{HOST}": REPORTS,
            'telemetry_events_total{dialect="minigem",result="accepted"}': 3 * REPORTS,
        },
    ),
    Case(
        "proxmoxve",
        "proxmoxve",
        "",
        proxmoxve,
        shows={
            'proxmoxve_executions_started_total{HOST,type="lxc"}': REPORTS,
            'proxmoxve_executions_total{HOST,type="lxc",status="failed"}': REPORTS,
            'proxmoxve_app_executions_total{HOST,app="gitea",status="failed"}': REPORTS,
            'proxmoxve_failures_total{HOST,exit_code="1",error_category="storage"}': REPORTS,
            'proxmoxve_failure_patterns_total{HOST,pattern="disk full"}': REPORTS,
            'proxmoxve_executions_by_os_total{HOST,os_type="debian",os_version="13"}': REPORTS,
            "proxmoxve_install_duration_seconds_sum{HOST}": 95 * REPORTS,
            "sum(proxmoxve_executions_in_progress{HOST})": 0,
            'telemetry_events_total{dialect="proxmoxve",result="deduplicated"}': REPORTS,
        },
    ),
    Case(
        "pushgateway",
        "backup",
        "db-1",
        pushgateway,
        shows={
            'runs_total{HOST,kind="full"}': 7,
            'took_seconds_bucket{HOST,le=~"1|1.0"}': 3,
            'took_seconds_bucket{HOST,le="+Inf"}': 4,
            "took_seconds_sum{HOST}": 2.75,
            "took_seconds_count{HOST}": 4,
            "left{HOST}": -1.5,
            "push_time_seconds{HOST} > bool 0": 1,
            "push_failure_time_seconds{HOST}": 0,
            "count(replaced) or vector(0)": 0,
        },
        vocabulary={"instance:memory_utilisation:ratio{HOST}": 0.75},
    ),
    Case(
        "mapped",
        "garden",
        "shed",
        mapped,
        shows={
            "garden_temperature_celsius{HOST}": 20,
            "garden_door_open{HOST}": 1,
            "garden_waterings_total{HOST}": 2 * REPORTS,
            'garden_lux{HOST,lamp="a"}': 100,
            'garden_lux{HOST,lamp="b"}': 50,
            "telemetry_reports_total{HOST}": REPORTS,
        },
        over_time={"count_over_time(garden_door_open{HOST}[1h])": REPORTS},
    ),
    Case(
        "samples",
        "shop",
        "web-1",
        samples,
        shows={
            "room_celsius{HOST}": 21.5,
            "last_backup_ok{HOST}": 1,
            "orders_total{HOST} > bool 0": 1,
        },
        vocabulary={
            "instance:cpu_utilisation:ratio{HOST}": 0.25,
            "instance:load_per_core:ratio{HOST}": 0.375,
        },
        over_time={
            "count_over_time(room_celsius{HOST}[1h])": REPORTS,
            "max_over_time(orders_total{HOST}[1h]) - min_over_time(orders_total{HOST}[1h])": 5
            * MINUTE_SECONDS
            * (REPORTS - 1),
        },
    ),
)


MAPPING = """
identity: {job: garden, instance: $.device}
time: $.ts
metrics:
  - {name: garden_temperature_celsius, path: $.temp, from: F, to: C}
  - {name: garden_door_open, path: $.door, values: {open: 1, closed: 0}}
  - {name: garden_waterings_total, path: $.waterings, operation: add}
  - {name: garden_lux, path: "$.lux.*", labels: {lamp: {key: true}}}
"""


class Live(NamedTuple):
    """A bridge and a Prometheus that run, with the shipped configuration but for its pace."""

    delivery: str
    bridge: BridgeProcess
    prometheus: Prometheus

    def send(self, push: Push) -> None:
        """It must be accepted."""
        data, document = (push.body, None) if isinstance(push.body, bytes) else (None, push.body)
        url = f"http://127.0.0.1:{self.bridge.port}{push.path}"
        answer = requests.request(
            push.method, url, headers=dict(push.headers), data=data, json=document, timeout=30
        )
        assert answer.ok, answer.text


@pytest.fixture(scope="module", params=["remote_write", "scrape"])
def live(
    request: pytest.FixtureRequest, repository: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    program = find("prometheus")
    if request.param == "remote_write" and tools.version_number(tools.version(program)) < (3,):
        pytest.skip(f"{program} is older than 3: its samples are scraped")
    folder = tmp_path_factory.mktemp(request.param)
    mappings = folder / "mappings"
    mappings.mkdir()
    (mappings / "garden.yml").write_text(MAPPING)
    flags = (f"--delivery={request.param}", f"--mappings.directory={mappings}")
    bridge = BridgeProcess(folder / "journal", *flags, log=folder / "bridge.log")
    prometheus = Prometheus(folder / "prometheus", program, repository, bridge_port=bridge.port)
    prometheus.hurry()
    bridge.arguments = (*bridge.arguments, f"--prometheus.url={prometheus.url}")
    with contextlib.ExitStack() as running:
        running.enter_context(prometheus.running())
        running.enter_context(bridge)
        yield Live(request.param, bridge, prometheus)


@pytest.mark.stack
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.instance or case.dialect)
def test_what_is_sent_is_answered_by_promql_and_has_its_place_in_the_vocabulary(
    case: Case, live: Live
) -> None:
    bound = (f"--job={case.job}", f"--instance={case.instance}")
    token = live.bridge.create_token(*bound) if case.needs_token else ""
    expected = case.host({**case.shows, **case.vocabulary})
    if live.delivery == "remote_write":
        expected |= case.host(case.over_time)
    for push in case.reports(int(time.time()), token):
        live.send(push)

    answered: dict[str, float | None] = {}
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answered = {query: live.prometheus.value(query) for query in expected}
        if answered == pytest.approx(expected, rel=1e-9):
            return
        time.sleep(0.3)
    wrong = {query: (answered[query], value) for query, value in expected.items() if answered[query] != value}
    pytest.fail(f"answered, expected: {wrong}")


def test_every_dialect_has_its_case() -> None:
    assert {case.dialect for case in CASES} == DIALECTS.keys()
