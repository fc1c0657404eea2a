"""A folder of mapping files → mappings that run, or everything that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pushgateway_bridge.mappings.compile import compile_mapping
from pushgateway_bridge.mappings.compiled import ADDITIONS, Mapping, Mappings, Metric
from pushgateway_bridge.mappings.problems import MappingsInvalid, Problems
from pushgateway_bridge.mappings.source import MAX_FILE_BYTES, read_mapping
from pushgateway_bridge.state.conflicts import created_name_of, line_names_of

ENDING: Final = ".yml"
ENDINGS: Final = (ENDING, ".yaml")
MAX_MAPPINGS: Final = 1000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NOT_NAME: Final = re.compile(r"[^a-z0-9_-]+")


def load_mappings(directory: Path) -> Mappings:
    """All mappings of *directory*, one in each ``<name>.yml`` (or ``.yaml``). MappingsInvalid has all that is wrong.

    Other files are left alone; so is what is in folders.
    """
    problems = Problems()
    try:
        files = sorted(directory.iterdir())
    except OSError as error:
        problems.add(str(directory), 0, "", f"mappings.directory: {error.strerror}")
        raise MappingsInvalid(problems) from error
    found = []
    named: dict[str, Path] = {}
    for file in files:
        if file.suffix not in ENDINGS or file.name.startswith("."):
            continue
        if (other := named.setdefault(file.stem, file)) is not file:
            problems.add(file.name, 0, "", f"has the name of {other.name}; keep one of them")
            continue
        mapping = _load(file, problems)
        found += [] if mapping is None else [mapping]
    if len(found) > MAX_MAPPINGS:
        problems.add(str(directory), 0, "", f"{len(found)} mappings, more than {MAX_MAPPINGS}")
    return _checked(found, problems)


def parse_mapping(text: str, name: str) -> Mapping:
    """The mapping *name* as *text* says it. Raises MappingsInvalid."""
    problems = Problems()
    mapping = _parse(text, name, f"{name}{ENDING}", problems)
    return _checked([] if mapping is None else [mapping], problems).by_name[name]


def _checked(mappings: list[Mapping], problems: Problems) -> Mappings:
    _check_families(mappings, problems)
    if problems.errors:
        raise MappingsInvalid(problems)
    return Mappings({one.name: one for one in mappings}, tuple(problems.warnings))


def _load(file: Path, problems: Problems) -> Mapping | None:
    name = file.stem
    if not _NAME.fullmatch(name):
        meant = _NOT_NAME.sub("-", name.lower()).strip("-_")[:64] or "name"
        problems.add(
            file.name,
            0,
            "",
            "a mapping's name has a-z, 0-9, _ and - only, at most 64, and begins with a letter or digit; "
            f"as {meant + file.suffix!r}",
        )
    try:
        content = file.read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"has {len(content)} bytes, more than {MAX_FILE_BYTES}")
        text = content.decode()
    except OSError as error:
        problems.add(file.name, 0, "", error.strerror or str(error))
    except UnicodeDecodeError as error:
        problems.add(file.name, content[: error.start].count(b"\n") + 1, "", "is no UTF-8")
    except ValueError as error:
        problems.add(file.name, 0, "", str(error))
    else:
        return _parse(text, name, file.name, problems)
    return None


def _parse(text: str, name: str, file: str, problems: Problems) -> Mapping | None:
    spec = read_mapping(text, name, file, problems)
    return None if spec is None else compile_mapping(spec, problems)


def _check_families(mappings: Iterable[Mapping], problems: Problems) -> None:
    """Note metrics that cannot stand beside each other, of whichever mappings: one name is one family."""
    first: dict[str, tuple[Mapping, Metric]] = {}
    lines: dict[str, tuple[Mapping, Metric]] = {}
    for mapping in mappings:
        for metric in mapping.metrics:
            known = first.setdefault(metric.family.name, (mapping, metric))
            if known[1] is not metric:
                _check_same(mapping, metric, known, problems)
                continue
            names = line_names_of(metric.family)
            if metric.family.type in ("counter", "histogram") and metric.operation in ADDITIONS:
                names.append(created_name_of(metric.family))
            for name in names:
                other = lines.setdefault(name, (mapping, metric))
                if other[1] is not metric:
                    _note(mapping, metric, f"would have lines named {name}, as has", other, problems)


def _check_same(mapping: Mapping, metric: Metric, known: tuple[Mapping, Metric], problems: Problems) -> None:
    one, other = metric.family, known[1].family
    if one.type != other.type:
        _note(mapping, metric, f"{one.name!r} has type {one.type} here, and {other.type} as", known, problems)
    elif one.buckets != other.buckets:
        _note(mapping, metric, f"{one.name!r} has other buckets than", known, problems)
    elif metric.operation is not known[1].operation and {metric.operation, known[1].operation} & ADDITIONS:
        names = (metric.operation.name.lower(), known[1].operation.name.lower())
        _note(
            mapping, metric, f"{one.name!r} has operation {names[0]} here, and {names[1]} as", known, problems
        )


def _note(
    mapping: Mapping, metric: Metric, what: str, other: tuple[Mapping, Metric], problems: Problems
) -> None:
    place = other[1].place
    problems.add(
        mapping.file,
        metric.place.line,
        f"{metric.place.key}.name",
        f"{what} {other[1].family.name!r} ({place.key} in {other[0].file}:{place.line}); choose another name",
    )
