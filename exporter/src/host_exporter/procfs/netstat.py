"""``/proc/net/netstat``, ``snmp`` and ``snmp6``, see proc_pid_net(5): what each protocol counts.

The first two have pairs of lines, names above numbers, each starting with the protocol. They hold some three
hundred numbers of which few are wanted, so reading is split: a heading is looked at once, its numbers each time.
"""

from __future__ import annotations

from collections.abc import Iterator


def pairs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each heading as it stands, and its numbers in the order of ``names_of(heading)``.

    Raises ValueError if a heading has no numbers or not as many as names.
    """
    lines = text.splitlines()
    if len(lines) % 2:
        raise ValueError(f"expected numbers below the heading {lines[-1]!r}")
    for heading, line in zip(lines[::2], lines[1::2], strict=True):
        numbers = line.split(" ")
        if len(numbers) != heading.count(" ") + 1:
            raise ValueError(f"expected as many numbers as names, got {len(numbers)} in {line!r}")
        yield heading, numbers


def names_of(heading: str) -> tuple[str, list[str]]:
    """The protocol, and the names at the places of the numbers; the first place is the protocol itself.

    Raises ValueError if the heading does not start with a protocol and a colon.
    """
    first, *names = heading.split(" ")
    if not first.endswith(":"):
        raise ValueError(f"expected a heading such as Tcp: InSegs, got {heading!r}")
    return first[:-1], ["", *names]


def parse_snmp6(text: str) -> list[tuple[str, str]]:
    """Names such as ``Ip6InOctets`` with their numbers, in order. Raises ValueError if a name has no number."""
    fields = text.split()
    if len(fields) != 2 * len(text.splitlines()):
        raise ValueError("expected one name and one number in each line")
    return [*zip(fields[::2], fields[1::2], strict=True)]
