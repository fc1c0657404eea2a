"""Decoders made for bodies that have the fields of one body, no more and no fewer."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import msgspec
import pytest

from pushgateway_bridge.dialects.layout import LARGEST_EXACT, MAX_FIELDS, MAX_LAYOUTS, MAX_TEXT, Layouts

DOCUMENT = {
    "name": "a",
    "load": 1,
    "swap": None,
    "disks": [{"size": 2.5}, {"size": 3}],
    "cores": [],
    "cpu": {"percent": 5},
}


def decoded(document: dict[str, Any], other: object, layouts: Layouts | None = None) -> Any:
    """*other*, as it is read by who knows *document*. Raises DecodeError."""
    decoder = (layouts or Layouts({})).decoder_of(json.dumps(document).encode())
    assert decoder is not None
    return decoder.decode(json.dumps(other).encode())


def test_a_body_of_the_layout_is_read_as_structs_of_floats_and_texts() -> None:
    read = decoded(DOCUMENT, {**DOCUMENT, "name": "b", "load": 7})

    assert read.name == "b"
    assert read.load == 7
    assert type(read.load) is float
    assert read.swap is None
    assert [disk.size for disk in read.disks] == [2.5, 3.0]
    assert read.cores == []
    assert read.cpu.percent == 5


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"name": None},
        {"name": "x" * (MAX_TEXT + 1)},
        {"load": "1"},
        {"load": None},
        {"load": True},
        {"load": -1},
        {"load": LARGEST_EXACT + 1},
        {"load": 2**53 + 1},
        {"swap": 0},
        {"swap": {}},
        {"disks": None},
        {"disks": [{}]},
        {"disks": [{"size": 1, "used": 1}]},
        {"disks": [None]},
        {"cores": [1]},
        {"cpu": {}},
        {"cpu": {"percent": 5, "count": 1}},
        {"cpu": None},
        {"more": 1},
    ],
)
def test_a_body_with_another_layout_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decoded(DOCUMENT, {**DOCUMENT, **change})


@pytest.mark.parametrize("name", DOCUMENT)
def test_a_body_in_which_a_field_is_missing_is_refused(name: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decoded(DOCUMENT, {field: value for field, value in DOCUMENT.items() if field != name})


def test_the_order_of_fields_does_not_matter() -> None:
    assert decoded(DOCUMENT, dict(reversed(DOCUMENT.items()))).cpu.percent == 5


def test_one_layout_has_one_decoder() -> None:
    layouts = Layouts({})
    numbers, texts = layouts.decoder_of(b'{"a":1}'), layouts.decoder_of(b'{"a":"1"}')

    assert numbers is not texts
    assert layouts.decoder_of(b'{"a":2.5}') is numbers
    assert layouts.decoder_of(b'{"a":2}') is numbers
    assert layouts.decoder_of(b'{"a":"2"}') is texts


@pytest.mark.parametrize(
    "document",
    [
        {"a": True},
        {"a": [1, "x"]},
        {"a": [{"b": 1}, {"c": 1}]},
        {"a b": 1},
        {"class-name": 1},
        {"_private": 1},
        {"__init__": 1},
        {"é": 1},
        {"x" * 65: 1},
        {"a": {"b": {"c": {"d": {}}}}},
        {"a": [[[[1]]]]},
        {f"f{number}": 1 for number in range(MAX_FIELDS + 1)},
        {"a": -1},
        {"a": "x" * (MAX_TEXT + 1)},
    ],
    ids=str,
)
def test_some_bodies_are_no_pattern(document: dict[str, Any]) -> None:
    assert Layouts({}).decoder_of(json.dumps(document).encode()) is None


@pytest.mark.parametrize("name", ["class", "self", "mro", "a1"])
def test_any_other_name_may_be_that_of_a_field(name: str) -> None:
    assert getattr(decoded({name: 1}, {name: 2}), name) == 2


def test_given_types_are_taken_where_values_fit_them() -> None:
    layouts = Layouts(
        {
            "a": Annotated[float, msgspec.Meta(le=100)],
            "b.c": msgspec.Raw,
            "d[]": Annotated[float, msgspec.Meta(le=100)],
            "e": dt.datetime,
        }
    )
    document = {"a": 1, "b": {"c": {"x": [1, "y"]}}, "d": [1], "e": "2026-02-01T08:00:00.5+00:00"}
    read = decoded(document, document, layouts)

    assert bytes(read.b.c) == b'{"x": [1, "y"]}'
    assert read.e == dt.datetime(2026, 2, 1, 8, 0, 0, 500_000, dt.UTC)
    for change in ({"a": 101}, {"d": [101]}, {"e": "10.0.0.1"}):
        with pytest.raises(msgspec.DecodeError):
            decoded(document, {**document, **change}, layouts)
    assert decoded({**document, "e": "noon"}, {**document, "e": "midnight"}, layouts).e == "midnight"
    assert decoded({**document, "a": None}, {**document, "a": None}, layouts).a is None


def test_no_more_layouts_are_made_than_there_may_be() -> None:
    layouts = Layouts({})
    made = [layouts.decoder_of(b'{"f%d":1}' % number) for number in range(MAX_LAYOUTS + 1)]

    assert made[-1] is None
    assert None not in made[:-1]
    assert layouts.decoder_of(b'{"f0":5}') is made[0]
