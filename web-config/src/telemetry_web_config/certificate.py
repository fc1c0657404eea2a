"""Reads the one fact about a certificate that Python's ssl does not tell before a handshake: until when it is valid."""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _EXPLICIT_0, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


class Element(NamedTuple):
    """A DER element: its tag and where its content begins and ends."""

    tag: int
    start: int
    end: int


def not_after(pem: bytes) -> datetime:
    """The end of validity of the first certificate in *pem*, which is the server's own.

    Raises ValueError if there is none or it cannot be read. Fields: RFC 5280 section 4.1.
    """
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("holds no PEM certificate")
    try:
        der = binascii.a2b_base64(found[1])
        certificate = _expect(der, 0, _SEQUENCE)
        signed = _expect(der, certificate.start, _SEQUENCE)
        field = _element(der, signed.start)
        # The version stands there unless it is 1; then serial number, algorithm, issuer, validity.
        before_validity = 4 if field.tag == _EXPLICIT_0 else 3
        for _ in range(before_validity):
            field = _element(der, field.end)
        if field.tag != _SEQUENCE:
            raise ValueError("no validity where it belongs")
        return _time(der, _element(der, _element(der, field.start).end))
    except (binascii.Error, IndexError, ValueError) as error:
        raise ValueError("holds a certificate that cannot be read") from error


def _element(der: bytes, offset: int) -> Element:
    """The element at *offset*. Raises ValueError or IndexError where *der* ends too early."""
    tag, length, start = der[offset], der[offset + 1], offset + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    if start + length > len(der):
        raise ValueError("cut off")
    return Element(tag, start, start + length)


def _expect(der: bytes, offset: int, tag: int) -> Element:
    element = _element(der, offset)
    if element.tag != tag:
        raise ValueError(f"expected tag {tag:#x}, got {element.tag:#x}")
    return element


def _time(der: bytes, element: Element) -> datetime:
    text = der[element.start : element.end].decode("ascii")
    if element.tag == _UTC_TIME:
        # Two digits: 50 to 99 are of the last century, RFC 5280 section 4.1.2.5.1.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != _GENERALIZED_TIME:
        raise ValueError(f"{element.tag:#x} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
