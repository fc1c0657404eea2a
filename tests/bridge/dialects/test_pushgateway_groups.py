"""Several groups in one Pushgateway push: the same as a push of each."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, PushLimits
from pushgateway_bridge.dialects.pushgateway import DIALECT, PROTOBUF, decode, failed, failure_report
from pushgateway_bridge.dialects.pushgateway_groups import parse_groups_path
from pushgateway_bridge.dialects.pushgateway_outline import InconsistentPush
from pushgateway_bridge.errors import MalformedBody, TypeConflict
from pushgateway_bridge.model.labels import PushGroup, make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Replaces

RECEIVED_MS = 1_769_932_860_000
GROUPS = "/api/v1/groups"
HISTOGRAM = (
    "# TYPE took_seconds histogram\n"
    'took_seconds_bucket{{{0},le="1"}} 1\ntook_seconds_bucket{{{0},le="+Inf"}} 2\n'
    "took_seconds_sum{{{0}}} 3.5\ntook_seconds_count{{{0}}} 2\n"
)


def context(path: str = GROUPS, method: str = "PUT", content_type: str = "text/plain") -> PushContext:
    return PushContext(RECEIVED_MS, content_type, path=path, method=method)


def groups_of(body: str, path: str = GROUPS) -> dict[PushGroup, GroupReport]:
    report = decode(body.encode(), context(path))
    assert report.accepted == len(report.groups)
    return {one.group: one for one in report.groups}


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def label(name: str, value: str) -> bytes:
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def gauge(name: str, *metrics: dict[str, str]) -> bytes:
    """A MetricFamily in protobuf whose metrics have 1, 2, 3 …"""
    family = field(1, name.encode()) + b"\x18\x01"
    for number, labels in enumerate(metrics, 1):
        value = b"\x12\x09\x09" + struct.pack("<d", number)
        family += field(4, b"".join(label(*pair) for pair in labels.items()) + value)
    return bytes([len(family)]) + family


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (GROUPS, {"job", "instance"}),
        (f"{GROUPS}/", {"job", "instance"}),
        (f"{GROUPS}/by/instance", {"job", "instance"}),
        (f"{GROUPS}/by/job", {"job"}),
        (f"{GROUPS}/by/shard/instance/", {"job", "instance", "shard"}),
        (f"{GROUPS}/by/sh%61rd", {"job", "shard"}),
    ],
)
def test_path_says_which_labels_tell_groups_apart(path: str, names: set[str]) -> None:
    assert parse_groups_path(path) == names


MANY_LABELS = "".join(f"/label{n}" for n in range(41))


@pytest.mark.parametrize(
    "end",
    [
        *("x", "/x", "/job/a", "//", "/by", "/by/", "/by//a", "/by/a//"),
        *("/by/a-b", "/by/__name__", "/by/%", "/by/%ff", f"/by{MANY_LABELS}"),
    ],
)
def test_other_paths_are_refused(end: str) -> None:
    with pytest.raises(MalformedBody):
        decode(b"", context(f"{GROUPS}{end}"))


LABELS = st.fixed_dictionaries(
    {"job": st.sampled_from("ab")},
    optional={name: st.sampled_from(["", "x", "y"]) for name in ("instance", "shard", "own")},
)
METRICS = st.lists(
    LABELS, max_size=6, unique_by=lambda labels: frozenset((k, v) for k, v in labels.items() if v)
)
BY = st.sets(st.sampled_from(["instance", "shard"]))


def line(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


@given(METRICS, METRICS, METRICS, BY, st.sampled_from(["PUT", "POST"]))
def test_each_group_is_what_a_push_of_it_alone_would_be(
    gauges: list[dict[str, str]],
    counters: list[dict[str, str]],
    histograms: list[dict[str, str]],
    by: set[str],
    method: str,
) -> None:
    def text_of(wanted: PushGroup | None) -> str:
        lines = {"depth": "", "runs_total": "", "took_seconds": ""}
        number = 0
        for name, metrics in zip(lines, (gauges, counters, histograms), strict=True):
            for labels in metrics:
                number += 1
                if wanted not in (None, group_of(labels)):
                    continue
                if name == "took_seconds":
                    text = HISTOGRAM.format(line(labels))
                    lines[name] += text if not lines[name] else text.partition("\n")[2]
                else:
                    lines[name] += f"{name}{{{line(labels)}}} {number}\n"
        return "".join(lines.values())

    def group_of(labels: dict[str, str]) -> PushGroup:
        kept = {name: value for name, value in labels.items() if name in by}
        return make_push_group(labels["job"], kept.pop("instance", ""), make_label_set(kept))

    path = GROUPS + "/by/" + "/".join(sorted(by) or ["job"])
    for _ in range(2):  # the second time the body is known
        report = decode(text_of(None).encode(), context(path, method))
        assert {one.group for one in report.groups} == {
            group_of(labels) for labels in (*gauges, *counters, *histograms)
        }
        for one in report.groups:
            own = "".join(f"/{name}/{value}" for name, value in one.group[1:] if value)
            unsaid = "".join(f"/{name}@base64/=" for name in sorted(by - {name for name, _ in one.group}))
            if "instance" in by and not dict(one.group)["instance"]:
                unsaid += "/instance@base64/="
            alone = f"/metrics/job/{one.group[0][1]}{own}{unsaid}"
            assert one == decode(text_of(one.group).encode(), context(alone, method)).groups[0]


def test_known_body_gives_the_same_shapes_with_its_own_numbers() -> None:
    body = 'a{job="x"} 1\na{job="y"} 2\nb{job="x"} 3\n'
    first = groups_of(body)
    second = groups_of(body.replace("2", "5"))

    for group, report in first.items():
        assert second[group].shape is report.shape
    assert [report.values[:-1] for report in second.values()] == [[1, 3], [5]]
    assert all(report.values[-1] == RECEIVED_MS / 1000 for report in second.values())


def test_protobuf_is_split_as_text_is() -> None:
    body = gauge("a", {"job": "x", "own": "1"}, {"job": "y", "instance": "i"}) + gauge("b", {"job": "x"})
    for _ in range(2):
        report = decode(body, context(content_type=PROTOBUF))
        text = (
            '# TYPE a gauge\na{job="x",own="1"} 1\na{job="y",instance="i"} 2\n# TYPE b gauge\nb{job="x"} 1\n'
        )
        assert {one.group: one for one in report.groups} == groups_of(text)


def test_nothing_is_no_group() -> None:
    assert groups_of("") == groups_of("# TYPE a gauge\n") == {}
    assert groups_of('push_time_seconds{job="x"} 1\n') == {}


@pytest.mark.parametrize("labels", ["", '{instance="i"}', '{job=""}'])
def test_metric_without_a_job_is_refused(labels: str) -> None:
    with pytest.raises(MalformedBody, match='"b" has a metric without the label job') as refusal:
        groups_of(f'a{{job="x"}} 1\nb{labels} 1\n')

    assert not isinstance(refusal.value, InconsistentPush)
    assert failed(refusal.value, b"", context(), lambda _group: True) is None


def test_samples_of_all_groups_count_together() -> None:
    body = b"".join(b'a{job="j%d"} 1\n' % n for n in range(4))
    with pytest.raises(MalformedBody, match="more than 3 samples"):
        decode(body, PushContext(0, path=GROUPS, limits=PushLimits(max_items=3)))


def test_put_replaces_groups_and_post_families() -> None:
    replaces = {
        method: [
            one.replaces for one in decode(b'a{job="x"} 1\na{job="y"} 1\n', context(method=method)).groups
        ]
        for method in DIALECT.methods
    }

    assert replaces == {"PUT": [Replaces.GROUP] * 2, "POST": [Replaces.FAMILIES] * 2}


FAILED = [make_push_group("x", ""), make_push_group("y", "i")]


@pytest.mark.parametrize(
    "last",
    ['a{job="x"} 2\n', 'b{job="x"} 1 5\n', 'b{job="x",__a="1"} 1\n', 'b{job="x"} 1\nb{job="x",own=""} 2\n'],
)
def test_failure_is_of_every_group_of_a_push_that_contradicts_itself(last: str) -> None:
    body = f'a{{job="x"}} 1\na{{job="y",instance="i"}} 2\n{last}'
    with pytest.raises(InconsistentPush) as refusal:
        groups_of(body)

    report = failed(refusal.value, b"", context(), lambda group: group == FAILED[0])
    assert report is not None
    assert list(report.groups) == [
        *failure_report(FAILED[0], RECEIVED_MS, held=True).groups,
        *failure_report(FAILED[1], RECEIVED_MS, held=False).groups,
    ]


def test_failure_is_of_every_group_of_a_push_that_contradicts_the_state() -> None:
    body = b'a{job="x"} 1\na{job="y",instance="i"} 2\n'

    report = failed(TypeConflict("why"), body, context(), lambda _group: True)
    assert report is not None
    assert [one.group for one in report.groups] == FAILED
    assert failed(TypeConflict("why"), b"", context(), lambda _group: True) is None


def test_timestamps_without_a_job_are_no_failure_of_anybody() -> None:
    with pytest.raises(InconsistentPush) as refusal:
        groups_of('a{job="x"} 1\nb 1 5\n')

    assert failed(refusal.value, b"", context(), lambda _group: True) is None
