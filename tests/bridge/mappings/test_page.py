"""What docs/dialects/mapped.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.mapped import ITEM_REASONS
from pushgateway_bridge.mappings.compile_metric import OPERATION_OF, TYPES
from pushgateway_bridge.mappings.compiled import DEFAULT_CAP, Mappings
from pushgateway_bridge.mappings.language import MappingSpec, MetricSpec, TextSpec
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.mappings.source import keys_of
from pushgateway_bridge.mappings.units import KINDS
from pushgateway_bridge.model.text import format_value

PAGE = (Path(__file__).parents[3] / "docs/dialects/mapped.md").read_text()
CONTEXT = PushContext(1_769_932_860_000, "application/json")


def block(language: str, number: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    text: str = found[number]
    return text


def test_example_becomes_what_the_page_shows() -> None:
    mapping = parse_mapping(block("yaml"), "greenhouse")
    pushes = MappedPushes(Mappings({"greenhouse": mapping}), lambda: b"secret")
    explanation = pushes.explain("greenhouse", block("json").encode(), CONTEXT)

    shown = []
    for one in explanation.series:
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
        assert one.value is not None
        shown.append(f"{one.name}{{{labels}}} {format_value(one.value)}")
    assert sorted(shown) == sorted(block("text").splitlines())
    assert f'{{"accepted":{explanation.accepted},"rejected":[]}}' in PAGE
    assert explanation.refused == []


@pytest.mark.parametrize("kind", [MappingSpec, MetricSpec, TextSpec])
def test_every_key_is_on_the_page(kind: type[MappingSpec | MetricSpec | TextSpec]) -> None:
    assert [key for key in keys_of(kind) if f"`{key}`" not in PAGE] == []


def test_every_reason_operation_type_and_base_unit_is_on_the_page() -> None:
    words = [*ITEM_REASONS, *TYPES, *OPERATION_OF, *KINDS]

    assert [word for word in words if f"`{word}`" not in PAGE] == []
    assert f"({DEFAULT_CAP} unless it is said" in PAGE
