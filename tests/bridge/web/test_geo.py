"""Where a client is: what a trusted proxy says, else what a database says, and never what the client says."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Request
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.web.geo import COUNTRY_HEADERS, Countries, country_code
from pushgateway_bridge.web.rate import ClientAddresses, parse_networks

PROXY = "10.0.0.1"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    writer = MMDBWriter(6, "Test-Country", ipv4_compatible=True)
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": {"iso_code": "NL"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"registered_country": {"iso_code": "BR"}})
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": 7}, "city": "x"})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "JP"}})
    file = tmp_path_factory.mktemp("geo") / "countries.mmdb"
    writer.to_db_file(str(file))
    return str(file)


def request(peer: str | None, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "method": "POST", "path": "/t", "headers": raw, "client": client})


def countries(database: str = "") -> Countries:
    return Countries(ClientAddresses(parse_networks([PROXY], "x")), database)


@pytest.mark.parametrize("header", COUNTRY_HEADERS)
def test_a_trusted_proxy_tells_the_country(header: str) -> None:
    told = {header.replace("-", "_"): " de "}
    assert countries().of(request(PROXY, **told)) == "DE"
    assert countries().of(request("192.0.2.1", **told)) == ""


def test_the_first_header_that_is_there_counts() -> None:
    told = {"fastly_country_code": "FR", "cf_ipcountry": "XX", "x_geo_country": "DE"}
    assert countries().of(request(PROXY, **told)) == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [("de", "DE"), ("T1", ""), ("XX", ""), ("", ""), ("DEU", ""), ("D1", ""), ("äö", ""), ("D\n", "")],
)
def test_only_codes_of_countries_are_taken(text: str, code: str) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        ("192.0.2.77", "NL"),
        ("198.51.100.1", "BR"),
        ("203.0.113.1", ""),
        ("2001:db8::77", "JP"),
        ("127.0.0.1", ""),
        ("::ffff:192.0.2.1", "NL"),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_the_database_tells_where_a_client_is(database: str, peer: str | None, code: str) -> None:
    assert countries(database).of(request(peer)) == code


def test_behind_a_proxy_the_address_that_it_saw_is_looked_up(database: str) -> None:
    assert countries(database).of(request(PROXY, x_forwarded_for="203.0.113.9, 192.0.2.5")) == "NL"
    assert countries(database).of(request("192.0.2.5", x_forwarded_for="2001:db8::1")) == "NL"


def test_without_proxies_and_database_nobody_is_known(database: str) -> None:
    nobody = ClientAddresses(())
    assert not Countries(nobody).may_know
    assert Countries(nobody, database).may_know
    assert countries().may_know


def test_a_database_that_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"geo.database /nowhere.mmdb: No such file"):
        countries("/nowhere.mmdb")
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"nothing of the kind")
    with pytest.raises(StartFailed, match=r"geo.database .*broken.mmdb: "):
        countries(str(broken))
