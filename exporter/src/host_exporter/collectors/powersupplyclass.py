"""Batteries, mains adapters and USB supplies: charge, voltage, current, and which they are."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from host_exporter.collector import Collector, NoDataError, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number
from host_exporter.procfs.undecodable import replace_undecodable

FOLDER = "class/power_supply"
MICRO, TENTHS = 1_000_000, 10

UNANSWERED = frozenset({errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL})
"""How a file answers whose supply has no such value, or that went."""


class _Number(NamedTuple):
    family: Family
    divisor: int = 1
    """1 where the kernel has the family's unit, and then the number stays whole."""


def _number(name: str, divisor: int = 1) -> _Number:
    help_text = f"{name} value of /sys/class/power_supply/<power_supply>."
    return _Number(Family(f"node_power_supply_{name}", "gauge", help_text, ("power_supply",)), divisor)


_SAME_NAME = (
    *("current_boot", "current_max", "energy_empty", "energy_empty_design", "energy_full"),
    *("energy_full_design", "voltage_boot", "voltage_max", "voltage_max_design", "voltage_min"),
    *("voltage_min_design", "voltage_ocv", "charge_control_limit", "charge_control_limit_max"),
    *("charge_counter", "charge_empty", "charge_empty_design", "charge_full", "charge_full_design"),
    *("charge_term_current", "constant_charge_current", "constant_charge_current_max"),
    *("constant_charge_voltage", "constant_charge_voltage_max", "precharge_current", "input_current_limit"),
)
_TEMPERATURES = (
    *("temp", "temp_alert_max", "temp_alert_min", "temp_ambient", "temp_ambient_max", "temp_ambient_min"),
    *("temp_max", "temp_min"),
)

NUMBERS: dict[str, _Number] = {
    **{
        name: _number(name)
        for name in (
            *("authentic", "calibrate", "capacity", "capacity_alert_max", "capacity_alert_min"),
            *("online", "present"),
        )
    },
    "cycle_count": _number("cyclecount"),
    "time_to_empty_now": _number("time_to_empty_seconds"),
    "time_to_full_now": _number("time_to_full_seconds"),
    **{name: _number(name, MICRO) for name in _SAME_NAME},
    "current_now": _number("current_ampere", MICRO),
    "energy_now": _number("energy_watthour", MICRO),
    "voltage_now": _number("voltage_volt", MICRO),
    "charge_now": _number("charge_ampere", MICRO),
    "power_now": _number("power_watt", MICRO),
    **{name: _number(f"{name}_celsius", TENTHS) for name in _TEMPERATURES},
}
"""By the kernel's file: https://docs.kernel.org/power/power_supply_class.html"""

TEXTS = (
    *("capacity_level", "charge_type", "health", "manufacturer", "model_name", "scope", "serial_number"),
    *("status", "technology", "type", "usb_type"),
)
INFO = Family(
    "node_power_supply_info",
    "gauge",
    "info of /sys/class/power_supply/<power_supply>.",
    ("power_supply", *TEXTS),
    sparse=True,
)
FAMILIES = (INFO, *(number.family for number in NUMBERS.values()))

SETTINGS = (Setting("ignored-supplies", "^$", "Power supplies to leave out.", prefix="powersupply"),)


def make(settings: Settings) -> partial[Iterator[Value]]:
    """With the pattern of supplies that are left out."""
    return partial(collect, settings.pattern("ignored-supplies"))


def collect(ignored: re.Pattern[str] | None, paths: HostPaths) -> Iterator[Value]:
    """What each supply tells: volts, amperes, watts, degrees Celsius; energy and charge per hour."""
    try:
        supplies = paths.names_sys(FOLDER)
    except FileNotFoundError as error:
        raise NoDataError("no power supplies") from error
    for supply in supplies:
        if ignored is None or not ignored.search(supply):
            yield from _supply(paths, supply)


def _supply(paths: HostPaths, supply: str) -> Iterator[Value]:
    folder = f"{FOLDER}/{supply}"
    try:
        files = paths.names_sys(folder)
    except FileNotFoundError:
        return  # it was just unplugged
    texts = dict.fromkeys(TEXTS, "")
    for file in files:
        number = NUMBERS.get(file)
        if number is None and file not in texts:
            continue
        try:
            text = paths.read_sys(f"{folder}/{file}")
        except OSError as error:
            if error.errno in UNANSWERED:
                continue
            raise
        if number is None:
            texts[file] = replace_undecodable(text.strip())
        else:
            count = parse_number(text, f"{folder}/{file}")
            yield number.family, (supply,), count if number.divisor == 1 else count / number.divisor
    yield INFO, (supply, *texts.values()), 1


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
