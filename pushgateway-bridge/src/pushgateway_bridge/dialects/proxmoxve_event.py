"""What a ProxmoxVE installer reports: one step of one execution. Masked; only the id is as it was sent."""

from __future__ import annotations

from typing import Final

import msgspec

TYPES: Final = ("lxc", "vm", "turnkey", "pve", "addon", "tool")
TERMINAL: Final = frozenset({"success", "failed", "aborted", "unknown"})
"""Statuses after which nothing more is expected of an execution."""
PROGRESS: Final = frozenset({"validation", "configuring"})
"""Statuses of pings on the way. What is neither is ``installing``."""
MAINLINE: Final = "ProxmoxVE"
"""The repository that an execution belongs to if it names none."""


class ProxmoxveEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One accepted event. Texts are trimmed, masked and cut; 0 and an empty text: not said."""

    execution: str
    """``execution_id``, else ``random_id``, as sent: to be hashed, and never to be shown, logged or stored."""
    status: str
    """``installing``, one of PROGRESS or of TERMINAL; after all corrections."""
    generation: str
    """Of the client: 0, 1, 2, 3 or 3.1."""
    type: str = ""
    """One of TYPES; empty only for updates of generation 0, which do not say."""
    app: str = ""
    ct_type: int = 0
    disk_gigabytes: int = 0
    cores: int = 0
    memory_megabytes: int = 0
    os_type: str = ""
    os_version: str = ""
    pve_version: str = ""
    method: str = ""
    exit_code: int | None = 0
    """``None`` if it was not said or could not be read, where that does not mean 0."""
    error: str = ""
    error_category: str = ""
    error_pattern: str = ""
    """Of a failure: one of ERROR_PATTERNS or ``other``."""
    duration_seconds: int = 0
    gpu_vendor: str = ""
    gpu_model: str = ""
    gpu_passthrough: str = ""
    cpu_vendor: str = ""
    cpu_model: str = ""
    ram_speed: str = ""
    repo_source: str = ""
    repo_slug: str = ""
    has_arm: bool = False
    arch: str = ""
    platform: str = ""
    kernel_version: str = ""
    app_version: str = ""
    failed_command: str = ""
    failed_line: int = 0
