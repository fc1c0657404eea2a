"""docker-compose.yml, built and started for real with podman, on stand-ins for the base images.

`make test-compose` runs it. docs/containers.md tells what it does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from stack.settings import PARTS
from tests.compose.engine import Engine
from tests.compose.running import (
    IMAGES,
    SCRAPE_SECONDS,
    START_SECONDS,
    Stack,
    checkout,
    eventually,
    free_ports,
    started,
)

PUSH = {"name": "my-server", "cpuC": 8, "cpuL": 63, "tRam": 31387, "uRam": 16382, "disk": 50400}


@pytest.fixture(scope="module")
def stack(engine: Engine, repository: Path) -> Iterator[Stack]:
    directory = checkout(repository, engine.folder / "checkout")
    with started(Stack(engine, "telemetry-test", directory, free_ports())) as stack:
        yield stack


def push(stack: Stack, body: Mapping[str, object]) -> requests.Response:
    return requests.post(f"http://127.0.0.1:{stack.ports['bridge']}/api/telemetry", json=body, timeout=10)


@pytest.mark.parametrize("image", IMAGES)
def test_image_has_a_numeric_user_a_health_check_and_its_version(engine: Engine, image: str) -> None:
    config = engine.inspect("image", f"localhost/{image}")["Config"]
    health = engine.inspect("image", f"localhost/{image}")["Healthcheck"]

    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == image.split(":")[1]
    assert health["Test"][0] == "CMD"
    assert "/-/ready" in health["Test"][-1]


def test_bare_bridge_image_refuses_to_be_open_to_everyone(engine: Engine) -> None:
    done = engine.podman("run", "--rm", "localhost/pushgateway-bridge:0.1.0", check=False)

    assert done.returncode != 0
    assert "open_protocols" in done.stdout + done.stderr


def test_configuration_is_written_once_for_alertmanager_alone(stack: Stack) -> None:
    # podman-compose starts it once for those that wait for it and once for itself, at the very end.
    state = eventually(
        SCRAPE_SECONDS,
        lambda: stack.engine.inspect("container", stack.container("config"))["State"],
        lambda state: state["Status"] == "exited",
    )

    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert stack.execute("alertmanager", "stat", "-c", "%a %u", "/config/alertmanager.yml") == "600 65534"
    assert "${" not in stack.execute("alertmanager", "cat", "/config/alertmanager.yml")


def test_push_through_the_published_port_is_found_in_prometheus(stack: Stack) -> None:
    accepted = push(stack, PUSH)
    found = eventually(
        SCRAPE_SECONDS,
        lambda: stack.query('node_memory_MemTotal_bytes{job="pixeltracker",instance="my-server"}'),
        bool,
    )

    assert (accepted.status_code, accepted.json()) == (200, {"status": "accepted"})
    assert found == [31387 * 2**20]


def test_exporter_shows_the_host_and_not_its_container(stack: Stack) -> None:
    memory = next(
        line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    interfaces = {line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    exposition = stack.get("exporter", "/metrics").text
    shown = {
        line.split('device="')[1].split('"')[0]
        for line in exposition.splitlines()
        if line.startswith("node_network_receive_bytes_total{")
    }

    found = eventually(
        SCRAPE_SECONDS, lambda: stack.query('node_memory_MemTotal_bytes{job="node",instance="local"}'), bool
    )

    assert found == [int(memory.split()[1]) * 1024]
    # Interfaces of containers come and go while the test runs, the host's own stay.
    assert {name for name in interfaces if not name.startswith(("veth", "podman"))} <= shown
    assert 'mountpoint="/"' in exposition


def test_prometheus_scrapes_every_part_but_the_stand_in(stack: Stack) -> None:
    jobs = [part for part in PARTS if part != "grafana"]
    names = {"exporter": "node"}
    wanted = {names.get(part, part) for part in jobs}

    def up() -> set[str]:
        return {name for name in wanted if stack.query(f'up{{job="{name}"}}') == [1.0]}

    found = eventually(SCRAPE_SECONDS, up, lambda found: found == wanted)

    assert found == wanted, stack.last_words("prometheus")


def test_prometheus_finds_alertmanager_and_loads_the_rules(stack: Stack) -> None:
    managers = eventually(
        SCRAPE_SECONDS,
        lambda: stack.get("prometheus", "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"],
        bool,
    )
    groups = stack.get("prometheus", "/api/v1/rules").json()["data"]["groups"]

    assert [manager["url"] for manager in managers] == ["http://alertmanager:9093/api/v2/alerts"]
    assert groups


def test_bridge_shows_the_page_and_reads_prometheus(stack: Stack) -> None:
    page = stack.get("bridge", "/dashboard")
    dashboards = stack.get("bridge", "/api/v1/dashboards").json()
    answer = stack.get("bridge", "/api/v1/prometheus/query", query="vector(1)")

    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert "host" in {dashboard["uid"] for dashboard in dashboards}
    assert answer.json()["data"]["result"][0]["value"][1] == "1"


def test_grafana_stand_in_found_its_mounts(stack: Stack) -> None:
    """It ends with a message if one is missing. That the real Grafana starts is not shown here."""
    assert stack.get("grafana", "/api/health").json() == {"standIn": True}


@pytest.mark.parametrize("part", PARTS)
def test_part_is_no_root_cannot_write_its_root_and_listens_on_loopback(stack: Stack, part: str) -> None:
    container = stack.engine.inspect("container", stack.container(part))
    bindings = [each for port in container["HostConfig"]["PortBindings"].values() for each in port]

    assert stack.execute(part, "id", "-u") != "0"
    stack.execute(part, "touch", "/etc/written", check=False)
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert (
        stack.engine.podman("exec", stack.container(part), "stat", "/etc/written", check=False).returncode
        != 0
    )
    assert container["EffectiveCaps"] in (None, [])
    assert {(each["HostIp"], int(each["HostPort"])) for each in bindings} == {
        ("127.0.0.1", stack.ports[part])
    }


def test_push_outlives_a_killed_bridge(stack: Stack) -> None:
    """SIGKILL, so that nothing is written on the way out; only the journal's volume is left of the container."""
    accepted = push(stack, {**PUSH, "name": "kept"})
    stack.engine.podman("kill", "--signal", "KILL", stack.container("bridge"))
    stack.engine.podman("wait", "--condition", "stopped", stack.container("bridge"))

    stack.engine.podman("start", stack.container("bridge"))
    eventually(START_SECONDS, stack.check_health, lambda health: health["bridge"])

    families = text_string_to_metric_families(stack.get("bridge", "/metrics").text)
    reports = {
        sample.labels["instance"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "telemetry_reports_total"
    }
    assert accepted.status_code == 200
    assert reports["kept"] == 1
