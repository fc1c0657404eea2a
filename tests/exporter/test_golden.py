"""The whole exposition of each host tree, byte for byte."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from host_exporter.collector import Collect
from host_exporter.collectors import COLLECTORS, timex
from host_exporter.collectors import time as time_collector
from host_exporter.paths import HostPaths
from host_exporter.render import OPENMETRICS, TEXT, Format
from host_exporter.scrape import Scraper, Session
from host_exporter.selfmetrics import BUILD_INFO
from tests.exporter.parity import families
from tests.stack.programs import find

HERE = Path(__file__).resolve().parent
TREES = ("baremetal", "cloudvm", "container", "plain")
ZONE = time.struct_time((2026, 1, 1, 0, 0, 0, 3, 1, 0), {"tm_zone": "UTC", "tm_gmtoff": 0})
CLOCK = timex.Clock(
    state=0,
    offset=-81_223,
    freq=1_179_648,
    maxerror=24_500,
    esterror=512,
    status=0x2001,
    constant=7,
    tick=10_000,
    ppsfreq=0,
    jitter=0,
    shift=0,
    stabil=0,
    jitcnt=0,
    calcnt=0,
    errcnt=0,
    stbcnt=0,
    tai=37,
)
"""In time, disciplined by NTP in nanoseconds."""
LINTED = 3
"""What promtool ends with if it could read everything but dislikes a name."""


class OneHost(NamedTuple):
    """Scrapes of one host, in this thread."""

    scraper: Scraper
    session: Session

    @property
    def enabled(self) -> tuple[str, ...]:
        return self.scraper.enabled

    def scrape(self, format_: Format, names: Iterable[str]) -> bytes:
        return self.scraper.scrape(self.session, format_, names)


@pytest.fixture(params=TREES)
def tree(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(tree: str, open_host: Callable[..., HostPaths]) -> OneHost:
    """All collectors; the clock stands still, and each of them takes an eighth of a second."""
    collectors: dict[str, Collect] = {name: collector.made(name) for name, collector in COLLECTORS.items()}
    collectors["time"] = partial(
        time_collector.collect, clock=lambda: 1795303521.25, local_time=lambda _: ZONE
    )
    collectors["timex"] = partial(timex.collect, ask=lambda: CLOCK)
    timer = (tick / 8 for tick in count())
    shared = Scraper(collectors, lambda: [(BUILD_INFO, ("0.0.0",), 1)], timer=lambda: round(next(timer), 3))
    return OneHost(shared, Session(open_host(tree, str(HERE / "hosts" / tree / "rootfs"))))


def golden(tree: str) -> Path:
    return HERE / "golden" / f"{tree}.prom"


def test_a_host_gives_its_golden_exposition(tree: str, host: OneHost, update_golden: bool) -> None:
    text = host.scrape(TEXT, host.enabled).decode().replace(str(HERE / "hosts"), "/hosts")

    if update_golden:
        golden(tree).write_text(text, encoding="utf-8")
    assert text == golden(tree).read_text(encoding="utf-8")


def test_what_is_kept_from_one_scrape_to_the_next_changes_nothing(host: OneHost) -> None:
    first, second = (host.scrape(TEXT, host.enabled).decode().splitlines() for _ in range(2))

    def stable(lines: list[str]) -> list[str]:
        return [line for line in lines if "duration" not in line]

    assert stable(first) == stable(second)


def test_openmetrics_says_the_same_to_the_strict_parser(host: OneHost) -> None:
    text = parse_text(host.scrape(TEXT, host.enabled).decode())
    lines = host.scrape(OPENMETRICS, host.enabled).decode()
    openmetrics = parse_openmetrics(lines)  # type: ignore[no-untyped-call]

    def comparable(families: object) -> list[object]:
        return [
            (sample.name, sample.labels, sample.value)
            for family in families  # type: ignore[attr-defined]
            for sample in family.samples
            if "duration" not in sample.name
        ]

    assert comparable(openmetrics) == comparable(text)


@pytest.mark.stack
def test_promtool_finds_no_fault_but_with_names_that_are_node_exporters(tree: str) -> None:
    known = families.read()

    done = subprocess.run(
        [find("promtool"), "check", "metrics"],
        input=golden(tree).read_bytes(),
        capture_output=True,
        check=False,
    )

    said = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in said if line.split(" ")[0] not in known] == []
    assert done.returncode in {0, LINTED}
