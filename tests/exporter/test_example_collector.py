"""docs/examples/collector-plugin as its README says: installed, run by the real program, refused when it is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.ports import free_port

pytestmark = pytest.mark.stack

START_SECONDS = 15
REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "docs/examples/collector-plugin"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
UV = Path(sys.executable).with_name("uv")
PROGRAM = (sys.executable, "-m", "host_exporter", "serve")
ORIGIN = "plugin reboot-collector 0.1.0: entry point reboot = reboot_collector:COLLECTOR"

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs the example, with a text of it replaced, into a folder that is then on PYTHONPATH."""

    def run(old: str = "", new: str = "") -> Path:
        source, target = tmp_path / "source", tmp_path / "plugins"
        shutil.copytree(EXAMPLE, source)
        changed = source / "reboot_collector.py"
        text = changed.read_text(encoding="utf-8")
        assert old in text
        changed.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        subprocess.run(
            [
                *(UV, "pip", "install", "--quiet", "--offline", "--python", sys.executable),
                *("--no-deps", "--no-build-isolation", "--target", target, source),
            ],
            check=True,
            timeout=120,
        )
        monkeypatch.setenv("PYTHONPATH", str(target))
        return target

    return run


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A host's root where two packages wait for a restart."""
    run = tmp_path / "rootfs/run"
    run.mkdir(parents=True)
    (run / "reboot-required").write_text("*** System restart required ***\n")
    (run / "reboot-required.pkgs").write_text("linux-base\nlibc6\n")
    return run.parent


@contextmanager
def scraped(*flags: str, **environment: str) -> Iterator[set[str]]:
    """The lines of an exposition of the real program."""
    address = f"127.0.0.1:{free_port()}"
    command = [*PROGRAM, f"--web.listen-address={address}", *flags]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            yield set(_get(f"http://{address}/metrics", process).splitlines())
        finally:
            process.kill()


def _get(url: str, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return requests.get(url, timeout=10).text
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"host-exporter did not start within {START_SECONDS} s")


def shown_series() -> set[str]:
    (text,) = re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return set(text.splitlines())


def test_the_series_are_those_of_the_readme(install: Install, rootfs: Path) -> None:
    install()

    with scraped(f"--path.rootfs={rootfs}", "--collector.reboot.packages") as lines:
        assert shown_series() <= lines
        assert 'node_scrape_collector_success{collector="loadavg"} 1' in lines


def test_its_flags_are_environment_variables_and_it_can_be_switched_off(
    install: Install, rootfs: Path
) -> None:
    install()

    with scraped(f"--path.rootfs={rootfs}", HOST_EXPORTER_COLLECTOR_REBOOT_PACKAGES="true") as lines:
        assert shown_series() <= lines
    with scraped(f"--path.rootfs={rootfs}", "--no-collector.reboot") as lines:
        assert not any("reboot" in line for line in lines)


def test_nonsense_costs_only_its_series(install: Install, rootfs: Path) -> None:
    install("yield PACKAGES, (), len(packages)", 'yield PACKAGES, ("linux-base",), "two"')

    with scraped(f"--path.rootfs={rootfs}") as lines:
        assert {
            "host_reboot_required 1",
            'node_scrape_collector_success{collector="reboot"} 1',
        } <= lines
        assert not any(line.startswith("host_reboot_packages") for line in lines)


def test_one_that_fails_costs_no_other(install: Install, rootfs: Path) -> None:
    install("yield REQUIRED, (), int(required)", "raise KeyError(file)")

    with scraped(f"--path.rootfs={rootfs}") as lines:
        assert 'node_scrape_collector_success{collector="reboot"} 0' in lines
        assert 'node_scrape_collector_success{collector="loadavg"} 1' in lines
        assert not any(line.startswith("host_reboot") for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "PLUGIN_API_VERSION = 1",
            "PLUGIN_API_VERSION = 2",
            "is made for version 2 of the plugin API, and this exporter takes 1",
        ),
        ('"host_reboot_required"', '"node_load1"', "declares node_load1, which the collector loadavg has"),
        ("return partial(", "return 1 or partial(", "makes an int, and not a function"),
    ],
    ids=["another version", "a family that is taken", "nothing to collect with"],
)
def test_a_broken_one_keeps_the_exporter_from_starting_and_is_named(
    old: str, new: str, told: str, install: Install
) -> None:
    install(old, new)

    done = subprocess.run(
        [*PROGRAM, "--web.listen-address=127.0.0.1:0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 3
    assert done.stderr.splitlines() == [f"host-exporter: {ORIGIN}: {told}"]


def test_its_own_test_passes(install: Install, tmp_path: Path) -> None:
    target = install()
    config = tmp_path / "empty.ini"
    config.write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", config, EXAMPLE / "tests"],
        env={**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)
