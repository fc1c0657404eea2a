from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.json_body import MAX_NESTING, read_json
from pushgateway_bridge.errors import MalformedBody

TOO_DEEP = "the JSON is nested deeper than 32"


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"[" * (depth % 2) + b"]" * (depth % 2) + b"]}" * (depth // 2)


@pytest.mark.parametrize("depth", [0, 1, 31, MAX_NESTING])
def test_nesting_up_to_the_limit_is_read(depth: int) -> None:
    body = nested(depth) or b"1"

    assert read_json(body) == json.loads(body)


@pytest.mark.parametrize("depth", [MAX_NESTING + 1, 34, 20_000])
def test_deeper_nesting_is_refused(depth: int) -> None:
    with pytest.raises(MalformedBody, match=TOO_DEEP):
        read_json(nested(depth))


def test_many_brackets_beside_each_other_are_no_nesting() -> None:
    body = b"[" + b",".join([b"[]", b"{}"] * 500) + b"]"

    assert read_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "text",
    ["[" * 100, "{[" * 50, '"[' * 50, '\\"[' * 50, "[\\", "]" * 100 + "[" * 100, "\\\\"],
)
def test_brackets_inside_strings_are_text(text: str) -> None:
    document = {text: [text, {"next": text}], "padding": ["[" * 40]}

    assert read_json(json.dumps(document).encode()) == document


def test_brackets_after_a_string_are_counted() -> None:
    body = b'["\\\\",' + nested(MAX_NESTING) + b"]"

    with pytest.raises(MalformedBody, match=TOO_DEEP):
        read_json(body)


@pytest.mark.parametrize("body", [b"]" * 50 + b"[" * 50, b'{"a' + b"[" * 50, b"[" * 33, b'"' + b"\\" * 51])
def test_broken_body_with_many_brackets_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read_json(body)


@given(st.text(alphabet='[]{}",:\\1 a', max_size=120))
def test_what_looks_like_json_is_read_as_the_standard_library_does_or_refused(text: str) -> None:
    try:
        document = read_json(text.encode())
    except MalformedBody:
        return
    assert document == json.loads(text)
