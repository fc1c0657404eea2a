"""The README's tables say what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from pushgateway_bridge import config_reference
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.cli import HELP
from pushgateway_bridge.config import Config, setting_names
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.state.store import LAST_REPORT, REPORT_INTERVAL, REPORTS


def first_column(text: str, heading: str) -> list[str]:
    section = text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    return re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)


def readme(repository: Path) -> str:
    return (repository / "pushgateway-bridge/README.md").read_text()


def test_every_setting_has_its_help() -> None:
    assert list(HELP) == setting_names()


def test_the_page_of_settings_is_what_the_code_says(repository: Path) -> None:
    assert (repository / "docs/configuration.md").read_text() == config_reference.page(HELP), "make reference"


def test_every_self_metric_has_its_row(repository: Path, tmp_path: Path) -> None:
    metrics = Bridge(Config(delivery="remote_write")).metrics.registry.collect()
    own = [
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in metrics
        if metric.name.startswith("telemetry_")
    ]
    at = own.index("telemetry_config_last_reload_success_timestamp_seconds") + 1
    own.insert(at, "telemetry_certificate_expiry_timestamp_seconds")  # there with TLS only
    sources = [family.name for family in (LAST_REPORT, REPORT_INTERVAL, REPORTS)]

    assert first_column(readme(repository), "Metrics about itself") == own + sources


def test_every_dialect_has_its_paths_and_its_page(repository: Path) -> None:
    text = readme(repository)
    for dialect in DIALECTS.values():
        assert (repository / "docs/dialects" / f"{dialect.name}.md").is_file()
        for path in dialect.paths:
            shown = f"{path}…" if dialect.paths_go_on else path
            at_root = re.sub(r"^/pve/", "/", shown)  # all of these are said to be below it too
            assert any(
                f"`{one}`" in text or f"POST {one}`" in text or f"DELETE {one}`" in text
                for one in (shown, at_root)
            )
