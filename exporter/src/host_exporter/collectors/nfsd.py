"""What NFS clients ask of this host's server."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.nfs import parse_rpc

REQUESTS = Family(
    "node_nfsd_requests_total",
    "counter",
    "Total number NFSd Requests by method and protocol.",
    ("proto", "method"),
)
PACKETS = Family(
    "node_nfsd_packets_total",
    "counter",
    "Total NFSd network packets (sent+received) by protocol type.",
    ("proto",),
)
RPC_ERRORS = Family(
    "node_nfsd_rpc_errors_total", "counter", "Total number of NFSd RPC errors by error type.", ("error",)
)
CACHE_HITS = Family(
    "node_nfsd_reply_cache_hits_total",
    "counter",
    "Total number of NFSd Reply Cache hits (client lost server response).",
)
CACHE_MISSES = Family(
    "node_nfsd_reply_cache_misses_total",
    "counter",
    "Total number of NFSd Reply Cache an operation that requires caching (idempotent).",
)
CACHE_NOT_USED = Family(
    "node_nfsd_reply_cache_nocache_total",
    "counter",
    "Total number of NFSd Reply Cache non-idempotent operations (rename/delete/…).",
)
STALE_FILE_HANDLES = Family(
    "node_nfsd_file_handles_stale_total", "counter", "Total number of NFSd stale file handles"
)
BYTES_READ = Family("node_nfsd_disk_bytes_read_total", "counter", "Total NFSd bytes read.")
BYTES_WRITTEN = Family("node_nfsd_disk_bytes_written_total", "counter", "Total NFSd bytes written.")
THREADS = Family("node_nfsd_server_threads", "gauge", "Total number of NFSd kernel threads that are running.")
READ_AHEAD_SIZE = Family(
    "node_nfsd_read_ahead_cache_size_blocks", "gauge", "How large the read ahead cache is in blocks."
)
READ_AHEAD_NOT_FOUND = Family(
    "node_nfsd_read_ahead_cache_not_found_total",
    "counter",
    "Total number of NFSd read ahead cache not found.",
)
CONNECTIONS = Family("node_nfsd_connections_total", "counter", "Total number of NFSd TCP connections.")
RPCS = Family("node_nfsd_server_rpcs_total", "counter", "Total number of NFSd RPCs.")
FAMILIES = (
    *(REQUESTS, PACKETS, RPC_ERRORS, CACHE_HITS, CACHE_MISSES, CACHE_NOT_USED, STALE_FILE_HANDLES),
    *(BYTES_READ, BYTES_WRITTEN, THREADS, READ_AHEAD_SIZE, READ_AHEAD_NOT_FOUND, CONNECTIONS, RPCS),
)

_PLACES: dict[str, tuple[tuple[int, Family, tuple[str, ...]], ...]] = {
    "rc": ((0, CACHE_HITS, ()), (1, CACHE_MISSES, ()), (2, CACHE_NOT_USED, ())),
    "fh": ((0, STALE_FILE_HANDLES, ()),),
    "io": ((0, BYTES_READ, ()), (1, BYTES_WRITTEN, ())),
    "th": ((0, THREADS, ()),),
    "ra": ((0, READ_AHEAD_SIZE, ()), (11, READ_AHEAD_NOT_FOUND, ())),
    "net": ((1, PACKETS, ("udp",)), (2, PACKETS, ("tcp",)), (3, CONNECTIONS, ())),
    "rpc": (
        (0, RPCS, ()),
        (2, RPC_ERRORS, ("fmt",)),
        (3, RPC_ERRORS, ("auth",)),
        (4, RPC_ERRORS, ("cInt",)),
    ),
}
"""Which numbers of a line are shown, and as what; the others are always 0 or sums of these."""

_METHODS = {
    "proc2": "GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir RmDir"
    " ReadDir FsStat",
    "proc3": "GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename Link"
    " ReadDir ReadDirPlus FsStat FsInfo PathConf Commit",
    "proc4ops": "Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt Locku Lookup"
    " LookupRoot Nverify Open OpenAttr OpenConfirm OpenDgrd PutFH PutPubFH PutRootFH Read ReadDir ReadLink Remove"
    " Rename Renew RestoreFH SaveFH SecInfo SetAttr SetClientID SetClientIDConfirm Verify Write RelLockOwner",
    "wdeleg_getattr": "WdelegGetattr",
}
"""What the numbers of a line stand for, in the kernel's order, named as node_exporter does."""

_FIRST = {"proc2": 1, "proc3": 1, "proc4ops": 3, "wdeleg_getattr": 0}
"""Where these begin: after Null, and after three numbers that are no operations. Those of 4.1 and 4.2 come later."""

_HIDDEN = frozenset({"PutPubFH", "PutRootFH"})


def _request_places(line: str) -> list[tuple[int, tuple[str, str]]]:
    version = line.removeprefix("proc")[0] if line.startswith("proc") else "4"
    methods = enumerate(_METHODS[line].split(), _FIRST[line])
    return [(place, (version, method)) for place, method in methods if method not in _HIDDEN]


_REQUEST_PLACES = {line: _request_places(line) for line in _METHODS}
_LAST = {line: places[-1][0] for line, places in _REQUEST_PLACES.items()}
_LENGTHS = {
    "rc": range(3, 4),
    "fh": range(5, 6),
    "io": range(2, 3),
    "th": range(2, 3),
    "ra": range(12, 13),
    "net": range(4, 5),
    "rpc": range(5, 6),
    "proc2": range(_LAST["proc2"] + 1, sys.maxsize),
    "proc3": range(_LAST["proc3"] + 1, sys.maxsize),
    "proc4": range(2, 3),
    # RelLockOwner, the last one, came with Linux 2.6.
    "proc4ops": range(_LAST["proc4ops"], sys.maxsize),
    "wdeleg_getattr": range(1, sys.maxsize),
}


def collect(paths: HostPaths) -> Iterator[Value]:
    """The same series always; what the kernel does not count is 0. Without the server there is no such source."""
    try:
        text = paths.read_network("rpc/nfsd")
    except FileNotFoundError as error:
        raise NoDataError("no net/rpc/nfsd: the NFS server is not loaded") from error
    try:
        lines = parse_rpc(text, _LENGTHS)
    except ValueError as error:
        raise ValueError(f"net/rpc/nfsd: {error}") from error
    for name, places in _PLACES.items():
        numbers = lines.get(name, [])
        for place, family, labels in places:
            yield family, labels, numbers[place] if place < len(numbers) else 0
    for name, methods in _REQUEST_PLACES.items():
        numbers = lines.get(name, [])
        for place, labels in methods:
            yield REQUESTS, labels, numbers[place] if place < len(numbers) else 0


COLLECTOR = Collector(FAMILIES, unset(collect))
