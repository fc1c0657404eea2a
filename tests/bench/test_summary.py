from __future__ import annotations

import pytest

from bench.summary import paired_ratios, percentile, relative_range, spread


def test_spread_keeps_the_rounds_in_their_order() -> None:
    found = spread([3.0, 1.0, 10.0, 2.0])

    assert found == (2.5, 1.0, 10.0, (3.0, 1.0, 10.0, 2.0))


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no round"):
        spread([])


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)]
)
def test_percentile_is_the_nearest_rank(fraction: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], fraction) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.0], fraction) for fraction in (0.01, 0.5, 0.99)] == [7.0, 7.0, 7.0]


def test_ratios_are_taken_within_a_round() -> None:
    """The machine was half as fast in the second round: the ratio of medians would be the same, its range not."""
    assert paired_ratios([20.0, 10.0], [10.0, 5.0]) == [2.0, 2.0]


@pytest.mark.parametrize(("ours", "peers"), [([1.0], [1.0, 2.0]), ([1.0], [0.0])], ids=["unpaired", "zero"])
def test_ratios_that_mean_nothing_are_refused(ours: list[float], peers: list[float]) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer|above 0"):
        paired_ratios(ours, peers)


def test_relative_range_is_a_part_of_the_median() -> None:
    assert relative_range([1.0, 2.0, 3.0]) == 1.0
