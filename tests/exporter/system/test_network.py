"""The interface that is shown, and whose address it has."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from host_exporter.paths import HostPaths
from host_exporter.system.network import (
    UNKNOWN_ADDRESS,
    Address,
    in_host_network,
    own_address,
    primary_interface,
    routed,
)
from tests.exporter.system.trees import FILES, ROUTE, write


@pytest.mark.parametrize("name", sorted(psutil.net_if_addrs()))
def test_an_own_address_is_the_first_that_psutil_finds(name: str) -> None:
    addresses = [found for found in psutil.net_if_addrs()[name] if found.family == socket.AF_INET]
    expected = [Address(found.address, found.netmask, found.broadcast) for found in addresses]

    assert own_address(name) == (expected[0] if expected else None)


def test_an_interface_that_is_not_there_has_no_address() -> None:
    assert own_address("no-such-name") is None


def test_this_machine_shows_the_interface_that_psutil_finds_first() -> None:
    with HostPaths() as paths:
        found = primary_interface(paths, "/proc")["primary_interface"]

    up = [
        name
        for name, state in psutil.net_if_stats().items()
        if state.isup and not name.startswith("lo") and own_address(name)
    ]
    if not up:
        assert found is None
    else:
        state = psutil.net_if_stats()[up[0]]
        assert found == {
            "name": up[0],
            **own_address(up[0])._asdict(),  # type: ignore[union-attr]
            "speed_mbps": state.speed or None,
            "mtu": state.mtu,
            "duplex": {2: "full", 1: "half", 0: "unknown"}[state.duplex],
        }


def test_a_mounted_procfs_with_this_process_own_network_is_known(tmp_path: Path) -> None:
    """A copy of the file is another one, as that of another network is."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/1").symlink_to("/proc/self")
    write(tmp_path / "copy/1/net/dev", FILES["proc/1/net/dev"])

    assert in_host_network("/proc/")
    assert in_host_network(str(tmp_path / "own"))
    assert not in_host_network(str(tmp_path / "copy"))
    assert not in_host_network(str(tmp_path / "missing"))


def test_a_mounted_procfs_with_another_network_is_known(tmp_path: Path) -> None:
    (tmp_path / "1").symlink_to(f"/proc/{os.getpid()}")
    code = f"from host_exporter.system.network import in_host_network as own; print(own({str(tmp_path)!r}))"

    answer = subprocess.run(
        ["unshare", "--user", "--net", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )

    if answer.stderr.startswith("unshare:"):
        pytest.skip(f"this machine allows no namespaces: {answer.stderr}")
    assert answer.stdout == "False\n"


def test_routes_tell_the_interfaces_and_no_addresses() -> None:
    assert routed(ROUTE) == {"eth0": UNKNOWN_ADDRESS}
    assert routed("") == {}


@pytest.mark.parametrize(
    ("file", "text", "field", "value"),
    [
        ("speed", "-1\n", "speed_mbps", None),
        ("speed", "2500\n", "speed_mbps", 2500),
        ("speed", None, "speed_mbps", None),
        ("duplex", "half\n", "duplex", "half"),
        ("duplex", "unknown\n", "duplex", "unknown"),
        ("duplex", None, "duplex", "unknown"),
    ],
)
def test_what_a_link_does_not_tell_is_unknown(
    file: str, text: str | None, field: str, value: object, host: Path, read: Callable[[], dict[str, Any]]
) -> None:
    attribute = host / "sys/class/net/eth0" / file
    if text is None:
        attribute.unlink()
    else:
        write(attribute, text)

    assert read()["network"]["primary_interface"][field] == value


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sys/class/net/eth0/operstate", "down\n"),
        ("sys/class/net/eth0/flags", "0x1002\n"),
        ("proc/1/net/route", ROUTE.replace("eth0", "eth1")),
        ("proc/1/net/route", ROUTE.splitlines()[0] + "\n"),
    ],
    ids=["no link", "switched off", "another one has the routes", "no routes"],
)
def test_an_interface_that_is_not_in_use_is_not_shown(
    file: str, text: str, host: Path, read: Callable[[], dict[str, Any]]
) -> None:
    write(host / file, text)

    assert read()["network"]["primary_interface"] is None
