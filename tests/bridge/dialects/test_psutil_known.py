"""A report that is like its host's last one is read in a shorter way, which takes the same as the long one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects import psutil_known, statix, statusmonitor
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher
from pushgateway_bridge.dialects.layout import Layouts
from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.dialects.psutil_known import CONSTANTS, MAX_VALUES, AlikeBodies, Fields, make_alike
from pushgateway_bridge.dialects.statix_details import Details
from pushgateway_bridge.dialects.statix_entry import _TIME
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.report import Report
from tests.bridge.dialects.host_bodies import forget_statix
from tests.bridge.dialects.test_pixeltracker import RECEIVED_MS

CASES: Final = Path(__file__).parent / "cases"
CONTEXT: Final = PushContext(
    RECEIVED_MS, "application/json", Pusher(12, "nas", job="statusmonitor", instance="12")
)


FORGET: Final[dict[str, Callable[[], None]]] = {
    "statix": forget_statix,
    "statusmonitor": statusmonitor._agent.cache_clear,
}
DIALECTS: Final = {"statix": statix.DIALECT, "statusmonitor": statusmonitor.DIALECT}
MORE: Final[dict[str, list[dict[str, Any]]]] = {
    "statix": [
        {
            "hostname": "a",
            "cpu": 1,
            "ram": 2,
            "disk": 3,
            "timestamp": RECEIVED_MS // 1000,
            "disk_read": 1.5,
            "disk_write": 0,
            "details": {
                "cpu": {"frequency_mhz": 0, "frequency": {"current": 1500, "min": 0, "max": 1800.5}},
                "memory": {"total": 8, "available": 4, "free": 2, "swap": {"total": 0, "free": 0}},
                "disk_io": {"read_bytes": 5},
                "uptime": {"seconds": 5.5},
            },
        }
    ],
    "statusmonitor": [],
}


def agents_of(name: str) -> list[dict[str, Any]]:
    """What agents of this dialect send."""
    found = []
    for file in sorted((CASES / name).glob("*.json")):
        try:
            document = json.loads(file.read_bytes())
            report = decoded(name, document)
        except (ValueError, PushRejected):
            continue
        if isinstance(document, dict) and len(report.groups[0].shape) > 8:
            found.append(document)
    return found + MORE[name]


def decoded(name: str, document: object) -> Report:
    return DIALECTS[name].decode(json.dumps(document).encode(), CONTEXT)


def outcome(dialect: Dialect, document: object) -> object:
    """What a push gives, such that two that are the same compare equal."""
    try:
        report = dialect.decode(json.dumps(document).encode(), CONTEXT)
    except PushRejected as error:
        return str(error)
    # Numbers in what is shown are as they were sent, or as we write them.
    entry = None if report.entry is None else json.loads(report.entry)
    return repr(msgspec.structs.replace(report, entry=None)), entry


def paths_of(document: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in *document*."""
    if isinstance(document, dict):
        inner = [found for key, value in document.items() for found in paths_of(value, (*path, key))]
    elif isinstance(document, list):
        inner = [found for at, value in enumerate(document) for found in paths_of(value, (*path, at))]
    else:
        inner = []
    return [*([path] if path else []), *inner]


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> None:
    """Put *value* at *path*; ``...`` takes away what stands there."""
    for key in path[:-1]:
        try:
            document = document[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return
    try:
        if value is ...:
            del document[path[-1]]  # type: ignore[arg-type]
        else:
            document[path[-1]] = copy.deepcopy(value)  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return


VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from(
        [..., None, 0, 0.0, -1, 1, 50, 100.5, 2**62, 1e300, True, "", "x", "10.0.0.1", [], {}, [None]]
    ),
    st.sampled_from(["2026-01-31T06:55:00+01:00", "Linux", "eth1", "/srv", [1.0], [1, 2, 3], {"current": 5}]),
    st.integers(0, 2**40),
    st.floats(0, 100),
)


@st.composite
def reports_in_a_row(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """A dialect, and an agent's reports, in each of which some things changed."""
    name = draw(st.sampled_from(sorted(DIALECTS)))
    document = copy.deepcopy(draw(st.sampled_from(AGENTS[name])))
    documents = [document, copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 3))):
        document = copy.deepcopy(document)
        for _ in range(draw(st.integers(1, 3))):
            changed(document, draw(st.sampled_from(paths_of(document) or [("timestamp",)])), draw(VALUES))
        documents += [document] * draw(st.integers(1, 2))
    return name, documents


AGENTS: Final = {name: agents_of(name) for name in DIALECTS}


@given(reports_in_a_row())
def test_what_is_taken_does_not_depend_on_what_was_reported_before(
    row: tuple[str, list[dict[str, Any]]],
) -> None:
    name, documents = row
    dialect, forget = DIALECTS[name], FORGET[name]
    expected = []
    for document in documents:
        forget()
        expected.append(outcome(dialect, document))
    forget()

    assert [outcome(dialect, document) for document in documents] == expected


SX_SECONDS = MORE["statix"][0]
UPTIME = {"seconds": 5.5, "boot_time": "2026-01-30T06:55:00Z"}
SX = {**SX_SECONDS, "details": {**SX_SECONDS["details"], "uptime": UPTIME}}
NO_COUNTERS = {**SX, "disk_write": 2, "details": {**SX["details"], "disk_io": None}}
SM: dict[str, Any] = {
    "timestamp": RECEIVED_MS // 1000,
    "cpu": {"usage_percent": 5.0, "per_core_usage": [1.0, 2.0], "load_avg": [1, 2, 3]},
    "memory": {"total": 8, "available": 4},
    "disk": {"partitions": [{"device": "/dev/a", "mountpoint": "/", "total": 9, "used": 3, "free": 2}]},
}
FREE_ONLY = {**SM, "memory": {"available": 4}}


@pytest.mark.parametrize(
    ("name", "document", "path", "value"),
    [
        ("statix", NO_COUNTERS, ("disk_read",), ...),
        ("statix", NO_COUNTERS, ("disk_read",), -1),
        ("statix", NO_COUNTERS, ("disk_write",), 1e308),
        ("statix", NO_COUNTERS, ("disk_write",), -0.0),
        ("statix", SX, ("cpu",), 150),
        ("statix", SX, ("ram",), -1),
        ("statix", SX, ("disk",), 100.5),
        ("statix", SX_SECONDS, ("details", "uptime", "seconds"), 50),
        ("statix", SX, ("details", "uptime", "boot_time"), "2026-01-31T06:55:00Z"),
        ("statix", SX, ("details", "cpu", "frequency", "min"), 5),
        ("statix", SX, ("details", "cpu", "frequency_mhz"), 5),
        ("statix", SX, ("details", "swap"), {"total": 5, "free": 4}),
        ("statix", SX, ("details", "system"), {"os": "Linux"}),
        ("statix", SX, ("details", "disk"), {"mount": "/srv"}),
        ("statusmonitor", FREE_ONLY, ("memory", "used_percent"), 50),
        ("statusmonitor", SM, ("memory", "available"), 9),
        ("statusmonitor", SM, ("cpu", "usage_percent"), None),
        ("statusmonitor", SM, ("cpu", "per_core_usage"), [1.0]),
        ("statusmonitor", SM, ("cpu", "per_core_usage"), [1.0, None]),
        ("statusmonitor", SM, ("cpu", "load_avg"), [1, 2]),
        ("statusmonitor", SM, ("cpu", "frequency_mhz"), 5),
        ("statusmonitor", SM, ("disk", "partitions", 0, "mountpoint"), "/srv"),
        ("statusmonitor", SM, ("disk", "partitions", 0, "free"), 10),
        ("statusmonitor", SM, ("disk", "partitions", 0, "used"), 10),
        ("statusmonitor", SM, ("disk", "partitions", 0, "total"), None),
        ("statusmonitor", SM, ("disk", "io"), {"read_bytes": 5}),
        ("statusmonitor", SM, ("network",), {"errin": 5}),
    ],
)
def test_what_is_else_in_one_report_is_seen(
    name: str, document: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    other = copy.deepcopy(document)
    changed(other, path, value)
    FORGET[name]()
    expected = outcome(DIALECTS[name], other)
    FORGET[name]()
    for _ in range(3):
        decoded(name, document)

    assert outcome(DIALECTS[name], other) == expected
    assert outcome(DIALECTS[name], document) != expected


def with_other_numbers(document: object) -> object:
    """The same with each number, where it is not a time or how many of something there are, one lower."""
    if isinstance(document, dict):
        return {
            key: value
            if key in ("timestamp", "total", "mtu", "speed_mbps", "duplex", "boot_time")
            else with_other_numbers(value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [with_other_numbers(value) for value in document]
    if isinstance(document, int | float) and document > 1.5:
        return document - 1
    return document


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("statix", "agent_full"),
        ("statix", "agent_linux"),
        ("statusmonitor", "gui_agent"),
        ("statusmonitor", "headless_agent"),
    ],
)
def test_other_numbers_of_an_agent_are_known_after_two_reports(name: str, file: str) -> None:
    document = json.loads((CASES / name / f"{file}.json").read_bytes())
    FORGET[name]()
    for _ in range(2):
        decoded(name, document)
    other = json.dumps(with_other_numbers(document)).encode()

    assert json.loads(other) != document
    assert is_known(name, other)


@pytest.mark.parametrize(
    ("name", "document", "path", "value"),
    [("statix", SX, ("details", "disk_io"), None), ("statusmonitor", SM, ("network",), {"errin": 5})],
)
def test_an_agent_is_known_after_two_reports_of_other_series_too(
    name: str, document: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    other = copy.deepcopy(document)
    changed(other, path, value)
    FORGET[name]()
    for one in (document, document, other, other):
        decoded(name, one)

    assert is_known(name, json.dumps(other).encode())


def is_known(name: str, body: bytes) -> bool:
    """Whether *body* is read in the shorter way."""
    if name == "statix":
        push = statix._known.find(body)
        return push is not None and push.report_of(body, RECEIVED_MS) is not None
    assert CONTEXT.pusher is not None
    alike = statusmonitor._agent(CONTEXT.pusher).known
    return alike is not None and alike.read(body) is not None


ALIKE = {
    "cpu": {"logical_cores": 4, "processor": "x"},
    "disk": {"total": 9, "used": 3, "free": 2, "mount": "/"},
    "swap": None,
}


def alike() -> AlikeBodies:
    body = json.dumps(ALIKE).encode()
    found = Fields(msgspec.json.decode(body, type=Details))
    found.put("cpu.logical_cores", 2.0)
    found.put_filesystem("disk")
    found.put("cpu.percent")
    found.put_percent("disk.used")
    found.values.append(CONSTANTS)
    found.same += ["cpu.processor", "cpu.percent", "swap"]
    made = make_alike(Layouts({}), body, found, [8.0, 9.0, 2.0, 6.0, 0.03, 7.5])
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("path", "value", "values"),
    [
        (("cpu", "logical_cores"), 5, [10.0, 9.0, 2.0, 6.0, 0.03, 7.5]),
        (("disk", "free"), 9.0, [8.0, 9.0, 9.0, 6.0, 0.03, 7.5]),
        (("disk", "mount"), "/srv", [8.0, 9.0, 2.0, 6.0, 0.03, 7.5]),  # nobody said that it must be the same
        (("disk", "used"), 10, None),
        (("disk", "free"), 10, None),
        (("cpu", "processor"), "y", None),
        (("cpu", "percent"), 1, None),
        (("cpu", "percent"), None, None),
        (("cpu", "logical_cores"), None, None),
        (("cpu", "logical_cores"), -1, None),
        (("cpu", "logical_cores"), "4", None),
        (("cpu", "logical_cores"), True, None),
        (("cpu", "logical_cores"), ..., None),
        (("disk",), None, None),
        (("swap",), {}, None),
        (("swap",), ..., None),
    ],
)
def test_values_are_read_of_what_is_alike(
    path: tuple[str | int, ...], value: object, values: list[float] | None
) -> None:
    document = copy.deepcopy(ALIKE)
    changed(document, path, value)

    read = alike().read(json.dumps(document).encode())

    assert (None if read is None else read[1]) == values


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"cpu":"\xff"}'])
def test_what_cannot_be_read_is_not_alike(body: bytes) -> None:
    assert alike().read(body) is None


def test_nothing_is_known_of_values_that_would_not_come_again() -> None:
    body = json.dumps(ALIKE).encode()
    found = Fields(msgspec.json.decode(body, type=Details))
    found.put("cpu.logical_cores")
    found.values.append(CONSTANTS)

    assert make_alike(Layouts({}), body, found, [4.0]) is not None
    assert make_alike(Layouts({}), body, found, [5.0]) is None


def test_nothing_is_known_of_numbers_that_are_too_large_to_be_exact() -> None:
    body = json.dumps({"cpu": {"logical_cores": 2**53 + 1}}).encode()
    found = Fields(msgspec.json.decode(body, type=Details))
    found.put("cpu.logical_cores")
    found.values.append(CONSTANTS)

    assert make_alike(Layouts({}), body, found, [float(2**53 + 1)]) is None


NEVER_ALIKE: Final = {
    "statix": [
        {**SX, "details": {**SX["details"], "uptime": {"boot_time": 1769000000 + second}}}
        for second in range(5)
    ],
    "statusmonitor": [
        {**SM, "cpu": {**SM["cpu"], "count": 4, "model": f"{mhz} MHz" if mhz else None}} for mhz in (5, 0)
    ],
}


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_nothing_is_kept_of_an_agent_whose_reports_are_never_alike(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, maker = {"statix": (statix, "make_known"), "statusmonitor": (statusmonitor, "_make_known")}[name]
    make, made = getattr(module, maker), []

    def counted(*arguments: object) -> object:
        made.append(arguments)
        return make(*arguments)

    monkeypatch.setattr(module, maker, counted)
    FORGET[name]()
    for document in NEVER_ALIKE[name] * 4:
        decoded(name, document)

    assert len(made) == 1


def test_nothing_is_known_of_more_values_than_a_function_is_made_for() -> None:
    for cores, known in ((MAX_VALUES - 4, True), (MAX_VALUES, False)):
        document = {"timestamp": 1769932800, "cpu": {"per_core_usage": [5.0] * cores}}
        FORGET["statusmonitor"]()
        for _ in range(3):
            decoded("statusmonitor", document)

        assert is_known("statusmonitor", json.dumps(document).encode()) is known


def test_no_more_functions_are_made_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil_known, "_fetchers", {})
    monkeypatch.setattr(psutil_known, "MAX_FETCHERS", 2)
    documents = [
        {"timestamp": 1769932800, "cpu": {"per_core_usage": [5.0] * cores}} for cores in (1, 2, 3, 1)
    ]
    known = []
    for document in documents:
        FORGET["statusmonitor"]()
        for _ in range(3):
            decoded("statusmonitor", document)
        known.append(is_known("statusmonitor", json.dumps(document).encode()))

    assert known == [True, True, False, True]


@given(st.from_regex(_TIME, fullmatch=True))
def test_text_that_is_written_as_a_time_has_no_address_in_it(text: str) -> None:
    assert mask_text(text) == text
