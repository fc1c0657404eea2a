"""The real node_exporter beside ours, on this machine and on the host trees: the same is shown."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from host_exporter.collectors import COLLECTORS
from stack import tools
from tests.exporter.parity import families, servers
from tests.exporter.parity.compare import Difference, differences, in_all
from tests.exporter.parity.families import Listed
from tests.stack.programs import find

pytestmark = pytest.mark.stack

ROUNDS = 12
PAUSE_SECONDS = 0.25
TEXTFILE = """\
# HELP backup_last_success_timestamp_seconds When the last backup ended.
# TYPE backup_last_success_timestamp_seconds gauge
backup_last_success_timestamp_seconds{job="nightly"} 1.7945e+09
# TYPE backup_runs_total counter
backup_runs_total 412
"""

OF_THE_RUNNING_KERNEL = ("node_uname_info",)
"""Of a tree, node_exporter cannot say these: it asks the kernel that it runs on, ours the procfs that it is given,
which in a container is the host's."""

LEFT_OUT = """
--collector.arp.device-exclude=^eno
--collector.bcache.priorityStats
--collector.cpu.info
--collector.cpu.info.bugs-include=spectre
--collector.cpu.info.flags-include=^(aes|avx.*)$
--collector.diskstats.device-exclude=^(sd|loop)
--collector.filesystem.fs-types-exclude=^(vfat|sysfs)$
--collector.filesystem.mount-points-exclude=^/(srv|proc)
--collector.hwmon.chip-exclude=nct6775
--collector.hwmon.sensor-exclude=;temp1$
--collector.ipvs.backend-labels=local_address,proto
--collector.netclass.ignored-devices=^(lo|ib)
--collector.netdev.device-exclude=^lo
--collector.netstat.fields=^Tcp_.*
--collector.rapl.enable-zone-label
--collector.stat.softirq
--collector.tapestats.ignored-devices=^st
--collector.vmstat.fields=^(nr|numa)_
"""
PICKED = """
--collector.arp.device-include=^eno
--no-collector.cpu.guest
--collector.diskstats.device-include=^(sd|loop)
--collector.filesystem.fs-types-include=^(xfs|btrfs)$
--collector.filesystem.mount-points-include=^/(srv|home)
--collector.hwmon.chip-include=nct6775
--collector.hwmon.sensor-include=;(in|fan)
--collector.ipvs.backend-labels=
--collector.netclass.ignore-invalid-speed
--collector.netdev.device-include=^(lo|eno)
--collector.netdev.enable-detailed-metrics
"""
MANY_FLAGS = 30
"""So many at least: else the help was not understood."""
ANOTHER_DEFAULT = {"filesystem.mount-points-exclude", "textfile.directory"}
"""Flags whose default Debian has changed: as released there is none."""
FLAG = re.compile(r"^ +--(?:\[no-\])?collector\.(([a-z_]+)\.[\w.-]+)(?:=(\S+))?", re.MULTILINE)


@pytest.fixture(scope="module")
def node_exporter() -> Path:
    program = find("node_exporter")
    if version_of(program) < families.VERSION:
        pytest.skip(f"{program} is older than 1.11.1")
    return program


def version_of(program: Path) -> tuple[int, ...]:
    return tools.version_number(tools.version(program))


@pytest.fixture
def textfiles(tmp_path: Path) -> str:
    """The flag that names a folder with one textfile."""
    folder = tmp_path / "textfiles"
    folder.mkdir()
    (folder / "backup.prom").write_text(TEXTFILE, encoding="utf-8")
    return f"--collector.textfile.directory={folder}"


def compared(
    program: Path, theirs: Sequence[str], ours: Sequence[str], logs: Path, elsewhere: Collection[str] = ()
) -> list[Difference]:
    """What differs in every round, of which there are as many as it takes until nothing does."""
    rounds: list[list[Difference]] = []
    with (
        servers.node_exporter(program, theirs, logs / "node_exporter.log") as scrape_theirs,
        servers.host_exporter(ours, logs / "host_exporter.log") as scrape_ours,
    ):
        for _ in range(ROUNDS):
            before, own, after = scrape_theirs(), scrape_ours(), scrape_theirs()
            rounds.append(list(differences(before, own, after, elsewhere)))
            if not in_all(rounds):
                break
            time.sleep(PAUSE_SECONDS)
    return of_the_listed_version(version_of(program), in_all(rounds))


def of_the_listed_version(version: tuple[int, ...], found: Sequence[Difference]) -> list[Difference]:
    """Without what a newer one than that of the list has changed, which is printed."""
    known = families.read()
    newer = [each for each in found if version != families.VERSION and families.changed_since(each, known)]
    for each in newer:
        print("newer than the list:", each)
    return [each for each in found if each not in newer]


def lines(found: Sequence[Difference]) -> str:
    return "\n".join(map(str, found))


def test_this_machine_looks_the_same(node_exporter: Path, textfiles: str, tmp_path: Path) -> None:
    found = compared(node_exporter, [textfiles], [textfiles], tmp_path)

    assert not found, lines(found)


def of_the_tree(tree: str, program: Path, flags: Sequence[str], logs: Path) -> list[Difference]:
    both = [*servers.of_tree(servers.HOSTS / tree), *flags]
    return compared(program, both, both, logs, OF_THE_RUNNING_KERNEL)


@pytest.mark.parametrize("tree", servers.TREES)
def test_a_tree_looks_the_same(tree: str, node_exporter: Path, textfiles: str, tmp_path: Path) -> None:
    found = of_the_tree(tree, node_exporter, [textfiles], tmp_path)

    assert not found, lines(found)


@pytest.mark.parametrize("flags", [pytest.param(LEFT_OUT, id="leave out"), pytest.param(PICKED, id="pick")])
def test_with_the_same_flags_the_bare_metal_looks_the_same(
    flags: str, node_exporter: Path, textfiles: str, tmp_path: Path
) -> None:
    found = of_the_tree("baremetal", node_exporter, [textfiles, *flags.split()], tmp_path)

    assert not found, lines(found)


def test_each_flag_of_a_collector_that_we_have_is_ours_with_its_default(node_exporter: Path) -> None:
    said = subprocess.run([node_exporter, "--help-long"], capture_output=True, text=True, check=True)
    ours = {
        setting.flag(name).removeprefix("collector."): setting.default
        for name, collector in COLLECTORS.items()
        for setting in collector.settings
    }
    prefixes = {flag.partition(".")[0] for flag in ours}
    theirs = {
        flag: json.loads(default) if default.startswith('"') else ""
        for flag, collector, default in FLAG.findall(said.stdout + said.stderr)
        if collector in prefixes
    }

    assert len(theirs) > MANY_FLAGS
    assert sorted(theirs.keys() - ours.keys()) == []
    assert {
        flag: (default, ours[flag])
        for flag, default in theirs.items()
        if default != ours[flag] and flag not in ANOTHER_DEFAULT and not isinstance(ours[flag], bool)
    } == {}


def test_the_list_names_all_that_node_exporter_shows_of_the_trees(
    node_exporter: Path, tmp_path: Path
) -> None:
    if version_of(node_exporter) != families.VERSION:
        pytest.skip("the list is of an older version")
    known = families.read()

    unlisted: dict[str, Listed] = {}
    for tree in servers.TREES:
        flags = servers.of_tree(servers.HOSTS / tree)
        with servers.node_exporter(node_exporter, flags, tmp_path / "log") as scrape:
            shown = families.listed([scrape()])
        unlisted |= {name: family for name, family in shown.items() if not listed(family, known.get(name))}

    assert unlisted == {}


def listed(shown: Listed, known: Listed | None) -> bool:
    return known is not None and shown.kind == known.kind and set(shown.labels) <= set(known.labels)
