"""What statix's reads show of a push: one line of JSON, addresses masked, host names as sent. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from pushgateway_bridge.dialects.masking import MASK, mask_text
from pushgateway_bridge.dialects.statix_details import Details, InterfaceGroup, SystemGroup, Text
from pushgateway_bridge.model.timestamps import parse_iso8601_ms

Document = dict[str, object]


class Row(msgspec.Struct, gc=False):
    """The numbers of one push, as the original stores them. *timestamp* is Unix seconds, disk rates are MiB/s."""

    timestamp: int
    hostname: str
    cpu: float
    ram: float
    disk: float
    disk_read: float
    disk_write: float


class Entry(Row, gc=False):
    """A row and the ``details`` that came with it, if any did."""

    details: Details | Document | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()


def encode_entry(entry: Entry) -> bytes:
    """*entry* as one line of JSON. Its details must be masked already."""
    return _encoder.encode(entry)


ADDRESS_KEYS: Final = frozenset({"ipv4", "ipv6", "mac", "netmask", "broadcast"})


def mask_document(details: Document) -> Document:
    """*details* without addresses: neither under the names of addresses nor inside texts; its host name stays."""
    shown = _masked_object(details)
    system, masked = details.get("system"), shown.get("system")
    if isinstance(system, dict) and isinstance(masked, dict) and isinstance(system.get("hostname"), str):
        masked["hostname"] = system["hostname"]
    return shown


def _masked_object(document: Document) -> Document:
    return {
        mask_text(key): MASK if key in ADDRESS_KEYS and value is not None else _masked(value)
        for key, value in document.items()
    }


def _masked(value: object) -> object:
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, dict):
        return _masked_object(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


_TIME: Final = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
"""A time as programs write it: it has no address in it, whatever its digits are."""


def _masked_text(text: str) -> str:
    # A time is no address, and looking for one in it takes longest.
    if _TIME.fullmatch(text) or (text[:2] == "20" and parse_iso8601_ms(text) is not None):
        return text
    return mask_text(text)


# The same for details of a known agent, group by group: only these fields of theirs are texts.


def mask_details(details: Details) -> Details:
    """*details* itself, without addresses."""
    details.collected_at = _masked_field(details.collected_at)
    if details.cpu:
        processor = details.cpu.processor
        details.cpu.processor = _remembered(processor) if processor else processor
    if details.disk:
        details.disk.mount = _masked_field(details.disk.mount)
    if details.network and details.network.primary_interface:
        details.network.primary_interface = masked_interface(details.network.primary_interface)
    if details.uptime:
        human = details.uptime.human
        # Hosts say the same for a minute or longer.
        details.uptime.human = _remembered(human) if human else human
        if isinstance(details.uptime.boot_time, str):
            details.uptime.boot_time = _remembered(details.uptime.boot_time)
    if details.system:
        details.system = masked_system(details.system)
    return details


def is_shown_as_sent(text: str) -> bool:
    """Whether no address is in *text*."""
    return _TIME.fullmatch(text) is not None or _remembered(text) == text


def _masked_field(text: Text) -> Text:
    return _masked_text(text) if text else text


@lru_cache(maxsize=16_384)
def _remembered(text: str) -> str:
    """For texts that hardly ever change."""
    return _masked_text(text)


@lru_cache(maxsize=16_384)
def masked_interface(interface: InterfaceGroup) -> InterfaceGroup:
    """*interface* without addresses."""
    duplex = interface.duplex
    return InterfaceGroup(
        _masked_field(interface.name),
        _blanked(interface.ipv4),
        _blanked(interface.netmask),
        _blanked(interface.broadcast),
        interface.speed_mbps,
        interface.mtu,
        _masked_text(duplex) if isinstance(duplex, str) else duplex,
    )


def _blanked(address: Text) -> Text:
    return MASK if isinstance(address, str) else address


@lru_cache(maxsize=16_384)
def masked_system(system: SystemGroup) -> SystemGroup:
    """*system* without addresses but for the host's name."""
    return SystemGroup(
        system.hostname,
        *(
            _masked_field(text)
            for text in (
                system.os,
                system.os_release,
                system.os_version,
                system.architecture,
                system.platform,
                system.model,
            )
        ),
    )
