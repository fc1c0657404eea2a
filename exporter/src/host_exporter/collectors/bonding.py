"""How many devices each bond has, and how many of them have a link."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

SLAVES = Family(
    "node_bonding_slaves", "gauge", "Number of configured slaves per bonding interface.", ("master",)
)
ACTIVE = Family("node_bonding_active", "gauge", "Number of active slaves per bonding interface.", ("master",))
FAMILIES = (SLAVES, ACTIVE)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Two series for each bond. Without the kernel's module there is no such source."""
    try:
        masters = paths.read_sys("class/net/bonding_masters").split()
    except FileNotFoundError as error:
        raise NoDataError("no bonding_masters: the bonding module is not loaded") from error
    present = paths.names_sys("class/net") if masters else ()
    for master in masters:
        if master not in present:
            continue
        try:
            states = _link_states(paths, master)
        except FileNotFoundError:
            continue  # the bond, or one of its devices, went while it was read
        yield SLAVES, (master,), len(states)
        yield ACTIVE, (master,), states.count("up")


def _link_states(paths: HostPaths, master: str) -> list[str]:
    slaves = paths.read_sys(f"class/net/{master}/bonding/slaves").split()
    return [_link_state(paths, master, slave).strip() for slave in slaves]


def _link_state(paths: HostPaths, master: str, slave: str) -> str:
    try:
        return paths.read_sys(f"class/net/{master}/lower_{slave}/bonding_slave/mii_status")
    except FileNotFoundError:  # before Linux 3.9
        return paths.read_sys(f"class/net/{master}/slave_{slave}/bonding_slave/mii_status")


COLLECTOR = Collector(FAMILIES, unset(collect))
