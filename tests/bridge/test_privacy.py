"""Marked addresses, ids, tokens and bodies go through every dialect; nothing of them stands where it must not."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from pushgateway_bridge.dialects import DIALECTS
from tests.bridge.process import BridgeProcess

pytestmark = pytest.mark.stack

ADDRESSES: Final = {
    "IPv4": "203.0.113.77",
    "IPv6": "2001:db8:dead:beef::77",
    "MAC": "de:ad:be:ef:00:77",
    "e-mail": "marked77@example.org",
}
FORWARDED: Final = "198.51.100.77"
"""Stands in headers only."""
WRONG_TOKEN: Final = "77" * 32
BODY_MARK: Final = "marked-body-77"
QUERY_MARK: Final = "marked-query-77"


class Sent(NamedTuple):
    """A request that somebody sends."""

    path: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


JSON: Final = {"Content-Type": "application/json"}
EVERYTHING: Final = " ".join([*ADDRESSES.values(), BODY_MARK])

MAPPING: Final = """
identity: {job: marked}
items: $.items[*]
metrics:
  - {name: marked_value, path: "@.value"}
"""
MARKED: Final[Mapping[str, list[Sent]]] = {
    "pixeltracker": [
        Sent(
            "/api/telemetry",
            as_json(
                {
                    "name": "host-77",
                    "cpuC": 4,
                    "note": EVERYTHING,
                    "source": {"platform": EVERYTHING, "arch": EVERYTHING},
                    EVERYTHING: [EVERYTHING, {EVERYTHING: EVERYTHING}],
                }
            ),
            JSON,
        ),
    ],
    "pushgateway": [
        Sent("/metrics/job/backup", f"# HELP b {BODY_MARK}\nb 1\n".encode(), {"Content-Type": "text/plain"}),
    ],
    "statix": [
        Sent(
            "/metrics",
            as_json(
                {
                    "hostname": "host-77",
                    "cpu": 1,
                    "ram": 2,
                    "disk": 3,
                    "timestamp": 1,
                    "note": EVERYTHING,
                    "details": {
                        "system": {"platform": EVERYTHING, "os": EVERYTHING},
                        "network": {
                            "primary_interface": {
                                "name": "eth0",
                                "ipv4": ADDRESSES["IPv4"],
                                "netmask": ADDRESSES["IPv4"],
                                "mac": ADDRESSES["MAC"],
                            }
                        },
                        EVERYTHING: EVERYTHING,
                    },
                }
            ),
            JSON,
        ),
    ],
    "statusmonitor": [
        Sent(
            "/ingest",
            as_json(
                {
                    "timestamp": 1,
                    "note": EVERYTHING,
                    "disk": {
                        "partitions": [
                            {
                                "device": ADDRESSES["IPv4"],
                                "mountpoint": "/" + ADDRESSES["e-mail"],
                                "fstype": BODY_MARK,
                                "total": 9,
                                "used": 1,
                                "free": 8,
                                "percent": 1,
                            }
                        ]
                    },
                }
            ),
            JSON,
        ),
    ],
    "minigem": [
        Sent(
            "/t",
            as_json(
                {
                    "schema": "jwc.v1",
                    "batch": [
                        {
                            "anon": f"marked-anon-{EVERYTHING}",
                            "evt": evt,
                            "t": 1,
                            "os": EVERYTHING,
                            "ext": EVERYTHING,
                            "vscode": EVERYTHING,
                            "sessionId": EVERYTHING,
                            "m": {
                                "exceptionHash": EVERYTHING,
                                "cumulativeBytesBucket": EVERYTHING,
                                "phase": EVERYTHING,
                                "durationMs": EVERYTHING,
                                EVERYTHING: EVERYTHING,
                            },
                            EVERYTHING: EVERYTHING,
                        }
                        for evt in ("java.run.completed", "java.run.error", EVERYTHING)
                    ],
                }
            ),
            JSON,
        ),
    ],
    "proxmoxve": [
        Sent(
            path,
            as_json(
                {
                    "random_id": EVERYTHING,
                    "execution_id": EVERYTHING,
                    "type": "lxc",
                    "nsapp": f"app {' '.join(ADDRESSES.values())}",
                    "status": status,
                    "exit_code": 1,
                    "error": f"cannot reach {' '.join(ADDRESSES.values())}",
                    "method": " ".join(ADDRESSES.values()),
                    "failed_command": EVERYTHING,
                    EVERYTHING: EVERYTHING,
                }
            ),
            JSON,
        )
        for path in ("/telemetry", "/upload", "/upload/updatestatus")
        for status in ("installing", "failed")
    ],
    "mapped": [
        Sent(
            "/api/v1/push/marked",
            as_json(
                {"items": [{"value": 1, "note": EVERYTHING}, {"value": EVERYTHING, EVERYTHING: EVERYTHING}]}
            ),
            JSON,
        ),
    ],
    "samples": [
        Sent(
            "/api/v1/samples", as_json([{"name": "room", "value": 1}, {"name": EVERYTHING, "value": 1}]), JSON
        ),
    ],
}
"""By dialect: what can hold a mark anywhere. Each is also sent broken, too large, compressed and with wrong tokens."""


def test_every_dialect_is_looked_at() -> None:
    assert MARKED.keys() == DIALECTS.keys()


def variants(sent: Sent) -> Iterator[Sent]:
    """The request as it is, and as it must be refused."""
    forwarded = {"X-Forwarded-For": FORWARDED, "Forwarded": f"for={FORWARDED}", "User-Agent": BODY_MARK}
    plain = sent._replace(headers={**sent.headers, **forwarded})
    yield plain
    yield plain._replace(path=f"{sent.path}?key={QUERY_MARK}&ip={ADDRESSES['IPv4']}")
    yield plain._replace(body=sent.body[:-1])
    yield plain._replace(body=sent.body + EVERYTHING.encode())
    yield plain._replace(body=b"\xff" + sent.body)
    yield plain._replace(body=gzip.compress(sent.body), headers={**plain.headers, "Content-Encoding": "gzip"})
    yield plain._replace(body=sent.body, headers={**plain.headers, "Content-Encoding": "gzip"})
    yield plain._replace(body=EVERYTHING.encode() * 100_000)
    yield plain._replace(method="DELETE")
    for header in ("Authorization", "X-Agent-Token"):
        scheme = "Bearer " if header == "Authorization" else ""
        yield plain._replace(headers={**plain.headers, header: f"{scheme}{WRONG_TOKEN}"})
    yield plain._replace(headers={**plain.headers, "Idempotency-Key": BODY_MARK})
    yield plain._replace(headers={**plain.headers, "Cookie": f"telemetry_session={WRONG_TOKEN}"})


def ask(bridge: BridgeProcess, sent: Sent) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=30)
    try:
        connection.request(sent.method, sent.path, sent.body or None, dict(sent.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


READS: Final = (
    "/metrics",
    "/api/telemetry",
    "/pt/api/telemetry",
    "/stats",
    "/api/records",
    "/pve/metrics",
    "/api/v1/tokens",
    "/api/v1/openapi.json",
    "/",
)


def found(marks: Mapping[str, str], text: bytes) -> list[str]:
    return [name for name, mark in marks.items() if mark.encode() in text]


def test_no_log_file_or_answer_holds_an_address_a_token_or_a_body(tmp_path: Path) -> None:
    log = tmp_path / "log"
    token_file = tmp_path / "journal" / "access" / "tokens.json"
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "marked.yml").write_text(MAPPING)
    flags = ("--log.level=debug", "--access.read=token", f"--mappings.directory={mappings}")
    bridge = BridgeProcess(tmp_path / "journal", *flags, log=log)
    with bridge:
        admin = bridge.create_token("--right=admin")
        pusher = bridge.create_token()
        good = {"Authorization": f"Bearer {pusher}"}
        for requests in MARKED.values():
            for sent in requests:
                status, _ = ask(bridge, sent._replace(headers={**sent.headers, **good}))
                assert status in (200, 201, 202)
                statuses = {ask(bridge, one)[0] for one in variants(sent)}
                assert max(statuses) < 500
        ask(bridge, Sent("/login", f"token={WRONG_TOKEN}&next=/{QUERY_MARK}".encode(), JSON))
        ask(
            bridge,
            Sent(f"/metrics?token={WRONG_TOKEN}", b"", {"Authorization": f"Bearer {WRONG_TOKEN}"}, "GET"),
        )
        answers = {
            path: ask(bridge, Sent(path, b"", {"Authorization": f"Bearer {admin}"}, "GET")) for path in READS
        }
        assert bridge.terminate() == 0

    tokens = {"admin token": admin, "push token": pusher, "wrong token": WRONG_TOKEN}
    addresses = {**ADDRESSES, "forwarded": FORWARDED}
    bodies = {"body": BODY_MARK, "query": QUERY_MARK}
    for path, (status, body) in answers.items():
        assert (status, found({**addresses, **tokens, "query": QUERY_MARK}, body)) == (200, []), path
    assert found({**addresses, **tokens, **bodies}, log.read_bytes()) == []
    files = [file for file in (tmp_path / "journal").rglob("*") if file.is_file()]
    assert token_file in files
    for file in files:
        assert found({**addresses, **tokens, "query": QUERY_MARK}, file.read_bytes()) == [], file
