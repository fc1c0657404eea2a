"""Host: one machine, scraped or pushed. What a host does not send says so instead of staying empty."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.panels import (
    Column,
    caption,
    coloured,
    dashed,
    filled,
    graph,
    mirrored,
    stat,
    table,
)
from telemetry_dashboards.promql import as_rows, now, of_host, over_time
from telemetry_dashboards.shell import dashboard, finished, host_variables, with_panels

BUSY = (0.8, 0.9)
"""From which share of a capacity a person should look, and should act."""

CPU_UTILISATION = "Share of 5 minutes in which the processors worked: neither idle nor waiting for a disk."

MODES = {
    "user": "green",
    "nice": "light-green",
    "system": "yellow",
    "iowait": "red",
    "irq": "purple",
    "softirq": "orange",
    "steal": "dark-red",
}

REAL_DEVICE = 'device!~"all|loop.*|ram.*|zram.*|sr.*|fd.*"'
REAL_INTERFACE = 'device!~"all|lo"'
"""A pusher's sum over all devices is none of them: instance:disk_read:rate5m and the like have it."""

COUNTED_CORES = of_host("node_cpu_seconds_total", 'cpu!="all"')
REPORTED_CORES = of_host("host_cpu_cores", 'kind="logical"')
MEASURED_CORES = of_host("host_cpu_core_utilization_ratio")
CORES = f"count(count by (cpu) ({COUNTED_CORES})) or max({REPORTED_CORES}) or count({MEASURED_CORES})"
"""As instance:load_per_core:ratio counts them."""

IDLE_OF_CORE = of_host("node_cpu_seconds_total", 'cpu!="all",mode=~"idle|iowait"')
CORE_UTILISATION = (
    f"clamp_min(1 - sum by (cpu) (rate({IDLE_OF_CORE}[$__rate_interval])), 0)"
    f" or max by (cpu) ({MEASURED_CORES})"
)

SAMPLE_TIME = f"timestamp({of_host('node_memory_MemTotal_bytes')})"

LAST_REPORT = (
    f"{of_host('telemetry_last_report_timestamp_seconds')}"
    f" or {SAMPLE_TIME} or max_over_time({SAMPLE_TIME}[6h:1m])"
)
"""Of a pushed host the time of its last push; of a scraped one that of its newest sample, or of the last."""


def host() -> Dashboard:
    """The dashboard with uid ``host``."""
    builder = dashboard(
        "host",
        "Host",
        "One machine: processor, memory, disks and network, whether it is scraped or pushes.",
        tags=["host"],
    )
    for variable in host_variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, overview())
    builder = with_panels(builder.with_row(Row("Processor")), processor())
    builder = with_panels(builder.with_row(Row("Memory")), memory())
    builder = with_panels(builder.with_row(Row("Disks")), disks())
    builder = with_panels(builder.with_row(Row("Network")), network())
    return finished(builder)


def overview() -> tuple[Stat, ...]:
    """One line of numbers: is this host all right?"""
    return (
        caption(
            "Machine",
            "Name, system and architecture, as the machine gives them; of StatusMonitor the agent's name.",
            [
                now(of_host("node_uname_info"), "{{nodename}} · {{sysname}} {{release}} {{machine}}", "A"),
                now(of_host("statusmonitor_agent_info"), "{{agent_name}}", "B"),
            ],
            width=6,
        ),
        stat(
            "Uptime",
            "Time since the system started.",
            "s",
            now(f"time() - {of_host('node_boot_time_seconds')}"),
            decimals=1,
        ),
        stat(
            "CPU",
            CPU_UTILISATION,
            "percentunit",
            now(of_host("instance:cpu_utilisation:ratio")),
            limits=BUSY,
            decimals=1,
        ),
        stat(
            "Memory",
            "Share of memory that programs cannot have.",
            "percentunit",
            now(of_host("instance:memory_utilisation:ratio")),
            limits=BUSY,
            decimals=1,
        ),
        stat(
            "Fullest disk",
            "Share that is used of the filesystem with the least room.",
            "percentunit",
            now(f"max({of_host('instance:filesystem_utilisation:ratio')})"),
            limits=BUSY,
            decimals=1,
        ),
        stat(
            "Load per core",
            "Tasks that run or wait, over 1 minute, for each logical core. Above 1 some wait.",
            "short",
            now(of_host("instance:load_per_core:ratio")),
            limits=(1, 2),
            decimals=2,
        ),
        stat(
            "Last report",
            "Time since this host was last heard of: its last push, or the last scrape that it answered.",
            "s",
            now(f"time() - ({LAST_REPORT})"),
            limits=(60, 300),
            missing="never",
            decimals=0,
        ),
    )


def processor() -> tuple[Graph, ...]:
    """What the processors do, how much waits for them, and what each core does."""
    return (
        graph(
            "CPU utilisation",
            CPU_UTILISATION,
            "percentunit",
            [over_time(of_host("instance:cpu_utilisation:ratio"), "utilisation")],
            highest=1,
            limits=BUSY,
            width=8,
        ),
        coloured(
            graph(
                "CPU by mode",
                "Share of the processors' time by what it went to; idle time is left out.",
                "percentunit",
                [
                    over_time(
                        "avg by (mode) (rate("
                        + of_host("node_cpu_seconds_total", 'mode!="idle"')
                        + "[$__rate_interval]))",
                        "{{mode}}",
                    )
                ],
                stacked=True,
                highest=1,
                width=8,
            ),
            MODES,
        ),
        dashed(
            graph(
                "Load",
                "Tasks that run or wait, over 1, 5 and 15 minutes, beside the number of logical cores.",
                "short",
                [
                    over_time(of_host("node_load1"), "1 m", "A"),
                    over_time(of_host("node_load5"), "5 m", "B"),
                    over_time(of_host("node_load15"), "15 m", "C"),
                    over_time(CORES, "cores", "D"),
                ],
                fill=0,
                width=8,
            ),
            "cores",
        ),
        graph(
            "CPU by core",
            "Share of time in which each core worked, as the host counted or measured it.",
            "percentunit",
            [over_time(CORE_UTILISATION, "{{cpu}}")],
            highest=1,
            fill=0,
        ),
        dashed(
            dashed(
                graph(
                    "CPU frequency",
                    "What each core runs at, or all together, between the lowest and the highest it can.",
                    "hertz",
                    [
                        over_time(of_host("node_cpu_scaling_frequency_hertz"), "{{cpu}}", "A"),
                        over_time(f"min({of_host('node_cpu_scaling_frequency_min_hertz')})", "lowest", "B"),
                        over_time(f"max({of_host('node_cpu_scaling_frequency_max_hertz')})", "highest", "C"),
                    ],
                    fill=0,
                ),
                "lowest",
            ),
            "highest",
        ),
    )


def memory() -> tuple[Graph, ...]:
    """How much memory there is, and how much of it is left."""
    total, available = of_host("node_memory_MemTotal_bytes"), of_host("node_memory_MemAvailable_bytes")
    swap, free_swap = of_host("node_memory_SwapTotal_bytes"), of_host("node_memory_SwapFree_bytes")
    return (
        coloured(
            filled(
                dashed(
                    graph(
                        "Memory use",
                        "Used is what programs cannot have: total less available. Swap comes on top.",
                        "bytes",
                        [
                            over_time(f"{total} - {available}", "used", "A"),
                            over_time(available, "available", "B"),
                            over_time(total, "total", "C"),
                            over_time(f"{swap} - {free_swap}", "swap used", "D"),
                        ],
                        fill=0,
                        width=16,
                    ),
                    "total",
                ),
                "used",
            ),
            {"used": "blue", "available": "green", "swap used": "purple"},
        ),
        graph(
            "Memory utilisation",
            "Share of memory that programs cannot have.",
            "percentunit",
            [over_time(of_host("instance:memory_utilisation:ratio"), "utilisation")],
            highest=1,
            limits=BUSY,
            width=8,
        ),
    )


def disks() -> tuple[Graph | Table, ...]:
    """How full filesystems are, and what their devices do."""
    utilisation = of_host("instance:filesystem_utilisation:ratio")
    size, available = (
        f"max by (mountpoint, device, fstype) ({of_host(metric)} and on (mountpoint) {utilisation})"
        for metric in ("node_filesystem_size_bytes", "node_filesystem_avail_bytes")
    )
    return (
        graph(
            "Filesystem use",
            "Share that is used of each filesystem.",
            "percentunit",
            [over_time(f"max by (mountpoint) ({utilisation})", "{{mountpoint}}")],
            highest=1,
            limits=BUSY,
            fill=0,
            width=8,
        ),
        mirrored(
            graph(
                "Disk throughput",
                "Bytes read from all disks a second over 5 minutes, above; bytes written to them, below.",
                "Bps",
                [
                    over_time(f"sum({of_host('instance:disk_read:rate5m')})", "read", "A"),
                    over_time(f"sum({of_host('instance:disk_written:rate5m')})", "written", "B"),
                ],
                lowest=None,
                width=8,
            ),
            "^written$",
        ),
        mirrored(
            graph(
                "Disk throughput by device",
                "Bytes read from each device a second, above; bytes written to it, below.",
                "Bps",
                [
                    over_time(_rate("node_disk_read_bytes_total", REAL_DEVICE), "{{device}} read", "A"),
                    over_time(_rate("node_disk_written_bytes_total", REAL_DEVICE), "{{device}} written", "B"),
                ],
                lowest=None,
                width=8,
            ),
            " written$",
        ),
        table(
            "Filesystems",
            "Every filesystem that can fill up: its size, the room left, and the share that is used.",
            [
                as_rows(size, "A"),
                as_rows(available, "B"),
                as_rows(f"max by (mountpoint) ({utilisation})", "C"),
            ],
            [
                Column("mountpoint", "Mount point"),
                Column("device", "Device"),
                Column("fstype", "Type"),
                Column("Value #A", "Size", unit="bytes"),
                Column("Value #B", "Available", unit="bytes"),
                Column("Value #C", "Used", unit="percentunit", limits=BUSY),
            ],
            sort_by="Used",
        ),
    )


def network() -> tuple[Graph, ...]:
    """What goes over the network."""
    return (
        mirrored(
            graph(
                "Network throughput",
                "Bytes received a second over 5 minutes, above; bytes sent, below. Loopback is left out, but is"
                " part of the sum that pushed hosts send.",
                "Bps",
                [
                    over_time(f"sum({of_host('instance:network_receive:rate5m')})", "received", "A"),
                    over_time(f"sum({of_host('instance:network_transmit:rate5m')})", "sent", "B"),
                ],
                lowest=None,
            ),
            "^sent$",
        ),
        mirrored(
            graph(
                "Network throughput by interface",
                "Bytes that each interface receives a second, above; bytes that it sends, below.",
                "Bps",
                [
                    over_time(
                        _rate("node_network_receive_bytes_total", REAL_INTERFACE), "{{device}} received", "A"
                    ),
                    over_time(
                        _rate("node_network_transmit_bytes_total", REAL_INTERFACE), "{{device}} sent", "B"
                    ),
                ],
                lowest=None,
            ),
            " sent$",
        ),
    )


def _rate(counter: str, matchers: str) -> str:
    return f"rate({of_host(counter, matchers)}[$__rate_interval])"
