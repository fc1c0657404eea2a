"""What the tests of the collectors of storage share: small trees, and series as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from host_exporter.family import Value
from host_exporter.render import TEXT, Renderer


def plant(folder: Path, files: Mapping[str, str]) -> None:
    """Write *files*, named from *folder*; there is always a procfs and a sysfs."""
    for name in ("proc", "sys"):
        (folder / name).mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """The same *files* in *folder*."""
    return {f"{folder}/{name}": text for name, text in files.items()}


def exposed(values: Iterable[Value]) -> str:
    """The series as they are exposed, in order, without their headers."""
    lines = Renderer(TEXT).render(values).splitlines(keepends=True)
    return "".join(sorted(line for line in lines if not line.startswith("#")))
