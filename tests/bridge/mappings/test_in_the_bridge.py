"""Mapped pushes through the journal: by item, once, after a restart, and when mappings change."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import msgspec
import pytest

from pushgateway_bridge.dialects.dialect import PushContext, Reply
from pushgateway_bridge.errors import ClassConflict
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from tests.bridge.harness import Harness
from tests.bridge.process import BridgeProcess
from tests.bridge.web.running import WAYS

ROOM = """
identity: {job: house, instance: $.device}
items: $.rooms[*]
labels: {room: "@.room"}
metrics:
  - {name: room_celsius, path: "@.temp"}
  - {name: room_visits_total, path: "@.visits", operation: add}
"""


def pushes(**texts: str) -> MappedPushes:
    return MappedPushes(
        Mappings({name: parse_mapping(text, name) for name, text in texts.items()}, ()), lambda: b"x" * 32
    )


def push(bridge: Harness, mapped: MappedPushes, name: str, document: object) -> Reply:
    context = PushContext(bridge.clock.now_ms(), "application/json", path=f"/api/v1/push/{name}")
    return bridge.run(bridge.ingest.push(mapped.dialect, msgspec.json.encode(document), context))


def shown(bridge: Harness, start: str) -> dict[str, float]:
    return {name: value for name, value in bridge.series().items() if name.startswith(start)}


def test_an_item_is_stored_whole_or_not_at_all(bridge: Harness) -> None:
    other = "identity: {job: other}\nmetrics:\n  - {name: room_celsius, path: $.x, type: counter, operation: total}\n"
    push(bridge, pushes(other=other), "other", {"x": 1})

    rooms = [{"room": "a", "temp": 20, "visits": 1}, {"room": "b", "visits": 2}]
    answer = push(bridge, pushes(rooms=ROOM), "rooms", {"device": "d", "rooms": rooms})

    told = json.loads(answer.body)
    assert (answer.status, told["accepted"]) == (200, 1)
    assert [(one["index"], one["reason"]) for one in told["rejected"]] == [(0, "type_conflict")]
    assert shown(bridge, "room_visits_total") == {'room_visits_total{job="house",instance="d",room="b"}': 2}


def test_what_is_added_is_the_same_after_a_restart(bridge: Harness) -> None:
    mapped = pushes(rooms=ROOM)
    document = {"device": "d", "rooms": [{"room": "a", "temp": 20, "visits": 3}]}
    push(bridge, mapped, "rooms", document)
    bridge.crash()
    push(bridge, mapped, "rooms", document)
    bridge.checkpoint()
    bridge.crash()

    assert shown(bridge, "room_") == {
        'room_celsius{job="house",instance="d",room="a"}': 20,
        'room_visits_total{job="house",instance="d",room="a"}': 6,
    }


def test_a_source_that_only_counts_is_not_expected_to_report_before_and_after_a_restart(
    bridge: Harness,
) -> None:
    visits = "identity: {job: house}\nmetrics:\n  - {name: visits_total, path: $.visits, operation: add}\n"
    push(bridge, pushes(visits=visits), "visits", {"visits": 1})
    before = shown(bridge, "telemetry_report")

    bridge.crash()

    assert list(before) == ['telemetry_reports_total{job="house",instance=""}']
    assert shown(bridge, "telemetry_report") == before


@pytest.mark.parametrize(
    ("before", "after"), [("total", "add"), ("add", "total"), ("set", "distinct"), ("distinct", "set")]
)
def test_another_operation_is_refused_while_the_series_is_held(
    bridge: Harness, before: str, after: str
) -> None:
    kind = "" if "distinct" in (before, after) else ", type: counter"

    def mapping(operation: str) -> str:
        return (
            "identity: {job: house}\ntime_to_live: keep\nmetrics:\n"
            f"  - {{name: x_total, path: $.x, operation: {operation}{kind}}}\n"
        )

    push(bridge, pushes(x=mapping(before)), "x", {"x": 5})
    held = bridge.exposition()

    answer_or_refusal: object
    try:
        answer_or_refusal = push(bridge, pushes(x=mapping(after)), "x", {"x": 6}).status
    except ClassConflict as refusal:
        answer_or_refusal = refusal.status
    assert answer_or_refusal == 400
    assert bridge.exposition() == held
    bridge.crash()
    assert push(bridge, pushes(x=mapping(before)), "x", {"x": 7}).status == 200


@pytest.mark.parametrize("way", list(WAYS))
def test_mappings_are_loaded_again_and_a_body_with_a_key_counts_once(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    file = folder / "job.yml"
    text = "identity: {job: ci}\nidempotency: $.id\nmetrics:\n  - {name: runs_total, path: $.runs, operation: add}\n"
    file.write_text(text)
    with BridgeProcess(tmp_path / "journal", f"--mappings.directory={folder}", *WAYS[way]) as bridge:
        address = f"http://127.0.0.1:{bridge.port}"
        admin = {"authorization": f"Bearer {bridge.create_token('--right=admin')}"}

        def send(path: str, document: object) -> httpx2.Response:
            return httpx2.post(f"{address}{path}", json=document, timeout=60)

        def reload() -> httpx2.Response:
            return httpx2.post(f"{address}/-/reload", headers=admin, timeout=60)

        for _ in range(2):
            assert send("/api/v1/push/job", {"id": "a", "runs": 2}).status_code == 200
        assert send("/api/v1/push/job", {"id": "b", "runs": 3}).status_code == 200
        assert send("/api/v1/push/jib", {"runs": 3}).json()["error"].endswith("did you mean 'job'?")
        explained = send("/api/v1/explain/job", {"id": "c", "runs": 9}).json()
        assert [(one["name"], one["value"], one["line"]) for one in explained["series"]] == [
            ("runs_total", 9, 4)
        ]

        file.write_text(text.replace("operation: add", "operation: ad"))
        refused = reload()
        assert refused.status_code >= 400
        assert "job.yml:4" in refused.text
        assert send("/api/v1/push/job", {"id": "d", "runs": 1}).status_code == 200

        (folder / "door.yml").write_text(
            "identity: {job: door}\nmetrics:\n  - {name: door_open, path: $.open}\n"
        )
        file.write_text(text)
        assert reload().status_code == 200
        assert send("/api/v1/push/door", {"open": True}).status_code == 200
        series = bridge.series()

    assert series['runs_total{job="ci",instance=""}'] == 6
    assert series['door_open{job="door",instance=""}'] == 1
    assert series['telemetry_pushes_rejected_total{dialect="mapped",reason="unknown_mapping"}'] == 1


def test_a_start_with_a_wrong_mapping_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("identity: {job: x}\nmetrics:\n  - {nam: x, path: $.x}\n")

    async def start() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(".venv/bin/pushgateway-bridge", "serve", f"--journal.directory={tmp_path / 'journal'}"),
            *(f"--mappings.directory={tmp_path}", "--web.listen-address=127.0.0.1:0"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, told.decode()

    code, told = asyncio.run(start())
    assert code == 3
    assert "x.yml:3" in told
    assert "did you mean 'name'?" in told
