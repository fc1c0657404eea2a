"""Writes docs/exporter-metrics.md from what the collectors declare, so that no page is behind the code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from host_exporter import collectors, scrape, selfmetrics
from host_exporter.collector import Collector, Setting
from host_exporter.config import environment_name
from host_exporter.family import Family

HEAD: Final = """# Metrics of the host exporter

<!-- Written by `make reference` from the code. Change the declarations of the collectors there. -->

What each collector shows, and the flags that it has. A host has a part of it: what its kernel and hardware tell. Where
a flag's pattern chooses among the kernel's own fields, the table has those that the default finds. Each flag is an
environment variable too (the flag wins); a pattern is a regular expression that may match anywhere in a name unless it
is anchored. [The exporter's README](../exporter/README.md) has the other flags.
"""


def page(declared: Mapping[str, Collector]) -> str:
    """The page about the collectors *declared*, by their names, and about the exporter itself."""
    return "\n".join(
        [
            HEAD,
            *_overview(declared),
            *(line for name, collector in declared.items() for line in _section(name, collector)),
            "## About each scrape\n",
            *_metrics(scrape.FAMILIES),
            "\n## About the exporter itself\n",
            *_metrics(selfmetrics.FAMILIES),
            "",
        ]
    )


def _overview(declared: Mapping[str, Collector]) -> Iterator[str]:
    yield "| Collector | By default | Shows |\n|---|---|---|"
    for name, collector in declared.items():
        yield f"| [{name}](#{name}) | {_on_off(collector.on_by_default)} | {_cell(_described(name))} |"
    yield ""


def _section(name: str, collector: Collector) -> Iterator[str]:
    flag = f"collector.{name}"
    on = collector.on_by_default
    yield f"## {name}\n"
    yield (
        f"{_on_off(on).capitalize()} by default; `--{'no-' if on else ''}{flag}` "
        f"(`{environment_name(flag)}={str(not on).lower()}`) switches it {_on_off(not on)}.\n"
    )
    if collector.families:
        yield from _metrics(collector.families)
        yield ""
    if collector.settings:
        yield "| Flag | Default | Meaning |\n|---|---|---|"
        yield from (_setting(name, setting) for setting in collector.settings)
        yield ""


def _metrics(families: Iterable[Family]) -> Iterator[str]:
    yield "| Metric | Type | Labels | Meaning |\n|---|---|---|---|"
    for family in families:
        yield f"| `{family.name}` | {family.kind} | {_labels(family)} | {_cell(family.help)} |"


def _labels(family: Family) -> str:
    if family.free:
        return "each series' own"
    return ", ".join(f"`{label}`" for label in family.labels)


def _setting(collector: str, setting: Setting) -> str:
    flag = setting.flag(collector)
    variable = f"<br>`{environment_name(flag)}`"
    if isinstance(setting.default, bool):
        return f"| `--[no-]{flag}`{variable} | {_on_off(setting.default)} | {_cell(setting.help)} |"
    default = f"`{_escaped(setting.default)}`" if setting.default else "empty"
    repeatable = " *repeatable*" if setting.repeatable else ""
    return f"| `--{flag} {setting.metavar}`{variable} | {default} | {_cell(setting.help)}{repeatable} |"


def _described(name: str) -> str:
    """What the file of a collector says of itself; empty for one that has no file of its name here."""
    module = sys.modules.get(f"{collectors.__name__}.{name}")
    return ((module and module.__doc__) or "").partition("\n\n")[0].replace("``", "`")


def _on_off(on: bool) -> str:
    return "on" if on else "off"


def _cell(text: str) -> str:
    """*text* on one line of a table, where it is not read as HTML."""
    return " ".join(_escaped(text).replace("<", "&lt;").split())


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(collectors.COLLECTORS))
