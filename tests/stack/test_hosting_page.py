"""docs/hosting.md: its examples are what Prometheus and the bridge take, and agree with the shipped configuration."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pushgateway_bridge.config import load, remotes_of
from pushgateway_bridge.config_rules import access_rules, check_access
from pushgateway_bridge.dialects import DIALECTS
from stack import tools


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs/hosting.md").read_text()


def prometheus_example(page: str) -> str:
    found = re.search(r"^```yaml\n(# prometheus\.yml\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def shell_example(page: str, beginning: str) -> str:
    found = re.search(rf"^```sh\n({beginning}.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].replace("\\\n", "")


def test_the_scrape_is_the_shipped_one_but_for_how_the_bridge_is_reached(page: str, repository: Path) -> None:
    jobs = yaml.safe_load((repository / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    shipped = next(job for job in jobs if job["job_name"] == "bridge")
    (job,) = yaml.safe_load(prometheus_example(page))["scrape_configs"]
    reached = {"scheme", "authorization", "static_configs", "file_sd_configs"}

    def asked(of: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in of.items() if key not in reached}

    assert asked(job) == asked(shipped)
    assert (job["scheme"], job["authorization"]) == ("https", {"credentials_file": "bridge.token"})


@pytest.mark.stack
def test_prometheus_takes_the_example_with_the_shipped_rules(
    page: str, repository: Path, tmp_path: Path
) -> None:
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"
    (tmp_path / "prometheus.yml").write_text(prometheus_example(page))
    (tmp_path / "bridge.token").touch()
    (tmp_path / "rules").symlink_to(repository / "prometheus/rules")

    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list((repository / 'prometheus/rules').glob('*.yml')))} rule files found" in done.stdout


def test_the_environment_of_the_page_is_one_the_bridge_starts_with(page: str) -> None:
    words = shlex.split(shell_example(page, "PORT="))
    environment = dict(word.split("=", 1) for word in words[: words.index("pushgateway-bridge")])
    config = load(None, environment, {})

    check_access(config, DIALECTS)
    assert config.web.listen_address == f"0.0.0.0:{environment['PORT']}"
    assert access_rules(config).open_protocols_need_token
    assert access_rules(config).reads_need_token


def test_the_environment_for_remote_write_names_one_remote_with_a_token(page: str, tmp_path: Path) -> None:
    token = tmp_path / "remote.token"
    token.touch()
    text = shell_example(page, "PUSHGATEWAY_BRIDGE_DELIVERY").replace("/data/remote.token", str(token))
    config = load(None, dict(word.split("=", 1) for word in shlex.split(text)), {})

    assert [(remote.url, remote.bearer_token_file) for remote in remotes_of(config)] == [
        ("https://prometheus.example/api/v1/write", str(token))
    ]


def test_port_counts_in_the_image_once_its_own_address_is_set_to_nothing(page: str, repository: Path) -> None:
    image = (repository / "pushgateway-bridge/Dockerfile").read_text()
    own = dict(re.findall(r"\b(PUSHGATEWAY_BRIDGE_[A-Z_]+|PORT)=(\S+)", image))
    said = re.findall(r"`(PUSHGATEWAY_BRIDGE_WEB_LISTEN_ADDRESS)=`", page)
    environment = {**own, **dict.fromkeys(said, ""), "PORT": "8080"}

    assert load(None, environment, {}).web.listen_address == "0.0.0.0:8080"
