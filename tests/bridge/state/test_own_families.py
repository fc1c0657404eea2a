"""A name that a dialect spoken here makes has that dialect's type, whoever comes first."""

from __future__ import annotations

import pytest

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.errors import TypeConflict
from pushgateway_bridge.own_families import OWN_FAMILIES
from tests.bridge.harness import Harness

HOST = {"name": "a", "cpuC": 8, "cpuL": 15}


def push_text(bridge: Harness, text: str) -> None:
    context = PushContext(bridge.clock.now_ms(), "text/plain", path="/metrics/job/script", method="PUT")
    bridge.run(bridge.ingest.push(DIALECTS["pushgateway"], text.encode(), context))


@pytest.mark.parametrize("text", ["node_load1 3\n", "# TYPE node_load1 untyped\nnode_load1 3\n"])
def test_an_untyped_push_is_of_the_hosts_type_and_locks_no_host_out(bridge: Harness, text: str) -> None:
    push_text(bridge, text)
    bridge.push(HOST)

    assert "# TYPE node_load1 gauge" in bridge.exposition()
    series = bridge.series()
    assert series['node_load1{job="script",instance=""}'] == 3
    assert series['node_load1{job="pixeltracker",instance="a"}'] == 1.5


@pytest.mark.parametrize(
    "text",
    [
        "# TYPE node_load1 counter\nnode_load1 3\n",
        "# TYPE node_load1 summary\nnode_load1_sum 3\nnode_load1_count 1\n",
        "minigem_events_total 3\n",
        "# TYPE proxmoxve_executions_total gauge\nproxmoxve_executions_total 3\n",
    ],
)
def test_another_type_is_refused_though_nobody_holds_the_name_yet(bridge: Harness, text: str) -> None:
    with pytest.raises(TypeConflict, match="wherever it comes from"):
        push_text(bridge, text)

    bridge.push(HOST)
    bridge.push({"schema": "jwc.v1", "anon": "a", "evt": "test.ping"}, DIALECTS["minigem"])
    bridge.push(
        {"random_id": "r", "type": "lxc", "nsapp": "x", "status": "failed", "exit_code": 1},
        DIALECTS["proxmoxve"],
    )


def test_every_family_of_hosts_and_events_is_known() -> None:
    assert {
        "node_load1",
        "pixeltracker_disk_reported_bytes",
        "statusmonitor_agent_info",
    } <= OWN_FAMILIES.keys()
    assert {"host_disk_read_bytes_per_second", "node_dmi_info"} <= OWN_FAMILIES.keys()
    assert {"minigem_unique_users", "proxmoxve_install_duration_seconds"} <= OWN_FAMILIES.keys()
