"""The whole exposition of the plain host, byte for byte."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from host_exporter.collector import Collect
from host_exporter.collectors import COLLECTORS
from host_exporter.collectors import time as time_collector
from host_exporter.paths import HostPaths
from host_exporter.render import OPENMETRICS, TEXT, Format
from host_exporter.scrape import Scraper, Session
from host_exporter.selfmetrics import BUILD_INFO

GOLDEN = Path(__file__).resolve().parent / "golden" / "plain.prom"
ZONE = time.struct_time((2026, 1, 1, 0, 0, 0, 3, 1, 0), {"tm_zone": "UTC", "tm_gmtoff": 0})


class OneHost(NamedTuple):
    """Scrapes of one host, in this thread."""

    scraper: Scraper
    session: Session

    @property
    def enabled(self) -> tuple[str, ...]:
        return self.scraper.enabled

    def scrape(self, format_: Format, names: Iterable[str]) -> bytes:
        return self.scraper.scrape(self.session, format_, names)


def scraper(plain: HostPaths) -> OneHost:
    """All collectors; the clock stands still, and each of them takes an eighth of a second."""
    collectors: dict[str, Collect] = {name: collector.made(name) for name, collector in COLLECTORS.items()}
    collectors["time"] = partial(
        time_collector.collect, clock=lambda: 1795303521.25, local_time=lambda _: ZONE
    )
    timer = (tick / 8 for tick in count())
    shared = Scraper(collectors, lambda: [(BUILD_INFO, ("0.0.0",), 1)], timer=lambda: round(next(timer), 3))
    return OneHost(shared, Session(plain))


def test_the_plain_host_gives_the_golden_exposition(plain: HostPaths, update_golden: bool) -> None:
    of_plain = scraper(plain)

    text = of_plain.scrape(TEXT, of_plain.enabled).decode()

    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_what_is_kept_from_one_scrape_to_the_next_changes_nothing(plain: HostPaths) -> None:
    of_plain = scraper(plain)
    names = [name for name in of_plain.enabled if name != "time"]

    first, second = (of_plain.scrape(TEXT, names).decode().splitlines() for _ in range(2))

    def stable(lines: list[str]) -> list[str]:
        return [line for line in lines if "duration" not in line]

    assert stable(first) == stable(second)


def test_openmetrics_says_the_same_to_the_strict_parser(plain: HostPaths) -> None:
    of_plain = scraper(plain)

    text = parse_text(of_plain.scrape(TEXT, of_plain.enabled).decode())
    lines = of_plain.scrape(OPENMETRICS, of_plain.enabled).decode()
    openmetrics = parse_openmetrics(lines)  # type: ignore[no-untyped-call]

    def comparable(families: object) -> list[object]:
        return [
            (sample.name, sample.labels, sample.value)
            for family in families  # type: ignore[attr-defined]
            for sample in family.samples
            if "duration" not in sample.name
        ]

    assert comparable(openmetrics) == comparable(text)
