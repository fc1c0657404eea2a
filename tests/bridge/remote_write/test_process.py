"""The real program with a remote that comes and goes: what was pushed and accepted is there in the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import psutil
import pytest
import yaml

from pushgateway_bridge.journal.journal import FILE_NAME
from tests.bridge.process import BridgeProcess
from tests.bridge.remote import LONGEST_WAIT_SECONDS, FakeRemote, Reply, in_turn, wait_until

pytestmark = pytest.mark.stack

CORES = "host_cpu_cores"
Sample = tuple[str, int, float | str]


@pytest.fixture
def remote() -> Iterator[FakeRemote]:
    with FakeRemote() as remote:
        yield remote


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def series_of(host: str) -> str:
    return f'{CORES}{{instance="{host}",job="pixeltracker",kind="logical"}}'


class Bridge(BridgeProcess):
    """A bridge in *folder* that sends to *remotes*; what it was told to store is in ``accepted``."""

    def __init__(self, folder: Path, *remotes: dict[str, Any], **remote_write: Any) -> None:
        self.file = folder / "bridge.yml"
        self.logged = folder / "bridge.log"
        self.accepted: list[Sample] = []
        self.set_delivery("remote_write", *remotes, **remote_write)
        super().__init__(
            folder / "journal",
            f"--config.file={self.file}",
            "--journal.checkpoint-interval-seconds=0.2",
            log=self.logged,
        )

    def __enter__(self) -> Bridge:
        super().__enter__()
        return self

    def set_delivery(self, delivery: str, *remotes: dict[str, Any], **remote_write: Any) -> None:
        """For the next start."""
        settings = {"delivery": delivery, "remote_write": {"remotes": list(remotes), **remote_write}}
        self.file.write_text(yaml.safe_dump(settings))

    def push(self, host: str, values: Iterable[tuple[int, int]]) -> None:
        """Push *values*, each with its Unix milliseconds, as one host; each must be accepted."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            for timestamp_ms, value in values:
                moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
                body = json.dumps({"name": host, "cpuC": value, "timestamp": moment})
                connection.request("POST", "/api/telemetry", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                self.accepted.append((series_of(host), timestamp_ms, float(value)))

    def count(self, name: str, remote: str = "one", **labels: str) -> float:
        """A self-metric of *remote*."""
        own = ",".join(f'{key}="{value}"' for key, value in {"remote": remote, **labels}.items())
        return self.series()[f"telemetry_remote_write_{name}{{{own}}}"]

    def lines(self, *words: str) -> list[str]:
        """What it logged that has all *words*."""
        return [line for line in self.logged.read_text().splitlines() if all(word in line for word in words)]

    def child(self) -> psutil.Process:
        """The process that ships."""
        found: list[psutil.Process] = []

        def look() -> bool:
            found[:] = [
                one
                for one in psutil.Process(self.process.pid).children()
                if "pushgateway_bridge.shipping" in one.cmdline()
            ]
            return bool(found)

        wait_until(look, "the process that ships")
        return found[0]


def to(remote: FakeRemote, name: str = "one", **settings: Any) -> dict[str, Any]:
    return {"name": name, "url": remote.url(), **settings}


def counting(number: int, first_ms: int | None = None) -> list[tuple[int, int]]:
    """*number* values, one a millisecond."""
    start = now_ms() - number if first_ms is None else first_ms
    return [(start + i, i) for i in range(number)]


def cores(remote: FakeRemote) -> list[Sample]:
    return [sample for sample in remote.samples() if sample[0].startswith(CORES + "{")]


def wait_for_all(bridge: Bridge, remote: FakeRemote) -> None:
    """Until the remote has what was accepted, with the values and times that were pushed, and nothing else."""
    wait_until(lambda: len(set(cores(remote))) >= len(bridge.accepted), "all samples")

    assert set(cores(remote)) == set(bridge.accepted)
    assert remote.faults == []


def wait_for_cursor(bridge: Bridge, remote: str = "one") -> None:
    """Until the bridge knows that the remote has everything."""
    wait_until(lambda: bridge.count("pending_samples", remote) == 0, "the cursor")


# All is well


def test_pushes_arrive_with_their_own_times_and_once(remote: FakeRemote, tmp_path: Path) -> None:
    with Bridge(tmp_path, to(remote), external_labels={"replica": "a"}) as bridge:
        hour_ago = now_ms() - 3_600_000
        late = [(hour_ago + 36_000 * i, i) for i in range(100)]
        for host, values in (("one", counting(50)), ("late", late), ("backwards", late[::-1])):
            bridge.push(host, values)
        bridge.accepted = [
            (series.replace('"logical"', '"logical",replica="a"'), at, value)
            for series, at, value in bridge.accepted
        ]

        wait_for_all(bridge, remote)
        wait_for_cursor(bridge)
        figures = bridge.series()

    assert len(cores(remote)) == len(bridge.accepted)
    one = '{remote="one"}'
    assert figures['telemetry_delivery_info{delivery="remote_write"}'] == 1
    assert figures[f"telemetry_remote_write_samples_sent_total{one}"] == len(remote.samples())
    assert figures[f"telemetry_remote_write_lag_seconds{one}"] == 0
    assert figures[f"telemetry_remote_write_pending_bytes{one}"] == 0
    assert figures[f"telemetry_remote_write_samples_retried_total{one}"] == 0
    assert sum(value for name, value in figures.items() if "remote_write_samples_dropped" in name) == 0


def test_one_address_is_all_that_must_be_set(remote: FakeRemote, tmp_path: Path) -> None:
    with Bridge(tmp_path, url=remote.url()) as bridge:
        bridge.push("lab", counting(3))

        wait_for_all(bridge, remote)
        wait_for_cursor(bridge, "prometheus")


def test_point_samples_are_scraped_only_where_no_remote_write_carries_them(
    remote: FakeRemote, tmp_path: Path
) -> None:
    narrowed = {}
    with Bridge(tmp_path, to(remote)) as bridge:
        for delivery in ("remote_write", "scrape"):
            bridge.push("lab", counting(1))
            everything, asked = bridge.get("/metrics"), bridge.get("/metrics?class[]=undelivered")
            assert CORES in everything
            assert 'telemetry_reports_total{job="pixeltracker",instance="lab"}' in asked
            narrowed[delivery] = CORES in asked
            assert f'telemetry_delivery_info{{delivery="{delivery}"}} 1' in asked
            bridge.terminate()
            bridge.set_delivery("scrape")
            bridge.start()

    assert narrowed == {"remote_write": False, "scrape": True}


# Outages


def test_what_was_pushed_while_the_remote_was_away_is_sent_when_it_is_back(
    remote: FakeRemote, tmp_path: Path
) -> None:
    with Bridge(tmp_path, to(remote)) as bridge:
        bridge.push("before", counting(5))
        wait_for_all(bridge, remote)
        remote.stop()
        bridge.push("away", counting(200))
        wait_until(lambda: bridge.count("waiting") == 1, "the metric")
        wait_until(lambda: bridge.count("requests_total", outcome="retry") >= 2, "two tries")
        pending = bridge.count("pending_samples")
        remote.start()
        bridge.push("after", counting(5))

        wait_for_all(bridge, remote)
        wait_for_cursor(bridge)
        waiting = bridge.count("waiting")

    assert pending >= 200
    assert waiting == 0
    assert len(bridge.lines("remote write waits", "reason=unreachable")) == 1
    assert len(bridge.lines("remote write goes on")) == 1


def test_after_a_kill_while_the_remote_is_away_everything_is_sent(remote: FakeRemote, tmp_path: Path) -> None:
    remote.stop()
    with Bridge(tmp_path, to(remote)) as bridge:
        bridge.push("first", counting(100))
        bridge.kill()
        bridge.start()
        bridge.push("second", counting(100))
        bridge.kill()
        remote.start()
        bridge.start()

        wait_for_all(bridge, remote)


def test_the_process_that_ships_ends_with_a_killed_bridge(remote: FakeRemote, tmp_path: Path) -> None:
    with Bridge(tmp_path, to(remote)) as bridge:
        child = bridge.child()
        bridge.kill()

        wait_until(lambda: not running(child), "the end of the process that ships")


def running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_a_killed_process_that_ships_is_started_again_and_goes_on(remote: FakeRemote, tmp_path: Path) -> None:
    with Bridge(tmp_path, to(remote)) as bridge:
        bridge.push("before", counting(50))
        wait_for_all(bridge, remote)
        wait_for_cursor(bridge)
        sent = bridge.count("samples_sent_total")
        bridge.child().kill()
        bridge.push("meanwhile", counting(50))
        wait_until(lambda: bridge.series()["telemetry_remote_write_restarts_total"] == 1, "the count")
        bridge.push("after", counting(50))

        wait_for_all(bridge, remote)
        wait_for_cursor(bridge)
        figures = bridge.series()

    assert figures["telemetry_remote_write_restarts_total"] == 1
    assert sent <= figures['telemetry_remote_write_samples_sent_total{remote="one"}'] <= len(remote.samples())
    assert len(bridge.lines("level=error", "shipper ended exit_code=-9")) == 1


def test_pushes_go_on_whatever_the_remote_says(remote: FakeRemote, tmp_path: Path) -> None:
    remote.script = in_turn(Reply(400, body=b"never"))
    with Bridge(tmp_path, to(remote)) as bridge:
        bridge.push("lab", counting(50))
        wait_for_cursor(bridge)
        dropped = bridge.count("samples_dropped_total", reason="refused")
        splits = bridge.count("requests_total", outcome="split")
        everything = bridge.get("/metrics")

    assert dropped == len({sample for request in remote.requests for sample in request.samples})
    assert splits > 0
    assert f'{CORES}{{job="pixeltracker",instance="lab",kind="logical"}} 49' in everything
    assert len(bridge.lines("remote refused samples", "reason=http_400", "never")) == 1


# Several remotes


def test_a_dead_remote_holds_up_no_other(remote: FakeRemote, tmp_path: Path) -> None:
    with FakeRemote() as dead:
        dead.stop()
        with Bridge(tmp_path, to(dead, "dead"), to(remote)) as bridge:
            bridge.push("lab", counting(100))
            wait_for_all(bridge, remote)
            wait_for_cursor(bridge)
            pending = bridge.count("pending_samples", "dead")
            dead.start()

            wait_for_all(bridge, dead)
            wait_for_cursor(bridge, "dead")

    assert pending >= 100
    assert len(cores(remote)) == 100


def test_what_is_over_the_room_of_a_dead_remote_is_lost_to_it_alone_and_counted(
    remote: FakeRemote, tmp_path: Path
) -> None:
    with FakeRemote() as dead:
        dead.stop()
        with Bridge(tmp_path, to(dead, "dead", max_pending_bytes=4000), to(remote)) as bridge:
            first = counting(150)
            bridge.push("lab", first[:1])
            wait_until(lambda: bridge.count("waiting", "dead") == 1, "the first try")
            bridge.push("lab", first[1:])
            wait_for_all(bridge, remote)
            wait_until(lambda: bridge.count("samples_dropped_total", "dead", reason="lost"), "the count")
            pending = bridge.count("pending_bytes", "dead")
            dead.start()
            bridge.push("lab", counting(5, first[-1][0] + 1))
            newest = bridge.accepted[-5:]
            wait_until(lambda: set(newest) <= set(cores(dead)), "the newest")
            wait_for_cursor(bridge, "dead")
            lost = bridge.count("samples_dropped_total", "dead", reason="lost")
            lost_to_others = bridge.count("samples_dropped_total", reason="lost")

            wait_for_all(bridge, remote)

    missing = set(bridge.accepted) - set(cores(dead))
    assert 0 < len(missing) <= lost
    assert set(cores(dead)) <= set(bridge.accepted)
    assert lost_to_others == 0
    assert pending <= 4000 + 2000  # a commit more is the most


def test_with_delivery_back_at_scrape_nothing_is_kept_for_remotes(remote: FakeRemote, tmp_path: Path) -> None:
    remote.stop()
    with Bridge(tmp_path, to(remote)) as bridge:
        bridge.push("lab", counting(100))
        bridge.terminate()
        kept = frames_and_cursors(bridge)
        bridge.set_delivery("scrape")
        bridge.start()
        bridge.push("lab", counting(1))
        wait_until(lambda: bridge.series()["telemetry_journal_frames_bytes"] == 0, "the room")
        bridge.terminate()

    assert kept[0] > 0
    assert kept[1] == ["one"]
    assert frames_and_cursors(bridge) == (0, [])
    assert len(bridge.lines("remote forgotten remote=one")) == 1


def frames_and_cursors(bridge: Bridge) -> tuple[int, list[str]]:
    """Of a bridge that does not run."""
    file = bridge.directory / FILE_NAME
    with contextlib.closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        frames = connection.execute("SELECT count(*) FROM frame").get
        cursors = connection.execute("SELECT remote FROM cursor").fetchall()
    return int(frames), [str(name) for (name,) in cursors]


# Stop


def test_a_stop_sends_no_half_of_anything_and_the_rest_is_sent_after_the_next_start(
    remote: FakeRemote, tmp_path: Path
) -> None:
    with Bridge(tmp_path, to(remote)) as bridge:
        child = bridge.child()
        bridge.push("first", counting(100))
        code = bridge.terminate()
        assert not running(child)
        bridge.start()
        bridge.push("second", counting(10))

        wait_for_all(bridge, remote)

    assert code == 0


def test_a_stop_does_not_wait_for_a_remote_that_hangs(remote: FakeRemote, tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_request: object) -> Reply:
        release.wait(2 * LONGEST_WAIT_SECONDS)
        return Reply(503)

    remote.script = hang
    try:
        with Bridge(tmp_path, to(remote)) as bridge:
            child = bridge.child()
            bridge.push("lab", counting(10))
            wait_until(lambda: remote.requests, "the request")
            code = bridge.terminate()
            ended = not running(child)
    finally:
        release.set()

    assert code == 0
    assert ended
    assert not bridge.lines("level=error")
