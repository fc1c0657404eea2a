"""``GET /system`` of a written host, and of this machine beside psutil, which the original reads with."""

from __future__ import annotations

import json
import logging
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_exporter.paths import HostPaths
from host_exporter.system.document import SystemDocument
from host_exporter.system.facts import in_words
from tests.exporter.system.trees import CPUS, FILES, write

Read: TypeAlias = Callable[[], dict[str, Any]]

KIB = 1024
SWAP = {
    "total": 200000 * KIB,
    "used": 50000 * KIB,
    "free": 150000 * KIB,
    "percent": 25.0,
    "sin": 3 * 4096,
    "sout": 4 * 4096,
}
DOCUMENT: dict[str, Any] = {
    "collected_at": "2026-11-23T01:17:54.750000+00:00",
    "cpu": {
        "percent": 0.0,
        "logical_cores": 2,
        "physical_cores": 1,
        "frequency_mhz": 2000.0,
        "min_frequency_mhz": 800.0,
        "max_frequency_mhz": 2500.0,
        "frequency": {"current": 2000.0, "min": 800.0, "max": 2500.0},
        "processor": "Imaginary CPU @ 2.00GHz",
    },
    "memory": {
        "total": 1000000 * KIB,
        "available": 750000 * KIB,
        "percent": 25.0,
        "used": 250000 * KIB,
        "free": 100000 * KIB,
        "active": 400000 * KIB,
        "inactive": 300000 * KIB,
        "buffers": 50000 * KIB,
        "cached": 540000 * KIB,
        "shared": 20000 * KIB,
        "slab": 60000 * KIB,
        "swap": SWAP,
    },
    "swap": SWAP,
    "disk": {"total": 4096000, "used": 2867200, "free": 819200, "percent": 77.8, "mount": "/srv"},
    "disk_io": {
        "read_count": 1006,
        "write_count": 2005,
        "read_bytes": 3013 * 512,
        "write_bytes": 7007 * 512,
        "read_time": 45,
        "write_time": 88,
        "read_merged_count": 22,
        "write_merged_count": 66,
        "busy_time": 102,
    },
    "network": {
        "io_counters": {
            "bytes_sent": 5100,
            "bytes_recv": 2100,
            "packets_sent": 51,
            "packets_recv": 21,
            "errin": 3,
            "errout": 6,
            "dropin": 4,
            "dropout": 7,
        },
        "primary_interface": {
            "name": "eth0",
            "ipv4": None,
            "netmask": None,
            "broadcast": None,
            "speed_mbps": 1000,
            "mtu": 1500,
            "duplex": "full",
        },
    },
    "uptime": {
        "seconds": 93900,
        "boot_time": datetime.fromtimestamp(1795302774, UTC).astimezone().isoformat(),
        "human": "1d 2h 5m",
    },
    "system": {
        "hostname": "rack-7",
        "os": "Linux",
        "os_release": "6.12.1",
        "os_version": "#1 SMP",
        "architecture": "x86_64",
        "platform": "Linux-6.12.1-x86_64",
        "model": "Imaginary 9000",
    },
}


def without(document: Mapping[str, Any], *paths: str) -> dict[str, Any]:
    """*document* without the fields at *paths*; one that ends in ``=null`` is null instead."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for path in paths:
        name, null, _ = path.partition("=")
        *groups, field = name.split(".")
        group = copy
        for part in groups:
            group = group[part]
        if null:
            group[field] = None
        else:
            del group[field]
    return copy


def test_a_written_host_gives_the_whole_document(read: Read) -> None:
    assert read() == DOCUMENT


def test_fields_stand_in_the_order_of_the_original(document: SystemDocument) -> None:
    assert list(json.loads(document.json())) == list(DOCUMENT)
    assert document.json().startswith(
        b'{"collected_at":"2026-11-23T01:17:54.750000+00:00","cpu":{"percent":0.0,'
    )


NO_FREQUENCY = tuple(
    f"cpu.{name}=null" for name in ("frequency_mhz", "min_frequency_mhz", "max_frequency_mhz", "frequency")
)


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("proc/stat", ("cpu.percent", "cpu.logical_cores", "uptime")),
        ("proc/meminfo", ("memory", "swap")),
        ("proc/diskstats", ("disk_io",)),
        ("proc/1/net/dev", ("network.io_counters", "network.primary_interface=null")),
        ("proc/1/net/route", ("network.primary_interface=null",)),
        (
            "proc/sys/kernel/osrelease",
            tuple(f"system.{name}" for name in DOCUMENT["system"] if name != "model"),
        ),
        ("sys/devices/virtual/dmi/id/product_name", ("system.model=null",)),
    ],
)
@pytest.mark.parametrize(
    "nonsense", [None, "", "cpu x y\nMemTotal: many kB\n|\n"], ids=["missing", "empty", "odd"]
)
def test_a_source_that_fails_costs_its_own_fields_only(
    file: str, missing: tuple[str, ...], nonsense: str | None, host: Path, read: Read
) -> None:
    if nonsense is None:
        (host / file).unlink()
    else:
        write(host / file, nonsense)

    found = read()

    if nonsense is None:
        assert found == without(DOCUMENT, *missing)
    else:
        assert found.keys() <= DOCUMENT.keys()
        untouched = DOCUMENT.keys() - {path.partition(".")[0] for path in missing}
        assert {name: found[name] for name in untouched} == {name: DOCUMENT[name] for name in untouched}


def test_a_host_without_disks_has_no_such_group_and_that_is_no_failure(
    host: Path, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    """The original answers 500 there, and the forwarder has no group to read."""
    write(host / "proc/diskstats", "")

    found = read()

    assert found == without(DOCUMENT, "disk_io")
    assert caplog.records == []


def test_a_disk_that_does_not_answer_is_left_out_and_named(
    document_of: Callable[..., SystemDocument], caplog: pytest.LogCaptureFixture
) -> None:
    found = json.loads(document_of(disk_path="/gone").json())

    assert found == without(DOCUMENT, "disk")
    assert warnings_in(caplog) == [("disk: all", "LookupError: /gone: No such file or directory")]


def test_a_file_that_a_host_does_not_have_is_no_reason_to_warn(
    host: Path, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    (host / "proc/cpuinfo").unlink()

    cpu = read()["cpu"]

    assert (cpu["frequency_mhz"], cpu["processor"]) == (None, "")
    assert warnings_in(caplog) == []


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Part and error of each warning so far."""
    return [
        (vars(record)["part"], vars(record)["error"])
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]


def test_a_failing_source_is_told_when_it_starts_to_fail(
    host: Path, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    (host / "proc/vmstat").unlink()
    write(host / "proc/diskstats", "8 0 nvme0n1 many\n")
    first, second = read(), read()
    failing = warnings_in(caplog)
    write(host / "proc/diskstats", FILES["proc/diskstats"])
    healed = read()
    write(host / "proc/diskstats", "8 0 nvme0n1 many\n")
    read()

    assert first == second
    assert "disk_io" not in first
    ((part, error),) = failing
    assert part == "disk_io: all"
    assert error.startswith("ValueError: ")
    assert healed["disk_io"] == DOCUMENT["disk_io"]
    assert warnings_in(caplog) == failing * 2


@pytest.mark.parametrize(
    ("removed", "current", "limits"),
    [
        (("proc/cpuinfo",), 1700.0, (800.0, 2500.0)),
        ((f"{CPUS}/cpufreq",), 2000.0, (0.0, 0.0)),
        (("proc/cpuinfo", f"{CPUS}/cpufreq/policy1"), 1700.0, (800.0, 2600.0)),
    ],
    ids=["no cpuinfo", "no driver", "one policy"],
)
def test_frequencies_come_from_what_there_is(
    removed: tuple[str, ...], current: float, limits: tuple[float, float], host: Path, read: Read
) -> None:
    for name in removed:
        for file in sorted((host / name).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        if (host / name).is_dir():
            (host / name).rmdir()
        else:
            write(host / name, "processor\t: 0\n\nprocessor\t: 1\n")

    cpu = read()["cpu"]

    assert (cpu["frequency_mhz"], cpu["min_frequency_mhz"], cpu["max_frequency_mhz"]) == (current, *limits)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({f"{CPUS}/cpu1/topology/core_cpus_list": "1\n"}, 2),
        ({f"{CPUS}/cpu{n}/topology/core_cpus_list": None for n in (0, 1)}, 2),
        (
            {f"{CPUS}/cpu{n}/topology/core_cpus_list": None for n in (0, 1)}
            | {"proc/cpuinfo": "cpu\t: S390\n"},
            None,
        ),
    ],
    ids=["topology", "cpuinfo", "neither"],
)
def test_cores_come_from_what_there_is(
    files: dict[str, str | None], cores: int | None, host: Path, read: Read
) -> None:
    for name, text in files.items():
        if text is None:
            (host / name).unlink()
        else:
            write(host / name, text)

    assert read()["cpu"]["physical_cores"] == cores


@pytest.mark.parametrize(
    ("meminfo", "available"),
    [
        ("MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\n", 35),
        ("MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 400 kB\n", 10),
        ("MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 60 kB\n", 60),
    ],
    ids=["old kernel", "container", "as told"],
)
def test_available_memory_is_never_more_than_there_is(
    meminfo: str, available: int, host: Path, read: Read
) -> None:
    write(host / "proc/meminfo", meminfo)

    memory = read()["memory"]

    assert memory["available"] == available * KIB
    assert memory["percent"] == 100 - available
    assert memory["swap"] == dict.fromkeys(SWAP, 0) | {"sin": 3 * 4096, "sout": 4 * 4096}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(sorted(FILES)),
    content=st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [b"cpu  9" + b"9" * 400, b"cpu MHz : nan\n", b"btime 9" + b"9" * 20, b"-1\n", b"0x\n"]
        ),
        st.text("0123456789 :\n|cpu-.kB", max_size=60).map(str.encode),
    ),
)
def test_whatever_a_file_holds_the_document_is_json(
    file: str, content: bytes, host: Path, read: Read
) -> None:
    (host / file).write_bytes(content)
    try:
        found = read()
    finally:
        write(host / file, FILES[file])

    assert found.keys() <= DOCUMENT.keys()
    assert len(found) >= len(DOCUMENT) - 2


def test_a_name_that_is_not_utf_8_is_shown_with_question_marks(host: Path, read: Read) -> None:
    (host / "proc/sys/kernel/hostname").write_bytes(b"caf\xe9\n")

    assert read()["system"]["hostname"] == "caf?"


def test_no_file_of_the_host_stays_open(host: Path, document: SystemDocument) -> None:
    document.json()

    open_files = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert [name for name in open_files if name.startswith(str(host))] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0m"),
        (59, "0m"),
        (60, "1m"),
        (3600, "1h"),
        (86_400, "1d"),
        (93_900, "1d 2h 5m"),
        (176_460, "2d 1h 1m"),
    ],
)
def test_uptime_in_words_leaves_out_what_is_none(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("frequency", ["nan", "inf", "fast"])
def test_a_frequency_that_is_no_number_is_unknown(frequency: str, host: Path, read: Read) -> None:
    write(host / "proc/cpuinfo", f"model name\t: Imaginary CPU\ncpu MHz\t\t: {frequency}\n")

    cpu = read()["cpu"]

    assert (cpu["frequency_mhz"], cpu["frequency"], cpu["processor"]) == (None, None, "Imaginary CPU")


def test_an_old_kernel_does_not_tell_the_architecture_and_python_does(host: Path, read: Read) -> None:
    (host / "proc/sys/kernel/arch").unlink()

    assert read()["system"]["architecture"] == platform.machine()


def test_a_clock_behind_the_start_of_the_host_is_no_uptime(host: Path, read: Read) -> None:
    write(host / "proc/stat", FILES["proc/stat"].replace("btime 1795302774", "btime 1795402774"))

    uptime = read()["uptime"]

    assert (uptime["seconds"], uptime["human"]) == (0, "0m")


def test_this_machine_is_shown_as_psutil_shows_it() -> None:
    """The original's document is made of what these calls return."""
    document = SystemDocument(HostPaths())
    before = psutil.net_io_counters(nowrap=False), psutil.disk_io_counters(nowrap=False)
    uptime_before = int(time.time() - psutil.boot_time())
    found = json.loads(document.json())
    after = psutil.net_io_counters(nowrap=False), psutil.disk_io_counters(nowrap=False)

    cpu, memory, frequency = found["cpu"], psutil.virtual_memory(), psutil.cpu_freq()
    assert 0 <= cpu["percent"] <= 100
    assert cpu["logical_cores"] == psutil.cpu_count(logical=True)
    assert cpu["physical_cores"] == psutil.cpu_count(logical=False)
    assert (cpu["frequency_mhz"] is None) == (frequency is None)
    if frequency is not None:
        assert (cpu["min_frequency_mhz"], cpu["max_frequency_mhz"]) == (frequency.min, frequency.max)
    assert list(found["memory"]) == [*memory._fields, "swap"]
    assert found["memory"]["total"] == memory.total
    assert list(found["swap"]) == list(psutil.swap_memory()._fields)
    assert found["swap"]["total"] == psutil.swap_memory().total
    assert list(found["disk"]) == [*psutil.disk_usage("/")._fields, "mount"]
    assert found["disk"]["total"] == psutil.disk_usage("/").total
    assert abs(found["disk"]["percent"] - psutil.disk_usage("/").percent) < 1
    for shown, early, late in zip(
        (found["network"]["io_counters"], found.get("disk_io")), before, after, strict=True
    ):
        assert (shown is None) == (early is None)
        if early is not None and late is not None:
            assert list(shown) == list(early._fields)
            assert all(low <= shown[name] <= high for name, low, high in zip(shown, early, late, strict=True))
    assert (
        found["uptime"]["boot_time"]
        == datetime.fromtimestamp(psutil.boot_time(), UTC).astimezone().isoformat()
    )
    assert uptime_before <= found["uptime"]["seconds"] <= int(time.time() - psutil.boot_time())
    name = platform.uname()
    assert found["system"] == {
        "hostname": name.node,
        "os": name.system,
        "os_release": name.release,
        "os_version": name.version,
        "architecture": name.machine,
        "platform": platform.platform(),
        "model": found["system"]["model"],
    }


def test_psutil_stays_out_of_memory() -> None:
    code = (
        "import sys; from host_exporter.paths import HostPaths;"
        "from host_exporter.system.document import SystemDocument;"
        "assert SystemDocument(HostPaths()).json(); sys.exit('psutil' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
