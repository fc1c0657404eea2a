"""Host: every panel shows something for a machine that has all that the exporter reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.stack.test_dashboards import OF_HOST, Query, answers, ask, query_id

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

GOLDEN = Path(__file__).resolve().parents[2] / "exporter/golden/baremetal.prom"
"""What the exporter shows of a machine with disks, sensors and whatever else it can read."""

LACKS = {"Machine": "B"}
"""Panels and those of their queries that answer only for pushed hosts."""


@pytest.fixture(scope="module")
def bare_metal(running_stack: Stack) -> Stack:
    """The running stack, to which that machine's metrics were pushed: held, they stay as they are."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if re.match(r"(# (HELP|TYPE) )?node_", line))
    pushed = requests.put(
        f"{running_stack.bridge}/metrics/job/golden/instance/metal", data=text.encode(), timeout=30
    )
    assert pushed.ok, pushed.text
    return running_stack


@pytest.mark.stack
@pytest.mark.parametrize("query", OF_HOST, ids=query_id)
def test_a_query_answers_for_a_machine_with_everything(bare_metal: Stack, query: Query) -> None:
    expr = query.for_host("golden", "metal")
    if query.ref_id in LACKS.get(query.panel, ""):
        assert ask(bare_metal, expr) == []
    else:
        assert answers(bare_metal, expr)
