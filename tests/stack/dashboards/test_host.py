"""Host: every panel shows something for a machine that has all that the exporter reads."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from stack import tools
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
def test_cores_of_a_host_that_has_just_come_are_as_busy_as_they_were(tmp_path: Path) -> None:
    """Its counters are a minute old where the window is four: of each 5 s a core is idle for 4, and waits for half."""
    (cores,) = (query for query in OF_HOST if query.panel == "CPU by core")
    came = {"idle": "0+4x12", "iowait": "0+0.5x12", "user": "0+0.25x12", "system": "0+0.25x12"}
    tests = {
        "tests": [
            {
                "interval": "5s",
                "input_series": [
                    {
                        "series": f'node_cpu_seconds_total{{job="node",instance="new",cpu="0",mode="{mode}"}}',
                        "values": values,
                    }
                    for mode, values in came.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f"round({cores.for_host('node', 'new')}, 0.0001)",
                        "eval_time": "1m",
                        "exp_samples": [{"labels": '{cpu="0"}', "value": 0.1}],
                    }
                ],
            }
        ]
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    tested = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.stack
@pytest.mark.parametrize("query", OF_HOST, ids=query_id)
def test_a_query_answers_for_a_machine_with_everything(bare_metal: Stack, query: Query) -> None:
    expr = query.for_host("golden", "metal")
    if query.ref_id in LACKS.get(query.panel, ""):
        assert ask(bare_metal, expr) == []
    else:
        assert answers(bare_metal, expr)
