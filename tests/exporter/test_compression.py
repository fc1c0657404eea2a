"""Compressed answers, with Intel's library and without."""

from __future__ import annotations

import gzip
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_exporter.compression import GZIP, LEVEL, compress, fastest


@given(st.binary(max_size=5000))
def test_any_body_reads_back(body: bytes) -> None:
    assert gzip.decompress(compress(body)) == body


@pytest.mark.parametrize("installed", [True, False])
def test_an_exposition_takes_a_fraction_of_its_bytes(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"".join(
        b'node_cpu_seconds_total{cpu="%d",mode="idle"} %d.25\n' % (cpu, cpu * 977) for cpu in range(500)
    )
    if not installed:
        monkeypatch.setitem(sys.modules, "isal", None)
    found = fastest()

    compressed = found(body, LEVEL, GZIP)

    assert (found is zlib.compress) != installed
    assert len(compressed) < len(body) / 5
    assert gzip.decompress(compressed) == body
