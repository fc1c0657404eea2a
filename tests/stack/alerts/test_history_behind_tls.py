"""The native stack whose bridge has a certificate: its neighbours still reach it, and the history is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import trustme
import yaml

from tests.ports import free_port
from tests.stack.alerts.alertmanager import Alertmanager, alert, wait_for
from tests.stack.conftest import Stack

pytestmark = pytest.mark.stack

WEB_CONFIG: Final = "PUSHGATEWAY_BRIDGE_WEB_CONFIG_FILE"
PRIVATE: Final = "PUSHGATEWAY_BRIDGE_WEB_PRIVATE_LISTEN_ADDRESS"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of whoever signed the bridge's, which lies beside it with its key and the web configuration."""
    signer = trustme.CA()
    signer.cert_pem.write_to_path(str(tmp_path / "authority.crt"))
    signed = signer.issue_cert("127.0.0.1")
    signed.private_key_pem.write_to_path(str(tmp_path / "bridge.key"))
    signed.cert_chain_pems[0].write_to_path(str(tmp_path / "bridge.crt"))
    tls = {"tls_server_config": {"cert_file": "bridge.crt", "key_file": "bridge.key"}}
    (tmp_path / "web.yml").write_text(yaml.safe_dump(tls))
    return tmp_path / "authority.crt"


def test_an_alert_is_in_the_history_of_a_bridge_that_speaks_tls_alone(
    new_stack: Callable[[str], Stack], authority: Path
) -> None:
    stack = new_stack("tls")
    settings = {WEB_CONFIG: str(authority.parent / "web.yml"), PRIVATE: f"127.0.0.1:{free_port()}"}
    bridge = stack.bridge.replace("http://", "https://")

    started = stack.run("up", **settings)
    assert started.returncode == 0, started.stdout + started.stderr
    Alertmanager(stack.alertmanager.removeprefix("http://"), stack.directory).post(
        [alert("HostCpuHigh", job="tls", instance="host")]
    )

    def kept() -> list[Any]:
        answer = requests.get(f"{bridge}/api/v1/alerts/history", verify=str(authority), timeout=5)
        entries: list[Any] = answer.json()["alerts"]
        return [entry for entry in entries if entry["labels"].get("job") == "tls"]

    def scraped() -> Any:
        parameters = {"query": 'up{job="bridge"} == 1'}
        return requests.get(f"{stack.prometheus}/api/v1/query", params=parameters, timeout=5).json()["data"][
            "result"
        ]

    [entry] = wait_for("the history", kept)
    wait_for("a scrape", scraped)

    assert (entry["labels"]["alertname"], entry["status"]) == ("HostCpuHigh", "firing")
    assert stack.run("status").returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(stack.bridge, timeout=5)
