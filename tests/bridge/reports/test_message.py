"""What a report looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from html.parser import HTMLParser

from pushgateway_bridge.reports.figures import (
    APPS,
    HOURS_SEEN,
    RESULTS,
    SYSTEMS,
    FailureRate,
    Figures,
    Results,
    Share,
    Value,
    gather,
    most_failing,
    top,
)
from pushgateway_bridge.reports.message import render_html, render_text, subject
from pushgateway_bridge.reports.week import Week

WEEK = Week(2026, 47)
ODD = "<b>&\"'\x00\r\n\u2028{{ . }}"
FULL = Figures(
    WEEK,
    Results(succeeded=90, failed=10, aborted=5, unknown=1),
    Results(succeeded=40, failed=10, aborted=3),
    (Share("lxc", 100), Share("vm", 6)),
    (Share("gitea", 50), Share(ODD, 20)),
    (FailureRate("docker", 5, 20),),
    (Share("debian", 80), Share("", 26)),
    168,
)
NOTHING = Figures(WEEK, None, None, (), (), (), (), None)


class Page(HTMLParser):
    """Its tags, and its text by lines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


def test_the_text_has_every_figure() -> None:
    assert render_text(FULL) == (
        "Installations in week 47 of 2026\n"
        "Monday 2026-11-16 to Sunday 2026-11-22, UTC\n"
        "\n"
        "Results\n"
        "  Total             106\n"
        "  Succeeded         90\n"
        "  Failed            10\n"
        "  Aborted           5\n"
        "  Without a result  1\n"
        "  Success rate      90.0%\n"
        "\n"
        "Against the week before\n"
        "  Installations  +53 (+100.0%), from 53\n"
        "  Failure rate   -10.0 percentage points, from 20.0%\n"
        "\n"
        "Most installed\n"
        "  gitea           50\n"
        "  <b>&\"' {{ . }}  20\n"
        "\n"
        "Highest failure rates\n"
        "  docker  5 of 20 (25.0%)\n"
        "\n"
        "By type\n"
        "  lxc  100 (94.3%)\n"
        "  vm   6 (5.7%)\n"
        "\n"
        "Guest systems\n"
        "  debian   80\n"
        "  unknown  26\n"
    )
    assert subject(FULL) == "Installations in week 2026-W47: 106, 90.0% succeeded"


def test_the_page_says_the_same_and_takes_no_name_for_markup() -> None:
    page = Page(render_html(FULL))

    assert page.tags <= {"html", "head", "meta", "title", "body", "h2", "h3", "p", "table", "tr", "td"}
    assert "<b>&\"' {{ . }}" in page.texts
    words = " ".join(" ".join(page.texts).split())
    for line in render_text(FULL).splitlines():
        assert " ".join(line.split()) in words


def test_a_week_without_data_is_called_that() -> None:
    text = render_text(NOTHING)

    assert subject(NOTHING) == "Installations in week 2026-W47: no data"
    assert "No data" in text
    assert "0" not in text.replace("2026-11-", "").replace("of 2026", "")
    assert "No data" in Page(render_html(NOTHING)).texts


def test_a_first_week_has_none_to_be_compared_with() -> None:
    assert "There is no data of the week before." in render_text(FULL._replace(before=None))


def test_a_week_in_which_nothing_was_installed_has_no_rates() -> None:
    empty = FULL._replace(
        results=Results(), before=Results(), types=(), most_installed=(), most_failing=(), systems=()
    )

    text = render_text(empty)

    assert "Success rate      none: nothing succeeded or failed" in text
    assert "Installations  +0, from 0" in text
    assert "%" not in text
    assert subject(empty) == "Installations in week 2026-W47: 0"


def test_a_week_that_prometheus_saw_only_in_part_is_called_incomplete() -> None:
    assert "in 100 of the week's 168 hours" in render_text(FULL._replace(hours_seen=100))
    assert "Incomplete" not in render_text(FULL)


def test_an_application_that_was_tried_rarely_has_no_failure_rate() -> None:
    def app(name: str, status: str, number: float) -> Value:
        return Value({"app": name, "status": status}, number)

    rates = most_failing(
        [
            *(app("rare", "failed", 14.0), app("enough", "failed", 1.0), app("enough", "success", 14.0)),
            *(app("worse", "failed", 2.0), app("worse", "success", 13.0), app("worse", "aborted", 99.0)),
            app("good", "success", 1000.0),
        ]
    )

    assert rates == (FailureRate("worse", 2, 15), FailureRate("enough", 1, 15))


def test_equal_ones_are_ranked_by_name_and_what_did_not_happen_is_left_out() -> None:
    assert top({"b": 2, "a": 2, "c": 3, "d": 0}, 2) == (Share("c", 3), Share("a", 2))


def test_types_of_one_application_are_added_up_and_every_query_is_asked_at_the_weeks_edges() -> None:
    asked: list[tuple[str, datetime]] = []

    async def ask(query: str, at: datetime) -> Sequence[Value]:
        asked.append((query, at))
        if query == RESULTS:
            number = 5.0 if at == WEEK.end else 4.0
            return [
                Value({"type": "lxc", "status": "success"}, number),
                Value({"type": "vm", "status": "success"}, 2.0),
            ]
        return []

    figures = asyncio.run(gather(WEEK, ask))

    assert figures.results == Results(succeeded=7)
    assert figures.before == Results(succeeded=6)
    assert figures.types == (Share("lxc", 5), Share("vm", 2))
    assert figures.hours_seen is None
    assert [(query, at) for query, at in asked if query != HOURS_SEEN] == [
        (RESULTS, WEEK.end),
        (RESULTS, WEEK.begin),
        (APPS, WEEK.end),
        (SYSTEMS, WEEK.end),
    ]
