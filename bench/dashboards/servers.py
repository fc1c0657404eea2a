"""Prometheus with a month in it, and the bridge that shows it."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from bench import servers
from bench.bridge.events import UNLIMITED
from bench.servers import Bridge, Server, ServerFailed

CONFIGURATION = "global: {evaluation_interval: 1h}\n"
"""It scrapes nothing and records nothing: what is asked for lies in its blocks."""

COMPACTION_SECONDS = 600


class Prometheus(Server):
    """Debian's, on what lies in *data*."""

    def __init__(self, program: Path, folder: Path, name: str, data: Path) -> None:
        configuration = folder / f"{name}.yml"
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        command = [
            str(program),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=10y",
            "--web.listen-address={address}",
        ]
        super().__init__(name, command, folder / f"{name}.log")

    def wait_until_compacted(self) -> None:
        """Wait until the blocks are as large as those of a server that has run all the time. It looks once a minute.

        It counts each look before it compacts, and the next one comes after all was done. Raises ServerFailed.
        """
        end = time.monotonic() + COMPACTION_SECONDS
        while time.monotonic() < end:
            shown = self.get("/metrics")[1].decode()
            looks = re.search(r"^prometheus_tsdb_compactions_triggered_total (\d+)", shown, re.MULTILINE)
            if looks and int(looks[1]) >= 2:
                return
            time.sleep(2)
        raise ServerFailed(f"the blocks were not compacted within {COMPACTION_SECONDS} s")


def bridge_over(folder: Path, prometheus: Server, dashboards: Path) -> Bridge:
    """A bridge whose page asks *prometheus*."""
    return Bridge(
        folder,
        "viewer",
        arguments=(
            f"--prometheus.url=http://{servers.ADDRESS}:{prometheus.port}",
            f"--viewer.dashboards-directory={dashboards}",
            UNLIMITED,
        ),
    )


def make_blocks(promtool: Path, text: str, scratch: Path, data: Path) -> None:
    """Make blocks in *data* of OpenMetrics *text*. Raises ServerFailed with promtool's last words."""
    scratch.write_text(text, encoding="utf-8")
    command = [
        *(str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=24h"),
        *(str(scratch), str(data)),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    scratch.unlink()
    if made.returncode:
        raise ServerFailed(f"no blocks: {(made.stderr or made.stdout).strip()[-300:]}")
