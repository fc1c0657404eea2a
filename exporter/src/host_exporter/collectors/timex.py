"""How the host's clock is kept in time: what adjtimex(2) tells."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from host_exporter.collector import Collect, Collector, NoDataError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths


def _family(name: str, help_text: str, kind: Literal["counter", "gauge"] = "gauge") -> Family:
    return Family(f"node_timex_{name}", kind, help_text)


SYNC_STATUS = _family("sync_status", "Is clock synchronized to a reliable server (1 = yes, 0 = no).")
OFFSET = _family("offset_seconds", "Time offset in between local system and reference clock.")
FREQUENCY = _family("frequency_adjustment_ratio", "Local clock frequency adjustment.")
MAX_ERROR = _family("maxerror_seconds", "Maximum error in seconds.")
ESTIMATED_ERROR = _family("estimated_error_seconds", "Estimated error in seconds.")
STATUS = _family("status", "Value of the status array bits.")
LOOP_TIME_CONSTANT = _family("loop_time_constant", "Phase-locked loop time constant.")
TICK = _family("tick_seconds", "Seconds between clock ticks.")
PPS_FREQUENCY = _family("pps_frequency_hertz", "Pulse per second frequency.")
PPS_JITTER = _family("pps_jitter_seconds", "Pulse per second jitter.")
PPS_SHIFT = _family("pps_shift_seconds", "Pulse per second interval duration.")
PPS_STABILITY = _family(
    "pps_stability_hertz", "Pulse per second stability, average of recent frequency changes."
)
PPS_JITTER_EXCEEDED = _family(
    "pps_jitter_total", "Pulse per second count of jitter limit exceeded events.", "counter"
)
PPS_CALIBRATIONS = _family(
    "pps_calibration_total", "Pulse per second count of calibration intervals.", "counter"
)
PPS_ERRORS = _family("pps_error_total", "Pulse per second count of calibration errors.", "counter")
PPS_STABILITY_EXCEEDED = _family(
    "pps_stability_exceeded_total",
    "Pulse per second count of stability limit exceeded events.",
    "counter",
)
TAI_OFFSET = _family("tai_offset_seconds", "International Atomic Time (TAI) offset.")
FAMILIES = (
    SYNC_STATUS,
    OFFSET,
    FREQUENCY,
    MAX_ERROR,
    ESTIMATED_ERROR,
    STATUS,
    LOOP_TIME_CONSTANT,
    TICK,
    PPS_FREQUENCY,
    PPS_JITTER,
    PPS_SHIFT,
    PPS_STABILITY,
    PPS_JITTER_EXCEEDED,
    PPS_CALIBRATIONS,
    PPS_ERRORS,
    PPS_STABILITY_EXCEEDED,
    TAI_OFFSET,
)

UNSYNCHRONIZED = 5
"""TIME_ERROR: no reliable server keeps the clock in time."""

NANOSECOND_STATUS = 0x2000
"""STA_NANO: offset and jitter are in nanoseconds, not in microseconds."""

NANOSECONDS = 1_000_000_000
MICROSECONDS = 1_000_000
SCALED_PPM = 1_000_000 * 65_536
"""Frequencies are in parts per million, with a fraction of 16 bits."""


class Clock(NamedTuple):
    """What the kernel answers: whether the clock is in time (``state``), and struct timex, in its units."""

    state: int
    offset: int
    freq: int
    maxerror: int
    esterror: int
    status: int
    constant: int
    tick: int
    ppsfreq: int
    jitter: int
    shift: int
    stabil: int
    jitcnt: int
    calcnt: int
    errcnt: int
    stbcnt: int
    tai: int


AskClock: TypeAlias = Callable[[], Clock]


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_seconds", ctypes.c_long),
        ("time_fraction", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def asks_kernel() -> AskClock:
    """What asks the kernel, changing nothing. It raises OSError where that is forbidden."""
    adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex

    def ask() -> Clock:
        timex = _Timex()  # modes 0: only read
        state = adjtimex(ctypes.byref(timex))
        if state < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"adjtimex: {os.strerror(number)}")
        return Clock(state, *[getattr(timex, field) for field in Clock._fields[1:]])

    return ask


def collect(_paths: HostPaths, ask: AskClock) -> Iterator[Value]:
    """Seventeen series without labels. The clock is this machine's, whatever tree is read."""
    try:
        clock = ask()
    except PermissionError as error:
        raise NoDataError(f"not permitted: {error}") from error
    fractions = NANOSECONDS if clock.status & NANOSECOND_STATUS else MICROSECONDS
    yield SYNC_STATUS, (), int(clock.state != UNSYNCHRONIZED)
    yield OFFSET, (), clock.offset / fractions
    yield FREQUENCY, (), 1 + clock.freq / SCALED_PPM
    yield MAX_ERROR, (), clock.maxerror / MICROSECONDS
    yield ESTIMATED_ERROR, (), clock.esterror / MICROSECONDS
    yield STATUS, (), clock.status
    yield LOOP_TIME_CONSTANT, (), clock.constant
    yield TICK, (), clock.tick / MICROSECONDS
    yield PPS_FREQUENCY, (), clock.ppsfreq / SCALED_PPM
    yield PPS_JITTER, (), clock.jitter / fractions
    yield PPS_SHIFT, (), clock.shift
    yield PPS_STABILITY, (), clock.stabil / SCALED_PPM
    yield PPS_JITTER_EXCEEDED, (), clock.jitcnt
    yield PPS_CALIBRATIONS, (), clock.calcnt
    yield PPS_ERRORS, (), clock.errcnt
    yield PPS_STABILITY_EXCEEDED, (), clock.stbcnt
    yield TAI_OFFSET, (), clock.tai


def make(_settings: Settings) -> Collect:
    """Asks the kernel of this machine."""
    return partial(collect, ask=asks_kernel())


COLLECTOR = Collector(FAMILIES, make)
