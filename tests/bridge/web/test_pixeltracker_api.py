"""GET /api/telemetry: which entries are read back when a query says which."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.pixeltracker import DIALECT
from pushgateway_bridge.dialects.pixeltracker_entry import (
    MAX_ENTRIES,
    EntryFilter,
    read_filter,
    select_entries,
)
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from tests.bridge.dialects.test_pixeltracker import NEAR_MISSES
from tests.bridge.harness import FakeClock
from tests.bridge.web.harness import Web

PATHS: Final = ("/api/telemetry", "/pt/api/telemetry")
BEGAN_MS: Final = FakeClock().unix_ms
AT: Final = [BEGAN_MS + second * 1000 for second in range(6)]
"""When the entries of ``pushed`` were received."""
PUSHED: Final[Sequence[dict[str, object]]] = (
    {"source": {"hostname": "a"}, "cpu": {"cores": 0}},
    {"name": "b", "cpuC": 1},
    {"source": {"hostname": "a"}, "name": "b", "cpuC": 2},
    {"source": {"hostname": ""}, "name": "b", "cpuC": 3},
    {"source": {"platform": "linux"}, "cpu": {"cores": 4}},
    {"name": "A", "cpuC": 5},
)


@pytest.fixture
def pushed(clocked_web: Web, clock: FakeClock) -> Web:
    """A bridge that was pushed to once a second."""
    for document in PUSHED:
        assert clocked_web.push(json.dumps(document).encode()).status_code == 200
        clock.pass_seconds(1)
    return clocked_web


def numbers(web: Web, path: str = "/api/telemetry", **query: str) -> list[int]:
    """Which of PUSHED are answered, in the order of the answer."""
    answer = web.request("GET", path, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return [AT.index(one) for one in map(received_ms, answer.json())]


def received_ms(entry: dict[str, str]) -> int:
    return next(time_ms for time_ms in AT if format_iso8601_ms(time_ms) == entry["receivedAt"])


@pytest.mark.parametrize("path", PATHS)
def test_a_host_is_found_by_the_name_that_its_series_have(pushed: Web, path: str) -> None:
    found = {name: numbers(pushed, path, hostname=name) for name in ("a", "b", "A", "c", "a ", "unknown")}

    assert found == {"a": [0, 2], "b": [1, 3], "A": [5], "c": [], "a ": [], "unknown": []}


@pytest.mark.parametrize("path", PATHS)
def test_times_are_those_of_receipt_and_belong_to_the_range(pushed: Web, path: str) -> None:
    second = BEGAN_MS // 1000
    for since in (str(second + 2), f"{second + 2}.000", str(AT[2]), format_iso8601_ms(AT[2])):
        assert numbers(pushed, path, since=since) == [2, 3, 4, 5]
        assert numbers(pushed, path, until=since) == [0, 1, 2]
        assert numbers(pushed, path, since=since, until=since) == [2]
    assert numbers(pushed, path, since=f"{second + 2}.001") == [3, 4, 5]
    assert numbers(pushed, path, until=str(AT[2] - 1)) == [0, 1]
    assert numbers(pushed, path, since=str(AT[4]), until=str(AT[1])) == []


def test_a_time_may_have_a_zone_or_none(pushed: Web) -> None:
    """2 February 2026, 02:40:00 UTC is when the first one was received."""
    for since in (
        "2026-02-02T02:40:02Z",
        "2026-02-02T02:40:02",
        "2026-02-02 03:40:02+01:00",
        "20260202T024002Z",
    ):
        assert numbers(pushed, since=since) == [2, 3, 4, 5]
    assert numbers(pushed, since="2026-02-02") == [0, 1, 2, 3, 4, 5]
    assert numbers(pushed, until="2026-02-02") == []


@pytest.mark.parametrize("path", PATHS)
def test_a_limit_keeps_the_newest_oldest_first(pushed: Web, path: str) -> None:
    assert numbers(pushed, path, limit="1") == [5]
    assert numbers(pushed, path, limit="3") == [3, 4, 5]
    assert numbers(pushed, path, limit="006") == [0, 1, 2, 3, 4, 5]
    assert numbers(pushed, path, limit="10000000") == [0, 1, 2, 3, 4, 5]
    assert numbers(pushed, path, limit="1", hostname="a") == [2]
    assert numbers(pushed, path, limit="2", until=str(AT[3])) == [2, 3]


def test_parameters_that_are_empty_or_not_known_ask_for_nothing(pushed: Web) -> None:
    whole = pushed.get("/api/telemetry").content

    for query in ("?", "?hostname=&since=&until=&limit=", "?host=a&page=2", "?Limit=1"):
        assert pushed.get(f"/api/telemetry{query}").content == whole


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "since",
            (
                "yesterday",
                "-1h",
                "nan",
                "inf",
                "1e9",
                "1_000",
                " 5",
                "2026-13-01",
                "9" * 30,
                "2026-02-02 03:40 01:00",
            ),
        ),
        ("until", ("now", "0x10", "1.2.3", "\u0665", "2026-02-30")),
        ("limit", ("0", "-1", "1.5", "all", "10000001", "9" * 5000, " 1", "\u0665", "+1")),
    ],
)
def test_a_wrong_value_is_refused_and_named(web: Web, path: str, name: str, values: Sequence[str]) -> None:
    for value in values:
        answer = web.request("GET", path, params={name: value})

        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json"), value
        assert answer.json()["detail"].startswith(f"{name} must be "), value
        assert len(answer.text) < 200, "a refusal never repeats what was sent"


def test_head_of_a_query_is_its_get_without_the_body(pushed: Web) -> None:
    head = pushed.request("HEAD", "/api/telemetry?hostname=a")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == pushed.get("/api/telemetry?hostname=a").headers
    assert pushed.request("HEAD", "/api/telemetry?limit=0").status_code == 400


def test_the_filters_are_documented(web: Web) -> None:
    document = web.get("/api/v1/openapi.json").json()

    for path in PATHS:
        read = document["paths"][path]["get"]
        assert [one["name"] for one in read["parameters"]] == ["hostname", "since", "until", "limit"]
        assert "400" in read["responses"]


@given(st.lists(NEAR_MISSES, max_size=6), st.sampled_from(["", "lab-7"]), st.integers(1, 4))
def test_every_entry_that_is_kept_can_be_looked_through(
    documents: list[dict[str, object]], hostname: str, limit: int
) -> None:
    entries = []
    for number, document in enumerate(documents):
        for sent in (document, {**document, "name": "lab-7", "source": None}):
            body = json.dumps(sent, ensure_ascii=False).encode()
            entry = DIALECT.decode(body, PushContext(AT[0] + number, "application/json")).entry
            assert entry is not None
            entries.append(entry)

    named = [entry for entry in entries if not hostname or json.loads(entry).get("name") == hostname]
    found = select_entries(entries, EntryFilter(hostname, AT[0], AT[5], limit))

    assert len(named) >= len(documents)
    assert list(found) == named[-limit:]


@given(st.text(), st.text(), st.text())
def test_any_text_is_read_or_refused(since: str, until: str, limit: str) -> None:
    try:
        wanted = read_filter("", since, until, limit)
    except ValueError as error:
        told = str(error)
    else:
        told = "what limit must be is kept"
        assert 1 <= wanted.limit <= MAX_ENTRIES

    assert " must be " in told
