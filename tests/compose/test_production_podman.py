"""docker-compose.production.yml over docker-compose.yml, started for real with podman.

In the order of docs/containers.md: certificates, who may push, tokens, a certificate that is renewed.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from stack.settings import PARTS
from tests.compose.engine import Engine
from tests.compose.running import (
    SCRAPE_SECONDS,
    START_SECONDS,
    Stack,
    checkout,
    eventually,
    free_ports,
    start,
    started,
)
from tests.web_config.material import place

PUBLISHED = ("bridge", "grafana")
PIXELTRACKER = {"name": "my-server", "cpuC": 8, "cpuL": 63, "tRam": 31387, "uRam": 16382, "disk": 50400}
USERS = {"bridge": 65532, "grafana": 472}
"""Who reads the certificates."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def install_certificate(directory: Path, part: str, certificate: trustme.LeafCert) -> None:
    """Write certificate and key of *part* as docs/containers.md says."""
    secrets = directory / "secrets"
    place(secrets, certificate, part)
    for ending in ("crt", "key"):
        file = secrets / f"{part}.{ending}"
        file.chmod(0o400)
        os.chown(file, USERS[part], -1)


@pytest.fixture(scope="module")
def unready(engine: Engine, repository: Path, authority: trustme.CA) -> Iterator[Stack]:
    """The stack as it stands when nobody said who may push."""
    directory = checkout(repository, engine.folder / "production")
    (directory / "secrets").mkdir(mode=0o755)
    for part in PUBLISHED:
        install_certificate(directory, part, authority.issue_cert("127.0.0.1"))
    password = directory / "secrets/grafana-admin-password"
    password.write_text("a password\n")
    password.chmod(0o400)
    os.chown(password, USERS["grafana"], -1)
    ports = {part: port for part, port in free_ports().items() if part in PUBLISHED}
    stack = Stack(engine, "production-test", directory, ports, production=True)
    with started(stack, without=("bridge",)):
        yield stack


def test_the_bridge_alone_refuses_to_start_until_somebody_says_who_may_push(unready: Stack) -> None:
    said = eventually(
        START_SECONDS, lambda: unready.last_words("bridge"), lambda said: "open_protocols" in said
    )

    assert "open_protocols" in said
    assert unready.check_health() == {part: part != "bridge" for part in PARTS}


@pytest.fixture(scope="module")
def stack(unready: Stack) -> Stack:
    """The same with tokens for everybody."""
    ready = unready._replace(settings={"BRIDGE_OPEN_PROTOCOLS": "token"})
    start(ready)
    return ready


@pytest.fixture(scope="module")
def https(stack: Stack, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> requests.Session:
    """A client that trusts whoever made the certificates, and nobody else."""
    file = tmp_path_factory.mktemp("authority") / "authority.crt"
    authority.cert_pem.write_to_path(str(file))
    session = requests.Session()
    session.trust_env = False
    session.verify = str(file)
    return session


def url(stack: Stack, part: str, path: str) -> str:
    return f"https://127.0.0.1:{stack.ports[part]}{path}"


def make_token(stack: Stack, *options: str) -> dict[str, str]:
    """The header of a new token, made as docs/containers.md says."""
    made = stack.execute("bridge", "pushgateway-bridge", "token", "create", *options)
    return {"Authorization": f"Bearer {made.split()[-1]}"}


def test_no_part_but_the_bridge_and_grafana_is_published(stack: Stack) -> None:
    published = {}
    for part in PARTS:
        bindings = stack.engine.inspect("container", stack.container(part))["HostConfig"]["PortBindings"]
        ports = [each for some in (bindings or {}).values() for each in some or ()]
        published[part] = [int(each["HostPort"]) for each in ports]

    assert published == {part: [stack.ports[part]] if part in PUBLISHED else [] for part in PARTS}


def test_both_speak_tls_only(stack: Stack, https: requests.Session) -> None:
    assert https.get(url(stack, "bridge", "/-/healthy"), timeout=10).status_code == 200
    assert https.get(url(stack, "grafana", "/api/health"), timeout=10).json() == {"standIn": True}
    for part in PUBLISHED:
        with pytest.raises(requests.ConnectionError):
            stack.get(part, "/")


def test_nothing_is_read_or_pushed_without_a_token(stack: Stack, https: requests.Session) -> None:
    for path in ("/metrics", "/api/v1/sources", "/api/v1/prometheus/query?query=up"):
        assert https.get(url(stack, "bridge", path), timeout=10).status_code == 401, path
    pushed = https.post(url(stack, "bridge", "/api/telemetry"), json=PIXELTRACKER, timeout=10)
    assert pushed.status_code == 401


def test_a_push_with_its_token_is_found_in_prometheus(stack: Stack, https: requests.Session) -> None:
    pusher = make_token(stack, "--name", "my-server", "--job", "pixeltracker", "--instance", "my-server")
    reader = make_token(stack, "--name", "browser", "--right", "read")
    pushed = https.post(url(stack, "bridge", "/api/telemetry"), json=PIXELTRACKER, headers=pusher, timeout=10)
    shown = https.get(url(stack, "bridge", "/metrics"), headers=reader, timeout=10)
    foreign = https.get(url(stack, "bridge", "/metrics"), headers=pusher, timeout=10)
    found = eventually(
        SCRAPE_SECONDS,
        lambda: stack.query('node_memory_MemTotal_bytes{job="pixeltracker",instance="my-server"}'),
        bool,
    )

    assert (pushed.status_code, pushed.json()) == (200, {"status": "accepted"})
    assert 'telemetry_reports_total{job="pixeltracker",instance="my-server"} 1' in shown.text
    assert foreign.status_code == 403
    assert found == [31387 * 2**20]


def test_prometheus_scrapes_the_bridge_at_its_private_listener(stack: Stack) -> None:
    found = eventually(SCRAPE_SECONDS, lambda: stack.query('up{job="bridge"}'), lambda up: up == [1.0])
    targets = stack.ask_prometheus("/api/v1/targets")["data"]["activeTargets"]
    scraped = {each["labels"]["job"]: each["scrapeUrl"].split("?")[0] for each in targets}

    assert found == [1.0], stack.last_words("prometheus")
    assert scraped["bridge"] == "http://bridge:10092/metrics"
    assert scraped["grafana"] == "https://grafana:3000/metrics"


def test_a_renewed_certificate_is_taken_over(stack: Stack, authority: trustme.CA) -> None:
    """Written into the files that are there, as these are what the container has."""
    secrets = stack.directory / "secrets"
    new = authority.issue_cert("127.0.0.1", "renewed.example")
    (secrets / "bridge.crt").write_bytes(b"".join(blob.bytes() for blob in new.cert_chain_pems))
    (secrets / "bridge.key").write_bytes(new.private_key_pem.bytes())
    expected = new.cert_chain_pems[0].bytes().decode().split()

    shown = eventually(
        SCRAPE_SECONDS,
        lambda: ssl.get_server_certificate(("127.0.0.1", stack.ports["bridge"])).split(),
        lambda shown: shown == expected,
    )

    assert shown == expected


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_to_be_started_again_when_it_ends(stack: Stack, part: str) -> None:
    """That an engine does so is not shown: podman, as it runs here, did not."""
    host = stack.engine.inspect("container", stack.container(part))["HostConfig"]

    assert host["RestartPolicy"]["Name"] == "always"


def test_a_bridge_that_is_killed_has_lost_nothing(stack: Stack, https: requests.Session) -> None:
    reader = make_token(stack, "--name", "after", "--right", "read")
    pusher = make_token(stack, "--name", "kept", "--job", "pixeltracker", "--instance", "kept")
    accepted = https.post(
        url(stack, "bridge", "/api/telemetry"),
        json={**PIXELTRACKER, "name": "kept"},
        headers=pusher,
        timeout=10,
    )
    stack.engine.podman("kill", "--signal", "KILL", stack.container("bridge"))
    stack.engine.podman("wait", "--condition", "stopped", stack.container("bridge"))

    stack.engine.podman("start", stack.container("bridge"))
    eventually(START_SECONDS, stack.check_health, lambda health: health["bridge"])

    shown = https.get(url(stack, "bridge", "/metrics"), headers=reader, timeout=10).text
    assert accepted.status_code == 200
    assert 'telemetry_reports_total{job="pixeltracker",instance="kept"} 1' in shown
