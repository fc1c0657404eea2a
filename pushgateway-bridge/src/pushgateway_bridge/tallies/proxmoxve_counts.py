"""What one execution adds to the series about installers: increments and observations. Pure but for the caps."""

from __future__ import annotations

import re
from typing import Final

from pushgateway_bridge.dialects.proxmoxve_errors import OTHER, USER_ABORTED
from pushgateway_bridge.dialects.proxmoxve_event import MAINLINE, ProxmoxveEvent
from pushgateway_bridge.dialects.proxmoxve_fields import OS_TYPES
from pushgateway_bridge.model.additions import Increment, Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.tallies import proxmoxve_families as families
from pushgateway_bridge.tallies.caps import Caps
from pushgateway_bridge.tallies.executions import Execution
from pushgateway_bridge.tallies.proxmoxve_families import UNKNOWN

_MAJOR_MINOR: Final = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")


class Counts:
    """What a plan adds, each series once."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._amounts: dict[tuple[str, LabelSet], tuple[Family, int]] = {}
        self.observations: list[Observation] = []

    @property
    def increments(self) -> list[Increment]:
        """Of all series that were added to."""
        return [
            Increment(family, labels, float(amount))
            for (_, labels), (family, amount) in self._amounts.items()
        ]

    def add(self, family: Family, *labels: tuple[str, str]) -> None:
        """Count one more in the series of *family* with *labels*, which are sorted by name."""
        key = (family.name, labels)
        known = self._amounts.get(key)
        self._amounts[key] = (family, known[1] + 1 if known is not None else 1)

    def add_started(self, execution: Execution) -> None:
        """Count the start of *execution*."""
        self.add(
            families.STARTED,
            ("repo_source", repository(execution)),
            ("type", execution.type or UNKNOWN),
        )

    def add_result(self, execution: Execution, status: str) -> None:
        """Count that *execution* ended with *status*, once in each family."""
        admit = self._caps.admit
        event_type = ("type", execution.type or UNKNOWN)
        result = ("status", status)
        self.add(families.EXECUTIONS, ("repo_source", repository(execution)), result, event_type)
        app = admit(families.BY_APP.name, "app", execution.app or UNKNOWN)
        self.add(families.BY_APP, ("app", app), result, event_type)
        os_version = admit(families.BY_OS.name, "os_version", execution.os_version or UNKNOWN)
        self.add(families.BY_OS, ("os_type", _os_type(execution.os_type)), ("os_version", os_version))
        pve_version = admit(families.BY_PVE.name, "pve_version", _major_minor(execution.pve_version))
        self.add(families.BY_PVE, ("pve_version", pve_version))
        method = admit(families.BY_METHOD.name, "method", execution.method or UNKNOWN)
        self.add(families.BY_METHOD, ("method", method))
        self.add(
            families.BY_GPU,
            ("gpu_passthrough", execution.gpu_passthrough or UNKNOWN),
            ("gpu_vendor", execution.gpu_vendor or UNKNOWN),
        )
        self.add(
            families.BY_CPU,
            ("arch", _architecture(execution.arch)),
            ("cpu_vendor", execution.cpu_vendor or UNKNOWN),
        )
        slug = admit(families.BY_REPO.name, "repo_slug", execution.repo_slug or UNKNOWN)
        self.add(families.BY_REPO, ("repo_slug", slug))
        for family, amount in (
            (families.DISK, execution.disk_gigabytes * 2.0**30),
            (families.MEMORY, execution.memory_megabytes * 2.0**20),
            (families.CORES, float(execution.cores)),
        ):
            if amount:
                self.observations.append(Observation(family, (event_type,), amount))

    def add_details(self, execution: Execution, event: ProxmoxveEvent) -> None:
        """Count what only *event*, the result itself, says."""
        event_type = ("type", execution.type or UNKNOWN)
        if event.duration_seconds:
            labels = (("status", event.status), event_type)
            self.observations.append(Observation(families.DURATION, labels, float(event.duration_seconds)))
        if event.status == "failed" and event.error_category != USER_ABORTED:
            self.add(
                families.FAILURES,
                ("error_category", event.error_category or UNKNOWN),
                ("exit_code", UNKNOWN if event.exit_code is None else str(event.exit_code)),
                event_type,
            )
            self.add(families.PATTERNS, ("pattern", event.error_pattern or OTHER))


def repository(execution: Execution) -> str:
    """Whose scripts ran; those that do not say are the main repository's."""
    return execution.repo_source or MAINLINE


def _os_type(text: str) -> str:
    if not text:
        return UNKNOWN
    return text if text in OS_TYPES else families.OS_OTHER


def _architecture(text: str) -> str:
    if not text:
        return UNKNOWN
    word = text.lower()
    return word if word in families.ARCHITECTURES else OTHER


def _major_minor(version: str) -> str:
    """``9.0`` of ``9.0.3``; ``other`` of a text without two numbers."""
    if not version:
        return UNKNOWN
    match = _MAJOR_MINOR.search(version)
    return match[0] if match is not None else OTHER
