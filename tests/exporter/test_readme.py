"""The README tells every metric and every flag there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from host_exporter import scrape, selfmetrics
from host_exporter.cli import serve
from host_exporter.collectors import COLLECTORS
from host_exporter.config import environment_name
from host_exporter.family import Family

BEGIN, END = "<!-- metrics -->\n", "<!-- /metrics -->\n"


@pytest.fixture
def readme(repository: Path) -> Path:
    return repository / "exporter" / "README.md"


def table(families: Iterable[Family]) -> str:
    rows = [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} "
        f"| {family.help.replace('|', chr(92) + '|').replace('<', '&lt;')} |\n"
        for family in families
    ]
    return "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n" + "".join(rows)


def reference() -> str:
    sections = []
    for name, collector in COLLECTORS.items():
        default = "on" if collector.on_by_default else "off"
        sections.append(f"\n### {name} ({default} by default)\n\n{table(collector.families)}")
    sections.append(f"\n### About each scrape\n\n{table(scrape.FAMILIES)}")
    sections.append(f"\n### About the exporter itself\n\n{table(selfmetrics.FAMILIES)}\n")
    return "".join(sections)


def test_the_metric_reference_is_what_the_collectors_declare(readme: Path, update_golden: bool) -> None:
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)

    if update_golden:
        readme.write_text(f"{before}{BEGIN}{reference()}{END}{after}", encoding="utf-8")
        written = reference()
    assert written == reference()


@pytest.mark.parametrize(
    "option", [option for option in serve.params if isinstance(option, click.Option)], ids=str
)
def test_every_flag_is_in_the_readme(option: click.Option, readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    flag = option.opts[0]

    if flag.removeprefix("--collector.") in COLLECTORS:
        assert f"### {flag.removeprefix('--collector.')} (" in text
    elif option.envvar is not None:
        assert f"| `{flag}` | `{environment_name(flag)}` |" in text
