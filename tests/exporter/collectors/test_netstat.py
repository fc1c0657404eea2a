from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collectors import netstat
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

NETSTAT = """\
TcpExt: SyncookiesSent EmbryonicRsts ListenDrops TCPTimeouts
TcpExt: 1 2 3 4
IpExt: InNoRoutes InOctets OutOctets
IpExt: 5 67935608817 57238434221
"""
SNMP = """\
Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 118072907
Tcp: RtoAlgorithm MaxConn CurrEstab InErrs
Tcp: 1 -1 8 9
UdpLite: InDatagrams InErrors
UdpLite: 10 11
"""
SNMP6 = """\
Ip6InReceives                   \t1643
Ip6InOctets                     \t12
Icmp6InErrors                   \t13
UdpLite6InErrors                \t14
Odd                             \t15
"""
FILES = {"proc/1/net/netstat": NETSTAT, "proc/1/net/snmp": SNMP, "proc/1/net/snmp6": SNMP6}
IPV4 = [
    "node_netstat_IpExt_InOctets 67935608817",
    "node_netstat_IpExt_OutOctets 57238434221",
    "node_netstat_Ip_Forwarding 1",
    "node_netstat_TcpExt_ListenDrops 3",
    "node_netstat_TcpExt_SyncookiesSent 1",
    "node_netstat_TcpExt_TCPTimeouts 4",
    "node_netstat_Tcp_CurrEstab 8",
    "node_netstat_Tcp_InErrs 9",
    "node_netstat_UdpLite_InErrors 11",
]
IPV6 = [
    "node_netstat_Icmp6_InErrors 13",
    "node_netstat_Ip6_InOctets 12",
    "node_netstat_UdpLite6_InErrors 14",
]


def test_the_usual_fields_of_three_files_are_shown_and_declared(host: Host, series: Series) -> None:
    values = [*netstat.COLLECTOR.made("netstat")(host(FILES))]

    assert series(values) == sorted(IPV4 + IPV6)
    assert {family for family, _, _ in values} <= set(netstat.FAMILIES)


def test_a_kernel_without_ipv6_has_two_files(host: Host, series: Series) -> None:
    paths = host({name: text for name, text in FILES.items() if "snmp6" not in name})

    assert series(netstat.COLLECTOR.made("netstat")(paths)) == IPV4


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ("^Tcp_MaxConn$", ["node_netstat_Tcp_MaxConn -1"]),
        ("6_InRec|Default", ["node_netstat_Ip6_InReceives 1643", "node_netstat_Ip_DefaultTTL 64"]),
    ],
)
def test_another_pattern_shows_other_fields(
    fields: str, lines: list[str], host: Host, series: Series
) -> None:
    assert series(netstat.COLLECTOR.made("netstat", {"fields": fields})(host(FILES))) == lines


def test_an_empty_pattern_shows_all_fields_but_names_without_a_protocol(host: Host, series: Series) -> None:
    lines = series(netstat.COLLECTOR.made("netstat", {"fields": ""})(host(FILES)))

    assert len(lines) == 4 + 3 + 3 + 4 + 2 + 4
    assert not any("Odd" in line for line in lines)


def test_a_field_has_the_same_family_at_each_scrape_even_if_its_heading_changes(host: Host) -> None:
    collect = netstat.COLLECTOR.made("netstat", {"fields": "Default"})
    first = [family for family, _, _ in collect(host(FILES))]

    changed = host(FILES | {"proc/1/net/snmp": "Ip: DefaultTTL\nIp: 65\n"})

    assert [(family, number) for family, _, number in collect(changed)] == [(first[0], 65)]


def test_a_heading_that_keeps_changing_is_not_remembered_for_ever(host: Host, series: Series) -> None:
    made = netstat.Netstat(None)
    for count in range(1, netstat.MAX_HEADINGS + 9):
        names = " ".join(f"InType{number}" for number in range(count))
        text = f"IcmpMsg: {names}\nIcmpMsg: {' '.join(['1'] * count)}\n"
        lines = series(made.collect(host({"proc/1/net/netstat": text, "proc/1/net/snmp": ""})))

        assert len(lines) == count
    assert len(made._places) <= netstat.MAX_HEADINGS


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("netstat", "TcpExt: ListenDrops\n", "net/netstat: expected numbers below"),
        ("snmp", "Tcp: InErrs OutRsts\nTcp: 1\n", "net/snmp: expected as many numbers as names"),
        ("snmp", "Tcp: InErrs\nTcp: x\n", "net/snmp: .*'x'"),
        ("snmp6", "Icmp6InErrors\n", "net/snmp6: expected one name and one number"),
    ],
)
def test_a_malformed_file_is_named(file: str, text: str, problem: str, host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match=problem):
        series(netstat.COLLECTOR.made("netstat")(host(FILES | {f"proc/1/net/{file}": text})))


def test_a_host_without_the_first_file_is_an_error(host: Host, series: Series) -> None:
    with pytest.raises(FileNotFoundError, match="netstat"):
        series(netstat.COLLECTOR.made("netstat")(host({})))
