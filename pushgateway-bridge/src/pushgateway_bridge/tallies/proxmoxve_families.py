"""The metrics about ProxmoxVE's installers. No label holds more than its words or its cap."""

from __future__ import annotations

from typing import Final

from pushgateway_bridge.dialects.proxmoxve_event import TYPES
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.report import Shape
from pushgateway_bridge.tallies.caps import DEFAULT_CAP

GROUP: Final = make_push_group("proxmoxve", "")
UNKNOWN: Final = "unknown"
"""The value of a label of which nothing was said."""
RESULTS: Final = ("success", "failed", "aborted", "unknown")

EXECUTIONS: Final = Family(
    "proxmoxve_executions_total", "counter", "Executions by their result, each counted once."
)
STARTED: Final = Family(
    "proxmoxve_executions_started_total",
    "counter",
    "Executions that reported their start, each counted once.",
)
BY_APP: Final = Family(
    "proxmoxve_app_executions_total", "counter", "Executions by application (nsapp) and result."
)
BY_OS: Final = Family("proxmoxve_executions_by_os_total", "counter", "Executions by guest system.")
BY_PVE: Final = Family(
    "proxmoxve_executions_by_pve_total", "counter", "Executions by version of Proxmox VE, major and minor."
)
BY_METHOD: Final = Family("proxmoxve_executions_by_method_total", "counter", "Executions by method.")
BY_GPU: Final = Family(
    "proxmoxve_executions_by_gpu_total", "counter", "Executions by GPU vendor and how the GPU is passed on."
)
BY_CPU: Final = Family(
    "proxmoxve_executions_by_cpu_total", "counter", "Executions by CPU vendor and architecture."
)
BY_REPO: Final = Family(
    "proxmoxve_executions_by_repo_total", "counter", "Executions by repository of the scripts (repo_slug)."
)
FAILURES: Final = Family(
    "proxmoxve_failures_total", "counter", "Failed executions by exit code and category, without aborts."
)
PATTERNS: Final = Family(
    "proxmoxve_failure_patterns_total", "counter", "Failed executions by what their error text shows first."
)
PROGRESS_EVENTS: Final = Family(
    "proxmoxve_progress_events_total", "counter", "Pings of running executions by status."
)
GENERATIONS: Final = Family(
    "proxmoxve_client_generation_total", "counter", "Events that counted by generation of their client."
)
MARKED: Final = Family(
    "proxmoxve_cleanup_marked_total", "counter", "Executions without a result for 48 h, counted as unknown."
)
FORGOTTEN: Final = Family(
    "proxmoxve_executions_forgotten_total",
    "counter",
    "Executions forgotten early because there were too many.",
)

DURATION: Final = Family(
    "proxmoxve_install_duration_seconds",
    "histogram",
    "How long executions took, where they say so (install_duration).",
    "seconds",
    (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0),
)
_GIBIBYTE: Final = 2.0**30
_MEBIBYTE: Final = 2.0**20
DISK: Final = Family(
    "proxmoxve_requested_disk_bytes",
    "histogram",
    "Disk size of what was installed (disk_size).",
    "bytes",
    tuple(_GIBIBYTE * size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
)
MEMORY: Final = Family(
    "proxmoxve_requested_memory_bytes",
    "histogram",
    "Memory of what was installed (ram_size).",
    "bytes",
    tuple(_MEBIBYTE * size for size in (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)),
)
CORES: Final = Family(
    "proxmoxve_requested_cpu_cores",
    "histogram",
    "Cores of what was installed (core_count).",
    "",
    (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
)

IN_PROGRESS: Final = Family(
    "proxmoxve_executions_in_progress", "gauge", "Executions without a result, heard of within the last hour."
)
STUCK: Final = Family(
    "proxmoxve_executions_stuck", "gauge", "Executions without a result for more than an hour, up to 48 h."
)
TODAY: Final = Family(
    "proxmoxve_executions_today",
    "gauge",
    "Results of the repository ProxmoxVE since midnight UTC.",
)

GAUGE_TYPES: Final = ("", *TYPES)
"""Types of the series of IN_PROGRESS; the first is that of none that is known."""
SHAPE: Final[Shape] = (
    *((IN_PROGRESS, (("type", event_type or UNKNOWN),)) for event_type in GAUGE_TYPES),
    (STUCK, ()),
    *((TODAY, (("status", result),)) for result in RESULTS),
)
"""The gauges, the same at each push."""

CAPS: Final = {
    (BY_APP.name, "app"): 1500,
    (BY_REPO.name, "repo_slug"): 100,
    (BY_OS.name, "os_version"): DEFAULT_CAP,
    (BY_PVE.name, "pve_version"): DEFAULT_CAP,
    (BY_METHOD.name, "method"): DEFAULT_CAP,
}
OS_OTHER: Final = "other"
ARCHITECTURES: Final = frozenset(
    {"amd64", "x86_64", "arm64", "aarch64", "armhf", "armv7l", "i386", "i686", "riscv64", "ppc64le", "s390x"}
)
"""Values of the label arch as they are sent; another one is ``other``."""
