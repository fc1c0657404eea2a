"""Selecting, sorting and paging."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.alerts.query import (
    MAX_LIMIT,
    SORTS,
    BadParameter,
    Entry,
    deletion,
    page_query,
    rfc3339,
    unix_ms,
)
from tests.bridge.alerts.told import Kept, told

START_MS = 1_769_990_000_000


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Three alerts: a ended, b fires on two disks."""
    with Kept(tmp_path) as kept:
        kept.tell(
            told(START_MS, START_MS + 60_000, instance="a", alertname="CpuHigh", job="x"),
            told(START_MS + 30_000, instance="b", disk="sda", severity="warning"),
            told(START_MS + 90_000, instance="b", disk="sdb"),
        )
        yield kept


def named(entries: list[Entry]) -> list[str]:
    """Instance and disk of each."""
    labels = [msgspec.json.decode(entry.labels, type=dict[str, str]) for entry in entries]
    return [one["instance"] + one.get("disk", "") for one in labels]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["bsdb", "bsda", "a"]),
        ({"alertname": "CpuHigh"}, ["a"]),
        ({"job": "node"}, ["bsdb", "bsda"]),
        ({"instance": "b", "severity": "warning"}, ["bsda"]),
        ({"status": "firing"}, ["bsdb", "bsda"]),
        ({"status": "resolved"}, ["a"]),
        ({"label__disk": "sda"}, ["bsda"]),
        ({"label__disk": ""}, ["a"]),
        ({"label__instance": "a"}, ["a"]),
        ({"label__no such label": "x"}, []),
        ({"instance": "' OR 1=1 --"}, []),
        ({"to": rfc3339(START_MS + 30_000)}, ["bsda", "a"]),
        ({"from_": rfc3339(START_MS + 60_000)}, ["bsdb", "bsda", "a"]),
        ({"from_": rfc3339(START_MS + 60_001)}, ["bsdb", "bsda"]),
        ({"from_": f"{START_MS / 1000 + 70}", "to": f"{START_MS / 1000 + 80}"}, ["bsda"]),
        ({"sort": "starts_at"}, ["a", "bsda", "bsdb"]),
        ({"sort": "ends_at"}, ["a", "bsda", "bsdb"]),
        ({"sort": "-ends_at"}, ["bsdb", "bsda", "a"]),
        ({"sort": "duration"}, ["a", "bsdb", "bsda"]),
        ({"sort": "-duration"}, ["bsda", "bsdb", "a"]),
        ({"sort": "alertname"}, ["a", "bsda", "bsdb"]),
        ({"sort": "-alertname"}, ["bsdb", "bsda", "a"]),
        ({"limit": "1"}, ["bsdb"]),
    ],
)
def test_parameters_select_and_sort(parameters: dict[str, str], found: list[str], kept: Kept) -> None:
    assert named(kept.entries(**parameters)) == found


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"form": "1"}, "unknown parameter 'form': known are from, to, alertname, job, instance, severity, "),
        ({"label.": "1"}, "unknown parameter 'label.': known are"),
        (
            {"from": "yesterday"},
            "from: expected Unix seconds, or a time such as 2026-02-01T12:00:00Z, got 'yest",
        ),
        ({"to": "2026-02-01T12:00:00"}, "to: expected Unix seconds, or a time such as"),
        ({"to": "nan"}, "to: expected Unix seconds"),
        ({"to": "-1"}, "to: expected Unix seconds"),
        ({"to": "1e300"}, "to: expected Unix seconds"),
        ({"status": "open"}, "status: expected firing or resolved, got 'open'"),
        ({"limit": "0"}, "limit: expected a number from 1 to 1000, got '0'"),
        ({"limit": "1001"}, "limit: expected a number from 1 to 1000"),
        ({"limit": "ten"}, "limit: expected a number from 1 to 1000"),
        ({"limit": "٣"}, "limit: expected a number from 1 to 1000"),
        ({"sort": "id"}, "sort: expected one of starts_at, ends_at, duration, alertname, with - before it"),
        ({"sort": "--starts_at"}, "sort: expected one of"),
        ({"cursor": "x"}, "cursor: expected the next_cursor of an earlier answer"),
        ({"cursor": "é"}, "cursor: expected the next_cursor of an earlier answer"),
        ({"before": "1"}, "unknown parameter 'before'"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(parameters: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        page_query(parameters.items(), START_MS)

    assert str(refusal.value).startswith(complaint)


@pytest.mark.parametrize("twice", [("job", "job"), ("job", "label.job"), ("label.x", "label.x")])
def test_a_parameter_that_comes_twice_is_refused(twice: tuple[str, str]) -> None:
    with pytest.raises(BadParameter, match="it was given more than once"):
        page_query([(name, "1") for name in twice], START_MS)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, "say what to delete"),
        ({"all": "yes"}, "all: expected true, got 'yes'"),
        ({"all": "true", "job": "x"}, "all: it deletes everything, so nothing else may be said"),
        ({"limit": "1"}, "unknown parameter 'limit'"),
        ({"cursor": "x"}, "unknown parameter 'cursor'"),
        ({"before": "soon"}, "before: expected Unix seconds"),
    ],
)
def test_a_deletion_says_of_what(parameters: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        deletion(parameters.items())

    assert str(refusal.value).startswith(complaint)


@pytest.mark.parametrize(
    "text", ["1769990000", "1769990000.0", "2026-02-01T23:53:20Z", "2026-02-02T01:53:20.000+02:00"]
)
def test_a_time_is_unix_seconds_or_rfc_3339(text: str) -> None:
    assert unix_ms("to", text) == START_MS


# Pages


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", SORTS)
def test_pages_are_the_whole_and_nothing_twice(key: str, sign: str, tmp_path: Path) -> None:
    """Many have the same key, and more come in while one pages: those need not be there, all others must."""
    with Kept(tmp_path) as kept:
        for number in range(60):
            begin = START_MS + number % 7 * 1000
            end = None if number % 3 else begin + number % 5 * 1000
            kept.tell(told(begin, end, instance=f"old-{number}", alertname=f"A{number % 4}"))
        whole = named(kept.entries(sort=sign + key, limit="1000"))
        paged: list[str] = []
        cursor: str | None = ""
        for number in count():
            parameters = {"sort": sign + key, "limit": "7"} | ({"cursor": cursor} if cursor else {})
            page = kept.run(kept.history.page(page_query(parameters.items(), kept.clock.now_ms())))
            paged += named(page.alerts)
            if (cursor := page.next_cursor) is None:
                break
            kept.clock.pass_seconds(1)
            kept.tell(told(START_MS + number % 9 * 1000, instance=f"new-{number}", alertname="A2"))

    assert len(paged) == len(set(paged))
    assert [one for one in paged if one.startswith("old")] == whole
    assert len(whole) == 60


def test_the_last_page_says_that_it_is(kept: Kept) -> None:
    page = kept.run(kept.history.page(page_query([("limit", "3")], START_MS)))

    assert (len(page.alerts), page.next_cursor) == (3, None)


def test_a_cursor_continues_its_own_sort_only(kept: Kept) -> None:
    page = kept.run(kept.history.page(page_query([("limit", "1")], START_MS)))
    assert page.next_cursor is not None

    with pytest.raises(
        BadParameter, match="cursor: it continues sort=-starts_at, so sort must be that, got 'durat"
    ):
        page_query([("cursor", page.next_cursor), ("sort", "duration")], START_MS)


CURSORS = st.tuples(
    st.sampled_from(["-starts_at", "starts_at", "alertname"]),
    st.integers() | st.none(),
    st.integers() | st.text() | st.floats(),
    st.integers() | st.booleans(),
).map(lambda parts: base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode())


@given(cursor=CURSORS | st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@pytest.mark.parametrize("sort", ["-starts_at", "alertname"])
def test_any_cursor_is_good_or_refused(
    sort: str, cursor: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        query = page_query([("cursor", cursor), ("sort", sort)], START_MS)
    except BadParameter:
        return

    with Kept(tmp_path_factory.mktemp("kept")) as kept:
        kept.tell(told(START_MS))
        assert len(kept.run(kept.history.page(query)).alerts) <= MAX_LIMIT
