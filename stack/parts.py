"""The parts of the native stack: with which command each is started, and where it says that it is ready."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stack import tools
from stack.configuration import history_token
from stack.errors import StackError
from stack.folder import data_folder
from stack.settings import Address, Settings

READY_PATHS = {
    "exporter": "/-/ready",
    "bridge": "/-/ready",
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "grafana": "/api/health",
}
PAGES = {
    "exporter": "/metrics",
    "bridge": "/dashboard",
    "prometheus": "/",
    "alertmanager": "/",
    "grafana": "/dashboards",
}
"""What a person opens first."""

OUR_PROGRAMS = {"exporter": "host-exporter", "bridge": "pushgateway-bridge"}


PART_VARIABLES = ("HOST_EXPORTER_", "PUSHGATEWAY_BRIDGE_", "GF_")
"""Of `.env` only these reach the parts: its secrets are for the rendered configuration alone."""

DELIVERY = "PUSHGATEWAY_BRIDGE_DELIVERY"
REMOTE_WRITE = "remote_write"
REMOTE_WRITE_SINCE = (3,)
"""The first Prometheus that gets samples by remote write, unless DELIVERY says otherwise."""


class Part(NamedTuple):
    """One process of the stack."""

    name: str
    address: Address
    command: tuple[str, ...]


def our_programs(folder: Path = Path(sys.prefix) / "bin") -> dict[str, Path]:
    """The two programs of this project, installed beside the interpreter. Raises StackError if one is not."""
    for program in OUR_PROGRAMS.values():
        if not (folder / program).is_file():
            raise StackError(f"{program} is missing in {folder}: run 'make install'")
    return {part: folder / program for part, program in OUR_PROGRAMS.items()}


def find_grafana() -> tuple[Path, Path] | None:
    """Grafana's program on PATH and its home folder; None if either is not there."""
    found = shutil.which("grafana")
    if found is None:
        return None
    program = Path(found)
    homes = (program.resolve().parent.parent, Path("/usr/share/grafana"))
    home = next((home for home in homes if (home / "conf/defaults.ini").is_file()), None)
    return None if home is None else (program, home)


def delivery_of(settings: Settings, prometheus: Path) -> str:
    """How samples reach the Prometheus at *prometheus*: as DELIVERY says, else as its version allows."""
    able = tools.version_number(tools.version(prometheus)) >= REMOTE_WRITE_SINCE
    return settings.value(DELIVERY, REMOTE_WRITE if able else "scrape")


def native_parts(
    settings: Settings, programs: Mapping[str, Path], grafana: tuple[Path, Path] | None
) -> list[Part]:
    """All parts in the order of starting; Grafana only if it is here."""
    addresses = settings.addresses
    commands = {
        "exporter": (str(programs["exporter"]), "serve", "--web.listen-address", str(addresses["exporter"])),
        "bridge": _bridge(settings, programs["bridge"], with_grafana=grafana is not None),
        "prometheus": _prometheus(settings, programs["prometheus"]),
        "alertmanager": _alertmanager(settings, programs["alertmanager"]),
    }
    if grafana is not None:
        commands["grafana"] = _grafana(settings, *grafana)
    return [Part(name, addresses[name], command) for name, command in commands.items()]


def _bridge(settings: Settings, program: Path, *, with_grafana: bool) -> tuple[str, ...]:
    addresses = settings.addresses
    grafana = ("--grafana.url", addresses["grafana"].url()) if with_grafana else ()
    # The weekly report goes by the same mail settings as alerts.
    env_file = () if settings.env_file is None else ("--reports.env-file", str(settings.env_file))
    inner = settings.inner_address("bridge")
    private = () if inner == addresses["bridge"] else ("--web.private-listen-address", str(inner))
    return (
        str(program),
        "serve",
        "--web.listen-address",
        str(addresses["bridge"]),
        "--journal.directory",
        str(data_folder(settings.directory, "bridge")),
        "--prometheus.url",
        addresses["prometheus"].url(),
        "--viewer.dashboards-directory",
        str(settings.checkout / "grafana/dashboards"),
        "--alerts.webhook-token-hash-file",
        f"{history_token(settings)}.sha256",
        *private,
        *env_file,
        *grafana,
    )


def _prometheus(settings: Settings, program: Path) -> tuple[str, ...]:
    size = (
        ()
        if settings.retention_size == "0"
        else (f"--storage.tsdb.retention.size={settings.retention_size}",)
    )
    return (
        str(program),
        f"--config.file={settings.directory / 'config/prometheus/prometheus.yml'}",
        f"--storage.tsdb.path={data_folder(settings.directory, 'prometheus')}",
        f"--web.listen-address={settings.addresses['prometheus']}",
        f"--web.external-url={settings.addresses['prometheus'].url()}/",
        f"--storage.tsdb.retention.time={settings.retention}",
        *size,
        # Without it increase() misses the first events of a new counter; 2.42 does not know it.
        *_feature(program, "created-timestamp-zero-ingestion"),
        *(("--web.enable-remote-write-receiver",) if delivery_of(settings, program) == REMOTE_WRITE else ()),
    )


def _feature(program: Path, name: str) -> tuple[str, ...]:
    """The flag that switches the feature *name* on, if the help of *program* lists it."""
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20, check=False)
    # Long names are broken over lines at their hyphens by some releases.
    listed = "".join((done.stdout + done.stderr).split())
    return (f"--enable-feature={name}",) if name in listed else ()


def _alertmanager(settings: Settings, program: Path) -> tuple[str, ...]:
    return (
        str(program),
        f"--config.file={settings.directory / 'config/alertmanager/alertmanager.yml'}",
        f"--storage.path={data_folder(settings.directory, 'alertmanager')}",
        f"--web.listen-address={settings.addresses['alertmanager']}",
        f"--web.external-url={settings.addresses['alertmanager'].url()}/",
        "--cluster.listen-address=",
        *_feature(program, "receiver-name-in-metrics"),
    )


def _grafana(settings: Settings, program: Path, home: Path) -> tuple[str, ...]:
    return (
        str(program),
        "server",
        f"--homepath={home}",
        f"--config={settings.checkout / 'grafana/grafana.ini'}",
    )


def grafana_environment(settings: Settings) -> dict[str, str]:
    """What Grafana and our provisioning read from the environment; the other parts ignore it."""
    address = settings.addresses["grafana"]
    folder = data_folder(settings.directory, "grafana")
    return {
        "GF_SERVER_HTTP_ADDR": address.host,
        "GF_SERVER_HTTP_PORT": str(address.port),
        "GF_SERVER_ROOT_URL": f"{address.url()}/",
        "GF_SECURITY_ADMIN_PASSWORD": settings.value("GRAFANA_ADMIN_PASSWORD", "admin"),
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PATHS_DATA": str(folder),
        "GF_PATHS_LOGS": str(folder / "log"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(settings.checkout / "grafana/provisioning"),
        "PROMETHEUS_URL": settings.addresses["prometheus"].url(),
        "GRAFANA_DASHBOARDS_DIR": str(settings.checkout / "grafana/dashboards"),
    }


def part_environment(settings: Settings, delivery: str) -> dict[str, str]:
    """The environment of every part: the user's, what Grafana reads, of `.env` what is for parts, and *delivery*."""
    meant = {name: value for name, value in settings.env_values.items() if name.startswith(PART_VARIABLES)}
    return {**grafana_environment(settings), **meant, **settings.environment, DELIVERY: delivery}
