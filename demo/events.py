"""Made-up events of the two dialects that count: programs that pupils run, and installations. Pure.

Randomness comes from the generator that is passed in.
"""

from __future__ import annotations

import random
import uuid
from typing import Any, Final, NamedTuple

from demo.reports import Report

EVENTS_PATH: Final = "/mg/t"
INSTALLATIONS_PATH: Final = "/pve/telemetry"

MARK: Final = "demo"
"""What every version of the extension ends with and every application begins with, so that one can tell them."""

PERSONS = 400
BROKEN = 0.1
"""The share of batches with an item that cannot be read, as some clients send them."""
_SYSTEMS = ("win32-x64", "win32-x64", "win32-x64", "linux-x64", "darwin-arm64", "darwin-x64")
_EXTENSIONS = ("2.4.0-demo", "2.4.0-demo", "2.3.1-demo", "2.2.0-demo")
_EDITORS = ("1.105.1", "1.105.0", "1.104.3", "1.99.0")
_OUTPUTS = ("0-1k", "0-1k", "1-10k", "10-100k", ">100k")
_OTHERS = (
    "lifecycle.activate",
    "lifecycle.activate",
    "lifecycle.deactivate",
    "feature.webview.open",
    "feature.theme.change",
    "settings.changed",
    "extension.upgraded",
    "install.created",
    "error.unhandled",
)

_APPS = (
    *("demo-homeassistant", "demo-jellyfin", "demo-docker", "demo-adguard", "demo-immich", "demo-paperless"),
    *(
        "demo-vaultwarden",
        "demo-nextcloud",
        "demo-gitea",
        "demo-grafana",
        "demo-uptimekuma",
        "demo-zigbee2mqtt",
    ),
)
_SYSTEMS_INSTALLED = (("debian", "13"), ("debian", "12"), ("ubuntu", "24.04"), ("alpine", "3.22"))
_FAILURES = (
    (1, "E: Unable to locate package libdemo1"),
    (7, "curl: (7) Failed to connect to deb.example.org port 443: Connection refused"),
    (28, "curl: (28) Operation timed out after 30001 milliseconds"),
    (100, "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)"),
    (127, "line 42: whiptail: command not found"),
    (137, "Killed: the container ran out of memory"),
    (243, "tar: write error: No space left on device"),
)


def batch(dice: random.Random, at: float, runs: int) -> Report:
    """*runs* programs that pupils ran just now, and what else they did meanwhile."""
    events = [event for _ in range(runs) for event in _run(dice, at)]
    events += [_event(dice, at, dice.choice(_OTHERS)) for _ in range(max(1, runs // 3))]
    if dice.random() < BROKEN:
        events.append({"evt": "java.run.started"})  # of nobody: skipped, and counted as that
    return Report(EVENTS_PATH, {"schema": "jwc.v1", "batch": events, "sentAt": int(at * 1000)})


def _run(dice: random.Random, at: float) -> list[dict[str, Any]]:
    duration_ms = round(dice.lognormvariate(8.3, 1.3))
    begun = _event(dice, at - min(duration_ms / 1000, 60), "java.run.started")
    ended = {**begun, "t": int(at * 1000)}
    chance = dice.random()
    if chance < 0.12:
        failure = {
            "phase": "compile" if chance < 0.08 else "runtime",
            "exceptionHash": f"{dice.randrange(40):08x}",
        }
        return [begun, {**ended, "evt": "java.run.error", "m": failure}]
    if chance < 0.16:
        return [begun]  # it still runs
    measured = {
        "durationMs": duration_ms,
        "waitMsTotal": duration_ms // 4,
        "exit": dice.choices((0, 1, 130, 143), (80, 11, 7, 2))[0],
        "scannerUsage": dice.random() < 0.4,
        "truncatedOutput": dice.random() < 0.03,
        "cumulativeBytesBucket": dice.choice(_OUTPUTS),
    }
    return [begun, {**ended, "evt": "java.run.completed", "m": measured}]


def _event(dice: random.Random, at: float, name: str) -> dict[str, Any]:
    person = dice.randrange(PERSONS)
    return {
        "anon": f"{person:032x}",
        "evt": name,
        "t": int(at * 1000),
        "os": _SYSTEMS[person % len(_SYSTEMS)],
        "ext": _EXTENSIONS[person % len(_EXTENSIONS)],
        "vscode": _EDITORS[person % len(_EDITORS)],
        "sessionId": f"demo-{person}-{int(at // 1800)}",
        "m": {},
    }


class Installation(NamedTuple):
    """One installation: what its script tells, in order."""

    begins: Report
    goes_on: Report
    ends: Report


def installation(dice: random.Random) -> Installation:
    """One of a made-up application, one in six of which fails."""
    number = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    kind = dice.choices(("lxc", "vm", "pve", "addon"), (70, 12, 10, 8))[0]
    system, version = dice.choice(_SYSTEMS_INSTALLED)
    own_fork = dice.random() < 0.1
    identity = {
        "random_id": number,
        "execution_id": number,
        "type": kind,
        "nsapp": dice.choices(_APPS, range(len(_APPS), 0, -1))[0],
    }
    machine = {
        "ct_type": 1,
        "disk_size": dice.choice((4, 8, 8, 16, 32)),
        "core_count": dice.choice((1, 2, 2, 4)),
        "ram_size": dice.choice((512, 1024, 2048, 4096)),
        "os_type": system,
        "os_version": version,
        "pve_version": dice.choice(("9.1.1", "9.0.10", "8.4.14")),
        "method": dice.choices(("default", "advanced", "mydefaults-demo"), (75, 20, 5))[0],
        "cpu_vendor": dice.choice(("intel", "intel", "amd")),
        "gpu_vendor": dice.choice(("unknown", "intel", "nvidia", "amd")),
        "gpu_passthrough": dice.choice(("none", "none", "igpu", "dgpu")),
        "ram_speed": "3200",
        "repo_source": "external" if own_fork else "ProxmoxVE",
        "repo_slug": "demo/fork" if own_fork else "community-scripts/ProxmoxVE",
        "arch": "amd64",
        "platform": "pve",
        "payload_version": 2,
    }
    begun = {**identity, **machine, "status": "installing"}
    return Installation(
        Report(INSTALLATIONS_PATH, begun),
        Report(INSTALLATIONS_PATH, {**identity, "status": "configuring"}),
        Report(INSTALLATIONS_PATH, {**begun, **_result(dice, kind)}),
    )


def _result(dice: random.Random, kind: str) -> dict[str, Any]:
    chance = dice.random()
    if kind in {"lxc", "vm"} and chance < 1 / 6:
        exit_code, error = dice.choice(_FAILURES)
        result = {"status": "failed", "exit_code": exit_code, "error": error, "error_category": "unknown"}
    elif chance < 0.22:
        result = {
            "status": "aborted",
            "exit_code": 130,
            "error": "aborted by user",
            "error_category": "user_aborted",
        }
    else:
        result = {"status": "success", "exit_code": 0, "error": ""}
    return {**result, "install_duration": min(round(dice.lognormvariate(5.0, 0.7)), 7200)}
