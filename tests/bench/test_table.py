from __future__ import annotations

import pytest

from bench.summary import spread
from bench.table import Row, Target, Verdict, failed, render, replace_between

MUST, AIM = Target("≤", 0.5), Target("≤", 0.35)


def row(ratio: float | None, must: Target | None = MUST, aim: Target | None = AIM) -> Row:
    if ratio is None:
        return Row("CPU", "µs", None, must=must, aim=aim, note="not there yet")
    return Row("CPU", "µs", spread([ratio * 100]), spread([100.0]), spread([ratio]), must, aim)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (row(0.2), Verdict.AIM),
        (row(0.35), Verdict.AIM),
        (row(0.36), Verdict.MUST),
        (row(0.5), Verdict.MUST),
        (row(0.51), Verdict.FAILED),
        (row(0.51, must=None), Verdict.NONE),
        (row(0.2, must=None, aim=None), Verdict.NONE),
        (row(None), Verdict.SKIPPED),
    ],
)
def test_the_ratio_decides_the_verdict(measured: Row, verdict: Verdict) -> None:
    assert measured.verdict is verdict


def test_without_a_peer_our_own_value_decides() -> None:
    replay = Row("replay", "/s", spread([150_000.0]), must=Target("≥", 200_000))

    assert replay.verdict is Verdict.FAILED


def test_only_missed_musts_fail_a_run() -> None:
    missed = row(0.6)

    assert failed([row(0.2), missed, row(None), row(9.0, must=None)]) == [missed]


def test_the_table_shows_medians_range_and_targets() -> None:
    rates = Row(
        "pushes",
        "/s",
        spread([15_000.0, 16_000.0, 17_000.0]),
        spread([10_000.0, 10_500.0, 11_000.0]),
        spread([1.4, 1.5, 1.61]),
        Target("≥", 1.0),
        Target("≥", 1.7),
    )

    table = render([rates, row(None)])

    heading, rule, first, second, blank, note = table.splitlines()
    assert heading.startswith("| Work   | Peer ")
    assert set(rule) == {"|", "-"}
    assert len({len(line) for line in (heading, rule, first, second)}) == 1
    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        *("pushes", "10\u202f500 /s", "16\u202f000 /s"),
        *("1.5 × (1.4–1.61)", "≥ 1 ×", "≥ 1.7 ×", "must"),
    ]
    assert [cell.strip() for cell in second.strip("|").split("|")] == [
        *("CPU", "", "", ""),
        *("≤ 0.5", "≤ 0.35", "skipped"),
    ]
    assert blank == ""
    assert note == "- CPU: not there yet."


def test_a_table_takes_the_place_of_the_last_one() -> None:
    text = "above\n<!-- bridge -->\nold\n<!-- /bridge -->\nbelow\n"

    assert (
        replace_between(text, "bridge", "new\n") == "above\n<!-- bridge -->\nnew\n<!-- /bridge -->\nbelow\n"
    )


@pytest.mark.parametrize(
    "text", ["", "<!-- bridge -->\n", "<!-- /bridge -->", "<!-- bridge -->\n<!-- /exporter -->"]
)
def test_a_document_without_the_marks_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="bridge"):
        replace_between(text, "bridge", "new\n")
