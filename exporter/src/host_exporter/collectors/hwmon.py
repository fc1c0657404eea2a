"""Temperatures, voltages, fans and whatever else the host's sensor chips measure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from host_exporter.collector import Collect, Collector, NameFilter, NoDataError, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.hwmon import KNOWN_NAMES, clean_name, parse_attribute, parse_number
from host_exporter.procfs.undecodable import replace_undecodable

FOLDER = "class/hwmon"
RUNTIME_POWER = "power"
"""A folder that every device has, for its power management: no sensor, though named as one."""

_LABELS = ("chip", "sensor")

CHIP_NAMES = Family(
    "node_hwmon_chip_names",
    "gauge",
    "Annotation metric for human-readable chip names",
    ("chip", "chip_name"),
)
SENSOR_LABEL = Family(
    "node_hwmon_sensor_label", "gauge", "Label for given chip and sensor", ("chip", "sensor", "label")
)
BEEP_ENABLED = Family("node_hwmon_beep_enabled", "gauge", "Hardware beep enabled", _LABELS)
REGULATOR_VERSION = Family(
    "node_hwmon_voltage_regulator_version", "gauge", "Hardware voltage regulator", _LABELS
)
UPDATE_INTERVAL = Family(
    "node_hwmon_update_interval_seconds", "gauge", "Hardware monitor update interval", _LABELS
)


class Measure(NamedTuple):
    """A family, and what the kernel's number is multiplied with or divided by to be in the family's unit."""

    family: Family
    multiplier: float = 1.0
    divisor: float = 1.0


_DOCUMENTED = {
    "in": (
        *("input", "min", "max", "lcrit", "crit", "average", "lowest", "highest"),
        *("alarm", "min_alarm", "max_alarm", "lcrit_alarm", "crit_alarm", "beep", "fault", "enable"),
    ),
    "cpu": ("vid",),
    "fan": ("input", "min", "max", "target", "div", "pulses", "alarm", "fault", "beep", "enable"),
    "pwm": ("", "enable", "mode", "freq"),
    "temp": (
        *("input", "min", "max", "max_hyst", "min_hyst", "crit", "crit_hyst", "emergency", "emergency_hyst"),
        *("lcrit", "lcrit_hyst", "offset", "lowest", "highest", "type", "alarm", "min_alarm", "max_alarm"),
        *("crit_alarm", "emergency_alarm", "fault", "beep", "enable"),
    ),
    "curr": (
        *("input", "min", "max", "lcrit", "crit", "average", "lowest", "highest"),
        *("alarm", "min_alarm", "max_alarm", "crit_alarm", "beep", "enable"),
    ),
    "power": (
        *("input", "average", "average_interval", "average_interval_min", "average_interval_max", "accuracy"),
        *("average_highest", "average_lowest", "input_highest", "input_lowest", "cap", "cap_max", "cap_min"),
        *("max", "crit", "alarm", "cap_alarm", "max_alarm", "crit_alarm", "enable"),
    ),
    "energy": ("input",),
    "humidity": ("input", "min", "max", "alarm", "fault", "enable"),
    "intrusion": ("alarm", "beep"),
    "freq": ("input",),
}
"""The elements that the kernel documents for each kind of sensor. Drivers have more."""


def _measure(kind: str, element: str, *, beside_own: bool) -> Measure:
    """What an element of a sensor becomes; *beside_own* if the sensor has a file without an element as well."""
    name = f"node_hwmon_{kind}"
    if element == "input":
        name += "_input" if beside_own else ""
    elif element:
        name += f"_{clean_name(element)}"
    return _special(name, kind, element) or _with_unit(name, kind, element)


def _special(name: str, kind: str, element: str) -> Measure | None:
    if element in ("fault", "alarm"):
        return Measure(Family(name, "gauge", f"Hardware sensor {element} status ({kind})", _LABELS))
    if element == "beep":
        return Measure(
            Family(f"{name}_enabled", "gauge", "Hardware monitor sensor has beeping enabled", _LABELS)
        )
    if kind == "power" and element == "accuracy":
        return Measure(
            Family(name, "gauge", "Hardware monitor power meter accuracy, as a ratio", _LABELS), divisor=1e6
        )
    if kind == "power" and element in ("average_interval", "average_interval_min", "average_interval_max"):
        help_text = f"Hardware monitor power usage update interval ({element})"
        return Measure(Family(f"{name}_seconds", "gauge", help_text, _LABELS), multiplier=0.001)
    if kind == "fan" and element in ("input", "min", "max", "target"):
        help_text = f"Hardware monitor for fan revolutions per minute ({element})"
        return Measure(Family(f"{name}_rpm", "gauge", help_text, _LABELS))
    if kind == "freq" and element == "input":
        help_text = "Hardware monitor for GPU frequency in MHz"
        return Measure(Family(f"{name}_freq_mhz", "gauge", help_text, _LABELS), divisor=1e6)
    return None


def _with_unit(name: str, kind: str, element: str) -> Measure:
    if kind in ("in", "cpu"):
        help_text = f"Hardware monitor for voltage ({element})"
        return Measure(Family(f"{name}_volts", "gauge", help_text, _LABELS), multiplier=0.001)
    if kind == "temp" and element != "type":
        help_text = f"Hardware monitor for temperature ({element or 'input'})"
        return Measure(Family(f"{name}_celsius", "gauge", help_text, _LABELS), multiplier=0.001)
    if kind == "curr":
        help_text = f"Hardware monitor for current ({element})"
        return Measure(Family(f"{name}_amps", "gauge", help_text, _LABELS), multiplier=0.001)
    if kind == "energy":
        help_text = f"Hardware monitor for joules used so far ({element})"
        return Measure(Family(f"{name}_joule_total", "counter", help_text, _LABELS), divisor=1e6)
    if kind == "power":
        help_text = f"Hardware monitor for power usage in watts ({element})"
        return Measure(Family(f"{name}_watt", "gauge", help_text, _LABELS), divisor=1e6)
    if kind == "humidity":
        help_text = (
            "Hardware monitor for humidity, as a ratio"
            f" (multiply with 100.0 to get the humidity as a percentage) ({element})"
        )
        return Measure(Family(name, "gauge", help_text, _LABELS), divisor=1e6)
    return Measure(Family(name, "gauge", f"Hardware monitor {kind} element {element}", _LABELS))


class Measures:
    """The family of each element of each kind of sensor, the same one whenever it is asked for.

    Those of elements that the kernel does not document come to be when a driver is met that has one.
    """

    def __init__(self) -> None:
        self._measures: dict[tuple[str, str, bool], Measure] = {}
        self._families: dict[str, Family] = {}

    def of(self, kind: str, element: str, *, beside_own: bool = False) -> Measure:
        """The measure of *element* of a sensor of *kind*."""
        key = kind, element, beside_own
        known = self._measures.get(key)
        if known is None:
            measure = _measure(kind, element, beside_own=beside_own)
            # Two elements may have one name, and one name has one help text: the first's.
            family = self._families.setdefault(measure.family.name, measure.family)
            known = self._measures[key] = measure._replace(family=family)
        return known


MEASURES = Measures()
OF_CHIP = {"vrm": Measure(REGULATOR_VERSION), "update_interval": Measure(UPDATE_INTERVAL, multiplier=0.001)}
"""What a chip tells of itself, not of a sensor."""

FAMILIES = (
    *(CHIP_NAMES, SENSOR_LABEL, BEEP_ENABLED, REGULATOR_VERSION, UPDATE_INTERVAL),
    *(MEASURES.of(kind, element).family for kind, elements in _DOCUMENTED.items() for element in elements),
)
"""Those of the elements that the kernel documents; drivers that have others yield families beyond these."""

SETTINGS = (
    Setting("chip-include", "", "Chips to show."),
    Setting("chip-exclude", "", "Chips to leave out."),
    Setting("sensor-include", "", "Sensors to show, as CHIP;SENSOR."),
    Setting("sensor-exclude", "", "Sensors to leave out, as CHIP;SENSOR."),
)


def make(settings: Settings) -> Collect:
    """Both patterns of a pair may be told: what is shown must match the one and not the other."""
    chips = NameFilter(settings.pattern("chip-include"), settings.pattern("chip-exclude"))
    sensors = NameFilter(settings.pattern("sensor-include"), settings.pattern("sensor-exclude"))
    return Chips(chips, sensors).collect


class _Chip(NamedTuple):
    name: str
    driver: str
    """Empty if it does not say."""
    folders: list[tuple[str, list[str]]]
    """Where its attributes are, and what there is; an attribute that is in both counts in the last."""


_Number: TypeAlias = tuple[str, tuple[str, str], Measure]
"""The file that has it, the labels, the family with the factors."""


class _Plan(NamedTuple):
    """Which files of a chip to read, and what each becomes."""

    labels: list[tuple[str, tuple[str, str]]]
    beeps: list[tuple[str, tuple[str, str]]]
    numbers: list[_Number]
    frequencies: list[tuple[str, _Number]]
    """With the file that has the label, which is their sensor's name."""


class Chips:
    """Reads the chips that are shown.

    Where a chip's link leads is kept as long as that folder is there, for its name has the device's and the
    chip's number; what the files' names mean as long as there are the same files.
    """

    def __init__(self, chips: NameFilter, sensors: NameFilter) -> None:
        self._shown = chips
        self._sensors = sensors
        self._places: dict[str, tuple[str, str]] = {}
        """By link: the chip's folder, and its device's if it has one."""
        self._planned: dict[str, tuple[_Chip, _Plan]] = {}

    def collect(self, paths: HostPaths) -> Iterable[Value]:
        """Each sensor of each chip, in base units. An attribute that cannot be read now is left out."""
        try:
            links = paths.names_sys(FOLDER)
        except FileNotFoundError as error:
            raise NoDataError("no sensor chips") from error
        chips = {link: chip for link in links if (chip := self._chip(paths, link)) is not None}
        self._planned = {
            link: self._plan(link, chip) for link, chip in chips.items() if self._shown.shows(chip.name)
        }
        planned = self._planned.values()
        values = (value for chip, plan in planned for value in _values(paths, chip, plan))
        # A device may have two chips, which node_exporter gives one name.
        return values if len({chip.name for chip, _ in planned}) == len(planned) else _first_of_each(values)

    def _chip(self, paths: HostPaths, link: str) -> _Chip | None:
        """The chip, as its files are now; ``None`` if it just went."""
        known = self._places.get(link)
        if known is not None:
            try:
                return _chip(paths, *known)
            except (FileNotFoundError, NotADirectoryError):
                del self._places[link]
        folder = _followed(paths, f"{FOLDER}/{link}")
        device = _followed(paths, f"{folder}/device")
        try:
            paths.names_sys(device)
        except (FileNotFoundError, NotADirectoryError):
            device = ""
        try:
            chip = _chip(paths, folder, device)
        except (FileNotFoundError, NotADirectoryError):
            return None
        self._places[link] = folder, device
        return chip

    def _plan(self, link: str, chip: _Chip) -> tuple[_Chip, _Plan]:
        known = self._planned.get(link)
        return known if known is not None and known[0] == chip else (chip, _plan(chip, self._sensors))


def _chip(paths: HostPaths, folder: str, device: str) -> _Chip:
    names = paths.names_sys(folder)
    driver = _driver_name(paths, folder) if "name" in names else ""
    folders = [(folder, names)]
    if device:
        folders.append((device, paths.names_sys(device)))
    return _Chip(_chip_name(folder, device, driver), driver, folders)


def _followed(paths: HostPaths, name: str) -> str:
    """Where a link below sysfs leads to, or *name* if it is none."""
    try:
        return posixpath.normpath(posixpath.join(posixpath.dirname(name), paths.link_sys(name)))
    except OSError:
        return name


def _chip_name(folder: str, device: str, driver: str) -> str:
    """The device's place, which is the same after each boot; else the driver's name, else the chip's number."""
    return _place_name(device) or driver or clean_name(posixpath.basename(folder))


@lru_cache(maxsize=KNOWN_NAMES)
def _place_name(device: str) -> str:
    names = [clean_name(part) for part in device.split("/")[-2:]]
    return "_".join(name for name in names if name) if names[-1] else ""


def _driver_name(paths: HostPaths, folder: str) -> str:
    try:
        return clean_name(paths.read_sys(f"{folder}/name"))
    except OSError:
        return ""


def _plan(chip: _Chip, shown: NameFilter) -> _Plan:
    sensors: dict[str, tuple[str, dict[str, str]]] = {}
    for folder, names in chip.folders:
        for name in names:
            attribute = parse_attribute(name)
            if attribute is not None and name != RUNTIME_POWER:
                _, files = sensors.setdefault(attribute.sensor, (attribute.kind, {}))
                files[attribute.element] = f"{folder}/{name}"
    plan = _Plan([], [], [], [])
    for sensor, (kind, files) in sensors.items():
        if shown.shows(f"{chip.name};{sensor}"):
            _plan_sensor(plan, (chip.name, sensor), kind, files)
    return plan


def _plan_sensor(plan: _Plan, labels: tuple[str, str], kind: str, files: dict[str, str]) -> None:
    own = files.get("")
    label = files.pop("label", None)
    if label is not None:
        plan.labels.append((label, labels))
    if kind == "beep_enable" or kind in OF_CHIP:
        if own is not None and kind in OF_CHIP:
            plan.numbers.append((own, labels, OF_CHIP[kind]))
        elif own is not None:
            plan.beeps.append((own, labels))
        return
    for element, file in files.items():
        measure = MEASURES.of(kind, element, beside_own=own is not None and element == "input")
        if kind != "freq" or element != "input":
            plan.numbers.append((file, labels, measure))
        elif label is not None:
            plan.frequencies.append((label, (file, labels, measure)))


def _values(paths: HostPaths, chip: _Chip, plan: _Plan) -> Iterator[Value]:
    read = paths.read_sys
    if chip.driver:
        yield CHIP_NAMES, (chip.name, chip.driver), 1
    for file, labels, (family, multiplier, divisor) in _numbers_now(paths, plan):
        try:
            number = parse_number(read(file))
        except OSError:
            continue  # sensors sleep, are busy, or have come loose
        if number is not None:
            yield family, labels, number * multiplier / divisor
    for file, labels in plan.labels:
        label = _text(paths, file)
        if label is not None:
            yield SENSOR_LABEL, (*labels, replace_undecodable(label)), 1
    for file, labels in plan.beeps:
        enabled = _text(paths, file)
        if enabled is not None:
            yield BEEP_ENABLED, labels, int(enabled == "1")


def _numbers_now(paths: HostPaths, plan: _Plan) -> list[_Number]:
    """With the frequencies, whose sensors are named by their labels."""
    named = [
        (file, (chip, clean_name(name)), measure)
        for label, (file, (chip, _), measure) in plan.frequencies
        if (name := _text(paths, label)) is not None
    ]
    return [*plan.numbers, *named] if named else plan.numbers


def _text(paths: HostPaths, file: str) -> str | None:
    try:
        return paths.read_sys(file).strip("\n")
    except OSError:
        return None


def _first_of_each(values: Iterable[Value]) -> Iterator[Value]:
    """*values* without those of a series that there was already."""
    seen = set()
    for family, labels, number in values:
        if (family, labels) not in seen:
            seen.add((family, labels))
            yield family, labels, number


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
