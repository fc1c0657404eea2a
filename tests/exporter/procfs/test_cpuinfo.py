from __future__ import annotations

import pytest

from host_exporter.procfs.cpuinfo import Cpu, parse_cpuinfo

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 142
model name\t: Intel(R) Core(TM)  i7 CPU @ 1.90GHz
stepping\t: 10
microcode\t: 0xb4
cpu MHz\t\t: 799.998
cache size\t: 8192 KB
physical id\t: 1
core id\t\t: 2
flags\t\t: fpu aes
bugs\t\t: mds l1tf
power management:

processor\t: 7
model name\t: Other
"""
UNKNOWN = Cpu("0", "", "", "", "", "", "", "", "", "", 0.0, [], [])


def test_each_x86_cpu_tells_what_it_is() -> None:
    assert parse_cpuinfo(X86) == [
        Cpu(
            number="0",
            package="1",
            core="2",
            vendor="GenuineIntel",
            family="6",
            model="142",
            model_name="Intel(R) Core(TM)  i7 CPU @ 1.90GHz",
            microcode="0xb4",
            stepping="10",
            cache_size="8192 KB",
            mhz=799.998,
            flags=["fpu", "aes"],
            bugs=["mds", "l1tf"],
        ),
        UNKNOWN._replace(number="7", model_name="Other"),
    ]


def test_arm_calls_its_flags_features() -> None:
    text = "Processor\t: ARMv7\nprocessor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n"

    assert parse_cpuinfo(text) == [UNKNOWN._replace(flags=["fp", "asimd"])]


def test_riscv_names_its_core_a_hart_and_its_model_an_isa() -> None:
    text = "processor\t: 0\nhart\t\t: 2\nisa\t\t: rv64imafdc\n"

    assert parse_cpuinfo(text) == [UNKNOWN._replace(core="2", model_name="rv64imafdc")]


@pytest.mark.parametrize("text", ["", "vendor_id : X\n", "processor\t: x\n", "processor: 0\ncpu MHz: fast\n"])
def test_without_a_cpu_or_with_a_number_that_is_none_it_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a line|invalid literal|could not convert"):
        parse_cpuinfo(text)
