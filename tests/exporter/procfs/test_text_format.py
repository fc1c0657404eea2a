from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from host_exporter.procfs.text_format import Sample, TextFamily, parse_text, write_go_number


def one(number: float) -> list[Sample]:
    return [Sample("", (), number)]


def test_each_kind_of_family_is_read() -> None:
    text = r"""# written by a script
# HELP jobs_total Runs, \\ and \n \"more".
# TYPE jobs_total counter
jobs_total{job="a \"b\" \\ \n c",host="é",} 1e3
<tab> jobs_total { job = "d" }   +Inf

bare 2
# TYPE temperature gauge
temperature -1.5
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="q",le="10"} 3
wait_seconds_bucket{queue="q",le="0.5"} 1
wait_seconds_bucket{queue="q",le="+Inf"} 4
wait_seconds_sum{queue="q"} 12.5
wait_seconds_count{queue="q"} 4
# TYPE size_bytes summary
size_bytes{quantile="0.99"} 7
size_bytes_sum 70
size_bytes_count 10
# HELP empty Nothing of this name follows.
""".replace("<tab>", "\t")

    assert parse_text(text) == [
        TextFamily(
            "jobs_total",
            "counter",
            'Runs, \\ and \n "more".',
            {
                (("host", "é"), ("job", 'a "b" \\ \n c')): one(1000.0),
                (("host", ""), ("job", "d")): one(math.inf),
            },
        ),
        TextFamily("bare", "untyped", None, {(): one(2.0)}),
        TextFamily("temperature", "gauge", None, {(): one(-1.5)}),
        TextFamily(
            "wait_seconds",
            "histogram",
            None,
            {
                (("queue", "q"),): [
                    Sample("_bucket", (("le", "0.5"),), 1),
                    Sample("_bucket", (("le", "10"),), 3),
                    Sample("_bucket", (("le", "+Inf"),), 4),
                    Sample("_sum", (), 12.5),
                    Sample("_count", (), 4),
                ]
            },
        ),
        TextFamily(
            "size_bytes",
            "summary",
            None,
            {
                (): [
                    Sample("", (("quantile", "0.99"),), 7),
                    Sample("_sum", (), 70),
                    Sample("_count", (), 10),
                ]
            },
        ),
    ]


@pytest.mark.parametrize(
    ("lines", "bound", "count"),
    [
        ('h_bucket{le="1"} 2\nh_count 5\n', 5, 5),
        ('h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 5\n', 5, 5),
        ('h_bucket{le="1"} 2\n', 0, 0),
    ],
    ids=["no last bucket", "no count", "neither"],
)
def test_the_last_bucket_of_a_histogram_and_its_count_stand_in_for_each_other(
    lines: str, bound: int, count: int
) -> None:
    (family,) = parse_text(f"# TYPE h histogram\n{lines}")

    assert family.series[()][1:] == [
        Sample("_bucket", (("le", "+Inf"),), bound),
        Sample("_sum", (), 0.0),
        Sample("_count", (), count),
    ]


@pytest.mark.parametrize("lines", ["a 1\na 2\n", 'a{b=""} 1\na 2\na{b="c"} 3\n'], ids=["same", "empty label"])
def test_of_a_series_that_is_there_twice_the_first_counts_and_that_is_told(lines: str) -> None:
    (family,) = parse_text(lines)

    assert next(iter(family.series.values())) == one(1.0)
    assert len(family.repeated) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1", "line 1: expected a line feed at its end"),
        ("\n\na 1 1441205977284\n", "line 3: a has a timestamp"),
        ("a1\n", "line 1: expected NAME"),
        ("1a 1\n", "line 1: expected NAME"),
        ('a{b="c" 1\n', "line 1: expected NAME"),
        ("a one\n", "line 1: expected a number, got 'one'"),
        ("a 1_0\n", "expected a number"),
        ("a 1e999\n", "expected a number"),
        ("a ٣\n", "expected a number"),
        ("a 1\r\n", "expected a number"),
        ('a{b="\\x"} 1\n', "expected LABEL"),
        ('a{b="1",,} 1\n', "expected LABEL"),
        ('a{b="1",b="2"} 1\n', "label b is there twice"),
        ('a{__name__="1"} 1\n', "label __name__ is reserved"),
        ("# TYPE a number\n", "expected one of counter, gauge"),
        ("# TYPE a gauge\n# TYPE a gauge\n", "line 2: a second TYPE for a"),
        ("a 1\n# TYPE a gauge\n", "line 2: a second TYPE for a, or one after its samples"),
        ("# HELP a x\n# HELP a x\n", "line 2: a second HELP for a"),
        ("# HELP a \\q\n", "after a backslash"),
        ("# HELP 1a x\n", "expected a metric's name, got '1a'"),
        ("# TYPE h histogram\nh 1\n", "h is no sample of the histogram h"),
        ("# TYPE h histogram\nh_bucket 1\n", "expected the label le in h_bucket"),
        ('# TYPE h histogram\nh_bucket{le="x"} 1\n', "expected a number, got 'x'"),
        ('# TYPE h histogram\nh_bucket{le="NaN"} 1\n', "NaN is no bound"),
        ('# TYPE h histogram\nh_bucket{le="1"} -1\n', "expected a count, got -1"),
        ("# TYPE h histogram\nh_count NaN\n", "expected a count, got nan"),
        ("# TYPE s summary\ns 1\n", "expected the label quantile in s"),
    ],
    ids=str,
)
def test_what_is_malformed_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_text(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (100_000.0, "100000"),
        (1e6, "1e+06"),
        (1638400.0, "1.6384e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-2.5, "-2.5"),
        (-1e7, "-1e+07"),
        (0.0, "0"),
        (1e100, "1e+100"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_bounds_are_written_as_go_writes_them(number: float, text: str) -> None:
    assert write_go_number(number) == text


@given(st.floats(allow_nan=False))
def test_no_bound_is_changed_by_writing_it(number: float) -> None:
    assert float(write_go_number(number)) == number


def test_numbers_of_go_are_those_that_the_strict_parser_takes_as_bounds() -> None:
    bounds = [10.0**power for power in range(-10, 11)]
    lines = [f's{{quantile="{b}"}} 1' for b in map(write_go_number, bounds) if float(b) < 1]

    (family,) = text_string_to_metric_families("# TYPE s summary\n" + "\n".join(lines) + "\n# EOF\n")  # type: ignore[no-untyped-call]

    assert len(family.samples) == len(lines)
