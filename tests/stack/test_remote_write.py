"""Remote write from the real bridge into real databases: what was pushed is there, once, with its own times."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from stack import tools
from tests.bridge.harness import FakeClock, Harness
from tests.bridge.process import BridgeProcess
from tests.stack.programs import find
from tests.stack.stores import Prometheus, Samples, Store, VictoriaMetrics

pytestmark = pytest.mark.stack

WAIT_SECONDS = 90
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NAMES = '__name__=~"node_.*|host_.*|pixeltracker_.*"'
POINTS = f'{{job="pixeltracker",{NAMES}}}'
"""What hosts push; what the bridge knows about hosts is telemetry_*, and rules add names of their own."""
MEBIBYTE = 2.0**20
SERIES = 5
"""Of a report."""


@pytest.fixture
def prometheus_program() -> Path:
    program = find("prometheus")
    if tools.version_number(tools.version(program)) < (3,):
        pytest.skip(f"{program} is older than 3: its samples are scraped")
    return program


class Report(NamedTuple):
    """What a host measured at a time; *number* makes its values differ from others."""

    instance: str
    time_ms: int
    number: int

    def document(self) -> dict[str, object]:
        moment = datetime.fromtimestamp(self.time_ms / 1000, UTC)
        return {
            "name": self.instance,
            "cpuC": 8,
            "cpuL": self.number * 10,
            "tRam": 31387,
            "uRam": 16382,
            "disk": self.number,
            "timestamp": moment.isoformat(timespec="milliseconds"),
        }

    def values(self) -> dict[str, float]:
        """By metric name, as the bridge's documentation says."""
        return {
            "node_load1": float(self.number),
            "host_cpu_cores": 8.0,
            "node_memory_MemTotal_bytes": 31387 * MEBIBYTE,
            "node_memory_MemAvailable_bytes": (31387 - 16382) * MEBIBYTE,
            "pixeltracker_disk_reported_bytes": self.number * MEBIBYTE,
        }


def samples_of(reports: Iterable[Report]) -> Samples:
    """What a database must hold of *reports*."""
    held: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for report in reports:
        for name, value in report.values().items():
            held.setdefault((name, report.instance), []).append((report.time_ms, value))
    return {key: sorted(pairs) for key, pairs in held.items()}


class Pusher:
    """Pushes on kept connections, one a thread; they are closed when it is left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Pusher:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def push(self, report: Report) -> None:
        """Until it is accepted."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._connections.append(self._local.connection)
        connection: http.client.HTTPConnection = self._local.connection
        try:
            self._push(connection, report)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            connection.close()  # the bridge closed it, as it was idle
            self._push(connection, report)

    @staticmethod
    def _push(connection: http.client.HTTPConnection, report: Report) -> None:
        body = json.dumps(report.document())
        connection.request("POST", "/api/telemetry", body, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (200, b'{"status":"accepted"}')

    def push_all(self, reports: Iterable[Report]) -> None:
        """Several at a time."""
        with ThreadPoolExecutor(8) as threads:
            for _ in threads.map(self.push, reports):
                pass

    def push_paced(self, reports: Sequence[Report], a_second: int) -> None:
        """Some *a_second*, in twentieths of a second; slower if the machine is."""
        share = max(a_second // 20, 1)
        with ThreadPoolExecutor(8) as threads:
            began = time.monotonic()
            for turn, first in enumerate(range(0, len(reports), share)):
                time.sleep(max(began + turn / 20 - time.monotonic(), 0))
                list(threads.map(self.push, reports[first : first + share]))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def wait_for(what: Callable[[], bool]) -> None:
    """Also while the database restarts."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if what():
                return
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s"
        time.sleep(0.3)


def wait_for_samples(store: Store, selector: str, expected: Samples) -> None:
    """Raises AssertionError with the difference if *store* does not hold exactly *expected* in the end."""
    with contextlib.suppress(AssertionError):
        wait_for(lambda: store.samples(selector) == expected)
    held = store.samples(selector)
    missing = {key: sorted(set(pairs) - set(held.get(key, []))) for key, pairs in expected.items()}
    added = {key: sorted(set(pairs) - set(expected.get(key, []))) for key, pairs in held.items()}
    difference = [{key: pairs[:5] for key, pairs in side.items() if pairs} for side in (missing, added)]

    assert difference == [{}, {}]
    assert held == expected


def remote_metric(bridge: BridgeProcess, name: str, **labels: str) -> float:
    """``telemetry_remote_write_NAME`` of the remote in *labels*, else of the default one."""
    text = ",".join(f'{label}="{value}"' for label, value in {"remote": "prometheus", **labels}.items())
    return bridge.series()[f"telemetry_remote_write_{name}{{{text}}}"]


class Pair(NamedTuple):
    """A bridge that writes to a Prometheus which scrapes it."""

    bridge: BridgeProcess
    prometheus: Prometheus
    pusher: Pusher


@pytest.fixture
def make_pair(tmp_path: Path, prometheus_program: Path, repository: Path) -> Iterator[Callable[..., Pair]]:
    """Neither runs yet."""
    pushers = contextlib.ExitStack()

    def make(*, window: bool = True) -> Pair:
        bridge = BridgeProcess(tmp_path / "journal", log=tmp_path / "bridge.log")
        prometheus = Prometheus(
            tmp_path / "prometheus", prometheus_program, repository, bridge_port=bridge.port, window=window
        )
        prometheus.hurry()
        bridge.arguments = ("--delivery=remote_write", f"--prometheus.url={prometheus.url}")
        return Pair(bridge, prometheus, pushers.enter_context(Pusher(bridge.port)))

    with pushers:
        yield make


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Iterator[Pair]:
    """Both run; Prometheus is up before the first push."""
    made = make_pair()
    with made.bridge, made.prometheus.running():
        yield made


def test_prometheus_holds_every_sample_once_with_its_own_time(pair: Pair) -> None:
    """Live and late ones; and nothing of a host comes by scrape, which would have the scrape's time."""
    now = now_ms()
    live = [Report("live", now - 1000 * age + age, age) for age in range(5, 0, -1)]
    late = [
        Report("hour-late", now - HOUR_MS + 7, 11),
        Report("day-late", now - 23 * HOUR_MS + 123, 12),
        Report("live", now - HOUR_MS - 1, 13),
        Report("live", now - 23 * HOUR_MS, 14),
    ]
    for report in (*live[:3], *late, *live[3:]):
        pair.pusher.push(report)
    wait_for_samples(pair.prometheus, POINTS, samples_of([*live, *late]))

    scrapes = 'count_over_time(telemetry_delivery_info{job="bridge",delivery="remote_write"}[5m])'
    before = pair.prometheus.value(scrapes) or 0
    wait_for(lambda: (pair.prometheus.value(scrapes) or 0) >= before + 2)
    assert pair.prometheus.samples(POINTS) == samples_of([*live, *late])
    reported = pair.prometheus.query('telemetry_reports_total{job="pixeltracker"}')
    assert {series["metric"]["instance"]: float(series["value"][1]) for series in reported} == {
        "live": 7.0,
        "hour-late": 1.0,
        "day-late": 1.0,
    }
    # Who opens the bridge's own page finds all of it.
    assert pair.bridge.series()['node_load1{job="pixeltracker",instance="day-late"}'] == 12.0


def silent_journal(directory: Path, remote: str) -> Report:
    """Fill *directory* with what a bridge leaves that got one report 80 s ago and was stopped at once."""
    harness = Harness(directory, FakeClock(now_ms() - 80_000))
    harness.run(harness.ingest.set_remotes([remote]))
    report = Report("silent", harness.clock.now_ms(), 3)
    harness.push(report.document())
    harness.checkpoint()
    harness.close()
    return report


def test_a_silent_host_ends_in_prometheus_at_once_instead_of_after_five_minutes(
    make_pair: Callable[..., Pair],
) -> None:
    made = make_pair()
    report = silent_journal(made.bridge.directory, "prometheus")
    with made.prometheus.running(), made.bridge:
        wait_for_samples(made.prometheus, POINTS, samples_of([report]))
        wait_for(lambda: remote_metric(made.bridge, "samples_sent_total") == 2 * SERIES)

        load = 'node_load1{instance="silent"}'
        assert made.prometheus.value(load, report.time_ms + 1000) == 3.0
        wait_for(lambda: made.prometheus.value(load) is None)


def test_a_host_that_fell_silent_in_an_outage_and_is_back_stays_visible(
    make_pair: Callable[..., Pair],
) -> None:
    """Its end in the backlog is sent after its new beginning, and must not end that."""
    made = make_pair()
    clock = FakeClock(now_ms() - 280_000)
    harness = Harness(made.bridge.directory, clock)
    harness.run(harness.ingest.set_remotes(["prometheus"]))
    silent_ms = clock.now_ms()
    harness.push(Report("returns", silent_ms, 1).document())
    for number in range(20):
        clock.pass_seconds(6)
        harness.push(Report("stays", clock.now_ms(), number).document())
    harness.checkpoint()
    harness.close()
    url = f"{made.prometheus.url}/api/v1/write"
    remotes = f"[{{name: prometheus, url: '{url}', max_samples_per_request: {SERIES}}}]"
    made.bridge.arguments = ("--delivery=remote_write", f"--remote-write.remotes={remotes}")
    load = 'node_load1{instance="returns"}'
    with made.bridge:
        wait_for(lambda: 'node_load1{job="pixeltracker",instance="returns"}' not in made.bridge.series())
        # The process that ships begins anew, so that the expiry is part of the backlog, as after a long outage.
        [shipper] = psutil.Process(made.bridge.process.pid).children()
        shipper.kill()
        wait_for(lambda: made.bridge.series()["telemetry_remote_write_restarts_total"] == 1)
        retried = remote_metric(made.bridge, "requests_total", outcome="retry")
        wait_for(lambda: remote_metric(made.bridge, "requests_total", outcome="retry") > retried)
        back = Report("returns", now_ms(), 2)
        made.pusher.push(back)
        with made.prometheus.running():
            wait_for(lambda: remote_metric(made.bridge, "pending_samples") == 0)

            assert made.prometheus.value(load, silent_ms + 1000) == 1.0
            assert made.prometheus.value(load) == 2.0


def test_a_hostile_clock_harms_only_its_own_host(make_pair: Callable[..., Pair]) -> None:
    """In a Prometheus that takes nothing out of order, and so refuses whole requests for one such sample."""
    made = make_pair(window=False)
    now = now_ms()
    good = [
        Report(f"good-{host:03}", now - 5000 + 1000 * turn + host, turn)
        for turn in range(5)
        for host in range(100)
    ]
    offsets = (0, 86_400_000, -30 * 86_400_000, 50_000, 50_000, -HOUR_MS, 1000, -23 * HOUR_MS, 50_000, 45_000)
    bad = [Report("bad", now + offset, number) for number, offset in enumerate(offsets * 3)]
    reports = list(good)
    for number, report in enumerate(bad):
        reports.insert(number * 17, report)
    first, rest = reports[:100], reports[100:]
    with made.bridge, made.prometheus.running():
        made.pusher.push_all(first)
        # The rest comes when these are stored: within one request all would be in order, and nothing refused.
        wait_for(lambda: remote_metric(made.bridge, "samples_sent_total") > 0)
        wait_for(lambda: remote_metric(made.bridge, "pending_samples") == 0)
        made.pusher.push_all(rest)
        wait_for_samples(made.prometheus, f'{{instance=~"good-.*",{NAMES}}}', samples_of(good))
        wait_for(lambda: remote_metric(made.bridge, "pending_samples") == 0)
        held = made.prometheus.samples(f'{{instance="bad",{NAMES}}}')
        sent = remote_metric(made.bridge, "samples_sent_total")
        refused = remote_metric(made.bridge, "samples_dropped_total", reason="refused")
        same_time = remote_metric(made.bridge, "samples_dropped_total", reason="same_time")
        split = remote_metric(made.bridge, "requests_total", outcome="split")

    assert split > 0
    assert refused > 0
    assert sent + refused + same_time == len(reports) * SERIES
    assert sum(len(pairs) for pairs in held.values()) <= sent - len(good) * SERIES
    believable = {now + offset for offset in offsets if abs(offset) < 86_400_000}
    received = range(now, now_ms() + 1)
    for pairs in held.values():
        assert {
            time_ms for time_ms, _ in pairs if time_ms not in believable and time_ms not in received
        } == set()


def memory_bytes(bridge: BridgeProcess) -> int:
    """Of the bridge and the process that ships."""
    parent = psutil.Process(bridge.process.pid)
    return sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True)))


def test_after_an_outage_everything_is_there_and_the_present_does_not_wait_for_it(pair: Pair) -> None:
    """Some 1 000 samples a second of the past hour come in while Prometheus is away."""
    now = now_ms()
    hosts, reports_each = 50, 60
    before = Report("before", now, 1)
    outage = [
        Report(f"host-{host:02}", now - HOUR_MS + MINUTE_MS * turn + host, turn)
        for turn in range(reports_each)
        for host in range(hosts)
    ]
    pair.pusher.push(before)
    wait_for_samples(pair.prometheus, POINTS, samples_of([before]))
    memory = memory_bytes(pair.bridge)
    pair.prometheus.stop()
    pair.pusher.push_paced(outage, 1000 // SERIES)
    assert remote_metric(pair.bridge, "pending_samples") == len(outage) * SERIES
    assert remote_metric(pair.bridge, "waiting") == 1
    pair.prometheus.start()
    present = Report("present", now_ms(), 2)
    pair.pusher.push(present)

    wait_for(lambda: pair.prometheus.value('node_load1{instance="present"}') == 2.0)
    wait_for_samples(pair.prometheus, POINTS, samples_of([before, *outage, present]))
    wait_for(lambda: remote_metric(pair.bridge, "pending_samples") == 0)
    assert remote_metric(pair.bridge, "waiting") == 0
    assert remote_metric(pair.bridge, "lag_seconds") == 0
    for reason in ("refused", "lost", "same_time", "time", "unnamed"):
        assert remote_metric(pair.bridge, "samples_dropped_total", reason=reason) == 0
    assert memory_bytes(pair.bridge) < 2 * memory


def test_a_bridge_starts_before_the_prometheus_that_it_writes_to(make_pair: Callable[..., Pair]) -> None:
    """In both ways of running the stack it does."""
    made = make_pair()
    with made.bridge:
        report = Report("early", now_ms(), 5)
        made.pusher.push(report)
        with made.prometheus.running():
            wait_for_samples(made.prometheus, POINTS, samples_of([report]))


def test_nothing_is_missing_after_prometheus_was_killed_in_mid_stream(pair: Pair) -> None:
    now = now_ms()
    reports = [
        Report(f"host-{host}", now - 60_000 + 100 * turn, turn) for turn in range(150) for host in range(4)
    ]
    stream = threading.Thread(target=pair.pusher.push_paced, args=(reports, 120))
    stream.start()
    wait_for(lambda: len(pair.prometheus.samples(POINTS)) > 0)
    pair.prometheus.kill()
    pair.prometheus.start()
    assert stream.is_alive(), "it was not killed in mid-stream"
    stream.join()

    wait_for_samples(pair.prometheus, POINTS, samples_of(reports))
    wait_for(lambda: remote_metric(pair.bridge, "pending_samples") == 0)


@contextmanager
def victoria_pair(
    tmp_path: Path, prepare: Callable[[Path], Report] | None = None
) -> Iterator[tuple[BridgeProcess, VictoriaMetrics, Report | None]]:
    """A bridge that writes to VictoriaMetrics, with a label of its own."""
    store = VictoriaMetrics(tmp_path / "victoria", find("victoria-metrics"))
    arguments = (
        "--delivery=remote_write",
        f"--remote-write.remotes=[{{name: victoria, url: '{store.url}/api/v1/write'}}]",
        "--remote-write.external-labels={replica: a}",
    )
    prepared = None if prepare is None else prepare(tmp_path / "journal")
    with (
        store.running(),
        BridgeProcess(tmp_path / "journal", *arguments, log=tmp_path / "bridge.log") as bridge,
    ):
        yield bridge, store, prepared


def test_victoria_metrics_holds_every_sample_with_its_own_time(tmp_path: Path) -> None:
    with victoria_pair(tmp_path) as (bridge, store, _):
        now = now_ms()
        reports = [
            *(Report("live", now - 1000 * age + age, age) for age in range(5, 0, -1)),
            Report("hour-late", now - HOUR_MS + 7, 11),
            Report("day-late", now - 23 * HOUR_MS + 123, 12),
            Report("live", now - HOUR_MS - 1, 13),
        ]
        with Pusher(bridge.port) as pusher:
            for report in reports:
                pusher.push(report)

        wait_for_samples(store, '{job="pixeltracker",replica="a"}', samples_of(reports))
        assert store.samples('{replica=""}') == {}
        assert remote_metric(bridge, "samples_dropped_total", remote="victoria", reason="refused") == 0


def test_nothing_is_missing_or_double_in_victoria_metrics_after_the_bridge_was_killed(tmp_path: Path) -> None:
    """Sent twice is what it did not confirm, and -dedup.minScrapeInterval=1ms makes that once."""
    with victoria_pair(tmp_path) as (bridge, store, _), Pusher(bridge.port) as pusher:
        now = now_ms()
        reports = [Report(f"host-{turn % 4}", now - 60_000 + 10 * turn, turn) for turn in range(400)]
        pusher.push_all(reports[:300])
        bridge.kill()
        bridge.start()
        pusher.push_all(reports[300:])

        wait_for_samples(store, '{job="pixeltracker"}', samples_of(reports))


def test_a_silent_host_ends_in_victoria_metrics_too(tmp_path: Path) -> None:
    with victoria_pair(tmp_path, lambda folder: silent_journal(folder, "victoria")) as (
        bridge,
        store,
        report,
    ):
        assert report is not None
        wait_for(lambda: remote_metric(bridge, "samples_sent_total", remote="victoria") == 2 * SERIES)
        wait_for_samples(store, '{job="pixeltracker"}', samples_of([report]))

        load = 'node_load1{instance="silent"}'
        assert store.value(load, report.time_ms + 1000) == 3.0
        wait_for(lambda: store.value(load) is None)
