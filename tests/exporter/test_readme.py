"""README and metric reference tell every flag there is."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from host_exporter.cli import make_cli
from host_exporter.collectors import COLLECTORS
from host_exporter.config import environment_name

serve = make_cli(COLLECTORS).commands["serve"]


@pytest.mark.parametrize(
    "option", [option for option in serve.params if isinstance(option, click.Option)], ids=str
)
def test_every_flag_is_told(option: click.Option, repository: Path) -> None:
    readme = (repository / "exporter/README.md").read_text(encoding="utf-8")
    reference = (repository / "docs/exporter-metrics.md").read_text(encoding="utf-8")
    flag = option.opts[0]

    if option.envvar is not None:
        variable = environment_name(flag)
        assert f"| `{flag}` | `{variable}` |" in readme or re.search(f"`{variable}[`=]", reference)
