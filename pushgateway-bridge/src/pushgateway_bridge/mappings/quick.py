"""What nearly all metrics are: plain numbers, several of them in one object. They are read together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import add, itemgetter, mul, truediv
from typing import Any, Final

from pushgateway_bridge.mappings.compiled import Metric, Operation
from pushgateway_bridge.mappings.units import UNCHANGED
from pushgateway_bridge.mappings.values import read_number, required

_NUMBERS: Final = frozenset({int, float})


class Together:
    """Numbers that stand in one object."""

    __slots__ = ("_columns", "_find", "_leaves", "_metrics", "_names", "_of_body", "parts")

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = tuple(metrics)
        self.parts = tuple([one.number for one in metrics])
        paths = [one.path for one in metrics if one.path is not None and one.path.names]
        assert len(paths) == len(metrics)
        self._of_body = paths[0].of_body
        names = [path.names for path in paths if path.names]
        self._names = names[0][:-1]
        leaves = [one[-1] for one in names]
        self._leaves = leaves
        find = itemgetter(*leaves)
        self._find: Callable[[Any], tuple[Any, ...]] = (
            find if len(leaves) > 1 else lambda found: (found[leaves[0]],)
        )
        conversions = [one.conversion for one in metrics]
        self._columns = None
        if any(one != UNCHANGED for one in conversions):
            factors, summands, divisors = zip(*conversions, strict=True)
            self._columns = factors, (summands if any(summands) else None), divisors

    def read(self, item: Any, body: Any) -> list[float] | None:
        """All of the numbers; ``None`` if one is absent or no plain number."""
        node = body if self._of_body else item
        try:
            for name in self._names:
                node = node[name]
            found = self._find(node)
            if not _NUMBERS.issuperset(map(type, found)):
                return None
            if self._columns is None:
                return list(map(float, found))
            factors, summands, divisors = self._columns
            products = map(mul, found, factors)
            return list(
                map(truediv, products if summands is None else map(add, products, summands), divisors)
            )
        except (KeyError, TypeError, OverflowError):
            return None

    def read_present(self, item: Any, body: Any) -> tuple[list[int], list[float]]:
        """Those numbers that are there, with their metrics' numbers. Raises Refused."""
        node = body if self._of_body else item
        try:
            for name in self._names:
                node = node[name]
        except (KeyError, TypeError):
            node = None
        find = node.get if type(node) is dict else _nothing
        parts: list[int] = []
        values: list[float] = []
        for metric, leaf in zip(self._metrics, self._leaves, strict=True):
            value = find(leaf)
            if value is None:
                if metric.required:
                    raise required(metric)
                continue
            parts.append(metric.number)
            if type(value) is float:
                factor, summand, divisor = metric.conversion
                values.append((value * factor + summand) / divisor)
            else:
                values.append(read_number(metric, value))
        return parts, values


def _nothing(_name: str) -> None:
    """What is found in what is no object."""


class Plan:
    """How the metrics of a mapping are read."""

    __slots__ = ("others", "parts", "together")

    def __init__(self, metrics: Iterable[Metric]) -> None:
        together = []
        others: list[Metric] = []
        for place, members in groupby(metrics, _object_of):
            if place is None:
                others += members
            else:
                together.append(Together(list(members)))
        self.together = tuple(together)
        self.others = tuple(others)
        self.parts = tuple([part for one in together for part in one.parts])
        """What an item gives of which all these are there: always this object."""

    def read(self, item: Any, body: Any) -> tuple[Sequence[int], list[float]]:
        """Numbers of the metrics, and the values, of what is read together. Raises Refused."""
        values: list[float] = []
        for one in self.together:
            numbers = one.read(item, body)
            if numbers is None:
                return self._read_present(item, body)
            values += numbers
        return self.parts, values

    def _read_present(self, item: Any, body: Any) -> tuple[Sequence[int], list[float]]:
        parts: list[int] = []
        values: list[float] = []
        for one in self.together:
            found = one.read_present(item, body)
            parts += found[0]
            values += found[1]
        return parts, values


def _object_of(metric: Metric) -> tuple[bool, tuple[str, ...]] | None:
    """The object that a plain number stands in; ``None`` if *metric* is more than that."""
    path = metric.path
    if (
        metric.operation is not Operation.SET
        or path is None
        or not path.names
        or metric.texts
        or metric.constant is not None
        or metric.values is not None
    ):
        return None
    return path.of_body, path.names[:-1]
