"""The compose files and Dockerfiles: what they open, and that they agree with native mode and the targets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from pushgateway_bridge.config import Config, load, remotes_of
from pushgateway_bridge.config_rules import access_rules, check_access
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.errors import StartFailed
from stack import parts, settings, tools
from telemetry_web_config.access import WebAccess

BASE = "docker-compose.yml"
PRODUCTION = "docker-compose.production.yml"
WEB_CONFIG = "pushgateway-bridge/production/web.yml"
PRIVATE_PORT = 10092
"""Where Prometheus and the health check ask the bridge in production."""
FOLDERS = {"host-exporter": "exporter", "pushgateway-bridge": "pushgateway-bridge"}
"""Our programs and where they are built from."""
# Docker itself creates no such path: what is mounted from elsewhere belongs to the host.
HOST_MOUNTS = {"/proc": "/host/proc", "/sys": "/host/sys", "/": "/rootfs"}
DATA_VOLUMES = {
    "bridge": {"journal": "/var/lib/pushgateway-bridge", "config": "/config"},
    "prometheus": {"prometheus": "/prometheus"},
    "alertmanager": {"alertmanager": "/alertmanager", "config": "/config"},
    "grafana": {"grafana": "/var/lib/grafana"},
    "config": {"config": "/config"},
    "config-check": {"config": "/config"},
    "exporter": {},
}


@pytest.fixture(scope="module")
def docker_compose() -> Path:
    found = tools.find("docker-compose")
    if found is None:
        reason = "docker-compose is missing: run 'python -m stack tools'"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def base(docker_compose: Path, repository: Path) -> dict[str, Any]:
    """The services of the base file as Docker would run them."""
    return resolve(docker_compose, repository, BASE)


@pytest.fixture(scope="module")
def production(docker_compose: Path, repository: Path) -> dict[str, Any]:
    """The services of both files together."""
    return resolve(docker_compose, repository, BASE, PRODUCTION)


def resolve(
    docker_compose: Path, repository: Path, *files: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The services of *files*, resolved without the `.env` of whoever runs the test."""
    services: dict[str, Any] = resolve_document(docker_compose, repository, *files, environment=environment)[
        "services"
    ]
    return services


def resolve_document(
    docker_compose: Path, repository: Path, *files: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The same with everything beside the services."""
    options = [option for file in files for option in ("-f", str(repository / file))]
    done = subprocess.run(
        [
            docker_compose,
            "--project-directory",
            repository,
            "--env-file",
            os.devnull,
            *options,
            "config",
            "--format=json",
        ],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def published(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """By service: ``address:port→port`` of what it publishes."""
    return {
        name: [f"{port['host_ip']}:{port['published']}→{port['target']}" for port in service["ports"]]
        for name, service in services.items()
        if service.get("ports")
    }


def mounts(service: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Source and target of the mounts of one *kind*."""
    return {mount["source"]: mount["target"] for mount in service.get("volumes", []) if mount["type"] == kind}


def conditions(services: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """By service: what it waits for, and until when."""
    return {
        name: {on: dependency["condition"] for on, dependency in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }


def dockerfile(repository: Path, program: str) -> str:
    return (repository / FOLDERS[program] / "Dockerfile").read_text()


@pytest.mark.parametrize("program", FOLDERS)
def test_hadolint_finds_nothing_in_the_dockerfiles(repository: Path, program: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    done = subprocess.run(
        [hadolint, repository / FOLDERS[program] / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("program", FOLDERS)
def test_image_version_is_the_version_of_the_package(repository: Path, program: str) -> None:
    package = tomllib.loads((repository / FOLDERS[program] / "pyproject.toml").read_text())["project"]

    label = re.findall(r'org\.opencontainers\.image\.version="(.+?)"', dockerfile(repository, program))
    images = re.findall(rf"image: {program}:(\S+)", (repository / BASE).read_text())

    assert (label, set(images)) == ([package["version"]], {package["version"]})


@pytest.mark.parametrize("program", FOLDERS)
def test_base_images_are_pinned_to_a_release(repository: Path, program: str) -> None:
    bases = re.findall(r"^FROM (\S+)", dockerfile(repository, program), re.MULTILINE)

    assert bases
    assert [image for image in bases if not re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+", image)] == []


def probed(text: str) -> list[str]:
    """The addresses that health checks in Python ask, by urllib or by a bare socket."""
    by_socket = re.findall(r"\('(127\.0\.0\.1)', (\d+)\).*?GET (\S+) ", text)
    return re.findall(r"http://127\.0\.0\.1:\d+\S*?(?=')", text) + [
        f"http://{host}:{port}{path}" for host, port, path in by_socket
    ]


@pytest.mark.parametrize("program", FOLDERS)
def test_image_runs_as_a_numeric_user_and_checks_readiness(repository: Path, program: str) -> None:
    """A numeric user, because Kubernetes' runAsNonRoot cannot check a name."""
    text = dockerfile(repository, program)
    port = settings.DEFAULT_PORTS["exporter" if program == "host-exporter" else "bridge"]

    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["65532:65532"]
    assert probed(text) == [f"http://127.0.0.1:{port}/-/ready"]
    assert re.findall(r"^EXPOSE (\d+)", text, re.MULTILINE) == [str(port)]


@pytest.mark.parametrize("program", FOLDERS)
def test_dockerignore_lets_through_what_the_dockerfile_copies(repository: Path, program: str) -> None:
    allowed = {
        line.removeprefix("!")
        for line in (repository / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile(repository, program), re.MULTILINE)
        for source in line.split()[:-1]
    ]

    assert copied
    assert [
        path for path in copied if path.split("/")[0] not in allowed or not (repository / path).exists()
    ] == []


def test_image_does_not_open_the_bridge_by_itself(repository: Path) -> None:
    """Only the base compose file says `allow`: it publishes on loopback."""
    text = dockerfile(repository, "pushgateway-bridge")
    instructions = [line for line in text.splitlines() if not line.startswith("#")]

    assert [line for line in instructions if "OPEN_PROTOCOLS" in line] == []


@pytest.mark.stack
def test_every_part_is_a_service_and_two_more_write_and_check_the_configuration(
    base: Mapping[str, Any],
) -> None:
    assert set(base) == {*settings.PARTS, "config", "config-check"}


@pytest.mark.stack
def test_base_file_publishes_the_ports_of_native_mode_on_loopback_only(base: Mapping[str, Any]) -> None:
    expected = {part: [f"127.0.0.1:{port}→{port}"] for part, port in settings.DEFAULT_PORTS.items()}

    assert published(base) == expected


@pytest.mark.stack
@pytest.mark.parametrize("part", settings.PARTS)
def test_address_setting_moves_the_published_port(docker_compose: Path, repository: Path, part: str) -> None:
    moved = resolve(
        docker_compose, repository, BASE, environment={settings.setting_of(part): "127.0.0.2:20001"}
    )

    assert published(moved)[part] == [f"127.0.0.2:20001→{settings.DEFAULT_PORTS[part]}"]


@pytest.mark.stack
def test_production_publishes_only_grafana_and_the_bridge(production: Mapping[str, Any]) -> None:
    assert published(production) == {"bridge": ["0.0.0.0:10091→10091"], "grafana": ["0.0.0.0:3000→3000"]}


def bridge_config(service: Mapping[str, Any], repository: Path) -> Config:
    """What the bridge makes of its environment: that of the compose file over that of the image."""
    image = dict(
        re.findall(r"\b(PUSHGATEWAY_BRIDGE_[A-Z_]+|PORT)=(\S+)", dockerfile(repository, "pushgateway-bridge"))
    )
    return load(None, {**image, **service["environment"]}, {})


@pytest.mark.stack
def test_production_bridge_speaks_tls_with_the_mounted_certificate(
    production: Mapping[str, Any], repository: Path
) -> None:
    bridge = production["bridge"]
    mounted = {secret["source"]: secret["target"] for secret in bridge["secrets"]}
    web_config = yaml.safe_load((repository / WEB_CONFIG).read_text())

    assert bridge_config(bridge, repository).web.config_file == mounted["bridge-web-config"]
    assert web_config == {
        "tls_server_config": {
            "cert_file": mounted["bridge-certificate"],
            "key_file": mounted["bridge-key"],
        }
    }


@pytest.mark.stack
def test_production_web_configuration_is_one_that_the_bridge_takes(repository: Path, tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("bridge.example")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "bridge-certificate"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "bridge-key"))
    (tmp_path / "web.yml").write_text(
        (repository / WEB_CONFIG).read_text().replace("/run/secrets", str(tmp_path))
    )

    with contextlib.closing(WebAccess(tmp_path / "web.yml")) as web_access:
        assert web_access.tls


@pytest.mark.stack
def test_secrets_are_the_files_that_the_containers_page_names(docker_compose: Path, repository: Path) -> None:
    page = (repository / "docs/containers.md").read_text()
    document = resolve_document(docker_compose, repository, BASE, PRODUCTION)
    files = {
        Path(secret["file"]).relative_to(repository).as_posix() for secret in document["secrets"].values()
    }

    assert files - {WEB_CONFIG} == set(re.findall(r"^install -m 0400 .* (secrets/\S+)", page, re.MULTILINE))
    assert WEB_CONFIG in files


@pytest.mark.stack
def test_production_reads_need_a_token_but_for_the_scrape_inside(
    production: Mapping[str, Any], repository: Path
) -> None:
    config = bridge_config(production["bridge"], repository)
    private = config.web.private_listen_address
    target = "/etc/prometheus/targets/bridge.yml"
    source = next(path for path, where in mounts(production["prometheus"], "bind").items() if where == target)
    published_ports = [port["target"] for port in production["bridge"]["ports"]]

    assert access_rules(config).reads_need_token
    assert private == f"0.0.0.0:{PRIVATE_PORT}"
    assert yaml.safe_load(Path(source).read_text()) == [{"targets": [f"bridge:{PRIVATE_PORT}"]}]
    assert PRIVATE_PORT not in published_ports


@pytest.mark.stack
@pytest.mark.parametrize("word", ["allow", "token"])
def test_production_bridge_starts_once_it_is_told_who_may_push(
    docker_compose: Path, repository: Path, word: str
) -> None:
    services = resolve(
        docker_compose, repository, BASE, PRODUCTION, environment={"BRIDGE_OPEN_PROTOCOLS": word}
    )
    config = bridge_config(services["bridge"], repository)

    check_access(config, DIALECTS)
    assert access_rules(config).open_protocols_need_token == (word == "token")


@pytest.mark.stack
def test_production_bridge_refuses_until_then_and_names_the_setting(
    production: Mapping[str, Any], repository: Path
) -> None:
    with pytest.raises(StartFailed, match=r"access\.open_protocols"):
        check_access(bridge_config(production["bridge"], repository), DIALECTS)


@pytest.mark.stack
def test_only_the_base_file_opens_the_bridge_to_clients_without_token(
    base: Mapping[str, Any], production: Mapping[str, Any]
) -> None:
    word = "PUSHGATEWAY_BRIDGE_ACCESS_OPEN_PROTOCOLS"

    assert base["bridge"]["environment"][word] == "allow"
    assert production["bridge"]["environment"][word] == "loopback"


@pytest.mark.stack
def test_production_grafana_speaks_tls_only_and_has_no_default_password(
    production: Mapping[str, Any],
) -> None:
    grafana = production["grafana"]

    assert grafana["environment"]["GF_SERVER_PROTOCOL"] == "https"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in grafana["environment"]
    assert {secret["target"] for secret in grafana["secrets"]} == {
        grafana["environment"][name]
        for name in ("GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_SERVER_CERT_FILE", "GF_SERVER_CERT_KEY")
    }


@pytest.mark.stack
def test_production_changes_of_grafana_only_what_tls_and_the_password_need(
    base: Mapping[str, Any], production: Mapping[str, Any]
) -> None:
    """Its environment is replaced as a whole: a setting added to the base file could be forgotten there."""
    kept = set(base["grafana"]["environment"]) - set(production["grafana"]["environment"])

    assert kept == {"GF_SECURITY_ADMIN_PASSWORD"}


@pytest.mark.stack
def test_production_asks_grafana_by_https(production: Mapping[str, Any], repository: Path) -> None:
    target = "/etc/prometheus/targets/grafana.yml"
    source = next(path for path, where in mounts(production["prometheus"], "bind").items() if where == target)
    groups = yaml.safe_load(Path(source).read_text())

    assert groups == [{"targets": ["grafana:3000"], "labels": {"__scheme__": "https"}}]


@pytest.mark.stack
@pytest.mark.parametrize("file", ["base", "production"])
def test_no_container_runs_as_root_gains_rights_or_writes_outside_its_volumes(
    file: str, request: pytest.FixtureRequest
) -> None:
    services = request.getfixturevalue(file)

    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), name
        assert not service.get("privileged"), name


@pytest.mark.stack
def test_images_of_others_are_pinned_to_a_release(base: Mapping[str, Any]) -> None:
    images = [service["image"] for service in base.values()]

    assert [image for image in images if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


@pytest.mark.stack
@pytest.mark.parametrize("file", ["base", "production"])
def test_parts_are_checked_where_native_mode_waits_for_them(
    file: str, request: pytest.FixtureRequest
) -> None:
    services = request.getfixturevalue(file)
    base_urls = {part: f"http://127.0.0.1:{port}" for part, port in settings.DEFAULT_PORTS.items()}
    if file == "production":
        base_urls["grafana"] = "https://127.0.0.1:3000"
        base_urls["bridge"] = f"http://127.0.0.1:{PRIVATE_PORT}"

    for part, path in parts.READY_PATHS.items():
        url = f"{base_urls[part]}{path}"
        test = " ".join(services[part]["healthcheck"]["test"])
        assert url in test or url in probed(test), part
    for name in ("config", "config-check"):
        assert services[name]["healthcheck"] == {"disable": True}


@pytest.mark.stack
def test_everything_starts_after_its_configuration_and_what_it_asks(base: Mapping[str, Any]) -> None:
    written, healthy = "service_completed_successfully", "service_healthy"
    assert conditions(base) == {
        "config": {},
        "config-check": {"config": written},
        "exporter": {"config": written},
        "bridge": {"config": written},
        "alertmanager": {"config-check": written},
        "prometheus": {"exporter": healthy, "bridge": healthy, "alertmanager": healthy},
        "grafana": {"prometheus": healthy},
    }


@pytest.mark.stack
def test_production_starts_the_rest_though_the_bridge_refuses(
    base: Mapping[str, Any], production: Mapping[str, Any]
) -> None:
    expected = conditions(base)
    expected["prometheus"]["bridge"] = "service_started"

    assert conditions(production) == expected


@pytest.mark.stack
def test_containers_page_names_every_image_and_the_settings_of_both_files(
    base: Mapping[str, Any], repository: Path
) -> None:
    page = (repository / "docs/containers.md").read_text()
    files = [(repository / name).read_text() for name in (BASE, PRODUCTION)]
    named = {name for text in files for name in re.findall(r"\$\{([A-Z_]+)", text)}
    others = {service["image"] for service in base.values() if "build" not in service}

    assert [name for name in sorted(named | others) if f"`{name}`" not in page] == []


@pytest.mark.stack
def test_committed_targets_are_the_services_and_their_ports(
    base: Mapping[str, Any], repository: Path
) -> None:
    services = {part: [f"{part}:{base[part]['ports'][0]['target']}"] for part in settings.PARTS}

    targets = {
        path.stem: [target for group in yaml.safe_load(path.read_text()) for target in group["targets"]]
        for path in (repository / "prometheus/targets").glob("*.yml")
    }

    assert targets == services


@pytest.mark.stack
@pytest.mark.parametrize("file", ["base", "production"])
def test_what_is_mounted_from_the_repository_exists_and_is_read_only(
    file: str, repository: Path, request: pytest.FixtureRequest
) -> None:
    """Docker would make an empty folder in the place of a missing file, and start."""
    services = request.getfixturevalue(file)

    for name, service in services.items():
        binds = [mount for mount in service.get("volumes", []) if mount["type"] == "bind"]
        assert all(mount["read_only"] for mount in binds), name
        if name == "exporter":
            assert mounts(service, "bind") == HOST_MOUNTS
        else:
            assert [mount["source"] for mount in binds if not Path(mount["source"]).exists()] == []


@pytest.mark.stack
def test_what_must_last_lies_in_named_volumes(base: Mapping[str, Any]) -> None:
    assert {name: mounts(service, "volume") for name, service in base.items()} == DATA_VOLUMES


@pytest.mark.stack
def test_exporter_looks_where_the_host_is_mounted(base: Mapping[str, Any]) -> None:
    exporter = base["exporter"]

    assert exporter["command"] == [
        "serve",
        f"--path.procfs={HOST_MOUNTS['/proc']}",
        f"--path.sysfs={HOST_MOUNTS['/sys']}",
        f"--path.rootfs={HOST_MOUNTS['/']}",
    ]
    assert (exporter["pid"], exporter["uts"]) == ("host", "host")
    root = next(mount for mount in exporter["volumes"] if mount["source"] == "/")
    assert root["bind"]["propagation"] == "rslave"


@pytest.mark.stack
@pytest.mark.parametrize("part", ["prometheus", "alertmanager"])
def test_flags_are_those_of_native_mode(base: Mapping[str, Any], part: str, tmp_path: Path) -> None:
    """Paths and addresses differ; retention, features and the receiver must not."""
    found = {name: tools.find(name) for name in ("prometheus", "alertmanager")}
    if not all(found.values()):
        pytest.skip("Prometheus or Alertmanager is missing: run 'python -m stack tools'")
    programs = {name: path for name, path in found.items() if path is not None}
    programs |= {ours: Path(ours) for ours in parts.OUR_PROGRAMS}
    native = next(
        each.command
        for each in parts.native_parts(settings.load_settings({}, tmp_path), programs, None)
        if each.name == part
    )
    free = (
        "--config.file",
        "--storage.path",
        "--storage.tsdb.path",
        "--web.listen-address",
        "--web.external-url",
        "--cluster.listen-address",
    )

    def fixed(command: list[str]) -> set[str]:
        return {flag for flag in command if not flag.startswith(free)}

    assert fixed(base[part]["command"]) == fixed(list(native[1:]))


@pytest.mark.stack
@pytest.mark.parametrize("file", ["base", "production"])
def test_the_bridge_writes_to_the_prometheus_of_the_stack(file: str, request: pytest.FixtureRequest) -> None:
    services = request.getfixturevalue(file)
    environment = services["bridge"]["environment"]
    flags = {
        name.removeprefix("PUSHGATEWAY_BRIDGE_").lower().replace("_", ".", 1): value
        for name, value in environment.items()
        if name.startswith("PUSHGATEWAY_BRIDGE_PROMETHEUS_")
    }
    config = load(None, {}, {"delivery": environment["PUSHGATEWAY_BRIDGE_DELIVERY"], **flags})

    assert [remote.url for remote in remotes_of(config)] == ["http://prometheus:9090/api/v1/write"]
    assert "--web.enable-remote-write-receiver" in services["prometheus"]["command"]
    # Else neither would start: Prometheus waits for the bridge.
    assert "prometheus" not in services["bridge"]["depends_on"]


@pytest.mark.stack
def test_the_delivery_can_be_chosen(docker_compose: Path, repository: Path) -> None:
    services = resolve(
        docker_compose, repository, BASE, environment={"PUSHGATEWAY_BRIDGE_DELIVERY": "scrape"}
    )

    assert services["bridge"]["environment"]["PUSHGATEWAY_BRIDGE_DELIVERY"] == "scrape"


@pytest.mark.stack
def test_settings_of_the_bridge_and_grafana_name_services(base: Mapping[str, Any]) -> None:
    prometheus = f"http://prometheus:{settings.DEFAULT_PORTS['prometheus']}"
    grafana = base["grafana"]["environment"]
    bridge = base["bridge"]["environment"]
    binds = {name: set(mounts(base[name], "bind").values()) for name in ("bridge", "grafana")}

    assert bridge["PUSHGATEWAY_BRIDGE_PROMETHEUS_URL"] == grafana["PROMETHEUS_URL"] == prometheus
    assert bridge["PUSHGATEWAY_BRIDGE_VIEWER_DASHBOARDS_DIRECTORY"] in binds["bridge"]
    assert grafana["GRAFANA_DASHBOARDS_DIR"] in binds["grafana"]
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


@pytest.mark.stack
@pytest.mark.parametrize(
    ("new", "code", "in_place"),
    [("route: {receiver: a}\nreceivers: [{name: a}]\n", 0, "new"), ("route: {receiver: b}\n", 1, "old")],
    ids=["one that loads", "one that does not"],
)
def test_the_check_puts_a_configuration_in_place_only_if_it_loads(
    base: Mapping[str, Any], tmp_path: Path, new: str, code: int, in_place: str
) -> None:
    """The service's own command, run here: on the folder of a test and with the stack's amtool."""
    amtool = tools.find("amtool")
    assert amtool is not None, "amtool is missing: 'python -m stack tools' fetches it"
    old = "route: {receiver: old}\nreceivers: [{name: old}]\n"
    (tmp_path / "alertmanager.yml").write_text(old)
    (tmp_path / "unchecked.yml").write_text(new)
    (tmp_path / "unchecked.yml").chmod(0o600)
    service = base["config-check"]
    command = [part.replace("/config/", f"{tmp_path}/") for part in service["command"]]

    done = subprocess.run(
        [*service["entrypoint"], *command],
        env={"PATH": f"{amtool.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert (tmp_path / "alertmanager.yml").read_text() == {"new": new, "old": old}[in_place]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alertmanager.yml", "unchecked.yml"]
    assert in_place == "new" or 'undefined receiver "b" used in route' in done.stdout + done.stderr
    assert in_place == "old" or (tmp_path / "alertmanager.yml").stat().st_mode & 0o777 == 0o600
