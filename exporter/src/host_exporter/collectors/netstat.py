"""What the IP protocols count: packets, errors, connections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.netstat import names_of, pairs, parse_snmp6

DEFAULT_FIELDS = (
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)"
    "|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
    "|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
    "|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
)
"""node_exporter's default."""

_DEFAULT_NAMES = {
    "Icmp": ("InErrors", "InMsgs", "OutMsgs"),
    "Icmp6": ("InErrors", "InMsgs", "OutMsgs"),
    "Ip": ("Forwarding",),
    "Ip6": ("InOctets", "OutOctets"),
    "IpExt": ("InOctets", "OutOctets"),
    "Tcp": (
        *("ActiveOpens", "CurrEstab", "InErrs", "InSegs", "OutRsts", "OutSegs", "PassiveOpens"),
        "RetransSegs",
    ),
    "TcpExt": (
        *("ListenDrops", "ListenOverflows", "SyncookiesFailed", "SyncookiesRecv", "SyncookiesSent"),
        *("TCPOFOQueue", "TCPRcvQDrop", "TCPSynRetrans", "TCPTimeouts"),
    ),
    "Udp": ("InDatagrams", "InErrors", "NoPorts", "OutDatagrams", "RcvbufErrors", "SndbufErrors"),
    "Udp6": ("InDatagrams", "InErrors", "NoPorts", "OutDatagrams", "RcvbufErrors", "SndbufErrors"),
    "UdpLite": ("InErrors",),
    "UdpLite6": ("InErrors",),
}
"""What the default pattern matches of the names that kernels have."""

MAX_HEADINGS = 64
"""Headings remembered; a kernel has about ten. That of ``IcmpMsg`` grows with each type that is received."""


def _family(protocol: str, name: str) -> Family:
    return Family(f"node_netstat_{protocol}_{name}", "untyped", f"Statistic {protocol}{name}.")


FAMILIES = tuple(_family(protocol, name) for protocol, names in _DEFAULT_NAMES.items() for name in names)

SETTINGS = (Setting("fields", DEFAULT_FIELDS, "Regexp of fields to return for netstat collector."),)


class Netstat:
    """Reads the fields that a pattern matches.

    Declared are those of the default pattern. With another one a field's family is made when it is first met
    and kept; there are no more of them than names in the kernel, about five hundred.
    """

    def __init__(self, fields: re.Pattern[str] | None) -> None:
        self._fields = fields
        self._families = {family.name: family for family in FAMILIES}
        self._places: dict[str, list[tuple[int, Family]]] = {}
        self._of_snmp6: dict[str, Family | None] = {}

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """One series for each wanted field. The file of IPv6 is missing where the kernel has none."""
        for file in ("netstat", "snmp"):
            try:
                yield from self._paired(paths.read_network(file))
            except ValueError as error:
                raise ValueError(f"net/{file}: {error}") from error
        try:
            text = paths.read_network("snmp6")
        except FileNotFoundError:
            return
        try:
            yield from self._listed(text)
        except ValueError as error:
            raise ValueError(f"net/snmp6: {error}") from error

    def _paired(self, text: str) -> Iterator[Value]:
        for heading, numbers in pairs(text):
            places = self._places.get(heading)
            if places is None:
                places = self._remember(heading)
            for place, family in places:
                yield family, (), int(numbers[place])

    def _listed(self, text: str) -> Iterator[Value]:
        known = self._of_snmp6
        for key, number in parse_snmp6(text):
            try:
                family = known[key]
            except KeyError:
                before, six, name = key.partition("6")
                family = known[key] = self._wanted(before + six, name) if six else None
            if family is not None:
                yield family, (), int(number)

    def _remember(self, heading: str) -> list[tuple[int, Family]]:
        protocol, names = names_of(heading)
        wanted = [(place, self._wanted(protocol, name)) for place, name in enumerate(names) if place]
        if len(self._places) >= MAX_HEADINGS:
            self._places.clear()
        places = self._places[heading] = [(place, family) for place, family in wanted if family is not None]
        return places

    def _wanted(self, protocol: str, name: str) -> Family | None:
        """The field's family, always the same object, or None if the pattern does not match it."""
        if self._fields is not None and not self._fields.search(f"{protocol}_{name}"):
            return None
        made = _family(protocol, name)
        return self._families.setdefault(made.name, made)


def make(settings: Settings) -> Collect:
    """A collector of the fields that the settings name."""
    return Netstat(settings.pattern("fields")).collect


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
