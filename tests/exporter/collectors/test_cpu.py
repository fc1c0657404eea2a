"""The CPUs: times that do not fall back, what sysfs tells of each, frequencies."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_exporter.collector import Collector, SettingError
from host_exporter.collectors import cpu, cpufreq
from host_exporter.collectors.cpu import SteadyTimes
from host_exporter.paths import HostPaths
from host_exporter.render import TEXT, Renderer

CPUS = "sys/devices/system/cpu"
CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 142
model name\t: i7
stepping\t: 10
microcode\t: 0xb4
cpu MHz\t\t: 799.998
cache size\t: 8192 KB
physical id\t: 0
core id\t\t: 1
flags\t\t: aes avx avx2 fpu
bugs\t\t: mds spectre_v1
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def host(folder: Path) -> HostPaths:
    return HostPaths(str(folder / "proc"), str(folder / "sys"), str(folder / "rootfs"))


def lines(collector: Collector, paths: HostPaths, told: dict[str, str | bool] | None = None) -> list[str]:
    """The series that a fresh collector yields, in order."""
    text = Renderer(TEXT).render(collector.made("cpu", told)(paths))
    return sorted(line for line in text.splitlines() if not line.startswith("#"))


def test_times_never_fall_back_a_little() -> None:
    steady = SteadyTimes()

    assert steady({"0": [10, 0, 5, 1000, 7]}) == {"0": [10, 0, 5, 1000, 7]}
    assert steady({"0": [11, 0, 4, 990, 6]}) == {"0": [11, 0, 5, 1000, 7]}
    assert steady({"0": [12, 0, 6, 1001, 6]}) == {"0": [12, 0, 6, 1001, 7]}


def test_a_cpu_whose_idle_time_fell_by_three_seconds_counts_anew() -> None:
    steady = SteadyTimes()
    steady({"0": [10, 10, 10, 1000], "1": [10, 10, 10, 1000]})

    assert steady({"0": [1, 1, 1, 701], "1": [1, 1, 1, 700]}) == {
        "0": [10, 10, 10, 1000],
        "1": [1, 1, 1, 700],
    }


def test_a_cpu_that_went_is_forgotten() -> None:
    steady = SteadyTimes()
    steady({"0": [1, 1, 1, 100], "1": [9, 9, 9, 100]})

    assert steady({"0": [1, 1, 1, 100]}) == {"0": [1, 1, 1, 100]}
    assert steady({"0": [1, 1, 1, 100], "1": [2, 2, 2, 90]})["1"] == [2, 2, 2, 90]


def test_the_collector_keeps_times_from_one_scrape_to_the_next(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu0 100 0 0 500\n"})
    collect = cpu.COLLECTOR.made("cpu")
    with host(tmp_path) as paths:
        list(collect(paths))
        write(tmp_path, {"proc/stat": "cpu0 90 0 0 501\n"})

        assert [(labels[1], number) for _, labels, number in collect(paths)] == [
            ("user", 1.0),
            ("nice", 0.0),
            ("system", 0.0),
            ("idle", 5.01),
        ]


def test_guest_time_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu0 1 2 3 4 5 6 7 8 9 10\n"})
    with host(tmp_path) as paths:
        shown = lines(cpu.COLLECTOR, paths, {"guest": False})

    assert len(shown) == 8
    assert 'node_cpu_seconds_total{cpu="0",mode="steal"} 0.08' in shown
    assert not [line for line in shown if "guest" in line]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Two packages, threads that share a core's counter, one CPU without counters, one switched off."""
    write(
        tmp_path,
        {
            "proc/stat": "cpu0 0 0 0 0\n",
            f"{CPUS}/present": "0-3,10\n",
            f"{CPUS}/online": "0-2,10\n",
            f"{CPUS}/offline": "3\n",
            f"{CPUS}/isolated": "1,10\n",
            f"{CPUS}/cpufreq/policy0/scaling_driver": "x\n",
        },
    )
    for number, package, core in (("0", "0", "0"), ("1", "0", "0"), ("2", "0", "1"), ("10", "1", "0")):
        write(
            tmp_path,
            {
                f"{CPUS}/cpu{number}/online": "1\n",
                f"{CPUS}/cpu{number}/topology/physical_package_id": f"{package}\n",
                f"{CPUS}/cpu{number}/topology/core_id": f"{core}\n",
            },
        )
        if number != "0":
            write(tmp_path, {f"{CPUS}/cpu{number}/thermal_throttle/core_throttle_count": f"{number}5\n"})
    write(tmp_path, {f"{CPUS}/cpu{n}/thermal_throttle/package_throttle_count": f"{n}7\n" for n in (2, 10)})
    write(tmp_path, {f"{CPUS}/cpu3/online": "0\n"})
    return tmp_path


def test_each_core_and_package_is_counted_once(server: Path) -> None:
    with host(server) as paths:
        shown = lines(cpu.COLLECTOR, paths)

    assert [line for line in shown if "seconds" not in line] == [
        'node_cpu_core_throttles_total{core="0",package="0"} 15',
        'node_cpu_core_throttles_total{core="0",package="1"} 105',
        'node_cpu_core_throttles_total{core="1",package="0"} 25',
        'node_cpu_isolated{cpu="1"} 1',
        'node_cpu_isolated{cpu="10"} 1',
        'node_cpu_online{cpu="0"} 1',
        'node_cpu_online{cpu="1"} 1',
        'node_cpu_online{cpu="10"} 1',
        'node_cpu_online{cpu="2"} 1',
        'node_cpu_online{cpu="3"} 0',
        'node_cpu_package_throttles_total{package="0"} 27',
        'node_cpu_package_throttles_total{package="1"} 107',
    ]


def test_throttles_are_read_at_each_scrape(server: Path) -> None:
    collect = cpu.COLLECTOR.made("cpu")
    with host(server) as paths:
        list(collect(paths))
        write(server, {f"{CPUS}/cpu10/thermal_throttle/core_throttle_count": "106\n"})

        assert (cpu.CORE_THROTTLES, ("1", "0"), 106) in list(collect(paths))


def test_a_cpu_that_is_switched_on_or_off_is_noticed(server: Path) -> None:
    collect = cpu.COLLECTOR.made("cpu")
    with host(server) as paths:
        list(collect(paths))
        write(
            server,
            {
                f"{CPUS}/online": "0-3\n",
                f"{CPUS}/cpu3/online": "1\n",
                f"{CPUS}/cpu3/topology/physical_package_id": "0\n",
                f"{CPUS}/cpu3/topology/core_id": "9\n",
                f"{CPUS}/cpu3/thermal_throttle/core_throttle_count": "4\n",
                f"{CPUS}/cpu10/online": "0\n",
            },
        )
        (server / CPUS / "cpu10/topology/core_id").unlink()
        paths.close()
        values = list(collect(paths))

    assert (cpu.CORE_THROTTLES, ("0", "9"), 4) in values
    assert (cpu.ONLINE, ("10",), 0) in values
    assert [
        labels for family, labels, _ in values if labels[:1] == ("1",) and "throttles" in family.name
    ] == []


def test_a_counter_that_cannot_be_read_is_left_out_and_looked_up_again(server: Path) -> None:
    collect = cpu.COLLECTOR.made("cpu")
    with host(server) as paths:
        list(collect(paths))
        write(server, {f"{CPUS}/cpu1/thermal_throttle/core_throttle_count": "\n"})
        write(server, {f"{CPUS}/cpu0/thermal_throttle/core_throttle_count": "3\n"})

        assert [labels for family, labels, _ in collect(paths) if family is cpu.CORE_THROTTLES] == [
            ("1", "0"),
            ("0", "1"),
        ]
        assert (cpu.CORE_THROTTLES, ("0", "0"), 3) in list(collect(paths))


def test_cpus_that_cannot_be_switched_off_do_not_say_that_they_are_online(server: Path) -> None:
    (server / CPUS / "cpu0/online").unlink()
    with host(server) as paths:
        shown = lines(cpu.COLLECTOR, paths)

    assert not [line for line in shown if "online" in line]


def test_what_the_cpus_are_is_shown_where_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu0 0 0 0 0\n", "proc/cpuinfo": CPUINFO})
    with host(tmp_path) as paths:
        shown = lines(cpu.COLLECTOR, paths, {"info.flags-include": "^avx", "info.bugs-include": "spectre"})
        silent = lines(cpu.COLLECTOR, paths)
        plain = lines(cpu.COLLECTOR, paths, {"info": True})

    info = [
        'node_cpu_frequency_hertz{core="1",cpu="0",package="0"} 799998000.0',
        'node_cpu_info{cachesize="8192 KB",core="1",cpu="0",family="6",microcode="0xb4",model="142",'
        'model_name="i7",package="0",stepping="10",vendor="GenuineIntel"} 1',
    ]
    facts = [
        'node_cpu_bug_info{bug="spectre_v1"} 1',
        'node_cpu_flag_info{flag="avx"} 1',
        'node_cpu_flag_info{flag="avx2"} 1',
    ]
    assert [line for line in shown if "seconds" not in line] == sorted([*facts, *info])
    assert [line for line in plain if "seconds" not in line] == info
    assert [line for line in silent if "seconds" not in line] == []


def test_where_sysfs_tells_the_frequency_it_is_shown_only_once(tmp_path: Path) -> None:
    write(tmp_path, {"proc/stat": "cpu0 0 0 0 0\n", "proc/cpuinfo": CPUINFO})
    write(tmp_path, {f"{CPUS}/cpu0/cpufreq/cpuinfo_cur_freq": "800000\n"})
    with host(tmp_path) as paths:
        assert not [line for line in lines(cpu.COLLECTOR, paths, {"info": True}) if "hertz" in line]


def test_a_pattern_that_is_none_names_its_flag() -> None:
    with pytest.raises(
        SettingError, match=r"^--collector\.cpu\.info\.flags-include: not a regular expression"
    ):
        cpu.COLLECTOR.made("cpu", {"info.flags-include": "("})


@pytest.fixture
def laptop(server: Path) -> Path:
    """CPU 0 has all governors, CPU 10 none; CPU 3 is switched off."""
    for number, current, governors in (
        ("0", "", "performance powersave \n"),
        ("10", "999\n", "\n"),
        ("3", "", "x\n"),
    ):
        folder = f"{CPUS}/cpu{number}/cpufreq"
        write(
            server,
            {
                f"{folder}/cpuinfo_min_freq": "800000\n",
                f"{folder}/scaling_cur_freq": "1234567\n",
                f"{folder}/scaling_governor": "powersave\n",
                f"{folder}/scaling_available_governors": governors,
            },
        )
        if current:
            write(server, {f"{folder}/cpuinfo_cur_freq": current})
    return server


def test_frequencies_are_those_of_the_cpus_that_are_online(laptop: Path) -> None:
    with host(laptop) as paths:
        assert lines(cpufreq.COLLECTOR, paths) == [
            'node_cpu_frequency_hertz{cpu="10"} 999000',
            'node_cpu_frequency_min_hertz{cpu="0"} 800000000',
            'node_cpu_frequency_min_hertz{cpu="10"} 800000000',
            'node_cpu_scaling_frequency_hertz{cpu="0"} 1234567000',
            'node_cpu_scaling_frequency_hertz{cpu="10"} 1234567000',
            'node_cpu_scaling_governor{cpu="0",governor="performance"} 0',
            'node_cpu_scaling_governor{cpu="0",governor="powersave"} 1',
            'node_cpu_scaling_governor{cpu="10",governor=""} 0',
        ]


def test_a_driver_that_comes_later_is_noticed(server: Path) -> None:
    collect = cpufreq.COLLECTOR.made("cpufreq")
    with host(server) as paths:
        assert list(collect(paths)) == []
        write(
            server,
            {
                f"{CPUS}/cpufreq/policy2/scaling_driver": "x\n",
                f"{CPUS}/cpu2/cpufreq/scaling_max_freq": "5\n",
                f"{CPUS}/cpu2/cpufreq/scaling_governor": "\n",
                f"{CPUS}/cpu2/cpufreq/scaling_available_governors": "x\n",
            },
        )

        assert list(collect(paths)) == [(cpufreq.FREQUENCY_OF["scaling_max_freq"], ("2",), 5000)]


@pytest.mark.parametrize("file", ["scaling_governor", "scaling_available_governors"])
def test_a_cpu_without_its_governor_is_an_error(laptop: Path, file: str) -> None:
    (laptop / CPUS / "cpu0/cpufreq" / file).unlink()
    with host(laptop) as paths, pytest.raises(FileNotFoundError, match=file):
        lines(cpufreq.COLLECTOR, paths)


def test_a_frequency_that_is_no_number_is_an_error_that_names_its_file(laptop: Path) -> None:
    write(laptop, {f"{CPUS}/cpu0/cpufreq/scaling_cur_freq": "<unknown>\n"})
    with host(laptop) as paths, pytest.raises(ValueError, match=r"in .*/cpu0/cpufreq/scaling_cur_freq, got"):
        lines(cpufreq.COLLECTOR, paths)


@pytest.mark.parametrize("offline", [None, "0-10\n"], ids=["no sysfs", "none online"])
def test_without_cpus_there_are_no_frequencies(server: Path, offline: str | None) -> None:
    (server / CPUS / "offline").unlink()
    if offline is not None:
        write(server, {f"{CPUS}/offline": offline})
    with host(server) as paths, pytest.raises(FileNotFoundError):
        lines(cpufreq.COLLECTOR, paths)


class NotRoot(HostPaths):
    """A host of which only root may read the CPUs' true frequency, as it is in sysfs."""

    def read_sys(self, name: str) -> str:
        """What the file says, if it may be read."""
        if name.endswith("cpuinfo_cur_freq"):
            raise PermissionError(13, "Permission denied", name)
        return super().read_sys(name)


def test_what_only_root_may_read_is_left_out(laptop: Path) -> None:
    with NotRoot(str(laptop / "proc"), str(laptop / "sys")) as paths:
        shown = lines(cpufreq.COLLECTOR, paths)

    assert not [line for line in shown if line.startswith("node_cpu_frequency_hertz")]
    assert len(shown) == 7
