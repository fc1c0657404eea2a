"""Host: one machine, scraped or pushed. What a host does not send says so instead of staying empty."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import DashboardLink, Row
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.annotations import alerts_firing
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
from telemetry_dashboards.promql import HOST, as_rows, now, of_host, over_time
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

PUSHED_SUM = 'device="all"'

ALERTS = of_host("ALERTS", 'alertstate="firing",severity!="none"')

TROUBLE = (
    ("receive", "errs", "errors received", "A"),
    ("transmit", "errs", "errors sent", "B"),
    ("receive", "drop", "dropped received", "C"),
    ("transmit", "drop", "dropped sent", "D"),
)

COUNTED_CORES = of_host("node_cpu_seconds_total", 'cpu!="all"')
REPORTED_CORES = of_host("host_cpu_cores", 'kind="logical"')
MEASURED_CORES = of_host("host_cpu_core_utilization_ratio")
CORES = f"count(count by (cpu) ({COUNTED_CORES})) or max({REPORTED_CORES}) or count({MEASURED_CORES})"
"""As instance:load_per_core:ratio counts them."""

IDLE_OF_CORE = of_host("node_cpu_seconds_total", 'cpu!="all",mode=~"idle|iowait"')
CORE_UTILISATION = (
    f"1 - sum by (cpu) (rate({IDLE_OF_CORE}[$__rate_interval]))"
    f" / sum by (cpu) (rate({COUNTED_CORES}[$__rate_interval]))"
    f" or max by (cpu) ({MEASURED_CORES})"
)
"""Of all that a core's counters grew by: ``rate`` divides by the whole window also where samples cover less of it."""

SAMPLE_TIME = f"timestamp({of_host('node_memory_MemTotal_bytes')})"

LAST_REPORT = (
    f"{of_host('telemetry_last_report_timestamp_seconds')}"
    f" or {SAMPLE_TIME} or max_over_time({SAMPLE_TIME}[6h:1m])"
)
"""Of a pushed host the time of its last push; of a scraped one that of its newest sample, or of the last."""


def or_sent(recorded: str, sent: str) -> str:
    """The *recorded* name, and before it was recorded what the host *sent*: its past may be older than the stack."""
    return f"max({of_host(recorded)}) or max({of_host(sent)})"


def host() -> Dashboard:
    """The dashboard with uid ``host``."""
    builder = dashboard(
        "host",
        "Host",
        "One machine, whether it is scraped or pushes: processor, memory, disks, network, temperatures.",
        tags=["host"],
    )
    builder = builder.link(DashboardLink("Fleet").url("/d/fleet").keep_time(True))
    builder = builder.annotation(alerts_firing(HOST))
    for variable in host_variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, overview())
    builder = with_panels(builder.with_row(Row("Processor")), processor())
    builder = with_panels(builder.with_row(Row("Memory")), memory())
    builder = with_panels(builder.with_row(Row("Disks")), disks())
    builder = with_panels(builder.with_row(Row("Network")), network())
    builder = with_panels(builder.with_row(Row("Pressure and temperatures")), strain())
    return finished(builder, without_data="This host does not send it.")


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
            width=4,
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
        stat(
            "Alerts",
            "How many alerts fire for this host.",
            "short",
            now(f"count({ALERTS}) or vector(0)"),
            limits=(1, 10),
            width=2,
        ).data_links([DashboardLink("Open the alerts").url("/d/alerts?${__url_time_range}")]),
    )


def processor() -> tuple[Graph, ...]:
    """What the processors do, how much waits for them, and what each core does."""
    return (
        graph(
            "CPU utilisation",
            CPU_UTILISATION,
            "percentunit",
            [
                over_time(
                    or_sent("instance:cpu_utilisation:ratio", "host_cpu_utilization_ratio"), "utilisation"
                )
            ],
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
            [
                over_time(
                    or_sent("instance:memory_utilisation:ratio", "host_memory_used_ratio"), "utilisation"
                )
            ],
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
    files, free_files = of_host("node_filesystem_files"), of_host("node_filesystem_files_free")
    inodes = f"max by (mountpoint) (1 - {free_files} / ({files} > 0)) and on (mountpoint) {utilisation}"
    return (
        graph(
            "Filesystem use",
            "Share that is used of each filesystem.",
            "percentunit",
            [over_time(f"max by (mountpoint) ({utilisation})", "{{mountpoint}}")],
            highest=1,
            limits=BUSY,
            fill=0,
        ),
        graph(
            "Inode use",
            "Share that is used of the files that each filesystem can hold. Some have no fixed number.",
            "percentunit",
            [over_time(inodes, "{{mountpoint}}")],
            highest=1,
            limits=BUSY,
            fill=0,
        ).decimals(1),
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
            ),
            " written$",
        ),
        mirrored(
            graph(
                "Disk operations",
                "Reads that each device completes a second, above; writes, below. all: the sum that the host sends.",
                "iops",
                [
                    over_time(
                        _counted("node_disk_reads_completed_total", REAL_DEVICE), "{{device}} reads", "A"
                    ),
                    over_time(
                        _counted("node_disk_writes_completed_total", REAL_DEVICE), "{{device}} writes", "B"
                    ),
                ],
                lowest=None,
                width=8,
            ),
            " writes$",
        ),
        graph(
            "Disk latency",
            "Time that a read and a write take on average, with their wait in the queue; 0 if there are none.",
            "s",
            [
                over_time(
                    _each("node_disk_read_time_seconds_total", "node_disk_reads_completed_total"),
                    "{{device}} read",
                    "A",
                ),
                over_time(
                    _each("node_disk_write_time_seconds_total", "node_disk_writes_completed_total"),
                    "{{device}} write",
                    "B",
                ),
            ],
            fill=0,
            width=8,
        ),
        graph(
            "Disk utilisation",
            "Share of time in which each device had work. One that serves many requests at once can do more at 100%.",
            "percentunit",
            [over_time(_rate("node_disk_io_time_seconds_total", REAL_DEVICE), "{{device}}")],
            highest=1,
            fill=0,
            width=8,
        ),
        table(
            "Filesystems",
            "Every filesystem that can fill up: its size, the room left, and the share that is used.",
            [
                as_rows(size, "A"),
                as_rows(available, "B"),
                as_rows(f"max by (mountpoint) ({utilisation})", "C"),
                as_rows(inodes, "D"),
            ],
            [
                Column("mountpoint", "Mount point"),
                Column("device", "Device"),
                Column("fstype", "Type"),
                Column("Value #A", "Size", unit="bytes"),
                Column("Value #B", "Available", unit="bytes"),
                Column("Value #C", "Used", unit="percentunit", limits=BUSY),
                Column("Value #D", "Inodes used", unit="percentunit", limits=BUSY),
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
        mirrored(
            graph(
                "Packets",
                "Packets that each interface receives a second, above; that it sends, below. all: the sum that the"
                " host sends.",
                "pps",
                [
                    over_time(
                        _counted("node_network_receive_packets_total", REAL_INTERFACE),
                        "{{device}} received",
                        "A",
                    ),
                    over_time(
                        _counted("node_network_transmit_packets_total", REAL_INTERFACE),
                        "{{device}} sent",
                        "B",
                    ),
                ],
                lowest=None,
            ),
            " sent$",
        ),
        graph(
            "Network errors and drops",
            "Packets a second that were damaged or could not be sent, and that were thrown away, by interface.",
            "pps",
            [
                over_time(
                    _counted(f"node_network_{way}_{what}_total", REAL_INTERFACE),
                    f"{{{{device}}}} {name}",
                    ref_id,
                )
                for way, what, name, ref_id in TROUBLE
            ],
            fill=0,
        ),
    )


def strain() -> tuple[Graph, ...]:
    """What tasks wait for, and how hot it gets."""
    temperature = of_host("node_hwmon_temp_celsius")
    label, chip_name = of_host("node_hwmon_sensor_label"), of_host("node_hwmon_chip_names")
    labelled = f"{temperature} * on (chip, sensor) group_left (label) {label}"
    named = f"({labelled} or on (chip, sensor) {temperature}) * on (chip) group_left (chip_name) {chip_name}"
    return (
        graph(
            "Pressure: some tasks wait",
            "Share of time in which at least one task could not go on for want of a processor, memory or a disk.",
            "percentunit",
            [
                over_time(_pressure("cpu_waiting"), "processor", "A"),
                over_time(_pressure("memory_waiting"), "memory", "B"),
                over_time(_pressure("io_waiting"), "disk", "C"),
            ],
            width=8,
        ),
        graph(
            "Pressure: all tasks wait",
            "Share of time in which no task could go on, for want of memory, of a disk, or for interrupts.",
            "percentunit",
            [
                over_time(_pressure("memory_stalled"), "memory", "A"),
                over_time(_pressure("io_stalled"), "disk", "B"),
                over_time(_pressure("irq_stalled"), "interrupts", "C"),
            ],
            width=8,
        ),
        dashed(
            graph(
                "Temperatures",
                "What each sensor measures, and the lowest temperature that a sensor calls critical.",
                "celsius",
                [
                    over_time(
                        f"{named} or on (chip, sensor) {temperature}",
                        "{{chip_name}} {{label}} {{sensor}}",
                        "A",
                    ),
                    over_time(of_host("node_thermal_zone_temp"), "{{type}} zone {{zone}}", "B"),
                    over_time(f"min({of_host('node_hwmon_temp_crit_celsius')} > 0)", "critical", "C"),
                ],
                lowest=None,
                fill=0,
                width=8,
            ),
            "critical",
        ),
    )


def _rate(counter: str, matchers: str = "") -> str:
    return f"rate({of_host(counter, matchers)}[$__rate_interval])"


def _counted(counter: str, matchers: str) -> str:
    """What *counter* adds a second, also in the sum that a pusher sends over all devices.

    That falls when a device goes, which rate() would take for a reset: as in the vocabulary, a fall adds nothing.
    """
    pushed = of_host(counter, PUSHED_SUM)
    added = f"clamp_min(({pushed} - {pushed} offset 1m) / 60, 0)"
    return f"{_rate(counter, matchers)} or avg_over_time({added}[$__rate_interval:1m])"


def _each(seconds: str, completed: str) -> str:
    """Time for each operation. None in a while is 0, not a division by it."""
    matchers = REAL_DEVICE.replace("all|", "")
    return f"{_rate(seconds, matchers)} / clamp_min({_rate(completed, matchers)}, 1e-9)"


def _pressure(what: str) -> str:
    return _rate(f"node_pressure_{what}_seconds_total")
