from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from host_exporter.selfmetrics import FAMILIES, OwnProcess


def test_every_family_has_one_value_in_its_order() -> None:
    assert [family for family, _, _ in OwnProcess("1.2.3").collect()] == list(FAMILIES)


def test_the_numbers_are_those_that_psutil_sees() -> None:
    process = psutil.Process()

    values = {family.name: number for family, _, number in OwnProcess("1.2.3").collect()}

    memory = process.memory_info()
    assert values["process_resident_memory_bytes"] == pytest.approx(memory.rss, rel=0.1)
    assert values["process_virtual_memory_bytes"] == pytest.approx(memory.vms, rel=0.1)
    # psutil counts the folder that it opens to list them.
    assert values["process_open_fds"] == process.num_fds() - 1
    assert values["process_start_time_seconds"] == pytest.approx(process.create_time(), abs=2)
    assert values["process_cpu_seconds_total"] == pytest.approx(sum(process.cpu_times()[:2]), abs=0.5)


def test_a_command_with_brackets_and_blanks_does_not_move_the_start_time(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    hertz = os.sysconf("SC_CLK_TCK")
    fields = ["0"] * 18 + [str(50 * hertz)]
    (tmp_path / "self/stat").write_text(f"7 (a) b) (c) S {' '.join(fields)} 0 0\n")
    (tmp_path / "stat").write_text(f"cpu 1\nbtime {int(time.time())}\nprocesses 1\n")
    (tmp_path / "self/statm").write_text("10 5 1 1 0 1 0\n")
    (tmp_path / "self/fd").mkdir()

    values = {family.name: number for family, _, number in OwnProcess("1", tmp_path).collect()}

    assert values["process_start_time_seconds"] == pytest.approx(time.time() + 50, abs=5)
