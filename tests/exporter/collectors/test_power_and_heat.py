"""The collectors thermal_zone, powersupplyclass, rapl and edac."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from host_exporter.collector import Collector, NoDataError
from host_exporter.collectors import edac, powersupplyclass, rapl, thermal_zone
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Open = Callable[[Mapping[str, str]], HostPaths]
Lines = Callable[[Iterable[Value]], list[str]]

THERMAL, SUPPLY = "sys/class/thermal", "sys/class/power_supply"
POWERCAP, EDAC = "sys/class/powercap", "sys/devices/system/edac/mc"


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def test_zones_and_cooling_devices_are_shown(host: Open, series: Lines) -> None:
    """A zone whose sensor does not answer is 0, and one without a type has an empty one, as in node_exporter."""
    files = {
        "thermal_zone0/type": "acpitz\n",
        "thermal_zone0/temp": "27800\n",
        "thermal_zone1/type": "iwlwifi_1\n",
        "thermal_zone2/temp": "busy\n",
        "thermal_zones/temp": "1\n",
        "cooling_device0/type": "intel_powerclamp\n",
        "cooling_device0/max_state": "50\n",
        "cooling_device0/cur_state": "-1\n",
        "cooling_device1/type": "Fan\n",
    }

    assert series(thermal_zone.collect(host(below(THERMAL, files)))) == [
        'node_cooling_device_cur_state{name="0",type="intel_powerclamp"} -1',
        'node_cooling_device_max_state{name="0",type="intel_powerclamp"} 50',
        'node_thermal_zone_temp{type="",zone="2"} 0.0',
        'node_thermal_zone_temp{type="acpitz",zone="0"} 27.8',
        'node_thermal_zone_temp{type="iwlwifi_1",zone="1"} 0.0',
    ]


def test_a_cooling_device_with_a_malformed_state_fails_and_is_named(host: Open) -> None:
    files = {"cooling_device0/type": "Fan\n", "cooling_device0/max_state": "high\n"}

    with pytest.raises(ValueError, match=r"class/thermal/cooling_device0/max_state, got 'high\\n'"):
        list(thermal_zone.collect(host(below(THERMAL, files))))


def test_a_machine_without_zones_or_memory_controllers_shows_none(host: Open) -> None:
    paths = host({"sys/class/net/x": ""})

    assert [*thermal_zone.collect(paths), *edac.collect(paths)] == []


def test_a_supply_has_only_the_numbers_and_labels_that_it_tells(host: Open, series: Lines) -> None:
    files = {
        "BAT0/type": "Battery\n",
        "BAT0/manufacturer": " SA\udcffNYO \n",
        "BAT0/capacity": "81\n",
        "BAT0/cycle_count": "7\n",
        "BAT0/energy_now": "36580000\n",
        "BAT0/voltage_min_design": "10800000\n",
        "BAT0/temp": "312\n",
        "BAT0/time_to_empty_now": "3600\n",
        "BAT0/uevent": "POWER_SUPPLY_NAME=BAT0\n",
        "BAT0/hwmon3/name": "BAT0\n",
        "AC/online": "0\n",
    }
    collect = powersupplyclass.COLLECTOR.made("powersupplyclass")

    assert series(collect(host(below(SUPPLY, files)))) == [
        'node_power_supply_capacity{power_supply="BAT0"} 81',
        'node_power_supply_cyclecount{power_supply="BAT0"} 7',
        'node_power_supply_energy_watthour{power_supply="BAT0"} 36.58',
        'node_power_supply_info{manufacturer="SA\ufffdNYO",power_supply="BAT0",type="Battery"} 1',
        'node_power_supply_info{power_supply="AC"} 1',
        'node_power_supply_online{power_supply="AC"} 0',
        'node_power_supply_temp_celsius{power_supply="BAT0"} 31.2',
        'node_power_supply_time_to_empty_seconds{power_supply="BAT0"} 3600',
        'node_power_supply_voltage_min_design{power_supply="BAT0"} 10.8',
    ]


def test_supplies_are_left_out_by_a_pattern(host: Open, series: Lines) -> None:
    paths = host(below(SUPPLY, {"BAT0/capacity": "1\n", "hidpp_battery_0/capacity": "2\n"}))
    collect = powersupplyclass.COLLECTOR.made("powersupplyclass", {"ignored-supplies": "^hid"})

    assert [line for line in series(collect(paths)) if "capacity" in line] == [
        'node_power_supply_capacity{power_supply="BAT0"} 1'
    ]


def test_a_supply_with_a_malformed_number_fails_and_is_named(host: Open) -> None:
    paths = host(below(SUPPLY, {"BAT0/capacity": "full\n"}))

    with pytest.raises(ValueError, match=r"class/power_supply/BAT0/capacity, got 'full\\n'"):
        list(powersupplyclass.COLLECTOR.made("powersupplyclass")(paths))


def zone(folder: str, name: str, energy: str = "2500000") -> dict[str, str]:
    files = {f"{folder}/name": f"{name}\n", f"{folder}/energy_uj": f"{energy}\n"}
    return below(POWERCAP, files)


ZONES = (
    zone("intel-rapl:0", "package-0")
    | zone("intel-rapl:0:0", "dram")
    | zone("intel-rapl:1:0", "dram")
    | zone("intel-rapl:2", "odd zone")
    | {f"{POWERCAP}/intel-rapl/enabled": "1\n"}
)


def test_each_zone_has_a_family_by_its_name(tmp_path: Path, host: Open, series: Lines) -> None:
    path = f"{tmp_path}/{POWERCAP}"

    assert series(rapl.COLLECTOR.made("rapl")(host(ZONES))) == [
        f'node_rapl_dram_joules_total{{index="0",path="{path}/intel-rapl:0:0"}} 2.5',
        f'node_rapl_dram_joules_total{{index="1",path="{path}/intel-rapl:1:0"}} 2.5',
        f'node_rapl_odd_zone_joules_total{{index="0",path="{path}/intel-rapl:2"}} 2.5',
        f'node_rapl_package_joules_total{{index="0",path="{path}/intel-rapl:0"}} 2.5',
    ]


def test_with_a_flag_the_zone_is_a_label(tmp_path: Path, host: Open, series: Lines) -> None:
    collect = rapl.COLLECTOR.made("rapl", {"enable-zone-label": True})
    path = f"{tmp_path}/{POWERCAP}"

    assert series(collect(host(zone("intel-rapl:0", "package-0")))) == [
        f'node_rapl_joules_total{{index="0",path="{path}/intel-rapl:0",rapl_zone="package"}} 2.5'
    ]


@pytest.mark.parametrize(
    "collector", [rapl.COLLECTOR, powersupplyclass.COLLECTOR], ids=["rapl", "powersupplyclass"]
)
def test_where_the_kernel_has_no_such_class_there_is_no_data(collector: Collector, host: Open) -> None:
    paths = host({"sys/class/net/x": ""})

    with pytest.raises(NoDataError):
        list(collector.made("x")(paths))


def test_a_malformed_energy_fails_and_is_named(host: Open) -> None:
    paths = host(zone("intel-rapl:0", "core", "much"))

    with pytest.raises(ValueError, match=r"class/powercap/intel-rapl:0/energy_uj, got 'much\\n'"):
        list(rapl.collect(paths))


def counts(folder: str, correctable: int, uncorrectable: int, *, noinfo: bool = False) -> dict[str, str]:
    kinds = ("ce_noinfo", "ue_noinfo") if noinfo else ("ce", "ue")
    numbers = zip(kinds, (correctable, uncorrectable), strict=True)
    return below(EDAC, {f"{folder}/{kind}_count": f"{number}\n" for kind, number in numbers})


def test_memory_errors_are_counted_by_controller_and_row(host: Open, series: Lines) -> None:
    files = (
        counts("mc0", 1, 2)
        | counts("mc0", 3, 4, noinfo=True)
        | counts("mc0/csrow0", 5, 6)
        | counts("mc0/csrow10", 7, 8)
        | {f"{EDAC}/mc0/mc_name": "x\n", f"{EDAC}/power/control": "auto\n"}
    )

    assert series(edac.collect(host(files))) == [
        'node_edac_correctable_errors_total{controller="0"} 1',
        'node_edac_csrow_correctable_errors_total{controller="0",csrow="0"} 5',
        'node_edac_csrow_correctable_errors_total{controller="0",csrow="10"} 7',
        'node_edac_csrow_correctable_errors_total{controller="0",csrow="unknown"} 3',
        'node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="0"} 6',
        'node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="10"} 8',
        'node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="unknown"} 4',
        'node_edac_uncorrectable_errors_total{controller="0"} 2',
    ]


def test_a_controller_that_does_not_tell_a_count_fails(host: Open) -> None:
    paths = host(counts("mc0", 1, 2))

    with pytest.raises(FileNotFoundError, match="mc0/ce_noinfo_count"):
        list(edac.collect(paths))
