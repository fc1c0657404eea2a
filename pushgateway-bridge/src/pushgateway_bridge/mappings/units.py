"""Units that mappings convert: what a value times, plus and through is in the base unit of its kind. Pure.

A conversion is ``(value * factor + summand) / divisor`` with whole numbers where there are such, so that 1001 ms are
1.001 s and 212 °F are 100 °C, and not nearly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

LARGEST_TERM: Final = 10**30
"""Of numerators and denominators of a conversion."""


class Conversion(NamedTuple):
    """``(value * factor + summand) / divisor``"""

    factor: float = 1.0
    summand: float = 0.0
    divisor: float = 1.0

    def of(self, value: float) -> float:
        """*value* converted; it may be infinite then. Raises OverflowError for an integer that no float holds."""
        return (value * self.factor + self.summand) / self.divisor


UNCHANGED: Final = Conversion()

_Linear = tuple[Fraction, Fraction]
"""Factor and offset of the way to the base unit."""


def _kind(**factors: str) -> dict[str, _Linear]:
    return {name: (Fraction(factor), Fraction(0)) for name, factor in factors.items()}


# The first of each kind is the base unit, under the name that Prometheus' conventions give it:
# https://prometheus.io/docs/practices/naming/#base-units
_NINTHS: Final = Fraction(5, 9)
KINDS: Final[Mapping[str, Mapping[str, _Linear]]] = {
    "seconds": {
        **_kind(seconds="1", s="1", ns="1/1000000000", us="1/1000000", µs="1/1000000", ms="1/1000"),
        **_kind(nanoseconds="1/1000000000", microseconds="1/1000000", milliseconds="1/1000"),
        **_kind(min="60", minutes="60", h="3600", hours="3600", d="86400", days="86400"),
    },
    "bytes": {
        **_kind(bytes="1", B="1", kB="1000", KB="1000", MB="1000000", GB="1000000000", TB="1000000000000"),
        **_kind(KiB="1024", MiB=str(2**20), GiB=str(2**30), TiB=str(2**40)),
        **_kind(bits="1/8", bit="1/8", kbit="125", Mbit="125000", Gbit="125000000"),
    },
    "bytes_per_second": {
        **_kind(bytes_per_second="1"),
        **{
            f"{name}/s": (Fraction(factor), Fraction(0))
            for name, factor in {
                "B": "1",
                "kB": "1000",
                "KB": "1000",
                "MB": "1000000",
                "GB": "1000000000",
                "KiB": "1024",
                "MiB": str(2**20),
                "GiB": str(2**30),
                "bit": "1/8",
                "kbit": "125",
                "Mbit": "125000",
                "Gbit": "125000000",
            }.items()
        },
    },
    "ratio": {**_kind(ratio="1", percent="1/100", permille="1/1000"), "%": (Fraction(1, 100), Fraction(0))},
    "celsius": {
        **_kind(celsius="1", C="1"),
        "°C": (Fraction(1), Fraction(0)),
        **dict.fromkeys(("fahrenheit", "F", "°F"), (_NINTHS, -32 * _NINTHS)),
        **dict.fromkeys(("kelvin", "K"), (Fraction(1), Fraction("-273.15"))),
    },
    "meters": {
        **_kind(meters="1", m="1", mm="1/1000", cm="1/100", km="1000"),
        **{name: (Fraction(text), Fraction(0)) for name, text in (("in", "0.0254"), ("ft", "0.3048"))},
        **_kind(miles="1609.344", mi="1609.344"),
    },
    "meters_per_second": {
        **_kind(meters_per_second="1", mph="0.44704", knots="463/900"),
        "m/s": (Fraction(1), Fraction(0)),
        "km/h": (Fraction(5, 18), Fraction(0)),
    },
    "grams": _kind(grams="1", g="1", mg="1/1000", kg="1000", t="1000000", lb="453.59237", oz="28.349523125"),
    "liters": _kind(liters="1", l="1", L="1", ml="1/1000", mL="1/1000", m3="1000"),
    "joules": _kind(joules="1", J="1", kJ="1000", MJ="1000000", Wh="3600", kWh="3600000", kcal="4184"),
    "watts": _kind(watts="1", W="1", mW="1/1000", kW="1000", MW="1000000", hp="745.69987158227022"),
    "volts": _kind(volts="1", V="1", mV="1/1000", kV="1000"),
    "amperes": _kind(amperes="1", A="1", mA="1/1000", uA="1/1000000", µA="1/1000000"),
    "hertz": _kind(hertz="1", Hz="1", kHz="1000", MHz="1000000", GHz="1000000000", rpm="1/60"),
    "pascals": {
        **_kind(pascals="1", Pa="1", hPa="100", kPa="1000", bar="100000", mbar="100"),
        **_kind(psi="6894.757293168", mmHg="133.322387415"),
    },
}

UNITS: Final[Mapping[str, str]] = {name: kind for kind, units in KINDS.items() for name in units}
"""Name of a unit → the base unit of its kind."""


def between(source: str, target: str) -> Conversion:
    """The conversion from one of UNITS to another. Raises ValueError if they measure different things."""
    kind = UNITS[source]
    if UNITS[target] != kind:
        raise ValueError(f"{source} is a unit of {kind}, and {target} one of {UNITS[target]}")
    factor, offset = KINDS[kind][source]
    target_factor, target_offset = KINDS[kind][target]
    return _conversion(factor / target_factor, (offset - target_offset) / target_factor)


def linear(factor: float, offset: float) -> Conversion:
    """``value * factor + offset``. Raises ValueError for a factor of 0, and for numbers that are out of range."""
    if factor == 0 or not math.isfinite(factor) or not math.isfinite(offset):
        raise ValueError("a factor must be a finite number other than 0, and an offset finite")
    # repr gives the decimal number that was meant, as 0.1, and not the binary one beside it.
    return _conversion(Fraction(repr(factor)), Fraction(repr(offset)))


def _conversion(factor: Fraction, offset: Fraction) -> Conversion:
    divisor = math.lcm(factor.denominator, offset.denominator)
    terms = (factor * divisor, offset * divisor, Fraction(divisor))
    if any(abs(term) > LARGEST_TERM for term in terms):
        raise ValueError("factor and offset must be between 1e-15 and 1e15, with at most 15 digits")
    return Conversion(*map(float, terms))
