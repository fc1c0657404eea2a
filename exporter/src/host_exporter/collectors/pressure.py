"""How long tasks waited for CPU, memory and disks."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.pressure import parse_pressure


def _waiting(resource: str, what: str) -> Family:
    return Family(
        f"node_pressure_{resource}_waiting_seconds_total",
        "counter",
        f"Total time in seconds that processes have waited {what}",
    )


def _stalled(resource: str, what: str) -> Family:
    return Family(
        f"node_pressure_{resource}_stalled_seconds_total",
        "counter",
        f"Total time in seconds no process could make progress due to {what} congestion",
    )


_FAMILIES_OF = {
    "cpu": {"some": _waiting("cpu", "for CPU time")},
    "io": {"some": _waiting("io", "due to IO congestion"), "full": _stalled("io", "IO")},
    "memory": {"some": _waiting("memory", "for memory"), "full": _stalled("memory", "memory")},
    "irq": {"full": _stalled("irq", "IRQ")},
}
FAMILIES = tuple(family for families in _FAMILIES_OF.values() for family in families.values())

MILLISECONDS = 1000


def collect(paths: HostPaths) -> Iterator[Value]:
    """Six series without labels; resources that the kernel does not watch are left out."""
    found = False
    for resource, families in _FAMILIES_OF.items():
        try:
            text = paths.read(f"pressure/{resource}")
        except FileNotFoundError:
            continue  # interrupts before Linux 6.1, or a kernel without them
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise NoDataError("pressure is switched off; the kernel needs psi=1") from error
            raise
        found = True
        totals = parse_pressure(text)
        for who, family in families.items():
            if who not in totals:
                raise NoDataError(f"pressure/{resource} has no line {who!r}")
            # In two steps, as node_exporter rounds.
            yield family, (), totals[who] / MILLISECONDS / MILLISECONDS
    if not found:
        raise NoDataError("this kernel does not watch pressure")


COLLECTOR = Collector(FAMILIES, unset(collect))
