"""A device's file in udev's database, ``/run/udev/data/b<major>:<minor>``."""

from __future__ import annotations


def parse_udev(text: str) -> dict[str, str]:
    """The device's properties (lines ``E:NAME=value``); links, tags and the rest are left out."""
    properties = {}
    for line in text.splitlines():
        if line.startswith("E:"):
            name, _, value = line[2:].partition("=")
            properties[name] = value
    return properties
