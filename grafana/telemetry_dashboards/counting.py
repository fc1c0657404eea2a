"""Selectors, counts and names as the dashboards about counted events use them."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery

from telemetry_dashboards.promql import now
from telemetry_dashboards.shell import hidden_variable, label_variable

HOUR, DAY = "1h", "1d"
"""Windows that end at each point of a line: what the hour, or the day, before it brought."""

WHOLE_RANGE = "$__range"


def of_job(metric: str, matchers: str = "", variable: str = "job") -> str:
    """Selector of *metric* of the job that *variable* is; what the bridge counts has no instance."""
    return f'{metric}{{job="${variable}"{"," if matchers else ""}{matchers}}}'


def counted(counter: str, by: str = "", matchers: str = "", window: str = WHOLE_RANGE) -> str:
    """How many events *counter* took in *window*, for each value of the labels *by*.

    Events are whole; without rounding an increase is a fraction, as it is stretched to the ends of its window.
    """
    return f"sum{_grouping(by)}({grown(counter, matchers, window, whole=True)})"


def grown(counter: str, matchers: str = "", window: str = WHOLE_RANGE, *, whole: bool = False) -> str:
    """What each series of *counter* grew by in *window*; of the whole range, `counting_variables` say how it is found.

    The bridge keeps its counters through restarts and crashes. So they are what they were when the range began, or
    nothing if they were not there, and what came since: two samples tell, exactly, of however many there are. If it
    is not known what they were then, and in all other windows, all samples are read; that is estimated, and rounded
    if it counts *whole* things.
    """

    def estimate(selector: str) -> str:
        increase = f"increase({selector}[{window}])"
        return f"round({increase})" if whole else increase

    if window != WHOLE_RANGE:
        return estimate(of_job(counter, matchers))
    now = of_job(counter, matchers, "counted")
    return (
        f"{now} - {now} offset {window} >= 0 or {now} or {estimate(of_job(counter, matchers, 'estimated'))}"
    )


def counting_variables() -> tuple[QueryVariable, QueryVariable]:
    """Variables ``counted`` and ``estimated``, which nobody chooses: one is the chosen job, the other no job.

    What its counters grew by can be told from their ends if the job was known at both. Otherwise Prometheus, the
    bridge or the job itself came later, or one of the first two did not run just then.
    """
    known = of_job("telemetry_last_report_timestamp_seconds")
    at_both_ends = f"group by (job) ({known}) and group by (job) ({known} offset {WHOLE_RANGE})"
    nobody = 'label_replace(vector(1), "job", "none", "", "")'
    chosen = 'label_replace(vector(1), "job", "$job", "", "")'
    return (
        hidden_variable("counted", f"{at_both_ends} or on () {nobody}", "job").description(
            "The job, if its counters are known as they were when the time range began."
        ),
        hidden_variable(
            "estimated", f"{chosen} unless ({at_both_ends}) or on () {nobody}", "job"
        ).description("The job, if what its counters grew by has to be estimated."),
    )


def _grouping(by: str) -> str:
    return f" by ({by}) " if by else ""


def greatest_first(counter: str, by: str, matchers: str = "", most: int | None = None) -> Dataquery:
    """Query of how many events *counter* took in the whole range, by the label *by*, without those that have none.

    The greatest comes first; *most* limits how many there are.
    """
    counts = f"{counted(counter, by, matchers)} > 0"
    return now(f"sort_desc({counts if most is None else f'topk({most}, {counts})'})", f"{{{{{by}}}}}")


def or_none(part: str, whole: str) -> str:
    """*part*, and 0 where only *whole* is known: nothing of a kind has happened yet."""
    return f"({part} or 0 * {whole})"


def share(part: str, whole: str) -> str:
    """*part* of *whole*, from 0 to 1; nothing while *whole* is nothing."""
    return f"{or_none(part, whole)} / ({whole} > 0)"


def quantile(rank: float, histogram: str, by: str = "", window: str = WHOLE_RANGE) -> str:
    """The value that the share *rank* of what *histogram* took in *window* does not exceed, estimated."""
    grouping = f"le, {by}" if by else "le"
    return f"histogram_quantile({rank}, sum by ({grouping}) ({grown(f'{histogram}_bucket', window=window)}))"


def mean(histogram: str, by: str = "", window: str = WHOLE_RANGE) -> str:
    """The mean of what *histogram* took in *window*."""
    total, number = (
        f"sum{_grouping(by)}({grown(f'{histogram}_{suffix}', window=window)})" for suffix in ("sum", "count")
    )
    return f"{total} / ({number} > 0)"


def buckets(histogram: str) -> str:
    """What *histogram* took lately, in its buckets, for a heat map."""
    return f"sum by (le) (increase({of_job(f'{histogram}_bucket')}[$__rate_interval]))"


def between(histogram: str, above: str, up_to: str) -> str:
    """How many of what *histogram* took in the whole range lie between two of its bounds; *above* may be empty.

    A bound of whole numbers is written with and without its ``.0``, depending on the version of Prometheus.
    """
    counts = [
        counted(f"{histogram}_bucket", matchers=f'le=~"{bound}(.0)?"') for bound in (up_to, above) if bound
    ]
    return " - ".join(counts)


def by_clock(counter: str, part: str) -> str:
    """How many events *counter* took in the whole range by ``hour`` or ``day_of_week`` (*part*), UTC.

    Looked at minute by minute, so all series together: of which of them an event is does not matter. An increase over
    a minute would miss what came before its first sample, so it is only for when there was none a minute ago, and for
    when the totals began anew.
    """
    total = of_job(counter)
    came = f"(sum({total}) - sum({total} offset 1m) >= 0 or sum(increase({total}[1m])))"
    now = f'count_values("{part}", {part}(vector(time() - 1)))'
    return f"round(sum_over_time(({came} * on () group_right () {now})[{WHOLE_RANGE}:1m]))"


def named(expr: str, label: str, names: Mapping[str, str]) -> str:
    """*expr* with the values of *label* replaced by their *names*; patterns as Prometheus reads them."""
    for value, name in names.items():
        expr = f'label_replace({expr}, "{label}", "{name}", "{label}", "{value}")'
    return expr


def firing() -> str:
    """How many alerts about the chosen job fire."""
    alerts = of_job("ALERTS", 'alertstate="firing"')
    return f"count({alerts}) or vector(0)"


def job_variable(metric: str, description: str) -> QueryVariable:
    """Variable ``job``: where *metric* is."""
    return label_variable("job", "Job", description, f"label_values({metric}, job)")
