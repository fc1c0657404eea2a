"""What the kernel counts of itself: scheduling, memory, pressure, randomness, files, its clock and its name."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import pytest

from host_exporter.collector import Collector, NoDataError, SettingError
from host_exporter.collectors import (
    entropy,
    filefd,
    kernel_hung,
    pressure,
    schedstat,
    softnet,
    stat,
    timex,
    uname,
    vmstat,
)
from host_exporter.collectors.timex import Clock
from host_exporter.paths import HostPaths
from host_exporter.render import TEXT, Renderer

AVERAGES = "avg10=0.10 avg60=2.00 avg300=3.85"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def host(folder: Path) -> HostPaths:
    return HostPaths(str(folder / "proc"), str(folder / "sys"), str(folder / "rootfs"))


def lines(collector: Collector, folder: Path, told: dict[str, str | bool] | None = None) -> list[str]:
    """The series that a fresh collector yields there, as text."""
    with host(folder) as paths:
        text = Renderer(TEXT).render(collector.made("it", told)(paths))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_schedstat_shows_seconds(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"proc/schedstat": "version 15\ncpu0 1 0 3 4 5 6 2045936778163039 343796328169361 4767485306\n"},
    )

    assert lines(schedstat.COLLECTOR, tmp_path) == [
        'node_schedstat_running_seconds_total{cpu="0"} 2045936.778163039',
        'node_schedstat_waiting_seconds_total{cpu="0"} 343796.328169361',
        'node_schedstat_timeslices_total{cpu="0"} 4767485306',
    ]


def test_softnet_shows_the_network_of_process_one(tmp_path: Path) -> None:
    row = "0000000a 0000000b 0000000c 0 0 0 0 0 0000000d 0000000e 0000000f 00000010 00000004 0 0\n"
    write(tmp_path, {"proc/1/net/softnet_stat": row, "proc/net/softnet_stat": "1 1 1 1 1 1 1 1 1\n"})

    assert lines(softnet.COLLECTOR, tmp_path) == [
        'node_softnet_processed_total{cpu="4"} 10',
        'node_softnet_dropped_total{cpu="4"} 11',
        'node_softnet_times_squeezed_total{cpu="4"} 12',
        'node_softnet_cpu_collision_total{cpu="4"} 13',
        'node_softnet_received_rps_total{cpu="4"} 14',
        'node_softnet_flow_limit_count_total{cpu="4"} 15',
        'node_softnet_backlog_len{cpu="4"} 16',
    ]


def test_soft_interrupts_are_shown_only_where_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu0 1 2 3 4\nctxt 4\nsoftirq 55 1 2 3 4 5 6 7 8 9 10\n"})
    vectors = (
        "hi",
        "timer",
        "net_tx",
        "net_rx",
        "block",
        "block_iopoll",
        "tasklet",
        "sched",
        "hrtimer",
        "rcu",
    )

    assert lines(stat.COLLECTOR, tmp_path) == ["node_context_switches_total 4"]
    assert lines(stat.COLLECTOR, tmp_path, {"softirq": True})[1:] == [
        f'node_softirqs_total{{vector="{vector}"}} {count}' for count, vector in enumerate(vectors, start=1)
    ]


VMSTAT = (
    "nr_free_pages 977769\npgpgin 7344136\npswpout 3\npgfault 2320168809\nthp_fault_alloc 1\noom_kill 0\n"
)


def test_the_default_pattern_of_vmstat_finds_paging_faults_and_kills(tmp_path: Path) -> None:
    write(tmp_path, {"proc/vmstat": VMSTAT})

    assert lines(vmstat.COLLECTOR, tmp_path) == [
        "node_vmstat_pgpgin 7344136",
        "node_vmstat_pswpout 3",
        "node_vmstat_pgfault 2320168809",
        "node_vmstat_oom_kill 0",
    ]


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [("fault", ["pgfault", "thp_fault_alloc"]), ("^nr_", ["nr_free_pages"]), ("^x$", [])],
)
def test_another_pattern_finds_fields_anywhere_in_their_names(
    tmp_path: Path, pattern: str, fields: list[str]
) -> None:
    write(tmp_path, {"proc/vmstat": VMSTAT})

    shown = lines(vmstat.COLLECTOR, tmp_path, {"fields": pattern})

    assert [line.split()[0].removeprefix("node_vmstat_") for line in shown] == fields


def test_vmstat_keeps_its_families_and_notices_other_fields(tmp_path: Path) -> None:
    write(tmp_path, {"proc/vmstat": "a 1\nb 2\n"})
    collect = vmstat.COLLECTOR.made("vmstat", {"fields": "[ac]"})
    with host(tmp_path) as paths:
        before = {family.name: family for family, _, _ in collect(paths)}
        write(tmp_path, {"proc/vmstat": "c 3\na 4\n"})
        after = list(collect(paths))

    assert [(family.name, number) for family, _, number in after] == [
        ("node_vmstat_c", 3),
        ("node_vmstat_a", 4),
    ]
    assert after[1][0] is before["node_vmstat_a"]


def test_a_vmstat_pattern_that_is_none_names_its_flag() -> None:
    with pytest.raises(SettingError, match=r"^--collector\.vmstat\.fields: not a regular expression"):
        vmstat.COLLECTOR.made("vmstat", {"fields": "("})


@pytest.mark.parametrize("text", ["pgpgin\n", "pgpgin many\n"])
def test_a_vmstat_field_without_a_number_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"proc/vmstat": text})

    with pytest.raises(ValueError, match=r"expected a .*number in .*vmstat"):
        lines(vmstat.COLLECTOR, tmp_path)


def test_pressure_shows_seconds(tmp_path: Path) -> None:
    both = f"some {AVERAGES} total={{}}\nfull {AVERAGES} total={{}}\n"
    write(
        tmp_path,
        {
            "proc/pressure/cpu": both.format(14036781, 0),
            "proc/pressure/io": both.format(159229614, 777777777777),
            "proc/pressure/memory": both.format(1, 0),
            "proc/pressure/irq": f"full {AVERAGES} total=8494431\n",
        },
    )

    assert lines(pressure.COLLECTOR, tmp_path) == [
        "node_pressure_cpu_waiting_seconds_total 14.036781000000001",
        "node_pressure_io_waiting_seconds_total 159.229614",
        "node_pressure_io_stalled_seconds_total 777777.777777",
        "node_pressure_memory_waiting_seconds_total 1e-06",
        "node_pressure_memory_stalled_seconds_total 0.0",
        "node_pressure_irq_stalled_seconds_total 8.494431",
    ]


def test_pressure_of_an_older_kernel_has_no_interrupts_and_no_stalled_cpu(tmp_path: Path) -> None:
    write(tmp_path, {"proc/pressure/cpu": f"some {AVERAGES} total=5000000\n"})

    assert lines(pressure.COLLECTOR, tmp_path) == ["node_pressure_cpu_waiting_seconds_total 5.0"]


@pytest.mark.parametrize(
    "files", [{}, {"proc/pressure/io": f"some {AVERAGES} total=5\n"}], ids=["no files", "half a file"]
)
def test_without_pressure_there_is_no_data(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)

    with pytest.raises(NoDataError, match="pressure"):
        lines(pressure.COLLECTOR, tmp_path)


class Unreadable(HostPaths):
    """A host whose files are there and answer with an error, as the kernel's do where pressure is off."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def read(self, name: str) -> str:
        """Never an answer."""
        raise OSError(self._number, "no answer", name)


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.EOPNOTSUPP, NoDataError), (errno.EIO, OSError)],
    ids=["switched off", "broken"],
)
def test_pressure_that_is_switched_off_is_no_reason_to_warn(number: int, error: type[Exception]) -> None:
    with Unreadable(number) as paths, pytest.raises(error, match=r"psi=1|no answer"):
        list(pressure.COLLECTOR.made("pressure")(paths))


def test_entropy_is_shown_in_bits(tmp_path: Path) -> None:
    write(tmp_path, {"proc/sys/kernel/random/entropy_avail": "1337\n"})
    write(tmp_path, {"proc/sys/kernel/random/poolsize": "4096\n"})

    assert lines(entropy.COLLECTOR, tmp_path) == [
        "node_entropy_available_bits 1337",
        "node_entropy_pool_size_bits 4096",
    ]


def test_open_files_and_their_limit_are_shown(tmp_path: Path) -> None:
    write(tmp_path, {"proc/sys/fs/file-nr": "1024\t0\t1631329\n"})

    assert lines(filefd.COLLECTOR, tmp_path) == ["node_filefd_allocated 1024", "node_filefd_maximum 1631329"]


@pytest.mark.parametrize("text", ["1024\t0\n", "1024\t0\tmany\n"])
def test_open_files_that_are_not_three_numbers_are_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"proc/sys/fs/file-nr": text})

    with pytest.raises(ValueError, match="expected three numbers in file-nr"):
        lines(filefd.COLLECTOR, tmp_path)


def test_hung_tasks_are_counted(tmp_path: Path) -> None:
    write(tmp_path, {"proc/sys/kernel/hung_task_detect_count": "3\n"})

    assert lines(kernel_hung.COLLECTOR, tmp_path) == ["node_kernel_hung_tasks_total 3"]


@pytest.mark.parametrize("collector", [schedstat.COLLECTOR, kernel_hung.COLLECTOR])
def test_a_kernel_that_does_not_count_has_no_data(tmp_path: Path, collector: Collector) -> None:
    with pytest.raises(NoDataError, match="this kernel has no"):
        lines(collector, tmp_path)


@pytest.mark.parametrize(
    "collector", [softnet.COLLECTOR, vmstat.COLLECTOR, entropy.COLLECTOR, filefd.COLLECTOR, uname.COLLECTOR]
)
def test_a_file_that_each_kernel_has_and_that_is_missing_is_an_error(
    tmp_path: Path, collector: Collector
) -> None:
    with pytest.raises(FileNotFoundError):
        lines(collector, tmp_path)


CLOCK = Clock(
    state=0,
    offset=-1500,
    freq=-6553600,
    maxerror=16000000,
    esterror=250,
    status=0x2001,
    constant=7,
    tick=10000,
    ppsfreq=65536000000,
    jitter=3000,
    shift=4,
    stabil=131072000000,
    jitcnt=5,
    calcnt=6,
    errcnt=8,
    stbcnt=9,
    tai=37,
)


def shown(clock: Clock, folder: Path) -> dict[str, float]:
    with host(folder) as paths:
        values = list(partial(timex.collect, ask=lambda: clock)(paths))
    return {family.name.removeprefix("node_timex_"): number for family, _, number in values}


def test_the_clock_is_shown_in_base_units(tmp_path: Path) -> None:
    assert shown(CLOCK, tmp_path) == {
        "sync_status": 1,
        "offset_seconds": -1.5e-06,
        "frequency_adjustment_ratio": 0.9999,
        "maxerror_seconds": 16.0,
        "estimated_error_seconds": 0.00025,
        "status": 8193,
        "loop_time_constant": 7,
        "tick_seconds": 0.01,
        "pps_frequency_hertz": 1.0,
        "pps_jitter_seconds": 3e-06,
        "pps_shift_seconds": 4,
        "pps_stability_hertz": 2.0,
        "pps_jitter_total": 5,
        "pps_calibration_total": 6,
        "pps_error_total": 8,
        "pps_stability_exceeded_total": 9,
        "tai_offset_seconds": 37,
    }


def test_a_clock_without_a_server_is_in_microseconds_and_not_in_time(tmp_path: Path) -> None:
    values = shown(CLOCK._replace(state=5, status=0x40), tmp_path)

    assert (values["sync_status"], values["offset_seconds"], values["pps_jitter_seconds"]) == (
        0,
        -0.0015,
        0.003,
    )


def test_a_container_that_may_not_ask_for_the_clock_has_no_data(tmp_path: Path) -> None:
    def forbidden() -> Clock:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with host(tmp_path) as paths, pytest.raises(NoDataError, match="not permitted"):
        list(timex.collect(paths, forbidden))


def test_this_machines_clock_ticks_100_to_1000_times_a_second(tmp_path: Path) -> None:
    (tick,) = [
        line for line in lines(timex.COLLECTOR, tmp_path) if line.startswith("node_timex_tick_seconds ")
    ]

    assert 0.001 <= float(tick.split()[1]) <= 0.011


def test_the_name_of_the_host_may_change_while_the_kernel_runs(tmp_path: Path) -> None:
    folder = "proc/sys/kernel"
    write(
        tmp_path,
        {f"{folder}/hostname": "old\n", f"{folder}/domainname": "(none)\n", f"{folder}/arch": "x86_64\n"},
    )
    write(tmp_path, {f"{folder}/{file}": f"{file}\n" for file in ("osrelease", "ostype", "version")})
    collect = uname.COLLECTOR.made("uname")
    with host(tmp_path) as paths:
        list(collect(paths))
        write(tmp_path, {f"{folder}/hostname": "new\n"})

        assert list(collect(paths)) == [
            (uname.INFO, ("(none)", "new", "osrelease", "ostype", "version", "x86_64"), 1)
        ]
