"""``python -m telemetry_dashboards``: write the JSON files, or with ``--check`` tell which differ."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from telemetry_dashboards.catalogue import documents

TARGET = Path(__file__).resolve().parent.parent / "dashboards"


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 if the files are now, or with ``--check`` already were, as their sources say."""
    parser = argparse.ArgumentParser(
        prog="telemetry_dashboards", description="Write the dashboards' JSON files."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that differ")
    parser.add_argument(
        "--target", type=Path, default=TARGET, metavar="DIR", help="default: grafana/dashboards"
    )
    options = parser.parse_args(arguments)
    wanted = documents()
    if options.check:
        return _report(_differing(options.target, wanted))
    write(options.target, wanted)
    return 0


def write(target: Path, wanted: dict[str, str]) -> None:
    """Make *target* hold exactly the *wanted* JSON files."""
    target.mkdir(parents=True, exist_ok=True)
    for name in _present(target) - wanted.keys():
        (target / name).unlink()
    for name, text in wanted.items():
        (target / name).write_text(text, encoding="utf-8")


def _differing(target: Path, wanted: dict[str, str]) -> list[str]:
    present = {name: (target / name).read_text(encoding="utf-8") for name in _present(target)}
    return sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))


def _present(target: Path) -> set[str]:
    return {path.name for path in target.glob("*.json")}


def _report(differing: list[str]) -> int:
    for name in differing:
        sys.stderr.write(f"{name} differs from its Python source: run 'make dashboards'\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
