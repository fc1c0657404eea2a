"""``/proc/cpuinfo``, see proc_cpuinfo(5), as x86, ARM and RISC-V write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Cpu(NamedTuple):
    """One CPU; a text that the kernel does not tell is empty, and an unknown frequency is 0."""

    number: str
    package: str
    core: str
    vendor: str
    family: str
    model: str
    model_name: str
    microcode: str
    stepping: str
    cache_size: str
    mhz: float
    flags: list[str]
    bugs: list[str]


def parse_cpuinfo(text: str) -> list[Cpu]:
    """The CPUs in the order of the file; what stands before the first is left out.

    Raises ValueError if there is no CPU, or if its number or its frequency is none.
    """
    blocks: list[dict[str, str]] = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        name = name.strip()
        if name == "processor":
            blocks.append({})
        if colon and blocks:
            blocks[-1][name] = value.removeprefix(" ")
    if not blocks:
        raise ValueError("expected a line 'processor: 0' in cpuinfo")
    return [_cpu(block) for block in blocks]


def _cpu(fields: Mapping[str, str]) -> Cpu:
    return Cpu(
        number=str(int(fields["processor"])),
        package=fields.get("physical id", ""),
        core=fields.get("core id") or fields.get("hart", ""),
        vendor=fields.get("vendor_id", ""),
        family=fields.get("cpu family", ""),
        model=fields.get("model", ""),
        model_name=fields.get("model name") or fields.get("isa", ""),
        microcode=fields.get("microcode", ""),
        stepping=fields.get("stepping", ""),
        cache_size=fields.get("cache size", ""),
        mhz=float(fields.get("cpu MHz", 0)),
        flags=(fields.get("flags") or fields.get("Features", "")).split(),
        bugs=fields.get("bugs", "").split(),
    )
