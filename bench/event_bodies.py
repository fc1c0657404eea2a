"""Typical pushes of the event dialects, by seed: who did what, varied as many clients' events are. Pure."""

from __future__ import annotations

import hashlib

from bench.bodies import as_json
from bench.pushes import FRESH, VARIANTS

PERSONS = 10_000
BATCH_EVENTS = 100
EVENTS_OF_A_RUN = 2

_SYSTEMS = ("win32-x64", "win32-x64", "linux-x64", "darwin-arm64", "darwin-x64")
_EXITS = (0, 0, 0, 0, 1, 0, 130, 0, 1, 143)
_OUTPUTS = ("0-1k", "1-10k", "10-100k", ">100k")


def minigem_single(host: str, seed: int, now: float) -> bytes:  # noqa: ARG001 - the person is in the seed
    """One of the two events of a run of *seed*'s person: the first in one variant, the other in the next."""
    person, variant = divmod(seed, VARIANTS)
    return as_json({"schema": "jwc.v1", **minigem_run(person % PERSONS, person, now)[variant]})


def minigem_batch(host: str, seed: int, now: float) -> bytes:  # noqa: ARG001 - the persons are in the seed
    """BATCH_EVENTS events of as many persons as have a run each in it; two hundred groups have all PERSONS."""
    runs = BATCH_EVENTS // EVENTS_OF_A_RUN
    first = seed // VARIANTS * runs
    events = [
        event
        for number in range(first, first + runs)
        for event in minigem_run(number % PERSONS, number + seed % VARIANTS, now)
    ]
    return as_json({"schema": "jwc.v1", "batch": events, "sentAt": int(now * 1000)})


def minigem_run(person: int, seed: int, now: float) -> tuple[dict[str, object], dict[str, object]]:
    """A program that was started, and how it ended: one in ten did not compile or failed."""
    duration_ms = 300 + seed * 7919 % 90_000
    begun = {
        "anon": hashlib.blake2b(person.to_bytes(8, "big"), digest_size=16).hexdigest(),
        "evt": "java.run.started",
        "t": int(now * 1000) - duration_ms,
        "os": _SYSTEMS[person % len(_SYSTEMS)],
        "ext": f"2.{person % 4}.{person % 3}",
        "vscode": f"1.{90 + person % 12}.0",
        "sessionId": f"s-{person:05d}",
    }
    ended = {**begun, "t": int(now * 1000)}
    if seed % 10 == 7:
        phase = "compile" if seed % 20 == 7 else "runtime"
        failure = {"phase": phase, "exceptionHash": f"{seed % 300:08x}"}
        return begun, {**ended, "evt": "java.run.error", "m": failure}
    measured = {
        "durationMs": duration_ms,
        "waitMsTotal": duration_ms // 5,
        "exit": _EXITS[seed % len(_EXITS)],
        "scannerUsage": seed % 3 == 0,
        "truncatedOutput": seed % 50 == 0,
        "cumulativeBytesBucket": _OUTPUTS[seed % len(_OUTPUTS)],
    }
    return begun, {**ended, "evt": "java.run.completed", "m": measured}


_SCRIPTS = 60
_ERRORS = (
    (1, "E: Unable to locate package libfoo1\nE: Package 'libfoo1' has no installation candidate"),
    (7, "curl: (7) Failed to connect to deb.example.org port 443 after 3 ms: Connection refused"),
    (28, "curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received from 203.0.113.7"),
    (100, "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)"),
    (137, "Killed: the container ran out of memory while building in /root/build"),
    (243, "tar: write error: No space left on device, host 10.1.2.3, admin@example.org"),
)


def proxmoxve_execution(host: str, seed: int, now: float) -> bytes:  # noqa: ARG001 - neither stands in it
    """How an execution begins in one variant, how it ends in the next: one in five fails. Each sending is another."""
    execution, variant = divmod(seed, VARIANTS)
    return as_json(_ended(execution) if variant else _begun(execution, "installing"))


def _begun(execution: int, status: str) -> dict[str, object]:
    number = f"{execution:08x}-0000-4000-8000-{FRESH.decode()}"
    return {
        "random_id": number,
        "execution_id": number,
        "type": ("lxc", "lxc", "lxc", "vm")[execution % 4],
        "nsapp": f"script-{execution % _SCRIPTS}",
        "status": status,
        "ct_type": 1,
        "disk_size": 4 + execution % 5 * 4,
        "core_count": 1 + execution % 4,
        "ram_size": 512 << execution % 5,
        "os_type": ("debian", "ubuntu", "alpine")[execution % 3],
        "os_version": ("13", "24.04", "3.22")[execution % 3],
        "pve_version": f"9.{execution % 2}.{execution % 7}",
        "method": ("default", "advanced")[execution % 2],
        "cpu_vendor": ("intel", "amd")[execution % 2],
        "cpu_model": "",
        "gpu_vendor": ("unknown", "intel", "nvidia")[execution % 3],
        "gpu_model": "",
        "gpu_passthrough": "no" if execution % 7 else "yes",
        "ram_speed": "3200",
        "repo_source": "ProxmoxVE",
        "repo_slug": "community-scripts/ProxmoxVE",
        "arch": "amd64",
        "platform": "pve",
        "payload_version": 2,
    }


def _ended(execution: int) -> dict[str, object]:
    failed = execution % 5 == 3
    exit_code, error = _ERRORS[execution % len(_ERRORS)] if failed else (0, "")
    return {
        **_begun(execution, "failed" if failed else "success"),
        "exit_code": exit_code,
        "error": f"exit_code={exit_code} | Installation {execution} failed\n---\n{error}" if failed else "",
        "error_category": "unknown" if failed else "",
        "install_duration": 20 + execution * 37 % 900,
    }
