"""ZFS: what its kernel module counts, and the pools' and datasets' reads, writes and state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host_exporter.collector import Collect, Collector, NoDataError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.kstat import STATES, parse_kstat, parse_objset, parse_pool_io

FOLDER = "spl/kstat/zfs"

_FILES = {
    "abdstats": "zfs_abd",
    "arcstats": "zfs_arc",
    "dbufstats": "zfs_dbuf",
    "dmu_tx": "zfs_dmu_tx",
    "dnodestats": "zfs_dnode",
    "fm": "zfs_fm",
    "vdev_cache_stats": "zfs_vdev_cache",
    "vdev_mirror_stats": "zfs_vdev_mirror",
    "xuio_stats": "zfs_xuio",
    "zfetchstats": "zfs_zfetch",
    "zil": "zfs_zil",
}
"""The files that are read, and how the names of their families begin. Which there are depends on the version."""

STATE = Family("node_zfs_zpool_state", "gauge", "kstat.zfs.misc.state", ("zpool", "state"))
FAMILIES = (STATE,)
"""The one that is known before a file is read."""


def make(_settings: Settings) -> Collect:
    """Knows its families when it has read the files once: the names are the module's."""
    return _Zfs().collect


class _Zfs:
    """Keeps the families that it has met: as many as the kernel module has numbers."""

    def __init__(self) -> None:
        self._families: dict[str, dict[str, Family]] = {}

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """A file that this version of ZFS does not have is passed over."""
        try:
            names = paths.names(FOLDER)
        except FileNotFoundError:
            raise NoDataError(f"there is no {FOLDER}: the kernel has no ZFS") from None
        for name, prefix in _FILES.items():
            if name in names:
                numbers = parse_kstat(paths.read(f"{FOLDER}/{name}"), name)
                yield from self._values(prefix, name, numbers, (), ())
        for pool in names:
            if pool not in _FILES:
                yield from self._pool(paths, pool)

    def _pool(self, paths: HostPaths, pool: str) -> Iterator[Value]:
        folder = f"{FOLDER}/{pool}"
        try:
            names = paths.names(folder)
        except (FileNotFoundError, NotADirectoryError):
            return  # another file of the module, or a pool that was just exported
        for name in names:
            if name not in ("io", "state") and not name.startswith("objset-"):
                continue
            try:
                text = paths.read(f"{folder}/{name}")
            except FileNotFoundError:
                continue  # just exported
            if name == "io":
                numbers = parse_pool_io(text, f"{folder}/{name}")
                yield from self._values("zfs_zpool", "io", numbers, ("zpool",), (pool,))
            elif name == "state":
                current = text.partition("\n")[0].lower()
                for state in STATES:
                    yield STATE, (pool, state), int(state == current)
            else:
                dataset, numbers = parse_objset(text, f"{folder}/{name}")
                labels = (pool, dataset)
                yield from self._values("zfs_zpool_dataset", "objset", numbers, ("zpool", "dataset"), labels)

    def _values(
        self,
        prefix: str,
        source: str,
        numbers: Mapping[str, int],
        names: tuple[str, ...],
        labels: tuple[str, ...],
    ) -> Iterator[Value]:
        families = self._families.setdefault(prefix, {})
        for key, number in numbers.items():
            family = families.get(key)
            if family is None:
                # What follows the last dot, as in the names that FreeBSD gives them.
                name = key.rpartition(".")[2].replace("-", "_")
                family = families[key] = Family(
                    f"node_{prefix}_{name}", "untyped", f"kstat.zfs.misc.{source}.{key}", names
                )
            yield family, labels, number


COLLECTOR = Collector(FAMILIES, make)
