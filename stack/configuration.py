"""The running configuration: a copy of the committed one with this machine's addresses and secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stack.errors import StackError
from stack.settings import DEFAULT_PORTS, Address, Settings

CHECK_SECONDS = 60
FOLDERS = ("prometheus", "alertmanager")
TOKEN_FILE = "ALERT_HISTORY_TOKEN_FILE"  # noqa: S105 - the name of a setting


def write_configuration(
    settings: Settings, programs: Mapping[str, Path], addresses: Mapping[str, Address]
) -> None:
    """Fill STACK_DIR/config for the parts in *addresses*, when the programs' own tools have found nothing wrong.

    Raises StackError, naming what is wrong, if it would not load; then what was there before stays.
    """
    running = settings.directory / "config"
    config = running / "unchecked"
    shutil.rmtree(config, ignore_errors=True)
    for name in FOLDERS:
        shutil.copytree(settings.checkout / name, config / name, ignore=shutil.ignore_patterns("tests"))
    for path in sorted((config / "prometheus/targets").glob("*.yml")):
        groups = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        # JSON is YAML, so the name stays the one that prometheus.yml asks for.
        path.write_text(json.dumps(localise(groups, addresses), indent=2) + "\n", encoding="utf-8")
    rendered = config / "alertmanager/alertmanager.yml"
    _run(
        render_command(settings, programs["bridge"], rendered),
        settings,
        "alertmanager/alertmanager.yml",
        {TOKEN_FILE: str(history_token(settings)), "BRIDGE_ADDRESS": str(addresses["bridge"].reachable())},
    )
    _run(
        [str(programs["promtool"]), "check", "config", str(config / "prometheus/prometheus.yml")],
        settings,
        "prometheus/prometheus.yml",
    )
    _run([str(programs["amtool"]), "check-config", str(rendered)], settings, "alertmanager/alertmanager.yml")
    for name in FOLDERS:
        shutil.rmtree(running / name, ignore_errors=True)
        (config / name).rename(running / name)
    config.rmdir()


def history_token(settings: Settings) -> Path:
    """The file with the token by which Alertmanager tells the bridge of alerts; its hash is beside it (.sha256)."""
    return Path(settings.value(TOKEN_FILE, str(settings.directory / "config/alert-history-token"))).absolute()


def render_command(settings: Settings, bridge: Path, output: Path) -> list[str]:
    """What fills the template of Alertmanager's configuration with addresses and secrets."""
    template = settings.checkout / "alertmanager/alertmanager.yml"
    env_file = [] if settings.env_file is None else ["--env.file", str(settings.env_file)]
    return [str(bridge), "render-config", "--template", str(template), "--output", str(output), *env_file]


def localise(groups: Iterable[Mapping[str, Any]], addresses: Mapping[str, Address]) -> list[dict[str, Any]]:
    """File discovery *groups* with compose service names replaced by the *addresses* of the parts here.

    The target of a part without an address is left out, and a group that is left without a target.
    """
    services = {f"{part}:{port}": addresses.get(part) for part, port in DEFAULT_PORTS.items()}
    localised = []
    for group in groups:
        here = [services.get(target, target) for target in group["targets"]]
        targets = [str(where.reachable() if isinstance(where, Address) else where) for where in here if where]
        if targets:
            localised.append({**group, "targets": targets})
    return localised


def _run(
    command: Sequence[str], settings: Settings, what: str, variables: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        cwd=settings.checkout,
        env={**settings.environment, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        complaint = next(
            (line for line in said if "FAILED" in line or "rror" in line), said[-1] if said else ""
        )
        raise StackError(f"{what} is refused by {Path(command[0]).name}: {complaint}", said[-5:])
