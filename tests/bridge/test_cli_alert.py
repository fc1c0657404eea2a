"""What the test of receivers reads from Alertmanager, and what it says when that cannot be asked."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from pushgateway_bridge.cli import main
from pushgateway_bridge.receivers import (
    Counts,
    Row,
    exit_code,
    judge,
    parse_counts,
    parse_receivers,
    table,
    tells_receivers,
    with_test_routes,
)
from pushgateway_bridge.receivers import Result as Outcome
from pushgateway_bridge.render_config import render
from tests.ports import free_port
from tests.stack.alerts.services import serving

TEMPLATE = """
route:
  receiver: default
  group_wait: 30s
  routes:
    - receiver: history
      continue: true
receivers:
  - name: default
    email_configs: [{to: "${ALERT_EMAIL}"}]
    webhook_configs: [{url: "${HOOK}/1"}, {url: "${HOOK}/2"}]
  - name: history
  - name: 'odd "name" é'
"""


def rendered(template: str = TEMPLATE) -> Any:
    return yaml.safe_load(render(template, {"HOOK": "http://127.0.0.1:1"}.get))


def test_a_route_for_tests_of_each_receiver_stands_ahead_of_all_others() -> None:
    routes = rendered()["route"]["routes"]

    assert [route["receiver"] for route in routes] == ["default", "history", 'odd "name" é', "history"]
    assert routes[0] == {
        "receiver": "default",
        "matchers": ['receiver_test="default"'],
        "group_by": ["alertname", "receiver_test", "test_id"],
        "group_wait": "0s",
        "group_interval": "5s",
    }
    assert routes[2]["matchers"] == ['receiver_test="odd \\"name\\" é"']


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a: 1", "route: 5", "route: {receiver: a}", "route: {}\nreceivers: [5]"]
)
def test_what_is_no_configuration_of_alertmanager_gets_no_receivers(text: str) -> None:
    document = yaml.safe_load(text)
    changed = with_test_routes(document)

    if isinstance(document, dict) and isinstance(document.get("route"), dict):
        assert changed == {**document, "route": {**document["route"], "routes": []}}
    else:
        assert changed == document


def test_integrations_are_counted_by_receiver_and_kind() -> None:
    receivers = parse_receivers(yaml.safe_dump(rendered()))

    assert receivers.integrations == {"default": {"webhook": 2}, "history": {}, 'odd "name" é': {}}
    assert receivers.tested == {"default", "history", 'odd "name" é'}


@pytest.mark.parametrize(
    "text", ["", "[", "route: 1", "receivers: []", "route: {}\nreceivers: [{}]", "<html>"]
)
def test_a_status_without_a_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no configuration that can be read"):
        parse_receivers(text)


def exposition(receiver: str, requests: int, refused: int, failed: int, reason: str = "") -> str:
    labels = f'integration="email"{receiver}'
    return (
        "# TYPE alertmanager_notifications_total counter\n"
        f"alertmanager_notifications_total{{{labels}}} 99\n"
        "# TYPE alertmanager_notification_requests_total counter\n"
        f"alertmanager_notification_requests_total{{{labels}}} {requests}\n"
        "# TYPE alertmanager_notification_requests_failed_total counter\n"
        f"alertmanager_notification_requests_failed_total{{{labels}}} {refused}\n"
        "# TYPE alertmanager_notifications_failed_total counter\n"
        f"alertmanager_notifications_failed_total{{{labels}{reason}}} {failed}\n"
    )


def test_metrics_are_read_with_and_without_receivers() -> None:
    new = parse_counts(exposition(',receiver_name="page"', 7, 2, 1, ',reason="serverError"'))
    old = parse_counts(exposition("", 7, 2, 1))

    assert new == {("page", "email"): Counts(7, 2, {"serverError": 1})}
    assert old == {("", "email"): Counts(7, 2, {"": 1})}
    assert (tells_receivers(new), tells_receivers(old), tells_receivers({})) == (True, False, False)


@pytest.mark.parametrize(
    ("now", "number", "outcome"),
    [
        (Counts(10, 5, {"other": 2}), 1, (Outcome.UNKNOWN, "")),
        (Counts(11, 5, {"other": 2}), 1, (Outcome.OK, "")),
        (Counts(11, 5, {"other": 2}), 2, (Outcome.UNKNOWN, "")),
        (Counts(12, 5, {"other": 2}), 2, (Outcome.OK, "")),
        (Counts(11, 6, {"other": 2}), 1, (Outcome.UNKNOWN, "1 attempt failed, and it goes on trying")),
        # It was refused twice and then taken.
        (Counts(13, 7, {"other": 2}), 1, (Outcome.OK, "")),
        (Counts(13, 8, {"other": 3}), 1, (Outcome.FAILED, "given up (other) after 3 attempts")),
        (
            Counts(11, 6, {"other": 2, "clientError": 1}),
            1,
            (Outcome.FAILED, "given up (clientError) after 1 attempt"),
        ),
        # One of two was taken.
        (Counts(12, 6, {"other": 3}), 2, (Outcome.FAILED, "given up (other) after 1 attempt")),
        (Counts(11, 6, {"other": 2, "": 1}), 1, (Outcome.FAILED, "given up after 1 attempt")),
    ],
    ids=str,
)
def test_a_test_is_judged_by_what_was_counted_since(
    now: Counts, number: int, outcome: tuple[Outcome, str]
) -> None:
    assert judge(Counts(10, 5, {"other": 2}), now, number) == outcome


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([Outcome.OK], 0),
        ([Outcome.OK, Outcome.NOTHING], 0),
        ([Outcome.OK, Outcome.FAILED], 1),
        ([Outcome.OK, Outcome.UNKNOWN], 1),
        ([Outcome.NOTHING], 1),
        ([], 1),
    ],
    ids=str,
)
def test_the_exit_code_is_0_only_if_all_that_is_configured_is_ok(results: list[Outcome], code: int) -> None:
    assert exit_code([Row("a", "email", result) for result in results]) == code


def test_columns_of_the_table_are_aligned() -> None:
    rows = [
        Row("operators", "email", Outcome.OK),
        Row("b", "", Outcome.NOTHING),
        Row("c", "sns", Outcome.FAILED, "x"),
    ]

    assert list(table(rows)) == [
        "RECEIVER   INTEGRATION  RESULT",
        "operators  email        ok",
        "b          -            no integration configured",
        "c          sns          failed: x",
    ]


def alert_test(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, ["alert", "test", *map(str, arguments)], env=dict(environment))


@pytest.mark.parametrize("way", ["flag", "environment", "env file"])
def test_an_alertmanager_that_is_down_is_one_line(way: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / ".env").write_text(f"ALERTMANAGER_ADDRESS={address}\n")

    result = {
        "flag": lambda: alert_test(f"--alertmanager.url=http://{address}/"),
        "environment": lambda: alert_test(ALERTMANAGER_ADDRESS=address),
        "env file": lambda: alert_test("--env.file", tmp_path / ".env"),
    }[way]()

    assert (result.exit_code, result.stderr) == (
        3,
        f"Error: Alertmanager does not answer at http://{address}\n",
    )


class OtherProgram(BaseHTTPRequestHandler):
    """Answers everything with *answer*."""

    answer = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [(b"<html>", "is no JSON"), (b"{}", "is no list")],
    ids=["page", "other JSON"],
)
def test_what_is_no_alertmanager_is_said_in_one_line(answer: bytes, complaint: str) -> None:
    handler = type("Handler", (OtherProgram,), {"answer": answer})
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), handler)
    url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        result = alert_test("--alertmanager.url", url)

    assert (result.exit_code, result.stderr) == (
        3,
        f"Error: what is at {url} is no Alertmanager: /api/v2/receivers {complaint}\n",
    )


@pytest.mark.parametrize("url", ["localhost:9093", "ftp://localhost", "http://[", ""])
def test_an_address_that_is_none_is_said_in_one_line(url: str) -> None:
    result = alert_test(f"--alertmanager.url={url}", ALERTMANAGER_ADDRESS="no address")

    assert result.exit_code == 3, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
