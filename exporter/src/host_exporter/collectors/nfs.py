"""What this host asks of NFS servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import zip_longest

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.nfs import parse_rpc

PACKETS = Family(
    "node_nfs_packets_total",
    "counter",
    "Total NFSd network packets (sent+received) by protocol type.",
    ("protocol",),
)
CONNECTIONS = Family("node_nfs_connections_total", "counter", "Total number of NFSd TCP connections.")
RPCS = Family("node_nfs_rpcs_total", "counter", "Total number of RPCs performed.")
RETRANSMISSIONS = Family(
    "node_nfs_rpc_retransmissions_total", "counter", "Number of RPC transmissions performed."
)
AUTHENTICATION_REFRESHES = Family(
    "node_nfs_rpc_authentication_refreshes_total",
    "counter",
    "Number of RPC authentication refreshes performed.",
)
REQUESTS = Family(
    "node_nfs_requests_total", "counter", "Number of NFS procedures invoked.", ("proto", "method")
)
FAMILIES = (PACKETS, CONNECTIONS, RPCS, RETRANSMISSIONS, AUTHENTICATION_REFRESHES, REQUESTS)

_METHODS = {
    "proc2": "Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir"
    " RmDir ReadDir FsStat",
    "proc3": "Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename"
    " Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit",
    "proc4": "Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr FsInfo Renew"
    " SetClientID SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup LookupRoot Remove Rename Link Symlink"
    " Create Pathconf StatFs ReadLink ReadDir ServerCaps DelegReturn GetACL SetACL FsLocations ReleaseLockowner"
    " Secinfo FsidPresent ExchangeID CreateSession DestroySession Sequence GetLeaseTime ReclaimComplete"
    " GetDeviceInfo LayoutGet LayoutCommit LayoutReturn SecinfoNoName TestStateID FreeStateID GetDeviceList"
    " BindConnToSession DestroyClientID Seek Allocate DeAllocate LayoutStats Clone",
}
"""In the kernel's order, named as node_exporter does. Older kernels have fewer of version 4, newer ones more."""

_REQUEST_LABELS = {
    line: [(line.removeprefix("proc"), method) for method in methods.split()]
    for line, methods in _METHODS.items()
}
_LENGTHS = {
    "net": range(4, 5),
    "rpc": range(3, 4),
    "proc2": range(len(_REQUEST_LABELS["proc2"]), sys.maxsize),
    "proc3": range(len(_REQUEST_LABELS["proc3"]), sys.maxsize),
    "proc4": range(sys.maxsize),
}


def collect(paths: HostPaths) -> Iterator[Value]:
    """The same series always; what the kernel does not count is 0. Without the client there is no such source."""
    try:
        text = paths.read_network("rpc/nfs")
    except FileNotFoundError as error:
        raise NoDataError("no net/rpc/nfs: the NFS client is not loaded") from error
    try:
        lines = parse_rpc(text, _LENGTHS)
    except ValueError as error:
        raise ValueError(f"net/rpc/nfs: {error}") from error
    _, udp_packets, tcp_packets, connections = lines.get("net", [0] * 4)
    yield PACKETS, ("udp",), udp_packets
    yield PACKETS, ("tcp",), tcp_packets
    yield CONNECTIONS, (), connections
    rpcs, retransmissions, refreshes = lines.get("rpc", [0] * 3)
    yield RPCS, (), rpcs
    yield RETRANSMISSIONS, (), retransmissions
    yield AUTHENTICATION_REFRESHES, (), refreshes
    for name, labels_of in _REQUEST_LABELS.items():
        counts = lines.get(name, [])[: len(labels_of)]
        for labels, count in zip_longest(labels_of, counts, fillvalue=0):
            yield REQUESTS, labels, count  # type: ignore[misc]


COLLECTOR = Collector(FAMILIES, unset(collect))
