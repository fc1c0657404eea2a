"""The end of validity, compared with what the cryptography library reads."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from telemetry_web_config.certificate import not_after

BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----\n"
PEM = trustme.CA().issue_cert("a.example").cert_chain_pems[0].bytes()
DER = base64.b64decode(PEM.removeprefix(BEGIN).removesuffix(END))


@pytest.mark.parametrize(
    "end",
    [
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
    ],
    ids=["two-digit-year", "four-digit-year", "long-ago"],
)
def test_the_end_of_validity_is_read(end: datetime) -> None:
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    issued = trustme.CA().issue_cert("a.example", not_before=begin, not_after=end)
    pem = issued.cert_chain_pems[0].bytes()

    assert not_after(pem) == x509.load_pem_x509_certificate(pem).not_valid_after_utc == end


def test_of_a_chain_the_first_counts() -> None:
    leaf = trustme.CA().issue_cert("a.example", not_after=datetime(2030, 1, 1, tzinfo=UTC))

    chain = b"text before\n" + leaf.cert_chain_pems[0].bytes() + PEM

    assert not_after(chain) == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("pem", [b"", b"no certificate", BEGIN + b"====" + END, BEGIN + b"MIIB" + END])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="holds"):
        not_after(pem)


@given(st.binary(max_size=40), st.integers(0, len(DER)))
def test_a_torn_or_overwritten_certificate_is_read_or_refused(noise: bytes, offset: int) -> None:
    for broken in (DER[:offset], DER[:offset] + noise + DER[offset + len(noise) :]):
        with suppress(ValueError):
            assert not_after(BEGIN + base64.b64encode(broken) + END).tzinfo is UTC
