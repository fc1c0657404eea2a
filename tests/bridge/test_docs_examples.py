"""Examples of configuration files in docs/ are files that the bridge starts with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pushgateway_bridge.config import RemoteConfig, RemoteTlsConfig, load, remotes_of
from pushgateway_bridge.remote_metrics import DROP_REASONS

SECRETS = "/etc/pushgateway-bridge"
EXAMPLE = re.compile(r"^```yaml\n# bridge\.yml: ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = {
    "the Prometheus that the dashboards read": [
        RemoteConfig(name="prometheus", url="http://127.0.0.1:9090/api/v1/write")
    ],
    "VictoriaMetrics": [RemoteConfig(name="victoria", url="http://victoria.example:8428/api/v1/write")],
    "Grafana Mimir": [
        RemoteConfig(
            name="mimir", url="https://mimir.example/api/v1/push", headers={"X-Scope-OrgID": "team-a"}
        )
    ],
    "Thanos Receive": [
        RemoteConfig(
            name="thanos",
            url="https://thanos.example/api/v1/receive",
            headers={"THANOS-TENANT": "team-a"},
            tls=RemoteTlsConfig(
                ca_file=f"{SECRETS}/ca.pem",
                cert_file=f"{SECRETS}/client.pem",
                key_file=f"{SECRETS}/client.key",
            ),
        )
    ],
    "a hosted Prometheus with a password": [
        RemoteConfig(
            name="hosted",
            url="https://prometheus.example/api/prom/push",
            username="123456",
            password_file=f"{SECRETS}/password",
            max_samples_per_request=2000,
        )
    ],
    "a hosted Prometheus with a token": [
        RemoteConfig(
            name="hosted",
            url="https://prometheus.example/api/v1/write",
            bearer_token_file=f"{SECRETS}/token",
        )
    ],
    "two remotes": [
        RemoteConfig(name="prometheus", url="http://127.0.0.1:9090/api/v1/write"),
        RemoteConfig(
            name="archive",
            url="https://archive.example/api/v1/write",
            bearer_token_file=f"{SECRETS}/token",
            max_pending_bytes=500_000_000,
            max_pending_age_seconds=86400.0,
        ),
    ],
}


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs/remote-write.md").read_text()


def test_every_example_of_the_remote_write_page_is_known_here(page: str) -> None:
    assert [title for title, _ in EXAMPLE.findall(page)] == list(EXPECTED)
    assert page.count("# bridge.yml") == len(EXPECTED)


@pytest.mark.parametrize("title", EXPECTED)
def test_example_of_the_remote_write_page_means_what_it_says(title: str, page: str, tmp_path: Path) -> None:
    """The secrets' files are made, elsewhere, since the bridge looks for them at its start."""
    text = dict(EXAMPLE.findall(page))[title].replace(SECRETS, str(tmp_path))
    for name in re.findall(rf"{re.escape(str(tmp_path))}/(\S+)", text):
        (tmp_path / name).touch()
    file = tmp_path / "bridge.yml"
    file.write_text(text)
    config = load(file, {}, {})
    remotes = [repr(remote).replace(str(tmp_path), SECRETS) for remote in remotes_of(config)]

    assert config.delivery == "remote_write"
    assert remotes == [repr(remote) for remote in EXPECTED[title]]


def test_remote_write_page_names_every_reason_to_drop(page: str) -> None:
    section = page.split("## What is not sent")[1].split("\n## ", maxsplit=1)[0]

    assert re.findall(r"^\| `(\w+)` \| [a-z]", section, re.MULTILINE) == list(DROP_REASONS)
