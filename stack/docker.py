"""The stack in containers: which `docker compose` command each of ours is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stack.errors import StackError
from stack.settings import PARTS, Address, Settings, setting_of
from stack.status import PartStatus

PROBE_SECONDS = 20
WAIT_SECONDS = 180
"""Grafana makes its database at the first start; image builds and downloads come before."""

ACTIONS: Mapping[str, Sequence[str]] = {
    "up": ("up", "--detach", "--build", "--wait", "--wait-timeout", str(WAIT_SECONDS)),
    "down": ("down",),
    "reset": ("down", "--volumes"),
    "logs": ("logs", "--follow", "--tail", "100"),
    "status": ("ps", "--all", "--format", "json"),
}


def unavailable() -> str:
    """Why Docker cannot be used, in one line; empty if it can."""
    try:
        _ask(["docker", "info"])
        _ask(["docker", "compose", "version"])
    except StackError as error:
        return str(error)
    return ""


def _ask(line: Sequence[str], settings: Settings | None = None) -> str:
    """What the command answers. Raises StackError, with its last words, if it fails."""
    shown = f"'{' '.join(line)}'"
    try:
        done = subprocess.run(
            line,
            cwd=settings and settings.checkout,
            env=settings and environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise StackError("docker is not on PATH (https://docs.docker.com/engine/install/)") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{shown} does not answer within {PROBE_SECONDS} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise StackError(f"{shown} fails: {said[-1] if said else f'code {done.returncode}'}")
    return done.stdout


def command(settings: Settings, action: str) -> list[str]:
    """The command line of *action*, a key of ACTIONS.

    A stack with a STACK_DIR of its own is a compose project of its own.
    """
    return ["docker", "compose", *_project(settings), *ACTIONS[action]]


def _project(settings: Settings) -> tuple[str, ...]:
    if settings.directory == settings.checkout / ".stack":
        return ()
    digest = hashlib.sha256(os.fsencode(settings.directory)).hexdigest()[:8]
    return ("--project-name", f"telemetry-{digest}")


def environment(settings: Settings) -> dict[str, str]:
    """The variables that docker-compose.yml reads, checked; it finds secrets in `.env` itself."""
    return {
        **settings.environment,
        **{setting_of(part): _published(settings.addresses[part]) for part in PARTS},
        "PROMETHEUS_RETENTION": settings.retention,
        "PROMETHEUS_RETENTION_SIZE": settings.retention_size,
    }


def _published(address: Address) -> str:
    """Docker publishes on an IP address only."""
    return str(address._replace(host="127.0.0.1") if address.host == "localhost" else address)


def run(settings: Settings, action: str) -> None:
    """Run *action*, its output to the terminal. Raises StackError if it fails."""
    line = command(settings, action)
    try:
        done = subprocess.run(line, cwd=settings.checkout, env=environment(settings), check=False)
    except FileNotFoundError as error:
        raise StackError("docker is not on PATH any more") from error
    if done.returncode != 0:
        raise StackError(f"'{' '.join(line)}' ended with code {done.returncode}")


def status(settings: Settings, addresses: Mapping[str, str]) -> list[PartStatus]:
    """One entry for each part that has a container; *addresses* are as they were published."""
    return parse_status(_ask(command(settings, "status"), settings), addresses)


def parse_status(text: str, addresses: Mapping[str, str]) -> list[PartStatus]:
    """What `docker compose ps --format json` says of the parts; the one-shot service is none."""
    containers = {container["Service"]: container for container in _containers(text)}
    return [_part_status(part, containers[part], addresses[part]) for part in PARTS if part in containers]


def _containers(text: str) -> Iterable[dict[str, Any]]:
    """Releases before 2.21 give one array, later ones an object per line."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _part_status(part: str, container: Mapping[str, Any], address: str) -> PartStatus:
    running = container.get("State") == "running"
    ready = running and container.get("Health", "") in {"healthy", ""}
    state = "ready" if ready else "not ready" if running else str(container.get("State", "unknown"))
    return PartStatus(part, state, address, str(container.get("Status", "")), running, ready)
