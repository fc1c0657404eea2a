"""How steady the machine was while a comparison ran."""

from __future__ import annotations

from typing import Protocol

from bench.machine import time_fixed_loop


class Measured(Protocol):
    """What a measurement says of the machine."""

    @property
    def other_cores(self) -> float:
        """CPUs that neither the server nor its client kept busy."""

    @property
    def own_cpu_us(self) -> float:
        """The client's own CPU for one request, in microseconds."""


class Noise:
    """How steady the machine was, looked at before each round and during each measurement."""

    def __init__(self) -> None:
        self.loop_seconds: list[float] = []
        """Of a fixed piece of work."""
        self.other_cores: list[float] = []
        """CPUs that neither the server nor the load generator kept busy while one was measured."""
        self.generator_cpu_us: list[float] = []
        """The load generator's own CPU for one request."""

    def look(self) -> None:
        """Time the fixed piece of work."""
        self.loop_seconds.append(time_fixed_loop())

    def note(self, result: Measured) -> None:
        """Remember what a measurement says of the machine."""
        self.other_cores.append(result.other_cores)
        self.generator_cpu_us.append(result.own_cpu_us)
