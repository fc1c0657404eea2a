from __future__ import annotations

import itertools
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.gauges import DIALECT
from bench.http1 import HEAD_END
from bench.kinds import KINDS, PROXMOXVE, STATUSMONITOR
from bench.pushes import (
    FRESH,
    GAUGES,
    MAX_GAUGES,
    PIXELTRACKER,
    PUSHGATEWAY,
    TEN_GAUGES,
    VARIANTS,
    PushKind,
    core_kind,
    refreshed,
    request,
    shares,
    value,
)
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.pixeltracker import DIALECT as PIXELTRACKER_DIALECT
from pushgateway_bridge.errors import MalformedBody

NOW = 1_770_000_000.25
CONTEXT = PushContext(1_770_000_000_300, "application/json")
kinds = pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
compared_kinds = pytest.mark.parametrize(
    "kind", [GAUGES, PUSHGATEWAY, PIXELTRACKER, core_kind(29)], ids=lambda kind: kind.name
)


def split(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = raw.partition(HEAD_END)
    line, *headers = head.decode().split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), body


@kinds
def test_a_request_says_where_it_goes_and_how_long_it_is(kind: PushKind) -> None:
    line, headers, body = split(request(kind, 24000, 7, 0, NOW))

    assert line == f"{kind.method} {kind.path('host-00007')} HTTP/1.1"
    assert headers["Host"] == "127.0.0.1:24000"
    assert headers["Content-Length"] == str(len(body))


def test_both_sides_are_sent_the_same_ten_values() -> None:
    document = json.loads(GAUGES.body("host-00007", 14, NOW))
    text = PUSHGATEWAY.body("host-00007", 14, NOW).decode()
    pushed = {family.name: family.samples[0].value for family in text_string_to_metric_families(text)}

    assert pushed == document["gauges"] == {name: value(14, i) for i, name in enumerate(TEN_GAUGES)}


@pytest.mark.parametrize(("kind", "size"), [(GAUGES, 280), (PUSHGATEWAY, 460)], ids=["json", "text"])
def test_bodies_have_the_compared_sizes(kind: PushKind, size: int) -> None:
    assert abs(len(kind.body("host-00007", 14, NOW)) - size) <= size * 0.05


def test_the_bridge_reads_ten_samples_of_the_host() -> None:
    [group] = DIALECT.decode(GAUGES.body("host-00007", 14, NOW), CONTEXT).groups

    assert group.group == (("job", "benchmark"), ("instance", "host-00007"))
    assert [family.name for family, _ in group.shape] == list(TEN_GAUGES)
    assert group.values == [value(14, index) for index in range(10)]
    assert group.timestamp_ms == 1_770_000_000_250


@pytest.mark.parametrize("body", [b"", b"[]", b'{"host":"a","timestamp":1,"gauges":{"other":1}}'])
def test_the_bridge_refuses_anything_else(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        DIALECT.decode(body, CONTEXT)


def test_the_bridge_reads_six_samples_of_a_pixeltracker_agent() -> None:
    [group] = PIXELTRACKER_DIALECT.decode(PIXELTRACKER.body("host-00007", 14, NOW), CONTEXT).groups

    assert group.group == (("job", "pixeltracker"), ("instance", "host-00007"))
    assert len(group.values) == 6
    assert group.timestamp_ms == 1_770_000_000_250


@kinds
def test_variants_of_a_group_differ(kind: PushKind) -> None:
    first, second = (kind.body("host-00007", 14 + variant, NOW) for variant in range(VARIANTS))

    assert first != second


@compared_kinds
def test_variants_of_what_is_compared_are_equally_long(kind: PushKind) -> None:
    first, second = (request(kind, 24000, 7, variant, NOW) for variant in range(VARIANTS))

    assert len(first) == len(second)


@pytest.mark.parametrize("series", [1, 6, 10, 29, MAX_GAUGES])
def test_the_core_is_sent_as_many_gauges_as_are_wanted(series: int) -> None:
    [group] = DIALECT.decode(core_kind(series).body("host-00007", 14, NOW), CONTEXT).groups

    assert group.values == [value(14, index) for index in range(series)]
    assert len(set(group.shape)) == series


def test_a_token_stands_in_the_requests_of_its_group_only() -> None:
    first, second = shares(STATUSMONITOR, 24000, 3, 2, NOW, ["token-a", "token-b", "token-c"])

    sent = [[split(one)[1]["X-Agent-Token"] for one in share] for share in (first, second)]

    assert sent == [["token-a", "token-c"] * VARIANTS, ["token-b"] * VARIANTS]
    assert "X-Agent-Token" not in split(request(GAUGES, 24000, 3, 1, NOW, "token-a"))[1]


def test_no_two_rounds_of_a_share_have_the_same_number() -> None:
    share = (b"one " + FRESH, b"other " + FRESH)

    sent = list(itertools.islice(refreshed(share, NOW), 2000))

    numbers = [one.split()[1] for one in sent]
    assert [one.split()[0] for one in sent[:4]] == [b"one", b"other", b"one", b"other"]
    assert numbers[::2] == numbers[1::2]
    assert len(set(numbers)) == 1000
    assert {len(number) for number in numbers} == {len(FRESH)}


def test_no_two_runs_have_the_same_numbers() -> None:
    share = (FRESH,)
    first, second = (set(itertools.islice(refreshed(share, NOW + later), 1000)) for later in (0.0, 0.01))

    assert first.isdisjoint(second)


def test_an_execution_ends_as_the_one_that_it_began() -> None:
    """Its share's next round is another execution; the requests are as long as they say."""
    [share] = shares(PROXMOXVE, 24000, 3, 1, NOW)
    sent = [split(one) for one in itertools.islice(refreshed(share, NOW), 12)]
    documents = [json.loads(body) for _, _, body in sent]
    ids = [document["execution_id"] for document in documents]

    assert all(headers["Content-Length"] == str(len(body)) for _, headers, body in sent)
    assert [document["status"] == "installing" for document in documents] == [*(3 * [True] + 3 * [False])] * 2
    assert ids[:3] == ids[3:6]
    assert len(set(ids)) == 6


def test_every_value_differs_between_the_variants() -> None:
    for group in range(10_000):
        assert all(value(group * VARIANTS, i) != value(group * VARIANTS + 1, i) for i in range(10))


@pytest.mark.parametrize("groups", [64, 100, 1000])
def test_each_group_belongs_to_one_connection_in_both_variants(groups: int) -> None:
    sent = [one for share in shares(GAUGES, 24000, groups, 64, NOW) for one in share]

    assert sorted(sent) == sorted(
        request(GAUGES, 24000, group, variant, NOW) for group in range(groups) for variant in range(VARIANTS)
    )


def test_connections_share_what_are_too_few_groups() -> None:
    each = list(shares(GAUGES, 24000, 1, 3, NOW))

    assert each == [tuple(request(GAUGES, 24000, 0, variant, NOW) for variant in range(VARIANTS))] * 3
