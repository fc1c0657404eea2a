from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from host_exporter.collector import Collect
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.render import OPENMETRICS, TEXT, Format
from host_exporter.scrape import Scraper, Session, select

ENABLED = ("cpu", "loadavg", "uname")
GOOD = Family("good", "gauge", "Works.")
BAD = Family("bad", "gauge", "Does not.", ("n",))


def good(_: HostPaths) -> Iterator[Value]:
    yield GOOD, (), 1


def raises_half_way(_: HostPaths) -> Iterator[Value]:
    yield BAD, ("1",), 1
    raise FileNotFoundError(2, "No such file or directory", "/proc/gone")


def yields_nonsense(_: HostPaths) -> Iterator[Any]:
    yield BAD, ("1",), "many"


def yields_no_values(_: HostPaths) -> Any:
    return [BAD]


class OneHost:
    """Scrapes of one host, in this thread."""

    def __init__(self, scraper: Scraper, session: Session) -> None:
        self._scraper = scraper
        self._session = session

    def scrape(self, format_: Format, names: list[str]) -> bytes:
        return self._scraper.scrape(self._session, format_, names)


def scraper(paths: HostPaths, own: list[Value] | None = None, **collectors: Collect) -> OneHost:
    return OneHost(Scraper(collectors, lambda: own or [], timer=lambda: 0.5), Session(paths))


@pytest.mark.parametrize(
    ("wanted", "unwanted", "names"),
    [
        ((), (), ("cpu", "loadavg", "uname")),
        (("uname", "cpu", "cpu"), (), ("cpu", "uname")),
        ((), ("cpu",), ("loadavg", "uname")),
        ((), ENABLED, ()),
    ],
    ids=["all", "wanted, each once", "all but", "none"],
)
def test_a_scrape_runs_what_it_asks_for(
    wanted: tuple[str, ...], unwanted: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert select(ENABLED, wanted, unwanted) == names


@pytest.mark.parametrize(
    ("wanted", "unwanted", "message"),
    [
        (("nope",), (), "no collector 'nope' is enabled; enabled are cpu, loadavg, uname"),
        ((), ("nope",), "no collector 'nope' is enabled"),
        (("cpu",), ("cpu",), "cannot be combined"),
    ],
    ids=["unknown wanted", "unknown unwanted", "both"],
)
def test_a_scrape_that_asks_for_what_is_not_there_is_told_so(
    wanted: tuple[str, ...], unwanted: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        select(ENABLED, wanted, unwanted)


@pytest.mark.parametrize("bad", [raises_half_way, yields_nonsense, yields_no_values])
def test_a_collector_that_fails_costs_only_its_own_series(plain: HostPaths, bad: Collect) -> None:
    lines = scraper(plain, bad=bad, good=good).scrape(TEXT, ["bad", "good"]).decode().splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        "good 1",
        'node_scrape_collector_duration_seconds{collector="bad"} 0.0',
        'node_scrape_collector_duration_seconds{collector="good"} 0.0',
        'node_scrape_collector_success{collector="bad"} 0',
        'node_scrape_collector_success{collector="good"} 1',
    ]
    assert "# TYPE bad gauge" not in lines


def test_a_failure_of_the_self_metrics_costs_only_them(plain: HostPaths) -> None:
    broken: Any = [(GOOD, ("too many labels",), 1)]

    assert b"node_scrape_collector_success" in scraper(plain, broken, good=good).scrape(TEXT, ["good"])


def test_a_failure_is_a_warning_once_and_its_end_is_told(
    plain: HostPaths, caplog: pytest.LogCaptureFixture
) -> None:
    """Scrapes come every few seconds; the same line each time would bury the others."""
    outcomes = iter([raises_half_way, raises_half_way, good])

    def changing(paths: HostPaths) -> Iterator[Value]:
        return next(outcomes)(paths)

    flaky = scraper(plain, flaky=changing)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            flaky.scrape(TEXT, ["flaky"])

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "collector failed"),
        ("INFO", "collector works again"),
    ]
    first = vars(caplog.records[0])
    assert (first["collector"], "/proc/gone" in first["error"]) == ("flaky", True)


def test_openmetrics_is_closed_at_its_end(plain: HostPaths) -> None:
    assert scraper(plain, good=good).scrape(OPENMETRICS, ["good"]).endswith(b"\n# EOF\n")


def test_a_label_that_is_not_utf8_is_shown_with_question_marks(plain: HostPaths) -> None:
    def strange(_: HostPaths) -> Iterator[Value]:
        yield BAD, ("caf\udce9",), 1

    assert b'bad{n="caf?"} 1\n' in scraper(plain, strange=strange).scrape(TEXT, ["strange"])
