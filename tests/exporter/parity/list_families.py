"""Writes the committed list: ``python -m tests.exporter.parity.list_families [FIXTURES]``.

It scrapes the real node_exporter 1.11.1 on this machine, on each host tree, and on FIXTURES: the folder
``collector/fixtures`` of its source, after its own Makefile has unpacked it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stack import tools
from tests.exporter.parity import families, servers
from tests.exporter.parity.exposition import Exposition

HEADER = """\
Families that a default node_exporter 1.11.1 can show on Linux: name, type, label names.
Made by 'python -m tests.exporter.parity.list_families FIXTURES': what the real one shows on a machine, on the
host trees of these tests, and on the fixtures of its own tests (the folder collector/fixtures of its source).
Left out: go_*, process_*, promhttp_*, node_exporter_build_info. Debian's systemd collector is off, as released.
"""


def scrapes(program: Path, fixtures: Path | None, folder: Path) -> Iterator[Exposition]:
    """What *program* shows of each host; *folder* takes the logs."""
    (folder / "a.prom").write_text("written_by_a_script 1\n", encoding="utf-8")
    textfiles = f"--collector.textfile.directory={folder}"
    flags = [[], *(servers.of_tree(servers.HOSTS / tree) for tree in servers.TREES)]
    if fixtures is not None:
        paths = [("procfs", "proc"), ("sysfs", "sys"), ("rootfs", ""), ("udev.data", "udev/data")]
        flags.append([*(f"--path.{name}={fixtures / path}" for name, path in paths), *servers.FROM_FILES])
    for each in flags:
        with servers.node_exporter(program, [*each, textfiles], folder / "log") as scrape:
            shown = scrape()
        yield Exposition(
            {name: header for name, header in shown.families.items() if name != "written_by_a_script"},
            shown.values,
        )


def main() -> None:
    """Write the list."""
    program = tools.find("node_exporter")
    if program is None or tools.version_number(tools.version(program)) != families.VERSION:
        sys.exit("node_exporter 1.11.1 is missing: run 'python -m stack tools node_exporter'")
    fixtures = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        found = families.listed(scrapes(program, fixtures, Path(folder)))
    families.LIST.write_text(families.text_of(found, HEADER), encoding="utf-8")
    print(f"{families.LIST.name}: {len(found)} families")


if __name__ == "__main__":
    main()
