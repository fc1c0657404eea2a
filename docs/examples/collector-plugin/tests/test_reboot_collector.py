# ruff: noqa: D103 - a test's name is its claim
"""The collector alone, on a host of a few files. It needs no exporter that runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from reboot_collector import COLLECTOR, PACKAGE_INFO, PACKAGES, REQUIRED

from host_exporter.plugin_api import HostPaths, Value


def collected(root: Path, told: dict[str, str | bool] | None = None) -> list[Value]:
    with HostPaths(rootfs=str(root)) as paths:
        return list(COLLECTOR.made("reboot", told)(paths))


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_without_a_note_nothing_waits(tmp_path: Path) -> None:
    assert collected(tmp_path) == [(REQUIRED, (), 0), (PACKAGES, (), 0)]


@pytest.mark.parametrize("packages", [False, True])
def test_a_note_is_counted_and_its_packages_are_shown_if_asked_for(packages: bool, tmp_path: Path) -> None:
    write(tmp_path, "run/reboot-required", "*** System restart required ***\n")
    write(tmp_path, "run/reboot-required.pkgs", "linux-base\nlibc6\nlibc6\n")

    shown = [(PACKAGE_INFO, ("libc6",), 1), (PACKAGE_INFO, ("linux-base",), 1)]
    assert collected(tmp_path, {"packages": packages}) == [
        (REQUIRED, (), 1),
        (PACKAGES, (), 2),
        *(shown if packages else []),
    ]


def test_the_note_may_be_another_file(tmp_path: Path) -> None:
    write(tmp_path, "var/run/restart", "")

    assert (REQUIRED, (), 1) in collected(tmp_path, {"file": "var/run/restart"})
