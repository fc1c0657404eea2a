"""What is told about each part, in either mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class PartStatus(NamedTuple):
    """One part, as a person should see it."""

    name: str
    state: str
    address: str
    detail: str
    """How long it runs, or why it does not."""
    runs: bool
    ready: bool


def status_lines(statuses: Iterable[PartStatus]) -> list[str]:
    """One line per part, in columns."""
    return [
        f"  {status.name:<13} {status.state:<10} {status.address:<22} {status.detail}".rstrip()
        for status in statuses
    ]
