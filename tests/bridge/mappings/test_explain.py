from __future__ import annotations

from pathlib import Path

import msgspec

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.explain import Explanation
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes

CASES = Path(__file__).parent / "cases"
CONTEXT = PushContext(1_769_932_860_000, "application/json")


def explained(text: str, body: bytes) -> Explanation:
    pushes = MappedPushes(Mappings({"m": parse_mapping(text, "m")}), lambda: b"secret")
    return pushes.explain("m", body, CONTEXT)


def test_each_series_names_the_line_that_it_comes_from() -> None:
    text = (CASES / "greenhouse/mapping.yml").read_text()
    lines = text.splitlines()

    explanation = explained(text, (CASES / "greenhouse/everything.json").read_bytes())

    assert len(explanation.series) == 12
    for series in explanation.series:
        assert f"name: {series.name}," in lines[series.line - 1]
    assert {series.key for series in explanation.series} == {f"metrics[{number}]" for number in range(7)}
    assert explanation.unmatched == []


def test_explanation_is_json_with_all_that_would_be_stored() -> None:
    text = """
time_to_live: 5m
idempotency: $.id
metrics:
  - {name: a_seconds, path: $.a, from: ms, labels: {b: $.b}}
  - {name: users, path: $.user, operation: distinct}
  - {name: never, path: $.never}
"""
    explanation = explained(text, b'{"a":250,"b":"x","user":"anna","id":1}')

    assert msgspec.json.decode(msgspec.json.encode(explanation)) == {
        "mapping": "m",
        "file": "m.yml",
        "accepted": 1,
        "series": [
            {
                "item": 0,
                "name": "a_seconds",
                "labels": {"job": "m", "instance": "", "b": "x"},
                "value": 0.25,
                "type": "gauge",
                "operation": "set",
                "unit": "seconds",
                "timestamp_ms": None,
                "line": 5,
                "key": "metrics[0]",
            },
            {
                "item": 0,
                "name": "users",
                "labels": {"job": "m", "instance": ""},
                "value": None,
                "type": "gauge",
                "operation": "distinct",
                "unit": "",
                "timestamp_ms": None,
                "line": 6,
                "key": "metrics[1]",
            },
        ],
        "series_total": 2,
        "refused": [],
        "refused_total": 0,
        "unmatched": [{"name": "never", "path": "$.never", "line": 7, "key": "metrics[2]"}],
        "series_class": "held",
        "time_to_live_seconds": 300.0,
        "idempotency_key": True,
    }


def test_all_that_is_wrong_with_an_item_is_told_with_its_lines() -> None:
    text = """
items: $[*]
labels:
  zone: {path: "@.zone", required: true}
metrics:
  - {name: a, path: "@.a"}
  - {name: b, path: "@.b", required: true}
  - {name: c, path: "@.c"}
"""
    explanation = explained(text, b'[{"zone":1,"a":"x","c":[]},{"a":1},{"zone":1,"a":1,"b":2},{"zone":2}]')

    assert [(one.item, one.reason, one.line, one.key) for one in explanation.refused] == [
        (0, "wrong_type", 6, "metrics[0]"),
        (0, "no_match", 7, "metrics[1]"),
        (0, "wrong_type", 8, "metrics[2]"),
        (1, "no_match", 4, "labels.zone.path"),
        (3, "no_match", 7, "metrics[1]"),
    ]
    assert explanation.accepted == 1
    assert [(one.item, one.name) for one in explanation.series] == [(2, "a"), (2, "b")]


def test_body_in_which_nothing_matched_names_the_paths() -> None:
    explanation = explained("metrics: [{name: a, path: $.a}, {name: b, path: $.b.c}]", b'{"A":1,"b":{}}')

    (refusal,) = explanation.refused
    assert (refusal.reason, refusal.key) == ("no_match", "metrics")
    assert "$.a, $.b.c" in refusal.message
    assert [one.path for one in explanation.unmatched] == ["$.a", "$.b.c"]


def test_explanation_of_a_large_body_is_short() -> None:
    body = msgspec.json.encode([*range(1500), *["x"] * 500])
    text = "items: $[*]\nlabels: {x: {key: true}}\nmetrics: [{name: a, path: '@'}]"

    explanation = explained(text, body)

    assert (explanation.accepted, explanation.series_total, explanation.refused_total) == (1500, 1500, 500)
    assert (len(explanation.series), len(explanation.refused)) == (1000, 100)
