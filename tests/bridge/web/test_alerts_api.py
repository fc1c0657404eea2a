"""The history over HTTP: who may tell, read and delete, and what bad requests are answered."""

from __future__ import annotations

import gzip
import http.client
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from pushgateway_bridge.access.shared_token import HASH_SUFFIX, provide_token
from pushgateway_bridge.access.token import Right
from pushgateway_bridge.alerts.history import FILE_NAME
from pushgateway_bridge.alerts.query import rfc3339
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import AlertsConfig, Config, JournalConfig
from pushgateway_bridge.web.alerts import HISTORY, MAX_BODY_BYTES, WEBHOOK
from pushgateway_bridge.web.door import Door
from tests.bridge.alerts.told import LABELS, fingerprint_of, notification, told
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web

START_MS = 1_769_990_000_000
END_MS = START_MS + 90_500


class Alertmanager:
    """Tells *web* of alerts, by a token that may push for any source."""

    def __init__(self, web: Web) -> None:
        self.web = web
        web.bridge.tokens.directory.mkdir(exist_ok=True)
        self.secret = self.token(Right.PUSH)

    def token(self, *rights: Right, job: str = "", instance: str = "") -> str:
        return self.web.bridge.tokens.create("alertmanager", rights, job=job, instance=instance)[1]

    def post(self, body: bytes, secret: str | None = None, **headers: str) -> httpx2.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["authorization"] = f"Bearer {self.secret if secret is None else secret}"
        return self.web.request("POST", WEBHOOK, content=body, headers=fields)

    def tell(self, *alerts: dict[str, Any]) -> None:
        answer = self.post(notification(*alerts))
        assert (answer.status_code, answer.json()) == (200, {"stored": len(alerts)})

    def history(self, query: str = "") -> Any:
        answer = self.web.get(f"{HISTORY}{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, query: str, secret: str) -> httpx2.Response:
        return self.web.request("DELETE", f"{HISTORY}{query}", headers={"authorization": f"Bearer {secret}"})

    def failures(self) -> dict[str, int]:
        """What was not stored, by reason."""
        return {reason: count for reason, count in self.web.bridge.history.failed.items() if count}


@pytest.fixture
def alertmanager(web: Web) -> Alertmanager:
    return Alertmanager(web)


def test_what_is_told_can_be_read(alertmanager: Alertmanager) -> None:
    alertmanager.tell(told(START_MS), told(START_MS, alertname="Watchdog") | {"labels": LABELS})
    alertmanager.tell(told(START_MS, END_MS))

    [alert, _] = alertmanager.history("?sort=alertname")["alerts"]
    last_notified = alert.pop("last_notified")
    assert alert == {
        "fingerprint": fingerprint_of(LABELS),
        "status": "resolved",
        "labels": LABELS,
        "annotations": {"summary": "lab-7 is down"},
        "starts_at": rfc3339(START_MS),
        "ends_at": rfc3339(END_MS),
        "duration_seconds": 90.5,
        "notified": 2,
        "closed_by": "alertmanager",
    }
    assert last_notified > alert["ends_at"]


def test_what_is_told_is_counted(alertmanager: Alertmanager) -> None:
    alertmanager.tell(told(START_MS))
    alertmanager.tell(told(START_MS), told(START_MS, END_MS))
    alertmanager.tell()

    web = alertmanager.web
    assert web.value("telemetry_alert_history_entries") == 1
    assert web.value("telemetry_alert_history_notifications_total", status="firing") == 2
    assert web.value("telemetry_alert_history_notifications_total", status="resolved") == 1
    assert web.value("telemetry_alert_history_failed_total", reason="wrong_token") == 0


def test_pages_follow_each_other(alertmanager: Alertmanager) -> None:
    alertmanager.tell(*(told(START_MS + number, instance=f"lab-{number}") for number in range(5)))

    first = alertmanager.history("?limit=3")
    second = alertmanager.history(f"?limit=3&cursor={first['next_cursor']}")

    instances = [alert["labels"]["instance"] for page in (first, second) for alert in page["alerts"]]
    assert instances == ["lab-4", "lab-3", "lab-2", "lab-1", "lab-0"]
    assert second["next_cursor"] is None


def test_a_wrong_parameter_is_a_400_that_names_it(alertmanager: Alertmanager) -> None:
    answer = alertmanager.web.get(f"{HISTORY}?limit=9999")

    assert answer.status_code == 400
    assert answer.json() == {"detail": "limit: expected a number from 1 to 1000, got '9999'"}


# Who may tell


@pytest.mark.parametrize(
    ("authorization", "status", "reason"),
    [
        ("", 401, "missing_token"),
        ("Basic YTpi", 401, "missing_token"),
        ("Bearer", 401, "wrong_token"),
        ("Bearer nobody's", 401, "wrong_token"),
        ("Bearer é".encode().decode("latin-1"), 401, "wrong_token"),
    ],
)
def test_a_wrong_token_is_refused_and_counted(
    authorization: str, status: int, reason: str, alertmanager: Alertmanager
) -> None:
    """On loopback, too: what one reads in the history must have come from Alertmanager."""
    headers = {"authorization": authorization.encode("latin-1")}
    answer = alertmanager.web.request("POST", WEBHOOK, content=notification(told(START_MS)), headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (status, 'Bearer realm="push bridge"')
    assert alertmanager.failures() == {reason: 1}
    assert alertmanager.history()["alerts"] == []


@pytest.mark.parametrize(
    ("rights", "bound", "status"),
    [
        ([Right.PUSH], {}, 200),
        ([Right.ADMIN], {}, 200),
        ([Right.READ, Right.DELETE], {}, 403),
        ([Right.PUSH], {"job": "node"}, 403),
        ([Right.PUSH], {"instance": "lab-7"}, 403),
    ],
)
def test_a_token_must_be_for_pushes_from_any_source(
    rights: list[Right], bound: dict[str, str], status: int, alertmanager: Alertmanager
) -> None:
    """A host's token could otherwise tell of alerts about others."""
    answer = alertmanager.post(notification(told(START_MS)), alertmanager.token(*rights, **bound))

    assert answer.status_code == status
    assert alertmanager.failures() == ({} if status == 200 else {"forbidden": 1})


class FromOwner:
    """The application as who may open the access folder reaches it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"door": Door.OWNER}}, receive, send)


def test_the_owner_tells_without_a_token(web: Web) -> None:
    web.app = FromOwner(web.app)

    assert web.request("POST", WEBHOOK, content=notification(told(START_MS))).json() == {"stored": 1}


class SharedWeb(Web):
    """A bridge that is given the hash of Alertmanager's token."""

    def __init__(self, directory: Path, token_file: Path) -> None:
        super().__init__(directory)
        self.bridge = Bridge(
            Config(
                journal=JournalConfig(directory=str(directory / "journal")),
                alerts=AlertsConfig(webhook_token_hash_file=f"{token_file}{HASH_SUFFIX}"),
            )
        )
        self.app = self.bridge.web_app()


def test_alertmanagers_own_token_tells_and_does_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "alert-history-token"
    with SharedWeb(tmp_path, file) as web:
        alertmanager = Alertmanager(web)
        body = notification(told(START_MS))
        assert alertmanager.post(body, "too-early").status_code == 401
        provide_token(file)
        secret = file.read_text().strip()

        assert alertmanager.post(body, secret).json() == {"stored": 1}
        assert alertmanager.post(body).json() == {"stored": 1}  # the bridge's own are as good
        assert alertmanager.post(body, secret + "0").status_code == 401
        assert alertmanager.delete("?all=true", secret).status_code == 401
        pushed = web.push(b'[{"name": "a", "value": 1}]', "/api/v1/samples", authorization=f"Bearer {secret}")
        assert pushed.status_code == 401


# Bad requests


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason", "detail"),
    [
        (b"{", {}, 400, "malformed_body", "no notification of Alertmanager: Input data was truncated"),
        (b"no gzip", {"content_encoding": "gzip"}, 400, "malformed_body", "the body does not inflate"),
        (
            b"x",
            {"content_encoding": "br"},
            415,
            "unsupported_encoding",
            "cannot inflate content encoding 'br'",
        ),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413, "body_too_large", f"the body is larger than {MAX_BODY_BYTES}"),
    ],
)
def test_a_bad_body_is_told_and_counted(
    body: bytes, headers: dict[str, str], status: int, reason: str, detail: str, alertmanager: Alertmanager
) -> None:
    answer = alertmanager.post(body, **headers)

    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)
    assert alertmanager.web.value("telemetry_alert_history_failed_total", reason=reason) == 1


def test_a_compressed_body_is_inflated(alertmanager: Alertmanager) -> None:
    body = gzip.compress(notification(told(START_MS)))

    assert alertmanager.post(body, content_encoding="gzip").json() == {"stored": 1}


TEXTS = st.text(max_size=20)
ODD = st.none() | st.booleans() | st.integers() | TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    alerts=st.lists(
        st.dictionaries(
            st.sampled_from(list(told(0))), ODD | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
        ),
        max_size=3,
    ),
    labels=st.dictionaries(TEXTS, st.text(max_size=2000), max_size=80),
)
def test_a_hostile_body_is_stored_or_refused_and_can_be_read(
    alerts: list[dict[str, object]], labels: dict[str, str], alertmanager: Alertmanager
) -> None:
    body = notification(*(told(START_MS) | {"labels": labels} | odd for odd in alerts))
    answer = alertmanager.post(body)

    assert answer.status_code in (200, 400)
    assert alertmanager.web.get(HISTORY).status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    parameters=st.dictionaries(
        st.sampled_from(["from", "to", "alertname", "status", "limit", "sort", "cursor", "label.a"]) | TEXTS,
        TEXTS | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str),
        max_size=3,
    )
)
def test_any_query_is_answered_or_refused(parameters: dict[str, str], alertmanager: Alertmanager) -> None:
    assert alertmanager.web.request("GET", HISTORY, params=parameters).status_code in (200, 400)


# What cannot be stored


def test_a_full_disk_is_a_503_that_alertmanager_tries_again(alertmanager: Alertmanager) -> None:
    alertmanager.tell(told(START_MS))
    connection = alertmanager.web.bridge.history._connection
    assert connection is not None
    connection.pragma("max_page_count", connection.pragma("page_count"))
    storm = notification(*(told(START_MS, instance=f"lab-{number}") for number in range(500)))

    answer = alertmanager.post(storm)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"detail": "the disk has no room for the history of alerts"}
    assert alertmanager.web.value("telemetry_alert_history_failed_total", reason="disk_full") == 1

    connection.pragma("max_page_count", 2**30)
    assert alertmanager.post(storm).json() == {"stored": 500}


def test_a_bridge_that_starts_takes_none(starting_web: Web) -> None:
    alertmanager = Alertmanager(starting_web)

    assert alertmanager.post(notification(told(START_MS))).status_code == 503
    assert alertmanager.web.get(HISTORY).status_code == 503
    assert alertmanager.failures() == {"not_ready": 1}


def test_a_history_that_a_newer_bridge_wrote_does_not_keep_pushes_away(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    connection = sqlite3.connect(tmp_path / "journal" / FILE_NAME)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with Web(tmp_path) as web:
        answer = Alertmanager(web).post(notification(told(START_MS)))

        assert answer.status_code == 503
        assert "it has schema 2, this bridge knows up to 1" in answer.json()["detail"]
        assert web.get(HISTORY).status_code == 503
        assert web.push(b'{"name": "lab-7", "cpuC": 8}').status_code == 200


# Deletion


def test_who_may_delete_deletes_what_is_selected(alertmanager: Alertmanager) -> None:
    alertmanager.tell(told(START_MS, END_MS), told(START_MS, instance="lab-8"))
    deleter = alertmanager.token(Right.DELETE)

    assert alertmanager.delete("", deleter).status_code == 400
    assert alertmanager.delete("?before=2020-01-01T00:00:00Z", deleter).json() == {"deleted": 0}
    assert alertmanager.delete("?status=resolved", deleter).json() == {"deleted": 1}
    assert alertmanager.delete("?all=true", deleter).json() == {"deleted": 1}
    assert alertmanager.history() == {"alerts": [], "next_cursor": None}


@pytest.mark.parametrize("bound", [{"job": "node"}, {"instance": "lab-7"}])
def test_a_token_that_is_bound_to_a_source_deletes_no_alerts(
    bound: dict[str, str], alertmanager: Alertmanager
) -> None:
    alertmanager.post(notification(told(START_MS)), alertmanager.token(Right.PUSH))

    answer = alertmanager.delete("?all=true", alertmanager.token(Right.DELETE, **bound))

    assert answer.status_code == 403
    assert len(alertmanager.history()["alerts"]) == 1


def test_nobody_else_deletes(alertmanager: Alertmanager) -> None:
    alertmanager.tell(told(START_MS))

    assert alertmanager.web.request("DELETE", f"{HISTORY}?all=true").status_code == 401
    assert alertmanager.delete("?all=true", alertmanager.token(Right.PUSH, Right.READ)).status_code == 403
    assert len(alertmanager.history()["alerts"]) == 1


# A real bridge


class Teller(threading.Thread):
    """Tells of one alert after the other until the bridge is gone."""

    def __init__(self, port: int, secret: str, name: str) -> None:
        super().__init__()
        self._port = port
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._name = name
        self.sent = 0
        self.answered: set[str] = set()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            while True:
                self.sent += 1
                instance = f"{self._name}-{self.sent}"
                body = notification(told(START_MS, END_MS, instance=instance))
                connection.request("POST", WEBHOOK, body, self._headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    return
                self.answered.add(instance)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


@pytest.mark.stack
def test_every_alert_that_was_answered_is_there_after_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    tellers = []
    with BridgeProcess(tmp_path / "journal") as bridge:
        secret = bridge.create_token()
        for round_number in range(2):
            running = [Teller(bridge.port, secret, f"lab-{round_number}-{number}") for number in range(3)]
            for teller in running:
                teller.start()
            time.sleep(chance.uniform(0.3, 0.8))
            bridge.kill()
            for teller in running:
                teller.join(60)
            bridge.start()
            tellers += running

        kept: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = msgspec.json.decode(bridge.get(f"{HISTORY}?limit=1000{cursor and '&cursor=' + cursor}"))
            kept += [alert["labels"]["instance"] for alert in page["alerts"]]
            cursor = page["next_cursor"]
        entries = bridge.series()["telemetry_alert_history_entries"]

    answered = set().union(*(teller.answered for teller in tellers))
    assert len(answered) > 20
    assert answered <= set(kept)
    assert entries == len(kept) == len(set(kept)) <= sum(teller.sent for teller in tellers)
