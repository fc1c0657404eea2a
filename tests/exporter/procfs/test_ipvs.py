from __future__ import annotations

import pytest

from host_exporter.procfs.ipvs import Backend, Service, Totals, parse_backends, parse_totals

TOTALS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
 16AA370 E33656E5        0     51D8C8883AB3                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       4    1FB3C        0          1282A8F                0
"""
HEADING = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""


def test_totals_are_hexadecimal() -> None:
    assert parse_totals(TOTALS) == Totals(0x16AA370, 0xE33656E5, 0, 0x51D8C8883AB3, 0)


@pytest.mark.parametrize("text", ["", "a\nb\n1 2 3 4\n"], ids=["empty", "four numbers"])
def test_other_totals_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="net/ip_vs_stats: expected five numbers in the third line"):
        parse_totals(text)


def test_servers_belong_to_the_service_above_them() -> None:
    text = (
        HEADING
        + "TCP  C0A80016:0CEA wlc\n"
        + "  -> C0A85216:0CEB      Tunnel  100    248        2\n"
        + "UDP  [2620:0000:0000:0000:0000:0000:0000:0001]:0050 rr\n"
        + "  -> [2620:0000:0000:0000:0000:0000:0000:0002]:0051      Route   1      2          3\n"
        + "SCTP  C0A80016:0001 rr\n"
        + "FWM  10001000 wlc\n"
        + "  -> C0A8321A:0CEA      Tunnel  20     64         1\n"
    )

    assert parse_backends(text) == [
        Backend(Service("TCP", "192.168.0.22", "3306", ""), "192.168.82.22", "3307", 100, 248, 2),
        Backend(Service("UDP", "2620::1", "80", ""), "2620::2", "81", 1, 2, 3),
        Backend(Service("FWM", "", "0", "10001000"), "192.168.50.26", "3306", 20, 64, 1),
    ]


def test_a_load_balancer_without_services_has_no_servers() -> None:
    assert parse_backends(HEADING) == []


@pytest.mark.parametrize(
    "line",
    [
        "  -> C0A85216:0CEB      Tunnel  100    248        2",
        "TCP",
        "TCP  C0A8:0CEA wlc",
        "what  C0A80016:0CEA wlc",
        "TCP  C0A80016:XYZ wlc",
    ],
    ids=["no service", "no address", "short address", "unknown", "no port"],
)
def test_a_line_that_is_neither_is_an_error_that_shows_it(line: str) -> None:
    with pytest.raises(ValueError, match=f"net/ip_vs: .* in '{line}'"):
        parse_backends(f"{HEADING}{line}\n")


def test_a_server_without_counts_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"net/ip_vs: .* in '  -> C0A85216:0CEB Tunnel 1'"):
        parse_backends(f"{HEADING}TCP  C0A80016:0CEA wlc\n  -> C0A85216:0CEB Tunnel 1\n")
