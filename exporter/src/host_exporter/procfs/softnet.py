"""``/proc/net/softnet_stat``: how each CPU's queue of received packets fares."""

from __future__ import annotations

from typing import NamedTuple


class Softnet(NamedTuple):
    """One CPU's packets; what an older kernel does not tell is 0."""

    cpu: str
    processed: int
    dropped: int
    times_squeezed: int
    cpu_collisions: int
    received_rps: int
    flow_limits: int
    backlog: int


def parse_softnet(text: str) -> list[Softnet]:
    """One for each line: columns of hexadecimal numbers, 9 to 15 by the kernel's age.

    The CPU's own number is the thirteenth column (Linux 5.14); before, the lines are counted.
    Raises ValueError if a line has fewer than nine or one is no number.
    """
    cpus = []
    for row, line in enumerate(text.splitlines()):
        columns = [int(column, 16) for column in line.split()]
        if len(columns) < 9:
            raise ValueError(f"expected at least 9 columns in softnet_stat, got {line!r}")
        new = len(columns) > 12
        cpus.append(
            Softnet(
                cpu=str(columns[12] if new else row),
                processed=columns[0],
                dropped=columns[1],
                times_squeezed=columns[2],
                cpu_collisions=columns[8],
                received_rps=columns[9] if len(columns) > 9 else 0,
                flow_limits=columns[10] if len(columns) > 10 else 0,
                backlog=columns[11] if new else 0,
            )
        )
    return cpus
