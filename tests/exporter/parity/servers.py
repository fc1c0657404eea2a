"""The two exporters as processes of their own, on this machine or on a host tree."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from host_exporter.collectors.filesystem import EXCLUDED_MOUNTPOINTS
from tests.exporter.parity.exposition import Exposition, parse
from tests.ports import free_port

START_SECONDS = 60
HOSTS = Path(__file__).resolve().parents[1] / "hosts"
TREES = ("baremetal", "cloudvm", "container")

FROM_FILES = ("--no-collector.netdev.netlink", "--no-collector.arp.netlink")
"""A copied tree's network is in its files, not in this kernel."""
AS_RELEASED = ("--no-collector.systemd",)
"""Debian switches it on."""
MOUNTPOINTS_AS_RELEASED = f"--collector.filesystem.mount-points-exclude={EXCLUDED_MOUNTPOINTS.pattern}"
"""Debian leaves out more. Not together with a pattern of those to show."""


def of_tree(tree: Path) -> list[str]:
    """The flags that make either exporter read *tree*."""
    paths = [f"--path.procfs={tree}/proc", f"--path.sysfs={tree}/sys", f"--path.rootfs={tree}/rootfs"]
    return [*paths, f"--path.udev.data={tree}/rootfs/run/udev/data", *FROM_FILES]


@contextmanager
def node_exporter(program: Path, flags: Sequence[str], log: Path) -> Iterator[Callable[[], Exposition]]:
    """The real one with its own defaults and *flags*; gives what scrapes it."""
    told = any(".mount-points-" in flag for flag in flags)
    released = AS_RELEASED if told else (*AS_RELEASED, MOUNTPOINTS_AS_RELEASED)
    with _serving([str(program), *released, *flags], log) as scrape:
        yield scrape


@contextmanager
def host_exporter(flags: Sequence[str], log: Path) -> Iterator[Callable[[], Exposition]]:
    """Ours with *flags*; gives what scrapes it."""
    with _serving([sys.executable, "-m", "host_exporter", "serve", *flags], log) as scrape:
        yield scrape


@contextmanager
def _serving(command: Sequence[str], log: Path) -> Iterator[Callable[[], Exposition]]:
    address = f"127.0.0.1:{free_port()}"
    with (
        log.open("wb") as output,
        requests.Session() as session,
        subprocess.Popen(
            [*command, f"--web.listen-address={address}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):

        def scrape() -> Exposition:
            response = session.get(f"http://{address}/metrics", timeout=START_SECONDS)
            response.raise_for_status()
            response.encoding = "utf-8"
            return parse(response.text)

        try:
            _wait_until_ready(f"http://{address}/", session, process, log)
            yield scrape
        finally:
            process.kill()


def _wait_until_ready(
    url: str, session: requests.Session, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url, session):
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)


def _answers(url: str, session: requests.Session) -> bool:
    try:
        session.get(url, timeout=START_SECONDS)
    except requests.ConnectionError:
        return False
    return True
