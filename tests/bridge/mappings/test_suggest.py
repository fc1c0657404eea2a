"""A suggested mapping loads, and makes a series of every number that it names."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pushgateway_bridge.cli import main
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.mappings.suggest import NothingToMeasure, suggest

NOW_MS = 1_770_000_000_000
BODY = {
    "device": "gh1",
    "site": "north",
    "ts": NOW_MS // 1000,
    "tempCelsius": 21.5,
    "responseMs": 340,
    "disk": {"used percent": 40},
    "queues": [{"name": "a", "length": 3}, {"name": "b", "length": 9}],
    "cores": [1, 2],
    "requestId": "x-1",
    "note": "a long text " * 10,
    "serial": "00123",
}
Shown = dict[tuple[str, tuple[tuple[str, str], ...]], float | None]


def series_of(text: str, document: object) -> Shown:
    mapped = MappedPushes(Mappings({"x": parse_mapping(text, "x")}, ()), lambda: b"x" * 32)
    explained = mapped.explain("x", msgspec.json.encode(document), PushContext(NOW_MS, "application/json"))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in explained.series}


def test_names_units_identity_and_time_are_guessed_from_names() -> None:
    text = suggest(BODY, "green")
    series = series_of(text, BODY)

    named = {name: value for (name, _), value in series.items()}
    assert named["green_temp_celsius"] == 21.5
    assert named["green_response_seconds"] == 0.34
    assert named["green_disk_used_ratio"] == 0.4
    assert named["green_serial"] == 123
    labels = [dict(labels) for name, labels in series if name == "green_queues_length"]
    assert [one["index"] for one in labels] == ["0", "1"]
    assert all((one["job"], one["instance"], one["site"]) == ("green", "gh1", "north") for one in labels)
    assert 'time: "$.ts"' in text
    assert "# left out: $.requestId: looks like an id" in text
    assert "# left out: $.note: a long text" in text


@pytest.mark.parametrize(
    "body", [[{"host": "a", "load": 1}], {"site": "n", "rows": [{"host": "a", "load": 1}]}]
)
def test_a_list_of_objects_alone_is_the_items(body: object) -> None:
    text = suggest(body, "x")

    assert "items:" in text
    assert [(name, dict(labels)["instance"]) for name, labels in series_of(text, body)] == [("x_load", "a")]


@pytest.mark.parametrize("body", [{}, [], {"a": "text"}, None, "x", {"a": []}, {"ts": 1}, {"id": 5}])
def test_a_body_without_a_number_gives_no_mapping(body: object) -> None:
    with pytest.raises(NothingToMeasure):
        suggest(body, "x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_whatever_is_suggested_loads(body: object) -> None:
    try:
        text = suggest(body, "x")
    except NothingToMeasure:
        return

    mapped = MappedPushes(Mappings({"x": parse_mapping(text, "x")}, ()), lambda: b"x" * 32)
    # A time of long ago, say: the mapping is right, the example is not of now.
    with contextlib.suppress(PushRejected):
        explained = mapped.explain("x", msgspec.json.encode(body), PushContext(NOW_MS, "application/json"))
        assert explained.series or explained.refused


def test_the_commands_lead_from_a_body_to_series(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    body = tmp_path / "green.json"
    body.write_text(json.dumps({"device": "gh1", "temp": 21.5}))
    suggested = CliRunner().invoke(main, ["suggest", str(body)])
    assert suggested.exit_code == 0
    (tmp_path / "mappings" / "green.yml").write_text(suggested.stdout)

    folder = f"--mappings.directory={tmp_path / 'mappings'}"
    explained = CliRunner().invoke(main, ["explain", "green", str(body), folder])
    assert explained.exit_code == 0
    line = next(n for n, text in enumerate(suggested.stdout.splitlines(), 1) if "green_temp" in text)
    shown = f'green_temp{{job="green",instance="gh1"}} 21.5  # item 0, set, green.yml:{line}'
    assert shown in explained.stdout
    assert explained.stdout.endswith("1 accepted, 0 refused\n")

    body.write_text(json.dumps({"device": "gh1", "temp": "hot"}))
    refused = CliRunner().invoke(main, ["explain", "green", str(body), folder])
    assert refused.exit_code == 1
    assert "refused: item 0: wrong_type" in refused.stdout
    checked = CliRunner().invoke(main, ["check-config", f"--journal.directory={tmp_path}", folder])
    assert f"mappings.directory: 1 mappings in {tmp_path / 'mappings'}" in checked.stdout


def test_the_commands_say_what_is_wrong_and_where(tmp_path: Path) -> None:
    body = tmp_path / "green.json"
    body.write_text("{}")
    (tmp_path / "mappings").mkdir()
    folder = f"--mappings.directory={tmp_path / 'mappings'}"
    (tmp_path / "mappings" / "green.yml").write_text("metrics:\n  - {nam: x}\n  - {name: y, pth: $.x}\n")
    wrong = CliRunner().invoke(main, ["check-config", f"--journal.directory={tmp_path}", folder])
    assert wrong.exit_code == 3
    assert "green.yml:2" in wrong.stderr
    assert "green.yml:3" in wrong.stderr
    assert "did you mean 'path'?" in wrong.stderr
    assert CliRunner().invoke(main, ["explain", "green", str(body), folder]).exit_code == 3
    assert CliRunner().invoke(main, ["explain", "green", str(body)]).exit_code == 3
    assert CliRunner().invoke(main, ["suggest", str(tmp_path / "none.json")]).exit_code == 3
