from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from host_exporter.collector import Settings
from host_exporter.collectors import textfile
from host_exporter.collectors.textfile import ENDING, SETTLED_SECONDS, Textfiles
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.render import OPENMETRICS, TEXT, Format, Renderer

WRITTEN = 1_700_000_000
DECLARED = (
    Family("node_load1", "gauge", "1m load average."),
    Family("node_forks_total", "counter", "Total number of forks."),
)
HISTOGRAM = """# HELP wait_seconds How long.
# TYPE wait_seconds histogram
wait_seconds_bucket{q="a",le="1"} 1
wait_seconds_bucket{q="a",le="+Inf"} 2
wait_seconds_sum{q="a"} 9.5
wait_seconds_count{q="a"} 2
wait_seconds_bucket{q="b",le="1"} 0
wait_seconds_bucket{q="b",le="+Inf"} 0
wait_seconds_sum{q="b"} 0
wait_seconds_count{q="b"} 0
# TYPE wait_seconds_created gauge
wait_seconds_created{q="a"} 1.5e9
wait_seconds_created{q="b"} 1.6e9
"""
SUMMARY = """# TYPE size_bytes summary
size_bytes{quantile="0.5"} 1
size_bytes{quantile="1"} 3
size_bytes_sum 4
size_bytes_count 2
"""
COUNTERS = """# TYPE runs_total counter
runs_total{job="a"} 1
runs_total{job="b"} 2
# TYPE runs_created gauge
runs_created{job="a"} 1.5e9
runs_created{job="b"} 1.6e9
# TYPE level_total counter
level_total 1
# TYPE level gauge
level 2
"""


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        file = folder / f"{name}{ENDING}"
        file.write_text(text, encoding="utf-8")
        os.utime(file, (WRITTEN, WRITTEN))


def rendered(files: Textfiles, paths: HostPaths, format_: Format = TEXT) -> str:
    renderer = Renderer(format_)
    return renderer.render(files.collect(paths)) + renderer.end()


def lines(files: Textfiles, paths: HostPaths) -> list[str]:
    """The exposition without its comments, and without the mtimes."""
    text = rendered(files, paths)
    return [line for line in text.splitlines() if not line.startswith(("#", "node_textfile_mtime"))]


def samples(families: Iterable[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Numbers by name and labels, a bound as a number: text says 1 where OpenMetrics says 1.0."""
    found = {}
    for family in families:
        for sample in family.samples:
            labels = {
                name: str(float(value)) if name in ("le", "quantile") else value
                for name, value in sample.labels.items()
            }
            key = sample.name, tuple(sorted(labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def test_without_a_folder_there_is_no_error(plain: HostPaths) -> None:
    assert rendered(Textfiles([], []), plain) == (
        "# HELP node_textfile_scrape_error 1 if there was an error opening or reading a file, 0 otherwise\n"
        "# TYPE node_textfile_scrape_error gauge\n"
        "node_textfile_scrape_error 0\n"
    )


def test_files_are_shown_with_the_time_they_were_written(tmp_path: Path, plain: HostPaths) -> None:
    write(
        tmp_path,
        b='# TYPE x gauge\nx{l="2"} 2\n',
        a='# HELP x An x.\n# TYPE x gauge\nx{l="1"} 1\n',
        c="y 3\n",
    )
    (tmp_path / "c.prom.new").write_text("not read")

    assert rendered(Textfiles([str(tmp_path)], []), plain) == (
        "# HELP x An x.\n"
        "# TYPE x gauge\n"
        'x{l="1"} 1.0\n'
        'x{l="2"} 2.0\n'
        f"# HELP y Metric read from {tmp_path}/c.prom\n"
        "# TYPE y untyped\n"
        "y 3.0\n"
        "# HELP node_textfile_mtime_seconds Unixtime mtime of textfiles successfully read.\n"
        "# TYPE node_textfile_mtime_seconds gauge\n"
        f'node_textfile_mtime_seconds{{file="{tmp_path}/a.prom"}} {WRITTEN}\n'
        f'node_textfile_mtime_seconds{{file="{tmp_path}/b.prom"}} {WRITTEN}\n'
        f'node_textfile_mtime_seconds{{file="{tmp_path}/c.prom"}} {WRITTEN}\n'
        "# HELP node_textfile_scrape_error 1 if there was an error opening or reading a file, 0 otherwise\n"
        "# TYPE node_textfile_scrape_error gauge\n"
        "node_textfile_scrape_error 0\n"
    )


def test_families_of_several_files_are_merged(tmp_path: Path, plain: HostPaths) -> None:
    write(tmp_path, a='# TYPE x gauge\nx{a="1"} 1\n', b='# HELP x An x.\n# TYPE x gauge\nx{b="1"} 2\n')

    text = rendered(Textfiles([str(tmp_path)], []), plain)

    assert text.startswith('# HELP x An x.\n# TYPE x gauge\nx{a="1"} 1.0\nx{b="1"} 2.0\n# HELP node')


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("# HELP x Another.\n# TYPE x gauge\nx 2\n", "x has another help text than in"),
        ("# HELP x An x.\n# TYPE x counter\nx 2\n", "x is a counter, and a gauge in"),
        ("# TYPE x gauge\nx 2\n", "x has 1 series that there are already"),
        ("# TYPE x summary\nx_sum 1\n", "x is a summary, and a gauge in"),
        ("x_sum 1\n# TYPE h_sum gauge\nh_sum 2\n", "h_sum has lines h_sum, as h has"),
        ("y 1 1441205977284\n", "line 1: y has a timestamp"),
        ("node_load1 1\n", "node_load1 is a family of the exporter itself"),
        ("node_forks 1\n", "node_forks is a family of the exporter itself"),
        ("# TYPE node summary\nnode_sum 1\n# TYPE node_load1_sum gauge\nz{ 1\n", "line 4: expected NAME"),
        (
            "# TYPE node_textfile_mtime_seconds gauge\nnode_textfile_mtime_seconds 1\n",
            "of the exporter itself",
        ),
        ('# TYPE h_created gauge\nh_created{a="b"} 1\n', "h_created has series that h has not"),
    ],
)
def test_what_contradicts_an_earlier_file_is_left_out_and_told_once(
    other: str, told: str, tmp_path: Path, plain: HostPaths, caplog: pytest.LogCaptureFixture
) -> None:
    write(
        tmp_path, a="# HELP x An x.\n# TYPE x gauge\nx 1\n# TYPE h histogram\nh_sum 1\n", b=f"{other}good 1\n"
    )
    files = Textfiles([str(tmp_path)], DECLARED)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            shown = lines(files, plain)

    assert shown[:4] == ["x 1.0", 'h_bucket{le="+Inf"} 0', "h_sum 1.0", "h_count 0"]
    assert shown[-1] == "node_textfile_scrape_error 1"
    (record,) = caplog.records
    assert record.__dict__["error"].startswith(f"{tmp_path}/b.prom: ")
    assert told in record.__dict__["error"]


def test_a_bad_file_costs_only_itself(tmp_path: Path, plain: HostPaths) -> None:
    write(tmp_path, a="a 1\n", b="b\n", d="d 1\n")
    (tmp_path / "c.prom").write_bytes(b'c{x="\xff"} 1\n')
    (tmp_path / "e.prom").mkdir()
    (tmp_path / "f.prom").symlink_to("nowhere")
    os.mkfifo(tmp_path / "g.prom")

    text = rendered(Textfiles([str(tmp_path), str(tmp_path / "gone")], []), plain)

    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "a 1.0",
        "d 1.0",
        f'node_textfile_mtime_seconds{{file="{tmp_path}/a.prom"}} {WRITTEN}',
        f'node_textfile_mtime_seconds{{file="{tmp_path}/d.prom"}} {WRITTEN}',
        "node_textfile_scrape_error 1",
    ]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, plain: HostPaths, caplog: pytest.LogCaptureFixture
) -> None:
    with (tmp_path / "a.prom").open("wb") as file:
        file.truncate(textfile.MAX_FILE_BYTES + 1)
        file.write(b"a 1\n")

    with caplog.at_level(logging.WARNING):
        assert lines(Textfiles([str(tmp_path)], []), plain) == ["node_textfile_scrape_error 1"]
    assert "is larger than" in caplog.records[0].__dict__["error"]


def test_folders_may_be_patterns_and_come_in_any_number(tmp_path: Path, plain: HostPaths) -> None:
    for folder in ("one", "two", ".hidden", "six"):
        write(tmp_path / folder, x=f'x{{folder="{folder}"}} 1\n')
    made = textfile.collector(lambda: ()).made("textfile", {"directory": f"{tmp_path}/[^s]*\n{tmp_path}/six"})

    shown = [labels[2] for family, labels, _ in made(plain) if family.name == "x"]

    assert shown == [".hidden", "one", "two", "six"]


def test_the_flag_may_be_repeated_and_is_off_by_default() -> None:
    made = textfile.collector(lambda: ())

    assert Settings("textfile", made.settings).texts("directory") == ()
    assert made.settings[0].repeatable
    assert made.on_by_default


def test_families_stay_the_same_and_values_follow_the_file(tmp_path: Path, plain: HostPaths) -> None:
    """The renderer remembers by family: a new one at each scrape would be remembered for ever."""
    write(tmp_path, a=HISTOGRAM, b="x 1\n")
    files = Textfiles([str(tmp_path)], [])

    def families(values: Iterable[Value]) -> set[Family]:
        return {family for family, _, _ in values}

    before = families(files.collect(plain))
    write(tmp_path, b="x 22\n")
    after = list(files.collect(plain))

    assert families(after) == before
    assert [number for family, _, number in after if family.name == "x"] == [22]


@pytest.mark.parametrize(("age", "number"), [(SETTLED_SECONDS / 2, 2), (SETTLED_SECONDS * 2, 1)])
def test_a_file_that_was_just_written_is_read_again_though_it_looks_the_same(
    age: float, number: float, tmp_path: Path, plain: HostPaths
) -> None:
    files = Textfiles([str(tmp_path)], [], clock=lambda: WRITTEN + age)
    write(tmp_path, a="a 1\n")
    assert lines(files, plain)[0] == "a 1.0"
    status = (tmp_path / "a.prom").stat()
    with (tmp_path / "a.prom").open("r+") as file:
        file.write("a 2\n")
    os.utime(tmp_path / "a.prom", ns=(status.st_atime_ns, status.st_mtime_ns))

    assert lines(files, plain)[0] == f"a {float(number)}"


def test_a_file_that_is_replaced_or_removed_is_noticed(tmp_path: Path, plain: HostPaths) -> None:
    files = Textfiles([str(tmp_path)], [])
    write(tmp_path, a="a 1\n", b="b\n")
    assert lines(files, plain) == ["a 1.0", "node_textfile_scrape_error 1"]

    write(tmp_path / "new", a="a 2\n")
    (tmp_path / "new/a.prom").rename(tmp_path / "a.prom")
    (tmp_path / "b.prom").unlink()

    assert lines(files, plain) == ["a 2.0", "node_textfile_scrape_error 0"]


@pytest.mark.parametrize("text", [HISTOGRAM, SUMMARY, COUNTERS], ids=["histogram", "summary", "counters"])
def test_openmetrics_says_what_the_text_says(text: str, tmp_path: Path, plain: HostPaths) -> None:
    write(tmp_path, a=text)
    files = Textfiles([str(tmp_path)], [])

    strict = samples(parse_openmetrics(rendered(files, plain, OPENMETRICS)))  # type: ignore[no-untyped-call]

    assert strict == samples(parse_text(rendered(files, plain)))
    assert strict.items() >= samples(parse_text(text)).items()


def test_creation_times_stand_inside_of_their_family_in_openmetrics(tmp_path: Path, plain: HostPaths) -> None:
    write(tmp_path, a=f"{COUNTERS}# TYPE old_style counter\nold_style 3\n")
    files = Textfiles([str(tmp_path)], [])

    families = {family.name: family for family in parse_openmetrics(rendered(files, plain, OPENMETRICS))}  # type: ignore[no-untyped-call]

    assert families["runs"].type == "counter"
    assert [sample.name for sample in families["runs"].samples] == ["runs_total", "runs_created"] * 2
    assert families["old_style"].type == "unknown"
    assert families["level_total"].type == "unknown"
    assert families["level"].type == "gauge"


def test_in_text_creation_times_are_a_gauge_of_their_own(tmp_path: Path, plain: HostPaths) -> None:
    write(tmp_path, a=HISTOGRAM)

    text = rendered(Textfiles([str(tmp_path)], []), plain)

    assert text.index("# TYPE wait_seconds_created gauge\n") > text.index('wait_seconds_count{q="b"} 0\n')
    assert text.count("\nwait_seconds_created{") == 2


names = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@st.composite
def written_files(draw: st.DrawFn) -> str:
    """Families of every kind with any text as label values, as a careful script writes them."""
    blocks = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["counter", "gauge", "untyped", "h", "s"])))):
        name = f"{draw(names)}_{number}"
        label_names = draw(st.lists(names, unique=True, max_size=2))
        series = draw(st.lists(st.tuples(*[texts] * len(label_names)), unique=True, min_size=1, max_size=3))
        blocks.append(f"# HELP {name}{'_total' * (kind == 'counter')} {escaped(draw(texts))}\n")
        pairs = [[f'{n}="{escaped(v)}"' for n, v in zip(label_names, one, strict=True)] for one in series]
        count = draw(st.integers(0, 10**6))
        if kind == "h":
            blocks.append(f"# TYPE {name} histogram\n")
            for one in pairs:
                blocks += [line(f"{name}_bucket", [*one, 'le="0.25"'], count)]
                blocks += [line(f"{name}_count", one, count + 3), line(f"{name}_sum", one, 7.5)]
                blocks += [line(f"{name}_bucket", [*one, 'le="1e6"'], count + 1)]
        elif kind == "s":
            blocks.append(f"# TYPE {name} summary\n")
            for one in pairs:
                blocks += [line(name, [*one, 'quantile="1"'], 2), line(name, [*one, 'quantile="0.5"'], 1)]
                blocks += [line(f"{name}_count", one, count), line(f"{name}_sum", one, 7.5)]
        else:
            name += "_total" * (kind == "counter")
            blocks.append(f"# TYPE {name} {kind}\n")
            blocks += [line(name, one, count) for one in pairs]
    return "".join(blocks)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def line(name: str, pairs: list[str], number: float) -> str:
    return f"{name}{{{','.join(pairs)}}} {number}\n"


@given(written_files())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_is_written_is_read_back_from_both_formats(
    tmp_path: Path, plain: HostPaths, text: str
) -> None:
    write(tmp_path, a=text)
    files = Textfiles([str(tmp_path)], [])

    from_text = samples(parse_text(rendered(files, plain)))

    assert from_text["node_textfile_scrape_error", ()] == 0
    assert samples(parse_openmetrics(rendered(files, plain, OPENMETRICS))) == from_text  # type: ignore[no-untyped-call]
