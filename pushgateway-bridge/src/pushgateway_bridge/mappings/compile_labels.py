"""Paths, texts and labels as a mapping has them written → as they run, and what is wrong with them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from typing import Final

from pushgateway_bridge.mappings.compiled import Place, Text
from pushgateway_bridge.mappings.language import MappingSpec, MetricSpec, Spec, TextSpec
from pushgateway_bridge.mappings.paths import BadPath, Path, compile_path
from pushgateway_bridge.mappings.problems import Problems
from pushgateway_bridge.mappings.values import MAX_LABEL_VALUE_BYTES

MAX_NAME_CHARACTERS: Final = 256
MAX_LABELS: Final = 38
"""Beside job and instance."""
MAX_CAP: Final = 10_000
MAX_KEY: Final = 32

_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NOT_NAME: Final = re.compile(r"[^a-zA-Z0-9_]+")


class Sections:
    """Compiles what several sections of one mapping have in common, and notes what is wrong."""

    def __init__(self, spec: MappingSpec, problems: Problems) -> None:
        self.spec = spec
        self._problems = problems

    def problem(self, section: Spec, key: str, message: str, *, warning: bool = False) -> None:
        """Note that *key* of *section* is wrong."""
        line, place = section.at(key)
        self._problems.add(self.spec.file, line, place, message, warning=warning)

    def whole(self, section: Spec, message: str) -> None:
        """Note that *section* is wrong."""
        self._problems.add(self.spec.file, section.line, section.place, message)

    def path(self, section: Spec, key: str, text: str | None) -> Path | None:
        """The path at *key*; ``None`` if there is none, or a bad one."""
        if text is None:
            return None
        try:
            return compile_path(text)
        except BadPath as error:
            self.problem(section, key, str(error))
            return None

    def labels(
        self, section: MappingSpec | MetricSpec, specs: Table[str, TextSpec]
    ) -> tuple[dict[str, str], tuple[Text, ...]]:
        """Those that are fixed, and those that are not."""
        if len(specs) > MAX_LABELS:
            self.problem(section, "labels", f"{len(specs)} labels, more than {MAX_LABELS}")
        fixed: dict[str, str] = {}
        texts = []
        for name, spec in specs.items():
            wrong = _wrong_label(name)
            if wrong:
                self.whole(spec, wrong)
            text = self.text(name, spec, located=isinstance(section, MetricSpec) or bool(self.spec.items))
            if isinstance(text, str):
                fixed[name] = text
            elif text is not None:
                texts.append(text)
        return fixed, tuple(texts)

    def text(self, name: str, spec: TextSpec, *, located: bool) -> Text | str | None:
        """What *spec* says, a text if it is always the same; *located*: whether it may ask where a value stands."""
        given = [key for key in ("value", "path", "key") if key in spec.lines]
        if len(given) != 1:
            what = f"{' and '.join(given)} exclude each other" if given else "needs value, path or key"
            self.whole(spec, what)
            return None
        if spec.value is not None:
            for key in ("values", "cap", "required"):
                if key in spec.lines:
                    self.problem(spec, key, "is for what comes from a body, and this value is fixed")
            if len(spec.value.encode()) > MAX_LABEL_VALUE_BYTES:
                self.problem(spec, "value", f"is longer than {MAX_LABEL_VALUE_BYTES} bytes")
            return spec.value
        if spec.cap is not None and not 1 <= spec.cap <= MAX_CAP:
            self.problem(spec, "cap", f"expected 1 to {MAX_CAP}, got {spec.cap}")
        for value in (spec.values or {}).values():
            if len(value.encode()) > MAX_LABEL_VALUE_BYTES:
                self.problem(spec, "values", f"one is longer than {MAX_LABEL_VALUE_BYTES} bytes")
        values = spec.values or {}
        if spec.key is not None:
            number = int(spec.key)
            if not 1 <= number <= MAX_KEY:
                self.problem(
                    spec, "key", f"expected true, or 1 to {MAX_KEY} counted from the end, got {spec.key}"
                )
            elif not located:
                self.problem(spec, "key", "there are no items here whose place it could be; say items: …")
            return Text(name, Place(*spec.at("key")), key=number, values=values)
        path = self.path(spec, "path", spec.path)
        if path is None:
            return None
        return Text(name, Place(*spec.at("path")), path, values=values, required=spec.required)


def _wrong_label(name: str) -> str:
    """What is wrong with a label's name; empty if nothing is."""
    if name in ("job", "instance"):
        return f"say identity: {{{name}: …}}; it is no label of single metrics"
    if not _LABEL_NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        return f"a label's name has letters, digits and _ only; as {as_name(name)!r}"
    if name.startswith("__"):
        return f"names that begin with __ are reserved; as {name.lstrip('_') or 'label'!r}"
    return ""


def as_name(text: str) -> str:
    """A good name that is like *text*."""
    name = _NOT_NAME.sub("_", text).strip("_")[:60] or "name"
    return f"_{name}" if name[0].isdigit() else name
