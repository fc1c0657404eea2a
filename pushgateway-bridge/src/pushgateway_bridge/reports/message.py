"""A week's figures as text and as HTML (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import escape
from typing import Final, NamedTuple

from pushgateway_bridge.reports.figures import HOURS, LEAST_TRIED, FailureRate, Figures, Results, Share

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""What would break a line; names come from pushers."""
CELL: Final = "padding: 2px 16px 2px 0"


class Block(NamedTuple):
    """A part of the report: a heading, and lines of two columns or one sentence."""

    title: str
    rows: tuple[tuple[str, str], ...]
    sentence: str = ""


def subject(figures: Figures) -> str:
    """One line that has the most important number."""
    if figures.results is None:
        return f"Installations in week {figures.week}: no data"
    rate = figures.results.failure_rate
    failed = "" if rate is None else f", {_percent(1 - rate)} succeeded"
    return f"Installations in week {figures.week}: {figures.results.total}{failed}"


def render_text(figures: Figures) -> str:
    """The report for a terminal or a mail reader without HTML."""
    lines = [_headline(figures), _period(figures), ""]
    for block in _blocks(figures):
        lines.append(block.title)
        width = max((len(name) for name, _ in block.rows), default=0)
        lines.extend(f"  {name:<{width}}  {value}" for name, value in block.rows)
        if block.sentence:
            lines.append(f"  {block.sentence}")
        lines.append("")
    return "\n".join(lines)


def render_html(figures: Figures) -> str:
    """The report as a page without scripts, pictures or links."""
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(subject(figures))}</title></head>',
        '<body style="font-family: sans-serif">',
        f"<h2>{escape(_headline(figures))}</h2>",
        f"<p>{escape(_period(figures))}</p>",
    ]
    for block in _blocks(figures):
        parts.append(f"<h3>{escape(block.title)}</h3>")
        if block.rows:
            parts.append("<table>")
            parts.extend(
                f'<tr><td style="{CELL}">{escape(name)}</td><td style="{CELL}">{escape(value)}</td></tr>'
                for name, value in block.rows
            )
            parts.append("</table>")
        if block.sentence:
            parts.append(f"<p>{escape(block.sentence)}</p>")
    return "\n".join([*parts, "</body></html>", ""])


def _headline(figures: Figures) -> str:
    return f"Installations in week {figures.week.number} of {figures.week.year}"


def _period(figures: Figures) -> str:
    sunday = figures.week.end - timedelta(days=1)
    return f"Monday {figures.week.begin:%Y-%m-%d} to Sunday {sunday:%Y-%m-%d}, UTC"


def _blocks(figures: Figures) -> Iterator[Block]:
    results = figures.results
    if results is None:
        yield Block(
            "No data",
            (),
            "Prometheus has no installations of this week: nothing was pushed or scraped, or it is older than what it "
            "keeps. That does not mean that there were none.",
        )
        return
    yield Block("Results", tuple(_results(results)))
    yield _change(results, figures.before)
    nothing = "None."
    most = tuple(map(_share, figures.most_installed))
    yield Block("Most installed", most, "" if most else nothing)
    failing = tuple(map(_failing, figures.most_failing))
    yield Block(
        "Highest failure rates",
        failing,
        "" if failing else f"Of the applications that were tried at least {LEAST_TRIED} times none failed.",
    )
    types = tuple(_share_of(one, results.total) for one in figures.types)
    yield Block("By type", types, "" if types else nothing)
    systems = tuple(map(_share, figures.systems))
    yield Block("Guest systems", systems, "" if systems else nothing)
    if figures.hours_seen is not None and figures.hours_seen < HOURS:
        yield Block(
            "Incomplete",
            (),
            f"Prometheus saw the bridge in {figures.hours_seen} of the week's {HOURS} hours: there may have been more "
            "installations than are counted here.",
        )


def _results(results: Results) -> Iterator[tuple[str, str]]:
    yield "Total", str(results.total)
    yield "Succeeded", str(results.succeeded)
    yield "Failed", str(results.failed)
    yield "Aborted", str(results.aborted)
    yield "Without a result", str(results.unknown)
    rate = results.failure_rate
    yield "Success rate", "none: nothing succeeded or failed" if rate is None else _percent(1 - rate)


def _change(now: Results, before: Results | None) -> Block:
    title = "Against the week before"
    if before is None:
        return Block(title, (), "There is no data of the week before.")
    difference = now.total - before.total
    relative = f" ({difference / before.total:+.1%})" if before.total else ""
    rows = [("Installations", f"{difference:+d}{relative}, from {before.total}")]
    if now.failure_rate is not None and before.failure_rate is not None:
        points = 100 * (now.failure_rate - before.failure_rate)
        rows.append(
            ("Failure rate", f"{points:+.1f} percentage points, from {_percent(before.failure_rate)}")
        )
    return Block(title, tuple(rows))


def _share(share: Share) -> tuple[str, str]:
    return _name(share.name), str(share.number)


def _share_of(share: Share, total: int) -> tuple[str, str]:
    return _name(share.name), f"{share.number} ({_percent(share.number / total)})"


def _failing(rate: FailureRate) -> tuple[str, str]:
    return _name(rate.app), f"{rate.failed} of {rate.tried} ({_percent(rate.failed / rate.tried)})"


def _name(name: str) -> str:
    return CONTROL.sub(" ", name) or "unknown"


def _percent(share: float) -> str:
    return f"{share:.1%}"
