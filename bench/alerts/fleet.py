"""Hosts that are scraped, thousands of them in one answer: what the shipped rules read of a real one."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from bench.servers import ADDRESS, free_port

CORES: Final = 4
SHARES: Final = {
    "idle": 0.4,
    "iowait": 0.1,
    "irq": 0.01,
    "nice": 0.01,
    "softirq": 0.01,
    "steal": 0.01,
    "system": 0.16,
    "user": 0.3,
}
"""Of a core's time, by mode."""
MOUNTPOINTS: Final = ("/", "/boot", "/srv")
GIB: Final = 2**30


def host_lines(instance: str, seconds: float) -> list[str]:
    """One host as it is *seconds* after its start, half busy, with room in all its filesystems."""
    labels = f'job="node",instance="{instance}"'
    lines = [
        f'node_cpu_seconds_total{{{labels},cpu="{cpu}",mode="{mode}"}} {seconds * share:.3f}'
        for cpu in range(CORES)
        for mode, share in SHARES.items()
    ]
    for mountpoint in MOUNTPOINTS:
        mounted = f'{labels},device="/dev/vda1",fstype="ext4",mountpoint="{mountpoint}"'
        lines += [
            f"node_filesystem_size_bytes{{{mounted}}} {100 * GIB}",
            f"node_filesystem_free_bytes{{{mounted}}} {40 * GIB}",
            f"node_filesystem_avail_bytes{{{mounted}}} {35 * GIB}",
            f"node_filesystem_readonly{{{mounted}}} 0",
            f"node_filesystem_files{{{mounted}}} 1000000",
            f"node_filesystem_files_free{{{mounted}}} 900000",
        ]
    for device in ("eth0", "eth1", "lo"):
        for name in ("receive_bytes", "transmit_bytes"):
            lines.append(f'node_network_{name}_total{{{labels},device="{device}"}} {1000 * seconds:.0f}')
    for device in ("vda", "vda1"):
        for name in ("read_bytes", "written_bytes"):
            lines.append(f'node_disk_{name}_total{{{labels},device="{device}"}} {4096 * seconds:.0f}')
    return [
        *lines,
        f"node_load1{{{labels}}} 0.5",
        f"node_memory_MemTotal_bytes{{{labels}}} {8 * GIB}",
        f"node_memory_MemAvailable_bytes{{{labels}}} {5 * GIB}",
        f"telemetry_last_report_timestamp_seconds{{{labels}}} {time.time():.0f}",
        f"telemetry_report_interval_seconds{{{labels}}} 5",
    ]


class Fleet(ThreadingHTTPServer):
    """Answers a scrape with all of *hosts*, which are alike but for their names."""

    daemon_threads = True

    def __init__(self, hosts: int) -> None:
        super().__init__((ADDRESS, free_port()), _Handler)
        self.names = [f"host-{number:05}" for number in range(hosts)]
        self.series = hosts * len(host_lines("", 0))
        self._began = time.monotonic() - 3600

    @property
    def address(self) -> str:
        return f"{ADDRESS}:{self.server_port}"

    def exposition(self) -> bytes:
        """All hosts as they are now."""
        one = "\n".join(host_lines("\0", time.monotonic() - self._began)) + "\n"
        return "".join(one.replace("\0", name) for name in self.names).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Fleet

    def do_GET(self) -> None:
        body = self.server.exposition()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass
