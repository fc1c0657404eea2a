"""up, down, reset, status and logs: what they do in either mode, and what they tell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from stack import docker, folder, native, supervision
from stack.errors import StackError
from stack.folder import Record
from stack.follow import follow
from stack.parts import PAGES
from stack.settings import PARTS, Settings
from stack.status import PartStatus, status_lines

PUSH = """\
  curl -X POST {bridge}/api/telemetry -H 'Content-Type: application/json' \\
    -d '{{"name":"my-server","cpuC":8,"cpuL":63,"tRam":31387,"uRam":16382,"disk":50400}}'"""
QUERY = """\
  curl -G {prometheus}/api/v1/query \\
    --data-urlencode 'query=node_memory_MemTotal_bytes{{job="pixeltracker",instance="my-server"}}'"""


def choose_mode(settings: Settings, why_not_docker: Callable[[], str] = docker.unavailable) -> str:
    """The mode to start in: as STACK_MODE says, else Docker where it works.

    Raises StackError if STACK_MODE asks for Docker and it does not work.
    """
    if settings.mode == "native":
        return "native"
    reason = why_not_docker()
    if settings.mode == "docker" and reason:
        raise StackError(f"STACK_MODE=docker, but {reason}")
    return "native" if reason else "docker"


def up(settings: Settings) -> int:
    """Start the stack and tell where to look; if it runs, only say so."""
    folder.claim(settings)
    with folder.alone(settings.directory):
        record = folder.read_record(settings.directory)
        if record is not None and (statuses := _statuses(settings, record)):
            print(f"the stack in {settings.directory} is running; nothing was changed")
            return _print_statuses(statuses)
        began = time.monotonic()
        mode = choose_mode(settings)
        if mode == "docker" and settings.value("STACK_ENV_FILE", ""):
            raise StackError("STACK_ENV_FILE: containers read .env; set STACK_MODE=native, or unset it")
        folder.write_record(settings, mode)
        kind = "containers" if mode == "docker" else "processes"
        print(f"starting the stack in {settings.directory} as {kind}")
        names = _start_containers(settings) if mode == "docker" else native.up(settings, print)
    _print_where_to_look(settings, names, time.monotonic() - began)
    return 0


def _start_containers(settings: Settings) -> list[str]:
    try:
        docker.run(settings, "up")
    except BaseException:
        docker.run(settings, "down")
        raise
    return list(PARTS)


def _statuses(settings: Settings, record: Record) -> list[PartStatus]:
    """Of each part of the running stack; empty if it does not run."""
    if record.mode == "native":
        return native.status(settings.directory, record)
    statuses = docker.status(settings, record.addresses)
    return statuses if any(status.runs for status in statuses) else []


def _print_statuses(statuses: Sequence[PartStatus]) -> int:
    """0 only if all are ready."""
    print(*status_lines(statuses), sep="\n")
    return 0 if all(status.ready for status in statuses) else 1


def _print_where_to_look(settings: Settings, names: Sequence[str], seconds: float) -> None:
    urls = {name: settings.public_url(name) for name in settings.addresses}
    print(f"\nThe stack is up ({seconds:.0f} s).")
    for name in names:
        print(f"  {name:<13} {urls[name]}{PAGES[name]}")
    if "grafana" not in names:
        print("  grafana       not on PATH: the bridge's page shows the same dashboards")
    shown = "grafana" if "grafana" in names else "bridge"
    print(f"\nSee this machine at {urls[shown]}{PAGES[shown]}")
    print(f"Push a report:\n{PUSH.format(**urls)}")
    print(f"Find it a few seconds later:\n{QUERY.format(**urls)}")
    print("'make status' tells how the parts are, 'make logs' what they say; 'make down' ends them.")


def down(settings: Settings) -> int:
    """End what `up` started."""
    print(f"ended the stack in {settings.directory}" if _end(settings, "down") else "nothing is running")
    return 0


def reset(settings: Settings) -> int:
    """End what `up` started, and delete its data."""
    if _end(settings, "reset"):
        print(f"ended the stack in {settings.directory}")
    if folder.erase(settings.directory):
        print(f"deleted the data in {settings.directory}")
    else:
        print(f"nothing to delete: {settings.directory} is no stack's folder")
    return 0


def _end(settings: Settings, action: str) -> bool:
    """False if nothing was running."""
    record = folder.read_record(settings.directory)
    if record is None:  # its folder may have been deleted under a running stack
        return supervision.stop(settings.directory)
    with folder.alone(settings.directory):
        if record.mode == "native":
            return supervision.stop(settings.directory)
        running = bool(_statuses(settings, record))
        docker.run(settings, action)
        return running


def status(settings: Settings) -> int:
    """One line per part; 0 only if all are ready."""
    record = folder.read_record(settings.directory)
    statuses = _statuses(settings, record) if record is not None else []
    if statuses:
        return _print_statuses(statuses)
    for process in supervision.processes_of(settings.directory):
        print(f"  {process.name()} (pid {process.pid}) is left of an earlier run: 'make down' ends it")
    print(f"the stack in {settings.directory} is not running: start it with 'make up'")
    return 1


def logs(settings: Settings) -> int:
    """Follow the logs of all parts until interrupted."""
    record = folder.read_record(settings.directory)
    if record is None:
        raise StackError(f"no logs: 'make up' has not been run with STACK_DIR={settings.directory}")
    try:
        if record.mode == "docker":
            docker.run(settings, "logs")
        else:
            for line in follow(settings.directory / "logs"):
                print(line)
    except KeyboardInterrupt:  # how one leaves
        return 0
    except BrokenPipeError:  # `make logs | head`: what is left in the buffer has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
