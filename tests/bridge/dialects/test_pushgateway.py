from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from pushgateway_bridge.dialects.dialect import PushContext, Reply
from pushgateway_bridge.dialects.pushgateway import (
    CONTRADICTIONS,
    DIALECT,
    PROTOBUF,
    failed,
    failure_report,
    parse_time_to_live,
)
from pushgateway_bridge.dialects.pushgateway_outline import PUSH_FAILURE_TIME, PUSH_TIME, InconsistentPush
from pushgateway_bridge.dialects.pushgateway_path import grouping_key, parse_path
from pushgateway_bridge.errors import (
    REJECTIONS,
    Forbidden,
    JournalFull,
    MalformedBody,
    NameConflict,
    NotReady,
    OwnerConflict,
    PushRejected,
    RateLimited,
    ReservedJob,
    ReservedName,
    TypeConflict,
    WrongMethod,
)
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.report import GroupReport, Replaces, Report
from pushgateway_bridge.model.text import format_value, render_labels

CASES = Path(__file__).parent / "cases" / "pushgateway"
BODIES = sorted((*CASES.glob("*.txt"), *CASES.glob("*.hex")))
REFUSED = json.loads((CASES / "refused.json").read_text())
PATHS = json.loads((CASES / "paths.json").read_text())
RECEIVED_MS = 1_769_932_860_000
PATH = "/metrics/job/j"


def context(
    path: str = PATH, method: str = "POST", content_type: str = "text/plain", time_to_live: str = ""
) -> PushContext:
    return PushContext(RECEIVED_MS, content_type, path=path, method=method, time_to_live=time_to_live)


def group_of(report: Report) -> GroupReport:
    (group,) = report.groups
    return group


def decode_text(text: str, path: str = PATH) -> GroupReport:
    return group_of(DIALECT.decode(text.encode(), context(path)))


def series_line(family: Family, group: PushGroup, labels: LabelSet, value: float) -> str:
    """A line as it must be exposed: by its own name, and with its own instance if the group has none."""
    merged = {**dict(group), **dict(labels)}
    name = merged.pop("__name__", family.name)
    return f"{name}{{{render_labels(tuple(sorted(merged.items())))}}} {format_value(value)}\n"


def exposition_of(group: GroupReport) -> str:
    """What a scrape shows of a group that was pushed once."""
    text, shown = "", None
    values = [*group.values, *(0.0 for _ in group.initial)]
    for (family, labels), value in zip((*group.shape, *group.initial), values, strict=True):
        if family is not shown:
            help_ = family.help.replace("\\", "\\\\").replace("\n", "\\n")
            text += f"# HELP {family.name} {help_}\n" if help_ else ""
            text += f"# TYPE {family.name} {family.type.replace('unknown', 'untyped')}\n"
            shown = family
        text += series_line(family, group.group, labels, value)
    return text


def body_of(case: Path) -> tuple[bytes, PushContext]:
    if case.suffix == ".hex":
        return bytes.fromhex(case.read_text()), context(content_type=PROTOBUF)
    return case.read_bytes(), context()


@pytest.mark.parametrize("case", BODIES, ids=lambda case: case.name)
def test_body_gives_the_exposition_of_pushgateway(case: Path, update_golden: bool) -> None:
    body, sent = body_of(case)
    first, again = (exposition_of(group_of(DIALECT.decode(body, sent))) for _ in range(2))
    expected = case.with_suffix(".prom")
    if update_golden:
        expected.write_text(first)

    assert first == expected.read_text()
    assert again == first, "a body that is known gives what it gave when it was read"


def test_every_case_has_both_files() -> None:
    assert BODIES
    assert {case.stem for case in BODIES} == {file.stem for file in CASES.glob("*.prom")}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: repr(case.get("what") or case["text"]))
def test_body_is_refused_in_the_words_of_pushgateway(case: Mapping[str, object]) -> None:
    """Where its words are others, the case has them: it prints whole metrics, or it takes what nobody can read."""
    if "text" in case:
        body, sent = str(case["text"]).encode(), context()
    else:
        body, sent = bytes.fromhex(str(case["protobuf"])), context(content_type=PROTOBUF)

    with pytest.raises(MalformedBody) as refusal:
        DIALECT.decode(body, sent)

    reply = DIALECT.refuse(refusal.value)
    assert (reply.status, reply.body.decode()) == (case["status"], case["answer"])


@pytest.mark.parametrize("case", PATHS, ids=lambda case: str(case["path"]))
def test_path_gives_the_grouping_key_of_pushgateway(case: Mapping[str, object]) -> None:
    path = str(case["path"])
    if case["status"] == 200:
        assert [list(pair) for pair in grouping_key(path)] == case["group"]
        return

    with pytest.raises(MalformedBody) as refusal:
        parse_path(path)

    reply = DIALECT.refuse(refusal.value)
    assert (reply.status, reply.body.decode()) == (case["status"], case["answer"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/metrics/job/" + "a" * 1025, 'the value of label "job" is longer than 1024 bytes'),
        ("/metrics/job/a/b/" + "%C3%B6" * 513, 'the value of label "b" is longer than 1024 bytes'),
        (
            "/metrics/job/a/" + "/".join(f"l{i}/v" for i in range(40)),
            "more than 40 labels in the grouping key",
        ),
        ("", "expected a path"),
        ("/metrics/job/%F0%9F", 'the value of label "job" is no UTF-8'),
    ],
)
def test_key_that_is_too_large_or_no_key_is_refused(path: str, message: str) -> None:
    with pytest.raises(MalformedBody, match=message):
        parse_path(path)


def test_same_path_gives_the_same_group() -> None:
    """The store compares by identity first."""
    assert grouping_key("/metrics/job/a/b/c") is grouping_key("/metrics/job/a/b/c")


def test_bytes_that_are_no_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(MalformedBody, match=r"^text format parsing error in line 2: invalid UTF-8$"):
        DIALECT.decode(b'foo 1\nbar{a="\xff"} 1\n', context())


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/openmetrics-text",
        "application/json",
    ],
)
def test_every_other_media_type_is_read_as_text(content_type: str) -> None:
    group = group_of(DIALECT.decode(b"foo 1\n", context(content_type=content_type)))

    assert group == decode_text("foo 1\n")


def test_key_wins_over_labels_of_the_body() -> None:
    group = decode_text('foo{job="x",instance="y",zone="z",a="b"} 1\n', "/metrics/job/j/instance/i/zone/w")

    assert group.group == (("job", "j"), ("instance", "i"), ("zone", "w"))
    assert [labels for _, labels in group.shape] == [(("a", "b"),), ()]


def test_empty_value_in_the_key_takes_the_label_away() -> None:
    group = decode_text('foo{a="b",c="d"} 1\n', "/metrics/job/j/a@base64/=/instance/")

    assert group.group == (("job", "j"), ("instance", ""))
    assert group.shape[0][1] == (("c", "d"),)


def test_instance_of_the_body_stands_if_the_key_has_none() -> None:
    assert decode_text('foo{instance="own"} 1\n').shape[0][1] == (("instance", "own"),)
    assert decode_text('foo{instance="own"} 1\n', "/metrics/job/j/instance/").shape[0][1] == ()


@pytest.mark.parametrize("label", ["le", "quantile"])
def test_bound_in_the_key_is_refused_with_the_family_that_has_its_own(label: str) -> None:
    """Pushgateway takes it, and then shows lines that have the label twice."""
    type_ = {"le": "histogram", "quantile": "summary"}[label]

    with pytest.raises(InconsistentPush, match=f"two or more labels with the same name: {label}"):
        decode_text(f"# TYPE x {type_}\nx_count 1\n", f"/metrics/job/j/{label}/5")
    assert decode_text("x 1\n", f"/metrics/job/j/{label}/5").group[2] == (label, "5")


def test_method_says_what_is_replaced() -> None:
    put, post = (group_of(DIALECT.decode(b"foo 1\n", context(method=method))) for method in ("PUT", "POST"))

    assert (put.replaces, post.replaces) == (Replaces.GROUP, Replaces.FAMILIES)


def test_success_sets_its_time_and_leaves_that_of_the_last_failure() -> None:
    group = decode_text("foo 1\n")

    assert group.shape[-1] == (PUSH_TIME, ())
    assert group.values[-1] == RECEIVED_MS / 1000
    assert (PUSH_FAILURE_TIME, ()) not in group.shape
    assert group.initial == ((PUSH_FAILURE_TIME, ()),), "a new group has it, and it is 0"


def test_series_are_held_until_they_are_deleted_or_for_the_time_to_live_that_was_asked() -> None:
    held = decode_text("foo 1\n")
    limited = group_of(DIALECT.decode(b"foo 1\n", context(time_to_live="90.5")))

    assert (held.series_class, held.time_to_live_seconds) == (SeriesClass.HELD, math.inf)
    assert limited.time_to_live_seconds == 90.5


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e300"])
def test_time_to_live_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedBody, match="x-time-to-live-seconds must be a number of seconds above 0"):
        parse_time_to_live(text)


def test_push_whose_time_to_live_is_none_is_refused() -> None:
    with pytest.raises(MalformedBody, match=r'above 0, got "soon"$'):
        DIALECT.decode(b"foo 1\n", context(time_to_live="soon"))


def test_failure_sets_its_time_alone_if_the_group_is_held() -> None:
    group = grouping_key(PATH)

    held, first = (group_of(failure_report(group, RECEIVED_MS, held=held)) for held in (True, False))
    assert dict(zip(held.shape, held.values, strict=True)) == {(PUSH_FAILURE_TIME, ()): RECEIVED_MS / 1000}
    assert dict(zip(first.shape, first.values, strict=True)) == {
        (PUSH_FAILURE_TIME, ()): RECEIVED_MS / 1000,
        (PUSH_TIME, ()): 0.0,
    }
    assert {held.replaces, first.replaces} == {Replaces.NOTHING}


@pytest.mark.parametrize(
    ("text", "contradicts"),
    [("foo 1 5\n", True), ("foo 1\nfoo 2\n", True), ("foo\n", False), ("foo 1", False)],
)
def test_only_what_could_be_read_counts_as_a_failure_of_the_group(text: str, contradicts: bool) -> None:
    with pytest.raises(MalformedBody) as refusal:
        decode_text(text)

    report = failed(refusal.value, text.encode(), context(), lambda _group: True)
    assert isinstance(refusal.value, CONTRADICTIONS) is contradicts
    assert report == (failure_report(grouping_key(PATH), RECEIVED_MS, held=True) if contradicts else None)


def test_failure_asks_whether_its_own_group_is_held() -> None:
    asked: list[PushGroup] = []

    def is_held(group: PushGroup) -> bool:
        asked.append(group)
        return False

    report = failed(TypeConflict("why"), b"", context("/metrics/job/a/b/c"), is_held)

    group = grouping_key("/metrics/job/a/b/c")
    assert asked == [group]
    assert report == failure_report(group, RECEIVED_MS, held=False)


@pytest.mark.parametrize(
    "error", [RateLimited("why", 1), JournalFull("why"), Forbidden("why"), NotReady("why")]
)
def test_refusal_that_is_not_about_the_body_is_no_failure_of_the_group(error: PushRejected) -> None:
    assert failed(error, b"", context(), lambda _group: True) is None


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MalformedBody("job name is required"), 400, "job name is required"),
        (WrongMethod("PATCH is not known"), 405, "Method Not Allowed"),
        (JournalFull("no room"), 503, "no room"),
        (
            InconsistentPush("why"),
            400,
            "pushed metrics are invalid or inconsistent with existing metrics: why",
        ),
        *(
            (kind("why"), 400, "pushed metrics are invalid or inconsistent with existing metrics: why")
            for kind in (TypeConflict, NameConflict, OwnerConflict, ReservedJob, ReservedName)
        ),
    ],
)
def test_refusal_is_a_line_of_text(error: PushRejected, status: int, text: str) -> None:
    assert DIALECT.refuse(error) == Reply(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: str(rejection.reason))
def test_every_refusal_has_a_reply(rejection: type[PushRejected]) -> None:
    error = RateLimited("why", 1) if rejection is RateLimited else rejection("why \udcff")

    reply = DIALECT.refuse(error)

    assert reply.status == rejection.status
    assert reply.body.endswith(b"\n")


def test_accepted_reply_is_200_without_a_body() -> None:
    assert DIALECT.accepted == Reply(200, b"", "text/plain; charset=utf-8")


def test_same_series_give_the_same_shape_whatever_the_group_and_the_numbers() -> None:
    """The store compares by identity first."""
    first = decode_text("# HELP shape_a In the last 5\n# TYPE shape_a gauge\nshape_a 1\n", "/metrics/job/a")
    second = decode_text(
        "# HELP shape_a In the last 5\n# TYPE shape_a gauge\nshape_a -2.5e3\n", "/metrics/job/b"
    )

    assert second.shape is first.shape
    assert second.values[0] == -2500


def test_number_in_a_help_text_is_not_a_value() -> None:
    texts = [f"# HELP help_number Of {number}\nhelp_number 1\n" for number in ("5", "6")]

    helps = [decode_text(text).shape[0][0].help for text in [*texts, *texts]]

    assert helps == ["Of 5", "Of 6", "Of 5", "Of 6"]


@pytest.mark.parametrize(
    ("usual", "bad", "message"),
    [
        ("known_a 1\n", "known_a 1e999\n", "expected float as value"),
        ("known_b 1\n", "known_b 1e\n", "expected float as value"),
        (
            "# TYPE known_c summary\nknown_c_count 1\n",
            "# TYPE known_c summary\nknown_c_count -1\n",
            "negative",
        ),
        ('known_d{a="1"} 1\n', 'known_d{a="1"} --1\n', "expected float as value"),
    ],
)
def test_bad_number_in_a_known_body_is_refused(usual: str, bad: str, message: str) -> None:
    decode_text(usual)

    with pytest.raises(MalformedBody, match=message):
        decode_text(bad)


def test_key_decides_labels_of_a_known_body() -> None:
    body = 'known_e{zone="own"} 1\n'

    assert decode_text(body).shape[0][1] == (("zone", "own"),)
    assert decode_text(body, "/metrics/job/j/zone/z").shape[0][1] == ()


def test_end_of_a_series_cannot_be_pushed() -> None:
    """One NaN of many is what remote write says at a series' end; a usual one is kept in its place."""
    marker = bytes.fromhex("140a03666f6f1801220b120909020000000000f07f")

    for _ in range(2):
        value = group_of(DIALECT.decode(marker, context(content_type=PROTOBUF))).values[0]
        assert math.isnan(value)
        assert value.hex() == math.nan.hex()
        assert math.copysign(1, value) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"\n" * 100_001, "", "more than 100000 lines"),
        (b"".join(b"foo%d 1\n" % i for i in range(10_001)), "", "more than 10000 samples"),
        (b'foo{a="' + b"x" * 1025 + b'"} 1\n', "", 'the value of label "a" is longer than 1024 bytes'),
        (b"foo{" + b",".join(b'l%d="x"' % i for i in range(41)) + b"} 1\n", "", "more than 40 labels"),
        (b"foo{" + b'a="",' * 100_000 + b"} 1\n", "", "longer than 131072 characters"),
        (b"foo 1" + b"1" * 1024 + b"\n", "", "expected float as value"),
        (b"a" * 1025 + b" 1\n", "", "invalid metric name"),
        (b"foo{" + b"a" * 1025 + b'="x"} 1\n', "", "the label name .* is longer than 1024 bytes"),
        (b"\x00" * 500_001, PROTOBUF, "more than 500000 fields"),
        (b"\xff\xff\xff\xff\x7fxxxx", PROTOBUF, "unexpected EOF"),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else "",
)
def test_enormous_body_is_refused(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(MalformedBody, match=message) as refusal:
        DIALECT.decode(body, context(content_type=content_type))

    assert len(str(refusal.value)) < 300, "a refusal never repeats a whole body"


def test_long_help_text_is_cut() -> None:
    assert decode_text("# HELP foo " + "x" * 5000 + "\nfoo 1\n").shape[0][0].help == "x" * 1024
