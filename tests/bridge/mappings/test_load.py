from __future__ import annotations

import math
from pathlib import Path

import pytest

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.mappings.load import load_mappings, parse_mapping
from pushgateway_bridge.mappings.problems import MappingsInvalid
from pushgateway_bridge.model.family import SeriesClass

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.yml"))
GOOD = "metrics: [{name: a, path: $.a}]\n"


def problems_of(text: str, name: str = "some") -> str:
    """A line for each problem of a mapping; empty if it has none."""
    try:
        parse_mapping(text, name)
    except MappingsInvalid as error:
        return "".join(f"{problem}\n" for problem in error.problems)
    return ""


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_all_that_is_wrong_is_told_at_once(file: Path, update_golden: bool) -> None:
    told = problems_of(file.read_text(), file.stem)
    expected = file.with_suffix(".txt")
    if update_golden:
        expected.write_text(told)

    assert told == expected.read_text()
    assert "warning" not in told.partition("\n")[0]


def test_every_wrong_mapping_has_its_problems() -> None:
    folder = WRONG[0].parent

    assert [file.stem for file in WRONG] == sorted(file.stem for file in folder.glob("*.txt"))


def test_folder_gives_its_mappings_by_name(tmp_path: Path) -> None:
    (tmp_path / "room.yml").write_text(GOOD)
    (tmp_path / "shop-2.yml").write_text("description: All of it\nmetrics: [{name: b, path: $.b}]\n")
    (tmp_path / "notes.txt").write_text("not read")
    (tmp_path / ".hidden.yml").write_text("not: read")
    (tmp_path / "deeper").mkdir()

    mappings = load_mappings(tmp_path)

    assert list(mappings.by_name) == ["room", "shop-2"]
    assert mappings.by_name["shop-2"].description == "All of it"
    assert mappings.warnings == ()


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("metrics: [{name: x, path: $.a}]\n")
    (tmp_path / "b.yml").write_text("\n\nmetrics: [{name: x, path: $.a, operation: distinct}]\n")
    (tmp_path / "c.yml").write_text("colour: red\nmetrics: [{name: c, path: $.c}]\n")
    (tmp_path / "Not A Name.yml").write_text(GOOD)
    (tmp_path / "latin1.yml").write_bytes(b"metrics:\n# \xe4\n")
    (tmp_path / "d.yaml").write_text("metrics: [{name: d, path: $.d}]")
    (tmp_path / "d.yml").write_text(GOOD)
    (tmp_path / "huge.yml").write_text("#" * (2**20 + 1))
    (tmp_path / "folder.yml").mkdir()

    with pytest.raises(MappingsInvalid) as refusal:
        load_mappings(tmp_path)

    assert [str(problem) for problem in refusal.value.problems] == [
        "Not A Name.yml: a mapping's name has a-z, 0-9, _ and - only, at most 64, and begins with a letter or "
        "digit; as 'not-a-name.yml'",
        "b.yml:3: metrics[0].name: 'x' has operation distinct here, and set as 'x' (metrics[0] in a.yml:1); choose "
        "another name",
        "c.yml:1: colour: unknown key; known are description, identity, time, idempotency, time_to_live, items, "
        "strict, labels, metrics",
        "d.yml: has the name of d.yaml; keep one of them",
        "folder.yml: Is a directory",
        "huge.yml: has 1048577 bytes, more than 1048576",
        "latin1.yml:2: is no UTF-8",
    ]
    assert isinstance(refusal.value, StartFailed)
    assert str(refusal.value).endswith("(and 6 more)")
    assert "\n" not in str(refusal.value)


def test_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(MappingsInvalid, match=r"mappings\.directory: No such file or directory"):
        load_mappings(tmp_path / "nowhere")


def test_warnings_do_not_keep_a_mapping_from_being_used(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("metrics: [{name: logins, path: $.a, operation: add}]\n")

    (warning,) = load_mappings(tmp_path).warnings

    assert str(warning) == (
        "a.yml:1: warning: metrics[0].name: a counter's name ends with _total, as 'logins_total'"
    )


@pytest.mark.parametrize(
    ("time_to_live", "series_class", "seconds"),
    [
        ("300s", SeriesClass.HELD, 300.0),
        ("240", SeriesClass.POINT, 240.0),
        ("1.5m", SeriesClass.POINT, 90.0),
        ("2h", SeriesClass.HELD, 7200.0),
        ("1d", SeriesClass.HELD, 86400.0),
        ("keep", SeriesClass.HELD, math.inf),
    ],
)
def test_time_to_live_fixes_the_class(time_to_live: str, series_class: SeriesClass, seconds: float) -> None:
    mapping = parse_mapping(f"time_to_live: {time_to_live}\n{GOOD}", "m")

    assert (mapping.series_class, mapping.time_to_live_seconds) == (series_class, seconds)


def test_paths_of_items_need_no_quotes() -> None:
    mapping = parse_mapping("items: $.a[*]\nmetrics: [{name: a, path: @.b.*, labels: {c: @.d}}]\n", "m")

    assert [metric.shown_path for metric in mapping.metrics] == ["@.b.*"]


def test_words_of_values_are_texts_even_where_yaml_has_another_meaning() -> None:
    mapping = parse_mapping("metrics: [{name: a, path: $.a, values: {on: 1, off: 0, true: 1, 5: 2}}]", "m")

    assert mapping.metrics[0].values == {"on": 1.0, "off": 0.0, "true": 1.0, "5": 2.0}


def test_anchors_may_be_used_and_a_loop_of_them_ends() -> None:
    assert "expected" in problems_of("metrics: &a [*a]\n")
    assert problems_of("metrics: [{name: a, path: &p $.a}, {name: b, path: *p}]\n") == ""


def test_both_endings_of_yaml_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("metrics: [{name: a, path: $.a}]\n")
    (tmp_path / "b.yaml").write_text("metrics: [{name: b, path: $.b}]\n")

    assert [*load_mappings(tmp_path).by_name] == ["a", "b"]
