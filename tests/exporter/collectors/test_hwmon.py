from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError, SettingError
from host_exporter.collectors import hwmon
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Open = Callable[[Mapping[str, str]], HostPaths]
Lines = Callable[[Iterable[Value]], list[str]]

PCI = "sys/devices/pci0000:00/0000:00:18.3"
VIRTUAL = "sys/devices/virtual/hwmon/hwmon3"


def link(root: Path, name: str, target: str) -> None:
    path = root / "sys" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def one_chip(root: Path, host: Open, files: Mapping[str, str]) -> HostPaths:
    """A host with one chip that belongs to no device and is named ``x``."""
    paths = host({f"{VIRTUAL}/name": "x\n"} | {f"{VIRTUAL}/{name}": text for name, text in files.items()})
    link(root, "class/hwmon/hwmon3", "../../devices/virtual/hwmon/hwmon3")
    return paths


def test_each_kind_of_sensor_is_shown_in_base_units(tmp_path: Path, host: Open, series: Lines) -> None:
    paths = one_chip(
        tmp_path,
        host,
        {
            "temp1_input": "27800\n",
            "temp1_type": "4\n",
            "temp1_label": "caf\udce9\udce9 x\n",
            "temp1_crit_alarm": "0\n",
            "in0_input": "792\n",
            "in0_beep": "1\n",
            "in0_alarm": "0\n",
            "curr1_max": "1500\n",
            "fan1_input": "1200\n",
            "fan1_div": "2\n",
            "fan1_fault": "0\n",
            "pwm1": "128\n",
            "pwm1_input": "3\n",
            "power1_average": "1500000\n",
            "power1_average_interval": "1000\n",
            "power1_accuracy": "5000000\n",
            "energy1_input": "123456789\n",
            "humidity1_input": "500000\n",
            "intrusion0_alarm": "1\n",
            "cpu0_vid": "1250\n",
            "freq1_input": "300000000\n",
            "freq1_label": "sclk\n",
            "freq2_input": "300000000\n",
            "vrm": "90\n",
            "update_interval": "1500\n",
            "beep_enable": "1\n",
            "power/control": "auto\n",
            "fan2_safe": "",
            "fan2_odd-Name": "7",
            "uevent": "",
        },
    )

    assert series(hwmon.COLLECTOR.made("hwmon")(paths)) == [
        'node_hwmon_beep_enabled{chip="x",sensor="beep_enable0"} 1',
        'node_hwmon_chip_names{chip="x",chip_name="x"} 1',
        'node_hwmon_cpu_vid_volts{chip="x",sensor="cpu0"} 1.25',
        'node_hwmon_curr_max_amps{chip="x",sensor="curr1"} 1.5',
        'node_hwmon_energy_joule_total{chip="x",sensor="energy1"} 123.456789',
        'node_hwmon_fan_div{chip="x",sensor="fan1"} 2.0',
        'node_hwmon_fan_fault{chip="x",sensor="fan1"} 0.0',
        'node_hwmon_fan_odd_name{chip="x",sensor="fan2"} 7.0',
        'node_hwmon_fan_rpm{chip="x",sensor="fan1"} 1200.0',
        'node_hwmon_freq_freq_mhz{chip="x",sensor="sclk"} 300.0',
        'node_hwmon_humidity{chip="x",sensor="humidity1"} 0.5',
        'node_hwmon_in_alarm{chip="x",sensor="in0"} 0.0',
        'node_hwmon_in_beep_enabled{chip="x",sensor="in0"} 1.0',
        'node_hwmon_in_volts{chip="x",sensor="in0"} 0.792',
        'node_hwmon_intrusion_alarm{chip="x",sensor="intrusion0"} 1.0',
        'node_hwmon_power_accuracy{chip="x",sensor="power1"} 5.0',
        'node_hwmon_power_average_interval_seconds{chip="x",sensor="power1"} 1.0',
        'node_hwmon_power_average_watt{chip="x",sensor="power1"} 1.5',
        'node_hwmon_pwm_input{chip="x",sensor="pwm1"} 3.0',
        'node_hwmon_pwm{chip="x",sensor="pwm1"} 128.0',
        'node_hwmon_sensor_label{chip="x",label="caf\ufffd x",sensor="temp1"} 1',
        'node_hwmon_sensor_label{chip="x",label="sclk",sensor="freq1"} 1',
        'node_hwmon_temp_celsius{chip="x",sensor="temp1"} 27.8',
        'node_hwmon_temp_crit_alarm_celsius{chip="x",sensor="temp1"} 0.0',
        'node_hwmon_temp_type{chip="x",sensor="temp1"} 4.0',
        'node_hwmon_update_interval_seconds{chip="x",sensor="update_interval0"} 1.5',
        'node_hwmon_voltage_regulator_version{chip="x",sensor="vrm0"} 90.0',
    ]


def test_a_chip_is_named_after_its_device_else_its_driver_else_its_number(
    tmp_path: Path, host: Open, series: Lines
) -> None:
    """Numbers change with the order in which modules are loaded. A device's older files are its own."""
    paths = host(
        {
            f"{PCI}/temp2_input": "2000",
            f"{PCI}/hwmon/hwmon0/temp1_input": "1000",
            f"{PCI}/hwmon/hwmon0/name": "k10temp\n",
            f"{VIRTUAL}/temp1_input": "3000",
            f"{VIRTUAL}/name": "Drive-Temp\n",
            "sys/class/hwmon/hwmon4/temp1_input": "4000",
        }
    )
    link(tmp_path, "class/hwmon/hwmon0", "../../devices/pci0000:00/0000:00:18.3/hwmon/hwmon0")
    link(tmp_path, "devices/pci0000:00/0000:00:18.3/hwmon/hwmon0/device", "../../../0000:00:18.3")
    link(tmp_path, "class/hwmon/hwmon3", "../../devices/virtual/hwmon/hwmon3")
    link(tmp_path, "class/hwmon/hwmon5", "../../devices/gone")

    assert series(hwmon.COLLECTOR.made("hwmon")(paths)) == [
        'node_hwmon_chip_names{chip="drive_temp",chip_name="drive_temp"} 1',
        'node_hwmon_chip_names{chip="pci0000:00_0000:00:18_3",chip_name="k10temp"} 1',
        'node_hwmon_temp_celsius{chip="drive_temp",sensor="temp1"} 3.0',
        'node_hwmon_temp_celsius{chip="hwmon4",sensor="temp1"} 4.0',
        'node_hwmon_temp_celsius{chip="pci0000:00_0000:00:18_3",sensor="temp1"} 1.0',
        'node_hwmon_temp_celsius{chip="pci0000:00_0000:00:18_3",sensor="temp2"} 2.0',
    ]


def test_two_chips_of_one_device_give_no_series_twice(tmp_path: Path, host: Open, series: Lines) -> None:
    paths = host(
        {
            f"{PCI}/hwmon/hwmon0/temp1_input": "1000",
            f"{PCI}/hwmon/hwmon1/temp1_input": "9000",
            f"{PCI}/hwmon/hwmon1/temp2_input": "2000",
        }
    )
    for number in (0, 1):
        link(tmp_path, f"class/hwmon/hwmon{number}", f"../../{PCI.removeprefix('sys/')}/hwmon/hwmon{number}")
        link(tmp_path, f"{PCI.removeprefix('sys/')}/hwmon/hwmon{number}/device", "../../../0000:00:18.3")

    assert series(hwmon.COLLECTOR.made("hwmon")(paths)) == [
        'node_hwmon_temp_celsius{chip="pci0000:00_0000:00:18_3",sensor="temp1"} 1.0',
        'node_hwmon_temp_celsius{chip="pci0000:00_0000:00:18_3",sensor="temp2"} 2.0',
    ]


@pytest.mark.parametrize(
    ("told", "sensors"),
    [
        ({"chip-exclude": "^x$"}, []),
        ({"chip-include": "^y"}, []),
        ({"sensor-include": "x;temp1"}, ["temp1"]),
        ({"sensor-exclude": "^x;temp1$"}, ["temp2"]),
        ({"sensor-include": "temp", "sensor-exclude": "2"}, ["temp1"]),
    ],
)
def test_chips_and_sensors_are_chosen_by_patterns(
    told: dict[str, str | bool], sensors: list[str], tmp_path: Path, host: Open
) -> None:
    paths = one_chip(tmp_path, host, {"temp1_input": "1000", "temp2_input": "2000"})

    values = hwmon.COLLECTOR.made("hwmon", told)(paths)

    assert [labels[1] for family, labels, _ in values if family is not hwmon.CHIP_NAMES] == sensors


def test_a_pattern_that_is_none_names_its_flag() -> None:
    with pytest.raises(SettingError, match=r"--collector\.hwmon\.sensor-include"):
        hwmon.COLLECTOR.made("hwmon", {"sensor-include": "("})


def test_a_sensor_that_cannot_be_read_is_left_out(tmp_path: Path, host: Open, series: Lines) -> None:
    """Reading a folder fails as reading a sensor that sleeps does."""
    paths = one_chip(tmp_path, host, {"temp1_input": "1000", "temp2_input/x": ""})

    assert series(hwmon.COLLECTOR.made("hwmon")(paths))[1:] == [
        'node_hwmon_temp_celsius{chip="x",sensor="temp1"} 1.0'
    ]


def test_a_chip_that_takes_the_number_of_one_that_went_is_another_chip(
    tmp_path: Path, host: Open, series: Lines
) -> None:
    paths = one_chip(tmp_path, host, {"temp1_input": "1000"})
    collect = hwmon.COLLECTOR.made("hwmon")
    assert len(series(collect(paths))) == 2

    (tmp_path / VIRTUAL).rename(tmp_path / "gone")
    (tmp_path / "sys/class/hwmon/hwmon3").unlink()
    assert series(collect(paths)) == []
    host({f"{PCI}/hwmon/hwmon3/in1_input": "5000"})
    link(tmp_path, "class/hwmon/hwmon3", "../../devices/pci0000:00/0000:00:18.3/hwmon/hwmon3")
    assert series(collect(paths)) == ['node_hwmon_in_volts{chip="hwmon3",sensor="in1"} 5.0']


def test_a_sensor_that_is_added_is_shown(tmp_path: Path, host: Open, series: Lines) -> None:
    paths = one_chip(tmp_path, host, {"temp1_input": "1000"})
    collect = hwmon.COLLECTOR.made("hwmon")
    assert len(series(collect(paths))) == 2

    host({f"{VIRTUAL}/temp2_input": "2000"})

    assert series(collect(paths))[2] == 'node_hwmon_temp_celsius{chip="x",sensor="temp2"} 2.0'


def test_elements_that_only_a_driver_knows_have_the_same_family_at_each_scrape(
    tmp_path: Path, host: Open
) -> None:
    paths = one_chip(tmp_path, host, {"fan1_strange": "1"})
    collect = hwmon.COLLECTOR.made("hwmon")

    first, second = ([family for family, _, _ in collect(paths)] for _ in range(2))

    assert first == second
    assert first[-1].help == "Hardware monitor fan element strange"


def test_a_host_without_chips_has_no_data(host: Open) -> None:
    paths = host({"sys/class/net/x": ""})

    with pytest.raises(NoDataError):
        list(hwmon.COLLECTOR.made("hwmon")(paths))
