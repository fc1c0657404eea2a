"""Event dialects over HTTP, by both ways of a push: answers, rates, tokens, origins, and counting once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.bridge.process import BridgeProcess
from tests.bridge.web.running import WAYS

EVENT = {"schema": "jwc.v1", "anon": "user42", "evt": "java.run.started"}
INSTALL = {
    "random_id": "r-1",
    "execution_id": "e-1",
    "type": "lxc",
    "nsapp": "gitea",
    "status": "failed",
    "exit_code": 7,
}
FAILED = 'proxmoxve_executions_total{job="proxmoxve",instance="",repo_source="ProxmoxVE",status="failed",type="lxc"}'


@pytest.fixture(params=list(WAYS))
def bridge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BridgeProcess]:
    """A bridge of its own, once by each way of a push."""
    # One push comes back every 43 s, so that the figures do not depend on how busy the machine is.
    rates = "--limits.rates={minigem: 2000/d}"
    with BridgeProcess(tmp_path / "journal", rates, *WAYS[request.param]) as bridge:
        yield bridge


def post(bridge: BridgeProcess, path: str, document: object, **headers: str) -> httpx2.Response:
    return httpx2.post(
        f"http://127.0.0.1:{bridge.port}{path}",
        content=document if isinstance(document, str) else json.dumps(document),
        headers={
            "content-type": "application/json",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        },
        timeout=60,
    )


def rate(answer: httpx2.Response) -> tuple[str | None, ...]:
    return tuple(answer.headers.get(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))


def test_each_answer_to_minigem_says_how_many_pushes_are_left(bridge: BridgeProcess) -> None:
    first = post(bridge, "/t", EVENT)
    second = post(bridge, "/mg/t", EVENT, origin="https://page.example")
    refused = post(bridge, "/t", {"schema": "jwc.v2"})

    assert (first.status_code, first.json()) == (200, {"ok": True, "accepted": 1, "skipped": 0})
    assert rate(first)[:2] == ("2000", "1999")
    assert rate(second)[:2] == ("2000", "1998")
    assert second.headers["access-control-allow-origin"] == "*"
    assert refused.status_code == 400
    assert rate(refused)[:2] == ("2000", "1997")
    assert 0 < int(rate(first)[2] or 0) <= 44 < int(rate(refused)[2] or 0) <= 130


def test_a_token_has_its_own_pushes_and_is_told_of_these(bridge: BridgeProcess) -> None:
    post(bridge, "/t", EVENT)
    token = {"authorization": f"Bearer {bridge.create_token('--job=minigem')}"}

    assert rate(post(bridge, "/t", EVENT, **token))[:2] == ("2000", "1999")
    assert rate(post(bridge, "/t", EVENT, **token, origin="https://page.example"))[:2] == ("2000", "1998")
    assert rate(post(bridge, "/t", EVENT))[:2] == ("2000", "1998")


def test_one_client_too_many_pushes_are_refused_in_the_words_of_each_system(tmp_path: Path) -> None:
    rates = "--limits.rates={minigem: 1/h, proxmoxve: 1/h}"
    with BridgeProcess(tmp_path / "journal", rates) as bridge:
        assert post(bridge, "/t", EVENT).status_code == 200
        answer = post(bridge, "/t", EVENT)
        assert answer.status_code == 429
        assert answer.json()["error"] == "Too Many Requests"
        assert int(answer.headers["retry-after"]) > 3500
        assert rate(answer) == ("1", "0", "3600")

        assert post(bridge, "/telemetry", INSTALL).status_code == 202
        answer = post(bridge, "/telemetry", INSTALL)
        assert (answer.status_code, answer.text) == (429, "rate limited\n")
        assert rate(answer) == (None, None, None)


def test_the_predecessors_paths_have_their_own_answers(bridge: BridgeProcess) -> None:
    start = {"random_id": "r-9", "type": "vm", "nsapp": "haos", "status": "installing"}
    for prefix in ("", "/dev", "/pve"):
        saved = post(bridge, f"{prefix}/upload", start)
        assert (saved.status_code, saved.json()) == (201, {"message": "Data saved successfully"})
        updated = post(
            bridge, f"{prefix}/upload/updatestatus", {"random_id": "r-9", "status": "done", "error": "none"}
        )
        assert (updated.status_code, updated.json()) == (200, {"message": "Record updated successfully"})
    for path in ("/telemetry", "/", "/pve/telemetry", "/pve/"):
        answer = post(bridge, path, start)
        assert (answer.status_code, answer.text) == (202, "accepted")

    series = bridge.series()
    done = 'proxmoxve_executions_total{job="proxmoxve",instance="",repo_source="ProxmoxVE",status="success",type="vm"}'
    assert series[done] == 1
    assert series['telemetry_events_total{dialect="proxmoxve",result="deduplicated"}'] == 8


def test_an_execution_is_counted_once_whatever_comes_between(bridge: BridgeProcess) -> None:
    for _ in range(2):
        assert post(bridge, "/telemetry", INSTALL).status_code == 202
        assert post(bridge, "/telemetry", {**INSTALL, "status": "success", "exit_code": 0}).status_code == 202
        bridge.kill()
        bridge.start()

    series = bridge.series()
    assert series[FAILED] == 1
    assert sum(value for name, value in series.items() if name.startswith("proxmoxve_executions_total{")) == 1


def test_a_token_of_another_source_pushes_no_events(bridge: BridgeProcess) -> None:
    other = bridge.create_token("--job=backup")
    own = bridge.create_token("--job=minigem")

    assert post(bridge, "/t", EVENT, authorization=f"Bearer {other}").status_code == 403
    assert post(bridge, "/telemetry", INSTALL, authorization=f"Bearer {other}").status_code == 403
    assert post(bridge, "/t", EVENT, authorization=f"Bearer {own}").status_code == 200
    series = bridge.series()
    assert series['minigem_events_total{job="minigem",instance="",event="java.run.started"}'] == 1
    assert FAILED not in series


def test_a_key_makes_a_batch_count_once(bridge: BridgeProcess) -> None:
    for _ in range(2):
        answer = post(bridge, "/t", EVENT, idempotency_key="k-1")
        assert answer.json() == {"ok": True, "accepted": 1, "skipped": 0}

    assert bridge.series()['minigem_events_total{job="minigem",instance="",event="java.run.started"}'] == 1


def test_a_repeat_at_another_path_is_answered_in_its_words(bridge: BridgeProcess) -> None:
    paths = ("/telemetry", "/upload", "/telemetry")
    answers = [post(bridge, path, INSTALL, idempotency_key="k-2") for path in paths]

    assert [answer.status_code for answer in answers] == [202, 201, 202]
    assert answers[0].text == answers[2].text == "accepted"
    assert answers[1].json() == {"message": "Data saved successfully"}


def test_whether_events_can_be_stored_is_a_metric(bridge: BridgeProcess) -> None:
    series = bridge.series()
    assert (series["minigem_store_up"], series["proxmoxve_store_up"]) == (1, 1)
