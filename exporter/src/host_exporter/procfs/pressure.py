"""``/proc/pressure/*``: https://docs.kernel.org/accounting/psi.html."""

from __future__ import annotations


def parse_pressure(text: str) -> dict[str, int]:
    """The microseconds lost so far by who lost them: ``some`` task or ``full``, which is all of them.

    Raises ValueError if one of these lines does not end in ``total=`` and a number.
    """
    totals: dict[str, int] = {}
    for line in text.splitlines():
        who, _, averages = line.partition(" ")
        if who in ("some", "full"):
            _, total, microseconds = averages.rpartition("total=")
            if not total or not microseconds.isdecimal():
                raise ValueError(f"expected total=<microseconds> at the end of {line!r}")
            totals[who] = int(microseconds)
    return totals
