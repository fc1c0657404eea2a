"""The example manifests: they are YAML, name what exists, and agree with the code and the stack's own compose file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest
import yaml

from host_exporter.cli import make_cli
from host_exporter.collectors import COLLECTORS
from host_exporter.config import DEFAULT_LISTEN_ADDRESS, Config
from host_exporter.web import OPEN_PATHS
from stack import tools

serve = make_cli(COLLECTORS).commands["serve"]

Object: TypeAlias = dict[str, Any]

PORT = DEFAULT_LISTEN_ADDRESS.port
OPTIONS = [parameter for parameter in serve.params if isinstance(parameter, click.Option)]
FLAGS = {flag for option in OPTIONS for flag in (*option.opts, *option.secondary_opts)}
VARIABLES = {option.envvar for option in OPTIONS}
TELEMETRY_PATH = Config.telemetry_path
HOST_MOUNTS = {"/host/proc": "/proc", "/host/sys": "/sys", "/rootfs": "/"}
FILES = (
    "exporter-compose.yml",
    *(f"kubernetes/{name}.yaml" for name in ("daemonset", "prometheus", "servicemonitor", "sidecar")),
)


@pytest.fixture
def examples(repository: Path) -> Path:
    return repository / "docs/examples"


@pytest.fixture
def objects(examples: Path) -> dict[str, Object]:
    """Those for Kubernetes, by kind; all but the part of Prometheus' own file."""
    found = [
        document
        for name in ("daemonset", "servicemonitor", "sidecar")
        for document in yaml.safe_load_all((examples / f"kubernetes/{name}.yaml").read_text())
    ]
    assert all(document["apiVersion"] and document["metadata"]["name"] for document in found)
    return {document["kind"]: document for document in found}


@pytest.fixture
def compose(examples: Path) -> Object:
    service: Object = yaml.safe_load((examples / "exporter-compose.yml").read_text())["services"]["exporter"]
    return service


@pytest.fixture
def stack_service(repository: Path) -> Object:
    service: Object = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]["exporter"]
    return service


def pod_of(objects: dict[str, Object], kind: str) -> Object:
    pod: Object = (
        objects["DaemonSet"]["spec"]["template"]["spec"] if kind == "DaemonSet" else objects[kind]["spec"]
    )
    return pod


def exporter_of(pod: Object) -> Object:
    (container,) = (found for found in pod["containers"] if found["name"] == "host-exporter")
    return dict(container)


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the real command line makes of them, with folders that exist here."""
    command, *flags = arguments
    assert command == "serve"
    here = [flag.replace("=/host/", "=/").replace("=/rootfs", "=/") for flag in flags]
    return serve.make_context("serve", here).params


def test_every_example_is_tested(examples: Path, repository: Path) -> None:
    page = (repository / "docs/exporter-containers.md").read_text()
    kept = [*examples.glob("*.yml"), *examples.glob("kubernetes/*")]

    assert sorted(str(file.relative_to(examples)) for file in kept) == sorted(FILES)
    for name in FILES:
        assert f"](examples/{name})" in page


@pytest.mark.parametrize("name", [*FILES, "../exporter-containers.md"])
def test_every_flag_and_variable_of_ours_exists(name: str, examples: Path) -> None:
    text = (examples / name).read_text()
    flags = set(re.findall(r"(?<![\w-])--(?:no-)?(?:web|collector|path|log)\.[\w.-]*\w", text))

    assert flags <= FLAGS
    assert set(re.findall(r"\bHOST_EXPORTER_[A-Z_]+\b", text)) <= VARIABLES


@pytest.mark.parametrize("kind", ["DaemonSet", "Pod"])
def test_the_command_line_is_taken_and_listens_where_the_pod_says(
    kind: str, objects: dict[str, Object]
) -> None:
    container = exporter_of(pod_of(objects, kind))

    told = parsed(container["args"])

    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert [(address.host, address.port) for address in told["web_listen_address"]] == [("", PORT)]
    assert told["web_telemetry_path"] == TELEMETRY_PATH
    assert {variable["name"] for variable in container["env"]} <= VARIABLES


@pytest.mark.parametrize("kind", ["DaemonSet", "Pod"])
def test_probes_ask_what_needs_no_password(kind: str, objects: dict[str, Object]) -> None:
    container = exporter_of(pod_of(objects, kind))
    probes = [container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")]

    assert [probe["path"] for probe in probes] == list(OPEN_PATHS)
    assert [probe["port"] for probe in probes] == ["http", "http"]


@pytest.mark.parametrize("kind", ["DaemonSet", "Pod"])
def test_no_exporter_is_root_or_has_a_right_that_it_does_not_need(
    kind: str, objects: dict[str, Object], repository: Path
) -> None:
    pod = pod_of(objects, kind)
    container = exporter_of(pod)
    user, group = re.findall(r"^USER (\d+):(\d+)$", (repository / "exporter/Dockerfile").read_text(), re.M)[0]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (
        int(user),
        int(group),
    )
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert "hostNetwork" not in pod


@pytest.mark.parametrize("kind", ["DaemonSet", "Pod"])
def test_annotations_lead_to_the_metrics(kind: str, objects: dict[str, Object]) -> None:
    pod = objects[kind]["spec"]["template"] if kind == "DaemonSet" else objects[kind]

    assert pod["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(PORT),
        "prometheus.io/path": TELEMETRY_PATH,
    }


def test_the_daemonset_reads_the_host_where_it_is_mounted(objects: dict[str, Object]) -> None:
    pod = pod_of(objects, "DaemonSet")
    container = exporter_of(pod)
    volumes = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    paths = [argument.partition("=")[2] for argument in container["args"] if argument.startswith("--path.")]

    assert {path: volumes[mount["name"]] for path, mount in mounts.items()} == HOST_MOUNTS
    assert paths == list(HOST_MOUNTS)
    assert mounts["/rootfs"]["mountPropagation"] == "HostToContainer"
    assert pod["hostPID"] is True


def test_the_daemonset_may_do_what_its_namespace_allows(objects: dict[str, Object]) -> None:
    name = objects["Namespace"]["metadata"]["name"]

    assert objects["Namespace"]["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "privileged"}
    for kind in ("ServiceAccount", "DaemonSet", "Service", "ServiceMonitor"):
        assert objects[kind]["metadata"]["namespace"] == name
    assert pod_of(objects, "DaemonSet")["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]


def test_selectors_find_the_pods_and_the_service(objects: dict[str, Object]) -> None:
    daemonset, service, monitor = (objects[kind] for kind in ("DaemonSet", "Service", "ServiceMonitor"))
    labels = daemonset["spec"]["template"]["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    (endpoint,) = monitor["spec"]["endpoints"]

    assert daemonset["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert port == {"name": "http", "port": PORT, "targetPort": "http"}
    assert (endpoint["port"], endpoint["path"]) == (port["name"], TELEMETRY_PATH)


def test_both_ways_to_scrape_give_the_shipped_job_and_the_node_s_name(
    objects: dict[str, Object], examples: Path, repository: Path
) -> None:
    (job,) = yaml.safe_load((examples / "kubernetes/prometheus.yaml").read_text())["scrape_configs"]
    shipped = yaml.safe_load((repository / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    (endpoint,) = objects["ServiceMonitor"]["spec"]["endpoints"]
    labels = objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    keep, instance = job["relabel_configs"]

    assert job["job_name"] in {one["job_name"] for one in shipped}
    assert endpoint["relabelings"] == [
        {"targetLabel": "job", "replacement": job["job_name"]},
        {"sourceLabels": instance["source_labels"], "targetLabel": instance["target_label"]},
    ]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == (
        job["scrape_interval"],
        job["scrape_timeout"],
    )
    assert keep["regex"] == f"{labels['app.kubernetes.io/name']};http"
    assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == [
        objects["Namespace"]["metadata"]["name"]
    ]


@pytest.mark.stack
def test_prometheus_takes_the_example(examples: Path) -> None:
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    done = subprocess.run(
        [promtool, "check", "config", "--syntax-only", examples / "kubernetes/prometheus.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.stack
def test_compose_takes_the_example_and_publishes_on_loopback(examples: Path) -> None:
    docker_compose = tools.find("docker-compose")
    assert docker_compose is not None, "docker-compose is missing: 'python -m stack tools' fetches it"

    done = subprocess.run(
        [docker_compose, "-f", examples / "exporter-compose.yml", "config", "--format=json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    (port,) = json.loads(done.stdout)["services"]["exporter"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", str(PORT), PORT)


def test_the_sidecar_shows_its_volume_and_no_number_of_the_node(objects: dict[str, Object]) -> None:
    pod = pod_of(objects, "Pod")
    container = exporter_of(pod)
    (program,) = (found for found in pod["containers"] if found["name"] != "host-exporter")
    told = parsed(container["args"])
    (mount,) = container["volumeMounts"]

    assert told["collector_disable_defaults"] is True
    assert mount["name"] in {used["name"] for used in program["volumeMounts"]}
    assert re.search(told["collector_filesystem_mount_points_include"], mount["mountPath"])
    assert "shareProcessNamespace" not in pod  # process 1 would be the pause container, with its mounts
    assert not any("hostPath" in volume for volume in pod["volumes"])


def test_the_compose_example_is_the_exporter_of_the_stack(compose: Object, stack_service: Object) -> None:
    probing = {"interval", "timeout", "retries", "start_period"}
    alone = {key: value for key, value in compose.items() if key != "healthcheck"}
    of_stack = {
        key: value
        for key, value in stack_service.items()
        if key not in {"build", "depends_on", "healthcheck"}
    }

    assert alone == of_stack
    assert compose["healthcheck"].keys() - probing == {"test"}
    assert compose["healthcheck"]["test"] == stack_service["healthcheck"]["test"]
    assert parsed(compose["command"])["web_telemetry_path"] == TELEMETRY_PATH
    assert [volume.split(":")[:2] for volume in compose["volumes"]] == [
        [at, to] for to, at in HOST_MOUNTS.items()
    ]


def test_all_examples_name_the_image_that_is_built(
    objects: dict[str, Object], compose: Object, stack_service: Object
) -> None:
    images = [exporter_of(pod_of(objects, kind))["image"] for kind in ("DaemonSet", "Pod")]

    assert {*images, compose["image"]} == {stack_service["image"]}
