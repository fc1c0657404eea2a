"""limits.max_items, max_nesting and inflated_bytes, over the hot and the ordinary way."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.bridge.process import BridgeProcess

pytestmark = pytest.mark.stack
WAIT_SECONDS = 60
LIMITS = {"max_items": 3, "max_nesting": 4, "inflated_bytes": 2000}


def ask(bridge: BridgeProcess, path: str, body: bytes, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=30)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def items(count: int) -> bytes:
    return json.dumps([{"name": f"m{number}", "value": 1} for number in range(count)]).encode()


def lines(count: int) -> bytes:
    return "".join(f"line{number} 1\n" for number in range(count)).encode()


def nested(depth: int) -> bytes:
    """An object that is *depth* deep."""
    return b'{"name":"a","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.fixture(params=["true", "false"], ids=["hot", "ordinary"])
def bridge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BridgeProcess]:
    file = tmp_path / "bridge.yml"
    file.write_text(yaml.safe_dump({"limits": LIMITS}))
    arguments = (f"--web.hot-routes={request.param}", f"--config.file={file}")
    with BridgeProcess(tmp_path / "journal", *arguments) as process:
        yield process


def statuses(bridge: BridgeProcess) -> dict[str, int]:
    packed = gzip.compress(b"[" + b" " * 3000 + items(1)[1:])
    return {
        "items": ask(bridge, "/api/v1/samples", items(4)),
        "lines": ask(bridge, "/metrics/job/a", lines(4), **{"Content-Type": "text/plain"}),
        "nesting": ask(bridge, "/api/telemetry", nested(5)),
        "inflated": ask(bridge, "/api/v1/samples", packed, **{"Content-Encoding": "gzip"}),
    }


def test_what_is_larger_than_the_configuration_lets_is_refused_until_it_lets(
    bridge: BridgeProcess, tmp_path: Path
) -> None:
    assert statuses(bridge) == {"items": 422, "lines": 400, "nesting": 400, "inflated": 413}
    assert ask(bridge, "/api/v1/samples", items(3)) == 200
    assert ask(bridge, "/metrics/job/a", lines(3), **{"Content-Type": "text/plain"}) == 200
    assert ask(bridge, "/api/telemetry", nested(4)) == 200

    (tmp_path / "bridge.yml").write_text("limits: {}\n")
    bridge.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := statuses(bridge)) != dict.fromkeys(found, 200) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == dict.fromkeys(found, 200)
