"""SystemDocument: the answer to ``GET /system``. Its fields: docs/system-document.md."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from host_exporter.paths import HostPaths
from host_exporter.system import cpu, facts, memory, network, storage

log = logging.getLogger(__name__)

Fields: TypeAlias = Mapping[str, Any]
NOTHING: Fields = MappingProxyType({})


class Part(NamedTuple):
    """Some fields of one group, from one source; ``otherwise`` stands in the document if that source fails."""

    group: str
    read: Callable[[HostPaths], Fields]
    otherwise: Fields = NOTHING


class SystemDocument:
    """Reads the host anew for each document. For one thread: one document at a time.

    *paths* is its own, and all files in it are closed after each document: a host with many CPUs has more
    of them than should stay open between two polls. *procfs* is what *paths* was made with; *disk_path* is
    the mount point, as the host calls it, whose space is told.
    """

    def __init__(
        self,
        paths: HostPaths,
        procfs: str = "/proc",
        disk_path: str = "/",
        clock: Callable[[], float] = time.time,
        usage: cpu.CpuUsage | None = None,
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._failing: set[str] = set()
        self._parts = (
            Part("cpu", (usage or cpu.CpuUsage()).read),
            Part("cpu", cpu.physical_cores, {"physical_cores": None}),
            Part("cpu", cpu.frequencies, cpu.UNKNOWN_FREQUENCIES),
            Part("cpu", cpu.processor, {"processor": ""}),
            Part("memory", memory.memory),
            Part("swap", memory.swap),
            Part("disk", partial(storage.space, disk_path=disk_path)),
            Part("disk_io", storage.disk_io),
            Part("network", network.io_counters),
            Part("network", partial(network.primary_interface, procfs=procfs), {"primary_interface": None}),
            Part("uptime", partial(facts.uptime, clock=clock)),
            Part("system", partial(facts.names, procfs=procfs)),
            Part("system", facts.model, {"model": None}),
        )

    def json(self) -> bytes:
        """The document, compact, in UTF-8. A source that fails costs only its own fields; it never raises.

        Takes a tenth of a second if the last one is not that old: CPUs are measured from one to the next.
        """
        groups: dict[str, dict[str, Any]] = {}
        try:
            for part in self._parts:
                if fields := self._try(part):
                    groups.setdefault(part.group, {}).update(fields)
        finally:
            self._paths.close()
        if "memory" in groups and "swap" in groups:
            groups["memory"]["swap"] = groups["swap"]  # where the original's README has it
        collected_at = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        document = {"collected_at": collected_at, **groups}
        # Bytes that are not UTF-8, in a host's name, become question marks.
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    def _try(self, part: Part) -> Fields:
        source = f"{part.group}: {', '.join(part.otherwise) or 'all'}"
        try:
            fields = part.read(self._paths)
        except (OSError, ValueError, LookupError, OverflowError) as error:
            # A warning when it starts to fail; polls come every few seconds. Not every host has every file.
            missing = isinstance(error, FileNotFoundError)
            level = logging.DEBUG if missing or source in self._failing else logging.WARNING
            failure = f"{type(error).__name__}: {error}"
            log.log(level, "part of /system failed", extra={"part": source, "error": failure})
            if not missing:
                self._failing.add(source)
            return part.otherwise
        self._failing.discard(source)
        return fields
